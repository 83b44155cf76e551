package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Env is what a task runs in.
type Env struct {
	Engine      engine.Engine
	Shards      shard.Runner // reads on the workers of a cluster; nil: this process reads
	Params      manifest.Parameters
	Getenv      func(string) (string, bool) // where secrets are found
	Log         *slog.Logger
	Progress    func(Progress)       // called from several goroutines; may be nil
	Retrying    func(piwebapi.Retry) // called for requests to PI that are sent again, from several goroutines; may be nil
	Access      *piwebapi.Accesses   // shared by the tasks of one run; nil = not shared
	Memory      *piwebapi.Memory     // shared by the tasks of one process; nil = not shared
	Now         func() time.Time     // this machine's clock; nil = time.Now
	GracePeriod time.Duration        // a later attempt with Shards sends no request before; 0 = shard.GracePeriod
}

// Progress is how far an attempt is.
type Progress struct {
	Step string `json:"step"` // what is under way, in a few words: reading
	// The work of an extraction is measured in seconds of its tags: two tags that are
	// an hour behind are 7,200.
	Whole   float64       `json:"whole"`   // at the attempt's start, or a loop's
	Left    float64       `json:"left"`    // of Whole, what is not read yet; failed tags stay in it
	Tags    int           `json:"tags"`    // of the partition
	Events  int64         `json:"events"`  // read by this attempt
	Landed  int64         `json:"landed"`  // of Events
	Through instant.Ticks `json:"through"` // of a continuous extraction: the last loop landed up to here; 0 = none yet
	Next    time.Time     `json:"next"`    // of a continuous extraction that waits: when its next loop begins
}

// Report is how far a task is, for a program that runs it as another process.
type Report struct {
	Progress Progress        `json:"progress"`
	Retry    *piwebapi.Retry `json:"retry"` // the latest; nil if there was none
}

// Result is what a task did.
type Result struct {
	Status   string   `json:"status"` // one of the statuses in package batch
	Tags     int      `json:"tags"`
	Failed   int      `json:"failed"`
	Events   int64    `json:"events"` // landed
	Read     int64    `json:"read"`   // events that were read; those beyond Events are read again
	Requests int64    `json:"requests"`
	Retries  int64    `json:"retries"`         // requests that failed and were sent again
	Loops    int      `json:"loops,omitempty"` // of a continuous extraction: complete ones
	Notes    []string `json:"notes"`           // what a person should know: one sentence each

	From  instant.Ticks `json:"from"`  // the events read are later than this; 0 if nothing was to be read
	Until instant.Ticks `json:"until"` // and not later than this: the run's instant

	TagErrors    []TagError    `json:"tag_errors,omitempty"`   // of the first tags that failed; all are in monitoring.tag_errors
	Completeness *Completeness `json:"completeness,omitempty"` // what validate counted; nil if nothing

	Final bool `json:"final,omitempty"` // it failed, and so would another attempt of the run
}

// TagError is why a tag could not be read.
type TagError struct {
	Tag   string `json:"tag"`
	Error string `json:"error"`
}

// Completeness is what validate counted, over all partitions of the run.
type Completeness struct {
	Tags     int     `json:"tags"`     // that were counted
	Expected int64   `json:"expected"` // events that PI has of them in the ranges landed
	Share    float64 `json:"share"`    // of Expected, what is landed; 1 = all
	Reread   bool    `json:"reread"`   // PI could not count: events were read once more instead
}

// maxTagErrors is how many tags a Result names.
const maxTagErrors = 5

// ErrRefused is the error of a site that refused the credentials. Another attempt of the same
// run sends no request, since accounts get locked.
var ErrRefused = errors.New("the site refused the credentials")

// ErrFailed is the error of a task that landed what it could, but counts as failed.
var ErrFailed = errors.New("task failed")

// lasting is an error that another attempt of the run would end with, too.
type lasting struct{ error }

func (l lasting) Unwrap() error { return l.error }

