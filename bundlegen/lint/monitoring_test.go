package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const watch = `resources:
  alerts:
    a:
      display_name: a
      custom_description: "{{QUERY_RESULT_TABLE}}"
      warehouse_id: ${var.warehouse}
      query_text: SELECT n FROM t
      schedule: {quartz_cron_schedule: "0 5 * * * ?", timezone_id: UTC, pause_status: PAUSED}
      evaluation:
        source: {name: n, aggregation: COUNT}
        comparison_operator: GREATER_THAN
        threshold: {value: {double_value: 1}}
        empty_result_state: OK
        notification: {subscriptions: [{user_email: a@b.example}, {destination_id: d}]}
  dashboards:
    d:
      display_name: d
      warehouse_id: ${var.warehouse}
      file_path: ./${bundle.target}.lvdash.json
`

const screen = `{"datasets": [{"name": "one", "queryLines": ["SELECT n\n", "FROM t"]}, {"name": "two", "query": "SELECT 2 AS m"}],
"pages": [{"layout": [
{"widget": {"name": "w", "queries": [{"query": {"datasetName": "one", "fields": [{"name": "n"}]}}], "spec": {"encodings": {"x": {"fieldName": "n"}}}}},
{"widget": {"name": "v", "queries": [{"query": {"datasetName": "two", "fields": [{"name": "m"}]}}], "spec": {"encodings": {"y": {"fields": [{"fieldName": "m"}]}}}}},
{"widget": {"name": "text", "multilineTextboxSpec": {"lines": ["# T"]}}}]}]}`

// watchedBundle is a sound bundle with an alert and a dashboard.
func watchedBundle() map[string]string {
	r := strings.Replace(root, "include: [jobs.yml]", "include: [jobs.yml, watch.yml]", 1)
	r = strings.Replace(r, "  catalog: {default: main}", "  catalog: {default: main}\n  warehouse: {default: w1}", 1)
	r = strings.Replace(r, "resources: {jobs:", "resources: {alerts: {a: {schedule: {pause_status: UNPAUSED}}}, jobs:", 1)
	return map[string]string{"databricks.yml": r, "jobs.yml": jobs, "watch.yml": watch, "dev.lvdash.json": screen, "prod.lvdash.json": "{}"}
}

func TestASoundBundleThatIsWatchedHasNoFindings(t *testing.T) {
	require.Empty(t, check(t, watchedBundle()))
}

