package plan

import (
	"cmp"
	"slices"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// origin is where a tag was in the previous bundle: indices into
// Previous.Partitions and that partition's Tags. part < 0: nowhere.
type origin struct{ part, tag int32 }

var nowhere = origin{part: -1}

// match finds for each tag of one site where it was. tags are sorted by name, and so is
// before: the site's previous tags.
//
// A tag is the previous one with the same point id, where both know it: a
// renamed point stays where it was, and another point that took over a name is
// a new tag. Where one of the two knows no id, the name tells.
func match(tags []inventory.Tag, prev *Previous, before []origin) []origin {
	result := make([]origin, len(tags))
	for i := range result {
		result[i] = nowhere
	}
	if len(before) == 0 {
		return result
	}
	// Both lists are in order of name: one walk finds what has kept its name.
	// What has kept its id too is settled; the rest may still be a rename.
	var openTags, openBefore []int32
	certain := make([]bool, len(before))
	i := 0
	for k, o := range before {
		was := prev.tag(o)
		for i < len(tags) && tags[i].Name < was.Name {
			openTags = append(openTags, int32(i))
			i++
		}
		if i < len(tags) && tags[i].Name == was.Name {
			is := tags[i].PointID
			switch {
			case is == was.PointID && is != 0:
				certain[k] = true
				result[i] = o
			case is == 0 || was.PointID == 0:
				result[i] = o
				openTags = append(openTags, int32(i))
			default:
				openTags = append(openTags, int32(i))
			}
			i++
		}
		if !certain[k] {
			openBefore = append(openBefore, int32(k))
		}
	}
	for ; i < len(tags); i++ {
		openTags = append(openTags, int32(i))
	}
	matchByID(tags, prev, before, openTags, openBefore, result)
	return result
}

// matchByID settles renames: of the tags and previous tags that are still open,
// those with the same point id belong together, whatever their names are.
func matchByID(tags []inventory.Tag, prev *Previous, before []origin,
	openTags, openBefore []int32, result []origin) {
	id := func(i int32) int64 { return tags[i].PointID }
	wasID := func(k int32) int64 { return prev.tag(before[k]).PointID }
	openTags = slices.DeleteFunc(openTags, func(i int32) bool { return id(i) == 0 })
	openBefore = slices.DeleteFunc(openBefore, func(k int32) bool { return wasID(k) == 0 })
	if len(openTags) == 0 || len(openBefore) == 0 {
		return
	}
	slices.SortFunc(openTags, func(a, b int32) int { return cmp.Or(cmp.Compare(id(a), id(b)), cmp.Compare(a, b)) })
	slices.SortFunc(openBefore, func(a, b int32) int { return cmp.Or(cmp.Compare(wasID(a), wasID(b)), cmp.Compare(a, b)) })
	taken := make(map[origin]bool)
	renamed := make(map[int32]bool)
	i := 0
	for _, k := range openBefore {
		for i < len(openTags) && id(openTags[i]) < wasID(k) {
			i++
		}
		if i < len(openTags) && id(openTags[i]) == wasID(k) {
			result[openTags[i]] = before[k]
			taken[before[k]] = true
			renamed[openTags[i]] = true
			i++
		}
	}
	if len(taken) == 0 {
		return
	}
	// A tag without an id may have been given, by its name, what the point with that id now has.
	for i, o := range result {
		if taken[o] && !renamed[int32(i)] {
			result[i] = nowhere
		}
	}
}
