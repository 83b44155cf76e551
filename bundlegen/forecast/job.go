package forecast

import (
	"math"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// Job is one tier's job as the forecast sees it.
type Job struct {
	Compute       config.Compute
	Sites         []Site
	Partitions    []Partition
	Interval      float64 // seconds between two starts at their closest; > 0
	RunsPerMonth  float64 // starts of the schedule in a month of Model.HoursPerMonth
	SingleWorkers int     // workers of the one cluster, if one does all; 0 = single node
	First         bool    // the first tier's job: it pays for the pool's idle machines
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

	Health       float64   // seconds after which a run is reported as too long
	Partitions   []float64 // extraction of each partition, without start-up
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
	return m.settle(j, prices, j.Compute.SingleCluster)
}

// Single forecasts the same job with all its tasks on one cluster.
func (m Model) Single(j Job, prices Prices) Forecast {
	j.Compute.SingleCluster, j.Compute.Serverless = true, false
	return m.settle(j, prices, true)
}

// settle finds how many starts a run skips: the events that come in meanwhile
// make the run longer, so it is repeated until the number stands.
func (m Model) settle(j Job, prices Prices, single bool) Forecast {
	every := 1.0
	for round := 0; ; round++ {
		f := m.once(j, prices, single, every*j.Interval)
		need := max(1, math.Ceil(f.Total/j.Interval))
		if need <= every || round == 5 {
			f.Runs = j.RunsPerMonth / every
			f.CostPerMonth = f.CostPerRun*f.Runs + m.idle(j, prices)
			return f
		}
		every = need
	}
}

func (m Model) once(j Job, prices Prices, single bool, window float64) Forecast {
	start := m.Startup(j.Compute)
	f := Forecast{Startup: 2 * start, Discover: m.discover(j), Validate: m.validate(j)}
	if single {
		f.Startup = start
	}
	slowest := m.extract(j, prices, single, window, &f)
	j.inWaves(&f, start)
	f.Consolidate = m.Consolidate + f.Events*m.AppendPerEvent
	f.Total = f.Startup + f.Discover + f.Extract + f.Consolidate + f.Validate
	f.Health = m.HealthFactor * f.Total
	f.CostPerRun = m.cost(j, prices, single, start, f)
	switch {
	case f.Startup > f.Extract:
		f.Bottleneck = LimitStartup
	case slowest:
		f.Bottleneck = LimitServer
	default:
		f.Bottleneck = LimitPartition
	}
	return f
}

// Startup gives the seconds that one cluster takes to be ready.
func (m Model) Startup(c config.Compute) float64 {
	switch {
	case c.Serverless:
		return m.StartupServerless
	case c.Pool != (config.Pool{}):
		return m.StartupPool
	}
	return m.StartupClassic
}

func (m Model) discover(j Job) float64 {
	longest := 0.0
	for _, s := range j.Sites {
		pages := math.Ceil(float64(s.Tags) / float64(m.PointsPerPage))
		longest = max(longest, pages*m.Request/m.atOnce(s.Connections))
	}
	return m.DiscoverFixed + longest
}

func (m Model) validate(j Job) float64 {
	work := make([]float64, len(j.Sites))
	for _, p := range j.Partitions {
		work[p.Site] += m.Request + float64(min(m.ValidateTags, p.Tags))*m.Tag
	}
	longest := 0.0
	for i, s := range j.Sites {
		longest = max(longest, work[i]/m.atOnce(s.Connections))
	}
	return m.ValidateFixed + longest
}

// atOnce gives the requests that a server works on at once for that many connections.
func (m Model) atOnce(connections int) float64 {
	return max(1, min(float64(connections), m.Threads))
}

// extract fills in what concerns extraction, and says whether a PI server is what limits it.
func (m Model) extract(j Job, prices Prices, single bool, window float64, f *Forecast) (server bool) {
	f.Partitions = make([]float64, len(j.Partitions))
	f.ServerBound = make([]float64, len(j.Sites))
	f.Calls = make([]float64, len(j.Sites))
	values := make([]float64, len(j.Sites))
	alone := make([]float64, len(j.Partitions))
	for i, p := range j.Partitions {
		events := p.EventsPerHour * window / 3600
		calls, work := m.requests(p, events)
		alone[i] = max(work/max(1, min(float64(p.Connections), calls)), calls/max(1, p.RequestsPerSecond))
		f.Events += events
		f.Calls[p.Site] += calls
		f.ServerBound[p.Site] += work / m.Threads
		values[p.Site] += events / m.ValuesPerSecond
	}
	for s, site := range j.Sites {
		f.ServerBound[s] = max(f.ServerBound[s], values[s], f.Calls[s]/max(1, site.RequestsPerSecond))
	}
	cores := float64(prices.node(j.Compute.Cloud, j.Compute.NodeType).cores)
	for i, p := range j.Partitions {
		events := p.EventsPerHour * window / 3600
		reading := max(alone[i], f.ServerBound[p.Site])
		machines := max(1, p.Workers)
		if j.Compute.Serverless {
			machines = 1 // its executors cannot reach the PI server: the shards run beside the driver
		}
		f.Partitions[i] = reading + m.land(events, cores*float64(machines))
		if f.Partitions[i] > f.Extract {
			f.Extract, server = f.Partitions[i], f.ServerBound[p.Site] > alone[i]
		}
	}
	if single {
		return m.extractSingle(j, alone, cores, f)
	}
	return server
}

// extractSingle is extraction with all shards on one cluster, one a core.
func (m Model) extractSingle(j Job, alone []float64, cores float64, f *Forecast) (server bool) {
	cores *= float64(max(1, j.SingleWorkers))
	longest, queued, bound := 0.0, 0.0, 0.0
	for i, p := range j.Partitions {
		longest = max(longest, alone[i])
		queued += alone[i] * float64(p.Shards) / cores
	}
	for _, b := range f.ServerBound {
		bound = max(bound, b)
	}
	rounds := math.Ceil(float64(len(j.Partitions)) / float64(m.AtOnce))
	f.Extract = max(longest, queued, bound) + m.land(f.Events, cores) +
		(rounds-1)*float64(m.Statements)*m.Statement
	return bound >= max(longest, queued)
}

// requests gives the calls that a partition needs for its events, and the
// seconds of a server's thread that they take. Calls are as wide as the URL and
// the server's limit of items allow, in equal parts for as many of its
// connections as have enough to do.
func (m Model) requests(p Partition, events float64) (calls, work float64) {
	tags := float64(p.Tags)
	if tags == 0 {
		return 0, 0
	}
	perTag := events / tags
	limit := float64(max(1, p.ItemsPerCall))
	pages := max(1, math.Ceil(perTag/limit))
	width := max(1, min(float64(m.TagsPerCall), math.Floor(limit/max(1, perTag))))
	connections := max(1, min(float64(p.Connections), math.Ceil(tags/float64(m.LeastWidth))))
	calls = math.Ceil(tags / width)
	calls = min(tags, math.Ceil(calls/connections)*connections) * pages
	return calls, calls*m.Request + tags*pages*m.Tag
}

// land gives the seconds from responses to rows in bronze.
func (m Model) land(events, cores float64) float64 {
	return float64(m.Statements)*m.Statement + events*(m.StagePerEvent/cores+m.AppendPerEvent)
}

// TimeoutSeconds gives an extraction task's timeout: its cluster's start-up and
// several times its forecast, since it also catches up after an outage.
func (m Model) TimeoutSeconds(c config.Compute, extract float64) int {
	seconds := max(m.TimeoutAtLeast, m.Startup(c)+m.TimeoutFactor*extract)
	return int(math.Ceil(seconds/m.TimeoutMultiple) * m.TimeoutMultiple)
}
