package cli_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
)

// TestAFailedRunSaysWhy runs a job whose tasks fail in several ways: each is told
// of with its state, the first lines of its error and its page.
func TestAFailedRunSaysWhy(t *testing.T) {
	const over = jobs.RunLifeCycleStateTerminated
	state := func(result jobs.RunResultState, message string) *jobs.RunState {
		return &jobs.RunState{LifeCycleState: over, ResultState: result, StateMessage: message}
	}
	page := func(id string) string { return "https://example.test/task/" + id }
	w := newWalk(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.2/jobs/run-now", func(testserver.Request) any { return jobs.RunNowResponse{RunId: 42} })
		s.Handle("GET", "/api/2.2/jobs/runs/get", func(testserver.Request) any {
			return jobs.Run{RunId: 42, RunPageUrl: "https://example.test/run/42", StartTime: 1_000, EndTime: 201_000,
				State: state(jobs.RunResultStateFailed, "Workload failed"),
				Tasks: []jobs.RunTask{
					{TaskKey: "discover_tags", RunId: 1, RunPageUrl: page("1"), State: state(jobs.RunResultStateSuccess, "")},
					{TaskKey: "extract_timeseries_partition_0", RunId: 2, AttemptNumber: 0, RunPageUrl: page("2"),
						State: state(jobs.RunResultStateFailed, "")},
					{TaskKey: "extract_timeseries_partition_0", RunId: 3, AttemptNumber: 3, RunPageUrl: page("3"),
						State: state(jobs.RunResultStateFailed, "")},
					{TaskKey: "extract_timeseries_partition_1", RunId: 4, RunPageUrl: page("4"),
						State: state(jobs.RunResultStateTimedout, "Run timed out after 900 seconds")},
					{TaskKey: "consolidate", RunId: 5, RunPageUrl: page("5"), State: state(jobs.RunResultStateFailed, "")},
					{TaskKey: "validate", RunId: 6, RunPageUrl: page("6"),
						State: state(jobs.RunResultStateUpstreamFailed, "An upstream task failed.")},
				}}
		})
		s.Handle("GET", "/api/2.2/jobs/runs/get-output", func(r testserver.Request) any {
			switch r.URL.Query().Get("run_id") {
			case "3":
				return jobs.RunOutput{Error: "TaskFailed: pi-extractor extract ended with exit code 1; its own messages stand above",
					Logs: "time=now level=INFO msg=x\nerror: site \"plant-a\": unauthorized (401) at /piwebapi/streams\x1b[2J\nhint: " +
						"check the user\nTraceback (most recent call last):\n  File"}
			case "5":
				return jobs.RunOutput{Error: "a\nb\nc\nd\ne\nf\ng\nh"}
			}
			return jobs.RunOutput{}
		})
	})
	w.bundlegen(0, "generate")
	w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve")
	require.Contains(t, w.bundlegen(1, "run", "-t", "prod"), `walk_orchestrator failed in 3 min 20 s: https://example.test/run/42
  Workload failed
  consolidate: FAILED at attempt 1, https://example.test/task/5
    a
    b
    c
    d
    e
    f
    …
  extract_timeseries_partition_0: FAILED at attempt 4, https://example.test/task/3
    site "plant-a": unauthorized (401) at /piwebapi/streams\x1b[2J
    hint: check the user
  extract_timeseries_partition_1: TIMEDOUT at attempt 1, https://example.test/task/4
    Run timed out after 900 seconds
`, "validate did not run, and has no reason of its own")

	printed := w.bundlegen(1, "run", "-t", "prod", "-o", "json")
	var document struct {
		Version  int
		Outcome  string
		ExitCode int `json:"exit_code"`
		Runs     []struct {
			Job   string
			RunID int64 `json:"run_id"`
			Tasks []struct {
				Key   string `json:"task_key"`
				Error string
				URL   string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(printed[lastDocument(printed):]), &document), printed)
	require.Equal(t, 1, document.Version)
	require.Equal(t, "failed", document.Outcome)
	require.Equal(t, 1, document.ExitCode)
	require.Len(t, document.Runs, 1)
	require.Equal(t, "walk_orchestrator", document.Runs[0].Job)
	require.EqualValues(t, 42, document.Runs[0].RunID)
	require.Equal(t, page("3"), document.Runs[0].Tasks[2].URL)
	require.Contains(t, document.Runs[0].Tasks[2].Error, "unauthorized (401)")
}

// TestExitCodesOfRuns runs a job that ends in each way.
func TestExitCodesOfRuns(t *testing.T) {
	var ends atomic.Value
	w := newWalk(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.2/jobs/run-now", func(testserver.Request) any { return jobs.RunNowResponse{RunId: 42} })
		s.Handle("GET", "/api/2.2/jobs/runs/get", func(testserver.Request) any {
			return jobs.Run{RunId: 42, State: &jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateTerminated,
				ResultState: ends.Load().(jobs.RunResultState)}}
		})
	})
	w.bundlegen(0, "generate")
	w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve")
	for end, want := range map[jobs.RunResultState]struct {
		code  int
		words string
	}{
		jobs.RunResultStateSuccess:             {0, "succeeded"},
		jobs.RunResultStateSuccessWithFailures: {3, "succeeded with failures"},
		jobs.RunResultStateFailed:              {1, "failed"},
		jobs.RunResultStateCanceled:            {1, "failed"},
	} {
		ends.Store(end)
		printed := w.bundlegen(want.code, "run", "-t", "prod", "-o", "json")
		var document struct {
			Outcome string
			Runs    []struct{ Outcome int }
		}
		require.NoError(t, json.Unmarshal([]byte(printed[lastDocument(printed):]), &document), printed)
		require.Equal(t, want.words, document.Outcome)
		require.Equal(t, want.code, document.Runs[0].Outcome)
	}
}

// lastDocument is where the JSON begins in what was printed to both streams.
func lastDocument(printed string) int {
	for i := range printed {
		if printed[i] == '{' && (i == 0 || printed[i-1] == '\n') {
			return i
		}
	}
	return len(printed)
}
