package forecast_test

import (
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// job is n partitions of 3,000 tags of one site with 32 connections, every 5 minutes.
func job(n int) forecast.Job {
	j := forecast.Job{
		Compute:       config.Compute{Cloud: "aws", NodeType: "m5d.xlarge", OrchestratorType: "m5d.xlarge"},
		Sites:         []forecast.Site{{Tags: 3000 * n, Connections: 32, RequestsPerSecond: 500}},
		Interval:      300,
		RunsPerMonth:  8760,
		SingleWorkers: 4,
		First:         true,
	}
	for range n {
		j.Partitions = append(j.Partitions, forecast.Partition{
			Tags: 3000, EventsPerHour: 3000 * 180, Workers: 3, Shards: 3,
			Connections: max(1, 32/n), RequestsPerSecond: 500 / float64(n), ItemsPerCall: 150000,
		})
	}
	return j
}

func list() forecast.Prices { return forecast.NewPrices(nil) }

// The parts of one forecast, worked out by hand.
func TestOnePartition(t *testing.T) {
	j := job(1)
	j.Interval, j.RunsPerMonth = 3600, 730
	f := forecast.Default().Run(j, list())

	assert.Equal(t, 520.0, f.Startup, "two cold clusters in series")
	assert.InDelta(t, 20+3*0.91/10, f.Discover, 1e-9, "3 pages, 10 at once")
	// 540,000 events; 180 a tag, so 400 tags a call fit 150,000 items: 8 calls, made 32 of even
	// width for the 32 connections; the server works on 10 at once.
	server := (32*0.91 + 3000*0.05) / 10
	events := 540000.0
	assert.InDelta(t, server, f.ServerBound[0], 1e-9)
	assert.InDelta(t, server+15+events*(3e-6/12+1e-6), f.Extract, 1e-9)
	assert.InDelta(t, 12+events*1e-6, f.Consolidate, 1e-9)
	assert.InDelta(t, 6+(0.91+5)/10, f.Validate, 1e-9)
	assert.InDelta(t, f.Startup+f.Discover+f.Extract+f.Consolidate+f.Validate, f.Total, 1e-9)
	assert.InDelta(t, 1.5*f.Total, f.Health, 1e-9)
	assert.Equal(t, forecast.LimitStartup, f.Bottleneck)
	assert.Equal(t, 730.0, f.Runs)

	orchestrator := f.Total/3600*0.226*2 + (f.Total-260)/3600*2*0.69*0.15
	extraction := (260+f.Extract)/3600*0.226*(1+3*0.45) + f.Extract/3600*4*0.69*0.15
	assert.InDelta(t, orchestrator+extraction, f.CostPerRun, 1e-9)
	assert.InDelta(t, 730*f.CostPerRun, f.CostPerMonth, 1e-6)
}

func TestStartupByKindOfCompute(t *testing.T) {
	m, j := forecast.Default(), job(10)
	assert.Equal(t, 520.0, m.Run(j, list()).Startup)
	assert.Equal(t, 260.0, m.Single(j, list()).Startup, "one cluster starts once")
	j.Compute.Pool.WorkerID = "p"
	assert.Equal(t, 110.0, m.Run(j, list()).Startup)
	j.Compute.Pool, j.Compute.Serverless = config.Pool{}, true
	assert.Equal(t, 40.0, m.Run(j, list()).Startup)
	j.Compute.Serverless, j.Compute.SingleCluster = false, true
	assert.Equal(t, m.Single(j, list()), m.Run(j, list()), "single_cluster is the single cluster")
}

// A run that is longer than its interval makes the next start be skipped, and
// costs accordingly less a month.
func TestSkippedStarts(t *testing.T) {
	f := forecast.Default().Run(job(10), list())
	require.Greater(t, f.Total, 600.0)
	require.Less(t, f.Total, 900.0)
	assert.Equal(t, 8760.0/3, f.Runs)
	assert.InDelta(t, 30000*180*900/3600.0, f.Events, 1e-6, "what came in during three intervals")
}

func TestMorePartitionsThanThreadsDoNotHelp(t *testing.T) {
	m := forecast.Default()
	ten := m.Run(job(10), list())
	assert.Greater(t, ten.ServerBound[0], 150.0, "30,000 tags x 50 ms by 10 threads")
	one := m.Single(job(10), list())
	assert.LessOrEqual(t, one.Extract, ten.Extract*1.2, "one cluster is as fast where the PI server is the limit")
	m.Request, m.Tag = 0.001, 0.0001
	assert.Equal(t, forecast.LimitStartup, m.Run(job(10), list()).Bottleneck)
}

func TestPoolIdleIsPaid(t *testing.T) {
	m, j := forecast.Default(), job(1)
	j.Compute.Pool = config.Pool{WorkerID: "p", MinIdle: 5}
	with := m.Run(j, list())
	assert.InDelta(t, 5*0.226*0.45*730, with.CostPerMonth-with.CostPerRun*with.Runs, 1e-6)
	j.First = false
	assert.Less(t, m.Run(j, list()).CostPerMonth, with.CostPerMonth, "once for all tiers")
}

// A bundle's own pools are two, of spot workers and of drivers on demand.
func TestOwnPoolsAreWarmAndPaid(t *testing.T) {
	m, j := forecast.Default(), job(10)
	cold := m.Run(j, list())
	j.Compute.Pool = config.Pool{MinIdle: 30}
	assert.Less(t, m.Run(j, list()).Startup, cold.Startup/2)
	j.First = false
	assert.InDelta(t, 30*(0.45+1)*0.226*730, m.IdleCost(j, list()), 1e-6)
}

// More extractions than the workspace runs at once run in waves, each with
// clusters of its own.
func TestWaves(t *testing.T) {
	m, j := forecast.Default(), job(10)
	j.Compute.MaxConcurrentTasks = 10
	one := m.Run(j, list())
	assert.Equal(t, 1, j.Waves())
	j.Compute.MaxConcurrentTasks = 4
	assert.Equal(t, 3, j.Waves())
	three := m.Run(j, list())
	assert.Equal(t, one.Startup+2*m.StartupClassic, three.Startup)
	assert.Greater(t, three.Extract, 2*one.Extract)
}

func TestPrices(t *testing.T) {
	assert.True(t, list().Knows("azure", "Standard_D4ds_v5"))
	assert.False(t, list().Knows("aws", "x9.huge"))
	assert.Equal(t, "m5d.xlarge", forecast.Nearest("aws", "m5dn.xlarge"))
	own := forecast.NewPrices(map[string]float64{"aws/x9.huge": 3, "aws/x9.huge/dbu": 2, "aws/jobs": 0.1})
	assert.True(t, own.Knows("aws", "x9.huge"))
	for _, p := range own.All() {
		assert.NotEmpty(t, p.Source, p.Key)
		if p.Source != "pipeline.yml, prices" {
			assert.NotEmpty(t, p.Date, p.Key)
			assert.NotEmpty(t, p.Unit, p.Key)
		}
	}
	j := job(2)
	cheap, dear := j, j
	cheap.Compute.NodeType, dear.Compute.NodeType = "m5d.xlarge", "x9.huge"
	m := forecast.Default()
	assert.Less(t, m.Run(cheap, own).CostPerRun, m.Run(dear, own).CostPerRun)
	unknown := j
	unknown.Compute.NodeType = "y1.unknown"
	assert.Equal(t, m.Run(j, list()), m.Run(unknown, list()), "an unknown type costs what the stand-in costs")
	for _, cloud := range []string{"aws", "azure", "gcp"} {
		assert.True(t, list().Knows(cloud, forecast.StandIn(cloud)))
	}
}

func TestEveryAssumptionHasItsSource(t *testing.T) {
	for _, a := range forecast.Default().Assumptions() {
		assert.NotEmpty(t, a.Source, a.Name)
		assert.NotEmpty(t, a.Unit, a.Name)
		assert.Positive(t, a.Value, a.Name)
	}
}

func TestTimeouts(t *testing.T) {
	m := forecast.Default()
	assert.Equal(t, 900, m.TimeoutSeconds(config.Compute{}, 60))
	assert.Equal(t, 1200, m.TimeoutSeconds(config.Compute{}, 300), "260 + 3 x 300, rounded up to 5 minutes")
}

// Whatever the job, times and costs are finite and positive. More events never
// make it faster. A further tag may, by bringing a further connection into use:
// that saves no more than a call of the least width takes.
func TestForecastIsMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := job(rapid.IntRange(1, 60).Draw(t, "partitions"))
		j.Interval = rapid.Float64Range(60, 86400).Draw(t, "interval")
		j.Compute.Serverless = rapid.Bool().Draw(t, "serverless")
		rate := rapid.Float64Range(0, 5e6).Draw(t, "rate")
		for i := range j.Partitions {
			j.Partitions[i].Tags = rapid.IntRange(1, 5000).Draw(t, "tags")
			j.Partitions[i].EventsPerHour = float64(j.Partitions[i].Tags) * rate / 1000
		}
		m := forecast.Default()
		before := m.Run(j, list())
		if !(before.Total > 0 && before.Total < 1e12 && before.CostPerRun > 0 && before.CostPerMonth < 1e12) {
			t.Fatalf("%+v", before)
		}
		single := m.Single(j, list())
		if !(single.Total > 0 && single.CostPerRun > 0) {
			t.Fatalf("%+v", single)
		}
		j.Partitions[0].EventsPerHour *= 1.5
		more := m.Run(j, list())
		if more.Total < before.Total-1e-6 && more.Runs >= before.Runs {
			t.Fatalf("more events took %g s instead of %g s", more.Total, before.Total)
		}
		j.Partitions[0].Tags++
		saved := m.Request + float64(m.LeastWidth)*m.Tag
		if after := m.Run(j, list()); after.Total < more.Total-saved && after.Runs >= more.Runs {
			t.Fatalf("a further tag took %g s instead of %g s", after.Total, more.Total)
		}
	})
}
