package forecast_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
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
	assert.InDelta(t, 20+0.91, f.Discover, 1e-9, "a page")
	// 540,000 events; 180 a tag, 233 items with the room for more, so 400 tags a call fit 150,000
	// items: 8 calls, made 32 of even width for the 32 connections, of which the server works on 10
	// at once: 4 times one call. One in a hundred is made again.
	server := 1.01 * 4 * (0.91 + 3000*0.05/32)
	events := 540000.0
	assert.InDelta(t, server, f.ServerBound[0], 1e-9)
	partition := 0.91 + server + 15 + events*(3e-6/12+1e-6)
	assert.InDelta(t, partition, f.Partitions[0], 1e-9)
	fails := 1 - 0.995*math.Exp(-0.001*3*partition/3600)
	assert.InDelta(t, fails*(60+partition/2), f.Retry, 1e-9)
	assert.InDelta(t, partition+f.Retry, f.Extract, 1e-9)
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

// What bounds a call's width, and what each bound does to the number of calls.
func TestCalls(t *testing.T) {
	calls := func(change func(*forecast.Partition)) float64 {
		j := job(1)
		j.Interval, j.RunsPerMonth = 3600, 730
		change(&j.Partitions[0])
		return forecast.Default().Run(j, list()).Calls[0]
	}
	assert.Equal(t, 32.0, calls(func(p *forecast.Partition) {}), "as many as there are connections")
	assert.Equal(t, 8.0, calls(func(p *forecast.Partition) { p.Connections = 1 }), "400 tags fit a URL with short WebIDs")
	assert.Equal(t, 20.0, calls(func(p *forecast.Partition) { p.Connections, p.WebIDBytes = 1, 100 }), "154 with long ones")
	assert.Equal(t, 120.0, calls(func(p *forecast.Partition) { p.Connections = 200 }), "no less than 25 tags each for the sake of connections")
	assert.Equal(
		t,
		91.0,
		calls(func(p *forecast.Partition) { p.Connections, p.EventsPerHour = 1, 3000*3600 }),
		"33 tags of an event a second fit the items of a call",
	)
	assert.Equal(
		t,
		30.0,
		calls(func(p *forecast.Partition) { p.Tags, p.EventsPerHour = 10, 10*360_000 }),
		"a tag a call, 3 pages of 150,000 items each",
	)
}

// A window longer than extract.max_window is read in batches, each with its statements.
func TestBatches(t *testing.T) {
	m, j := forecast.Default(), job(1)
	j.Interval, j.RunsPerMonth, j.MaxWindow = 24*3600, 30, 6*3600
	f := m.Run(j, list())
	calls := f.Calls[0] / 4
	assert.Equal(t, math.Trunc(calls), calls)
	j.MaxWindow = 0
	whole := m.Run(j, list())
	assert.GreaterOrEqual(t, f.Partitions[0]-whole.Partitions[0], 3*m.Statements*m.Statement)
}

func TestRetriesAndSpotLoss(t *testing.T) {
	m, j := forecast.Default(), job(10)
	expected := m.Run(j, list())
	assert.Positive(t, expected.Retry)
	never := m
	never.TaskFailures, never.SpotLosses = 0, 0
	assert.Zero(t, never.Run(j, list()).Retry)
	assert.Less(t, never.Run(j, list()).CostPerRun, expected.CostPerRun, "what is done again is paid again")
	more := m
	more.SpotLosses = 1
	assert.Greater(t, more.Run(j, list()).Retry, expected.Retry)
	serverless := j
	serverless.Compute.Serverless = true
	assert.Equal(t, m.Run(serverless, list()).Retry, more.Run(serverless, list()).Retry, "serverless has no spot machines")
	j.SingleWorkers, j.Compute.SingleCluster = 4, true
	assert.Greater(t, more.Run(j, list()).Retry, m.Run(j, list()).Retry)
}

