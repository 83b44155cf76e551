package inventory

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// The bounds of an inventory. Whoever reads one that is none of ours, or a file
// that is none at all, gets an error before memory runs out.
const (
	maxBytes = 4 << 30
	maxRows  = 10_000_000
	maxLine  = 1 << 20 // bytes; a thousand times a long row
)

// File is an inventory with what its own file says beside the tags.
type File struct {
	Tags    []Tag
	Format  Format
	Columns []string   // names of the columns that are not ours, in the file's order
	Others  [][]string // Others[i] are the fields of Tags[i] in Columns; nil where there are none
	Notes   []string   // what a person should know of the header, one sentence each
}

// Format is how an inventory's file is written. The zero value is how this
// program writes one that is not there yet.
type Format struct {
	BOM          bool // it begins with a byte order mark, which a spreadsheet knows UTF-8 by
	Separator    byte // a comma (0 means that too), a semicolon or a tab
	DecimalComma bool // rates are written 0,5
}

// Read reads an inventory or a manifest from r to its end; see Parse. An error
// of r is returned as it is, wrapped with the file's name.
func Read(r io.Reader, file string, opt Options) ([]Tag, error) {
	data, err := load(r, file, opt)
	if err != nil {
		return nil, err
	}
	return Parse(data, file, opt)
}

// ReadFile is Read for the inventory's own file, which may have columns of others.
func ReadFile(r io.Reader, file string, opt Options) (*File, error) {
	data, err := load(r, file, opt)
	if err != nil {
		return nil, err
	}
	return parse(data, reader{file: file, opt: opt, keep: true})
}

// load reads r to its end, within bounds: what does not begin like an inventory
// is read no further than its header.
func load(r io.Reader, file string, opt Options) (string, error) {
	size := 0
	switch sized := r.(type) {
	case interface{ Len() int }:
		size = sized.Len()
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := sized.Stat(); err == nil && info.Mode().IsRegular() {
			size = int(min(info.Size(), maxBytes+1))
		}
	}
	var data strings.Builder
	headed := false // the header has been looked at
	start := 0      // of the line that is not at its end yet
	// Not io.Copy: a reader that writes itself would do so in small pieces.
	buffer := make([]byte, 256<<10)
	for {
		n, err := r.Read(buffer)
		piece, end := buffer[:n], data.Len()+n
		if i := bytes.IndexByte(piece, '\n'); i >= 0 {
			end = data.Len() + i
		}
		if end-start > maxLine {
			return "", tooLong(file, 1+strings.Count(data.String(), "\n"))
		}
		if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
			start = data.Len() + i + 1
		}
		data.Write(piece)
		if !headed {
			var bad error
			if headed, bad = checkHead(data.String(), file, opt); bad != nil {
				return "", bad
			}
			if headed && size > data.Len() {
				data.Grow(size - data.Len())
			}
		}
		if data.Len() > maxBytes {
			return "", tooLarge(file, fmt.Sprintf("larger than %d GiB", maxBytes>>30))
		}
		if err == io.EOF {
			return data.String(), nil
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
	}
}

// checkHead looks at the header once it is there whole.
func checkHead(data, file string, opt Options) (there bool, err error) {
	head := strings.TrimLeft(data, "\ufeff\r\n")
	end := strings.IndexByte(head, '\n')
	if end < 0 && len(data) < maxLine {
		return false, nil
	}
	if end < 0 && head != "" {
		return true, tooLong(file, 1+strings.Count(data, "\n"))
	}
	r := &reader{file: file, opt: opt}
	head = data[:len(data)-len(head)+end+1]
	if !utf8.ValidString(head) {
		r.reportEncoding(head)
	} else {
		r.begin(head)
	}
	if len(r.problems) > 0 {
		return true, r.err()
	}
	return true, nil
}

// tooLong is the error for a line that is no row of an inventory.
func tooLong(file string, line int) error {
	r := &reader{file: file}
	r.report(diag.Problem{Line: line, Column: 1, Text: fmt.Sprintf("a line of more than %d MiB", maxLine>>20),
		Hint: "this is no inventory: it is a CSV with one row for each tag, a line each"}, "")
	return r.err()
}

// tooLarge is the error for more than any inventory has.
func tooLarge(file, what string) error {
	r := &reader{file: file}
	r.report(diag.Problem{Line: 1, Column: 1, Text: what, Allowed: fmt.Sprintf("at most %d tags", maxRows),
		Hint: "split the pipeline: a pipeline.yml for each part of the tags"}, "")
	return r.err()
}

