// Package plan is the plan: a value that says which tags go to which partition,
// on what compute, how long that takes and what it costs. Build makes it, Diff
// compares it with the bundle that is there; nothing here does I/O but reading
// a previous bundle's manifests.
package plan

import (
	"time"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Version is the version of plan.json and of `plan --output json`. It only grows.
const Version = 1

// Plan is what is emitted. The same inventory, configuration and previous
// bundle give the same Plan.
type Plan struct {
	Version    int         `json:"version"`
	ID         string      `json:"plan_id"` // hash of the assignment and the configuration
	Name       string      `json:"name"`
	Catalog    string      `json:"catalog"`
	Tags       int         `json:"tags"`
	Sites      []Site      `json:"sites"`
	Tiers      []Tier      `json:"tiers"`
	Partitions []Partition `json:"partitions"` // in order of ID
	Forecast   Forecast    `json:"forecast"`   // of the first tier's job
	Warnings   []Warning   `json:"warnings"`
}

// Site is a site's part of the plan.
type Site struct {
	Name       string          `json:"name"`
	Tags       int             `json:"tags"`
	Partitions int             `json:"partitions"`
	Limits     manifest.Limits `json:"limits"` // the whole budget
	Used       manifest.Limits `json:"used"`   // the sum of its partitions' shares
}

// Tier is one job.
type Tier struct {
	Name       string        `json:"name"`
	JobKey     string        `json:"job"` // NAME_orchestrator[_TIER]
	Every      time.Duration `json:"every_ns,omitempty"`
	Cron       string        `json:"cron"` // Quartz; from Every where the file gives that
	Tags       int           `json:"tags"`
	Partitions int           `json:"partitions"`
	Forecast   Forecast      `json:"forecast"`
}

// Partition is the tags that one extraction task owns.
type Partition struct {
	ID            int             `json:"partition_id"`
	Site          string          `json:"site"`
	Tier          string          `json:"tier"`
	Tags          int             `json:"tags"`
	EventsPerHour float64         `json:"events_per_hour"` // sum over the tags; negative when unknown for all
	Weight        float64         `json:"weight"`
	Workers       int             `json:"workers"` // 0 = single node
	Shards        int             `json:"shards"`  // ceil(tags / tags_per_worker)
	Cluster       string          `json:"cluster"` // the complex variable that holds the cluster's spec
	Limits        manifest.Limits `json:"limits"`  // this partition's share of its site's budget
	Seconds       float64         `json:"seconds"` // forecast of extraction, without start-up
	TimeoutSecs   int             `json:"timeout_seconds"`

	Members []inventory.Tag `json:"-"` // sorted by name, then point id
}

// Forecast is the time and cost of one run of a job.
type Forecast struct {
	StartupSeconds     float64 `json:"startup_seconds"` // cluster start-ups that are in series
	DiscoverSeconds    float64 `json:"discover_seconds"`
	ExtractSeconds     float64 `json:"extract_seconds"` // the slowest partition
	ConsolidateSeconds float64 `json:"consolidate_seconds"`
	TotalSeconds       float64 `json:"total_seconds"`
	HealthSeconds      int     `json:"health_seconds"` // 1.5 x the total: what the health rule warns at
	CostPerRun         float64 `json:"cost_per_run_usd"`
	CostPerMonth       float64 `json:"cost_per_month_usd"`
	SingleSeconds      float64 `json:"single_cluster_seconds"` // the same on one cluster
	SingleCostPerRun   float64 `json:"single_cluster_cost_per_run_usd"`
	Bottleneck         string  `json:"bottleneck"` // what limits it: start-up, pi-server, partition
}

// Warning is something that an expert would point at, with what to do.
type Warning struct {
	Code    string   `json:"code"` // stable, kebab-case
	Message string   `json:"message"`
	Advice  []string `json:"advice"` // each a change that can be made as it stands
}
