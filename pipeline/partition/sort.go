package partition

import (
	"cmp"
	"slices"
	"strings"
)

// heavyFirst sorts items by weight, heaviest first. Items of one weight are in
// the order of a hash of their keys, which is as good as any other order, and
// much faster to come by, since tag names share long beginnings.
func (w *work) heavyFirst(items []int32) {
	entries, scratch := make([]entry, len(items)), make([]entry, len(items))
	for k, i := range items {
		entries[k] = entry{^uint64(w.unit[i]), i} // the greatest unit has the least complement
	}
	radixSort(entries, scratch)
	eachRun(entries, func(same []entry) {
		for k := range same {
			same[k].key = hash(w.items[same[k].item].Key)
		}
		radixSort(same, scratch[:len(same)])
		eachRun(same, func(same []entry) {
			slices.SortFunc(same, func(a, b entry) int {
				return strings.Compare(w.items[a.item].Key, w.items[b.item].Key)
			})
		})
	})
	for k := range entries {
		items[k] = entries[k].item
	}
}

// entry is an item beside what it is sorted by.
type entry struct {
	key  uint64
	item int32
}

// eachRun calls f for every run of two or more entries that have the same key.
// f may change the run.
func eachRun(entries []entry, f func([]entry)) {
	for start := 0; start < len(entries); {
		key, end := entries[start].key, start+1
		for end < len(entries) && entries[end].key == key {
			end++
		}
		if end-start > 1 {
			f(entries[start:end])
		}
		start = end
	}
}

// radixSort sorts entries by key, byte after byte; a byte that all keys share
// costs nothing. scratch is as long as entries, and is overwritten.
func radixSort(entries, scratch []entry) {
	if len(entries) < 2 {
		return
	}
	if len(entries) < 64 { // counting 2,048 bytes' values would take longer
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
		return
	}
	var counts [8][256]int32
	for _, e := range entries {
		for d := range 8 {
			counts[d][byte(e.key>>(8*d))]++
		}
	}
	from, to := entries, scratch
	for d := range 8 {
		if counts[d][byte(from[0].key>>(8*d))] == int32(len(from)) {
			continue
		}
		var next [256]int32
		for v := 1; v < 256; v++ {
			next[v] = next[v-1] + counts[d][v-1]
		}
		for _, e := range from {
			v := byte(e.key >> (8 * d))
			to[next[v]] = e
			next[v]++
		}
		from, to = to, from
	}
	if &from[0] != &entries[0] {
		copy(entries, from)
	}
}

// hash is FNV-1a: the same in every process, as plans have to be.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
