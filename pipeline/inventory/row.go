package inventory

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// chunk is a piece of an inventory's body, whole lines, with the rows that are
// read from it. Chunks of one reader that does not explain may be read side by
// side.
type chunk struct {
	text   string
	line   int // number of its first line
	reader *reader
	sites  names
	tiers  names

	rows         rows // when reading begins, room for each line, or for none where it explains; when it ends, those that are there
	failed       bool // something is wrong
	decimalComma bool // a rate is written with one
	folded       []byte
}

// read reads the chunk's rows. A reader that explains goes on after a mistake.
func (c *chunk) read() {
	if !utf8.ValidString(c.text) {
		c.failed = true
		c.reader.failed.Store(true)
		return
	}
	var (
		f     = fields{separator: c.reader.format.Separator}
		lines []int32
		n     int
	)
	for text, line := c.text, c.line; text != ""; line++ {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		row = strings.TrimSuffix(row, "\r")
		if row == "" {
			continue
		}
		if bad := f.split(row); bad != nil {
			c.fail(diag.Problem{Line: line, Column: columnAt(row, bad.at), Text: bad.text, Hint: bad.hint}, bad.kind)
			if bad.open && c.reader.explain {
				skipped, rest := skipQuoted(text)
				line, text = line+skipped, rest
			}
		} else if c.tag(n, line, row, &f) && (!c.failed || n < maxExplained) {
			n++
			if c.reader.explain {
				lines = append(lines, int32(line))
			}
		}
		if !c.reader.explain && c.reader.failed.Load() {
			return
		}
	}
	c.rows = c.rows.window(0, n)
	c.rows.lines = lines
}

// fail notes that something is wrong.
func (c *chunk) fail(p diag.Problem, kind string) {
	c.failed = true
	c.reader.failed.Store(true)
	if c.reader.explain {
		c.reader.report(p, kind)
	}
}

// maxExplained is how many rows are kept for a comparison with each other once
// something is wrong: of a file that is none of ours it would be all its lines.
const maxExplained = 100_000

// skipQuoted passes over the lines up to the one that closes quotes that are
// open, since they are not rows and would be reported as bad ones. If none of
// the next thousand closes them, it passes over nothing.
func skipQuoted(text string) (lines int, rest string) {
	for rest = text; rest != "" && lines < 1000; {
		var row string
		row, rest, _ = strings.Cut(rest, "\n")
		lines++
		if strings.Count(row, `"`)%2 == 1 {
			return lines, rest
		}
	}
	return 0, text
}

// cut splits a text at line breaks into at most so many pieces of about one size.
func cut(text string, pieces int) []chunk {
	var chunks []chunk
	for ; pieces > 1; pieces-- {
		middle := len(text) / pieces
		end := strings.IndexByte(text[middle:], '\n')
		if end < 0 {
			break
		}
		chunks = append(chunks, chunk{text: text[:middle+end+1]})
		text = text[middle+end+1:]
	}
	return append(chunks, chunk{text: text})
}

// tag makes row n of a line's fields. False means that something is wrong with
// the line, which is noted.
func (c *chunk) tag(n, line int, text string, f *fields) bool {
	layout := c.reader.layout
	if len(f.values) != len(layout) {
		c.failRagged(line, text, f)
		return false
	}
	if n == len(c.rows.tags) {
		c.rows.grow()
	}
	t := &c.rows.tags[n]
	*t = Tag{EventsPerHour: -1}
	if c.rows.others != nil {
		c.rows.others[n] = make([]string, 0, len(c.reader.columns))
	}
	site, tier, wrong := "", "", false
	for k, value := range f.values {
		ok := true
		switch layout[k] {
		case colSite:
			site = value
		case colTag:
			t.Name, ok = value, value != ""
		case colWebID:
			t.WebID = value
		case colPointType:
			t.PointType = value
		case colUnits:
			t.Units = value
		case colDigitalSet:
			t.DigitalSet = value
		case colDescriptor:
			t.Descriptor = value
		case colTier:
			tier = value
		case colEventsPerHour:
			t.EventsPerHour, ok = c.rate(value)
		case colFuture:
			t.Future, ok = parseFuture(value)
		case colPointID:
			t.PointID, ok = parsePointID(value)
		case colOther:
			if c.rows.others != nil {
				c.rows.others[n] = append(c.rows.others[n], value)
			}
		}
		if !ok {
			wrong = true
			c.failField(line, text, f, k)
		}
	}
	if of := c.reader.opt.TierOf; tier == "" && of != nil {
		tier = of(t.Name)
	}
	k := key{site: c.sites.of(site)}
	if k.site < 0 {
		wrong = true
		c.failName(line, text, f, colSite, "site", site, c.sites.known)
	}
	if c.tiers.of(tier) < 0 {
		wrong = true
		c.failName(line, text, f, colTier, "tier", tier, c.tiers.known)
	}
	if wrong {
		return false
	}
	t.Site, t.Tier = c.sites.last, c.tiers.last
	c.folded = appendFold(c.folded[:0], t.Name)
	k.hash = uint32(maphash.Bytes(c.reader.seed, c.folded))
	c.rows.keys[n] = k
	return true
}

