package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
)

// RunResult is a run that has ended.
type RunResult struct {
	RunID    int64           `json:"run_id"`
	URL      string          `json:"url"`
	Outcome  outcome.Outcome `json:"-"`
	State    string          `json:"state"`   // as Databricks says it: SUCCESS, FAILED, TIMEDOUT, ...
	Message  string          `json:"message"` // why, where Databricks says it
	Duration time.Duration   `json:"duration_ns"`
	Tasks    []TaskResult    `json:"tasks"` // by task key; of a task that was tried again, the last attempt
}

// TaskResult is one task of a run that has ended.
type TaskResult struct {
	Key      string        `json:"task_key"`
	State    string        `json:"state"`
	Attempts int           `json:"attempts"`
	Duration time.Duration `json:"duration_ns"`
	URL      string        `json:"url"`   // the page of its last attempt
	Error    string        `json:"error"` // why it failed, as far as Databricks says; of the first failed tasks in pi-extractor's own words
}

// Failed reports whether the task ran and did not succeed. One that did not run,
// for what it depends on or was cancelled with, has no reason of its own.
func (t TaskResult) Failed() bool {
	switch jobs.RunResultState(t.State) {
	case jobs.RunResultStateFailed, jobs.RunResultStateTimedout, jobs.RunResultStateMaximumConcurrentRunsReached:
		return true
	}
	return t.State == string(jobs.RunLifeCycleStateInternalError)
}

// maxTaskErrors bounds the requests for error texts: when 900 tasks fail, the
// first ten say why.
const maxTaskErrors = 10

// Run starts the job with that resource key, with the given job parameters, and
// waits for its end. It reports progress on Stderr. A run that has ended is no
// error, however it ended: that is its Outcome.
//
// `databricks bundle run` knows no partial success, so the run is started and
// watched through the SDK; the CLI says which job it is. When ctx is cancelled,
// Run stops watching; the run itself goes on in the workspace.
func (c CLI) Run(ctx context.Context, dir, target, jobKey string, params map[string]string) (RunResult, error) {
	s, err := c.open(ctx, verb{name: "run", dir: dir, target: target})
	if err != nil {
		return RunResult{}, err
	}
	result, err := s.run(jobKey, params, orElse(c.Poll, DefaultPoll))
	return result, s.close(err)
}

// run is Run's main path.
func (s *session) run(jobKey string, params map[string]string, poll time.Duration) (RunResult, error) {
	id, err := s.jobID(jobKey)
	if err != nil {
		return RunResult{}, err
	}
	started, err := s.client.Jobs.RunNow(s.ctx, jobs.RunNow{
		JobId:            id,
		JobParameters:    params,
		IdempotencyToken: uuid.NewString(), // a request that is sent again starts no second run
	})
	if err != nil {
		return RunResult{}, fmt.Errorf("%s could not be started: %w", jobKey, err)
	}
	run, err := s.watch(started.RunId, poll)
	if err != nil {
		fmt.Fprintf(s.console, "run %d goes on in the workspace: %s\n", started.RunId, run.RunPageUrl)
		return RunResult{}, err
	}
	result := resultOf(run)
	return result, explain(s.ctx, s.client, run, result.Tasks)
}

// jobID is the id of the deployed job.
func (s *session) jobID(key string) (int64, error) {
	summary, err := s.summary()
	if err != nil {
		return 0, err
	}
	return s.idIn(summary, key)
}

// idIn finds the id of a deployed job in a summary.
func (s *session) idIn(summary Summary, key string) (int64, error) {
	job, ok := summary.Jobs[key]
	if !ok {
		return 0, diag.WithHint(fmt.Errorf("the bundle has no job %q", key),
			"it has %s", strings.Join(slices.Sorted(maps.Keys(summary.Jobs)), ", "))
	}
	if job.ID == "" {
		return 0, diag.WithHint(fmt.Errorf("job %q is not deployed to target %q", key, s.target),
			"run `bundlegen deploy -t %s` first", s.target)
	}
	return strconv.ParseInt(job.ID, 10, 64)
}

// watch waits for the end of a run and prints a line whenever something has
// changed. Of a run that it gives up on, it returns what it knew last.
func (s *session) watch(id int64, poll time.Duration) (*jobs.Run, error) {
	last, said := &jobs.Run{}, ""
	for {
		run, err := s.client.Jobs.GetRun(s.ctx, jobs.GetRunRequest{RunId: id})
		if err != nil {
			return last, err
		}
		if last.RunId == 0 {
			fmt.Fprintf(s.console, "run %d: %s\n", id, run.RunPageUrl)
		}
		if line := progress(run); line != said {
			fmt.Fprintf(s.console, "%s  %s\n", time.Now().Format(time.TimeOnly), line)
			said = line
		}
		last = run
		if ended(run.State) {
			return run, nil
		}
		if sleep.For(s.ctx, poll) != nil {
			return last, context.Cause(s.ctx)
		}
	}
}

