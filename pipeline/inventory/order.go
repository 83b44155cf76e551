package inventory

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/radix"
)

// rows are tags as they are read, in the order of the file, with what orders them
// and tells duplicates.
type rows struct {
	tags   []Tag
	keys   []key
	others [][]string // the fields of columns that are not ours, if they are kept
	lines  []int32    // the line of each row, only when explaining
}

// key is what a row is sorted and compared by.
type key struct {
	site int32  // number of its name
	hash uint32 // of the folded name
}

// newRows makes room for n rows, and for their fields of others if those are kept.
func newRows(n int, keepOthers bool) rows {
	r := rows{tags: make([]Tag, n), keys: make([]key, n)}
	if keepOthers {
		r.others = make([][]string, n)
	}
	return r
}

// grow makes room for another row.
func (r *rows) grow() {
	r.tags, r.keys = append(r.tags, Tag{}), append(r.keys, key{})
	if r.others != nil {
		r.others = append(r.others, nil)
	}
}

// window returns the rows from start to end, which share memory with r's.
func (r rows) window(start, end int) rows {
	w := rows{tags: r.tags[start:end], keys: r.keys[start:end]}
	if r.others != nil {
		w.others = r.others[start:end]
	}
	return w
}

// move copies rows, which may be a window of r, to r's row at, and returns the
// row after them.
func (r rows) move(from rows, at int) int {
	if len(from.tags) > 0 && &r.tags[at] != &from.tags[0] {
		copy(r.tags[at:], from.tags)
		copy(r.keys[at:], from.keys)
		copy(r.others[min(at, len(r.others)):], from.others)
	}
	return at + len(from.tags)
}

// sorter is memory to sort a number of rows in.
type sorter struct{ entries, scratch []radix.Entry }

func newSorter(n int) *sorter {
	return &sorter{entries: make([]radix.Entry, 0, n), scratch: make([]radix.Entry, n)}
}

// duplicate is a row that repeats an earlier one.
type duplicate struct{ first, again int32 }

// duplicates calls f for each row that repeats an earlier one, until f returns
// false. Rows that are the same have the same key, which may be that of others,
// too; a row for which key returns false is not compared.
func (s *sorter) duplicates(n int, key func(i int) (uint64, bool), same func(a, b int32) bool, f func(duplicate) bool) {
	entries := s.entries[:0]
	for i := range n {
		if k, ok := key(i); ok {
			entries = append(entries, radix.Entry{Key: k, Index: int32(i)})
		}
	}
	radix.Sort(entries, s.scratch)
	for run := range radix.Runs(entries) {
		for i, e := range run {
			first := slices.IndexFunc(run[:i], func(earlier radix.Entry) bool { return same(earlier.Index, e.Index) })
			if first >= 0 && !f(duplicate{run[first].Index, e.Index}) {
				return
			}
		}
	}
}

// sameNames calls f for each row that has the name of an earlier one of its site.
func (r rows) sameNames(s *sorter, f func(duplicate) bool) {
	s.duplicates(len(r.keys), func(i int) (uint64, bool) {
		return uint64(r.keys[i].site)<<32 | uint64(r.keys[i].hash), true
	}, func(a, b int32) bool {
		return r.keys[a].site == r.keys[b].site && strings.EqualFold(r.tags[a].Name, r.tags[b].Name)
	}, f)
}

// sameIDs calls f for each row that has the point id of an earlier one of its site.
func (r rows) sameIDs(s *sorter, f func(duplicate) bool) {
	s.duplicates(len(r.keys), func(i int) (uint64, bool) {
		id := uint64(r.tags[i].PointID) // in practice of 32 bits, so that sites do not share keys
		return uint64(r.keys[i].site)<<40 + id, id != 0
	}, func(a, b int32) bool {
		return r.keys[a].site == r.keys[b].site && r.tags[a].PointID == r.tags[b].PointID
	}, f)
}

// hasDuplicates reports whether a point has two rows.
func (r rows) hasDuplicates(s *sorter) (found bool) {
	stop := func(duplicate) bool { found = true; return false }
	r.sameNames(s, stop)
	if !found {
		r.sameIDs(s, stop)
	}
	return found
}

