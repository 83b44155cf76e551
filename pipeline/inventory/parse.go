package inventory

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// Options is what a pipeline knows about its inventory.
type Options struct {
	// Sites and Tiers are the names that may occur; Sites is also the order of the
	// result. An empty slice means that any name may occur; sites are then in
	// bytewise order.
	Sites []string
	Tiers []string
	// TierOf returns the tier of a tag whose row names none; nil means the first
	// of Tiers. It is called from several goroutines.
	TierOf func(tag string) string
}

// Parse returns the tags of an inventory or a manifest, sorted by site, in the order of
// opt, and by name (bytewise): the order of the rows does not matter. A plan rests on
// that order, and on each point being there once.
//
// The first line names the columns, in any order and case. The column tag is
// required, and site where opt has several sites; columns that are not in Header
// are ignored. Fields are separated by commas, or by semicolons or tabs where
// those of the header are; then rates may have decimal commas. An empty site is
// opt's only one, an empty tier is opt.TierOf's, an empty events_per_hour is
// unknown (-1), an empty point_id is 0. Empty lines are ignored.
//
// A point has one row: no two rows of a site have the same point id, or the same
// name; names that differ in case only are the same, as they are for PI. Whatever
// is wrong is returned as one *diag.List.
//
// The texts of the tags are slices of data, which stays in memory while any of
// the tags does. file is for errors only.
func Parse(data, file string, opt Options) ([]Tag, error) {
	f, err := parse(data, reader{file: file, opt: opt})
	if err != nil {
		return nil, err
	}
	return f.Tags, nil
}

// parse reads data with the options of fresh, in which nothing else is set.
func parse(data string, fresh reader) (*File, error) {
	fresh.failed, fresh.seed = new(atomic.Bool), maphash.MakeSeed()
	r := fresh
	if f, ok := r.quick(data); ok {
		return f, nil
	}
	// Something is wrong. Read again in one piece, and explain it.
	r = fresh
	r.explain = true
	return r.explained(data)
}

// reader reads one inventory.
type reader struct {
	file    string
	opt     Options
	explain bool // go on after a mistake and report each; without it the first ends the reading
	keep    bool // keep the fields of columns that are not ours

	format   Format
	layout   layout
	columns  []string // names of the columns that are not ours
	sites    names
	tiers    names
	notes    []string
	problems []problem      // the first maxShown that differ, in order of their place
	same     map[string]int // index into problems, by what makes them the same
	more     int
	failed   *atomic.Bool // something is wrong in one of the chunks
	seed     maphash.Seed // of the hashes of names
}

// quick reads an inventory without mistakes, on all processors; false means that
// there are some.
func (r *reader) quick(data string) (*File, bool) {
	body, line, ok := r.begin(data)
	if !ok {
		return nil, false
	}
	total := countLines(body)
	if total > maxRows {
		return nil, false
	}
	pieces := 1
	if !r.sites.open && !r.tiers.open { // else the chunks would have to agree on numbers
		pieces = max(1, min(runtime.GOMAXPROCS(0), len(body)>>18))
	}
	chunks := cut(body, pieces)
	all := newRows(total, r.keepsOthers())
	var wait sync.WaitGroup
	for i, first := 0, 0; i < len(chunks); i++ {
		c := &chunks[i]
		lines := countLines(c.text)
		c.reader, c.sites, c.tiers = r, r.sites, r.tiers
		c.line, c.rows = line, all.window(first, first+lines)
		first, line = first+lines, line+lines
		wait.Go(func() {
			defer crash.Exit()
			c.read()
		})
	}
	wait.Wait()
	used := 0
	for i := range chunks {
		if chunks[i].failed {
			return nil, false
		}
		r.format.DecimalComma = r.format.DecimalComma || chunks[i].decimalComma
		used = all.move(chunks[i].rows, used) // closes the gaps that empty lines left
	}
	all = all.window(0, used)
	s := newSorter(used)
	if used == 0 || all.hasDuplicates(s) {
		return nil, false
	}
	numbering := &chunks[0] // the only chunk if names are open; otherwise all are alike
	return r.whole(all, s, &numbering.sites), true
}

