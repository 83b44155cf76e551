package config

import (
	"slices"
	"strings"
)

// maxWord is longer than any key: what is longer is no slip of one.
const maxWord = 64

// nearest gives the known word that key was probably meant to be: at most one
// edit in three letters away, two at least. "" when there is none.
func nearest(key string, known []string) string {
	if len(key) > maxWord {
		return ""
	}
	best, least := "", max(2, len(key)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(key), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}

// unknownKey notes a key that nobody asked for, and the nearest that is known.
// Where a secret may stand, a key is shown only if it is a slip of a known one;
// so is a key without a value, which a comma in an unquoted password makes.
func (ps *problems) unknownKey(e Entry, where string, known []string, hidden bool) {
	known = slices.Sorted(slices.Values(known))
	near := nearest(e.Key, known)
	name := "unknown key " + quote(e.Key)
	if near == "" && (hidden || e.Value.Kind == Null) {
		name = "unknown key"
	}
	if where != "" {
		name += " in " + where
	}
	hint := "leave it out, or take one of these"
	if near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	ps.addAt(e.Line, e.Column, name+"; allowed: "+strings.Join(known, ", "), hint)
}
