// Package nearest finds what somebody meant who wrote an unknown name: the
// known name that takes the fewest edits to reach.
package nearest

import "strings"

// Of gives the name in known that is nearest to value, for a hint such as
// "did you mean …". It is "" when none is near: at most a third of the
// characters may differ (one in short names), and case does not count. Of
// several equally near ones the first wins, so the answer is deterministic.
func Of(value string, known []string) string {
	best, bestDistance := "", -1
	v := []rune(strings.ToLower(value))
	for _, name := range known {
		n := []rune(strings.ToLower(name))
		limit := max(1, max(len(v), len(n))/3)
		if len(v)-len(n) > limit || len(n)-len(v) > limit {
			continue
		}
		d := distance(v, n)
		if d <= limit && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = name, d
		}
	}
	return best
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
