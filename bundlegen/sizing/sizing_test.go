package sizing_test

import (
	"slices"
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

var defaults = config.Sizing{MinTags: 2000, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000}

func TestPartitions(t *testing.T) {
	each := func(n, tags int) []int { return slices.Repeat([]int{tags}, n) }
	for _, c := range []struct {
		tags int
		kept []int
		want int
		why  string
	}{
		{0, nil, 0, "no tags, no partition"},
		{1, nil, 1, "fewer than the minimum make one"},
		{1999, each(3, 600), 1, "also when there were more"},
		{30000, nil, 10, "tags by target"},
		{50000, nil, 17, "rounded"},
		{4400, nil, 1, "rounding down"},
		{4500, nil, 2, "half rounds up"},
		{5001, each(1, 5000), 2, "the maximum breaks: as few more as it takes"},
		{33000, each(10, 3000), 10, "kept while within bounds, though target says 11"},
		{50001, each(10, 5000), 11, "one more, not 17"},
		{19999, append(each(9, 2000), 1999), 9, "one less, not 7"},
		{28500, append(each(9, 3000), 1500), 10, "500 tags fill it up, 1,500 would leave it"},
		{27100, append(each(9, 3000), 100), 9, "100 tags leave it, 1,900 would fill it up"},
		{45100, append(each(9, 5000), 100), 10, "the others have no room"},
		{24200, append(each(8, 3000), 100, 100), 8, "both"},
	} {
		assert.Equal(t, c.want, sizing.Partitions(c.tags, c.kept, defaults), c.why)
	}
	assert.Equal(t, 2, sizing.Partitions(4000, nil, config.Sizing{MinTags: 3000, TargetTags: 3200, MaxTags: 3500}),
		"no count satisfies both bounds: the maximum is kept")
}

func TestPartitionsWithinBoundsWheneverPossible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := config.Sizing{MinTags: rapid.IntRange(1, 5000).Draw(t, "min")}
		rules.MaxTags = rules.MinTags + rapid.IntRange(0, 5000).Draw(t, "spread")
		rules.TargetTags = rapid.IntRange(rules.MinTags, rules.MaxTags).Draw(t, "target")
		kept := rapid.SliceOfN(rapid.IntRange(0, 2*rules.MaxTags), 0, 100).Draw(t, "kept")
		tags, inBounds := 0, len(kept) > 0
		for _, n := range kept {
			tags += n
			inBounds = inBounds && rules.MinTags <= n && n <= rules.MaxTags
		}
		if inBounds { // new tags fit too
			tags += rapid.IntRange(0, len(kept)*rules.MaxTags-tags).Draw(t, "more")
		} else {
			tags += rapid.IntRange(1, 200000).Draw(t, "more")
		}
		n := sizing.Partitions(tags, kept, rules)
		if n < 1 || tags > n*rules.MaxTags {
			t.Fatalf("%d partitions cannot hold %d tags with at most %d", n, tags, rules.MaxTags)
		}
		possible := false
		for k := 1; k <= tags/rules.MinTags && !possible; k++ {
			possible = tags <= k*rules.MaxTags
		}
		if possible && tags < n*rules.MinTags {
			t.Fatalf("%d partitions of %d tags fall below %d", n, tags, rules.MinTags)
		}
		if inBounds && n != len(kept) {
			t.Fatalf("%d partitions would have stayed within bounds, got %d", len(kept), n)
		}
	})
}

func TestWorkersAndShards(t *testing.T) {
	for tags, want := range map[int]int{15: 0, 1000: 0, 1001: 2, 2500: 3, 3000: 3, 3001: 4, 5000: 4} {
		assert.Equal(t, want, sizing.Workers(tags, 1000), "%d tags", tags)
	}
	assert.Equal(t, 3, sizing.Shards(2001, 1000))
	assert.Equal(t, 1, sizing.Shards(1000, 1000))
}

func TestForTier(t *testing.T) {
	own := config.Sizing{MaxTags: 7}
	assert.Equal(t, own, sizing.ForTier(defaults, config.Tier{Sizing: &own}))
	assert.Equal(t, defaults, sizing.ForTier(defaults, config.Tier{}))
}

