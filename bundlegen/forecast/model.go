// Package forecast says how long a run of a job takes and what it costs. It is
// pure. Every constant is a field of Model with its source beside it: none was
// measured on your PI server or your workspace, so a forecast orders
// alternatives better than it predicts a bill.
//
// One run, with clusters of their own for the extraction tasks:
//
//	start-up     the orchestrator's cluster, then the extraction clusters: two in series
//	discover     fixed + pages of 1,000 points, the largest site
//	extract      the slowest partition: PI server + staging + landing
//	consolidate  fixed + events
//	validate     fixed + a sample of tags counted against PI
//
// On a single cluster start-up comes once and the shards of all partitions
// share its cores.
//
// The PI server's part of a partition with c connections, of k calls:
//
//	work   = k·request + tags·tag                  seconds of one server thread
//	alone  = max(work / c, k / requests a second)
//	bound  = max(Σ work / threads, Σ events / values a second, Σ k / requests a second)   of a site
//	PI     = max(alone, bound)
package forecast

// Model is the constants of the forecast. All times are in seconds.
type Model struct {
	StartupClassic    float64 // a cold cluster of cloud machines, with the wheel's installation
	StartupPool       float64 // a cluster from idle machines of a warm pool
	StartupServerless float64 // a serverless task

	Request         float64 // the PI server's part of a request that does not depend on what is asked
	Tag             float64 // … and of each tag in it
	Threads         float64 // requests that a PI Web API server works on at once
	ValuesPerSecond float64 // events that one PI Web API server gives out a second
	TagsPerCall     int     // streams that fit a URL of 16 KB with IDOnly WebIDs
	LeastWidth      int     // tags that a call has at least, if there are so many, before another connection is used
	PointsPerPage   int     // of discovery
	EventsPerHour   float64 // of a tag whose rate nobody knows

	Statement       float64 // a Spark statement on Delta, whatever it does
	Statements      int     // of one batch: open, decide, read back, apply, metrics
	AtOnce          int     // partitions of one cluster whose statements run side by side
	StagePerEvent   float64 // core seconds: response to staged Parquet, through Go, Arrow and Spark
	AppendPerEvent  float64 // staged Parquet to bronze
	DiscoverFixed   float64 // tables, recovery, assignment, pins
	Consolidate     float64 // compaction of watermarks and OPTIMIZE
	ValidateFixed   float64 // statements of validate
	ValidateTags    int     // tags a partition that validate counts against PI
	HealthFactor    float64 // a run longer than this x the forecast is reported
	HoursPerMonth   float64
	AsFastWithin    float64 // one cluster counts as fast as many up to this factor
	TimeoutFactor   float64 // a task's timeout over its forecast
	TimeoutAtLeast  float64
	TimeoutMultiple float64 // timeouts are rounded up to this, so that they rarely change
}

const defaultCores = 4

// Default gives the constants that hold until something better is measured.
func Default() Model {
	return Model{
		StartupClassic:    260,
		StartupPool:       55,
		StartupServerless: 20,
		Request:           0.91,
		Tag:               0.05,
		Threads:           10,
		ValuesPerSecond:   50000,
		TagsPerCall:       400,
		LeastWidth:        20,
		PointsPerPage:     1000,
		EventsPerHour:     180,
		Statement:         3,
		Statements:        5,
		AtOnce:            8,
		StagePerEvent:     3e-6,
		AppendPerEvent:    1e-6,
		DiscoverFixed:     20,
		Consolidate:       12,
		ValidateFixed:     6,
		ValidateTags:      100,
		HealthFactor:      1.5,
		HoursPerMonth:     730,
		AsFastWithin:      1.1,
		TimeoutFactor:     3,
		TimeoutAtLeast:    900,
		TimeoutMultiple:   300,
	}
}

// Assumption is one constant, its unit and where it is from.
type Assumption struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Source string  `json:"source"`
}

// Assumptions lists the constants that decide a forecast, with their sources.
func (m Model) Assumptions() []Assumption {
	return []Assumption{
		{"startup_classic", m.StartupClassic, "s", "third-party figures of 3 to 8 minutes; 4:20 assumed"},
		{"startup_pool", m.StartupPool, "s", "third-party figures: under 60 s from a warm pool"},
		{"startup_serverless", m.StartupServerless, "s", "third-party figures: 15 to 25 s"},
		{"pi_request", m.Request, "s", "published claims of 0.96 s a tag alone and 5 s for 100 tags, read as 0.91 s + 50 ms a tag"},
		{"pi_tag", m.Tag, "s", "the same"},
		{"pi_threads", m.Threads, "requests", "assumed: what turns that claim's 25 minutes into 3"},
		{"pi_values_per_second", m.ValuesPerSecond, "events/s", "one user's measurement on a 24-core server"},
		{"pi_tags_per_call", float64(m.TagsPerCall), "tags", "URL of 16 KB, 39 bytes a stream with IDOnly WebIDs"},
		{"pi_least_tags_per_call", float64(m.LeastWidth), "tags", "advised start of 20 to 50 streams a call"},
		{"events_per_hour", m.EventsPerHour, "events/h a tag", "about 50 events/s per 1,000 tags is typical"},
		{"spark_statement", m.Statement, "s", "measured with open Spark 4 and Delta: 3 to 5 s each, fixed costs dominate"},
		{"stage_per_event", m.StagePerEvent, "core s", "measured: 4 M rows in 6 s on 2 cores through Go, Arrow and Spark"},
		{"append_per_event", m.AppendPerEvent, "s", "measured: 4 M rows in about 4 s"},
		{"discover_fixed", m.DiscoverFixed, "s", "assumed: about 7 Spark statements"},
		{"consolidate", m.Consolidate, "s", "measured: OPTIMIZE of small data 8 s, one statement more"},
		{"validate_fixed", m.ValidateFixed, "s", "assumed: 2 Spark statements"},
	}
}