// On serverless a task has one machine, however many its partition would have of its own.
func TestServerlessStagesOnOneMachine(t *testing.T) {
	m, j := forecast.Default(), job(1)
	j.Interval, j.RunsPerMonth = 3600, 730
	separate := m.Run(j, list())
	j.Compute.Serverless = true
	assert.InDelta(t, 540000*3e-6*(1.0/4-1.0/12), m.Run(j, list()).Partitions[0]-separate.Partitions[0], 1e-9)
}

func TestStartupByKindOfCompute(t *testing.T) {
	m, j := forecast.Default(), job(10)
	assert.Equal(t, 520.0, m.Run(j, list()).Startup)
	assert.Equal(t, 260.0, m.Single(j, list()).Startup, "one cluster starts once")
	j.Compute.Pool.WorkerID = "p"
	assert.Equal(t, 110.0, m.Run(j, list()).Startup)
	j.Compute.Pool, j.Compute.Serverless = config.Pool{}, true
	assert.Equal(t, 40.0, m.Run(j, list()).Startup)
	j.Compute.Serverless, j.Compute.Pool = false, config.Pool{MinIdle: 31}
	assert.Equal(t, 110.0, m.Run(j, list()).Startup, "11 drivers and 31 workers are warm")
	j.Compute.Pool.MinIdle--
	assert.Equal(t, 55.0+260, m.Run(j, list()).Startup, "the last worker is not")
	j.Compute.Pool, j.Compute.SingleCluster = config.Pool{}, true
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
	j.First, j.Compute.Pool.WorkerID = true, ""
	own := m.Run(j, list())
	assert.InDelta(t, 5*0.226*1.45*730, own.CostPerMonth-own.CostPerRun*own.Runs, 1e-6, "as many drivers on demand as workers")
}

// A bundle's own pools are two, of spot workers and of drivers on demand.
func TestOwnPoolsAreWarmAndPaid(t *testing.T) {
	m, j := forecast.Default(), job(10)
	cold := m.Run(j, list())
	j.Compute.Pool = config.Pool{MinIdle: j.Idle()}
	assert.Equal(t, 31, j.Idle(), "30 workers of extractions, 1 of the orchestrator")
	assert.Less(t, m.Run(j, list()).Startup, cold.Startup/2)
	j.First = false
	assert.InDelta(t, 31*(0.45+1)*0.226*730, m.IdleCost(j, list()), 1e-6)
	j.Compute.Pool.MinIdle--
	assert.Greater(t, m.Run(j, list()).Startup, cold.Startup/2, "the last cluster waits for a cold machine")
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
	assert.Equal(t, one.Startup+2*m.Startup(j.Compute), three.Startup)
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

// Every constant of the list is one of the model, and the other way round.
func TestModelOfConstants(t *testing.T) {
	for _, c := range constants.Defaults() {
		replaced := forecast.New(constants.Resolve(constants.Of(map[string]float64{c.Name: c.Value + 1}, "a test")))
		assert.NotEqual(t, forecast.Default(), replaced, c.Name)
	}
	assert.Equal(t, reflect.TypeFor[forecast.Model]().NumField(), len(constants.Defaults()))
	assert.Equal(t, forecast.Default(), forecast.New(nil))
}

func TestTimeouts(t *testing.T) {
	m := forecast.Default()
	assert.Equal(t, 900, m.TimeoutSeconds(60))
	assert.Equal(t, 1200, m.TimeoutSeconds(310), "3 x 310, rounded up to 5 minutes")
}

// Whatever the job, times and costs are finite and positive. More events, or a
// further tag, make it faster only by bringing a further connection into use:
// that saves no more than a few calls of the least width take.
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
		saved := m.Request + 3*m.MinWidth*m.Tag
		j.Partitions[0].EventsPerHour *= 1.5
		more := m.Run(j, list())
		if more.Total < before.Total-saved && more.Runs >= before.Runs {
			t.Fatalf("more events took %g s instead of %g s", more.Total, before.Total)
		}
		j.Partitions[0].Tags++
		if after := m.Run(j, list()); after.Total < more.Total-saved && after.Runs >= more.Runs {
			t.Fatalf("a further tag took %g s instead of %g s", after.Total, more.Total)
		}
	})
}