// progress is one line about a run.
func progress(run *jobs.Run) string {
	state := stateOf(run.State)
	var done, failed int
	latest := latestAttempts(run.Tasks)
	for _, t := range latest {
		if ended(t.State) {
			done++
			if stateOf(t.State) != string(jobs.RunResultStateSuccess) {
				failed++
			}
		}
	}
	line := fmt.Sprintf("%s: %d of %d tasks done", strings.ToLower(strings.ReplaceAll(state, "_", " ")), done, len(latest))
	if failed > 0 {
		line += fmt.Sprintf(", %d of them not successful", failed)
	}
	return line
}

// ended reports whether a run or task has reached its last state.
func ended(s *jobs.RunState) bool {
	if s == nil {
		return false
	}
	switch s.LifeCycleState {
	case jobs.RunLifeCycleStateTerminated, jobs.RunLifeCycleStateSkipped, jobs.RunLifeCycleStateInternalError:
		return true
	}
	return false
}

// stateOf is the result, or the state in the life cycle when there is none (yet).
func stateOf(s *jobs.RunState) string {
	switch {
	case s == nil:
		return "PENDING"
	case s.ResultState != "":
		return string(s.ResultState)
	default:
		return string(s.LifeCycleState)
	}
}

// latestAttempts is the tasks by key, each with its last attempt only.
func latestAttempts(tasks []jobs.RunTask) []jobs.RunTask {
	latest := make(map[string]jobs.RunTask, len(tasks))
	for _, t := range tasks {
		if seen, ok := latest[t.TaskKey]; !ok || t.AttemptNumber >= seen.AttemptNumber {
			latest[t.TaskKey] = t
		}
	}
	return slices.SortedFunc(maps.Values(latest), func(a, b jobs.RunTask) int { return strings.Compare(a.TaskKey, b.TaskKey) })
}

// resultOf is the result of a run that has ended.
func resultOf(run *jobs.Run) RunResult {
	r := RunResult{
		RunID: run.RunId, URL: run.RunPageUrl, State: stateOf(run.State),
		Message: run.State.StateMessage, Duration: between(run.StartTime, run.EndTime),
	}
	switch run.State.ResultState {
	case jobs.RunResultStateSuccess:
		r.Outcome = outcome.OK
	case jobs.RunResultStateSuccessWithFailures:
		r.Outcome = outcome.Partial
	default:
		r.Outcome = outcome.Failed
	}
	for _, t := range latestAttempts(run.Tasks) {
		r.Tasks = append(r.Tasks, TaskResult{
			Key: t.TaskKey, State: stateOf(t.State), Attempts: t.AttemptNumber + 1,
			Duration: between(t.StartTime, t.EndTime), URL: t.RunPageUrl, Error: messageOf(t),
		})
	}
	return r
}

// messageOf is what Databricks says of a task's end, where it did not succeed.
func messageOf(t jobs.RunTask) string {
	if t.State == nil || t.State.ResultState == jobs.RunResultStateSuccess {
		return ""
	}
	return t.State.StateMessage
}

// between is the time from start to end, both in milliseconds since 1970; 0 when
// one of them is not set.
func between(start, end int64) time.Duration {
	if start == 0 || end < start {
		return 0
	}
	return time.Duration(end-start) * time.Millisecond
}

// explain adds the error texts of the first failed tasks. A text that cannot be
// had any more is no error; a workspace that has fallen silent is.
func explain(ctx context.Context, client *databricks.WorkspaceClient, run *jobs.Run, results []TaskResult) error {
	asked := 0
	for i, t := range latestAttempts(run.Tasks) {
		if !results[i].Failed() || asked == maxTaskErrors {
			continue
		}
		asked++
		output, err := client.Jobs.GetRunOutput(ctx, jobs.GetRunOutputRequest{RunId: t.RunId})
		switch {
		case err == nil:
			results[i].Error = cmp.Or(said(output.Logs), output.Error, results[i].Error)
		case context.Cause(ctx) != nil:
			return errors.Join(context.Cause(ctx), err)
		}
	}
	return nil
}

// said returns the last error that a task printed itself, which tells more than
// that its process ended: what follows "error: ", up to Python's trace.
func said(logs string) string {
	const head = "error: "
	start := strings.LastIndex("\n"+logs, "\n"+head)
	if start < 0 {
		return ""
	}
	words, _, _ := strings.Cut(logs[start+len(head):], "\nTraceback (most recent call last)")
	return strings.TrimSpace(words)
}