// failRagged notes that a line has not as many fields as the header.
func (c *chunk) failRagged(line int, text string, f *fields) {
	want, have := len(c.reader.layout), len(f.values)
	separator := separatorName(f.separator)
	hint := "every row has all columns, empty ones too: leave no " + separator + " out"
	if have > want {
		hint = fmt.Sprintf(`put a value that contains a %s in quotes: "a%c b"`, separator, f.separator)
	}
	c.fail(diag.Problem{Line: line, Column: columnAt(text, f.starts[min(have-1, want)]),
		Text: fmt.Sprintf("a row of %d fields, the header has %d: %s", have, want, quote(text)), Hint: hint}, fmt.Sprintf("ragged %d", have))
}

// failField notes that the value of field k is not one that its column allows.
func (c *chunk) failField(line int, text string, f *fields, k int) {
	var allowed, hint string
	switch c.reader.layout[k] {
	case colTag:
		allowed, hint = "any name but an empty one", "write the name as PI has it"
	case colEventsPerHour:
		allowed, hint = fmt.Sprintf(
			"a number from 0 to %d, or nothing",
			MaxEventsPerHour,
		), "write it like 3600 or 0.5; leave it empty where it is not known"
		if rate, err := strconv.ParseFloat(f.values[k], 64); err == nil && rate > MaxEventsPerHour {
			hint = fmt.Sprintf("it is events an hour, and no point sends %d a second; leave it empty where it is not known", MaxEventsPerHour/3600)
		}
	case colFuture:
		allowed, hint = "true, false or nothing", "true is for points that may hold data beyond now"
	case colPointID:
		allowed, hint = "a whole number of at least 1, or nothing", "leave it empty: `bundlegen discover` fills it in"
	}
	what := fmt.Sprintf("%s is %s", columnNames()[c.reader.layout[k]], quote(f.values[k]))
	c.fail(
		diag.Problem{Line: line, Column: columnAt(text, f.starts[k]), Value: clip(f.values[k]), Text: what, Allowed: allowed, Hint: hint},
		what,
	)
}

// failName notes that a site or tier is not known.
func (c *chunk) failName(line int, text string, f *fields, column int, what, value string, known []string) {
	at := 1
	if k := slices.Index(c.reader.layout, column); k >= 0 {
		at = columnAt(text, f.starts[k])
	}
	hint := suggest.Hint(value, known, "use one of these, or add it to pipeline.yml")
	if value == "" {
		hint = "write in each row which one it belongs to"
	}
	unknown := fmt.Sprintf("unknown %s %s", what, quote(value))
	c.fail(diag.Problem{Line: line, Column: at, Value: clip(value), Text: unknown, Allowed: shown(known), Hint: hint}, unknown)
}

// rate reads events_per_hour; nothing is unknown. Where a comma does not separate
// fields it may be the decimal sign, as spreadsheets of many countries write it.
func (c *chunk) rate(s string) (float64, bool) {
	if c.reader.format.Separator != ',' && strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		c.decimalComma = true
		s = strings.Replace(s, ",", ".", 1)
	}
	return parseRate(s)
}

// parseRate reads a number of events; nothing is unknown.
func parseRate(s string) (float64, bool) {
	if s == "" {
		return -1, true
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', c == '.', c == 'e', c == 'E', i > 0 && (c == '-' || c == '+'):
		default:
			return -1, false // also hexadecimals, infinities and underscores
		}
	}
	rate, err := strconv.ParseFloat(s, 64)
	return rate, err == nil && rate <= MaxEventsPerHour
}

// parseFuture reads future; spreadsheets write the words in capitals.
func parseFuture(s string) (future, ok bool) {
	future = strings.EqualFold(s, "true")
	return future, future || s == "" || strings.EqualFold(s, "false")
}

// parsePointID reads point_id; nothing and 0 are unknown.
func parsePointID(s string) (int64, bool) {
	if s == "" {
		return 0, true
	}
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id >= 0
}
