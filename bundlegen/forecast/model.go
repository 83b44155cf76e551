package forecast

import (
	"reflect"

	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
)

// Model is the constants of the forecast, each tagged with the name that it has
// in package constants, where its unit and source stand. All times are in
// seconds. The zero value is of no use: Default and New give one.
type Model struct {
	StartupClassic    float64 `constant:"startup_classic"`    // a cold cluster of cloud machines
	StartupPool       float64 `constant:"startup_pool"`       // a cluster from idle machines of a warm pool
	StartupServerless float64 `constant:"startup_serverless"` // a serverless task
	InstallCluster    float64 `constant:"install_cluster"`    // the wheel on a cluster's nodes
	InstallServerless float64 `constant:"install_serverless"` // … and in a serverless environment

	Request         float64 `constant:"pi_request"`             // the PI server's part of a request that does not depend on what is asked
	Tag             float64 `constant:"pi_tag"`                 // … and of each tag in it
	Threads         float64 `constant:"pi_threads"`             // requests that a PI Web API server works on at once
	ValuesPerSecond float64 `constant:"pi_values_per_second"`   // events that one PI Web API server gives out a second
	TagsPerCall     float64 `constant:"pi_tags_per_call"`       // streams that fit a URL, where their WebIDs are not known
	URLBytes        float64 `constant:"pi_url_bytes"`           // of a URL, for streams
	MinWidth        float64 `constant:"pi_least_tags_per_call"` // tags that a call has at least, if there are so many
	Headroom        float64 `constant:"pi_items_headroom"`      // items that a call leaves room for, over those expected
	Spare           float64 `constant:"pi_items_spare"`         // … and more, a tag
	PointsPerPage   float64 `constant:"pi_points_per_page"`     // of discovery
	RetryShare      float64 `constant:"pi_retry_share"`         // calls that are made again
	EventsPerHour   float64 `constant:"events_per_hour"`        // of a tag whose rate nobody knows

	Statement      float64 `constant:"spark_statement"`         // a Spark statement on Delta, whatever it does
	Statements     float64 `constant:"batch_statements"`        // of one batch
	SideBySide     float64 `constant:"partitions_side_by_side"` // partitions of one cluster whose statements run at once
	StagePerEvent  float64 `constant:"stage_per_event"`         // core seconds: response to staged Parquet
	AppendPerEvent float64 `constant:"append_per_event"`        // staged Parquet to bronze
	DiscoverFixed  float64 `constant:"discover_fixed"`          // tables, recovery, assignment, pins
	Consolidate    float64 `constant:"consolidate"`             // compaction of watermarks and OPTIMIZE
	ValidateFixed  float64 `constant:"validate_fixed"`          // statements of validate
	ValidateTags   float64 `constant:"validate_tags"`           // tags a partition that validate counts against PI

	TaskFailures float64 `constant:"task_failures"`        // attempts of an extraction that fail
	SpotLosses   float64 `constant:"spot_losses_per_hour"` // of a spot machine in an hour
	RetryWait    float64 `constant:"retry_wait"`           // from a failed attempt to the next

	HealthFactor    float64 `constant:"health_factor"`    // a run longer than this x the forecast is reported
	TimeoutFactor   float64 `constant:"timeout_factor"`   // a task's timeout over its forecast
	MinTimeout      float64 `constant:"timeout_at_least"` // the shortest timeout
	TimeoutMultiple float64 `constant:"timeout_multiple"` // timeouts are rounded up to this
	HoursPerMonth   float64 `constant:"hours_per_month"`
	AsFastWithin    float64 `constant:"as_fast_within"` // one cluster counts as fast as many up to this factor
}

// Default returns the constants that hold until something better is known.
func Default() Model { return New(constants.Defaults()) }

// New makes a model of constants, as constants.Resolve gives them, or as a plan
// lists what it assumed. Those that the list lacks are as by default.
func New(list []constants.Constant) Model {
	var m Model
	byName := map[string]float64{}
	for _, c := range append(constants.Defaults(), list...) {
		byName[c.Name] = c.Value
	}
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		v.Field(i).SetFloat(byName[v.Type().Field(i).Tag.Get("constant")])
	}
	return m
}
