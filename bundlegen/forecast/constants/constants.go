// Package constants is the numbers that a forecast rests on: what each is, its
// unit, its bounds, its value where nobody knows better, and where that is from.
// pipeline.yml replaces any of them under `forecast:`, a calibration those that
// earlier runs have measured. It is pure.
package constants

import (
	"maps"
	"slices"

	"github.com/bundlegen/bundlegen/pipeline/callsize"
)

// Constant is one number that forecasts rest on.
type Constant struct {
	Name   string  `json:"name"`   // as in pipeline.yml
	Value  float64 `json:"value"`  // in Unit
	Unit   string  `json:"unit"`   // s, events/s …
	Source string  `json:"source"` // where the value is from
	Min    float64 `json:"-"`      // the bounds of what is allowed
	Max    float64 `json:"-"`
}

// Where defaults are from.
const (
	claims     = "published claims of 0.96 s a tag alone and 5 s for 100 tags, read as 0.91 s + 50 ms a tag"
	extractor  = "the extractor's own"
	emitted    = "as the emitted jobs say"
	definition = "a definition"
)

const (
	anHour = 3600.0
	aLot   = 1e9
)

// defaults are in the order in which plans list them. No value was measured on
// your PI server or in your workspace.
var defaults = [...]Constant{
	{"startup_classic", 245, "s", "third-party figures of 3 to 8 minutes; 4:20 with installation assumed", 0, anHour},
	{"startup_pool", 40, "s", "third-party figures: under 60 s from a warm pool, with installation", 0, anHour},
	{"startup_serverless", 15, "s", "third-party figures: 15 to 25 s, with installation", 0, anHour},
	{"install_cluster", 15, "s", "assumed: a wheel of some 40 MB from the workspace's files on every node", 0, anHour},
	{"install_serverless", 5, "s", "assumed: the same wheel into an environment that is cached", 0, anHour},

	{"pi_request", 0.91, "s", claims, 0, 600},
	{"pi_tag", 0.05, "s", claims, 0, 60},
	{"pi_threads", 10, "requests", "assumed: what turns that claim's 25 minutes into 3", 1, 100_000},
	{"pi_values_per_second", 50_000, "events/s", "one user's measurement on a 24-core server", 1, aLot},
	{
		"pi_tags_per_call",
		400,
		"tags",
		"URL of 16 KB, 39 bytes a stream with IDOnly WebIDs; where the inventory has WebIDs, their length counts",
		1,
		1000,
	},
	{
		"pi_url_bytes",
		callsize.MaxURL - callsize.URLHead,
		"bytes",
		extractor + ": URL of 16 KB, less what stands before the streams",
		1000,
		1e6,
	},
	{"pi_least_tags_per_call", callsize.MinStreams, "tags", extractor + ": a call is not made narrower only to occupy a connection", 1, 1000},
	{"pi_items_headroom", callsize.Headroom, "x", extractor + ": room for more events than expected", 1, 10},
	{"pi_items_spare", callsize.Spare, "items a tag", extractor + ": room that a page is never exactly full", 0, 1000},
	{"pi_points_per_page", callsize.PointsPerPage, "points", extractor + ": of discovery", 1, 100_000},
	{"pi_retry_share", 0.01, "of the calls", "assumed: calls that fail and are made again", 0, 10},
	{"events_per_hour", callsize.EventsPerHour, "events/h a tag", "about 50 events/s per 1,000 tags is typical", 0, 1e7},

	{"spark_statement", 3, "s", "measured with open Spark 4 and Delta: 3 to 5 s each, fixed costs dominate", 0, anHour},
	{"batch_statements", 5, "statements", extractor + ": open, decide, read back, apply, metrics", 0, 1000},
	{"partitions_side_by_side", 8, "partitions", "assumed: whose statements run at once on one cluster", 1, 1000},
	{"stage_per_event", 3e-6, "core s", "measured: 4 M rows in 6 s on 2 cores through Go, Arrow and Spark", 0, 1},
	{"append_per_event", 1e-6, "s", "measured: 4 M rows in about 4 s", 0, 1},
	{"discover_fixed", 20, "s", "assumed: about 7 Spark statements", 0, anHour},
	{"consolidate", 12, "s", "measured: OPTIMIZE of small data 8 s, one statement more", 0, anHour},
	{"validate_fixed", 6, "s", "assumed: 2 Spark statements", 0, anHour},
	{"validate_tags", 100, "tags", extractor + ": of a partition, counted against PI", 0, 100_000},

	{"task_failures", 0.005, "of the attempts", "assumed: attempts that fail and are made again", 0, 0.9},
	{"spot_losses_per_hour", 0.001, "a machine and hour", "assumed: half of all spot machines are lost within a month", 0, 10},
	{"retry_wait", 60, "s", emitted + ": from a failed attempt to the next", 0, anHour},

	{"health_factor", 1.5, "x", emitted + ": a run longer than this x its forecast is reported", 1, 100},
	{"timeout_factor", 3, "x", emitted + ": a task's timeout over its forecast, to catch up after an outage", 1, 1000},
	{"timeout_at_least", 900, "s", emitted + ": the shortest timeout of a task", 60, 86_400},
	{"timeout_multiple", 300, "s", emitted + ": timeouts are rounded up to this, so that they rarely change", 1, anHour},
	{"hours_per_month", 730, "h", definition + ": 365 days in 12 months", 1, 744},
	{"as_fast_within", 1.1, "x", definition + ": within this factor two runs are as fast, two costs the same", 1, 10},
}

// Defaults returns all constants as they are where nobody knows better.
func Defaults() []Constant { return slices.Clone(defaults[:]) }

// Names lists the constants in order of the alphabet.
func Names() []string {
	names := make([]string, len(defaults))
	for i := range defaults {
		names[i] = defaults[i].Name
	}
	slices.Sort(names)
	return names
}

// Find returns a constant's default.
func Find(name string) (Constant, bool) {
	i := slices.IndexFunc(defaults[:], func(c Constant) bool { return c.Name == name })
	if i < 0 {
		return Constant{}, false
	}
	return defaults[i], true
}

// Override is a value that replaces a constant's.
type Override struct {
	Value  float64
	Source string
}

// Of makes overrides of plain values, all from one source.
func Of(values map[string]float64, source string) map[string]Override {
	all := make(map[string]Override, len(values))
	for name, value := range values {
		all[name] = Override{Value: value, Source: source}
	}
	return all
}

// Resolve returns all constants with overrides in place; the later of several
// wins. Names that are no constant's are passed over: who reads them says so.
func Resolve(overrides ...map[string]Override) []Constant {
	merged := map[string]Override{}
	for _, o := range overrides {
		maps.Copy(merged, o)
	}
	all := Defaults()
	for i := range all {
		if o, ok := merged[all[i].Name]; ok {
			all[i].Value, all[i].Source = o.Value, o.Source
		}
	}
	return all
}
