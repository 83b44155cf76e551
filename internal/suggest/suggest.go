// Package suggest finds the known name that is meant by an unknown one, and asks
// "did you mean …?". It counts edits: inserted, deleted, replaced and swapped
// characters.
package suggest

import (
	"slices"
	"strings"
)

// maxName is the length in bytes up to which names are compared.
const maxName = 2000

// DidYouMean returns the question "did you mean A, B or C?".
func DidYouMean(names ...string) string {
	last := len(names) - 1
	if last == 0 {
		return "did you mean " + names[0] + "?"
	}
	return "did you mean " + strings.Join(names[:last], ", ") + " or " + names[last] + "?"
}

// Hint asks for the known name that is nearest to value; if none is near, it
// returns otherwise.
func Hint(value string, known []string, otherwise string) string {
	if name := Nearest(value, known); name != "" {
		return DidYouMean(name)
	}
	return otherwise
}

// Lead begins a hint by asking for the known name that is nearest to value: "did you
// mean A? " with the space behind it, and "" if none is near.
func Lead(value string, known []string) string {
	if name := Nearest(value, known); name != "" {
		return DidYouMean(name) + " "
	}
	return ""
}

// Nearest returns the known name that takes the fewest edits to reach from value,
// or "" if none is near: at most a third of the characters may differ (one in
// short names). Case does not count. Of equally near names the first in known wins.
func Nearest(value string, known []string) string {
	if names := NearestFirst(value, known, 1); len(names) > 0 {
		return names[0]
	}
	return ""
}

// NearestFirst returns up to limit different names that are near to value, as
// Nearest defines it, in order of their distance.
func NearestFirst(value string, known []string, limit int) []string {
	type candidate struct {
		name     string
		distance int
	}
	if len(value) > maxName {
		return nil // too long for a name, and comparing takes time in the square of the length
	}
	var found []candidate // in order of distance, then of known
	v := []rune(strings.ToLower(value))
	for _, name := range known {
		n := []rune(strings.ToLower(name))
		allowed := max(1, max(len(v), len(n))/3)
		if len(v)-len(n) > allowed || len(n)-len(v) > allowed {
			continue
		}
		d := distance(v, n)
		if d > allowed || slices.ContainsFunc(found, func(c candidate) bool { return c.name == name }) {
			continue
		}
		at, _ := slices.BinarySearchFunc(found, d+1, func(c candidate, d int) int { return c.distance - d })
		found = slices.Insert(found, at, candidate{name, d})
		found = found[:min(len(found), limit)]
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
