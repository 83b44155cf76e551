package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
)

// TestStatusByAWarehouse: the tables of a target are asked in SQL, and answer in
// text and in JSON.
func TestStatusByAWarehouse(t *testing.T) {
	var asked []sql.ExecuteStatementRequest
	missing := false
	w := newWalk(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.0/sql/statements", func(r testserver.Request) any {
			var request sql.ExecuteStatementRequest
			require.NoError(t, json.Unmarshal(r.Body, &request))
			asked = append(asked, request)
			if missing {
				return sql.StatementResponse{Status: &sql.StatementStatus{State: sql.StatementStateFailed, Error: &sql.ServiceError{
					ErrorCode: "BAD_REQUEST", Message: "[TABLE_OR_VIEW_NOT_FOUND] The table or view " +
						"`main`.`checkpoints`.`tag_watermarks` cannot be found."}}}
			}
			answer := sql.StatementResponse{StatementId: "s", Status: &sql.StatementStatus{State: sql.StatementStateSucceeded},
				Manifest: &sql.ResultManifest{Schema: &sql.ResultSchema{}}, Result: &sql.ResultData{}}
			if strings.Contains(request.Statement, "AS oldest_tag") {
				for _, name := range []string{"tier", "site", "tags", "tags_without", "newest_ticks", "oldest_ticks", "oldest_tag"} {
					answer.Manifest.Schema.Columns = append(answer.Manifest.Schema.Columns, sql.ColumnInfo{Name: name})
				}
				answer.Result.DataArray = [][]string{{"standard", "plant-a", "4", "0", "17698600000000000", "17698600000000000", "one"}}
			}
			return answer
		})
	})
	require.Contains(t, w.bundlegen(1, "status", "-t", "prod"), "bundlegen generate")
	w.write("pipeline.yml", strings.TrimSpace(w.read("pipeline.yml"))+"\nmonitoring: {warehouse: abc123}\n")
	w.bundlegen(0, "generate")

	out := w.bundlegen(0, "status", "-t", "prod")
	require.Contains(t, out, "walk.prod   target prod, warehouse abc123 · ")
	require.Contains(t, out, "no run in the last five weeks")
	require.Contains(t, out, "plant-a     4  2026-01-31 11:46:40")
	require.Equal(t, "abc123", asked[0].WarehouseId)
	for _, request := range asked {
		require.Contains(t, request.Statement, "pipeline = 'walk.prod'")
		require.Contains(t, request.Statement, "`main`.`")
	}
	var document struct {
		Version int
		Bundles []struct {
			Pipeline string
			OnlyRuns bool `json:"only_runs"`
			Lags     []struct{ Tags int }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(w.bundlegen(0, "status", "-t", "prod", "-o", "json")), &document))
	require.Equal(t, 1, document.Version)
	require.Equal(t, "walk.prod", document.Bundles[0].Pipeline)
	require.False(t, document.Bundles[0].OnlyRuns)
	require.Equal(t, 4, document.Bundles[0].Lags[0].Tags)

	missing = true
	out = w.bundlegen(1, "status", "-t", "prod")
	require.Contains(t, out, "no run of target prod has made tables yet")
	require.Contains(t, out, "hint: bundlegen run -c ")
}

// TestStatusByJobs: without a warehouse the workspace's own list of runs is what is known.
func TestStatusByJobs(t *testing.T) {
	last := "Run exceeded its timeout\x1b[31m"
	w := newWalk(t, func(s *testserver.Server) {
		s.Handle("GET", "/api/2.2/jobs/runs/list", func(r testserver.Request) any {
			state := func(life jobs.RunLifeCycleState, result jobs.RunResultState, message string) *jobs.RunState {
				return &jobs.RunState{LifeCycleState: life, ResultState: result, StateMessage: message}
			}
			return jobs.ListRunsResponse{Runs: []jobs.BaseRun{
				{
					RunId:     6,
					StartTime: 1769860900000,
					EndTime:   1769860960000,
					State:     state(jobs.RunLifeCycleStateTerminated, jobs.RunResultStateTimedout, last),
				},
				{RunId: 5, StartTime: 1769860800000, State: state(jobs.RunLifeCycleStateRunning, "", "")},
				{
					RunId:     4,
					StartTime: 1769860700000,
					EndTime:   1769860760000,
					State:     state(jobs.RunLifeCycleStateTerminated, jobs.RunResultStateSuccess, ""),
				},
				{
					RunId:     3,
					StartTime: 1769860600000,
					EndTime:   1769860660000,
					State:     state(jobs.RunLifeCycleStateTerminated, jobs.RunResultStateSuccessWithFailures, ""),
				},
				{
					RunId:     2,
					StartTime: 1769860500000,
					EndTime:   1769860560000,
					State:     state(jobs.RunLifeCycleStateTerminated, jobs.RunResultStateFailed, "Task extract failed\x1b[31m"),
				},
				{RunId: 1, StartTime: 1769860400000, State: state(jobs.RunLifeCycleStateSkipped, "", "maximum concurrent runs")},
			}}
		})
	})
	w.bundlegen(0, "generate")
	require.Contains(t, w.bundlegen(1, "status", "-t", "prod"), "is not deployed to target \"prod\"")
	w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve")
	out := w.bundlegen(0, "status", "-t", "prod")
	require.Regexp(t, `2026-01-31 12:00:00  standard +under way\n`, out)
	require.Regexp(t, `2026-01-31 11:58:20  standard  1 min +succeeded\n`, out)
	require.Regexp(t, `done in part\n`, out)
	require.Regexp(t, `failed\n`, out)
	require.NotContains(t, out, "Task extract failed", "later runs ended well")
	require.Regexp(t, `skipped\n`, out)
	require.Contains(t, out, `! The run of standard, 2026-01-31 12:01:40, failed: Run exceeded its`)
	require.Contains(t, out, `timeout\x1b[31m`)
	require.Contains(t, out, "monitoring.warehouse")
	require.Contains(t, w.bundlegen(0, "status", "-t", "prod", "-o", "json"), `"only_runs": true`)
}
