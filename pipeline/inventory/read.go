package inventory

import (
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Read reads an inventory or a manifest from r to its end; see Parse. An error
// of r is returned as it is, wrapped with the file's name.
func Read(r io.Reader, file string, opt Options) ([]Tag, error) {
	var data strings.Builder
	switch sized := r.(type) {
	case interface{ Len() int }:
		data.Grow(sized.Len())
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := sized.Stat(); err == nil && info.Mode().IsRegular() {
			data.Grow(int(info.Size()))
		}
	}
	// Not io.Copy: a reader that writes itself would do so in small pieces.
	buffer := make([]byte, 256<<10)
	for {
		n, err := r.Read(buffer)
		data.Write(buffer[:n])
		if err == io.EOF {
			return Parse(data.String(), file, opt)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
}

// Parse gives the tags of an inventory or a manifest, sorted by site, tier,
// name (bytewise) and point id: the order of the rows does not matter. Sites
// and tiers are in the order of opt.
//
// The first line names the columns, in any order. The column tag has to be
// there, and site where opt has several sites. An empty site is opt's only one,
// an empty tier is opt's first, an empty events_per_hour is unknown (-1), an
// empty point_id is 0. Lines without any character are passed over.
//
// A point is there once: no two rows of a site have the same point id, or the
// same name, upper and lower case being the same, as PI has it. Whatever is
// wrong is returned as one *Error.
//
// The texts of the tags are slices of data, which so stays in memory while any
// of the tags does. file is for errors only.
func Parse(data, file string, opt Options) ([]Tag, error) {
	r := &reader{file: file, opt: opt}
	if tags, ok := r.quick(data); ok {
		return tags, nil
	}
	// Something is wrong. Read again in one piece, and say what.
	r = &reader{file: file, opt: opt, explain: true}
	return r.explained(data)
}

// reader reads one inventory.
type reader struct {
	file    string
	opt     Options
	explain bool // go on after a mistake and report each; without it the first ends the reading

	layout   layout
	sites    names
	tiers    names
	problems []Problem // the first maxShown, in order of their place
	more     int
}

// report notes a problem.
func (r *reader) report(line, column int, text, hint string) {
	if len(r.problems) == maxShown {
		r.more++
		return
	}
	r.problems = append(r.problems, Problem{line, column, text, hint})
}

// quick reads an inventory in which nothing is wrong, on all processors; false
// means that something is.
func (r *reader) quick(data string) ([]Tag, bool) {
	body, line, ok := r.begin(data)
	if !ok {
		return nil, false
	}
	pieces := 1
	if !r.sites.open && !r.tiers.open { // else the pieces would have to agree on numbers
		pieces = max(1, min(runtime.GOMAXPROCS(0), len(body)>>18))
	}
	chunks := cut(body, pieces)
	all := newRows(countLines(body))
	var wait sync.WaitGroup
	for i, first := 0, 0; i < len(chunks); i++ {
		c := &chunks[i]
		lines := countLines(c.text)
		c.reader, c.sites, c.tiers = r, r.sites, r.tiers
		c.line, c.rows = line, all.window(first, first+lines)
		first, line = first+lines, line+lines
		wait.Go(c.read)
	}
	wait.Wait()
	used := 0
	for i := range chunks {
		if chunks[i].failed {
			return nil, false
		}
		used = all.move(chunks[i].rows, used) // closes the gaps that empty lines left
	}
	all = all.window(0, used)
	if used == 0 || all.anyDouble() {
		return nil, false
	}
	numbering := &chunks[0] // the only chunk where names are open, like the others where not
	return all.sort(&numbering.sites, &numbering.tiers), true
}

// explained reads an inventory that quick refused, and reports what is wrong.
func (r *reader) explained(data string) ([]Tag, error) {
	if !utf8.ValidString(data) {
		r.reportEncoding(data)
		return nil, r.err()
	}
	body, line, ok := r.begin(data)
	if !ok {
		return nil, r.err()
	}
	c := chunk{text: body, reader: r, sites: r.sites, tiers: r.tiers, line: line, rows: newRows(countLines(body))}
	c.read()
	c.rows.reportDoubles(r)
	if len(c.rows.tags) == 0 && len(r.problems) == 0 {
		r.report(line, 1, "no tags: nothing follows the header", "run `bundlegen discover`, or write a row for each tag")
	}
	if len(r.problems) > 0 {
		return nil, r.err()
	}
	return c.rows.sort(&c.sites, &c.tiers), nil
}

// err is what was reported, in order of place.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return &Error{File: r.file, Problems: r.problems, More: r.more}
}

// begin takes the header off, and prepares for the rows. It gives what follows
// the header, and the number of the line that begins there.
func (r *reader) begin(data string) (body string, line int, ok bool) {
	data = strings.TrimPrefix(data, "\ufeff")
	header, line := "", 0
	for header == "" {
		if data == "" {
			r.report(1, 1, "the file is empty", "the first line names the columns: "+Header)
			return "", 0, false
		}
		header, data, _ = strings.Cut(data, "\n")
		header = strings.TrimSuffix(header, "\r")
		line++
	}
	r.layout = r.readHeader(line, header)
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
		r.report(1, 1, "the file is UTF-16; allowed is UTF-8", hint)
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
	r.report(1+strings.Count(data[:at], "\n"), columnAt(data[start:], at-start),
		fmt.Sprintf("byte 0x%02X is not UTF-8", data[at]), hint)
}
