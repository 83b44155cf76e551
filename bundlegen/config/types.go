// Package config is pipeline.yml: what a person writes, read strictly, with
// every default filled in. It is the sole importer of the YAML decoder.
package config

import (
	"cmp"
	"time"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Version is the version of pipeline.yml that this program reads and writes.
const Version = 1

// CalibrationFile is the file of measured constants beside pipeline.yml, unless
// `calibration` names another.
const CalibrationFile = "calibration.json"

// Pipeline is a pipeline.yml with all defaults filled in.
type Pipeline struct {
	Version    int    `key:"-"`
	Name       string // letters, digits, _ and -: job names and resource keys are made of it
	Catalog    string
	Inventory  string `key:"-"` // as written: relative to Dir
	Output     string `key:"-"` // folder of emitted bundles, as written: relative to Dir; the bundle is Output/Name
	Sites      []Site
	Sizing     Sizing
	Tiers      []Tier // at least one; the first is the default tier
	Extract    Extract
	Compute    Compute
	Targets    []Target // in the file's order; dev and prod if the file names none
	Monitoring Monitoring
	Prices     map[string]float64 `key:"-"` // overrides, by the key of the price table: cloud/what, cloud/node type, cloud/node type/dbu

	Forecast    map[string]float64 `json:",omitempty"` // overrides of the forecast's constants, by their names
	Calibration string             `json:"-" key:"-"`  // measured constants, as written: relative to Dir; "" = CalibrationFile, if it is there

	Region    string   `json:",omitempty"`                              // the one that InRegion has cut out; "" = all
	Elsewhere []string `json:",omitempty" key:"sites of other regions"` // names of the sites of other regions, where Region is set

	File string `key:"-"` // pipeline.yml itself, as given on the command line
	Dir  string `key:"-"` // its folder: what relative paths are relative to

	places map[string]string // see Place
}

// Site is one PI Web API endpoint.
type Site struct {
	Name       string
	URL        string // normalized: scheme://host[:port][/prefix]/piwebapi
	DataServer string
	Region     string // of the cloud: whose bundle the site belongs to; "" = there is one bundle
	Auth       Auth
	TLS        TLS
	Proxy      string // http, https or socks5; "" = as the environment says
	Limits     Limits
	Retry      Retry
	Points     manifest.Points `json:",omitzero"`  // which points belong into the inventory
	AdoptNew   bool            `json:",omitempty"` // new points join partitions in a run
	Task       Task            `json:",omitzero"`
}

// Auth is how a site is authenticated to.
type Auth struct {
	Kind      string // basic, bearer, kerberos, anonymous
	Username  string
	Password  Secret
	Token     Secret
	Principal string // kerberos
	Keytab    Secret
	Krb5Conf  string `key:",base"`
	SPN       string
}

// Secret is where a secret is found, never the secret.
type Secret struct {
	Env    string // environment variable on this machine and, with Scope/Key's value, on the cluster; made of the site's name if the file gives the scope/key alone
	Secret string // scope/key on Databricks; "" if the file names none
}

// TLS is what the site's certificate is verified with beside the system's roots.
type TLS struct {
	CAFile string `key:",base"`     // PEM; public, so its content is copied into the bundle
	CA     Secret `key:"ca_secret"` // ca_secret
}

// Limits is a site's whole request budget.
type Limits struct {
	RequestsPerSecond float64 // default 500 (half of the server's 1000: others use it too)
	Connections       int     // default 32
	ItemsPerCall      int     // default 150000
	Points            int     `json:",omitempty" key:",unset"` // the most points that the site may list; 0 = 1,000,000
}

// Retry is the policy for one request.
type Retry struct {
	Attempts int           // default 5
	Backoff  time.Duration // default 500ms
	Timeout  time.Duration // default 120s
}

// Task is how Databricks treats the site's extraction tasks, but for those of
// continuous tiers, which their jobs start again themselves. The zero value is the
// default.
type Task struct {
	MaxRetries       *int          // nil = 3; 0 = none
	MinRetryInterval time.Duration `key:",unset"` // from the start of the attempt that failed; 0 = 1m
	Timeout          time.Duration `key:",unset"` // of one attempt; 0 = made of the forecast
}

// What a task does where pipeline.yml does not say.
const (
	defaultRetries       = 3
	defaultRetryInterval = time.Minute
)

// Retries returns how often a task that failed is tried again.
func (t Task) Retries() int {
	if t.MaxRetries == nil {
		return defaultRetries
	}
	return *t.MaxRetries
}

// RetryInterval returns the least time from the start of a failed attempt to the next.
func (t Task) RetryInterval() time.Duration { return cmp.Or(t.MinRetryInterval, defaultRetryInterval) }

// Sizing is how tags become partitions.
type Sizing struct {
	MinTags       int // 2000
	TargetTags    int // 3000
	MaxTags       int // 5000
	TagsPerWorker int // 1000
}

// Tier is a cadence class; one job each.
type Tier struct {
	Name       string
	Every      time.Duration `key:",unset"` // 0 when Cron is given
	Cron       string        // Quartz, 6 or 7 fields
	Sizing     *Sizing       // nil: the general one
	Continuous bool          `json:",omitempty"` // runs without an end: each partition is read Every anew
	Match      []string      `json:",omitempty"` // PI name filters: rows without a tier whose tag one matches are of this tier
	Partitions int           `key:",unset"`      // > 0: this many partitions for the tier, shared out among its sites by tags
}

// Extract is how events are read.
type Extract struct {
	Backfill  time.Duration // 1h: where a tag without a watermark starts
	Settle    time.Duration // 30s: how long the newest events are left alone
	MaxWindow time.Duration // 6h: the most of a tag that one batch reads
	FailAbove float64       // 0.05
}

// Compute is what the tasks run on.
type Compute struct {
	Cloud              string // aws, azure, gcp; by default as the targets' hosts tell, else aws
	SparkVersion       string // 17.3.x-scala2.13
	NodeType           string // node_type: workers and driver of extraction clusters
	OrchestratorType   string `key:"orchestrator_node_type"` // orchestrator_node_type; node_type by default
	PolicyID           string
	CustomTags         map[string]string
	InstanceProfile    string // AWS: its ARN
	SingleCluster      bool
	Serverless         bool
	Photon             bool
	Layout             string // liquid (default) or zorder
	MaxConcurrentTasks int    // of the workspace; 1000
	Pool               Pool
}

// Pool is a warm instance pool. The zero value is none. Without ids it is one
// that the bundle makes.
type Pool struct {
	WorkerID string `key:"instance_pool_id"`        // instance_pool_id
	DriverID string `key:"driver_instance_pool_id"` // driver_instance_pool_id; only with instance_pool_id
	MinIdle  int    `key:",unset"`                  // machines kept warm in each of the two pools
}

// Target is one deployment target.
type Target struct {
	Name             string
	Host             string         // "" = as the environment or the CLI's profile says
	ServicePrincipal string         // application id; "" = the deploying user
	Catalog          string         // "" = the pipeline's
	SchemaPrefix     string         // by default the target's name and _ ("dev_"), "" for production
	Warehouse        string         `json:",omitempty"` // id of the SQL warehouse there; "" = monitoring's
	Regions          []RegionTarget `json:",omitempty"` // in the file's order
	Production       bool           `key:"-"`           // prod, or any target with a service principal: schedules are unpaused, mode production
}

// RegionTarget is what a target says otherwise for one region: a workspace is in
// one region. What is "" is as the target says.
type RegionTarget struct {
	Region           string
	Host             string
	ServicePrincipal string
	Catalog          string
	Warehouse        string `json:",omitempty"`
}

// Monitoring is who is told, and by what.
type Monitoring struct {
	Warehouse       string // id of the SQL warehouse that asks for alerts and the dashboard, unless a target has its own; "" = none of both
	Emails          []string
	Webhooks        []string // notification destination ids
	MinCompleteness float64  // 0.99: validate fails below it
}
