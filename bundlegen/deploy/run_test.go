package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/outcome"
)

// scripted makes the workspace answer a run's polls with the given states, the
// last one for ever.
func scripted(polls *atomic.Int64, states ...jobs.Run) func(*testserver.Server) {
	return func(s *testserver.Server) {
		s.Handle("POST", "/api/2.2/jobs/run-now", func(testserver.Request) any { return jobs.RunNowResponse{RunId: 42} })
		s.Handle("GET", "/api/2.2/jobs/runs/get", func(testserver.Request) any {
			n := int(polls.Add(1))
			run := states[min(n, len(states))-1]
			run.RunId, run.RunPageUrl = 42, "https://example.test/run/42"
			return run
		})
		s.Handle("GET", "/api/2.2/jobs/runs/get-output", func(r testserver.Request) any {
			return jobs.RunOutput{Error: "why " + r.URL.Query().Get("run_id") + " failed"}
		})
	}
}

// ending is a run or task state.
func ending(life jobs.RunLifeCycleState, result jobs.RunResultState) *jobs.RunState {
	return &jobs.RunState{LifeCycleState: life, ResultState: result}
}

func TestRunOutcomes(t *testing.T) {
	const over = jobs.RunLifeCycleStateTerminated
	running := jobs.Run{State: ending(jobs.RunLifeCycleStateRunning, ""), Tasks: []jobs.RunTask{
		{TaskKey: "discover_tags", State: ending(over, jobs.RunResultStateSuccess)}, {TaskKey: "validate"},
	}}
	for _, c := range []struct {
		state   *jobs.RunState
		outcome outcome.Outcome
	}{
		{ending(over, jobs.RunResultStateSuccess), outcome.OK},
		{ending(over, jobs.RunResultStateSuccessWithFailures), outcome.Partial},
		{ending(over, jobs.RunResultStateFailed), outcome.Failed},
		{ending(over, jobs.RunResultStateTimedout), outcome.Failed},
		{ending(over, jobs.RunResultStateCanceled), outcome.Failed},
		{ending(jobs.RunLifeCycleStateSkipped, ""), outcome.Failed},
		{ending(jobs.RunLifeCycleStateInternalError, jobs.RunResultStateFailed), outcome.Failed},
	} {
		t.Run(fmt.Sprint(c.state.LifeCycleState, c.state.ResultState), func(t *testing.T) {
			var polls atomic.Int64
			f := newFake(t, scripted(&polls, running, running, jobs.Run{
				State: c.state, StartTime: 1_000, EndTime: 61_000,
				Tasks: []jobs.RunTask{
					{TaskKey: "validate", RunId: 9, State: ending(over, jobs.RunResultStateSuccess)},
					{TaskKey: "extract", RunId: 7, State: ending(over, jobs.RunResultStateFailed)},
					{TaskKey: "extract", RunId: 8, AttemptNumber: 1, State: ending(over, jobs.RunResultStateFailed)},
				},
			}))
			dir := small(t)
			require.NoError(t, CLI{}.Deploy(t.Context(), dir, "prod", true, nil))

			var stderr bytes.Buffer
			cli := CLI{Stderr: &stderr, Poll: time.Millisecond}
			result, err := cli.Run(t.Context(), dir, "prod", "small_orchestrator", map[string]string{"until_ms": "1700000000000"})
			require.NoError(t, err)
			assert.Equal(t, c.outcome, result.Outcome)
			assert.Equal(t, time.Minute, result.Duration)
			assert.Equal(t, "https://example.test/run/42", result.URL)
			assert.Equal(t, []TaskResult{
				{Key: "extract", State: "FAILED", Attempts: 2, Error: "why 8 failed"},
				{Key: "validate", State: "SUCCESS", Attempts: 1},
			}, result.Tasks)
			assert.Equal(t, 3, int(polls.Load()))
			assert.Contains(t, stderr.String(), "run 42: https://example.test/run/42\n")
			assert.Contains(t, stderr.String(), "running: 1 of 2 tasks done\n")
			assert.Contains(t, stderr.String(), "2 of 2 tasks done, 1 of them not successful\n")

			var request jobs.RunNow
			sent := f.sent("POST", "/api/2.2/jobs/run-now")
			require.Len(t, sent, 1)
			require.NoError(t, json.Unmarshal(sent[0], &request))
			assert.Equal(t, map[string]string{"until_ms": "1700000000000"}, request.JobParameters)
			assert.NotEmpty(t, request.IdempotencyToken)
		})
	}
}

func TestRunIsLeftAloneWhenCancelled(t *testing.T) {
	var polls atomic.Int64
	f := newFake(t, scripted(&polls, jobs.Run{State: ending(jobs.RunLifeCycleStateRunning, "")}))
	dir := small(t)
	require.NoError(t, CLI{}.Deploy(t.Context(), dir, "prod", true, nil))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for polls.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	var stderr bytes.Buffer
	_, err := CLI{Stderr: &stderr, Poll: time.Millisecond}.Run(ctx, dir, "prod", "small_orchestrator", nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, stderr.String(), "run 42 goes on in the workspace: https://example.test/run/42")
	assert.Empty(t, f.sent("POST", "/api/2.2/jobs/runs/cancel"))
}
