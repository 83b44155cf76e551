package plan_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/partition"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// pipeline is a pipeline.yml with the defaults, and sites a, b, c …
func pipeline(sites int) *config.Pipeline {
	cfg := &config.Pipeline{
		Version: 1, Name: "demo", Catalog: "main", Inventory: "inventory.csv", File: "pipeline.yml",
		Sizing:  config.Sizing{MinTags: 2000, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000},
		Tiers:   []config.Tier{{Name: "standard", Every: time.Hour}},
		Compute: config.Compute{Cloud: "aws", NodeType: "m5d.xlarge", OrchestratorType: "m5d.xlarge", MaxConcurrentTasks: 1000},
	}
	for i := range sites {
		name := string(rune('a' + i))
		cfg.Sites = append(cfg.Sites, config.Site{
			Name: name, URL: "https://" + name + ".example/piwebapi",
			Limits: config.Limits{RequestsPerSecond: 500, Connections: 32, ItemsPerCall: 150000},
		})
	}
	return cfg
}

// tags makes n tags of a site, with point ids.
func tags(site string, n int) []inventory.Tag {
	list := make([]inventory.Tag, n)
	for i := range list {
		list[i] = inventory.Tag{Site: site, Name: fmt.Sprintf("%s.T%06d", site, i), EventsPerHour: -1, PointID: int64(i + 1)}
	}
	return list
}

func build(t require.TestingT, cfg *config.Pipeline, list []inventory.Tag, prev *plan.Previous) *plan.Plan {
	p, err := plan.Build(cfg, plantest.Inventory(cfg, list), prev, plan.Options{})
	require.NoError(t, err)
	return p
}

// where returns each tag's partition.
func where(p *plan.Plan) map[string]int {
	at := map[string]int{}
	for _, part := range p.Partitions {
		for _, m := range part.Members {
			at[m.Site+"/"+m.Name] = part.ID
		}
	}
	return at
}

func codes(p *plan.Plan) []string {
	var list []string
	for _, w := range p.Warnings {
		list = append(list, w.Code)
	}
	return list
}

func TestFirstPlan(t *testing.T) {
	cfg := pipeline(2)
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: 24 * time.Hour})
	list := append(tags("a", 7000), tags("b", 500)...)
	for i := range 3000 {
		list[i].Tier = "bulk"
	}
	p := build(t, cfg, list, nil)

	require.Len(t, p.Partitions, 3)
	for i, want := range []struct {
		site, tier    string
		tags, workers int
		cluster       string
	}{
		{"a", "standard", 4000, 4, "extraction_a_4_workers"},
		{"b", "standard", 500, 0, "extraction_b_single_node"},
		{"a", "bulk", 3000, 3, "extraction_a_3_workers"},
	} {
		got := p.Partitions[i]
		assert.Equal(t, i, got.ID, "numbers run in order of tier and site")
		assert.Equal(t, want.site, got.Site)
		assert.Equal(t, want.tier, got.Tier)
		assert.Equal(t, want.tags, got.Tags)
		assert.Equal(t, want.workers, got.Workers)
		assert.Equal(t, want.cluster, got.Cluster)
		assert.Len(t, got.Members, want.tags)
		assert.Equal(t, -1.0, got.EventsPerHour, "unknown for all")
		assert.GreaterOrEqual(t, got.TimeoutSecs, 900)
		assert.Positive(t, got.Seconds)
		for _, m := range got.Members {
			require.Equal(t, want.site, m.Site)
			require.Equal(t, want.tier, m.Tier, "a tag without a tier is of the first")
		}
	}
	assert.Equal(t, "demo_orchestrator", p.Tiers[0].JobKey)
	assert.Equal(t, "demo_orchestrator_bulk", p.Tiers[1].JobKey)
	assert.Equal(t, "0 0 * * * ?", p.Tiers[0].Cron)
	assert.Equal(t, p.Tiers[0].Forecast, p.Forecast)
	assert.Equal(t, 7500, p.Tags)
	assert.Equal(t, 32, p.Sites[0].Used.Connections)
	assert.LessOrEqual(t, p.Sites[0].Used.RequestsPerSecond, 500.0)
	f := p.Forecast
	assert.InDelta(t, f.TotalSeconds, f.StartupSeconds+f.DiscoverSeconds+f.ExtractSeconds+f.ConsolidateSeconds+f.ValidateSeconds, 0.05)
	assert.InDelta(t, 1.5*f.TotalSeconds, float64(f.HealthSeconds), 61)
}