// Run runs the task that env.Params names. An error means that the attempt failed and,
// unless the result is final, is worth a retry. The result is valid in any case.
func Run(ctx context.Context, env Env) (Result, error) {
	steps := map[string]func(context.Context, *attempt) error{
		manifest.TaskDiscover:    discover,
		manifest.TaskExtract:     extract,
		manifest.TaskConsolidate: consolidate,
		manifest.TaskValidate:    validate,
	}
	run, ok := steps[env.Params.Task]
	if !ok {
		return Result{}, diag.WithHint(fmt.Errorf("no task is called %q", env.Params.Task), "discover, extract, consolidate, validate")
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Access == nil {
		env.Access = new(piwebapi.Accesses)
	}
	if env.Memory == nil {
		env.Memory = piwebapi.NewMemory(0)
	}
	if env.Progress == nil {
		env.Progress = func(Progress) {}
	}
	if env.Retrying == nil {
		env.Retrying = func(piwebapi.Retry) {}
	}
	a := &attempt{Env: env, started: time.Now(), result: Result{Status: batch.Succeeded}}
	err := a.refusedBefore(ctx)
	if err == nil {
		err = run(ctx, a)
	}
	if err != nil {
		a.result.Final = errors.As(err, new(lasting))
		a.result.Status = batch.Failed
		if a.refusedBy(err) && !errors.Is(err, ErrRefused) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if errors.Is(err, ErrRefused) {
			a.result.Status, a.result.Final = batch.Refused, true // what the next attempt of this run looks for
		}
	}
	if ctx.Err() != nil {
		// Cancelled by a person or a time-out: nothing failed, and nothing more is recorded.
		return a.result, errors.Join(context.Cause(ctx), err)
	}
	return a.result, errors.Join(err, a.record(ctx, err))
}

// attempt is one attempt of a task under way.
type attempt struct {
	Env
	started  time.Time
	result   Result
	recorded bool // a batch's own row records how the attempt ended
	lists    *piwebapi.Lists
}

// refusedBy reports whether a task failed because a site refused the credentials: its
// own site, or any site if the task is of all sites and the failure is a site's.
func (a *attempt) refusedBy(failure error) bool {
	if a.Params.Task == manifest.TaskExtract {
		return a.Access.Of(a.Params.Site).Refused() != nil
	}
	var ofSite *piwebapi.Error
	if !errors.As(failure, &ofSite) {
		return false
	}
	sites, err := a.sites()
	if err != nil {
		return false
	}
	for name := range sites {
		if a.Access.Of(name).Refused() != nil {
			return true
		}
	}
	return false
}

// refusedBefore fails a later attempt of a run in which the site refused the
// credentials: they are the same, and each failed sign-in brings the account
// nearer to being locked.
func (a *attempt) refusedBefore(ctx context.Context) error {
	if a.Params.Attempt < 2 || a.Params.Task != manifest.TaskExtract && a.Params.Task != manifest.TaskDiscover {
		return nil
	}
	last, err := a.Engine.LastAttempts(ctx, a.Params.RunID)
	if err != nil {
		return nil // there are no tables yet, or the task itself reports it
	}
	partition := engine.OfDiscover
	if a.Params.Task == manifest.TaskExtract {
		partition = a.Params.Partition
	}
	if last[partition] != batch.Refused {
		return nil
	}
	return diag.WithHint(fmt.Errorf("%w in an earlier attempt of this run: nothing is sent again, since accounts get locked", ErrRefused),
		"correct the secret of sites[].auth, then start a new run")
}

// row is what pipeline_metrics gets of the attempt as it stands.
func (a *attempt) row(failure error) engine.Attempt {
	row := engine.Attempt{
		RunID: a.Params.RunID, Task: a.Params.Task, Tier: a.Params.Tier, Partition: -1, Number: max(a.Params.Attempt, 1),
		Started: a.started, Ended: time.Now(), Tags: a.result.Tags, Failed: a.result.Failed, Requests: a.result.Requests,
		Retries: a.result.Retries, Status: a.result.Status,
	}
	if a.Params.Task == manifest.TaskExtract {
		row.Partition, row.Site = a.Params.Partition, a.Params.Site
	}
	if failure != nil {
		row.Error = failure.Error()
	}
	return row
}

// record writes a row into pipeline_metrics, unless the last batch's row has it all.
func (a *attempt) record(ctx context.Context, failure error) error {
	if a.recorded {
		return nil
	}
	if err := a.Engine.RecordAttempt(ctx, a.row(failure)); err != nil {
		if errors.Is(failure, engine.ErrNoTables) {
			return nil // there is nothing to record it in
		}
		return fmt.Errorf("record the attempt in pipeline_metrics: %w", err)
	}
	return nil
}

// sites reads the bundle's sites.json.
func (a *attempt) sites() (map[string]manifest.Site, error) {
	s, err := a.sitesFile()
	if err != nil {
		return nil, err
	}
	out := make(map[string]manifest.Site, len(s.Sites))
	for _, site := range s.Sites {
		out[site.Name] = site
	}
	return out, nil
}

// owners returns the assignment in force at an instant, without the sites that other
// bundles of the pipeline land.
func (a *attempt) owners(ctx context.Context, at instant.Ticks) (owners []engine.Owner, changed instant.Ticks, err error) {
	sites, err := a.sitesFile()
	if err != nil {
		return nil, 0, err
	}
	owners, changed, err = a.Engine.Owners(ctx, at)
	if err != nil {
		return nil, 0, fmt.Errorf("read metadata.tag_partitions: %w", err)
	}
	return slices.DeleteFunc(owners, func(o engine.Owner) bool { return slices.Contains(sites.Elsewhere, o.Site) }), changed, nil
}

func (a *attempt) sitesFile() (manifest.Sites, error) {
	return manifest.LoadSites(filepath.Join(a.Params.Bundle, manifest.SitesFile))
}

// connect opens a client for a site within limits.
func (a *attempt) connect(site manifest.Site, limits manifest.Limits) (*piwebapi.Client, error) {
	transport, err := auth.NewTransport(site, auth.Folder(a.Params.Bundle), a.Getenv)
	if err != nil {
		return nil, err
	}
	return piwebapi.New(piwebapi.Options{Site: site, Limits: limits, Transport: transport, Logger: a.Log, Retrying: a.Retrying,
		Access: a.Access.Of(site.Name), Memory: a.Memory, Lists: a.lists})
}

// step reports the step under way of a task that is not an extraction.
func (a *attempt) step(format string, args ...any) {
	a.Progress(Progress{Step: fmt.Sprintf(format, args...)})
}

func ticks(s float64) instant.Ticks {
	return instant.FromDuration(seconds(s))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
