package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// extract lands what a partition's tags have up to the run's instant, batch by
// batch. Nothing advances before what it depends on is durable: the number and
// the ranges come from one snapshot, the folder is whole before it is
// published, and publishing is what moves the watermarks.
func extract(ctx context.Context, a *attempt) error {
	if a.Params.Loop() {
		return loop(ctx, a)
	}
	run, err := a.run(ctx)
	if err != nil {
		return err
	}
	reader, err := a.reader(run.Site)
	if err != nil {
		return err
	}
	defer reader.close()
	x := &extraction{attempt: a, run: run, reader: reader, failed: map[int64]bool{}}
	defer x.total()
	if err := x.unresolvedIn(ctx, run); err != nil {
		return err
	}
	if limit := seconds(manifest.LastStart * float64(a.Params.TimeoutSecs)); limit > 0 {
		x.last = a.started.Add(limit)
	}
	return x.catchUp(ctx)
}

// catchUp lands batch after batch until nothing is left to read up to the run's
// instant, and returns how that went.
func (x *extraction) catchUp(ctx context.Context) error {
	a, run := x.attempt, x.run
	for {
		if err := a.recover(ctx, a.Params.Partition); err != nil {
			return err
		}
		state, err := a.Engine.Open(ctx, a.Params.Partition, run)
		if err != nil {
			return fmt.Errorf("open partition %d: %w", a.Params.Partition, err)
		}
		streams, err := x.streams(state)
		if err != nil {
			return err
		}
		x.begin(state, streams)
		if len(streams) == 0 {
			return x.verdict()
		}
		if x.late() {
			a.result.Status, a.recorded = batch.Lagging, false
			a.result.Notes = append(a.result.Notes, "not caught up within the task's timeout: the next run goes on from here")
			return nil
		}
		if err := x.batch(ctx, state, streams); err != nil {
			return err
		}
	}
}

// run returns what discover recorded for this run and site.
func (a *attempt) run(ctx context.Context) (engine.Run, error) {
	runs, err := a.Engine.Runs(ctx, a.Params.RunID)
	if err != nil {
		return engine.Run{}, fmt.Errorf("read metadata.runs: %w", err)
	}
	for _, r := range runs {
		if r.Site == a.Params.Site {
			return r, nil
		}
	}
	return engine.Run{}, diag.WithHint(fmt.Errorf("discover recorded nothing for site %q in run %q: the site could not be reached, or "+
		"discover did not run", a.Params.Site, a.Params.RunID),
		"see the discover task's messages")
}

// extraction is an extract task under way.
type extraction struct {
	*attempt
	run    engine.Run
	reader reader
	last   time.Time // no further batch begins after it; zero = there is no such time
	tags   int
	failed map[int64]bool // point ids that failed in this attempt: not read again

	mu     sync.Mutex
	now    Progress
	sample string // the first of them, and why

	unresolved []engine.TagError // tags of the partition that discover did not find
	resolvedBy string            // the run of that discover
}

// fail notes that a tag failed in this attempt.
func (x *extraction) fail(o *batch.Outcome) {
	if len(x.failed) == 0 {
		x.sample = sample(o)
	}
	x.failed[o.PointID] = true
	if len(x.result.TagErrors) < maxTagErrors {
		x.result.TagErrors = append(x.result.TagErrors, TagError{o.Name, o.Error})
	}
}

func (x *extraction) late() bool { return !x.last.IsZero() && time.Now().After(x.last) }

