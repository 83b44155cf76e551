package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func compare(t *testing.T, cfg *config.Pipeline, list []inventory.Tag) (*plan.Plan, []report.Comparison) {
	r := first(t, cfg, list)
	var tiers []report.Comparison
	for _, tier := range r.Plan.Tiers {
		choices, err := r.Plan.Choices(cfg, tier.Name)
		require.NoError(t, err)
		tiers = append(tiers, report.Comparison{Tier: tier, Choices: choices})
	}
	return r.Plan, tiers
}

func TestGoldenComparisons(t *testing.T) {
	written := func(cfg *config.Pipeline, list []inventory.Tag, o report.Options) []byte {
		p, tiers := compare(t, cfg, list)
		var b bytes.Buffer
		require.NoError(t, report.CompareText(&b, p, tiers, o))
		for line := range strings.Lines(b.String()) {
			require.LessOrEqual(t, uniseg.StringWidth(strings.TrimSuffix(line, "\n")), max(80, o.Width), line)
		}
		return b.Bytes()
	}
	production := pipeline(1, 5*time.Minute)
	golden(t, "compare-production.txt", written(production, rated(tags(production, 30000)), report.Options{}))
	golden(t, "compare-production-all.txt", written(production, rated(tags(production, 30000)), report.Options{All: true, Width: 100}))
	energy := pipeline(20, 15*time.Minute)
	golden(t, "compare-energy.txt", written(energy, tags(energy, 50000), report.Options{}))
	cfg, list := mixed()
	golden(t, "compare-mixed.txt", written(cfg, list, report.Options{}))
}

func TestComparisonAsJSON(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	p, tiers := compare(t, cfg, rated(tags(cfg, 30000)))
	var b bytes.Buffer
	require.NoError(t, report.CompareJSON(&b, p, tiers))
	var document struct {
		Version int    `json:"version"`
		PlanID  string `json:"plan_id"`
		Tiers   []struct {
			Tier           string           `json:"tier"`
			CadenceSeconds float64          `json:"cadence_seconds"`
			Recommendation string           `json:"recommendation"`
			Choices        []map[string]any `json:"choices"`
		} `json:"tiers"`
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &document))
	assert.Equal(t, plan.Version, document.Version)
	assert.Equal(t, p.ID, document.PlanID)
	require.Len(t, document.Tiers, 1)
	assert.Equal(t, 3600.0, document.Tiers[0].CadenceSeconds)
	assert.Contains(t, document.Tiers[0].Recommendation, "Do not load-balance this: one cluster")
	assert.Len(t, document.Tiers[0].Choices, len(tiers[0].Choices))
	for _, key := range []string{"kind", "partitions", "startup_seconds", "total_seconds", "cost_per_run_usd", "cost_per_month_usd",
		"freshness_seconds", "runs_per_month", "bottleneck", "holds", "chosen", "recommended", "change", "warnings"} {
		assert.Contains(t, document.Tiers[0].Choices[0], key)
	}
}

func TestRecommendations(t *testing.T) {
	tier := plan.Tier{Name: "standard", Cadence: 5 * time.Minute}
	say := func(choices ...plan.Choice) string {
		return report.Recommendation(report.Comparison{Tier: tier, Choices: choices})
	}
	own := plan.Choice{Kind: plan.ComputeSeparate, Partitions: 10, TotalSeconds: 700, FreshnessSeconds: 1630, CostPerMonth: 100,
		Chosen: true}
	good := own
	good.Holds, good.Recommended = true, true
	assert.Equal(t, "Keep the plan: nothing that holds a cadence of 5 min is cheaper without being slower.", say(good))
	serverless := plan.Choice{Kind: plan.ComputeServerless, Partitions: 5, TotalSeconds: 250, CostPerMonth: 350, Holds: true,
		Recommended: true,
		Change:      []plan.Setting{{Key: "compute.serverless", Value: "true"}, {Key: "tiers.standard.partitions", Value: "5"}}}
	assert.Equal(t, "Take serverless compute with 5 partitions: a run takes 4 min 10 s instead of 11 min 40 s, and it costs $250 more a "+
		"month. It holds the cadence of 5 min, which the plan misses by 6 min 40 s. compute.serverless: true, tiers.standard.partitions: "+
		"5.", say(own, serverless))
	serverless.Holds, serverless.FreshnessSeconds = false, 900
	assert.Equal(t, "Nothing holds a cadence of 5 min. The freshest is serverless compute with 5 partitions: the newest event is up to "+
		"15 min old, with the plan up to 27 min 10 s. compute.serverless: true, tiers.standard.partitions: 5.", say(own, serverless))
	own.Recommended = true
	assert.Equal(t, "Nothing holds a cadence of 5 min, and nothing is fresher than the plan: its newest event is up to 27 min 10 s old.",
		say(own))
	own.Recommended = false
	assert.Contains(t, say(own), "None of these fits")
}
