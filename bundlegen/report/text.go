package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/fatih/color"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Options are how a report looks on a terminal.
type Options struct {
	Width int  // columns; 0 is 80. No line is wider, but for what is to be pasted and cannot be broken: a next command, SQL.
	Color bool // ANSI colours: the caller knows about NO_COLOR, TERM and terminals
	All   bool // every partition and every changed tag
}

// The layout uses what there is between these.
const (
	defaultWidth = 80
	minWidth     = 60
	maxWidth     = 110
)

// Text writes a report for a terminal: the answer first, then each partition's
// load, what changes, what to mind, and the next command last.
func Text(w io.Writer, r Report, o Options) error {
	t := newTerminal(w, o)
	t.head(r.Plan)
	for i := range r.Plan.Tiers {
		t.tier(r.Plan, &r.Plan.Tiers[i], r.Changes)
	}
	t.changes(r.Changes)
	t.warnings(Warnings(r.Plan))
	t.grants(r.Plan.Grants)
	if r.Next != "" {
		t.line("")
		t.line(t.strong.Sprint("next: ") + t.blue.Sprint(r.Next))
	}
	return t.out.Flush()
}

type terminal struct {
	out                                         *bufio.Writer
	width                                       int
	all                                         bool
	strong, faint, blue, green, red, yellow, no *color.Color
}

