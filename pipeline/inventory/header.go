package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// Header is the first line of an inventory and of a manifest, as this package writes it.
const Header = "site,tag,web_id,point_type,engineering_units,digital_set,descriptor,tier,events_per_hour,future,point_id"

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
	colOther // any that is not ours
)

// maxColumns is the most columns of an inventory: ours, and what a plant may
// want to note beside them.
const maxColumns = 1000

// columnNames are the columns' names, by their number.
func columnNames() []string { return strings.Split(Header, ",") }

// layout is a file's header: the column that each field of a row is.
type layout []int

// columnOf returns the column of a name as a header has it: case does not
// count, nor does space around it.
func columnOf(name string, all []string) int {
	name = strings.TrimSpace(name)
	if i := slices.IndexFunc(all, func(own string) bool { return strings.EqualFold(own, name) }); i >= 0 {
		return i
	}
	return colOther
}

// separators are what may stand between the fields of a row.
const separators = ",;\t"

// separatorName names a separator in a message.
func separatorName(b byte) string {
	switch b {
	case ';':
		return "semicolon"
	case '\t':
		return "tab"
	}
	return "comma"
}

// separatorOf finds out what separates the fields of a header: that which makes
// the most of our columns of it. A spreadsheet takes the one of its country.
func separatorOf(header string) byte {
	best, most := byte(','), 0
	for i := range len(separators) {
		f := fields{separator: separators[i]}
		if f.split(header) != nil {
			continue
		}
		ours := 0
		for _, name := range f.values {
			if columnOf(name, columnNames()) != colOther {
				ours++
			}
		}
		if ours > most {
			best, most = separators[i], ours
		}
	}
	return best
}

// readHeader makes the layout of a header's fields, and reports what is wrong with it.
func (r *reader) readHeader(line int, text string) {
	for i := range len(separators) {
		if n := 1 + strings.Count(text, separators[i:i+1]); n > maxColumns {
			r.report(
				diag.Problem{Line: line, Column: 1, Text: fmt.Sprintf("a header of %d columns", n), Allowed: fmt.Sprintf("at most %d", maxColumns),
					Hint: "this is no inventory, or keep what is not ours in a table of its own"},
				"",
			)
			return
		}
	}
	r.format.Separator = separatorOf(text)
	row := fields{separator: r.format.Separator}
	if bad := row.split(text); bad != nil {
		r.report(diag.Problem{Line: line, Column: columnAt(text, bad.at), Text: bad.text, Hint: bad.hint}, bad.kind)
		return
	}
	var l layout
	all := columnNames()
	for k, name := range row.values {
		i := columnOf(name, all)
		switch {
		case i == colOther:
			r.columns = append(r.columns, name)
		case slices.Contains(l, i):
			r.report(diag.Problem{Line: line, Column: columnAt(text, row.starts[k]), Value: all[i],
				Text: fmt.Sprintf("column %s is there twice", all[i]), Hint: "leave one of them out"}, "")
		}
		l = append(l, i)
	}
	if !slices.Contains(l, colTag) {
		r.report(
			diag.Problem{Line: line, Column: 1, Text: "the header lacks the column tag; it has " + quote(shown(row.values)), Hint: r.likelyTag()},
			"",
		)
	}
	if len(r.opt.Sites) > 1 && !slices.Contains(l, colSite) {
		r.report(
			diag.Problem{
				Line:   line,
				Column: 1,
				Text:   fmt.Sprintf("the header lacks the column site, which a pipeline of %d sites needs", len(r.opt.Sites)),
				Hint:   "add it, with one of these in each row: " + shown(r.opt.Sites),
			},
			"",
		)
	}
	for _, name := range r.columns {
		own := suggest.Nearest(strings.TrimSpace(name), all)
		if own != "" && !slices.Contains(l, slices.Index(all, own)) {
			r.notes = append(r.notes, fmt.Sprintf("column %s is kept and not used: %s", quote(name), suggest.DidYouMean(own)))
		}
	}
	r.layout = l
}

// likelyTag is the hint for a header without the column tag.
func (r *reader) likelyTag() string {
	for _, name := range r.columns {
		if suggest.Nearest(strings.TrimSpace(name), []string{"tag", "tagname", "tag name", "name", "point", "pointname"}) != "" {
			return suggest.DidYouMean("tag where it says " + quote(name))
		}
	}
	return "the first line names the columns, and that of the points' names is called tag; its full form is " + Header
}
