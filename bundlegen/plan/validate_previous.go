package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// What to do about a damaged bundle.
const (
	restore = "restore the folder, by `git checkout` or from a backup; without one, remove it: all tags are then planned from scratch"
	remerge = "take the folder from one side of the merge as a whole, by `git checkout --ours` or `--theirs`; " +
		"bundlegen generate then brings in the other side's tags"
)

// damaged is the error for a bundle that is not as bundlegen wrote it.
func damaged(file, what, hint string) error {
	return damagedAt(diag.Problem{File: file, Text: what}, hint)
}

// damagedAt is damaged for a place in a file.
func damagedAt(p diag.Problem, hint string) error {
	p.Text, p.Hint = "the earlier bundle is damaged: "+p.Text, hint+"; nothing was changed"
	return p
}

// whole refuses a manifest that does not end with a line break, as each does: it
// was cut off, and the tags that are missing would look like removed ones.
func (e *earlier) whole(name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, max(0, info.Size()-1)); err != nil && err != io.EOF {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	data, err := e.readFile(name)
	if err != nil {
		return err
	}
	line := 1 + bytes.Count(data, []byte("\n"))
	return damaged(fmt.Sprintf("%s:%d:1", e.path(name), line), "the file was cut off in this line", restore)
}

// unreadable is the error for a manifest that err refuses to read.
func (e *earlier) unreadable(name string, err error) error {
	data, readErr := e.readFile(name)
	if readErr != nil {
		return readErr
	}
	file := e.path(name)
	if err := conflict(file, data); err != nil {
		return err
	}
	var wrong *diag.List
	if !errors.As(err, &wrong) {
		return err
	}
	first := wrong.Problems[0] // its hint is for who writes an inventory
	first.File, first.Also = file, ""
	return damagedAt(first, restore)
}

// notJSON is the error for a plan.json that err refuses to decode.
func notJSON(file string, data []byte, err error) error {
	if err := conflict(file, data); err != nil {
		return err
	}
	line, column, what := manifest.ExplainJSON(data, err)
	return damagedAt(diag.Problem{File: file, Line: line, Column: column, Text: what}, restore)
}

// conflict is the error for a file in which git left a conflict; nil where it has none.
func conflict(file string, data []byte) error {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if bytes.HasPrefix(text, []byte("<<<<<<< ")) {
			return damagedAt(diag.Problem{File: file, Line: line, Column: 1, Text: "a merge left a conflict here"}, remerge)
		}
	}
	return nil
}

// twice is the error for a tag that two manifests have.
func (prev *Previous) twice(e *earlier, a, b origin) error {
	name := prev.tag(a).Name
	place := func(o origin) (diag.Problem, error) {
		file := manifestName(prev.Partitions[o.part].ID)
		line, err := e.lineOf(file, name)
		return diag.Problem{File: e.path(file), Line: line, Column: 1}, err
	}
	first, errFirst := place(a)
	second, errSecond := place(b)
	if err := errors.Join(errFirst, errSecond); err != nil {
		return err
	}
	second.Text = fmt.Sprintf("site %s has tag %q twice, first in %s:%d", prev.Partitions[a.part].Site, name, first.File, first.Line)
	return damagedAt(second, remerge)
}

// lineOf finds the line of a manifest that has a tag.
func (e *earlier) lineOf(file, name string) (int, error) {
	data, err := e.readFile(file)
	if err != nil {
		return 0, err
	}
	header, rest, _ := strings.Cut(string(data), "\n")
	line := 1
	for row := range strings.Lines(rest) {
		line++
		tags, err := inventory.Parse(header+"\n"+row, file, inventory.Options{})
		if err == nil && tags[0].Name == name {
			return line, nil
		}
	}
	return 0, fmt.Errorf("%s: tag %q is gone: something else writes to the folder", e.path(file), name)
}