func TestOrderOfTheInventoryNeverMatters(t *testing.T) {
	cfg := pipeline(3)
	list := slices.Concat(tags("a", 6000), tags("b", 100), tags("c", 9000))
	for i := range list {
		list[i].EventsPerHour = float64(i % 1000)
	}
	want := build(t, cfg, list, nil)
	wantJSON, err := json.Marshal(want)
	require.NoError(t, err)
	for seed := range uint64(3) {
		shuffled := slices.Clone(list)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got := build(t, cfg, shuffled, nil)
		gotJSON, err := json.Marshal(got)
		require.NoError(t, err)
		require.Equal(t, string(wantJSON), string(gotJSON))
		require.Equal(t, where(want), where(got))
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(cfg *config.Pipeline, list []inventory.Tag) []inventory.Tag
		want   []string
	}{
		"no tags": {func(*config.Pipeline, []inventory.Tag) []inventory.Tag { return nil },
			[]string{"inventory.csv", "no tags", "hint: `bundlegen discover`"}},
		"unknown site": {func(_ *config.Pipeline, l []inventory.Tag) []inventory.Tag { l[1].Site = "nowhere"; return l },
			[]string{"inventory.csv", `"a.T000001"`, `site "nowhere"`, "allowed: a, b", "hint: add it to pipeline.yml"}},
		"unknown tier, nearly right": {func(_ *config.Pipeline, l []inventory.Tag) []inventory.Tag { l[1].Tier = "standart"; return l },
			[]string{`tier "standart"`, "allowed: standard", "hint: did you mean standard?"}},
		"a tag twice": {func(_ *config.Pipeline, l []inventory.Tag) []inventory.Tag { l[1].Name = l[0].Name; return l },
			[]string{`tag "a.T000000" of site a is out of order or there twice`}},
		"tags out of order": {func(_ *config.Pipeline, l []inventory.Tag) []inventory.Tag { l[1], l[2] = l[2], l[1]; return l },
			[]string{`tag "a.T000001" of site a is out of order`}},
		"sites out of order": {func(_ *config.Pipeline, l []inventory.Tag) []inventory.Tag { return append(l[200:], l[:200]...) },
			[]string{`tag "a.T000000" of site a is out of order`}},
		"a cadence without a cron expression": {func(c *config.Pipeline, l []inventory.Tag) []inventory.Tag {
			c.Tiers[0].Every = 7 * time.Minute
			return l
		}, []string{"pipeline.yml", "every: 7m", "hint: "}},
		"no such cron expression": {func(c *config.Pipeline, l []inventory.Tag) []inventory.Tag {
			c.Tiers[0].Every, c.Tiers[0].Cron = 0, "hourly"
			return l
		}, []string{"pipeline.yml", `"hourly"`, "hint: "}},
		"too many tasks for one cluster": {func(c *config.Pipeline, l []inventory.Tag) []inventory.Tag {
			c.Compute.SingleCluster, c.Tiers[0].Partitions = true, 150
			return l
		}, []string{"pipeline.yml", "compute.single_cluster", "150 partitions", "at most 140", "hint: "}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := pipeline(2)
			list := c.change(cfg, plantest.Inventory(cfg, slices.Concat(tags("a", 200), tags("b", 10))))
			_, err := plan.Build(cfg, list, nil, plan.Options{})
			require.Error(t, err)
			for _, text := range c.want {
				assert.Contains(t, err.Error(), text)
			}
		})
	}
}

