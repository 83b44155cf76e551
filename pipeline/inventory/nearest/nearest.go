// Package nearest finds what somebody meant who wrote an unknown name: the
// known name that takes the fewest edits to reach.
package nearest

import (
	"slices"
	"strings"
)

// maxName is how long a name may be that is compared, in bytes.
const maxName = 2000

// Of returns the name in known that is nearest to value, for a hint such as
// "did you mean …". It is "" when none is near: at most a third of the
// characters may differ (one in short names), and case does not count. Of
// several equally near ones the first wins, so the answer is deterministic.
func Of(value string, known []string) string {
	if few := Few(value, known, 1); len(few) > 0 {
		return few[0]
	}
	return ""
}

// Few gives at most so many names in known that are near to value, as Of has it,
// the nearest first, each once.
func Few(value string, known []string, most int) []string {
	type candidate struct {
		name     string
		distance int
	}
	if len(value) > maxName {
		return nil // nobody means a name by it, and comparing takes the square of its length
	}
	var found []candidate // in order of distance, then of known
	v := []rune(strings.ToLower(value))
	for _, name := range known {
		n := []rune(strings.ToLower(name))
		limit := max(1, max(len(v), len(n))/3)
		if len(v)-len(n) > limit || len(n)-len(v) > limit {
			continue
		}
		d := distance(v, n)
		if d > limit || slices.ContainsFunc(found, func(c candidate) bool { return c.name == name }) {
			continue
		}
		at, _ := slices.BinarySearchFunc(found, d+1, func(c candidate, d int) int { return c.distance - d })
		found = slices.Insert(found, at, candidate{name, d})
		found = found[:min(len(found), most)]
	}
	var names []string
	for _, c := range found {
		names = append(names, c.name)
	}
	return names
}

// distance counts the edits (insert, delete, replace, swap of two neighbours)
// that turn a into b.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
