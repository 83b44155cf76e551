package plan_test

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// group is the partitions of a site and a tier.
type group struct{ site, tier string }

// hasToMove is the least number of a group's tags that any plan has to move that
// keeps the bounds, whichever of the earlier partitions it keeps and however many
// it adds: all of these are tried. kept is how many of the tags each earlier
// partition has; counts are the numbers of partitions that there may be.
func hasToMove(tags int, kept []int, counts []int, bounds func(n int) (smallest, largest int)) int {
	fewest := tags
	for _, n := range counts {
		smallest, largest := bounds(n)
		if n*smallest > tags || n*largest < tags {
			continue
		}
		for stay := range 1 << len(kept) { // bit i: earlier partition i stays
			added := n - bits.OnesCount(uint(stay))
			if added < 0 {
				continue
			}
			given, beyond, lacking, fresh := 0, 0, added*smallest, tags
			for i, count := range kept {
				fresh -= count
				if stay&(1<<i) == 0 {
					given += count
				} else {
					beyond += max(0, count-largest)
					lacking += max(0, smallest-count)
				}
			}
			// Tags that leave go where some are lacking, after those that are new.
			fewest = min(fewest, given+max(beyond, lacking-fresh-given))
		}
	}
	return fewest
}

// plants draws changes of a pipeline, one after another: tags come and go, one by
// one or by the unit; sites go and come back; tiers of tags, bounds and numbers of
// partitions change.
type plants struct {
	cfg  *config.Pipeline
	here map[string]inventory.Tag // by site and name
	next int
}

func newPlants(t *rapid.T) *plants {
	p := &plants{cfg: pipeline(2), here: map[string]inventory.Tag{}}
	p.cfg.Sizing = config.Sizing{MinTags: 20, TargetTags: 30, MaxTags: 50, TagsPerWorker: 10}
	p.cfg.Tiers = append(p.cfg.Tiers, config.Tier{Name: "bulk", Every: p.cfg.Tiers[0].Every})
	p.add(t, "a", "standard", rapid.IntRange(1, 150).Draw(t, "tags of a"))
	p.add(t, "b", "standard", rapid.IntRange(0, 60).Draw(t, "tags of b"))
	p.add(t, "a", "bulk", rapid.IntRange(0, 60).Draw(t, "bulk tags"))
	return p
}

func (p *plants) add(t *rapid.T, site, tier string, n int) {
	rate := rapid.SampledFrom([]float64{-1, 1, 60, 3600})
	for range n {
		p.next++
		tag := inventory.Tag{
			Site:          site,
			Name:          fmt.Sprintf("T%05d", p.next),
			Tier:          tier,
			PointID:       int64(p.next),
			EventsPerHour: rate.Draw(t, "rate"),
		}
		p.here[site+"/"+tag.Name] = tag
	}
}

// tags lists what is here, in order.
func (p *plants) tags() []inventory.Tag {
	list := make([]inventory.Tag, 0, len(p.here))
	for _, tag := range p.here {
		list = append(list, tag)
	}
	slices.SortFunc(list, func(a, b inventory.Tag) int { return int(a.PointID - b.PointID) })
	return list
}

// change makes one change. at says where each tag is.
func (p *plants) change(t *rapid.T, at map[string]int) {
	partition := rapid.IntRange(0, 9).Draw(t, "partition")
	switch rapid.SampledFrom([]string{"more", "unit", "fewer", "partition", "bounds", "count", "site", "tier"}).Draw(t, "change") {
	case "more":
		p.add(t, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "site"), "standard", rapid.IntRange(1, 10).Draw(t, "new"))
	case "unit":
		p.add(t, "a", "standard", rapid.IntRange(30, 60).Draw(t, "unit"))
	case "fewer":
		every := int64(rapid.IntRange(2, 30).Draw(t, "every"))
		p.remove(func(tag inventory.Tag) bool { return tag.PointID%every == 0 })
	case "partition": // nearly all of a partition's tags go
		p.remove(func(tag inventory.Tag) bool {
			return at[tag.Site+"/"+tag.Name] == partition && tag.PointID%9 != 0
		})
	case "bounds":
		// No small ones, so that few partitions come about, and all choices of them can be tried.
		smallest := rapid.IntRange(5, 40).Draw(t, "min")
		p.cfg.Sizing.MinTags, p.cfg.Sizing.MaxTags = smallest, rapid.IntRange(max(30, 2*smallest), 90).Draw(t, "max")
	case "count":
		p.cfg.Tiers[0].Partitions = rapid.IntRange(0, 8).Draw(t, "partitions")
	case "site":
		p.remove(func(tag inventory.Tag) bool { return tag.Site == "b" })
	case "tier":
		to := rapid.SampledFrom([]string{"standard", "bulk"}).Draw(t, "tier")
		for key, tag := range p.here {
			if tag.PointID%7 == 0 && tag.Site == "a" {
				tag.Tier = to
				p.here[key] = tag
			}
		}
	}
	if len(p.here) == 0 {
		p.add(t, "a", "standard", 1)
	}
}