func TestPlanIDIsStableAndTellsPlansApart(t *testing.T) {
	cfg := pipeline(1)
	list := tags("a", 3000)
	base := build(t, cfg, list, nil)
	moved := *cfg
	moved.Dir, moved.File, moved.Output = "/elsewhere", "other.yml", "out"
	moved.Prices = map[string]float64{"aws/jobs": 1}
	assert.Equal(t, base.ID, build(t, &moved, list, nil).ID, "paths and prices change no bundle")

	more := build(t, cfg, append(tags("a", 3000), inventory.Tag{Site: "a", Name: "new", EventsPerHour: -1}), nil)
	assert.NotEqual(t, base.ID, more.ID)
	assert.Equal(t, base.Settings, more.Settings)
	slower := *cfg
	slower.Tiers = []config.Tier{{Name: "standard", Every: 2 * time.Hour}}
	assert.NotEqual(t, base.ID, build(t, &slower, list, nil).ID)
	assert.NotEqual(t, base.Settings, build(t, &slower, list, nil).Settings)
}

func TestFixedNumberOfPartitions(t *testing.T) {
	cfg := pipeline(2)
	cfg.Tiers[0].Partitions = 4
	p := build(t, cfg, slices.Concat(tags("a", 300), tags("b", 100)), nil)
	assert.Equal(t, 3, p.Sites[0].Partitions)
	assert.Equal(t, 1, p.Sites[1].Partitions)
	assert.NotContains(t, codes(p), plan.WarnShare)
	assert.NotContains(t, codes(p), plan.WarnBounds, "100 tags in each are few, but so it was asked for")
	cfg.Sizing.MaxTags, cfg.Sizing.MinTags = 50, 1
	assert.Contains(t, codes(build(t, cfg, slices.Concat(tags("a", 300), tags("b", 100)), nil)), plan.WarnBounds)

	cfg.Tiers[0].Partitions = 1
	assert.Contains(t, codes(build(t, cfg, slices.Concat(tags("a", 300), tags("b", 100)), nil)), plan.WarnShare)
}

// Every tag is in exactly one partition of its own site and tier, within the
// bounds wherever they can be kept, and the budget is never exceeded.
func TestPlansAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := pipeline(rapid.IntRange(1, 3).Draw(t, "sites"))
		cfg.Sizing = config.Sizing{MinTags: 20, TargetTags: 30, MaxTags: 50, TagsPerWorker: 10}
		cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: 24 * time.Hour})
		var prev *plan.Previous
		var list []inventory.Tag
		for _, s := range cfg.Sites {
			list = append(list, randomTags(t, s.Name)...)
		}
		p := build(t, cfg, list, prev)
		seen := map[string]bool{}
		for _, part := range p.Partitions {
			if part.Tags != len(part.Members) || part.Tags == 0 {
				t.Fatalf("partition %d has %d members for %d tags", part.ID, len(part.Members), part.Tags)
			}
			if part.Tags > 50 {
				t.Fatalf("partition %d has %d tags", part.ID, part.Tags)
			}
			for i, m := range part.Members {
				if m.Site != part.Site || m.Tier != part.Tier || seen[m.Site+"/"+m.Name] {
					t.Fatalf("%+v in %s/%s", m, part.Site, part.Tier)
				}
				seen[m.Site+"/"+m.Name] = true
				if i > 0 && part.Members[i-1].Name >= m.Name {
					t.Fatal("members are not in order of name")
				}
			}
		}
		if len(seen) != len(list) {
			t.Fatalf("%d of %d tags", len(seen), len(list))
		}
		for _, s := range p.Sites {
			if s.Used.Connections > max(s.Limits.Connections, s.Partitions) || s.Used.RequestsPerSecond > s.Limits.RequestsPerSecond {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// Rates that are not known are shared out too: whatever they turn out to be, no
// partition has much more of them than another.
func TestTagsOfUnknownRateAreSharedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := tags("a", 9000)
		known := rapid.SampledFrom([]int{2, 3, 10, 50}).Draw(t, "every so many is known")
		rate := rapid.SampledFrom([]float64{1, 60, 3600}).Draw(t, "about")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range list {
			if i%known == 0 {
				list[i].EventsPerHour = rate * math.Exp(r.NormFloat64())
			}
		}
		p := build(t, pipeline(1), list, nil)
		require.Contains(t, codes(p), plan.WarnRates)
		require.Len(t, p.Partitions, 3)
		for _, inTruth := range []float64{1, 180, 3600} { // events/h of those that are unknown
			loads := make([]float64, len(p.Partitions))
			for i, part := range p.Partitions {
				for _, m := range part.Members {
					if m.EventsPerHour < 0 {
						loads[i] += inTruth
					} else {
						loads[i] += m.EventsPerHour
					}
				}
			}
			skew := partition.Result{Weights: loads}.Skew()
			require.LessOrEqual(t, skew, 1.05, "%g events/h each", inTruth)
		}
	})
}

