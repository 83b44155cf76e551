package bundle

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/bundlegen/bundlegen/templates"
)

// MonitoringFile holds the alerts and the dashboard, where pipeline.yml names a
// SQL warehouse that asks their queries. It is included by RootFile.
const MonitoringFile = "databricks-monitoring.yml"

const warehouseVariable = "warehouse"

// watches says whether the bundle has alerts and a dashboard.
func watches(cfg *config.Pipeline) bool { return warehouseOfMost(cfg) != "" }

// warehouseOfMost is the warehouse of all targets that say nothing else; "" = there
// is none. Where each target has its own, it is the first one's.
func warehouseOfMost(cfg *config.Pipeline) string {
	id := cfg.Monitoring.Warehouse
	for _, t := range cfg.Targets {
		id = cmp.Or(id, t.Warehouse)
	}
	return id
}

// rowKey is what the rows of a target carry as their pipeline; target may be a
// reference. It is the same in every region, unlike the bundle's name: where regions
// share a catalog, their rows are told apart by their sites.
func rowKey(cfg *config.Pipeline, target string) string { return cfg.Key() + "." + target }

// rowKeys are what the rows of the pipeline carry, here and on all targets.
func rowKeys(cfg *config.Pipeline) []string {
	keys := []string{cfg.Key()}
	for _, t := range cfg.Targets {
		keys = append(keys, rowKey(cfg, t.Name))
	}
	return keys
}

// monitoringFiles renders the alerts, and a dashboard for each target. A tag
// more changes neither, unless a forecast crosses a minute by it.
func monitoringFiles(cfg *config.Pipeline, p *plan.Plan) ([]File, error) {
	if !watches(cfg) {
		return nil, nil
	}
	alerts, err := alerts(cfg, p)
	if err != nil {
		return nil, err
	}
	var y yamlFile
	y.comment("What watches %s: alerts, and the dashboard of each target in %s/.\n\n%s", cfg.Name, dashboardFolder, written)
	y.section("", "resources", ordered{
		{"alerts", alerts},
		{"dashboards", ordered{{dashboardKey(cfg), dashboardResource(cfg)}}},
	})
	resources, err := y.file(MonitoringFile)
	if err != nil {
		return nil, err
	}
	files := []File{resources}
	for _, t := range cfg.Targets {
		data, err := dashboard(cfg, p, t)
		if err != nil {
			return nil, fmt.Errorf("the dashboard of target %s: %w", t.Name, err)
		}
		files = append(files, File{Path: path.Join(dashboardFolder, t.Name+dashboardSuffix), Data: data})
	}
	return files, nil
}

// Alerts ask once an hour, all within the same minutes: each question wakes the
// warehouse. While they last, a day is long enough to be told of them again.
const (
	alertCron             = "0 5 * * * ?"
	alertRetriggerSeconds = 24 * 60 * 60
)

// alertKind is what the bundle's alerts differ in.
type alertKind struct {
	key         string // after the bundle's name
	query       string // its file
	counted     string // the column of a row that is something wrong
	summary     string
	description string
}

var alertKinds = []alertKind{
	{
		key: "slow_partitions", query: templates.SlowPartitionsAlert, counted: "partition_id",
		summary:     "a partition is slow",
		description: "Extractions of these partitions took longer than {slow_seconds} s on average over the last day:",
	},
	{
		key: "completeness", query: templates.CompletenessAlert, counted: "partition_id",
		summary:     "events are missing",
		description: "Of these partitions fewer events were landed than PI counts; monitoring.tag_errors says which tags failed:",
	},
	{
		key: "no_run", query: templates.NoRunAlert, counted: "tier",
		summary: "no run succeeds",
		description: "No extraction of these tiers has succeeded, even in part, for longer than two cadences and a slow run. " +
			"If last_attempt is old or missing, the job does not run: check its schedule; otherwise its runs fail, and their errors say why:",
	},
}

