package inventory

import "strings"

// Merged says what Merge found to be different.
type Merged struct{ Added, Removed, Renamed int }

// Merge gives the tags that a server lists what only people know of them: tier
// and rate, as an earlier inventory says. A tag is found by its point id where
// both know it, so that a rename keeps them, else by its name. found is changed
// in place; old is not.
func Merge(found, old []Tag) Merged {
	type id struct {
		site  string
		point int64
	}
	type name struct{ site, name string }
	byID, byName := make(map[id]int, len(old)), make(map[name]int, len(old))
	for i := range old {
		t := &old[i]
		if t.PointID != 0 {
			byID[id{t.Site, t.PointID}] = i
		}
		byName[name{t.Site, strings.ToLower(t.Name)}] = i
	}
	var m Merged
	kept := make([]bool, len(old))
	for i := range found {
		t := &found[i]
		at, ok := byID[id{t.Site, t.PointID}]
		if !ok || t.PointID == 0 {
			at, ok = byName[name{t.Site, strings.ToLower(t.Name)}]
		}
		if !ok || kept[at] {
			m.Added++
			continue
		}
		kept[at] = true
		if !strings.EqualFold(old[at].Name, t.Name) {
			m.Renamed++
		}
		t.Tier, t.EventsPerHour = old[at].Tier, old[at].EventsPerHour
	}
	for i := range old {
		if !kept[i] {
			m.Removed++
		}
	}
	return m
}
