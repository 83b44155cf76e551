package scenarios_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"gopkg.in/yaml.v3"
)

// schemaName is a schema in the words of Databricks, in an alert or a dashboard.
var schemaName = regexp.MustCompile("`[^`]+`\\.`(?:\\$\\{var\\.schema_prefix\\}|[a-z0-9]+_)?(\\w+)`")

// statements asks a data folder's tables everything that a bundle asks of them,
// of a target's dashboard, by the names that the tables have here, and prints of
// each statement whether it gave any rows.
//
//	statements FOLDER BUNDLE TARGET
//
// With a name at the end it prints the rows of that one instead.
func statements(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 3, "statements FOLDER BUNDLE TARGET [NAME]")
	all := map[string]string{}
	bundle := ts.MkAbs(args[1])
	pipeline := filepath.Base(bundle)
	emittedQueries(ts, bundle, all)
	emittedAlerts(ts, bundle, all)
	emittedDashboard(ts, filepath.Join(bundle, "dashboards", args[2]+".lvdash.json"), all)
	var names []string
	for name, text := range all {
		names = append(names, name)
		text = schemaName.ReplaceAllString(text, "$1")
		all[name] = strings.NewReplacer("'"+pipeline+"."+args[2]+"'", "'"+pipeline+"'", "'${var.pipeline}'", "'"+pipeline+"'").Replace(text)
	}
	if len(args) > 3 {
		names = args[3:]
	}
	slices.Sort(names)
	for _, name := range names {
		rows := query(ts, args[0], all[name])
		if len(args) == 3 {
			fmt.Fprintf(ts.Stdout(), "%s: %s\n", name, map[bool]string{true: "rows", false: "none"}[len(rows) > 0])
			continue
		}
		for _, row := range rows {
			fmt.Fprintln(ts.Stdout(), strings.Join(row, "|"))
		}
	}
}

// emittedQueries adds the queries in sql/.
func emittedQueries(ts *testscript.TestScript, bundle string, all map[string]string) {
	files, err := filepath.Glob(filepath.Join(bundle, "sql", "*.sql"))
	ts.Check(err)
	for _, file := range files {
		if filepath.Base(file) != "monitoring-tables.sql" { // it writes
			all["sql/"+filepath.Base(file)] = ts.ReadFile(file)
		}
	}
}

// emittedAlerts adds the queries of alerts.
func emittedAlerts(ts *testscript.TestScript, bundle string, all map[string]string) {
	data, err := os.ReadFile(filepath.Join(bundle, "databricks-monitoring.yml"))
	ts.Check(err)
	var file struct {
		Resources struct {
			Alerts map[string]struct {
				Query string `yaml:"query_text"`
			}
		}
	}
	ts.Check(yaml.Unmarshal(data, &file))
	for key, alert := range file.Resources.Alerts {
		all["alert "+key] = alert.Query
	}
}

// emittedDashboard adds the datasets of a dashboard.
func emittedDashboard(ts *testscript.TestScript, file string, all map[string]string) {
	data, err := os.ReadFile(file)
	ts.Check(err)
	var dashboard struct {
		Datasets []struct {
			Name  string
			Lines []string `json:"queryLines"`
		}
	}
	ts.Check(json.Unmarshal(data, &dashboard))
	for _, s := range dashboard.Datasets {
		all["dashboard "+s.Name] = strings.Join(s.Lines, "")
	}
}