// streams returns what the next batch reads. Every watermark that a batch writes is
// within one of their ranges: ranges out of bounds are refused here.
func (x *extraction) streams(state engine.State) ([]batch.Stream, error) {
	x.tags = len(state.Tags) + len(x.unresolved)
	bounds := x.bounds(x.run.UntilBy, x.run.Until)
	if err := engine.Outside(x.Engine, x.Params.Partition, x.run.Site, bounds, state.Tags); err != nil {
		return nil, lasting{fmt.Errorf("%w: %w", ErrFailed, err)}
	}
	if !bounds.Has(x.run.Until) {
		return nil, lasting{diag.WithHint(fmt.Errorf("%w: discover recorded that this run reads up to %s, which is not between %s and %s: "+
			"an older version believed a clock that was wrong", ErrFailed, x.run.Until, bounds.First, bounds.Last),
			"start a new run instead of repairing this one")}
	}
	all := batch.Streams(state.Tags, x.run.Until, ticks(x.Params.MaxWindow))
	return slices.DeleteFunc(all, func(s batch.Stream) bool { return x.failed[s.PointID] }), nil
}

// verdict decides how the attempt ended, once nothing more is to be read.
func (x *extraction) verdict() error {
	failed := x.failures()
	x.result.Tags, x.result.Failed = x.tags-failed, failed
	x.result.Status = x.status(failed)
	what := fmt.Sprintf("%d of %d tags could not be read", failed, x.tags)
	var err error
	switch {
	case x.result.Status == batch.Failed && failed == x.tags:
		err = fmt.Errorf("%w: none of %d tags could be read\n%s", ErrFailed, x.tags, x.example())
	case x.result.Status == batch.Failed:
		err = fmt.Errorf("%w: %s, more than the allowed %g%%; the others are landed\n%s", ErrFailed, what, 100*x.Params.FailAbove, x.example())
	case x.result.Status == batch.Partial:
		x.result.Notes = append(x.result.Notes, what+" (all in monitoring.tag_errors), "+x.example())
	}
	if err != nil && x.status(len(x.unresolved)) == batch.Failed {
		return lasting{err} // no attempt finds tags that do not exist
	}
	return err
}

// status judges by all tags of the partition: a task is not retried for a tag without permission.
func (x *extraction) status(failed int) string {
	switch {
	case failed == 0:
		return batch.Succeeded
	case float64(failed) <= x.Params.FailAbove*float64(x.tags):
		return batch.Partial
	default:
		return batch.Failed
	}
}

// batch reads, stages and publishes one batch.
func (x *extraction) batch(ctx context.Context, state engine.State, streams []batch.Stream) error {
	h := batch.Header{
		Pipeline: x.Params.Pipeline, Epoch: state.Epoch, RunID: x.Params.RunID, Attempt: max(x.Params.Attempt, 1), Tier: x.Params.Tier,
		Site: x.run.Site, Partition: x.Params.Partition, Number: state.Last + 1, ID: batch.NewID(), Started: instant.FromTime(time.Now()),
	}
	folder, release := x.Engine.Folder(h.Partition, h.Number, h.ID)
	defer release()
	h.Unresolved = len(x.unresolved)
	if x.run.UntilBy == engine.ByGiven {
		h.Given = x.run.Until
	}
	reading, err := x.read(ctx, folder, &h, streams)
	switch {
	case err != nil:
		return errors.Join(err, folder.Remove())
	case !landed(&h):
		return errors.Join(ofSite(reading), x.giveUp(ctx, folder, &h))
	}
	x.tell(func(p *Progress) { p.Step = "landing" })
	h.Ended = instant.FromTime(time.Now())
	if h.Status = x.judge(&h); reading != nil {
		h.Status = batch.Failed // the site failed in the middle: what was read until then is landed
	}
	if err := folder.Seal(&h); err != nil {
		return errors.Join(fmt.Errorf("stage batch %d of partition %d: %w", h.Number, h.Partition, err), folder.Remove())
	}
	release() // it is whole: any process may publish it now
	verdict, err := x.Engine.Publish(ctx, folder)
	if err != nil {
		return err
	}
	if verdict == engine.Lost {
		x.Log.Info("another attempt took the batch's number; reopening", "partition", h.Partition, "number", h.Number)
		return nil
	}
	x.result.Events += h.Events
	x.tell(func(p *Progress) { p.Landed += h.Events })
	// The batch's row records how the attempt ended, except for the reason of a failure.
	x.recorded = h.Status != batch.CatchingUp && reading == nil
	return ofSite(reading)
}

