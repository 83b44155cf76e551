package inventory

import (
	"slices"
	"strings"
)

// Merged is what Merge found to be different.
type Merged struct{ Added, Removed, Renamed int }

// pointKey and nameKey are what a tag is found by.
type (
	pointKey struct {
		site  string
		point int64
	}
	nameKey struct{ site, name string }
)

// Merge makes an inventory of the tags that servers list, with what only people
// know of them: tier and rate, and the fields of columns that are not ours, as an
// earlier inventory says. A tag is found by its point id where both know it, so
// that a rename keeps them, else by its name. found is changed in place; old,
// which may be nil, is not.
func Merge(found []Tag, old *File) (*File, Merged) {
	if old == nil {
		old = &File{}
	}
	byID, byName := index(old.Tags)
	f := &File{Tags: found, Format: old.Format, Columns: old.Columns}
	if len(old.Columns) > 0 {
		f.Others = slices.Repeat([][]string{make([]string, len(old.Columns))}, len(found))
	}
	var m Merged
	kept := make([]bool, len(old.Tags))
	for i := range found {
		t := &found[i]
		at, ok := find(t, byID, byName)
		if !ok || kept[at] {
			m.Added++
			continue
		}
		kept[at] = true
		if Fold(old.Tags[at].Name) != Fold(t.Name) {
			m.Renamed++
		}
		t.Tier, t.EventsPerHour = old.Tags[at].Tier, old.Tags[at].EventsPerHour
		if old.Others != nil {
			f.Others[i] = old.Others[at]
		}
	}
	for i := range old.Tags {
		if !kept[i] {
			m.Removed++
		}
	}
	return f, m
}

func index(tags []Tag) (byID map[pointKey]int, byName map[nameKey]int) {
	byID, byName = make(map[pointKey]int, len(tags)), make(map[nameKey]int, len(tags))
	for i := range tags {
		t := &tags[i]
		if t.PointID != 0 {
			byID[pointKey{t.Site, t.PointID}] = i
		}
		byName[nameKey{t.Site, Fold(t.Name)}] = i
	}
	for i := range tags { // blanks around a name are a slip, unless it is the name
		key := nameKey{tags[i].Site, Fold(strings.TrimSpace(tags[i].Name))}
		if _, taken := byName[key]; !taken {
			byName[key] = i
		}
	}
	return byID, byName
}

// find finds a tag by its point id, else by its name.
func find(t *Tag, byID map[pointKey]int, byName map[nameKey]int) (at int, ok bool) {
	if at, ok = byID[pointKey{t.Site, t.PointID}]; !ok || t.PointID == 0 {
		at, ok = byName[nameKey{t.Site, Fold(t.Name)}]
	}
	return at, ok
}

// Resolve finds the rows of a list among the tags that a server has: by their point
// ids, else by their names. found are the server's tags, in the order of the rows;
// lost are the rows that it does not have.
func Resolve(rows, tags []Tag) (found, lost []Tag) {
	byID, byName := index(tags)
	for i := range rows {
		at, ok := find(&rows[i], byID, byName)
		if !ok {
			at, ok = byName[nameKey{rows[i].Site, Fold(strings.TrimSpace(rows[i].Name))}]
		}
		if ok {
			found = append(found, tags[at])
		} else {
			lost = append(lost, rows[i])
		}
	}
	return found, lost
}

// Twin is a tag that is left out, since another is the same for PI.
type Twin struct{ Left, Kept Tag }

// Unique returns tags that Read accepts: each name, upper and lower case
// being the same, and each point id once a site. Of tags that are the same the one
// stays that an earlier inventory, which may be nil, has by its point id; else the
// first.
func Unique(tags []Tag, old *File) (kept []Tag, left []Twin) {
	var known map[pointKey]int
	if old != nil {
		known, _ = index(old.Tags)
	}
	byID, byName := make(map[pointKey]int, len(tags)), make(map[nameKey]int, len(tags))
	for _, t := range tags {
		id, name := pointKey{t.Site, t.PointID}, nameKey{t.Site, Fold(t.Name)}
		at, again := byName[name]
		if !again && t.PointID != 0 {
			at, again = byID[id]
		}
		if !again {
			byID[id], byName[name] = len(kept), len(kept)
			kept = append(kept, t)
			continue
		}
		first := kept[at]
		_, isOld := known[id]
		if _, firstIsOld := known[pointKey{first.Site, first.PointID}]; isOld && !firstIsOld && Fold(first.Name) == name.name {
			kept[at], byID[id] = t, at
			left = append(left, Twin{Left: first, Kept: t})
			continue
		}
		left = append(left, Twin{Left: t, Kept: first})
	}
	return kept, left
}