// Parse returns the tags of an inventory or a manifest, sorted by site, tier,
// name (bytewise) and point id: the order of the rows does not matter. Sites
// and tiers are in the order of opt.
//
// The first line names the columns, in any order and case. The column tag has to
// be there, and site where opt has several sites; columns that are not in Header
// are passed over. Fields are separated by commas, or by semicolons or tabs where
// the header is; then rates may have decimal commas. An empty site is opt's only
// one, an empty tier is what opt.TierOf says, an empty events_per_hour is unknown
// (-1), an empty point_id is 0. Lines without any character are passed over.
//
// A point is there once: no two rows of a site have the same point id, or the
// same name, upper and lower case being the same, as PI has it. Whatever is
// wrong is returned as one *diag.List.
//
// The texts of the tags are slices of data, which so stays in memory while any
// of the tags does. file is for errors only.
func Parse(data, file string, opt Options) ([]Tag, error) {
	f, err := parse(data, reader{file: file, opt: opt})
	if err != nil {
		return nil, err
	}
	return f.Tags, nil
}

// parse reads data as fresh, a reader of which only the options are set, is told to.
func parse(data string, fresh reader) (*File, error) {
	fresh.failed = new(atomic.Bool)
	r := fresh
	if f, ok := r.quick(data); ok {
		return f, nil
	}
	// Something is wrong. Read again in one piece, and say what.
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
	failed   *atomic.Bool // something is wrong in one of the pieces that are read side by side
}

// report notes a problem. Of those with the same kind only the first is told, and
// the others counted; "" is the same as no other.
func (r *reader) report(p diag.Problem, kind string) {
	if i, again := r.same[kind]; again && kind != "" {
		first := &r.problems[i]
		if len(first.again) < maxAgain {
			first.again = append(first.again, p.Line)
		} else {
			first.more++
		}
		return
	}
	if len(r.problems) == maxShown {
		r.more++
		return
	}
	if r.same == nil {
		r.same = map[string]int{}
	}
	r.same[kind] = len(r.problems)
	p.File = r.file
	r.problems = append(r.problems, problem{Problem: p})
}

// quick reads an inventory in which nothing is wrong, on all processors; false
// means that something is.
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
	if !r.sites.open && !r.tiers.open { // else the pieces would have to agree on numbers
		pieces = max(1, min(runtime.GOMAXPROCS(0), len(body)>>18))
	}
	chunks := cut(body, pieces)
	all := newRows(total, r.keeps())
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
	if used == 0 || all.anyDouble() {
		return nil, false
	}
	numbering := &chunks[0] // the only chunk where names are open, like the others where not
	return r.whole(all, &numbering.sites, &numbering.tiers), true
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
	// Rows are made as they are found: of a file that is none of ours there are few.
	c := chunk{text: body, reader: r, sites: r.sites, tiers: r.tiers, line: line, rows: newRows(0, r.keeps())}
	c.read()
	c.rows.reportDoubles(r)
	if len(c.rows.tags) == 0 && len(r.problems) == 0 {
		r.report(diag.Problem{Line: line, Column: 1, Text: "no tags: nothing follows the header",
			Hint: "run `bundlegen discover`, or write a row for each tag"}, "")
	}
	if len(r.problems) > 0 {
		return nil, r.err()
	}
	r.format.DecimalComma = c.decimalComma
	return r.whole(c.rows, &c.sites, &c.tiers), nil
}

// keeps reports whether there are fields of others to keep.
func (r *reader) keeps() bool { return r.keep && len(r.columns) > 0 }

// whole makes the file of its rows.
func (r *reader) whole(all rows, sites, tiers *names) *File {
	f := &File{Format: r.format, Notes: r.notes}
	f.Tags, f.Others = all.sort(sites, tiers)
	if r.keeps() {
		f.Columns = r.columns
	}
	return f
}

// err is what was reported, in order of place.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	list := &diag.List{Problems: make([]diag.Problem, len(r.problems)), More: r.more}
	for i := range r.problems {
		list.Problems[i] = r.problems[i].Problem
		list.Problems[i].Also = r.problems[i].also()
	}
	return list
}

// begin takes the header off, and prepares for the rows. It returns what follows
// the header, and the number of the line that begins there.
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

// reportEncoding says where data stops being UTF-8.
func (r *reader) reportEncoding(data string) {
	hint := "save it as UTF-8 (in Excel: CSV UTF-8)"
	if strings.HasPrefix(data, "\xff\xfe") || strings.HasPrefix(data, "\xfe\xff") {
		r.report(diag.Problem{Line: 1, Column: 1, Text: "the file is UTF-16; allowed is UTF-8", Hint: hint}, "")
		return
	}
	at := 0
	for {
		c, size := utf8.DecodeRuneInString(data[at:])
		if c == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	start := strings.LastIndexByte(data[:at], '\n') + 1
	r.report(diag.Problem{Line: 1 + strings.Count(data[:at], "\n"), Column: columnAt(data[start:], at-start),
		Text: fmt.Sprintf("byte 0x%02X is not UTF-8", data[at]), Hint: hint}, "")
}
