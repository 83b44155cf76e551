package report

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

//go:embed html
var pageFiles embed.FS

var pageTemplates = template.Must(template.ParseFS(pageFiles, "html/*.tmpl"))

// What a page has room for; it names what it leaves out. A page of the largest
// plan stays below some 10 MB, which a browser opens at once.
var (
	loadRoom     = room{all: 200, heaviest: 100, lightest: 20}
	timelineRoom = room{all: 24, heaviest: 8, lightest: 2}
)

const (
	siteRoom = 100     // sites in the table of PI servers
	tagRoom  = 20_000  // changed tags that can be searched
	tagBytes = 4 << 20 // … and what their names may take together
)

// HTML writes a report as one page that works offline: it refers to nothing
// outside of itself, and its Content-Security-Policy lets nothing in. It holds
// what JSON writes, but for changed tags beyond what a page has room for.
// The same report gives the same bytes.
func HTML(w io.Writer, r Report) error {
	view, err := newPage(r)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if err := pageTemplates.ExecuteTemplate(out, "page.tmpl", view); err != nil {
		return err
	}
	return out.Flush()
}

// page is what the templates fill in. All texts are worded and all lengths are
// calculated here; the templates only place them.
type page struct {
	Policy   string
	Style    template.CSS
	Script   template.JS
	Document template.JS

	ID, Name, Total, Next string
	Headline              []string
	Warnings              []pageWarning
	Tiers                 []pageTier
	Sites                 pageSites
	Changes               *pageChanges
	Assumed               pageAssumed
}

type pageWarning struct {
	Code, Message string
	Advice        []pageAdvice
}

type pageAdvice struct{ Change, Effect string }

func newPage(r Report) (*page, error) {
	style, err := pageFiles.ReadFile("html/page.css")
	if err != nil {
		return nil, err
	}
	script, err := pageFiles.ReadFile("html/page.js")
	if err != nil {
		return nil, err
	}
	listed, left := fitting(r.Changes)
	bounded := r
	bounded.Changes = listed
	withoutSettings := *r.Plan
	withoutSettings.Values = nil // addresses of servers are not for everyone whom a page is sent to
	bounded.Plan = &withoutSettings
	document, err := json.Marshal(bounded.document()) // escapes <, > and &: nothing in it ends the script element
	if err != nil {
		return nil, err
	}
	p := &page{
		Policy: policy(style, script), Style: template.CSS(style), Script: template.JS(script), Document: template.JS(text.JSON(document)),
		ID: r.Plan.ID, Name: clean(r.Plan.Name), Headline: headline(r.Plan), Next: clean(r.Next),
		Sites: sites(r.Plan), Changes: pageChangesOf(r.Changes, left), Assumed: assumed(r.Plan),
	}
	if len(r.Plan.Tiers) > 1 {
		month := 0.0
		for i := range r.Plan.Tiers {
			month += r.Plan.Tiers[i].Forecast.CostPerMonth
		}
		p.Total = fmt.Sprintf("All tiers together cost about %s a month, list prices.", words.Dollars(month))
	}
	for _, w := range Warnings(r.Plan) {
		view := pageWarning{Code: w.Code, Message: clean(w.Message)}
		for _, a := range w.Advice {
			view.Advice = append(view.Advice, pageAdvice{clean(a.Change), clean(a.Effect)})
		}
		p.Warnings = append(p.Warnings, view)
	}
	for i := range r.Plan.Tiers {
		var choices []plan.Choice
		if i < len(r.Choices) {
			choices = r.Choices[i]
		}
		tier, err := newTier(r.Plan, &r.Plan.Tiers[i], r.Changes, choices)
		if err != nil {
			return nil, err
		}
		p.Tiers = append(p.Tiers, tier)
	}
	return p, nil
}

