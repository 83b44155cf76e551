package report_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
)

// constants returns the string constants of a file whose names begin so.
func constants(t *testing.T, file, prefix string) []string {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var values []string
	ast.Inspect(tree, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			values = append(values, value)
		}
		return true
	})
	require.NotEmpty(t, values)
	return values
}

// Every code of a warning is one sentence or more, in the words of its figures.
func TestEveryWarningIsWorded(t *testing.T) {
	one := []plan.Tier{{Name: "standard", Compute: plan.Compute{Kind: plan.ComputeSeparate, Clusters: 10}}}
	two := []plan.Tier{{Name: "fast", Continuous: true, Compute: plan.Compute{Clusters: 2}},
		{Name: "bulk", Compute: plan.Compute{Pool: true, Clusters: 1}}}
	said := map[string]bool{plan.WarnTasks: true} // of choices only
	for _, c := range []struct {
		tiers []plan.Tier
		w     plan.Warning
		says  string
	}{
		{one, plan.Warning{Code: plan.WarnCadence, Tiers: []string{"standard"},
			Figures: plan.Figures{Seconds: 700, AllowedSeconds: 300, StartupSeconds: 550}},
			"A run takes 11 min 40 s, but the next is due after 5 min: 2 of 3 starts are skipped. Starting cold clusters takes 9 min 10 " +
				"s of it."},
		{two, plan.Warning{Code: plan.WarnCadence, Tiers: []string{"bulk"},
			Figures: plan.Figures{Seconds: 310, AllowedSeconds: 300, StartupSeconds: 200}},
			"A run of bulk takes 5 min 10 s, but the next is due after 5 min: every second start is skipped. Starting machines takes 3 " +
				"min 20 s of it."},
		{two, plan.Warning{Code: plan.WarnCadence, Tiers: []string{"fast"}, Figures: plan.Figures{Seconds: 90, AllowedSeconds: 60}},
			"A loop of fast takes 1 min 30 s but should start every 1 min: each starts as soon as the last one ends."},
		{one, plan.Warning{Code: plan.WarnWaves, Tiers: []string{"standard"}, Figures: plan.Figures{Partitions: 10, Tasks: 4, Waves: 3}},
			"A run extracts 10 partitions, and the workspace runs 4 tasks at once: they take 3 waves, one after the other."},
		{one, plan.Warning{Code: plan.WarnSingleCluster, Tiers: []string{"standard"}, Figures: plan.Figures{Faster: true}},
			"One cluster is faster and cheaper than 11: it starts once; clusters for discovery and extraction start one after the other."},
		{two, plan.Warning{Code: plan.WarnSingleCluster, Tiers: []string{"bulk"}, Sites: []string{"a"},
			Figures: plan.Figures{RequestsAtOnce: 32, UsefulPartitions: 4}},
			"For bulk one cluster is as fast and cheaper than 2: the PI server limits reading, not the compute. a is assumed to work on " +
				"32 requests at once, which 4 partitions can keep busy."},
		{two, plan.Warning{Code: plan.WarnServer, Tiers: []string{"bulk"}, Sites: []string{"a"},
			Figures: plan.Figures{Partitions: 10, UsefulPartitions: 4, RequestsAtOnce: 32}},
			"More than 4 partitions of a read no faster: 10 partitions of bulk share its PI server, which is assumed to work on 32 " +
				"requests at once."},
		{one, plan.Warning{Code: plan.WarnBudget, Sites: []string{"a", "b"}, Figures: plan.Figures{Partitions: 10}},
			"a and b: more partitions (up to 10) than the site's request budget allows at once. Each gets one connection and one " +
				"request/s, so together they ask for more than the budget."},
		{one, plan.Warning{Code: plan.WarnRateLimit, Names: []string{"one.example"},
			Figures: plan.Figures{RequestsPerSecond: 1500, AllowedPerSecond: 1000}},
			"one.example may be asked for 1,500 requests/s. A PI Web API server allows one client address 1,000/s by default, and all " +
				"clusters behind one NAT are one address."},
		{one, plan.Warning{Code: plan.WarnBounds, Tiers: []string{"standard"},
			Figures: plan.Figures{TooSmall: 2, TooLarge: 1, MinTags: 17, MaxTags: 6000}},
			"Partitions outside the bounds of sizing: 1 above the maximum and 2 below the minimum (17 to 6,000 tags, tier standard)."},
		{one, plan.Warning{Code: plan.WarnShare, Tiers: []string{"standard"},
			Figures: plan.Figures{Partitions: 3, WantedPartitions: 2, Sites: 3}},
			"Tier standard has 3 partitions, not 2: partitions never mix sites, and each of its 3 sites needs one at least and no more " +
				"than it has tags."},
		{one, plan.Warning{Code: plan.WarnSpotDriver},
			"Drivers come from the workers' pool. If that is a spot pool, losing a driver loses the whole attempt."},
		{one, plan.Warning{Code: plan.WarnNodePrice, Names: []string{"m5d.xlargo"},
			Figures: plan.Figures{StandIn: "m5d.xlarge", Nearest: "m5d.xlarge"}},
			"The price table does not know m5d.xlargo: costs are those of m5d.xlarge, the nearest that it knows."},
		{one, plan.Warning{Code: plan.WarnNodePrice, Names: []string{"r9.big"},
			Figures: plan.Figures{StandIn: "m5d.xlarge", Nearest: "r5.big"}},
			"The price table does not know r9.big: costs are those of m5d.xlarge; the nearest that it knows is r5.big."},
		{one, plan.Warning{Code: plan.WarnPrices, Names: []string{"aws/m5d.xlrage"}},
			"prices: aws/m5d.xlrage: the price table has no such key, and a further node type needs both CLOUD/TYPE and CLOUD/TYPE/dbu."},
		{one, plan.Warning{Code: plan.WarnPointIDs, Figures: plan.Figures{Tags: 1, AllTags: 10}},
			"1 of 10 tags lacks a point id: if PI renames one, it looks like a tag removed and another added."},
		{one, plan.Warning{Code: plan.WarnRates, Figures: plan.Figures{Tags: 10, AllTags: 10, EventsPerHour: 60}},
			"All 10 tags have no known rate: 60 events/h each are assumed."},
		{one, plan.Warning{Code: plan.WarnNoTags, Tiers: []string{"slow"}, Sites: strings.Split("a b c d e f g", " ")},
			"No tag is of tier slow: there is no job of it. No tag is of the sites a, b, c, d, e and 2 more: they are not read."},
		{one, plan.Warning{Code: plan.WarnSkew, Sites: []string{"a"}, Figures: plan.Figures{TimesMean: 1.25}},
			"The heaviest partition of a is 25% over the mean: tags stay where they are while the bounds hold."},
		{one, plan.Warning{Code: plan.WarnHeavyTag, Sites: []string{"a"}, Names: []string{"T 17"},
			Figures: plan.Figures{EventsPerHour: 36e6, TimesMean: 1.94}},
			`One tag of a, "T 17", is expected to bring 36 M events/h, 1.94 x the mean of a partition. A tag cannot be divided, so its partition is slower than the others.`},
		{one, plan.Warning{Code: plan.WarnTimeout, Sites: []string{"a"}, Figures: plan.Figures{Seconds: 300, AllowedSeconds: 240}},
			"An extraction of a takes 5 min, and its task.timeout ends it after 4 min: no attempt gets through."},
	} {
		said[c.w.Code] = true
		assert.Equal(t, c.says, report.Warnings(&plan.Plan{Tiers: c.tiers, Warnings: []plan.Warning{c.w}})[0].Message)
	}
	for _, code := range constants(t, "../plan/warning.go", "Warn") {
		assert.True(t, said[code], "%s has no case here", code)
	}
}