// alerts makes the bundle's alerts. Each query gives a row for what is wrong and
// none while all is well; its numbers stand in the query alone.
func alerts(cfg *config.Pipeline, p *plan.Plan) (ordered, error) {
	queries, err := templates.Queries(templates.Reader{
		Catalog: "${var.catalog}", SchemaPrefix: "${var.schema_prefix}", Pipelines: []string{"${var.pipeline}"}, Sites: cfg.OwnSites(),
		MinCompleteness: cfg.Monitoring.MinCompleteness, SlowSeconds: slowSeconds(p), Overdue: overdue(p),
	})
	if err != nil {
		return nil, err
	}
	var all ordered
	for _, kind := range alertKinds {
		i := slices.IndexFunc(queries, func(q templates.Text) bool { return q.Name == kind.query })
		if i < 0 {
			return nil, fmt.Errorf("there is no query %s", kind.query)
		}
		kind.description = strings.ReplaceAll(kind.description, "{slow_seconds}", strconv.Itoa(slowSeconds(p)))
		all = append(all, entry{alertKey(cfg, kind), kind.alert(cfg, string(queries[i].Data))})
	}
	return all, nil
}

// slowSeconds is how long a partition's extraction may take on average before it is
// slow: three times what the slowest is forecast to take, in whole minutes.
func slowSeconds(p *plan.Plan) int {
	const factor = 3
	slowest := 0.0
	for _, part := range p.Partitions {
		slowest = max(slowest, part.Seconds)
	}
	return max(templates.SlowSeconds, wholeMinutes(factor*slowest))
}

// overdue lists the tiers that the plan extracts, as far as each is overdue at any time.
func overdue(p *plan.Plan) []templates.Overdue {
	var all []templates.Overdue
	for _, t := range p.Tiers {
		if seconds := overdueAfter(t); seconds > 0 && t.Partitions > 0 {
			all = append(all, templates.Overdue{Tier: t.Name, Seconds: seconds})
		}
	}
	return all
}

// overdueAfter is for how long none of a tier's extractions may succeed, in seconds of
// whole minutes: two cadences, by cron the longest that there is, and a run that is
// slow by its job's own rule. A continuous tier has no such rule, and begins anew now
// and then on new clusters, which rarely take a quarter of an hour. 0 = it is never overdue: its cron fires in some years only.
func overdueAfter(t plan.Tier) int {
	cadence, grace := t.Every, t.Forecast.HealthSeconds
	if cadence == 0 {
		cadence = config.LongestGapOf(t.Cron)
	}
	if t.Continuous {
		grace = manifest.StartAllowance / 2
	}
	if cadence == 0 {
		return 0
	}
	return wholeMinutes(2*cadence.Seconds() + float64(grace))
}

func alertKey(cfg *config.Pipeline, kind alertKind) string { return cfg.Name + "_" + kind.key }

// alert makes one alert. Only a production target unpauses its schedule.
func (k alertKind) alert(cfg *config.Pipeline, query string) *alert {
	return &alert{
		Name:        cfg.Name + ": " + k.summary + " (${bundle.target})",
		Summary:     cfg.Name + ": " + k.summary + " (${bundle.target})",
		Description: k.description + "\n\n{{QUERY_RESULT_TABLE}}",
		Warehouse:   "${var." + warehouseVariable + "}",
		Query:       strings.TrimSuffix(query, ";\n"),
		Evaluation: &alertEvaluation{
			Source:    alertColumn{Name: k.counted, Aggregation: "COUNT"},
			Operator:  "GREATER_THAN_OR_EQUAL",
			Threshold: alertThreshold{alertValue{Double: 1}},
			WhenEmpty: "OK",
			Notify:    alertNotification{OnOK: true, Retrigger: alertRetriggerSeconds, Whom: subscriptions(cfg.Monitoring)},
		},
		Schedule: &alertSchedule{Cron: alertCron, Timezone: "UTC", PauseStatus: "PAUSED"},
	}
}

// subscriptions are those whom monitoring names.
func subscriptions(m config.Monitoring) []subscription {
	var all []subscription
	for _, e := range m.Emails {
		all = append(all, subscription{Email: e})
	}
	for _, id := range m.Webhooks {
		all = append(all, subscription{Destination: id})
	}
	return all
}

// unpausedAlerts is what a production target says of the alerts.
func unpausedAlerts(cfg *config.Pipeline) map[string]*alert {
	all := map[string]*alert{}
	for _, kind := range alertKinds {
		all[alertKey(cfg, kind)] = &alert{Schedule: &alertSchedule{PauseStatus: "UNPAUSED"}}
	}
	return all
}
