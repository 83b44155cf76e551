package plan

import (
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Version is the version of plan.json and of `plan --output json`. It only grows.
// Version 2 holds warnings as figures, where version 1 had sentences.
const Version = 2

// Plan is what is emitted. The same inventory, configuration and previous
// bundle give the same Plan.
type Plan struct {
	Version  int    `json:"version"`
	ID       string `json:"plan_id"`     // hash of the assignment and the settings
	Settings string `json:"settings_id"` // hash of what pipeline.yml says, without prices and paths

	Values map[string]string `json:"settings,omitempty"` // the same by its keys, such as extract.backfill, with defaults; no secret

	Name       string      `json:"name"`
	Catalog    string      `json:"catalog"`
	Tags       int         `json:"tags"`
	LeftOut    int         `json:"left_out,omitempty"` // rows of tier none
	Sites      []Site      `json:"sites"`
	Tiers      []Tier      `json:"tiers"`          // those that have tags, in the order of pipeline.yml
	Partitions []Partition `json:"partitions"`     // in order of ID
	Forecast   Forecast    `json:"forecast"`       // of the first tier's job
	Pool       *Pool       `json:"pool,omitempty"` // the machines that are kept warm, if any
	Grants     []Grant     `json:"grants"`         // one for each target with a service principal
	Warnings   []Warning   `json:"warnings"`
	Assumed    Assumed     `json:"assumed"`

	Left []inventory.Tag `json:"-"` // the rows of tier none, in order of site and name

	previous    *Previous // what origins refer to
	assumedRate float64   // events an hour of a tag of unknown rate
}

// Assumed is what the forecasts rest on.
type Assumed struct {
	Constants   []constants.Constant `json:"constants"`             // each with where its value is from
	Prices      []forecast.Price     `json:"prices"`                // those of this plan's cloud and node types
	Calibration string               `json:"calibration,omitempty"` // the file of measured constants, where one is in use
}

// Site is a site's part of the plan.
type Site struct {
	Name       string          `json:"name"`
	Tags       int             `json:"tags"`
	Partitions int             `json:"partitions"`
	Limits     manifest.Limits `json:"limits"`               // the whole budget
	Used       manifest.Limits `json:"used"`                 // the sum of its partitions' shares
	Calls      float64         `json:"calls_per_run"`        // forecast of the requests for events in one run of each tier
	Bound      float64         `json:"server_bound_seconds"` // the least that its PI server takes for them, however many partitions ask
}

// Tier is one job.
type Tier struct {
	Name       string        `json:"name"`
	JobKey     string        `json:"job"` // NAME_orchestrator[_TIER]
	Every      time.Duration `json:"every_ns,omitempty"`
	Cron       string        `json:"cron"`                 // Quartz; from Every where the file gives that; "" when Continuous
	Continuous bool          `json:"continuous,omitempty"` // its tasks loop, each Every; the forecast is of one loop
	Cadence    time.Duration `json:"cadence_ns"`           // the least time between two runs
	Tags       int           `json:"tags"`
	Partitions int           `json:"partitions"`
	Sites      int           `json:"sites"` // that have tags in this tier
	MinTags    int           `json:"min_tags"`
	MaxTags    int           `json:"max_tags"`
	Waves      int           `json:"waves"` // how often compute.max_concurrent_tasks of extractions begin, one after the other
	Compute    Compute       `json:"compute"`
	Forecast   Forecast      `json:"forecast"`
	FirstRun   FirstRun      `json:"first_run"`
}

// FirstRun is the forecast of a run that finds nothing landed: it reads
// extract.backfill back, of all tags.
type FirstRun struct {
	BackSeconds    float64 `json:"back_seconds"`
	Events         float64 `json:"events"`
	Seconds        float64 `json:"seconds"`         // if no timeout ended it
	TimeoutSeconds int     `json:"timeout_seconds"` // of the partition that it leaves the least time
	Runs           int     `json:"runs"`            // that share it; 1 = the timeout holds
	CostUSD        float64 `json:"cost_usd"`        // if no timeout ended it
}

// Pool is the machines that a warm pool keeps idle for production.
type Pool struct {
	Workers      int     `json:"idle_workers"` // spot, where the bundle makes the pools
	Drivers      int     `json:"idle_drivers"` // on demand
	CostPerMonth float64 `json:"cost_per_month_usd"`
}

// LoopSeconds is how long the tasks of a continuous tier loop before their job
// starts them again, and loopSlack the time they have to end.
const (
	LoopSeconds = 6 * 3600
	loopSlack   = 3600
)

// MaxTasks is the most tasks that Databricks takes in one job. A continuous job
// cannot run others, so that it is also the most partitions of a continuous tier.
const MaxTasks = 1000

// SingleMaxTasks is how many extraction tasks one cluster bears: 150 execution
// contexts (Databricks' limit), less a reserve.
const SingleMaxTasks = 140

// Kinds of compute.
const (
	ComputeSeparate   = "separate"   // a cluster for each extraction task, one for the orchestrator
	ComputeSingle     = "single"     // one cluster for all tasks
	ComputeServerless = "serverless" // no clusters
)

// Compute is what one run of a tier's job runs on.
type Compute struct {
	Kind     string `json:"kind"`
	Pool     bool   `json:"pool"`     // machines come from a warm pool
	Clusters int    `json:"clusters"` // of extraction, so without the orchestrator's
	Workers  int    `json:"workers"`  // of all extraction clusters together
	Min      int    `json:"least_workers"`
	Max      int    `json:"most_workers"` // of one cluster; 0 = single node
}

// Partition is the tags that one extraction task owns.
type Partition struct {
	ID            int             `json:"partition_id"`
	Site          string          `json:"site"`
	Tier          string          `json:"tier"`
	Tags          int             `json:"tags"`
	EventsPerHour float64         `json:"events_per_hour"` // sum over the tags of known rate; negative when unknown for all
	Weight        float64         `json:"weight"`          // expected events an hour: unknown rates count with the assumed one
	Workers       int             `json:"workers"`         // 0 = single node
	Shards        int             `json:"shards"`          // ceil(tags / tags_per_worker)
	Cluster       string          `json:"cluster"`         // the complex variable that holds the cluster's spec
	Limits        manifest.Limits `json:"limits"`          // this partition's share of its site's budget
	Seconds       float64         `json:"seconds"`         // forecast of extraction, without start-up
	TimeoutSecs   int             `json:"timeout_seconds"`

	Members []inventory.Tag `json:"-"` // sorted by name; site and tier are filled in

	webIDs  float64  // bytes that a tag's WebID takes of a URL, on average; 0 = not known for all
	origins []origin // where each member was in the bundle that the plan was built on
	moves   *moves   // how the tags of its site and tier were assigned
}

// Forecast is the time and cost of one run of a job.
type Forecast struct {
	StartupSeconds     float64 `json:"startup_seconds"` // cluster start-ups that are in series
	DiscoverSeconds    float64 `json:"discover_seconds"`
	ExtractSeconds     float64 `json:"extract_seconds"` // the slowest partition, and the expected value of retries and spot loss
	RetrySeconds       float64 `json:"retry_seconds"`   // that expected value
	ConsolidateSeconds float64 `json:"consolidate_seconds"`
	ValidateSeconds    float64 `json:"validate_seconds"`
	TotalSeconds       float64 `json:"total_seconds"`
	LeftSeconds        float64 `json:"cadence_left_seconds"` // from the end of a run to the next start; negative where it is due before
	HealthSeconds      int     `json:"health_seconds"`       // 1.5 x the total: what the health rule warns at
	CostPerRun         float64 `json:"cost_per_run_usd"`
	CostPerMonth       float64 `json:"cost_per_month_usd"`
	SingleSeconds      float64 `json:"single_cluster_seconds"` // the same on one cluster
	SingleCostPerRun   float64 `json:"single_cluster_cost_per_run_usd"`
	SingleCostPerMonth float64 `json:"single_cluster_cost_per_month_usd"`
	EventsPerRun       float64 `json:"events_per_run"`
	RunsPerMonth       float64 `json:"runs_per_month"` // that really start: a start is skipped while a run goes on
	Bottleneck         string  `json:"bottleneck"`     // what limits it: start-up, pi-server, partition
}
