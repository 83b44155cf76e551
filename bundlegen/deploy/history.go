package deploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/bundlegen/bundlegen/bundlegen/outcome"
)

// PastRun is a run of a job, as the workspace lists it.
type PastRun struct {
	JobKey  string
	RunID   int64
	URL     string
	Started time.Time
	Ended   time.Time // zero: it goes on
	Outcome outcome.Outcome
	State   string // as Databricks says it: SUCCESS, FAILED, TIMEDOUT, SKIPPED, RUNNING …
	Message string // why, where Databricks says it
}

// Runs lists the latest runs of jobs of the bundle, by resource key: at most so
// many, of all of them together the latest first. Jobs that are not deployed are
// an error.
func (c CLI) Runs(ctx context.Context, dir, target string, jobKeys []string, most int) ([]PastRun, error) {
	s, err := c.open(ctx, verb{name: "status", dir: dir, target: target, quiet: true})
	if err != nil {
		return nil, err
	}
	runs, err := s.runs(jobKeys, most)
	return runs, s.close(err)
}

func (s *session) runs(jobKeys []string, most int) ([]PastRun, error) {
	summary, err := s.summary()
	if err != nil {
		return nil, err
	}
	all := []PastRun{}
	for _, key := range jobKeys {
		id, err := s.idIn(summary, key)
		if err != nil {
			return nil, err
		}
		list := s.client.Jobs.ListRuns(s.ctx, jobs.ListRunsRequest{JobId: id, Limit: most})
		for n := 0; n < most && list.HasNext(s.ctx); n++ {
			run, err := list.Next(s.ctx)
			if err != nil {
				return nil, fmt.Errorf("the runs of %s: %w", key, err)
			}
			all = append(all, pastRun(key, &run))
		}
	}
	slices.SortStableFunc(all, func(a, b PastRun) int { return b.Started.Compare(a.Started) })
	return all[:min(most, len(all))], nil
}

func pastRun(key string, run *jobs.BaseRun) PastRun {
	p := PastRun{
		JobKey:  key,
		RunID:   run.RunId,
		URL:     run.RunPageUrl,
		Started: instantOf(run.StartTime),
		State:   stateOf(run.State),
		Outcome: outcome.Failed,
	}
	if run.State == nil {
		return p
	}
	p.Message = run.State.StateMessage
	if ended(run.State) {
		p.Ended = instantOf(run.EndTime)
		if p.Ended.IsZero() {
			p.Ended = p.Started
		}
	}
	switch run.State.ResultState {
	case jobs.RunResultStateSuccess:
		p.Outcome = outcome.OK
	case jobs.RunResultStateSuccessWithFailures:
		p.Outcome = outcome.Partial
	}
	return p
}

// instantOf reads milliseconds since 1970; 0 is none.
func instantOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
