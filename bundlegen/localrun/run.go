package localrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Options are what to run and where.
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
	Terminal  bool                       // Stderr is a terminal: bars below the lines
	Size      func() (width, height int) // of that terminal; nil: 80 and 24
	Log       *slog.Logger               // nil: warnings go to Stderr, a line each
}

// DefaultRetryWait is the longest wait between two attempts here: the job's
// own interval leaves time for a cluster to start, and here there is none.
const DefaultRetryWait = 5 * time.Second

// softMemory is from how many bytes on the collector works harder during a run:
// many calls are decoded at once, and their batches are garbage soon.
const softMemory = 256 << 20

// Run runs the jobs of the tiers one after the other. The table of each goes to
// Stdout, all else to Stderr. An error is what kept the run from beginning or
// ending; how tasks ended, and whether ctx was cancelled, is in the Summary.
func Run(ctx context.Context, o Options) (Summary, error) {
	if _, chosen := os.LookupEnv("GOMEMLIMIT"); !chosen {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(softMemory))
	}
	begun := time.Now()
	sum := Summary{Outcome: outcome.Failed, Tables: o.Tables(), Jobs: []JobSummary{}}
	sum.TagErrors = []TagError{}
	screen := newDisplay(o.Stderr, o.Terminal, o.Size)
	defer screen.close()
	o.Stderr = screen
	if o.Log == nil {
		o.Log = slog.New(lines{w: screen, least: slog.LevelWarn, over: ctx.Err})
	}
	err := runIn(ctx, o, screen, &sum)
	for _, j := range sum.Jobs {
		sum.add(j.Totals)
	}
	sum.finish(time.Since(begun))
	if ctx.Err() != nil && len(sum.Jobs) == 0 {
		sum.Outcome, err = outcome.Cancelled, nil // it had hardly begun: nothing failed
	}
	return sum, err
}

// runIn opens the data folder and runs the tiers' jobs.
func runIn(ctx context.Context, o Options, screen *display, sum *Summary) error {
	kind, err := o.kind()
	if err != nil {
		return err
	}
	jobs, err := load(o.Bundle, o.Pipeline, kind.catalog)
	if err != nil {
		return err
	}
	lake, err := kind.open(ctx, o)
	if err != nil {
		return err
	}
	err = runTiers(ctx, o, screen, lake, jobs, sum)
	return errors.Join(err, lake.close())
}

