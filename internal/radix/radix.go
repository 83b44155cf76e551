// Package radix sorts millions of numbers faster than comparing them can.
package radix

import (
	"cmp"
	"iter"
	"slices"
)

// Entry is an element of a list beside the number that it is sorted by.
type Entry struct {
	Key   uint64
	Index int32
}

// Sort sorts entries by key, byte after byte; entries of one key keep their
// order. A byte that all keys share costs nothing. scratch is at least as long
// as entries, and is overwritten.
func Sort(entries, scratch []Entry) {
	if len(entries) < 64 { // counting the values of eight bytes would take longer
		slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
		return
	}
	var counts [8][256]int32
	for _, e := range entries {
		for d := range 8 {
			counts[d][byte(e.Key>>(8*d))]++
		}
	}
	from, to := entries, scratch[:len(entries)]
	for d := range 8 {
		if counts[d][byte(from[0].Key>>(8*d))] == int32(len(from)) {
			continue
		}
		var next [256]int32
		for v := 1; v < 256; v++ {
			next[v] = next[v-1] + counts[d][v-1]
		}
		for _, e := range from {
			v := byte(e.Key >> (8 * d))
			to[next[v]] = e
			next[v]++
		}
		from, to = to, from
	}
	if &from[0] != &entries[0] {
		copy(entries, from)
	}
}

// Runs returns an iterator over the runs of two or more neighbours that have the
// same key. The loop may change the run that it is given.
func Runs(entries []Entry) iter.Seq[[]Entry] {
	return func(yield func([]Entry) bool) {
		for start, end := 0, 0; start < len(entries); start = end {
			for end = start + 1; end < len(entries) && entries[end].Key == entries[start].Key; {
				end++
			}
			if end-start > 1 && !yield(entries[start:end]) {
				return
			}
		}
	}
}
