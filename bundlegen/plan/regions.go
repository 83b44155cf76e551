package plan

import "slices"

// Join returns the earlier bundle of one region, own, with what others, the bundles
// of no region and of other regions, say of sites that own does not have: a site
// that comes along keeps its partitions. Any of them may be nil.
func Join(own *Previous, sites []string, others ...*Previous) *Previous {
	out := &Previous{}
	if own != nil {
		*out = Previous{Settings: own.Settings, Values: own.Values, Partitions: slices.Clone(own.Partitions)}
	}
	have := map[string]bool{}
	for _, p := range out.Partitions {
		have[p.Site] = true
	}
	for _, other := range others {
		if other == nil {
			continue
		}
		var found []string
		for _, p := range other.Partitions {
			if slices.Contains(sites, p.Site) && !have[p.Site] {
				out.Partitions = append(out.Partitions, p)
				found = append(found, p.Site)
			}
		}
		for _, site := range found {
			have[site] = true
		}
		if len(found) > 0 && out.Settings == "" {
			out.Settings, out.Values = other.Settings, other.Values
		}
	}
	if len(out.Partitions) == 0 {
		return own
	}
	slices.SortFunc(out.Partitions, func(a, b PreviousPartition) int { return a.ID - b.ID })
	out.index()
	return out
}

// NextID returns the least id that is above all of the earlier bundles' partitions.
func NextID(bundles ...*Previous) int {
	next := 0
	for _, b := range bundles {
		if b == nil {
			continue
		}
		for _, p := range b.Partitions {
			next = max(next, p.ID+1)
		}
	}
	return next
}
