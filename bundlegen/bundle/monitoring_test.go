package bundle_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/bundle/lakeview"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
)

// watched is a configuration with alerts and a dashboard.
func watched() *config.Pipeline {
	cfg := pipeline(".")
	cfg.Monitoring = config.Monitoring{
		Warehouse: "0123456789abcdef", MinCompleteness: 0.985,
		Emails: []string{"pi@example.com"}, Webhooks: []string{"0481e838-0a59-4eff-9541-a4ca6f149574"},
	}
	return cfg
}

// text gives a file of a tree, which has to be there.
func text(t *testing.T, tree *bundle.Tree, name string) string {
	t.Helper()
	data, ok := tree.File(name)
	require.True(t, ok, name)
	return string(data)
}

// emittedAlert is what the tests look at of an alert.
type emittedAlert struct {
	Name       string `yaml:"display_name"`
	Warehouse  string `yaml:"warehouse_id"`
	Query      string `yaml:"query_text"`
	Schedule   map[string]string
	Evaluation struct {
		Source       map[string]string
		Operator     string `yaml:"comparison_operator"`
		Empty        string `yaml:"empty_result_state"`
		Notification struct {
			Subscriptions []map[string]string
		}
	}
}

func alertsOf(t *testing.T, tree *bundle.Tree) map[string]emittedAlert {
	t.Helper()
	var file struct {
		Resources struct{ Alerts map[string]emittedAlert }
	}
	require.NoError(t, yaml.Unmarshal([]byte(text(t, tree, bundle.MonitoringFile)), &file))
	return file.Resources.Alerts
}

// emittedDashboard is what the tests look at of a dashboard.
type emittedDashboard struct {
	Datasets []struct {
		Name  string
		Lines []string `json:"queryLines"`
	}
	Pages []struct {
		Layout []struct {
			Widget struct {
				Name    string
				Queries []struct {
					Query struct {
						Dataset string `json:"datasetName"`
						Fields  []struct{ Name string }
					}
				}
			}
			Position struct{ X, Y, Width, Height int }
		}
	}
}

func dashboardOf(t *testing.T, tree *bundle.Tree, target string) emittedDashboard {
	t.Helper()
	var d emittedDashboard
	require.NoError(t, json.Unmarshal([]byte(text(t, tree, "dashboards/"+target+".lvdash.json")), &d))
	return d
}

func TestNothingWatchesWithoutAWarehouse(t *testing.T) {
	cfg := pipeline(".")
	tree := render(t, cfg, planOf(cfg, 2))
	for _, f := range tree.Files() {
		require.NotEqual(t, "dashboards", path.Dir(f.Path))
		require.NotEqual(t, bundle.MonitoringFile, f.Path)
	}
	require.NotContains(t, text(t, tree, bundle.RootFile), "warehouse")
	require.Contains(t, text(t, tree, "README.md"), "`monitoring.warehouse` of `pipeline.yml`")
	require.Contains(t, text(t, tree, "sql/alert-slow-partitions.sql"), "> 300", "three times 95 s, in whole minutes")
	quick := planOf(cfg, 1)
	quick.Partitions[0].Seconds = 20
	require.Contains(t, text(t, render(t, cfg, quick), "sql/alert-slow-partitions.sql"), "> 180")
	require.Contains(t, text(t, tree, "sql/alert-completeness.sql"), "< 0.99")
}

func TestAlertsTellThoseWhomMonitoringNames(t *testing.T) {
	cfg := watched()
	tree := render(t, cfg, planOf(cfg, 2))
	alerts := alertsOf(t, tree)
	require.Len(t, alerts, 3)
	for key, a := range alerts {
		require.Equal(t, "${var.warehouse}", a.Warehouse, key)
		require.Equal(t, "PAUSED", a.Schedule["pause_status"], key)
		require.NoError(t, config.CheckCron(a.Schedule["quartz_cron_schedule"]), key)
		require.Equal(t, "OK", a.Evaluation.Empty, "no rows are no fault")
		require.Equal(t, []map[string]string{{"user_email": "pi@example.com"}, {"destination_id": "0481e838-0a59-4eff-9541-a4ca6f149574"}},
			a.Evaluation.Notification.Subscriptions, key)
		require.Contains(t, a.Query, "`${var.catalog}`.`${var.schema_prefix}monitoring`", key)
		require.Contains(t, a.Query, "pipeline = '${var.pipeline}'", key)
	}
	require.Contains(t, alerts["osipi_connector_completeness"].Query, "< 0.985")
	var root struct {
		Targets map[string]struct {
			Resources struct{ Alerts map[string]emittedAlert }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text(t, tree, bundle.RootFile)), &root))
	require.Empty(t, root.Targets["dev"].Resources.Alerts)
	require.Len(t, root.Targets["prod"].Resources.Alerts, 3)
	for key, a := range root.Targets["prod"].Resources.Alerts {
		require.Equal(t, map[string]string{"pause_status": "UNPAUSED"}, a.Schedule, key)
	}

	cfg.Monitoring.Emails, cfg.Monitoring.Webhooks = nil, nil
	for key, a := range alertsOf(t, render(t, cfg, planOf(cfg, 2))) {
		require.Empty(t, a.Evaluation.Notification.Subscriptions, key)
	}
}