func randomTags(t *rapid.T, site string) []inventory.Tag {
	list := tags(site, rapid.IntRange(1, 300).Draw(t, "tags"))
	rate := rapid.SampledFrom([]float64{-1, 0, 10, 5000})
	for i := range list {
		list[i].Tier = []string{"", "standard", "bulk"}[(i*7)%3]
		if i%50 == 0 {
			list[i].EventsPerHour = rate.Draw(t, "rate")
		}
	}
	return list
}

func TestWarnings(t *testing.T) {
	find := func(p *plan.Plan, code string) plan.Warning {
		for _, w := range p.Warnings {
			if w.Code == code {
				return w
			}
		}
		t.Fatalf("no %s among %v", code, codes(p))
		return plan.Warning{}
	}
	t.Run("a cadence that cold clusters cannot hold", func(t *testing.T) {
		cfg := pipeline(1)
		cfg.Tiers[0].Every = 5 * time.Minute
		w := find(build(t, cfg, tags("a", 30000), nil), plan.WarnCadence)
		assert.Equal(t, []string{"standard"}, w.Tiers)
		assert.Equal(t, 300.0, w.Figures.AllowedSeconds)
		assert.Greater(t, w.Figures.Seconds, 300.0)
		require.NotEmpty(t, w.Advice)
		assert.True(t, slices.ContainsFunc(w.Advice, func(a plan.Advice) bool { return a.Settings[0].Key == "tiers.standard.every" }))
		assert.NotZero(t, w.Advice[0].Effect.CostPerMonth)
		for _, a := range w.Advice {
			assert.Equal(t, plan.EffectRun, a.Effect.Kind, "each says what it brings")
			assert.Positive(t, a.Effect.Seconds)
		}
	})
	t.Run("a cadence that holds", func(t *testing.T) {
		assert.NotContains(t, codes(build(t, pipeline(1), tags("a", 30000), nil)), plan.WarnCadence)
	})
	t.Run("one cluster is enough", func(t *testing.T) {
		w := find(build(t, pipeline(1), tags("a", 30000), nil), plan.WarnSingleCluster)
		assert.Equal(t, []plan.Setting{{Key: "compute.single_cluster", Value: "true"}}, w.Advice[0].Settings)
		cfg := pipeline(1)
		cfg.Compute.SingleCluster = true
		assert.NotContains(t, codes(build(t, cfg, tags("a", 30000), nil)), plan.WarnSingleCluster)
	})
	t.Run("more partitions than connections", func(t *testing.T) {
		cfg := pipeline(1)
		cfg.Sites[0].Limits.Connections = 4
		w := find(build(t, cfg, tags("a", 30000), nil), plan.WarnBudget)
		assert.Equal(t, plan.Setting{Key: "sites.limits.connections", Value: "10"}, w.Advice[0].Settings[0])
	})
	t.Run("sites that share a server ask for too much", func(t *testing.T) {
		cfg := pipeline(3)
		for i := range cfg.Sites {
			cfg.Sites[i].URL = "https://one.example/piwebapi"
		}
		w := find(build(t, cfg, slices.Concat(tags("a", 10), tags("b", 10), tags("c", 10)), nil), plan.WarnRateLimit)
		assert.Equal(t, []string{"one.example"}, w.Names)
		assert.Equal(t, 1500.0, w.Figures.RequestsPerSecond)
	})
	t.Run("more extractions than the workspace runs at once", func(t *testing.T) {
		cfg := pipeline(1)
		cfg.Compute.MaxConcurrentTasks = 10
		assert.NotContains(t, codes(build(t, cfg, tags("a", 30000), nil)), plan.WarnWaves)
		cfg.Compute.MaxConcurrentTasks = 4
		p := build(t, cfg, tags("a", 30000), nil)
		assert.Equal(t, 3, p.Tiers[0].Waves)
		w := find(p, plan.WarnWaves)
		assert.Equal(t, plan.Figures{Partitions: 10, Tasks: 4, Waves: 3}, w.Figures)
		assert.Equal(t, []plan.Advice{
			{Settings: []plan.Setting{{Key: "compute.max_concurrent_tasks", Value: "10"}}, Effect: plan.Effect{Kind: plan.EffectOneWave}},
			{
				Settings: []plan.Setting{{Key: "sizing.target_tags", Value: "7500"}, {Key: "sizing.max_tags", Value: "9000"}},
				Effect:   plan.Effect{Kind: plan.EffectOneWaveAnew},
			},
		}, w.Advice)
	})
	t.Run("what is not known", func(t *testing.T) {
		list := tags("a", 10)
		list[0].PointID, list[1].EventsPerHour = 0, 7
		cfg := pipeline(1)
		cfg.Compute.NodeType = "m5d.xlargo"
		p := build(t, cfg, list, nil)
		assert.Equal(t, plan.Figures{Tags: 1, AllTags: 10}, find(p, plan.WarnPointIDs).Figures)
		assert.Equal(t, "bundlegen discover", find(p, plan.WarnPointIDs).Advice[0].Command)
		assert.Equal(t, 9, find(p, plan.WarnRates).Figures.Tags)
		assert.Equal(t, []string{"m5d.xlargo"}, find(p, plan.WarnNodePrice).Names)
	})
	t.Run("a tag that outweighs a partition", func(t *testing.T) {
		list := tags("a", 6000)
		list[17].EventsPerHour = 36_000_000
		p := build(t, pipeline(1), list, nil)
		w := find(p, plan.WarnHeavyTag)
		assert.Equal(t, []string{"a.T000017"}, w.Names)
		assert.Equal(t, 36e6, w.Figures.EventsPerHour)
		assert.InDelta(t, 1.94, w.Figures.TimesMean, 0.01)
		assert.NotContains(t, codes(p), plan.WarnSkew, "moving others does not help")
		list[17].EventsPerHour = 500_000 // less than a partition
		assert.NotContains(t, codes(build(t, pipeline(1), list, nil)), plan.WarnHeavyTag)
	})
	t.Run("a site's own timeout that no extraction meets", func(t *testing.T) {
		cfg := pipeline(1)
		cfg.Sites[0].Task.Timeout = 20 * time.Second
		p := build(t, cfg, tags("a", 3000), nil)
		require.Equal(t, 20, p.Partitions[0].TimeoutSecs)
		w := find(p, plan.WarnTimeout)
		assert.Equal(t, 20.0, w.Figures.AllowedSeconds)
		assert.Equal(
			t,
			[]plan.Advice{{Settings: []plan.Setting{{Key: "sites.a.task.timeout", Value: "15m"}}, Effect: plan.Effect{Kind: plan.EffectDefault}}},
			w.Advice,
		)
		cfg.Sites[0].Task.Timeout = 15 * time.Minute
		assert.NotContains(t, codes(build(t, cfg, tags("a", 3000), nil)), plan.WarnTimeout)
		cfg.Sites[0].Task.Timeout = 0
		assert.Equal(t, 900, build(t, cfg, tags("a", 3000), nil).Partitions[0].TimeoutSecs)
	})
	t.Run("a pool of spot workers has the driver too", func(t *testing.T) {
		cfg := pipeline(1)
		cfg.Compute.Pool.WorkerID = "p"
		find(build(t, cfg, tags("a", 10), nil), plan.WarnSpotDriver)
		cfg.Compute.Pool.DriverID = "d"
		assert.NotContains(t, codes(build(t, cfg, tags("a", 10), nil)), plan.WarnSpotDriver)
	})
	t.Run("all known and well within the bounds", func(t *testing.T) {
		cfg := pipeline(1)
		cfg.Compute.SingleCluster = true
		list := tags("a", 3000)
		for i := range list {
			list[i].EventsPerHour = 100
		}
		assert.Empty(t, build(t, cfg, list, nil).Warnings)
	})
}