func (p *plants) remove(which func(inventory.Tag) bool) {
	for key, tag := range p.here {
		if which(tag) {
			delete(p.here, key)
		}
	}
}

// bounds are those that a group's partitions have to keep, when there are n.
func (p *plants) bounds(tags int) func(n int) (smallest, largest int) {
	return func(n int) (smallest, largest int) {
		smallest, largest = p.cfg.Sizing.MinTags, p.cfg.Sizing.MaxTags
		if tags < n*smallest { // too few for so many partitions: half a fair share each
			smallest = max(1, tags/n/2)
		}
		if tags > n*largest { // too many: a tenth more than a fair share each
			largest = (tags+n-1)/n + tags/n/10
		}
		return smallest, largest
	}
}

// counts are the numbers of partitions that a group may have: those of tiers
// that say so have as many as the plan gives them.
func (p *plants) counts(g group, tags, planned int) []int {
	if g.tier == "standard" && p.cfg.Tiers[0].Partitions > 0 {
		return []int{planned}
	}
	var all []int
	for n := 1; n <= tags; n++ {
		if n*p.cfg.Sizing.MinTags <= tags && tags <= n*p.cfg.Sizing.MaxTags {
			all = append(all, n)
		}
	}
	if len(all) == 0 { // fewer than the least: one
		all = []int{1}
	}
	return all
}

// Whatever changes, no more tags move than have to: none while the bounds hold,
// and otherwise the fewest of all plans that keep them.
func TestNoMoreTagsMoveThanHaveTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "plan")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		plants := newPlants(t)
		before := build(t, plants.cfg, plants.tags(), nil)
		for range 4 {
			prev, at := again(t, dir, before), where(before)
			plants.change(t, at)
			now := build(t, plants.cfg, plants.tags(), prev)

			planned := map[group]int{}
			for _, part := range now.Partitions {
				planned[group{part.Site, part.Tier}]++
			}
			of := map[int]group{} // earlier partitions
			for _, part := range before.Partitions {
				of[part.ID] = group{part.Site, part.Tier}
			}
			tags, kept, elsewhere := map[group]int{}, map[group]map[int]int{}, 0
			for key, tag := range plants.here {
				g := group{tag.Site, tag.Tier}
				tags[g]++
				switch id, was := at[key]; {
				case was && of[id] == g:
					if kept[g] == nil {
						kept[g] = map[int]int{}
					}
					kept[g][id]++
				case was:
					elsewhere++ // it changed its tier
				}
			}
			smallest := elsewhere
			for g, n := range tags {
				var counts []int
				for id, was := range of {
					if was == g {
						counts = append(counts, kept[g][id])
					}
				}
				smallest += hasToMove(n, counts, plants.counts(g, n, planned[g]), plants.bounds(n))
			}
			require.Equal(t, smallest, plan.Diff(prev, now).Moved)
			before = now
		}
	})
}

// What a plan emits, planned again, is what is there: nothing of it depends on how it came about.
func TestPlanningAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "plan")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		plants := newPlants(t)
		p := build(t, plants.cfg, plants.tags(), nil)
		for range 3 {
			prev := again(t, dir, p)
			plants.change(t, where(p))
			p, err = plan.Build(
				plants.cfg,
				plantest.Inventory(plants.cfg, plants.tags()),
				prev,
				plan.Options{Rebalance: rapid.Bool().Draw(t, "rebalance")},
			)
			require.NoError(t, err)

			prev = again(t, dir, p)
			same := build(t, plants.cfg, plants.tags(), prev)
			require.Equal(t, asJSON(t, p), asJSON(t, same))
			require.True(t, plan.Diff(prev, same).Empty())
		}
	})
}

// The same bytes, whatever order the inventory is in: also with an earlier
// bundle, and with --rebalance.
func TestOrderNeverMattersLaterEither(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "plan")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		plants := newPlants(t)
		before := build(t, plants.cfg, plants.tags(), nil)
		plants.change(t, where(before))
		prev := again(t, dir, before)
		opt := plan.Options{Rebalance: rapid.Bool().Draw(t, "rebalance")}
		var text, changes [2]string
		for i := range text {
			list := plants.tags()
			if i > 0 {
				list = rapid.Permutation(list).Draw(t, "order")
			}
			p, err := plan.Build(plants.cfg, plantest.Inventory(plants.cfg, list), prev, opt)
			require.NoError(t, err)
			text[i], changes[i] = asJSON(t, p), asJSON(t, plan.Diff(prev, p))
		}
		require.Equal(t, text[0], text[1])
		require.Equal(t, changes[0], changes[1])
	})
}

func asJSON(t require.TestingT, v any) string {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
