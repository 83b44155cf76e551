// Package plantest brings tags that a test makes into the order of an inventory.
package plantest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Inventory returns tags as inventory.Parse returns them for a pipeline: sorted by site
// and name, each with its tier. It checks nothing, and changes none of tags.
func Inventory(cfg *config.Pipeline, tags []inventory.Tag) []inventory.Tag {
	tags, tierOf := slices.Clone(tags), cfg.TierOf()
	for i, t := range tags {
		if t.Tier == "" {
			tags[i].Tier = tierOf(t.Name)
		}
	}
	rank := map[string]int{}
	for i, s := range cfg.Sites {
		rank[s.Name] = i
	}
	slices.SortStableFunc(tags, func(a, b inventory.Tag) int {
		return cmp.Or(rank[a.Site]-rank[b.Site], strings.Compare(a.Name, b.Name))
	})
	return tags
}
