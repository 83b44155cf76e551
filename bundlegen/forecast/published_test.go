package forecast_test

import (
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/stretchr/testify/assert"
)

// published is what the example that is often quoted assumes: 0.96 s for a tag
// by itself, 5 s for a call of 100 tags, 40 s of discovery and consolidation, and
// nothing for all else.
var published = map[string]float64{
	"pi_request": 0.96 - 4.04/99, "pi_tag": 4.04 / 99, "pi_tags_per_call": 100, "pi_threads": 1000,
	"startup_classic": 0, "install_cluster": 0, "spark_statement": 0, "stage_per_event": 0, "append_per_event": 0,
	"pi_points_per_page": 30_000, "discover_fixed": 20, "consolidate": 20, "validate_fixed": 0, "validate_tags": 0,
	"pi_retry_share": 0, "task_failures": 0, "spot_losses_per_hour": 0,
}

// aDollar is a price list in which a cluster, which here is one machine, costs $1 an hour.
func aDollar() forecast.Prices {
	return forecast.NewPrices(map[string]float64{"aws/one": 1, "aws/one/dbu": 0, "aws/spot": 0})
}

// example is 30,000 tags of an hour, in n partitions that make one call after the other.
func example(n int) forecast.Job {
	j := forecast.Job{
		Compute: config.Compute{Cloud: "aws", NodeType: "one", OrchestratorType: "one"},
		Sites:   []forecast.Site{{Tags: 30_000, Connections: n, RequestsPerSecond: 1000}}, Interval: 86_400, RunsPerMonth: 30,
	}
	for range n {
		j.Partitions = append(j.Partitions, forecast.Partition{
			Tags: 30_000 / n, EventsPerHour: 30_000 / float64(n), Shards: 1, Connections: 1, RequestsPerSecond: 1000, ItemsPerCall: 150_000,
		})
	}
	return j
}

// The published figures are what the model gives under the published
// assumptions. What they leave out is most of a run.
func TestPublishedExample(t *testing.T) {
	const minute, hour = 60.0, 3600.0
	m := forecast.New(constants.Resolve(constants.Of(published, "the published example")))
	within := func(want, got float64, what string) {
		t.Helper()
		t.Logf("%-42s %9.2f, published %g", what, got, want)
		assert.InEpsilon(t, want, got, 0.1, what)
	}
	single := m.Single(example(1), aDollar())
	ten := m.Run(example(10), aDollar())
	within(8, m.Sequential(example(1), aDollar()).Total/hour, "one tag after the other, hours")
	within(25, single.Total/minute, "one cluster, minutes")
	within(6, m.Run(example(5), aDollar()).Total/minute, "5 partitions, minutes")
	within(3, ten.Total/minute, "10 partitions, minutes")
	within(0.42, single.CostPerRun, "one cluster, USD")
	within(0.55, ten.CostPerRun, "10 partitions, USD")

	// With the start-up of clusters counted, all else as published.
	withStartup := map[string]float64{"startup_classic": 245, "install_cluster": 15}
	m = forecast.New(constants.Resolve(constants.Of(published, "the published example"), constants.Of(withStartup, "the defaults")))
	single, ten = m.Single(example(1), aDollar()), m.Run(example(10), aDollar())
	t.Logf("with start-up: one cluster %.1f min, $%.2f; 5 partitions %.1f min; 10 partitions %.1f min, $%.2f",
		single.Total/minute, single.CostPerRun, m.Run(example(5), aDollar()).Total/minute, ten.Total/minute, ten.CostPerRun)
	assert.InDelta(t, 30, single.Total/minute, 0.1)
	assert.InDelta(t, 11.8, ten.Total/minute, 0.1, "not 3 minutes: two cold clusters start in series")
	assert.Greater(t, ten.CostPerRun, 2.5*single.CostPerRun, "not a third more: eleven clusters start")

	// With a PI server that works on 10 calls at once, one cluster is faster.
	tenThreads := constants.Of(map[string]float64{"pi_threads": 10}, "the default")
	m = forecast.New(
		constants.Resolve(constants.Of(published, "the published example"), constants.Of(withStartup, "the defaults"), tenThreads),
	)
	together := example(1)
	together.Sites[0].Connections, together.Partitions[0].Connections = 10, 10
	assert.Less(t, m.Single(together, aDollar()).Total, m.Run(example(10), aDollar()).Total)
}
