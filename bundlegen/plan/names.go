package plan

import "strings"

// packNames moves the names into one text of their own, so that the manifest
// they were read from does not stay in memory for them.
func packNames(tags []PreviousTag) {
	size := 0
	for i := range tags {
		size += len(tags[i].Name)
	}
	var all strings.Builder
	all.Grow(size)
	for i := range tags {
		all.WriteString(tags[i].Name)
	}
	text := all.String()
	for i := range tags {
		n := len(tags[i].Name)
		tags[i].Name, text = text[:n], text[n:]
	}
}