// runTiers runs the tiers' jobs one after the other; the worst outcome is the run's.
func runTiers(ctx context.Context, o Options, screen *display, lake lake, jobs emitted, sum *Summary) error {
	worst := outcome.OK
	for _, tier := range o.Tiers {
		if ctx.Err() != nil {
			worst = outcome.Cancelled
			break
		}
		for again := true; again; {
			job, err := jobs.ofTier(tier)
			if err != nil {
				return err
			}
			if len(o.Tiers) > 1 {
				fmt.Fprintf(o.Stdout, "%s\n", job.Key)
			}
			done, err := runJob(ctx, o, screen, lake, jobs, job)
			if err != nil {
				return err
			}
			sum.Jobs = append(sum.Jobs, done)
			worst = outcome.Worse(worst, done.Outcome)
			if again = job.Continuous && o.Endless && ctx.Err() == nil; again {
				// As on Databricks, the job starts again, with the bundle as it is now.
				if jobs, err = load(o.Bundle, o.Pipeline, o.catalog()); err != nil {
					return err
				}
			}
		}
	}
	sum.Outcome = worst
	return nil
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
func runJob(ctx context.Context, o Options, screen *display, lake lake, jobs emitted, job bundle.Job) (JobSummary, error) {
	begun := time.Now()
	values := map[string]string{
		runID:                         uuid.NewString(),
		"job.start_time.timestamp_ms": strconv.FormatInt(begun.UnixMilli(), 10),
	}
	given := map[string]string{bundle.ParameterUntil: o.Until}
	if !o.Endless {
		given[bundle.ParameterLoopSeconds] = "0"
	}
	values, err := bind(values, job, given)
	if err != nil {
		return JobSummary{}, err
	}
	tasks, graph, err := jobs.flatten(job, values)
	if err != nil {
		return JobSummary{}, err
	}
	fits := newBudget(o.Bundle, lake.sideBySide()).fits
	if job.Continuous {
		o.retry(tasks)
		fits = func([]*scheduled, *scheduled) bool { return true } // they wait for each other, and for ever
	}
	endless := job.Continuous && o.Endless
	correct := landedSince(ctx, lake)
	screen.begin(tasks)
	s := &scheduler{
		tasks: tasks, graph: graph, retryWait: o.RetryWait, fits: fits,
		started: screen.started, ended: func(t *scheduled, s State) { screen.end(t, endOf(s, endless)) },
		retrying: func(t *scheduled, err error, attempt int, wait time.Duration) {
			screen.retrying(t, why(err, o.Data, lake.trouble), attempt, wait)
		},
		run: func(ctx context.Context, t *scheduled, attempt int) (task.Result, error) {
			return lake.attempt(ctx, &t.spec, attempt, watch{progress: func(p task.Progress) { screen.progress(t, p) },
				retry: screen.retry})
		},
	}
	err = s.runAll(ctx)
	screen.begin(nil)
	if err != nil && ctx.Err() == nil {
		return JobSummary{}, err
	}
	correct(tasks)
	states := make([]State, len(graph))
	for i := range graph {
		states[i] = endOf(graph[i].state, endless)
	}
	result := judge(tasks, states)
	if slices.ContainsFunc(states, func(s State) bool { return s == Cancelled || !s.ended() }) {
		result = outcome.Cancelled
	}
	sum := summarize(job.Key, job.Tier, values[runID], result, tasks, states,
		func(err error) string { return why(err, o.Data, lake.trouble) }, time.Since(begun))
	writeTable(o.Stdout, sum)
	writeTroubles(o.Stderr, tasks, states, o.Data, lake.trouble)
	return sum, nil
}

// endOf is the state that a task has at the end of its job: one that loops until a
// person ends it was not cancelled.
func endOf(s State, endless bool) State {
	if endless && (s == Cancelled || !s.ended()) {
		return Stopped
	}
	return s
}

// landedSince returns a function that corrects the extractions' own counts by the
// tables: a batch may be staged by one attempt, or by an earlier run, and published
// by another. Cancelled runs count, too.
func landedSince(ctx context.Context, lake lake) (correct func(tasks []*scheduled)) {
	before := lake.landed(ctx)
	return func(tasks []*scheduled) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		after := lake.landed(ctx)
		if before == nil || after == nil {
			return
		}
		for _, t := range tasks {
			if t.spec.params.Task == manifest.TaskExtract {
				landed := after[t.spec.params.Partition] - before[t.spec.params.Partition]
				t.result.Read += max(0, landed-t.result.Events)
				t.result.Events = max(landed, t.result.Events)
			}
		}
	}
}

// retry sets the retries of a continuous job, which its task_retry_mode stands for:
// unlimited, or a few if the tasks loop once.
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

// judge returns the run's outcome. A failed validation means that an extraction
// failed, which is known already, or that events are missing, which is not.
func judge(tasks []*scheduled, states []State) outcome.Outcome {
	var good, bad, odd int
	broken := false
	for i, t := range tasks {
		switch {
		case states[i] == Stopped && t.err == nil && t.result.Failed == 0:
			good++
		case states[i] == Stopped && t.err == nil:
			odd++
		case t.spec.params.Task == manifest.TaskExtract && states[i] == Succeeded:
			good++
		case t.spec.params.Task == manifest.TaskExtract && states[i] == Partial:
			odd++
		case t.spec.params.Task == manifest.TaskExtract && (t.result.Events > 0 || errors.Is(t.err, task.ErrFailed) && t.result.Tags > 0):
			odd++ // too many of its tags failed, and the others are landed
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
		return outcome.Failed
	case bad > 0 || odd > 0:
		return outcome.Partial
	case broken:
		return outcome.Failed
	default:
		return outcome.OK
	}
}

// parse returns the parameters of an attempt.
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

// arguments returns the arguments of an attempt, as a cluster would hand them to
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
