package workflow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/templates"
)

// NoTablesError is the error of a target whose tables no run has made yet.
type NoTablesError struct{ Target string }

func (e *NoTablesError) Error() string {
	return "no run of target " + e.Target + " has made tables yet"
}

// Status asks the workspace of a target how the pipeline is: its tables through a SQL
// warehouse, and without one only its jobs.
func Status(ctx context.Context, ws deploy.CLI, r *Region, target string) (*status.Status, error) {
	var reader templates.Reader
	warehouse, now := "", time.Now()
	for _, t := range r.Config.Targets {
		if t.Name == target {
			warehouse = r.Config.WarehouseOf(t)
			reader = templates.Reader{Catalog: r.Config.CatalogOf(t), SchemaPrefix: t.SchemaPrefix,
				Pipelines: []string{r.Config.Key() + "." + target}, Sites: r.Config.OwnSites(), Now: status.Instant(now)}
		}
	}
	if warehouse == "" {
		return jobStatus(ctx, ws, r, target, now)
	}
	queries, err := status.Queries(reader)
	if err != nil {
		return nil, err
	}
	statements := make([]string, len(queries))
	for i, q := range queries {
		statements[i] = q.SQL
	}
	rows, err := ws.QueryAll(ctx, r.Dir(), target, warehouse, statements)
	if err != nil {
		if strings.Contains(err.Error(), "TABLE_OR_VIEW_NOT_FOUND") || strings.Contains(err.Error(), "SCHEMA_NOT_FOUND") {
			err = &NoTablesError{target}
		}
		return nil, err
	}
	answers := make([]status.Rows, len(rows))
	for i, answer := range rows {
		answers[i] = status.Rows(answer)
	}
	s, err := status.Read(queries, answers, now)
	if err != nil {
		return nil, err
	}
	s.Source = "target " + target + ", warehouse " + warehouse
	s.Pipeline, s.Region = r.Config.Key()+"."+target, r.Name()
	return s, nil
}

// maxRuns is how many runs are shown.
const mostRuns = 10

// jobStatus asks the workspace for the runs of the bundle's jobs, which is all that
// is known without a SQL warehouse.
func jobStatus(ctx context.Context, ws deploy.CLI, r *Region, target string, now time.Time) (*status.Status, error) {
	b, err := bundle.Read(r.Dir())
	if err != nil {
		return nil, err
	}
	tiers := map[string]string{}
	var keys []string
	for _, j := range b.Roots() {
		if j.Lands() {
			tiers[j.Key], keys = j.Tier, append(keys, j.Key)
		}
	}
	runs, err := ws.Runs(ctx, r.Dir(), target, keys, mostRuns)
	if err != nil {
		return nil, err
	}
	s, err := status.Read(nil, nil, now)
	if err != nil {
		return nil, err
	}
	s.Source, s.OnlyRuns = "target "+target, true
	s.Pipeline, s.Region = r.Config.Key()+"."+target, r.Name()
	for _, past := range runs {
		run := status.Run{ID: fmt.Sprint(past.RunID), Tier: tiers[past.JobKey], Started: past.Started, Outcome: outcomeOf(&past),
			URL: past.URL}
		if !past.Ended.IsZero() {
			run.Ended = &past.Ended
		}
		if run.Outcome == status.Failed {
			run.Error = past.Message
			if run.Error == "" {
				run.Error = past.State
			}
		}
		s.Runs = append(s.Runs, run)
	}
	return s, nil
}

// outcomeOf returns how a run of a job ended, in the words of a status.
func outcomeOf(past *deploy.PastRun) string {
	switch {
	case past.Ended.IsZero():
		return status.UnderWay
	case past.Outcome == outcome.OK:
		return status.Succeeded
	case past.Outcome == outcome.Partial:
		return status.Partly
	case past.State == "SKIPPED":
		return status.Skipped
	case past.State == "CANCELED":
		return status.Cancelled
	}
	return status.Failed
}