func TestKindsOfCompute(t *testing.T) {
	cfg := pipeline(1)
	cfg.Compute.SingleCluster = true
	p := build(t, cfg, tags("a", 9000), nil)
	assert.Equal(t, plan.Compute{Kind: plan.ComputeSingle, Clusters: 1, Workers: 4, Min: 4, Max: 4}, p.Tiers[0].Compute)
	assert.Equal(t, "single_cluster", p.Partitions[0].Cluster)
	assert.Equal(t, p.Forecast.SingleSeconds, p.Forecast.TotalSeconds)

	cfg.Compute.SingleCluster, cfg.Compute.Serverless = false, true
	p = build(t, cfg, tags("a", 9000), nil)
	assert.Equal(t, plan.Compute{Kind: plan.ComputeServerless}, p.Tiers[0].Compute)
	assert.Empty(t, p.Partitions[0].Cluster)
}

func TestCronSchedules(t *testing.T) {
	for cron, want := range map[string]float64{
		"0 0/5 * * * ?":         12 * 24 * 365.25 / 12,
		"0 0 6 ? * MON-FRI":     365.25 / 12 * 5 / 7,
		"0 0 6 1,15 * ?":        2,
		"0 30 0/6 L * ?":        4,
		"0 0/15 6-18 ? * 2-6 *": 4 * 13 * 365.25 / 12 * 5 / 7,
	} {
		cfg := pipeline(1)
		cfg.Tiers[0].Every, cfg.Tiers[0].Cron = 0, cron
		p := build(t, cfg, tags("a", 10), nil)
		skipped := 1.0
		if p.Forecast.TotalSeconds > p.Tiers[0].Cadence.Seconds() {
			skipped = float64(int(p.Forecast.TotalSeconds/p.Tiers[0].Cadence.Seconds())) + 1
		}
		assert.InDelta(t, want/skipped, p.Forecast.RunsPerMonth, 0.01, cron)
		assert.Equal(t, cron, p.Tiers[0].Cron)
	}
}

