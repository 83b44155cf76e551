package inventory

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// place is a row on its way to its place in the order.
type place struct {
	group  uint64 // ranks of site and tier
	prefix uint64 // the first bytes of the name that differ within the group
	row    uint32
}

// sort gives the tags in order of site, tier, name and point id.
func (r rows) sort(sites, tiers *names) []Tag {
	siteRank, tierRank := sites.ranks(), tiers.ranks()
	places := make([]place, len(r.tags))
	ordered := true
	for i := range places {
		places[i] = place{group: uint64(siteRank[r.site[i]])<<32 | uint64(tierRank[r.tier[i]]), row: uint32(i)}
		ordered = ordered && (i == 0 || r.compare(places[i-1], places[i]) <= 0)
	}
	if ordered { // files that a program wrote mostly are
		return r.tags
	}
	r.setPrefixes(places)
	sortPlaces(places, r.compare)
	arrange(r.tags, places)
	return r.tags
}

// compare compares two rows.
func (r rows) compare(a, b place) int {
	switch {
	case a.group != b.group:
		return cmp.Compare(a.group, b.group)
	case a.prefix != b.prefix:
		return cmp.Compare(a.prefix, b.prefix)
	}
	ta, tb := &r.tags[a.row], &r.tags[b.row]
	if c := strings.Compare(ta.Name, tb.Name); c != 0 {
		return c
	}
	return cmp.Compare(ta.PointID, tb.PointID)
}

// setPrefixes sets the prefix of each place. Comparing it mostly spares a look
// at the names themselves, which are all over the memory and, in one group,
// often begin alike.
func (r rows) setPrefixes(places []place) {
	shared := map[uint64]string{} // by group, what all its names begin with
	for _, p := range places {
		name := r.tags[p.row].Name
		prefix, seen := shared[p.group]
		if !seen {
			shared[p.group] = name
		} else if !strings.HasPrefix(name, prefix) {
			shared[p.group] = prefix[:sharedLength(name, prefix)]
		}
	}
	for i := range places {
		p := &places[i]
		name := r.tags[p.row].Name[len(shared[p.group]):]
		for k := range 8 {
			p.prefix <<= 8
			if k < len(name) {
				p.prefix |= uint64(name[k])
			}
		}
	}
}

func sharedLength(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// sortPlaces sorts on all processors: each half by itself, then it merges them.
func sortPlaces(places []place, compare func(a, b place) int) {
	var sortPart func(part, scratch []place, processors int)
	sortPart = func(part, scratch []place, processors int) {
		if processors < 2 || len(part) < 1<<14 {
			slices.SortFunc(part, compare)
			return
		}
		half := len(part) / 2
		var wait sync.WaitGroup
		wait.Go(func() { sortPart(part[:half], scratch[:half], processors/2) })
		sortPart(part[half:], scratch[half:], processors-processors/2)
		wait.Wait()
		merge(scratch, part[:half], part[half:], compare)
		copy(part, scratch)
	}
	sortPart(places, make([]place, len(places)), runtime.GOMAXPROCS(0))
}

// merge merges two sorted parts into to, which is as long as both.
func merge(to, a, b []place, compare func(a, b place) int) {
	for len(a) > 0 && len(b) > 0 {
		if compare(b[0], a[0]) < 0 {
			to[0], b = b[0], b[1:]
		} else {
			to[0], a = a[0], a[1:]
		}
		to = to[1:]
	}
	copy(to[copy(to, a):], b)
}

// arrange moves each tag to its place, within the slice: places[i].row is where
// the tag is that belongs to i.
func arrange(tags []Tag, places []place) {
	for start := range places {
		if int(places[start].row) == start {
			continue
		}
		first := tags[start]
		for to := start; ; {
			from := int(places[to].row)
			places[to].row = uint32(to) // done
			if from == start {
				tags[to] = first
				break
			}
			tags[to] = tags[from]
			to = from
		}
	}
}
