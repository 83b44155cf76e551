package inventory

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

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
