package templates

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// SlowSeconds is how long a partition's extraction may take on average, at least,
// before it is called slow.
const SlowSeconds = 180

// Names of the queries that alerts ask, among those that Queries gives.
const (
	SlowPartitionsAlert = "alert-slow-partitions.sql"
	CompletenessAlert   = "alert-completeness.sql"
	NoRunAlert          = "alert-no-run.sql"
)

// Reader is who reads the tables by a query: it fills the query's placeholders.
// Its texts are names that pipeline.yml allows, or references to variables of a
// bundle, neither of which needs escaping within quotes.
type Reader struct {
	Catalog         string    // "" = the current one; else schemas are named in full, in the quotes of Databricks
	SchemaPrefix    string    // before the name of each schema
	Pipelines       []string  // reads their rows only; none = of all pipelines in these schemas
	Sites           []string  // reads the rows of these, and of tasks of all sites unless their run reads none of these; none = of all
	MinCompleteness float64   // the share of PI's events below which a partition is incomplete
	SlowSeconds     int       // the average of a partition's extractions above which it is slow; 0 = SlowSeconds
	Overdue         []Overdue // when each tier is, for NoRunAlert
	Now             string    // SQL of the instant that ages are counted to; "" = the query's own
}

// Overdue is when a tier is overdue: once none of its extractions has succeeded, even
// in part, for longer than some seconds.
type Overdue struct {
	Tier    string
	Seconds int
}

// Queries returns the queries over the tables, sorted by name. Each runs as it is
// on Spark SQL and on DuckDB while r names no catalog.
func Queries(r Reader) ([]Text, error) { return r.read("sql") }

// Datasets returns the queries of the dashboard, sorted by name, under the same
// terms as Queries.
func Datasets(r Reader) ([]Text, error) { return r.read("dashboards") }

// Statuses returns the queries that bundlegen status asks, sorted by name, under
// the same terms as Queries.
func Statuses(r Reader) ([]Text, error) { return r.read("status") }

func (r Reader) read(name string) ([]Text, error) {
	texts, err := folder(name)
	for i := range texts {
		texts[i].Data = []byte(r.fill(string(texts[i].Data)))
	}
	return texts, err
}

// Placeholders of the conditions on rows.
const (
	pipelinePlaceholder = "= {pipeline}"
	sitesPlaceholder    = "{sites}"
)

// fill replaces a query's placeholders. A line with one of the conditions falls away
// where the reader does not set it.
func (r Reader) fill(query string) string {
	now := r.Now
	if now == "" {
		now = "current_timestamp"
	}
	pairs := []string{
		pipelinePlaceholder, oneOf(r.Pipelines),
		sitesPlaceholder, list(r.Sites),
		"{now}", now,
		"{slow_seconds}", strconv.Itoa(cmp.Or(r.SlowSeconds, SlowSeconds)),
		"{tiers}", tierRows(r.Overdue),
		"{look_back_days}", strconv.Itoa(lookBack(r.Overdue)),
		"{min_completeness}", strconv.FormatFloat(r.MinCompleteness, 'f', -1, 64),
	}
	for _, s := range tables.Schemas {
		pairs = append(pairs, "{"+s+"}", r.schema(s))
	}
	fill := strings.NewReplacer(pairs...)
	var out strings.Builder
	for line := range strings.Lines(query) {
		if len(r.Pipelines) == 0 && strings.Contains(line, pipelinePlaceholder) ||
			len(r.Sites) == 0 && strings.Contains(line, sitesPlaceholder) {
			continue
		}
		out.WriteString(fill.Replace(line))
	}
	return out.String()
}

// tierRows lists rows of a tier and its seconds for VALUES, which takes no empty list:
// where there are none it is one row that no tier has.
func tierRows(all []Overdue) string {
	if len(all) == 0 {
		return "(CAST(NULL AS STRING), CAST(NULL AS INT))"
	}
	rows := make([]string, len(all))
	for i, s := range all {
		rows[i] = fmt.Sprintf("('%s', %d)", s.Tier, s.Seconds)
	}
	return strings.Join(rows, ", ")
}

// lookBack is how many days of attempts tell whether a tier is overdue: the longest
// that one may take, and a day more.
func lookBack(all []Overdue) int {
	const day = 24 * 60 * 60
	longest := 0
	for _, s := range all {
		longest = max(longest, s.Seconds)
	}
	return longest/day + 2
}

// oneOf is the rest of a condition that a column has one of some values.
func oneOf(values []string) string {
	if len(values) == 1 {
		return "= " + list(values)
	}
	return "IN (" + list(values) + ")"
}

func list(values []string) string { return "'" + strings.Join(values, "', '") + "'" }

func (r Reader) schema(name string) string {
	name = r.SchemaPrefix + name
	if r.Catalog == "" {
		return name
	}
	return "`" + r.Catalog + "`.`" + name + "`"
}
