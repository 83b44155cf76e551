package inventory

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/bundlegen/bundlegen/internal/crash"
)

// place is a row on its way to its place in the order.
type place struct {
	key uint64 // what it is sorted by at the moment
	row uint32
}

// sort gives the tags in order of site, tier and name. A site has a name once,
// so that nothing else can tell two of its tags apart.
func (r rows) sort(sites, tiers *names) ([]Tag, [][]string) {
	siteRank, tierRank := sites.ranks(), tiers.ranks()
	places := make([]place, len(r.tags))
	ordered := true
	for i := range places {
		places[i] = place{uint64(siteRank[r.site[i]])<<32 | uint64(tierRank[r.tier[i]]), uint32(i)}
		ordered = ordered && (i == 0 || places[i-1].key < places[i].key ||
			places[i-1].key == places[i].key && r.tags[i-1].Name < r.tags[i].Name)
	}
	if ordered { // files that a program wrote mostly are
		return r.tags, r.others
	}
	scratch := make([]place, len(places))
	sortByKey(places, scratch)
	s := nameSorter{tags: r.tags, helpers: make(chan struct{}, runtime.GOMAXPROCS(0)-1)}
	s.eachRun(places, scratch, 0)
	s.wait.Wait()
	if r.others != nil {
		arrange(r.others, slices.Clone(places))
	}
	arrange(r.tags, places)
	return r.tags, r.others
}

// nameSorter sorts places by the tags' names, on all processors.
type nameSorter struct {
	tags    []Tag
	helpers chan struct{} // one for each that is at work
	wait    sync.WaitGroup
}

// sort sorts the places of one site and tier, whose names all have the
// same first known bytes. Names are all over the memory and often begin alike:
// to compare them with each other is slow. Instead the first eight bytes in
// which they differ make numbers, which are sorted, and those that are equal
// there are sorted by what follows.
func (s *nameSorter) sort(places, scratch []place, known int) {
	if len(places) < 16 {
		slices.SortFunc(places, func(a, b place) int {
			return strings.Compare(s.tags[a.row].Name, s.tags[b.row].Name)
		})
		return
	}
	known = s.shared(places, known)
	for i := range places {
		places[i].key = firstBytes(s.tags[places[i].row].Name[known:])
	}
	sortByKey(places, scratch)
	// Two different names that are equal in the eight bytes go on after them: a
	// shorter name would have zeros there, which no name contains.
	s.eachRun(places, scratch, known+8)
}

// shared counts the first bytes that all names have in common; known of them
// are known.
func (s *nameSorter) shared(places []place, known int) int {
	first := s.tags[places[0].row].Name
	n := len(first)
	for _, p := range places[1:] {
		name := s.tags[p.row].Name
		if len(name) >= n && name[known:n] == first[known:n] {
			continue
		}
		n = min(n, len(name))
		for k := known; k < n; k++ {
			if name[k] != first[k] {
				n = k
			}
		}
	}
	return n
}

// firstBytes makes a number of a text's first eight bytes that sorts as they do.
func firstBytes(s string) (key uint64) {
	if len(s) >= 8 {
		return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
			uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
	}
	for i := range len(s) {
		key |= uint64(s[i]) << (56 - 8*i)
	}
	return key
}

// eachRun sorts every run of two or more places of the same key, whose names
// have the same first known bytes. Long runs go to a helper that is free.
func (s *nameSorter) eachRun(places, scratch []place, known int) {
	for start, end := 0, 0; start < len(places); start = end {
		for end = start + 1; end < len(places) && places[end].key == places[start].key; {
			end++
		}
		switch run, scratch := places[start:end], scratch[start:end]; {
		case len(run) == 1:
		case len(run) < 1<<12:
			s.sort(run, scratch, known)
		default:
			select {
			case s.helpers <- struct{}{}:
				s.wait.Go(func() {
					defer crash.Exit()
					s.sort(run, scratch, known)
					<-s.helpers
				})
			default:
				s.sort(run, scratch, known)
			}
		}
	}
}

// sortByKey sorts on two processors, if there are: each half by itself, then it merges them.
func sortByKey(places, scratch []place) {
	byKey := func(a, b place) int { return cmp.Compare(a.key, b.key) }
	if len(places) < 1<<14 || runtime.GOMAXPROCS(0) == 1 {
		slices.SortFunc(places, byKey)
		return
	}
	a, b := places[:len(places)/2], places[len(places)/2:]
	var wait sync.WaitGroup
	wait.Go(func() {
		defer crash.Exit()
		slices.SortFunc(a, byKey)
	})
	slices.SortFunc(b, byKey)
	wait.Wait()
	for i := range scratch {
		if len(b) == 0 || len(a) > 0 && a[0].key <= b[0].key {
			scratch[i], a = a[0], a[1:]
		} else {
			scratch[i], b = b[0], b[1:]
		}
	}
	copy(places, scratch)
}

// arrange moves each row to its place, within the slice: places[i].row is where
// the row is that belongs to i. It uses places up.
func arrange[T any](all []T, places []place) {
	for start := range places {
		if int(places[start].row) == start {
			continue
		}
		first := all[start]
		for to := start; ; {
			from := int(places[to].row)
			places[to].row = uint32(to) // done
			if from == start {
				all[to] = first
				break
			}
			all[to] = all[from]
			to = from
		}
	}
}