func TestFindingsInMonitoring(t *testing.T) {
	const alert, dashboard = "watch.yml: resources.alerts.a", "watch.yml: resources.dashboards.d"
	for name, c := range map[string]struct{ from, to, finding, at string }{
		"alert without warehouse":     {"custom_description: \"{{QUERY_RESULT_TABLE}}\"\n      warehouse_id: ${var.warehouse}\n", "custom_description: x\n", alert + `: "a": has no warehouse_id`, "a:"},
		"dashboard without warehouse": {"display_name: d\n      warehouse_id: ${var.warehouse}\n", "display_name: d\n", dashboard + `: "d": has no warehouse_id`, "d:"},
		"alert without query":         {"      query_text: SELECT n FROM t\n", "", alert + `: "a": has no query_text`, "a:"},
		"alert without column":        {"{name: n, aggregation: COUNT}", "{aggregation: COUNT}", alert + `.evaluation.source: "source": has no name`, "source"},
		"aggregation":                 {"aggregation: COUNT}", "aggregation: count}", alert + `.evaluation.source.aggregation: "count": is not a value of aggregation; allowed: AVG, COUNT,`, ""},
		"operator":                    {"comparison_operator: GREATER_THAN", "comparison_operator: MORE_THAN", alert + `.evaluation.comparison_operator: "MORE_THAN": is not a value`, ""},
		"no operator":                 {"        comparison_operator: GREATER_THAN\n", "", alert + `.evaluation: "a": has no comparison_operator; allowed: EQUAL,`, "evaluation"},
		"no threshold":                {"        threshold: {value: {double_value: 1}}\n", "", alert + `.evaluation: "a": has no threshold`, "evaluation"},
		"state of no rows":            {"empty_result_state: OK", "empty_result_state: UNKNOWN", alert + `.evaluation.empty_result_state: "UNKNOWN": is not a value of empty_result_state; allowed: OK, TRIGGERED, ERROR`, ""},
		"told to nobody":              {"{destination_id: d}", "{}", alert + `.evaluation.notification.subscriptions[1]: names nobody, or two`, "{}"},
		"told to two":                 {"{user_email: a@b.example}", "{user_email: a@b.example, destination_id: x}", alert + `.evaluation.notification.subscriptions[0]: names nobody, or two`, "{user_email"},
		"alert never asks":            {"      schedule: {quartz_cron_schedule: \"0 5 * * * ?\", timezone_id: UTC, pause_status: PAUSED}\n", "", alert + `: "a": has no schedule`, "a:"},
		"alert's cron":                {"0 5 * * * ?", "5 * * * *", alert + `.schedule.quartz_cron_schedule: "5 * * * *": `, ""},
		"alert's key of a job":        {"quartz_cron_schedule", "quartz_cron_expression", alert + `.schedule: has no quartz_cron_schedule`, "schedule"},
		"alert's pause status":        {"timezone_id: UTC, pause_status: PAUSED}\n      evaluation", "timezone_id: UTC, pause_status: ON}\n      evaluation", alert + `.schedule.pause_status: "ON"`, ""},
		"alert says what a job knows": {"{{QUERY_RESULT_TABLE}}", "{{job.id}}", alert + `.custom_description: "{{job.id}}": {{job.id}} is nothing that an alert knows; allowed: ALERT_NAME,`, ""},
		"target of no alert":          {"{alerts: {a: ", "{alerts: {b: ", `databricks.yml: targets.prod.resources.alerts.b: "b": the bundle has no such alert`, ""},
		"dashboard without a file":    {"      file_path: ./${bundle.target}.lvdash.json\n", "", dashboard + `: "d": has neither file_path nor serialized_dashboard`, "d:"},
		"file that is not there":      {"./${bundle.target}.lvdash.json", "./x/${bundle.target}.lvdash.json", dashboard + `.file_path: "./x/${bundle.target}.lvdash.json": there is no x/dev.lvdash.json`, ""},
		"file that is no JSON":        {`{"datasets"`, `{datasets`, "dev.lvdash.json: is no dashboard: ", ""},
		"dataset twice":               {`{"name": "two"`, `{"name": "one"`, `dev.lvdash.json: datasets[1].name: "one": is there twice`, ""},
		"dataset without a query":     {"SELECT 2 AS m", "", `dev.lvdash.json: datasets[1]: "two": has no query`, ""},
		"dataset that is not shown":   {`"datasetName": "two"`, `"datasetName": "one"`, `dev.lvdash.json: datasets[1]: "two": is shown by no widget`, ""},
		"widget of no dataset":        {`"datasetName": "one"`, `"datasetName": "three"`, `dev.lvdash.json: widget w: "three": is no dataset of the dashboard; allowed: one, two`, ""},
		"field that is not asked for": {`{"fieldName": "m"}`, `{"fieldName": "k"}`, `dev.lvdash.json: widget v: "k": is drawn, and not asked for; allowed: m`, ""},
	} {
		t.Run(name, func(t *testing.T) { wantFinding(t, watchedBundle(), c.from, c.to, c.finding, c.at) })
	}
	files := watchedBundle()
	files["databricks.yml"] = strings.Replace(files["databricks.yml"], "warehouse: {default: w1}", `warehouse: {default: ""}`, 1)
	found := check(t, files)
	require.Len(t, found, 2)
	require.Contains(t, found[0], "variables.warehouse")
}
