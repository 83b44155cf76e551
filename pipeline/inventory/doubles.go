package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// double is a row whose point an earlier row has already.
type double struct {
	first, again int  // row numbers
	byID         bool // it has the same point id; else the same name
}

// anyDouble tells whether a point is there twice.
func (r rows) anyDouble() bool {
	var name, id bool
	var wait sync.WaitGroup
	wait.Go(func() {
		defer crash.Exit()
		r.sameNames(func(double) bool { name = true; return false })
	})
	wait.Go(func() {
		defer crash.Exit()
		r.sameIDs(func(double) bool { id = true; return false })
	})
	wait.Wait()
	return name || id
}

// reportDoubles reports every row whose point an earlier row has.
func (r rows) reportDoubles(to *reader) {
	var all []double
	collect := func(d double) bool { all = append(all, d); return true }
	r.sameNames(collect)
	r.sameIDs(collect)
	slices.SortStableFunc(all, func(a, b double) int { return cmp.Compare(a.again, b.again) })
	for i, d := range all {
		if i > 0 && all[i-1].again == d.again {
			continue // name and point id both: told once
		}
		text, hint := r.explain(d)
		to.report(diag.Problem{Line: int(r.line[d.again]), Column: 1, Text: text, Hint: hint}, "")
	}
}

// explain says what is wrong, and what to do.
func (r rows) explain(d double) (text, hint string) {
	first, again := &r.tags[d.first], &r.tags[d.again]
	what, hint := "tag "+quote(again.Name), "leave one of the two rows out"
	switch {
	case d.byID:
		what = fmt.Sprintf("point_id %d", again.PointID)
		hint = fmt.Sprintf("it is the id of tag %s there, and of %s here: leave one out, or run `bundlegen discover` to refresh the ids", quote(first.Name), quote(again.Name))
	case first.Name != again.Name:
		hint = fmt.Sprintf("to PI, which does not tell upper from lower case, it is %s: leave one of the two rows out", quote(first.Name))
	}
	where := ""
	if again.Site != "" {
		where = " of site " + quote(again.Site)
	}
	return fmt.Sprintf("%s%s is there twice, first in line %d", what, where, r.line[d.first]), hint
}

// sameNames calls f for each row that has site and name of an earlier one,
// until f returns false.
func (r rows) sameNames(f func(double) bool) {
	seen := newSet(len(r.tags))
	for i := range r.tags {
		there, isNew := seen.add(r.name[i]^mix(uint64(r.site[i])), i, func(j int) bool {
			return r.name[i] == r.name[j] && r.site[i] == r.site[j] && strings.EqualFold(r.tags[i].Name, r.tags[j].Name)
		})
		if !isNew && !f(double{first: there, again: i}) {
			return
		}
	}
}

// sameIDs calls f for each row that has site and point id of an earlier one,
// until f returns false.
func (r rows) sameIDs(f func(double) bool) {
	seen := newSet(len(r.tags))
	for i := range r.tags {
		id := r.tags[i].PointID
		if id == 0 {
			continue // not known yet
		}
		there, isNew := seen.add(mix(uint64(id)^mix(uint64(r.site[i]))), i, func(j int) bool {
			return id == r.tags[j].PointID && r.site[i] == r.site[j]
		})
		if !isNew && !f(double{first: there, again: i, byID: true}) {
			return
		}
	}
}
