package status

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// record is one row of an answer. The first value that cannot be read is its error.
type record struct {
	query   string
	columns []string
	cells   []string
	err     error
}

// text returns a column's value; "" for null, and where a table of an older version
// does not have the column.
func (r *record) text(column string) string {
	at := slices.Index(r.columns, column)
	if at < 0 || at >= len(r.cells) {
		return ""
	}
	return r.cells[at]
}

func (r *record) whole(column string) int64 {
	text := r.text(column)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		// A sum may come as a decimal or in floating point.
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil {
			return int64(f)
		}
	}
	r.note(column, text, "a whole number", err)
	return n
}

func (r *record) number(column string) float64 {
	text := r.text(column)
	if text == "" {
		return 0
	}
	f, err := strconv.ParseFloat(text, 64)
	r.note(column, text, "a number", err)
	return f
}

// time returns a column's instant, which the engines write in RFC 3339.
func (r *record) time(column string) time.Time {
	text := r.text(column)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	r.note(column, text, "an instant in RFC 3339", err)
	return t.UTC()
}

// ticks returns a column's instant in units of 100 ns; false for null.
func (r *record) ticks(column string) (time.Time, bool) {
	if r.text(column) == "" {
		return time.Time{}, false
	}
	return instant.Ticks(r.whole(column)).Time(), true
}

func (r *record) note(column, text, allowed string, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: column %s is %q; allowed: %s", r.query, column, text, allowed)
	}
}