// Regions have the key of their rows in common, and may have their tables, too: what
// watches one reads the rows of its sites. So do the queries that are to be asked by
// hand, of what the bundle landed here and on any target.
func TestWhatWatchesARegionReadsItsSites(t *testing.T) {
	whole := watched()
	other := whole.Sites[0]
	other.Name, other.URL, other.Region = "plant-b", "https://pi.plant-b.example/piwebapi", "us-east-1"
	whole.Sites[0].Region = "eu-west-1"
	whole.Sites = append(whole.Sites, other)
	for region, site := range map[string]string{"eu-west-1": "'plant-a'", "us-east-1": "'plant-b'"} {
		cfg := whole.InRegion(region)
		tree := render(t, cfg, planOf(cfg, 2))
		asked := map[string]string{}
		for key, a := range alertsOf(t, tree) {
			asked[key] = a.Query
			require.Contains(t, a.Query, "pipeline = '${var.pipeline}'", key)
		}
		for _, s := range dashboardOf(t, tree, "prod").Datasets {
			query := strings.Join(s.Lines, "")
			asked[s.Name] = query
			require.Contains(t, query, "pipeline = 'osipi_connector.prod'", s.Name)
		}
		for _, f := range tree.Files() {
			if path.Dir(f.Path) == "sql" && f.Path != "sql/monitoring-tables.sql" {
				asked[f.Path] = string(f.Data)
				require.Contains(t, string(f.Data), "pipeline IN ('osipi_connector', 'osipi_connector.dev', 'osipi_connector.prod')", f.Path)
			}
		}
		for name, query := range asked {
			require.Contains(t, query, "site IN ("+site+")", name)
		}
	}
	for key, a := range alertsOf(t, render(t, watched(), planOf(watched(), 2))) {
		require.NotContains(t, a.Query, "site IN", key)
	}
}

// Widgets fill the grid and none lies on another; every target's dashboard shows
// all of its datasets, under the target's names.
func TestDashboardIsAWholeScreen(t *testing.T) {
	cfg := watched()
	cfg.Targets[1].Catalog, cfg.Targets[1].SchemaPrefix = "elsewhere", "p_"
	tree := render(t, cfg, planOf(cfg, 2))
	for target, names := range map[string][2]string{
		"dev":  {"`pi_production`.`dev_monitoring`.", "'osipi_connector.dev'"},
		"prod": {"`elsewhere`.`p_monitoring`.", "'osipi_connector.prod'"},
	} {
		d := dashboardOf(t, tree, target)
		shown, taken, widgets := map[string]bool{}, map[[2]int]string{}, map[string]bool{}
		for _, placed := range d.Pages[0].Layout {
			name, at := placed.Widget.Name, placed.Position
			require.False(t, widgets[name], "%s is there twice", name)
			widgets[name] = true
			shown[placed.Widget.Queries[0].Query.Dataset] = true
			require.LessOrEqual(t, at.X+at.Width, lakeview.Columns, name)
			for x := at.X; x < at.X+at.Width; x++ {
				for y := at.Y; y < at.Y+at.Height; y++ {
					require.Empty(t, taken[[2]int{x, y}], "under %s", name)
					taken[[2]int{x, y}] = name
				}
			}
		}
		require.Zero(t, len(taken)%lakeview.Columns, "every row is full")
		for _, s := range d.Datasets {
			require.True(t, shown[s.Name], "%s is shown", s.Name)
			query := strings.Join(s.Lines, "")
			require.Contains(t, query, names[0], s.Name)
			require.Contains(t, query, names[1], s.Name)
		}
		require.Len(t, shown, len(d.Datasets))
	}
}

// A tier by cron has no cadence that holds at all hours; else the counter turns
// red two cadences and a slow run after the last batch.
func TestFreshnessTurnsRed(t *testing.T) {
	cfg := watched()
	require.Contains(t, text(t, render(t, cfg, planOf(cfg, 2)), "dashboards/dev.lvdash.json"), `"value": "20"`, "2 x 5 min and 555 s")
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: time.Hour})
	require.Contains(t, text(t, render(t, cfg, planOf(cfg, 2)), "dashboards/dev.lvdash.json"), `"value": "130"`)
	cfg.Tiers[1].Every, cfg.Tiers[1].Cron = 0, "0 30 2 * * ?"
	byCron := text(t, render(t, cfg, planOf(cfg, 2)), "dashboards/dev.lvdash.json")
	require.NotContains(t, byCron, `"value": "130"`)
	require.NotContains(t, byCron, `"value": "20"`)
}