// ofSite marks a failure of the site, whichever process read it; nil stays nil.
func ofSite(failure error) error {
	if failure == nil {
		return nil
	}
	return passing{failure}
}

func landed(h *batch.Header) bool {
	for i := range h.Outcomes {
		if h.Outcomes[i].To > h.Outcomes[i].From {
			return true
		}
	}
	return false
}

// giveUp drops an empty batch: it takes no number.
func (x *extraction) giveUp(ctx context.Context, folder stage.Folder, h *batch.Header) error {
	err := folder.Remove()
	x.note(h)
	return errors.Join(err, x.Engine.RecordTagErrors(ctx, engine.FailedTags(h)))
}

// note records which tags failed in a batch.
func (x *extraction) note(h *batch.Header) {
	for i := range h.Outcomes {
		if o := &h.Outcomes[i]; o.Error != "" {
			x.fail(o)
		}
	}
}

// judge records which tags failed, and returns the status for the batch's row in
// pipeline_metrics: how the attempt ended if this batch is its last.
func (x *extraction) judge(h *batch.Header) string {
	x.note(h)
	for i := range h.Outcomes {
		if o := &h.Outcomes[i]; o.Error == "" && o.To < x.run.Until {
			return batch.CatchingUp
		}
	}
	return x.status(x.failures())
}

// read reads and stages the streams. reading is why the site could not be read to the
// end: the outcomes in h are right nevertheless. With err the folder is of no use.
func (x *extraction) read(ctx context.Context, folder stage.Folder, h *batch.Header, streams []batch.Stream) (reading, err error) {
	if err := folder.Create(); err != nil {
		return nil, fmt.Errorf("staging folder: %w", err)
	}
	labels := stage.Labels{Site: h.Site, Pipeline: h.Pipeline, BatchID: h.ID, Ingested: h.Started}
	got, err := x.reader.read(ctx, folder, labels, streams, x.watch())
	x.result.Requests, x.result.Retries = x.result.Requests+got.Requests, x.result.Retries+got.Retries
	if err != nil {
		return nil, err
	}
	h.Outcomes, h.Events, h.Requests, h.Retries, h.Files = got.Outcomes, got.Events, got.Requests, got.Retries, got.Files
	return got.Failure, nil
}

// tell updates the progress and reports it.
func (x *extraction) tell(change func(*Progress)) {
	x.mu.Lock()
	change(&x.now)
	p := x.now
	x.mu.Unlock()
	x.Progress(p)
}

// begin reports what is to be read, now that the watermarks are known.
func (x *extraction) begin(state engine.State, streams []batch.Stream) {
	var left float64
	for i := range state.Tags {
		left += span(state.Tags[i].Watermark, x.run.Until)
	}
	for i := range streams {
		if after := streams[i].After; x.result.From == 0 || after < x.result.From {
			x.result.From = after
		}
	}
	x.result.Until = x.run.Until
	x.tell(func(p *Progress) {
		p.Tags, p.Left, p.Step, p.Next = len(state.Tags), left, "reading", time.Time{}
		if p.Whole == 0 {
			p.Whole = left
		}
	})
}

// total copies into the result what is only known as progress.
func (x *extraction) total() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.result.Read = x.now.Events
	if x.result.Tags+x.result.Failed == 0 { // it ended before a verdict
		x.result.Tags, x.result.Failed = x.now.Tags-len(x.failed), len(x.failed)
	}
}

// watch reports progress while the streams of a batch are read.
func (x *extraction) watch() shard.Watch {
	return shard.Watch{
		Events: func(n int) { x.tell(func(p *Progress) { p.Events += int64(n) }) },
		Done:   func(_ int, o batch.Outcome) { x.tell(func(p *Progress) { p.Left -= span(o.From, o.To) }) },
	}
}

// span returns the seconds from one instant to another, 0 if that is earlier.
func span(from, to instant.Ticks) float64 { return max(0, float64(to-from)/float64(instant.Second)) }