// policy lets the page's own style and script in, by their hashes, and the
// style attributes that give lengths; nothing else, from nowhere.
func policy(style, script []byte) string {
	hash := func(text []byte) string {
		sum := sha256.Sum256(text)
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return fmt.Sprintf("default-src 'none'; style-src-elem %s; style-src-attr 'unsafe-inline'; script-src %s; base-uri 'none'; "+
		"form-action 'none'",
		hash(style), hash(script))
}

// fitting returns the changes with as many tags as a page has room for, and how
// many are left out.
func fitting(c *plan.Changes) (listed *plan.Changes, left int) {
	if c == nil {
		return nil, 0
	}
	n, bytes := 0, 0
	for n < len(c.Tags) && n < tagRoom && bytes < tagBytes {
		bytes += len(c.Tags[n].Tag) + len(c.Tags[n].Was)
		n++
	}
	if n == len(c.Tags) {
		return c, 0
	}
	bounded := *c
	bounded.Tags = slices.Clip(c.Tags[:n])
	return &bounded, len(c.Tags) - n
}

// percent returns a share as a length for CSS, between 0 and 100.
func percent(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(10000*min(1, max(0, part/whole))) / 100
}

type pageSites struct {
	Rows []pageSite
	Rest string
}

type pageSite struct {
	Name, Tags, Partitions, Calls, Bound string
	Connections, Requests                pageMeter
}

// pageMeter shows how much of something is used.
type pageMeter struct {
	Percent float64
	Text    string
	Over    bool
}

func meter(used, limit float64) pageMeter {
	return pageMeter{
		Percent: percent(used, limit), Over: used > limit*1.000001,
		Text: words.Number(used) + " of " + words.Number(limit),
	}
}

func sites(p *plan.Plan) pageSites {
	var view pageSites
	for i := range p.Sites {
		if i == siteRoom {
			view.Rest = fmt.Sprintf("… and %s more.", words.Plural(len(p.Sites)-i, "site"))
			break
		}
		s := &p.Sites[i]
		view.Rows = append(view.Rows, pageSite{
			Name: clean(s.Name), Tags: words.Count(s.Tags), Partitions: words.Count(s.Partitions),
			Calls: words.Count(int(s.Calls + 0.5)), Bound: words.Span(s.Bound),
			Connections: meter(float64(s.Used.Connections), float64(s.Limits.Connections)),
			Requests:    meter(s.Used.RequestsPerSecond, s.Limits.RequestsPerSecond),
		})
	}
	return view
}

type pageChanges struct {
	Lines []pageChange
	Tags  int
	Rest  string
}

type pageChange struct{ Class, Kind, What, Where string }

var changeClasses = map[string]string{plan.Add: "added", plan.Remove: "removed", plan.Change: "changed"}

func pageChangesOf(c *plan.Changes, left int) *pageChanges {
	if c == nil {
		return nil
	}
	view := &pageChanges{Tags: len(c.Tags)}
	if c.Empty() {
		return view
	}
	for _, l := range changes(c, longSettings) {
		view.Lines = append(view.Lines, pageChange{changeClasses[l.kind], l.kind, l.what, clean(l.where)})
	}
	if left > 0 {
		view.Rest = fmt.Sprintf("%s of %s are in this page; bundlegen plan --all lists all, bundlegen explain TAG tells of one.",
			words.Count(len(c.Tags)-left), words.Plural(len(c.Tags), "changed tag"))
	}
	return view
}

type pageAssumed struct{ Constants, Prices []pageConstant }

type pageConstant struct{ Name, Value, Unit, Source string }

func assumed(p *plan.Plan) pageAssumed {
	var view pageAssumed
	for _, a := range p.Assumed.Constants {
		view.Constants = append(view.Constants, pageConstant{a.Name, exact(a.Value), a.Unit, a.Source})
	}
	for _, price := range p.Assumed.Prices {
		source := price.Source
		if price.Date != "" {
			source += " (" + price.Date + ")"
		}
		view.Prices = append(view.Prices, pageConstant{clean(price.Key), exact(price.Value), price.Unit, source})
	}
	return view
}

// exact returns a number without rounding: a constant or a price.
func exact(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return words.Number(x)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}