// What is kept warm is in the plan with its price, whoever makes the pools.
func TestPoolIsInThePlan(t *testing.T) {
	cfg := pipeline(1)
	assert.Nil(t, build(t, cfg, tags("a", 30000), nil).Pool)
	cfg.Compute.Pool.MinIdle = 10
	p := build(t, cfg, tags("a", 30000), nil)
	assert.Equal(t, [2]int{10, 10}, [2]int{p.Pool.Workers, p.Pool.Drivers})
	assert.Positive(t, p.Pool.CostPerMonth)
	assert.InDelta(t, p.Pool.CostPerMonth, p.Forecast.CostPerMonth-p.Forecast.CostPerRun*p.Forecast.RunsPerMonth, 0.1)
	assert.True(t, p.Tiers[0].Compute.Pool)
	assert.NotContains(t, codes(p), plan.WarnSpotDriver)
}

// Who runs the jobs needs just this; names are quoted as SQL takes them.
func TestGrants(t *testing.T) {
	cfg := pipeline(1)
	assert.Empty(t, build(t, cfg, tags("a", 10), nil).Grants)
	cfg.Targets = []config.Target{{Name: "dev"}, {Name: "prod", ServicePrincipal: "11111111-2222-3333-4444-555555555555"},
		{Name: "spare", ServicePrincipal: "22222222-2222-3333-4444-555555555555", Catalog: "else-where"}}
	assert.Equal(t, []plan.Grant{
		{Target: "prod", Principal: "11111111-2222-3333-4444-555555555555", Catalog: cfg.Catalog,
			SQL: "GRANT USE CATALOG, CREATE SCHEMA ON CATALOG `" + cfg.Catalog + "` TO `11111111-2222-3333-4444-555555555555`;"},
		{Target: "spare", Principal: "22222222-2222-3333-4444-555555555555", Catalog: "else-where",
			SQL: "GRANT USE CATALOG, CREATE SCHEMA ON CATALOG `else-where` TO `22222222-2222-3333-4444-555555555555`;"},
	}, build(t, cfg, tags("a", 10), nil).Grants)
}