// explained reads an inventory that quick refused, and reports what is wrong.
func (r *reader) explained(data string) (*File, error) {
	if !utf8.ValidString(data) {
		r.reportEncoding(data)
		return nil, r.err()
	}
	body, line, ok := r.begin(data)
	if !ok {
		return nil, r.err()
	}
	if n := countLines(body); n > maxRows {
		return nil, tooLarge(r.file, fmt.Sprintf("%d lines", n))
	}
	// Rows are made as they are found: a file that is no inventory has few.
	c := chunk{text: body, reader: r, sites: r.sites, tiers: r.tiers, line: line, rows: newRows(0, r.keepsOthers())}
	c.read()
	s := newSorter(len(c.rows.tags))
	c.rows.reportDuplicates(s, r)
	if len(c.rows.tags) == 0 && len(r.problems) == 0 {
		r.report(diag.Problem{Line: line, Column: 1, Text: "no tags: nothing follows the header",
			Hint: "run `bundlegen discover`, or write a row for each tag"}, "")
	}
	if len(r.problems) > 0 {
		return nil, r.err()
	}
	r.format.DecimalComma = c.decimalComma
	return r.whole(c.rows, s, &c.sites), nil
}

// keepsOthers reports whether fields of columns that are not ours are kept.
func (r *reader) keepsOthers() bool { return r.keep && len(r.columns) > 0 }

// whole returns the file that the rows make.
func (r *reader) whole(all rows, s *sorter, sites *names) *File {
	all.sort(s, sites)
	f := &File{Tags: all.tags, Others: all.others, Format: r.format, Notes: r.notes}
	if r.keepsOthers() {
		f.Columns = r.columns
	}
	return f
}

// begin reads the header. It returns what follows it, and the number of the line
// that begins there.
func (r *reader) begin(data string) (body string, line int, ok bool) {
	data, r.format.BOM = strings.CutPrefix(data, "\ufeff")
	header, line := "", 0
	for header == "" {
		if data == "" {
			r.report(diag.Problem{Line: 1, Column: 1, Text: "the file is empty", Hint: "the first line names the columns: " + Header}, "")
			return "", 0, false
		}
		header, data, _ = strings.Cut(data, "\n")
		header = strings.TrimSuffix(header, "\r")
		line++
	}
	r.readHeader(line, header)
	var onlySite, firstTier string
	if len(r.opt.Sites) == 1 {
		onlySite = r.opt.Sites[0]
	}
	if len(r.opt.Tiers) > 0 {
		firstTier = r.opt.Tiers[0]
	}
	r.sites, r.tiers = newNames(r.opt.Sites, onlySite), newNames(r.opt.Tiers, firstTier)
	return data, line + 1, len(r.problems) == 0
}

// countLines counts the lines of a text, the last of which may lack its line break.
func countLines(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && text[len(text)-1] != '\n' {
		n++
	}
	return n
}

// names turns the values of the column site or tier into numbers.
type names struct {
	known  []string
	number map[string]int32
	open   bool   // any name may occur: an unknown one is added
	absent string // what an empty value means; unless "" is known, it is a mistake

	last       string // the latest value, and its number: rows of one site are mostly together
	lastNumber int32
}

// newNames numbers the known names in their order; with none known, any may occur.
func newNames(known []string, absent string) names {
	n := names{known: slices.Clone(known), number: make(map[string]int32, len(known)), open: len(known) == 0, absent: absent}
	for i, name := range known {
		n.number[name] = int32(i)
	}
	n.lastNumber = -1
	return n
}

// of returns a value's number, or -1 if it is unknown. Copies of a names that is
// not open may be used concurrently.
func (n *names) of(value string) int32 {
	if value == "" {
		value = n.absent
	}
	if n.lastNumber >= 0 && value == n.last {
		return n.lastNumber
	}
	number, ok := n.number[value]
	if !ok {
		if !n.open {
			return -1
		}
		number = int32(len(n.known))
		n.known = append(n.known, value)
		n.number[value] = number
	}
	n.last, n.lastNumber = value, number
	return number
}

// ranks returns each number's place in the order of the result.
func (n *names) ranks() []uint64 {
	order := make([]int, len(n.known))
	for i := range order {
		order[i] = i
	}
	if n.open {
		slices.SortFunc(order, func(a, b int) int { return strings.Compare(n.known[a], n.known[b]) })
	}
	ranks := make([]uint64, len(order))
	for rank, number := range order {
		ranks[number] = uint64(rank)
	}
	return ranks
}
