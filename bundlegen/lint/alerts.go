package lint

import (
	"slices"
	"strings"
)

// alertReferences are what an alert's text may say of itself, in {{…}}.
var alertReferences = []string{
	"ALERT_NAME", "ALERT_STATUS", "ALERT_CONDITION", "ALERT_THRESHOLD", "ALERT_COLUMN", "ALERT_URL",
	"QUERY_RESULT_VALUE", "QUERY_RESULT_ROWS", "QUERY_RESULT_COLS", "QUERY_RESULT_TABLE",
}

// Values that the alerts' API takes.
var (
	alertOperators = []string{
		"EQUAL", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "IS_NULL", "IS_NOT_NULL",
	}
	alertAggregations = []string{"AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MEDIAN", "MIN", "STDDEV", "SUM"}
	emptyStates       = []string{"OK", "TRIGGERED", "ERROR"} // UNKNOWN is to go
)

// alertCronKey is where an alert's schedule has what a job's has under jobCronKey.
const alertCronKey = "quartz_cron_schedule"

// isAlert says whether a value belongs to an alert.
func isAlert(p place) bool {
	return strings.HasPrefix(p.path, "resources.alerts.") || strings.Contains(p.path, ".resources.alerts.")
}

// alert checks one alert. An alert that comes from a file has the rest there.
func (c *checker) alert(a place) {
	c.warehouse(a)
	if a.get("file_path").exists() {
		return
	}
	c.required(a, "query_text", "an alert asks a query")
	schedule := a.get("schedule")
	if !schedule.exists() {
		c.addKey(a, a.key, "has no schedule: it would never ask", "", regenerate)
	}
	c.quartz(schedule, place{}, alertCronKey)
	evaluation := a.get("evaluation")
	c.required(evaluation.get("source"), "name", "it is the column of the query that is compared")
	c.enum(evaluation.get("source").get("aggregation"), alertAggregations...)
	c.enum(evaluation.get("empty_result_state"), emptyStates...)
	operator := evaluation.get("comparison_operator")
	c.enum(operator, alertOperators...)
	if !operator.exists() {
		c.addKey(firstOf(evaluation, a), a.key, "has no comparison_operator", strings.Join(alertOperators, ", "), regenerate)
	}
	if threshold := evaluation.get("threshold"); !threshold.exists() && !slices.Contains([]string{"IS_NULL", "IS_NOT_NULL"}, operator.text()) {
		c.addKey(firstOf(evaluation, a), a.key, "has no threshold to compare with", "", regenerate)
	}
	for _, s := range evaluation.get("notification").get("subscriptions").items() {
		if s.get("user_email").exists() == s.get("destination_id").exists() {
			c.addKey(s, "", "names nobody, or two", "one of user_email, destination_id", regenerate)
		}
	}
}

// warehouse reports an alert or a dashboard that nothing asks the query of.
func (c *checker) warehouse(p place) {
	w := p.get("warehouse_id")
	switch name, isVariable := strings.CutPrefix(w.text(), "${var."); {
	case isVariable:
		if v := c.variables[strings.TrimSuffix(name, "}")]; v.exists() && v.get("default").text() == "" && !v.get("lookup").exists() {
			c.addKey(
				v,
				v.key,
				"is the warehouse of "+p.key+", and has no default",
				"the id of a SQL warehouse",
				"write monitoring.warehouse in pipeline.yml",
			)
		}
	case w.text() == "":
		c.addKey(
			p,
			p.key,
			"has no warehouse_id: nothing would ask its query",
			"the id of a SQL warehouse",
			"write monitoring.warehouse in pipeline.yml",
		)
	}
}

// required reports a key that is missing or empty.
func (c *checker) required(p place, key, why string) {
	if p.get(key).text() == "" {
		c.addKey(p, p.key, "has no "+key+": "+why, "", regenerate)
	}
}

// alertOverrides checks what a target says of the alerts.
func (c *checker) alertOverrides(target place) {
	for _, a := range target.get("resources").get("alerts").entries() {
		base, known := c.kinds["alerts"][a.key]
		if !known {
			c.addKey(a, a.key, "the bundle has no such alert: the target would make one of it", "", regenerate)
			continue
		}
		c.quartz(a.get("schedule"), base.get("schedule"), alertCronKey)
	}
}
