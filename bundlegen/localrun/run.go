// Package localrun runs an emitted job on this machine: the same tasks with the
// same parameters in the same order as Databricks would, read from the bundle's
// YAML and nothing else. Its tables live in DuckDB, and then the tasks run in
// this process, or in Delta, and then they are those of the bundle's wheel, each
// in a process of its own, on a Spark of this machine. It also asks the sites for
// their points (bundlegen discover). It is the only package of bundlegen that
// uses the extractor.
package localrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Options says what to run and where.
type Options struct {
	Bundle    string        // the emitted folder
	Pipeline  string        // NAME: the key of everything that is landed
	Engine    string        // where tables live: one of Engines
	Data      string        // the data folder
	Tiers     []string      // in order; each tier's job runs once
	Until     string        // RFC 3339, used as given; "" = now
	Endless   bool          // the jobs of continuous tiers run until ctx is done; else their tasks loop once
	RetryWait time.Duration // the most to wait between two attempts of a task
	Getenv    func(string) (string, bool)
	Stdout    io.Writer
	Stderr    io.Writer
	Terminal  bool // Stderr is a terminal: bars instead of lines
	Log       *slog.Logger
}

// DefaultRetryWait is the longest wait between two attempts here: the job's
// own interval leaves time for a cluster to start, and here there is none.
const DefaultRetryWait = 5 * time.Second

// Outcome is how a run ended.
type Outcome int

// The outcomes, from good to bad.
const (
	OK         Outcome = iota
	PartlyDone         // some tags or partitions failed, the rest is landed
	NothingOK          // no partition ended well, or the run could not begin
)

// Run runs the jobs of the tiers one after the other. What it did goes to
// Stdout as a table, all else to Stderr. An error is a cancelled context, or
// what kept the run from beginning; failures of tasks are in the Outcome.
func Run(ctx context.Context, o Options) (Outcome, error) {
	kind, err := o.kind()
	if err != nil {
		return NothingOK, err
	}
	jobs, err := load(o.Bundle, o.Pipeline, kind.catalog)
	if err != nil {
		return NothingOK, err
	}
	lake, err := kind.open(ctx, o)
	if err != nil {
		return NothingOK, err
	}
	outcome, err := runTiers(ctx, o, lake, jobs)
	if err := errors.Join(err, lake.close()); err != nil {
		return NothingOK, err
	}
	return outcome, nil
}

// runTiers runs the tiers' jobs one after the other, and gives the worst outcome.
func runTiers(ctx context.Context, o Options, lake lake, jobs emitted) (Outcome, error) {
	worst := OK
	for _, tier := range o.Tiers {
		job, err := jobs.ofTier(tier)
		if err != nil {
			return NothingOK, err
		}
		if len(o.Tiers) > 1 {
			fmt.Fprintf(o.Stdout, "%s\n", job.Key)
		}
		outcome, err := runJob(ctx, o, lake, jobs, job)
		for job.Continuous && o.Endless && err == nil {
			// As on Databricks, the job begins anew, with the bundle that is there now.
			if jobs, err = load(o.Bundle, o.Pipeline, o.catalog()); err != nil {
				break
			}
			if job, err = jobs.ofTier(tier); err == nil {
				outcome, err = runJob(ctx, o, lake, jobs, job)
			}
		}
		if err != nil {
			return NothingOK, err
		}
		worst = max(worst, outcome)
	}
	return worst, nil
}

// catalog is the engine's own; "" = the bundle's.
func (o Options) catalog() string {
	kind, err := o.kind()
	if err != nil {
		return "" // Run has looked already
	}
	return kind.catalog
}