// Every piece of advice says what to do and what that brings.
func TestAdviceIsWorded(t *testing.T) {
	for _, c := range []struct {
		a              plan.Advice
		change, effect string
	}{
		{plan.Advice{Settings: []plan.Setting{{Key: "compute.single_cluster", Value: "true"}, {Key: "compute.pool.min_idle", Value: "3"}},
			Effect: plan.Effect{Kind: plan.EffectRun, Seconds: 190, CostPerMonth: -1200}},
			"compute.single_cluster: true, pool.min_idle: 3", "run 3:10, $1,200 less a month"},
		{plan.Advice{Settings: []plan.Setting{{Key: "compute.serverless", Value: "true"}},
			Effect: plan.Effect{Kind: plan.EffectRun, Seconds: 310, LateSeconds: 10, CostPerMonth: 0.2}},
			"compute.serverless: true", "run 5:10, still 0:10 too long, same cost"},
		{plan.Advice{Settings: []plan.Setting{{Key: "prices.aws/m5.large", Value: "<USD an hour>"},
			{Key: "prices.aws/m5.large/dbu", Value: "<DBU an hour>"}}, Effect: plan.Effect{Kind: plan.EffectOwnPrice}},
			"prices.aws/m5.large: <USD an hour>, aws/m5.large/dbu: <DBU an hour>", "costs from your own price list"},
		{plan.Advice{Settings: []plan.Setting{{Key: "compute.pool", Without: true}},
			Effect: plan.Effect{Kind: plan.EffectAsFast, Partitions: 4}}, "compute without pool", "as fast with 4 partitions"},
		{plan.Advice{Command: "bundlegen discover", Effect: plan.Effect{Kind: plan.EffectPoints}}, "bundlegen discover",
			"asks the PI servers for their points"},
		{plan.Advice{Column: "events_per_hour", Effect: plan.Effect{Kind: plan.EffectRealLoad}}, "inventory, column events_per_hour",
			"balance and forecast by real load"},
		{plan.Advice{Settings: []plan.Setting{{Key: "prices.aws/m5.large"}},
			Effect: plan.Effect{Kind: plan.EffectNearestKey, Of: "aws/m5.lrage"}}, "prices.aws/m5.large",
			"the nearest to aws/m5.lrage that the table has"},
	} {
		p := &plan.Plan{Warnings: []plan.Warning{{Code: plan.WarnRates, Advice: []plan.Advice{c.a}}}}
		assert.Equal(t, report.WordedAdvice{Change: c.change, Effect: c.effect}, report.Warnings(p)[0].Advice[0])
	}
	for _, kind := range constants(t, "../plan/warning.go", "Effect") {
		p := &plan.Plan{Warnings: []plan.Warning{{Code: plan.WarnRates,
			Advice: []plan.Advice{{Command: "x", Effect: plan.Effect{Kind: kind}}}}}}
		assert.NotEmpty(t, report.Warnings(p)[0].Advice[0].Effect, kind)
	}
}

// Every reason for a tag's place is a sentence of its own.
func TestEveryReasonIsWorded(t *testing.T) {
	place := plan.Place{Site: "a", Tag: "T", Tier: "fast", Partition: 3, Before: 1}
	said := map[string]bool{}
	for _, reason := range constants(t, "../plan/explain.go", "Reason") {
		place.Reason = reason
		var b strings.Builder
		require.NoError(t, report.ExplainJSON(&b, []report.Explanation{{Place: place}}))
		var document struct{ Tags []struct{ Why string } }
		require.NoError(t, json.Unmarshal([]byte(b.String()), &document))
		why := document.Tags[0].Why
		assert.Regexp(t, `^[A-Z].* .*\.$`, why, reason)
		assert.False(t, said[why], why)
		said[why] = true
	}
}