// reportDuplicates reports each row whose point has an earlier row.
func (r rows) reportDuplicates(s *sorter, to *reader) {
	var names, ids []duplicate
	r.sameNames(s, func(d duplicate) bool { names = append(names, d); return true })
	r.sameIDs(s, func(d duplicate) bool { ids = append(ids, d); return true })
	all := slices.Concat(names, ids)
	slices.SortStableFunc(all, func(a, b duplicate) int { return cmp.Compare(a.again, b.again) })
	for i, d := range all {
		if i > 0 && all[i-1].again == d.again {
			continue // name and point id both: reported once
		}
		text, hint := r.explain(d)
		to.report(diag.Problem{Line: int(r.lines[d.again]), Column: 1, Text: text, Hint: hint}, "")
	}
}

// explain describes a duplicate, and what to do.
func (r rows) explain(d duplicate) (text, hint string) {
	first, again := &r.tags[d.first], &r.tags[d.again]
	what, hint := "tag "+quote(again.Name), "leave one of the two rows out"
	switch {
	case !strings.EqualFold(first.Name, again.Name):
		what = fmt.Sprintf("point_id %d", again.PointID)
		hint = fmt.Sprintf(
			"it is the id of tag %s there, and of %s here: leave one out, or run `bundlegen discover` to refresh the ids",
			quote(first.Name),
			quote(again.Name),
		)
	case first.Name != again.Name:
		hint = fmt.Sprintf("to PI, which does not tell upper from lower case, it is %s: leave one of the two rows out", quote(first.Name))
	}
	where := ""
	if again.Site != "" {
		where = " of site " + quote(again.Site)
	}
	return fmt.Sprintf("%s%s is there twice, first in line %d", what, where, r.lines[d.first]), hint
}

// sort sorts the rows by site and name. No site has a name twice.
func (r rows) sort(s *sorter, sites *names) {
	rank := sites.ranks()
	order, ordered := s.entries[:0], true
	for i, k := range r.keys {
		order = append(order, radix.Entry{Key: rank[k.site], Index: int32(i)})
		ordered = ordered && (i == 0 || order[i-1].Key < order[i].Key ||
			order[i-1].Key == order[i].Key && r.tags[i-1].Name < r.tags[i].Name)
	}
	if ordered { // as most files are that a program wrote
		return
	}
	radix.Sort(order, s.scratch)
	for group := range radix.Runs(order) {
		s.sortNames(r.tags, group, 0)
	}
	if r.others != nil {
		arrange(r.others, slices.Clone(order))
	}
	arrange(r.tags, order)
}

// sortNames sorts rows of one site whose names have the same first bytes,
// so many of them. Names are all over the memory and often begin alike: comparing
// them with each other is slow. Instead, the first eight bytes in which they differ
// make numbers, which are sorted; rows with the same number are sorted by what follows.
func (s *sorter) sortNames(tags []Tag, rows []radix.Entry, same int) {
	if len(rows) < 16 {
		slices.SortFunc(rows, func(a, b radix.Entry) int { return strings.Compare(tags[a.Index].Name, tags[b.Index].Name) })
		return
	}
	same = samePrefix(tags, rows, same)
	for i := range rows {
		rows[i].Key = firstBytes(tags[rows[i].Index].Name[same:])
	}
	radix.Sort(rows, s.scratch)
	// Different names with the same number go on after its eight bytes: a name that
	// ends there would have zeros, which no name contains.
	for run := range radix.Runs(rows) {
		s.sortNames(tags, run, same+8)
	}
}

// samePrefix counts the first bytes that all names have in common, which are at
// least same.
func samePrefix(tags []Tag, rows []radix.Entry, same int) int {
	prefix := tags[rows[0].Index].Name
	for _, e := range rows[1:] {
		name := tags[e.Index].Name
		if strings.HasPrefix(name[same:], prefix[same:]) {
			continue
		}
		n := same
		for n < len(name) && n < len(prefix) && name[n] == prefix[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return len(prefix)
}

// firstBytes returns a text's first eight bytes as a number that sorts as they do.
func firstBytes(s string) uint64 {
	var first [8]byte
	copy(first[:], s)
	return binary.BigEndian.Uint64(first[:])
}

// arrange moves each element to its place: order[i] has the index of the element
// that belongs at i. It uses order up.
func arrange[T any](all []T, order []radix.Entry) {
	for start := range order {
		if int(order[start].Index) == start {
			continue
		}
		first := all[start]
		for to := start; ; {
			from := int(order[to].Index)
			order[to].Index = int32(to) // done
			if from == start {
				all[to] = first
				break
			}
			all[to] = all[from]
			to = from
		}
	}
}