// runJob runs one job to its end.
func runJob(ctx context.Context, o Options, lake lake, jobs emitted, job bundle.Job) (Outcome, error) {
	values := map[string]string{
		runID:                         uuid.NewString(),
		"job.start_time.timestamp_ms": strconv.FormatInt(time.Now().UnixMilli(), 10),
	}
	given := map[string]string{bundle.ParameterUntil: o.Until}
	if !o.Endless {
		given[bundle.ParameterLoopSeconds] = "0"
	}
	values, err := bind(values, job, given)
	if err != nil {
		return NothingOK, err
	}
	tasks, graph, err := jobs.flatten(job, values)
	if err != nil {
		return NothingOK, err
	}
	fits := newBudget(o.Bundle, lake.sideBySide()).fits
	if job.Continuous {
		o.retry(tasks)
		fits = func([]*scheduled, *scheduled) bool { return true } // they wait for each other, and for ever
	}
	screen, err := o.display(tasks)
	if err != nil {
		return NothingOK, err
	}
	s := &scheduler{
		tasks: tasks, graph: graph, retryWait: o.RetryWait, fits: fits,
		started: screen.started, ended: screen.ended,
		run: func(ctx context.Context, t *scheduled, attempt int) (task.Result, error) {
			return lake.attempt(ctx, &t.spec, attempt, func(p task.Progress) { screen.progress(t, p) })
		},
	}
	err = s.runAll(ctx)
	screen.close()
	states := make([]State, len(graph))
	for i := range graph {
		states[i] = graph[i].state
	}
	writeTable(o.Stdout, tasks, states)
	writeTroubles(o.Stderr, tasks, states, o.Data, lake.trouble)
	if err != nil {
		return NothingOK, err
	}
	return judge(tasks, states), nil
}

// retry has the tasks of a continuous job started again when they fail, as its
// task_retry_mode says: without an end, or where they loop once, a few times.
func (o Options) retry(tasks []*scheduled) {
	for _, t := range tasks {
		t.spec.MaxRetries, t.spec.RetryInterval, t.spec.RetryOnTimeout = 3, time.Minute, true
		if o.Endless {
			t.spec.MaxRetries = -1
		}
	}
}

// runID is the reference to the id of a job's run.
const runID = "job.run_id"

func (o Options) display(tasks []*scheduled) (display, error) {
	if !o.Terminal {
		return newPlain(o.Stderr), nil
	}
	var extractions []*scheduled
	for _, t := range tasks {
		if t.spec.params.Task == manifest.TaskExtract {
			extractions = append(extractions, t)
		}
	}
	return newBars(o.Stderr, extractions, mostBars)
}

// mostBars is the number of partitions up to which each has a bar of its own.
const mostBars = 20

// judge gives the run's outcome. A failed validation says that an extraction
// failed, which is known already, or that events are missing, which is not.
func judge(tasks []*scheduled, states []State) Outcome {
	var good, bad, odd int
	broken := false
	for i, t := range tasks {
		switch {
		case t.spec.params.Task == manifest.TaskExtract && states[i] == Succeeded:
			good++
		case t.spec.params.Task == manifest.TaskExtract && states[i] == Partial:
			odd++
		case t.spec.params.Task == manifest.TaskExtract:
			bad++
		case states[i] == Partial:
			odd++
		case states[i] != Succeeded:
			broken = true
		}
	}
	switch {
	case good+odd == 0 && (bad > 0 || broken):
		return NothingOK
	case bad > 0 || odd > 0:
		return PartlyDone
	case broken:
		return NothingOK
	default:
		return OK
	}
}

// parse gives the parameters of an attempt.
func (t *spec) parse(attempt int) (manifest.Parameters, error) {
	args, err := t.arguments(attempt)
	if err != nil {
		return manifest.Parameters{}, err
	}
	p, err := manifest.Parse(t.EntryPoint, args)
	if err != nil {
		return p, fmt.Errorf("task %s: %w", t.Key, err)
	}
	return p, nil
}

// arguments gives the arguments of an attempt, as a cluster would hand them to
// the wheel's entry point.
func (t *spec) arguments(attempt int) ([]string, error) {
	values := maps.Clone(t.values)
	values["task.execution_count"] = strconv.Itoa(attempt)
	args := make([]string, len(t.Args))
	for i, a := range t.Args {
		v, err := resolve(a, values)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Key, err)
		}
		args[i] = v
	}
	return args, nil
}
