package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory/nearest"
)

// The columns, in the order of Header.
const (
	colSite = iota
	colTag
	colWebID
	colPointType
	colUnits
	colDigitalSet
	colDescriptor
	colTier
	colEventsPerHour
	colFuture
	colPointID
	columnCount
)

// columnNames are the columns' names, by their number.
func columnNames() []string { return strings.Split(Header, ",") }

// layout is a file's header: the column that each field of a row is.
type layout []int

// readHeader makes the layout of a header's fields, and reports what is wrong with it.
func (r *reader) readHeader(line int, text string) layout {
	var row fields
	if bad := row.split(text); bad != nil {
		r.report(line, columnAt(text, bad.at), bad.text, bad.hint)
		return nil
	}
	var l layout
	all := columnNames()
	for k, name := range row.values {
		column := columnAt(text, row.starts[k])
		i := slices.Index(all, name)
		switch {
		case i < 0:
			hint := "leave the column out"
			if n := nearest.Of(name, all); n != "" {
				hint = "did you mean " + n + "?"
			} else if len(row.values) == 1 && strings.ContainsAny(name, ";\t") {
				hint = "separate the columns by commas"
			} else if !slices.Contains(row.values, all[colTag]) {
				hint = "the first line names the columns, and that of the points' names is called tag"
			}
			r.report(line, column, fmt.Sprintf("unknown column %s; allowed: %s", quote(name), strings.Join(all, ", ")), hint)
		case slices.Contains(l, i):
			r.report(line, column, fmt.Sprintf("column %s is there twice", name), "leave one of them out")
		}
		l = append(l, i)
	}
	if len(r.problems) > 0 {
		return nil
	}
	if !slices.Contains(l, colTag) {
		r.report(line, 1, "the header lacks the column tag", "the first line names the columns; its full form is "+Header)
	}
	if len(r.opt.Sites) > 1 && !slices.Contains(l, colSite) {
		r.report(line, 1, fmt.Sprintf("the header lacks the column site, which a pipeline of %d sites needs", len(r.opt.Sites)),
			"add it, with one of these in each row: "+shown(r.opt.Sites))
	}
	return l
}
