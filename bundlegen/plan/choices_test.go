package plan_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func choices(t require.TestingT, cfg *config.Pipeline, p *plan.Plan) []plan.Choice {
	all, err := p.Choices(cfg, p.Tiers[0].Name)
	require.NoError(t, err)
	return all
}

func of(all []plan.Choice, kind string) []plan.Choice {
	return slices.DeleteFunc(slices.Clone(all), func(c plan.Choice) bool { return c.Kind != kind })
}

func one(t require.TestingT, all []plan.Choice, is func(plan.Choice) bool) plan.Choice {
	found := slices.DeleteFunc(slices.Clone(all), func(c plan.Choice) bool { return !is(c) })
	require.Len(t, found, 1)
	return found[0]
}

func TestChoices(t *testing.T) {
	cfg := pipeline(1)
	p := build(t, cfg, tags("a", 30000), nil)
	all := choices(t, cfg, p)

	var counts []int
	for _, c := range of(all, plan.ComputeSeparate) {
		counts = append(counts, c.Partitions)
	}
	for n := 1; n <= 20; n++ {
		assert.Equal(t, n, counts[n-1], "each number up to twice the plan's")
	}
	for _, kind := range []string{plan.ChoicePool, plan.ComputeServerless} {
		for _, n := range []int{1, 2, 5, 10, 20} {
			one(t, of(all, kind), func(c plan.Choice) bool { return c.Partitions == n })
		}
	}
	assert.Len(t, of(all, plan.ComputeSingle), 1)

	chosen := one(t, all, func(c plan.Choice) bool { return c.Chosen })
	assert.Equal(t, plan.ComputeSeparate, chosen.Kind)
	assert.Equal(t, 10, chosen.Partitions)
	assert.Equal(t, p.Forecast.TotalSeconds, chosen.TotalSeconds, "the plan's own figures")
	assert.Equal(t, p.Forecast.CostPerMonth, chosen.CostPerMonth)

	sequential := one(t, all, func(c plan.Choice) bool { return c.Kind == plan.ChoiceSequential })
	assert.Greater(t, sequential.ExtractSeconds, 30000*0.9, "a call a tag")
	assert.False(t, sequential.Holds)

	_, err := p.Choices(cfg, "nightly")
	require.ErrorContains(t, err, `tier "nightly"`)
}

// An expert says so when load balancing brings nothing.
func TestOneClusterIsRecommendedWhereItIsAsGood(t *testing.T) {
	cfg := pipeline(1)
	best := one(t, choices(t, cfg, build(t, cfg, tags("a", 30000), nil)), func(c plan.Choice) bool { return c.Recommended })
	assert.Equal(t, plan.ComputeSingle, best.Kind)
	assert.True(t, best.Holds)
}

func TestChoicesOfALargePlanAreThinned(t *testing.T) {
	cfg := pipeline(2)
	cfg.Tiers[0].Partitions = 900
	all := choices(t, cfg, build(t, cfg, append(tags("a", 9000), tags("b", 1000)...), nil))
	own := of(all, plan.ComputeSeparate)
	assert.Less(t, len(own), 200)
	assert.Equal(t, 2, own[0].Partitions, "each site needs one")
	assert.Equal(t, 1800, own[len(own)-1].Partitions)
	one(t, own, func(c plan.Choice) bool { return c.Chosen })
}

// Whatever the pipeline, the choices are in order, each once, with one that is
// the plan's, and the recommendation holds the cadence if any that may be
// recommended does. The same plan gives the same choices.
func TestChoicesAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := pipeline(rapid.IntRange(1, 3).Draw(t, "sites"))
		cfg.Tiers[0].Every = rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "every")
		cfg.Tiers[0].Partitions = rapid.IntRange(0, 200).Draw(t, "partitions")
		cfg.Compute.SingleCluster = cfg.Tiers[0].Partitions < 100 && rapid.Bool().Draw(t, "single")
		cfg.Compute.Serverless = !cfg.Compute.SingleCluster && rapid.Bool().Draw(t, "serverless")
		list := tags("a", rapid.IntRange(1, 9000).Draw(t, "tags"))
		for _, s := range cfg.Sites[1:] {
			list = append(list, tags(s.Name, rapid.IntRange(0, 500).Draw(t, "tags of "+s.Name))...)
		}
		p := build(t, cfg, list, nil)
		all := choices(t, cfg, p)
		one(t, all, func(c plan.Choice) bool { return c.Chosen })
		best := one(t, all, func(c plan.Choice) bool { return c.Recommended })
		for i, c := range all {
			if i > 0 && c.Kind == all[i-1].Kind {
				require.Greater(t, c.Partitions, all[i-1].Partitions)
			}
			require.Positive(t, c.TotalSeconds)
			require.Positive(t, c.CostPerRun)
			require.GreaterOrEqual(t, c.FreshnessSeconds, c.TotalSeconds+cfg.Tiers[0].Every.Seconds()-0.01)
			if c.Holds && c.Chosen {
				require.True(t, best.Holds)
			}
		}
		first, err := json.Marshal(all)
		require.NoError(t, err)
		second, err := json.Marshal(choices(t, cfg, p))
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}