// A tier is overdue after two cadences and a slow run: by cron after the longest that
// it leaves; a continuous tier has no run that could be slow, and new clusters at times.
func TestTiersAreOverdue(t *testing.T) {
	cfg := watched()
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "weekdays", Cron: "0 0 6 ? * MON-FRI"}, config.Tier{Name: "critical", Every: time.Minute, Continuous: true},
		config.Tier{Name: "this-year", Cron: "0 0 6 * * ? 2026"}, config.Tier{Name: "idle", Every: time.Hour})
	p := planOf(cfg, 4) // one in each tier but the last
	tree := render(t, cfg, p)
	for _, query := range []string{alertsOf(t, tree)["osipi_connector_no_run"].Query, text(t, tree, "sql/alert-no-run.sql")} {
		require.Contains(t, query, "VALUES ('standard', 1200), ('weekdays', 519000), ('critical', 1020)) AS", "2 x 5 min and 555 s; 2 x 72 h and 555 s; 2 x 1 min and 15 min")
		require.Contains(t, query, "INTERVAL '8' DAY")
	}
	require.Equal(t, "tier", alertsOf(t, tree)["osipi_connector_no_run"].Evaluation.Source["name"])
}

// Every statement that is emitted runs on the tables that the tasks make, under
// the names of its target, and gives the columns that are read of it.
func TestEveryStatementRuns(t *testing.T) {
	cfg := watched()
	tree := render(t, cfg, planOf(cfg, 2))
	for i, target := range []string{"dev", "prod"} {
		prefix := cfg.Targets[i].SchemaPrefix
		db := lakeOf(t, prefix)
		ask := func(query string) []string {
			// DuckDB has other quotes, and calls a catalog by its file's name.
			query = strings.NewReplacer("${var.catalog}", "lake", "${var.schema_prefix}", prefix, "${var.pipeline}", cfg.Name+"."+target,
				"`pi_production`", "lake", "`", `"`).Replace(query)
			rows, err := db.QueryContext(t.Context(), query)
			require.NoError(t, err, query)
			defer rows.Close()
			columns, err := rows.Columns()
			require.NoError(t, err)
			for rows.Next() {
			}
			require.NoError(t, rows.Err(), query)
			return columns
		}
		for _, a := range alertsOf(t, tree) {
			require.Contains(t, ask(a.Query), a.Evaluation.Source["name"], a.Name)
		}
		d, columns := dashboardOf(t, tree, target), map[string][]string{}
		for _, s := range d.Datasets {
			columns[s.Name] = ask(strings.Join(s.Lines, ""))
		}
		for _, placed := range d.Pages[0].Layout {
			q := placed.Widget.Queries[0].Query
			require.NotEmpty(t, q.Fields, placed.Widget.Name)
			for _, f := range q.Fields {
				require.Contains(t, columns[q.Dataset], f.Name, placed.Widget.Name)
			}
		}
		if prefix == "" {
			for _, f := range tree.Files() {
				if path.Dir(f.Path) == "sql" && f.Path != "sql/monitoring-tables.sql" {
					ask(string(f.Data))
				}
			}
		}
	}
}

// lakeOf gives a lake with the tables of the tasks.
func lakeOf(t *testing.T, prefix string) *sql.DB {
	t.Helper()
	lake, err := duckdb.Open(t.Context(), t.TempDir(), prefix)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lake.Close()) })
	require.NoError(t, lake.Engine("p").Claim(t.Context()))
	return lake.DB()
}

// Whatever watches, the CLI never gets to know of data: it would drop it.
func TestMonitoringIsNoDataOfTheBundle(t *testing.T) {
	cfg := watched()
	tree := render(t, cfg, planOf(cfg, 2))
	dir := filepath.Join(t.TempDir(), "b")
	require.NoError(t, tree.Write(dir))
	findings, err := lint.Check(dir)
	require.NoError(t, err)
	require.Empty(t, findings)
	for _, name := range []string{bundle.RootFile, bundle.JobsFile, bundle.MonitoringFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		var file struct {
			Resources map[string]any
		}
		require.NoError(t, yaml.Unmarshal(data, &file))
		for kind := range file.Resources {
			require.Contains(t, []string{"jobs", "alerts", "dashboards", "instance_pools"}, kind)
		}
	}
}