func newTerminal(w io.Writer, o Options) *terminal {
	columns := o.Width
	if columns == 0 {
		columns = defaultWidth
	}
	t := &terminal{out: bufio.NewWriterSize(w, 64<<10), width: min(max(columns, minWidth), maxWidth), all: o.All}
	paint := func(attributes ...color.Attribute) *color.Color {
		c := color.New(attributes...)
		if o.Color {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c
	}
	t.strong, t.faint, t.blue = paint(color.Bold), paint(color.Faint), paint(color.FgCyan)
	t.green, t.red, t.yellow, t.no = paint(color.FgGreen), paint(color.FgRed), paint(color.FgYellow), paint()
	return t
}

// line writes one line, without space at its end. Errors come out of Flush.
func (t *terminal) line(s string) { _, _ = t.out.WriteString(strings.TrimRight(s, " ") + "\n") }

// labelled writes a label in a column of its own and a text wrapped in the next one.
func (t *terminal) labelled(indent int, label string, labelWidth int, text string, paint *color.Color) {
	start := indent + labelWidth
	for i, line := range wrap(text, t.width-start) {
		if i == 0 {
			t.line(strings.Repeat(" ", indent) + paint.Sprint(label) + strings.Repeat(" ", max(0, labelWidth-width(label))) + line)
		} else {
			t.line(strings.Repeat(" ", start) + line)
		}
	}
}

func (t *terminal) head(p *plan.Plan) {
	name := fit(clean(p.Name), t.width/2)
	t.labelled(0, name, width(name)+3, clean(strings.Join(headline(p), " · ")), t.strong)
}

func (t *terminal) tier(p *plan.Plan, tier *plan.Tier, c *plan.Changes) {
	t.line("")
	if len(p.Tiers) > 1 {
		name := fit(clean(tier.Name), t.width/2)
		t.labelled(0, name, width(name)+3, tierLine(tier), t.strong)
		t.line("")
	}
	for _, f := range facts(p, tier, c) {
		t.labelled(2, f.label, 14, f.text, t.faint)
	}
	if tier == &p.Tiers[len(p.Tiers)-1] {
		t.labelled(2, "assumed", 14, basis(p), t.faint)
	}
	if parts := of(p, tier); len(parts) > 0 {
		t.line("")
		t.load(p, parts)
	}
}

// load draws the partitions' loads as bars.
func (t *terminal) load(p *plan.Plan, parts []*plan.Partition) {
	greatest, sites, idWidth, tagsWidth, rateWidth := 0.0, 0, 4, 4, 8
	for _, part := range parts {
		greatest = max(greatest, part.Weight)
		idWidth = max(idWidth, width(id(part.ID)))
		tagsWidth = max(tagsWidth, width(words.Count(part.Tags)))
		rateWidth = max(rateWidth, width(words.Short(part.Weight)))
		sites = max(sites, width(clean(part.Site)))
	}
	siteWidth := 0
	if len(p.Sites) > 1 {
		siteWidth = min(max(sites, 4), 20)
	}
	idWidth = max(idWidth, len("partition"))
	cells := func(number, tags, site, load, rate string) {
		s := "  " + right(number, idWidth) + "  " + right(tags, tagsWidth)
		if siteWidth > 0 {
			s += "  " + left(fit(clean(site), siteWidth), siteWidth)
		}
		used := width(s) + 2 + 2 + rateWidth
		columns := max(8, t.width-used)
		t.line(s + "  " + t.blue.Sprint(load) + strings.Repeat(" ", max(0, columns-width(load))) + "  " + right(rate, rateWidth))
	}
	columns := t.width - (2 + idWidth + 2 + tagsWidth + 2 + 2 + rateWidth)
	if siteWidth > 0 {
		columns -= siteWidth + 2
	}
	cells("partition", "tags", "site", "", "events/h")
	within := screenRoom
	if t.all {
		within = noLimit
	}
	for _, r := range rows(parts, within) {
		if r.part == nil {
			t.line(t.faint.Sprint(fit("  "+right("", idWidth-1)+r.skipped+" (--all lists them)", t.width)))
			continue
		}
		cells(id(r.part.ID), words.Count(r.part.Tags), r.part.Site, bar(r.part.Weight/greatest, max(8, columns)),
			words.Short(r.part.Weight))
	}
}

func (t *terminal) changes(c *plan.Changes) {
	if c == nil {
		return
	}
	t.line("")
	if c.Empty() {
		t.line("  up to date with the last bundle")
		return
	}
	if !c.First {
		t.line("  since the last bundle")
	}
	most := screenSettings
	if t.all {
		most = math.MaxInt
	}
	list := changes(c, most)
	whatWidth := 0
	for _, l := range list {
		whatWidth = max(whatWidth, width(l.what))
	}
	for _, l := range list {
		t.labelled(2, l.kind+" "+l.what, whatWidth+5, clean(l.where), t.of(l.kind))
	}
	if len(c.Tags) == 0 {
		return
	}
	if !t.all && len(c.Tags) > fewTags {
		t.line(t.faint.Sprint("    (--all lists the tags)"))
		return
	}
	t.line("")
	t.tags(c.Tags)
}

// tags lists changed tags, names cut so that what happens to them fits.
func (t *terminal) tags(list []plan.TagChange) {
	nameWidth := t.width / 2
	for _, tag := range list {
		name := left(fit(clean(tag.Tag), nameWidth), nameWidth)
		t.line(t.of(tag.Kind).Sprint("  "+tag.Kind) + " " + name + "  " + fit(clean(tagLine(tag)), t.width-nameWidth-6))
	}
}

func (t *terminal) of(kind string) *color.Color {
	switch kind {
	case plan.Add:
		return t.green
	case plan.Remove:
		return t.red
	}
	return t.yellow
}

func (t *terminal) warnings(list []Worded) {
	for _, w := range list {
		t.line("")
		t.labelled(0, "!", 2, clean(w.Message), t.yellow)
		changeWidth := 0
		for _, a := range w.Advice {
			changeWidth = max(changeWidth, width(clean(a.Change)))
		}
		changeWidth = min(changeWidth, t.width/2)
		for _, a := range w.Advice {
			change, brings := clean(a.Change), clean(a.Effect)
			if width(change) > changeWidth {
				// Too long for two columns: what it brings goes below.
				t.labelled(4, "", 0, change, t.no)
				t.labelled(6, "", 0, brings, t.no)
				continue
			}
			t.labelled(4, change, changeWidth+3, brings, t.strong)
		}
	}
}

// grants writes what has to be run before the first deployment, to be pasted as it is.
func (t *terminal) grants(list []plan.Grant) {
	for _, g := range list {
		t.line("")
		t.labelled(0, "", 0, fmt.Sprintf("SQL for whoever may grant on the catalog, for the service principal of %s:", clean(g.Target)),
			t.no)
		for _, line := range grantLines(g.SQL) {
			t.line("  " + clean(line))
		}
	}
}

// cell is a text of a table and how it is painted.
type cell struct {
	text  string
	paint *color.Color
}

// table writes rows in columns; the heads are as in text.Table.
func (t *terminal) table(heads []string, rows [][]cell) {
	table := text.Table{Heads: heads, Indent: 2, Width: t.width, MaxCell: maxCell, Elastic: len(heads) - 1}
	for _, row := range rows {
		texts := make([]string, len(row))
		for i, c := range row {
			texts[i] = c.text
		}
		table.Rows = append(table.Rows, texts)
	}
	for _, line := range table.Lines(func(row, column int, cell string) string {
		switch {
		case row < 0:
			return t.faint.Sprint(cell)
		case rows[row][column].paint != nil:
			return rows[row][column].paint.Sprint(cell)
		}
		return cell
	}) {
		t.line(line)
	}
}

// maxCell is the most columns of a table's cell.
const maxCell = 28

// Short names, since every line uses them.
var (
	width = text.Width
	fit   = text.Fit
	left  = text.Left
	right = text.Right
	wrap  = text.Wrap
)

// clean escapes what a terminal would act on.
func clean(s string) string { return text.Line(s) }

// bar draws a share (0 to 1) of a number of columns in eighths of a column.
func bar(share float64, columns int) string {
	eighths := int(share*float64(columns*8) + 0.5)
	if share > 0 {
		eighths = max(1, eighths)
	}
	eighths = min(eighths, columns*8)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}