func TestSingleClusterBearsSoManyTasks(t *testing.T) {
	cfg := pipeline(1)
	cfg.Compute.SingleCluster = true
	cfg.Sizing = config.Sizing{MinTags: 1, TargetTags: 1, MaxTags: 1, TagsPerWorker: 1}
	require.Len(t, build(t, cfg, tags("a", plan.SingleMaxTasks), nil).Partitions, 140)
	_, err := plan.Build(cfg, plantest.Inventory(cfg, tags("a", plan.SingleMaxTasks+1)), nil, plan.Options{})
	require.ErrorContains(t, err, "tier standard has 141 partitions; allowed: at most 140 tasks on one cluster\nhint: ")
}

// A continuous tier has no start-up, and clusters that are always on; a scheduled
// tier that cannot hold its cadence is told of it.
func TestContinuousTier(t *testing.T) {
	cfg := pipeline(1)
	cfg.Tiers = []config.Tier{{Name: "critical", Every: time.Minute, Partitions: 2}}
	scheduled := build(t, cfg, tags("a", 500), nil)
	require.Contains(t, codes(scheduled), plan.WarnCadence)
	for _, w := range scheduled.Warnings {
		if w.Code == plan.WarnCadence {
			assert.True(t, slices.ContainsFunc(w.Advice, func(a plan.Advice) bool {
				return a.Settings[0] == plan.Setting{Key: "tiers.critical.continuous", Value: "true"} && a.Effect.Kind == plan.EffectRun
			}))
		}
	}
	cfg.Tiers[0].Continuous = true
	p := build(t, cfg, tags("a", 500), nil)
	assert.NotContains(t, codes(p), plan.WarnCadence)
	assert.NotContains(t, codes(p), plan.WarnSingleCluster)
	assert.True(t, p.Tiers[0].Continuous)
	assert.Empty(t, p.Tiers[0].Cron)
	assert.Zero(t, p.Forecast.StartupSeconds)
	assert.Less(t, p.Forecast.TotalSeconds, 60.0)
	assert.InDelta(t, 2*730*(0.226+0.69*0.15), p.Forecast.CostPerMonth, 0.01, "two single nodes")
	assert.Equal(t, 7*3600, p.Partitions[0].TimeoutSecs)

	cfg.Tiers[0].Every = time.Second
	tooOften := build(t, cfg, tags("a", 500), nil)
	require.Contains(t, codes(tooOften), plan.WarnCadence)

	cfg.Sizing = config.Sizing{MinTags: 1, TargetTags: 1, MaxTags: 1, TagsPerWorker: 1}
	cfg.Tiers[0].Partitions = 0
	_, err := plan.Build(cfg, plantest.Inventory(cfg, tags("a", 1001)), nil, plan.Options{})
	require.ErrorContains(t, err, "tier critical has 1001 partitions; allowed: at most 1,000 in a continuous tier")
}
