package forecast

import (
	"math"
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// Job is one tier's job as the forecast sees it.
type Job struct {
	Compute       config.Compute
	Sites         []Site
	Partitions    []Partition
	Interval      float64 // seconds between two starts at their closest; > 0
	MaxWindow     float64 // seconds of a tag that one batch reads at most; 0 = any
	RunsPerMonth  float64 // starts of the schedule in a month of Model.HoursPerMonth
	SingleWorkers int     // workers of the one cluster, if one does all; 0 = single node
	First         bool    // the first tier's job: it pays for the pool's idle machines

	serial bool // one call after the other
}

// Site is one PI Web API server and its whole budget.
type Site struct {
	Tags              int // of this job
	Connections       int
	RequestsPerSecond float64
}

// Partition is one extraction task.
type Partition struct {
	Site              int // index in Job.Sites
	Tags              int
	EventsPerHour     float64 // of all tags together, with the assumed rate where none is known
	Workers           int     // of its own cluster; 0 = single node
	Shards            int
	Connections       int
	RequestsPerSecond float64
	ItemsPerCall      int
	WebIDBytes        float64 // that a tag takes of a URL, on average; 0 = not known
}

// What limits a run.
const (
	LimitStartup   = "start-up"
	LimitServer    = "pi-server"
	LimitPartition = "partition"
)

// Forecast is the time (seconds) and cost (USD) of one run.
type Forecast struct {
	Startup, Discover, Extract, Consolidate, Validate, Total float64

	Retry        float64   // the part of Extract that is the expected value of what is done again
	Health       float64   // seconds after which a run is reported as too long
	Partitions   []float64 // extraction of each partition, without start-up and without Retry
	ServerBound  []float64 // of each site: the least its PI server takes, however many partitions ask
	Calls        []float64 // of each site
	Events       float64   // of one run
	Runs         float64   // a month that really start: a start is skipped while a run goes on
	CostPerRun   float64
	CostPerMonth float64
	Bottleneck   string
}

// Run forecasts a run of the job on the compute that it names.
func (m Model) Run(j Job, prices Prices) Forecast {
	return m.settle(j, prices)
}

// Single forecasts the same job with all its tasks on one cluster.
func (m Model) Single(j Job, prices Prices) Forecast {
	j.Compute.SingleCluster, j.Compute.Serverless = true, false
	return m.settle(j, prices)
}

// Sequential forecasts what the job would take without any of this: one machine
// that asks for one tag after the other.
func (m Model) Sequential(j Job, prices Prices) Forecast {
	m.TagsPerCall = 1
	j.Compute.SingleCluster, j.Compute.Serverless, j.SingleWorkers, j.serial = true, false, 0, true
	j.Partitions = slices.Clone(j.Partitions)
	for i := range j.Partitions {
		p := &j.Partitions[i]
		p.Connections, p.Shards, p.WebIDBytes = 1, 1, 0
	}
	return m.settle(j, prices)
}

// First forecasts a run that finds nothing landed, and so reads back seconds of
// each tag. It is read in batches that stay landed, so that what is done again is
// a small part of it, which the forecast leaves out. looping says that its
// clusters are up all the time.
func (m Model) First(j Job, prices Prices, back float64, looping bool) Forecast {
	m.TaskFailures, m.SpotLosses = 0, 0
	f := m.once(j, prices, back)
	if looping {
		f.Total = f.Extract
		f.CostPerRun = m.alwaysOn(j, prices) * f.Total / (m.HoursPerMonth * hour)
	}
	return f
}

// settle finds how many starts a run skips: the events that come in meanwhile
// make the run longer, so it is repeated until the number stands.
func (m Model) settle(j Job, prices Prices) Forecast {
	every := 1.0
	for round := 0; ; round++ {
		f := m.once(j, prices, every*j.Interval)
		need := max(1, math.Ceil(f.Total/j.Interval))
		if need <= every || round == 5 {
			f.Runs = j.RunsPerMonth / every
			f.CostPerMonth = f.CostPerRun*f.Runs + m.idle(j, prices)
			return f
		}
		every = need
	}
}

// once forecasts a run that reads the events of window seconds.
func (m Model) once(j Job, prices Prices, window float64) Forecast {
	f := Forecast{Startup: m.startup(j), Discover: m.discover(j), Validate: m.validate(j)}
	server := m.extract(j, prices, window, &f)
	j.inWaves(&f, m.extractionStart(j))
	f.Consolidate = m.Consolidate + f.Events*m.AppendPerEvent
	f.Total = f.Startup + f.Discover + f.Extract + f.Consolidate + f.Validate
	f.Health = m.HealthFactor * f.Total
	f.CostPerRun = m.cost(j, prices, f)
	switch {
	case f.Startup > f.Extract:
		f.Bottleneck = LimitStartup
	case server:
		f.Bottleneck = LimitServer
	default:
		f.Bottleneck = LimitPartition
	}
	return f
}

// Startup returns the seconds that one cluster takes until a task can begin on it.
func (m Model) Startup(c config.Compute) float64 {
	switch {
	case c.Serverless:
		return m.StartupServerless + m.InstallServerless
	case c.Pool != (config.Pool{}):
		return m.StartupPool + m.InstallCluster
	}
	return m.StartupClassic + m.InstallCluster
}

// startup returns the seconds of all start-ups that are in series.
func (m Model) startup(j Job) float64 {
	if j.Compute.SingleCluster {
		return m.extractionStart(j)
	}
	return m.Startup(j.Compute) + m.extractionStart(j)
}

// extractionStart is the start-up of the clusters of the extraction: a pool that
// keeps too few idle machines for all of them makes the last ones wait for cold ones.
func (m Model) extractionStart(j Job) float64 {
	if own := j.Compute.Pool.WorkerID == ""; own && j.Compute.Pool.MinIdle < j.Idle() {
		j.Compute.Pool = config.Pool{}
	}
	return m.Startup(j.Compute)
}

// Idle returns the idle machines that a run finds all its machines among. The
// bundle keeps as many in its pool of workers as in its pool of drivers.
func (j Job) Idle() int { return max(j.machines()) }

// machines counts the machines that a run's clusters need at once, with the
// orchestrator's; none on serverless.
func (j Job) machines() (drivers, workers int) {
	switch {
	case j.Compute.Serverless:
		return 0, 0
	case j.Compute.SingleCluster:
		return 1, j.SingleWorkers
	}
	drivers, workers = 1, orchestratorWorkers
	for _, p := range j.Partitions {
		drivers, workers = drivers+1, workers+p.Workers
	}
	return drivers, workers
}

// discover returns the seconds of the discover task, which lists all sites at once, each
// page by page.
func (m Model) discover(j Job) float64 {
	pages := 0.0
	for _, s := range j.Sites {
		pages = max(pages, math.Ceil(float64(s.Tags)/m.PointsPerPage))
	}
	return m.DiscoverFixed + pages*m.Request
}

// validate returns the seconds of the validate task, which counts one site after the
// other.
func (m Model) validate(j Job) float64 {
	seconds := m.ValidateFixed
	for _, p := range j.Partitions {
		work := m.Request + min(m.ValidateTags, float64(p.Tags))*m.Tag
		seconds += work / m.atOnce(j.Sites[p.Site].Connections)
	}
	return seconds
}

// atOnce returns the requests that a server works on at once for that many connections.
func (m Model) atOnce(connections int) float64 {
	return max(1, min(float64(connections), m.Threads))
}

// TimeoutSeconds returns an extraction task's timeout, counted from when its cluster
// is ready: several times its forecast, since it also catches up after an outage.
func (m Model) TimeoutSeconds(extract float64) int {
	seconds := max(m.MinTimeout, m.TimeoutFactor*extract)
	return int(math.Ceil(seconds/m.TimeoutMultiple) * m.TimeoutMultiple)
}
