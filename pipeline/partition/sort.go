package partition

import (
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/radix"
)

// heavyFirst sorts items by weight, heaviest first. Items of one weight are in
// the order of a hash of their keys, which is as good as any other order, and
// much faster to come by, since tag names share long beginnings.
func (w *assigner) heavyFirst(items []int32) {
	entries, scratch := make([]radix.Entry, len(items)), make([]radix.Entry, len(items))
	for k, i := range items {
		entries[k] = radix.Entry{Key: ^uint64(w.unit[i]), Index: i} // the greatest unit has the least complement
	}
	radix.Sort(entries, scratch)
	for same := range radix.Runs(entries) {
		for k := range same {
			same[k].Key = hash(w.items[same[k].Index].Key)
		}
		radix.Sort(same, scratch)
		for same := range radix.Runs(same) {
			slices.SortFunc(same, func(a, b radix.Entry) int {
				return strings.Compare(w.items[a.Index].Key, w.items[b.Index].Key)
			})
		}
	}
	for k := range entries {
		items[k] = entries[k].Index
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
