package inventory

import (
	"strings"
)

// rows are tags as they were read, in the order of the file, beside what is
// needed to sort them and to find doubles.
type rows struct {
	tags []Tag
	site []int32  // number of the site
	tier []int32  // number of the tier
	name []uint64 // foldedHash of the name
	line []int32  // only when explaining: the line of each

	others [][]string // only where they are kept: the fields of columns that are not ours
}

// newRows makes room for n rows, and for their fields of others where those are kept.
func newRows(n int, keep bool) rows {
	r := rows{tags: make([]Tag, n), site: make([]int32, n), tier: make([]int32, n), name: make([]uint64, n)}
	if keep {
		r.others = make([][]string, n)
	}
	return r
}

// grow makes room for another row behind those that there is room for.
func (r *rows) grow() {
	r.tags, r.site, r.tier, r.name = append(r.tags, Tag{}), append(r.site, 0), append(r.tier, 0), append(r.name, 0)
	if r.others != nil {
		r.others = append(r.others, nil)
	}
}

// window returns the rows from start to end, which share memory with r's.
func (r rows) window(start, end int) rows {
	w := rows{tags: r.tags[start:end], site: r.site[start:end], tier: r.tier[start:end], name: r.name[start:end]}
	if r.others != nil {
		w.others = r.others[start:end]
	}
	return w
}

// move copies rows, which may be a window of r, to where at says, and gives where they end.
func (r rows) move(from rows, at int) int {
	if len(from.tags) > 0 && &r.tags[at] != &from.tags[0] {
		copy(r.tags[at:], from.tags)
		copy(r.site[at:], from.site)
		copy(r.tier[at:], from.tier)
		copy(r.name[at:], from.name)
		copy(r.others[min(at, len(r.others)):], from.others)
	}
	return at + len(from.tags)
}

// countLines counts the lines of a text, the last of which may lack its line break.
func countLines(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && text[len(text)-1] != '\n' {
		n++
	}
	return n
}
