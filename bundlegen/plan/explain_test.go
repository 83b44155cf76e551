package plan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// only explains a name that one site has.
func only(t *testing.T, p *plan.Plan, prev *plan.Previous, name string) plan.Place {
	t.Helper()
	places := p.Explain(prev, name)
	require.Len(t, places, 1)
	return places[0]
}

func TestExplainFirstBundle(t *testing.T) {
	list := slices.Concat(tags("a", 7000), tags("b", 300))
	list[1].EventsPerHour, list[2].EventsPerHour = 12.5, 0.25
	p := build(t, pipeline(2), list, nil)
	place := only(t, p, nil, "a.T000001")
	assert.Equal(t, plan.ReasonFirst, place.Reason)
	assert.Equal(t, where(p)["a/a.T000001"], place.Partition)
	assert.Equal(t, []any{"a", "standard", int64(2), -1}, []any{place.Site, place.Tier, place.PointID, place.Before})
	assert.Equal(t, 12.5, place.Weight)
	assert.Equal(t, plan.WeightRate, place.WeightFrom)
	at := slices.IndexFunc(p.Partitions, func(q plan.Partition) bool { return q.ID == place.Partition })
	assert.Equal(t, p.Partitions[at].Tags, place.PartitionTags)

	assert.Equal(t, 1.0, only(t, p, nil, "a.T000002").Weight, "the least")
	unknown := only(t, p, nil, "b.T000000")
	assert.Equal(t, 180.0, unknown.Weight)
	assert.Equal(t, plan.WeightAssumed, unknown.WeightFrom)
	assert.Empty(t, p.Explain(nil, "a.T999999"))
}

// Names are of sites, and PI does not tell upper from lower case.
func TestExplainNames(t *testing.T) {
	cfg := pipeline(2)
	list := []inventory.Tag{
		{Site: "b", Name: "FIC 1", EventsPerHour: -1}, {Site: "a", Name: "FIC 1", EventsPerHour: -1}, {Site: "b", Name: "TIC", EventsPerHour: -1},
	}
	p := build(t, cfg, list, nil)
	places := p.Explain(nil, "FIC 1")
	require.Len(t, places, 2)
	assert.Equal(t, []string{"a", "b"}, []string{places[0].Site, places[1].Site})
	assert.Equal(t, "TIC", only(t, p, nil, "tic").Tag)
	assert.ElementsMatch(t, []string{"FIC 1", "FIC 1", "TIC"}, p.Names())
}

// Each reason, brought about.
func TestExplainReasons(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(cfg *config.Pipeline, list []inventory.Tag, at map[string]int) []inventory.Tag
		want   string
		cause  plan.Cause
	}{
		{"nothing", func(_ *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag { return list }, plan.ReasonKept, plan.Cause{}},
		{"a tag more", func(_ *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag {
			return append(list, tags("a", 6001)[6000])
		}, plan.ReasonNew, plan.Cause{}},
		{"a site more", func(cfg *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag {
			cfg.Sites = append(cfg.Sites, pipeline(2).Sites[1])
			return append(list, tags("b", 10)...)
		}, plan.ReasonNew, plan.Cause{NewPartition: true}},
		{"a tier more", func(cfg *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag {
			cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: 24 * time.Hour})
			for i := range 10 {
				list[i].Tier = "bulk"
			}
			return list
		}, plan.ReasonTier, plan.Cause{Tier: "standard"}},
		{"a partition less", func(_ *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag {
			return list[:3000]
		}, plan.ReasonGone, plan.Cause{}},
		{"smaller partitions", func(cfg *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag {
			cfg.Sizing.MaxTags, cfg.Sizing.TargetTags = 2900, 2500
			return list
		}, plan.ReasonAboveMax, plan.Cause{Tags: 3000, MinTags: 2000, MaxTags: 2900}},
		{"a partition that loses half", func(_ *config.Pipeline, list []inventory.Tag, at map[string]int) []inventory.Tag {
			left := 1500
			return slices.DeleteFunc(list, func(tag inventory.Tag) bool {
				if at["a/"+tag.Name] == 0 && left > 0 {
					left--
					return true
				}
				return false
			})
		}, plan.ReasonBelowMin, plan.Cause{Tags: 1500, MinTags: 2000, MaxTags: 5000}},
		{"a tag less", func(_ *config.Pipeline, list []inventory.Tag, _ map[string]int) []inventory.Tag { return list[1:] }, plan.ReasonRemoved, plan.Cause{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := pipeline(1)
			list := tags("a", 6000)
			first := build(t, cfg, list, nil)
			prev, at := again(t, t.TempDir(), first), where(first)
			list = c.change(cfg, slices.Clone(list), at)
			p := build(t, cfg, list, prev)
			// Those that the change concerns all say the same.
			now := where(p)
			told := 0
			for name := range merged(at, now) {
				before, had := at[name]
				after, has := now[name]
				if before == after && had == has && c.want != plan.ReasonKept || has == (c.want == plan.ReasonRemoved) {
					continue // not what the case is about
				}
				place := only(t, p, prev, name[2:])
				told++
				assert.Equal(t, c.want, place.Reason, name)
				assert.Equal(t, c.cause, place.Cause, name)
				if !had {
					before = -1
				}
				if !has {
					after = -1
				}
				assert.Equal(t, []int{before, after}, []int{place.Before, place.Partition})
				if told == 20 {
					break
				}
			}
			assert.NotZero(t, told)
		})
	}
}

func merged(a, b map[string]int) map[string]int {
	all := map[string]int{}
	for _, m := range []map[string]int{a, b} {
		for name := range m {
			all[name] = 0
		}
	}
	return all
}

// A renamed tag is found by both of its names.
func TestExplainRenamed(t *testing.T) {
	cfg := pipeline(1)
	list := tags("a", 3000)
	prev := again(t, t.TempDir(), build(t, cfg, list, nil))
	list[7].Name = "renamed"
	p := build(t, cfg, list, prev)
	for _, name := range []string{"renamed", "a.T000007"} {
		place := only(t, p, prev, name)
		assert.Equal(t, []string{"renamed", "a.T000007", plan.ReasonKept}, []string{place.Tag, place.Was, place.Reason})
	}
}