func TestShare(t *testing.T) {
	assert.Equal(t, []int{1, 3, 6}, sizing.Share(10, []int{1000, 3000, 6000}, []int{0, 0, 0}, 5000))
	assert.Equal(t, []int{1, 0, 1}, sizing.Share(1, []int{10, 0, 10}, []int{0, 0, 0}, 5000), "every site has one at least")
	assert.Equal(t, []int{2}, sizing.Share(9, []int{2}, []int{0}, 5000), "no partition without a tag")
	assert.Equal(t, []int{4, 6}, sizing.Share(10, []int{5000, 5000}, []int{4, 6}, 5000), "kept")
	assert.Equal(t, []int{5, 5}, sizing.Share(10, []int{5000, 5000}, []int{4, 6}, 1000), "4 cannot hold 5,000")
	assert.Equal(t, []int{5, 6}, sizing.Share(11, []int{5000, 5000}, []int{4, 6}, 5000), "one more where it is fullest")
	assert.Equal(t, []int{4, 5}, sizing.Share(9, []int{5000, 5000}, []int{4, 6}, 5000), "one less where it is emptiest")
	assert.Equal(t, []int{3, 8, 1}, sizing.Share(12, []int{5000, 5000, 10}, []int{2, 8, 1}, 5000), "the others stay, however they came about")
	assert.Equal(t, []int{0, 4}, sizing.Share(4, []int{0, 5000}, []int{3, 1}, 5000), "a site without tags leaves its own to the others")
}

func TestDivide(t *testing.T) {
	shares := sizing.Divide(config.Limits{RequestsPerSecond: 500, Connections: 32, ItemsPerCall: 9},
		[]sizing.Group{{Partitions: 10, Tags: 30000}})
	assert.Equal(t, 4, shares[0][0].Connections)
	assert.Equal(t, 4, shares[0][1].Connections)
	assert.Equal(t, 3, shares[0][9].Connections)
	assert.Equal(t, 50.0, shares[0][5].RequestsPerSecond)
	assert.Equal(t, 9, shares[0][5].ItemsPerCall, "a limit on one call is not divided")

	mixed := sizing.Divide(config.Limits{RequestsPerSecond: 50, Connections: 32},
		[]sizing.Group{{Partitions: 2, Tags: 500}, {Partitions: 8, Tags: 29500}})
	assert.Equal(t, 1.0, mixed[0][0].RequestsPerSecond, "a small tier has one a second at least")
	assert.Equal(t, 6.0, mixed[1][0].RequestsPerSecond, "the other shares the rest")
}

func TestDivideNeverExceedsTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := config.Limits{
			RequestsPerSecond: rapid.Float64Range(1, 2000).Draw(t, "rate"),
			Connections:       rapid.IntRange(1, 200).Draw(t, "connections"),
		}
		groups := make([]sizing.Group, rapid.IntRange(1, 4).Draw(t, "groups"))
		partitions := 0
		for g := range groups {
			groups[g].Partitions = rapid.IntRange(1, 60).Draw(t, "partitions")
			groups[g].Tags = groups[g].Partitions * rapid.IntRange(1, 5000).Draw(t, "tags")
			partitions += groups[g].Partitions
		}
		rate, connections := 0.0, 0
		for g, shares := range sizing.Divide(budget, groups) {
			if len(shares) != groups[g].Partitions {
				t.Fatalf("group %d has %d shares", g, len(shares))
			}
			for _, s := range shares {
				if s.Connections < 1 || s.RequestsPerSecond < 1 {
					t.Fatalf("a share below one: %+v", s)
				}
				rate += s.RequestsPerSecond
				connections += s.Connections
			}
		}
		if connections != max(budget.Connections, partitions) {
			t.Fatalf("%d connections of %d for %d partitions", connections, budget.Connections, partitions)
		}
		if rate > max(budget.RequestsPerSecond, float64(partitions))+1e-6 {
			t.Fatalf("%g requests/s of %g", rate, budget.RequestsPerSecond)
		}
		over := partitions > budget.Connections || float64(partitions) > budget.RequestsPerSecond
		if sizing.Exceeds(budget, partitions) != over {
			t.Fatal("Exceeds disagrees with the sums")
		}
	})
}
