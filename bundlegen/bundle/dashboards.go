package bundle

import (
	"fmt"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/bundle/lakeview"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/templates"
)

const (
	dashboardFolder = "dashboards"
	dashboardSuffix = ".lvdash.json"
)

func dashboardKey(cfg *config.Pipeline) string { return cfg.Name + "_monitoring" }

// dashboardResource makes the bundle's dashboard. The CLI replaces references in a
// dashboard's path but none in its file, and dataset_catalog and dataset_schema name
// one schema where the datasets read two, and no pipeline. So each target has a file
// of its own, with its names in full, and the path says which; in development mode
// the CLI puts its prefix before the display name alone.
//
// Credentials are not embedded, which the CLI refuses beside run_as: everybody asks
// in their own name, so that the dashboard itself may be open to all.
func dashboardResource(cfg *config.Pipeline) dashboardSettings {
	return dashboardSettings{
		Name:        cfg.Name + " (${bundle.target})",
		Warehouse:   "${var." + warehouseVariable + "}",
		File:        "./" + dashboardFolder + "/${bundle.target}" + dashboardSuffix,
		Permissions: []groupPermission{{Group: "users", Level: "CAN_READ"}},
	}
}

// dashboard draws a target's dashboard.
func dashboard(cfg *config.Pipeline, p *plan.Plan, t config.Target) ([]byte, error) {
	queries, err := templates.Datasets(templates.Reader{
		Catalog: cfg.CatalogOf(t), SchemaPrefix: t.SchemaPrefix, Pipelines: []string{rowKey(cfg, t.Name)}, Sites: cfg.OwnSites(),
		MinCompleteness: cfg.Monitoring.MinCompleteness, SlowSeconds: slowSeconds(p),
	})
	if err != nil {
		return nil, err
	}
	d := lakeview.Dashboard{Title: cfg.Name, Widgets: widgets(cfg, p)}
	for _, q := range queries {
		name := strings.TrimSuffix(q.Name, ".sql")
		d.Datasets = append(d.Datasets, lakeview.Dataset{Name: name, Title: strings.ReplaceAll(name, "-", " "), Query: string(q.Data)})
	}
	return d.JSON()
}

// widgets draws a screen that can be left open on a wall: how it is now on top,
// then the last days, then what to look into.
func widgets(cfg *config.Pipeline, p *plan.Plan) []lakeview.Placed {
	var all []lakeview.Placed
	below := 0
	for _, band := range []struct {
		height, across int
		widgets        []lakeview.Widget
	}{{3, 6, counters(cfg, p)}, {6, 2, charts()}, {5, 2, lists()}} {
		width := lakeview.Columns / band.across
		for i, w := range band.widgets {
			all = append(all, lakeview.Placed{Widget: w, X: i % band.across * width, Y: below, Width: width, Height: band.height})
			if i%band.across == band.across-1 {
				below += band.height
			}
		}
	}
	return all
}

// counters say how it is now.
func counters(cfg *config.Pipeline, p *plan.Plan) []lakeview.Widget {
	number := func(name string) lakeview.Column { return lakeview.Column{Name: name, Format: lakeview.Compact} }
	return []lakeview.Widget{
		lakeview.Counter(now("Minutes behind", "since the partition furthest behind landed"), number("minutes_behind"), late(p)),
		lakeview.Counter(now("Events today", "landed since midnight UTC"), number("events_today"), nil),
		lakeview.Counter(now("Failing tags", "in the last batch of each partition"), number("failed_tags"), above(0)),
		lakeview.Counter(now("Completeness", "of the worst partition, against PI's count"),
			lakeview.Column{Name: "completeness", Format: lakeview.Percent}, &lakeview.Alarm{Operator: "<", Bound: cfg.Monitoring.MinCompleteness}),
		lakeview.Counter(
			now("Slow partitions", fmt.Sprintf("over %d s on average in the last day", slowSeconds(p))),
			number("slow_partitions"),
			above(0),
		),
		lakeview.Counter(now("Failed attempts", "of any task, since midnight UTC"), number("failed_attempts"), above(0)),
	}
}

// charts say how it went.
func charts() []lakeview.Widget {
	return []lakeview.Widget{
		lakeview.Line(
			lakeview.Head{
				Name:        "durations",
				Title:       "Duration by partition",
				Description: "seconds an extraction, last day",
				Dataset:     "duration-by-partition",
			},
			column("partition_number", "Partition"),
			column("average_seconds", "average"),
			column("longest_seconds", "longest"),
			column("limit_seconds", "limit of the average"),
		),
		lakeview.BarBy(
			lakeview.Head{Name: "events", Title: "Events by tier", Description: "landed in each hour, last two days", Dataset: "events-by-tier"},
			column("hour", "Hour"), lakeview.Column{Name: "events", Title: "Events", Format: lakeview.Compact}, column("tier", "Tier")),
		lakeview.BarBy(
			lakeview.Head{
				Name:        "errors",
				Title:       "Errors by site",
				Description: "tags that could not be read, last two days",
				Dataset:     "errors-by-site",
			},
			column("hour", "Hour"),
			column("tags", "Tags"),
			column("site", "Site"),
		),
		lakeview.LineBy(
			lakeview.Head{
				Name:        "completeness-by-run",
				Title:       "Completeness by run",
				Description: "landed events against PI's count, last week",
				Dataset:     "completeness-by-run",
			},
			column("run", "Run"),
			lakeview.Column{Name: "completeness", Title: "Completeness", Format: lakeview.Percent},
			column("line", "Tier"),
		),
	}
}

// lists say what to look into.
func lists() []lakeview.Widget {
	return []lakeview.Widget{
		lakeview.Table(lakeview.Head{Name: "tiers", Title: "Freshness by tier", Dataset: "tiers"},
			column("tier", "Tier"), column("minutes_behind", "Minutes behind"), column("oldest_partition", "Furthest behind landed"),
			column("newest_partition", "Last landed"), column("partitions", "Partitions"), column("silent_partitions", "Nothing within a week")),
		lakeview.Table(
			lakeview.Head{Name: "failing-tags", Title: "Failing tags", Description: "last day, the most frequent first", Dataset: "failing-tags"},
			column(
				"site",
				"Site",
			),
			column("tag_name", "Tag"),
			column("times", "Times"),
			column("last_time", "Last"),
			column("last_error", "PI said"),
		),
	}
}

// now is the head of a counter.
func now(title, description string) lakeview.Head {
	name := strings.ReplaceAll(strings.ToLower(title), " ", "-")
	return lakeview.Head{Name: name + "-now", Title: title, Description: description, Dataset: "now"}
}

func column(name, title string) lakeview.Column { return lakeview.Column{Name: name, Title: title} }

func above(bound float64) *lakeview.Alarm { return &lakeview.Alarm{Operator: ">", Bound: bound} }

// late is how far behind the slowest tier may be before it is overdue. A tier by cron
// has no cadence that holds at all hours, so that there is no such bound.
func late(p *plan.Plan) *lakeview.Alarm {
	minutes := 0
	for _, t := range p.Tiers {
		if t.Every == 0 {
			return nil
		}
		minutes = max(minutes, overdueAfter(t)/int(time.Minute/time.Second))
	}
	return above(float64(minutes))
}
