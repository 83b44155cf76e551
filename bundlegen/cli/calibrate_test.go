package cli_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
)

// twoRuns is what a warehouse gives of two runs of the walk's plan: two
// partitions of two tags, an hour apart, clusters started in 200 s, a request in 2 s.
func twoRuns() [][]string {
	var rows [][]string
	for run := range 2 {
		start := 1769860800 + 3600*run
		add := func(task, partition string, from, seconds, tags, events, requests int) {
			micros := func(s int) string { return fmt.Sprintf("%d000000", s) }
			batch, number, site := "", "", ""
			if partition != "" {
				batch, number, site = fmt.Sprintf("b%d%s", run, partition), fmt.Sprint(run+1), "plant-a"
			}
			rows = append(rows, []string{fmt.Sprint("r", run), partition, micros(start + from), micros(start + from + seconds),
				fmt.Sprint(tags), fmt.Sprint(events),
				"SUCCEEDED", "walk.prod", task, "standard", site, "1", batch, number, "0", fmt.Sprint(requests)})
		}
		add("discover", "", 0, 20, 0, 0, 3)
		add("extract", "0", 220, 4, 2, 100, 2)
		add("extract", "1", 220, 4, 2, 100, 2)
		add("consolidate", "", 240, 10, 0, 0, 0)
	}
	return rows
}

// TestCalibrateByAWarehouse: the history of a target, asked for in SQL, becomes
// calibration.json, which the next plan names.
func TestCalibrateByAWarehouse(t *testing.T) {
	var asked sql.ExecuteStatementRequest
	w := newWalk(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.0/sql/statements", func(r testserver.Request) any {
			require.NoError(t, json.Unmarshal(r.Body, &asked))
			return sql.StatementResponse{StatementId: "s", Status: &sql.StatementStatus{State: sql.StatementStateSucceeded},
				Result: &sql.ResultData{DataArray: twoRuns()}}
		})
	})
	require.Contains(t, w.bundlegen(1, "calibrate"), "give one of --data FOLDER, --metrics FILE and -t TARGET")
	require.Contains(t, w.bundlegen(1, "calibrate", "-t", "prod", "--metrics", "m.csv"), "give one of")
	require.Contains(t, w.bundlegen(1, "calibrate", "-t", "prod", "--rates"), "--rates belongs to --data")
	require.Contains(t, w.bundlegen(1, "calibrate", "-t", "prod"), "monitoring.warehouse is missing")
	w.write("pipeline.yml", strings.TrimSpace(w.read("pipeline.yml"))+"\nmonitoring: {warehouse: abc123}\n")
	w.bundlegen(0, "generate")

	out := w.bundlegen(0, "calibrate", "-t", "prod")
	require.Equal(t, "abc123", asked.WarehouseId)
	require.Contains(t, asked.Statement, "FROM `main`.monitoring.pipeline_metrics WHERE pipeline = 'walk.prod'")
	require.Contains(t, out, "measured over 2 runs of walk.prod")
	require.Contains(t, out, "startup_classic")
	require.Contains(t, out, "next: bundlegen plan")
	first := w.read("calibration.json")
	w.bundlegen(0, "calibrate", "-t", "prod")
	require.Equal(t, first, w.read("calibration.json"), "the same history, the same file")

	require.Contains(t, w.bundlegen(0, "plan"), "measured values from calibration.json")
	require.Contains(t, w.bundlegen(0, "plan", "--output", "json"), "calibration.json, measured over 2 runs, spread ")
	w.write("pipeline.yml", w.read("pipeline.yml")+"calibration: other.json\n")
	require.Contains(t, w.bundlegen(1, "plan"), "calibration: open")
}
