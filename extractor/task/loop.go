package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	// assignAgain is how often a lead looks for new points of its site, and how long
	// failed tags are skipped.
	assignAgain = 15 * time.Minute
	// assignWait is how long a task waits for its lead to assign the tags of a new
	// plan, and how often it checks.
	assignWait = 15 * time.Minute
	assignLook = time.Second
)

// looping is an extraction of a continuous tier: no discover runs before it and
// nothing after it. It lands what there is in a loop, each time up to a new instant,
// until the job's time is over or another plan was deployed. A site
// that is down for a while does not end the loop: the job would start the machines of
// its other tasks again, too.
//
// The lowest partition of each site and tier is the lead: it does discover's part for
// its site, whose secrets it has. The others wait for that once. Every loop takes the
// latest recorded assignment of its site, so that a fence of another job's discover,
// which moved a tag, does not end a loop that has seen it.
type looping struct {
	*extraction
	site     manifest.Site
	clock    *piwebapi.Client // reads the site's clock
	plan     string           // its id when the loop began
	assigned time.Time        // when the lead assigned last
	doubted  bool             // the site's clock was not believed in the last loop
	end      time.Time        // no loop begins after it
	failures int              // loops that failed, one after the other, up to the last one
	noted    time.Time        // when such a failure was last recorded
}

func loop(ctx context.Context, a *attempt) error {
	l, err := newLooping(a)
	if err != nil {
		return err
	}
	defer l.close()
	defer l.total()
	for n := 1; ; n++ {
		begun := time.Now()
		err := l.once(ctx, n)
		next := begun.Add(l.pause(err))
		if l.over(next) || err != nil && !l.passes(ctx, err) {
			return err
		}
		if err != nil {
			if err := l.noteFailure(ctx, err, begun, next); err != nil {
				return err
			}
		}
		if l.planChanged() {
			return nil
		}
		l.tell(func(p *Progress) { p.Step, p.Next = "waiting", next })
		if err := sleep.For(ctx, time.Until(next)); err != nil {
			return err
		}
	}
}

func newLooping(a *attempt) (*looping, error) {
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	reader, err := a.reader(a.Params.Site) // the error names a missing site
	if err != nil {
		return nil, err
	}
	l := &looping{extraction: &extraction{attempt: a, reader: reader, failed: map[int64]bool{}}, site: sites[a.Params.Site]}
	if l.clock, err = a.connect(l.site, a.Params.Limits); err != nil {
		reader.close()
		return nil, err
	}
	if l.plan, err = a.planID(); err != nil {
		l.close()
		return nil, err
	}
	if a.Params.Loops > 0 {
		l.end = instant.FromMillis(a.Params.UntilMillis).Time().Add(seconds(a.Params.Loops))
	}
	return l, nil
}

func (l *looping) close() {
	l.reader.close()
	l.clock.Close()
}

// maxPause bounds the pause after loops that failed; recordAgain is how often
// failures that last are recorded.
const (
	maxPause    = 5 * time.Minute
	recordAgain = 15 * time.Minute
)

// pause returns the time from one loop's begin to the next: the cadence, and twice
// as long after each further loop that failed.
func (l *looping) pause(err error) time.Duration {
	every := seconds(l.Params.Every)
	if err == nil {
		l.failures = 0
		return every
	}
	l.failures++
	return min(every<<min(l.failures-1, 10), max(every, maxPause))
}

// passing is an error that may pass by itself.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// passes reports whether the next loop may do better: the site, or tags of it, could
// not be read. What needs another process, or a person, ends the task: credentials
// that were refused, tags that are not there, and whatever is wrong with the tables.
func (l *looping) passes(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.As(err, new(lasting)) || errors.Is(err, ErrRefused) || l.refusedBy(err) {
		return false
	}
	var ofSite *piwebapi.Error
	return errors.As(err, &ofSite) || errors.As(err, new(passing)) || errors.Is(err, ErrFailed)
}

// noteFailure logs that a loop failed and the task goes on, and records it once in a
// while: what alerts go by is in pipeline_metrics.
func (l *looping) noteFailure(ctx context.Context, failure error, begun, next time.Time) error {
	l.Log.Warn("this loop failed; the task goes on", "error", failure, "failures", l.failures, "next", next)
	if l.recorded || l.failures > 1 && time.Since(l.noted) < recordAgain {
		return nil // a batch's own row tells, or an earlier one
	}
	l.noted = time.Now()
	row := l.row(failure)
	row.Started, row.Status = begun, batch.Failed
	if err := l.Engine.RecordAttempt(ctx, row); err != nil && !errors.Is(err, engine.ErrNoTables) {
		return fmt.Errorf("record a loop that failed in pipeline_metrics: %w", err)
	}
	return nil
}

// once runs the n-th loop.
func (l *looping) once(ctx context.Context, n int) error {
	l.result.Notes, l.recorded = nil, false // those of the last loop are enough
	l.tell(func(p *Progress) { p.Step, p.Next = "asking for the time", time.Time{} })
	if n > 1 {
		l.last = l.end // an attempt that begins late still reads once
	}
	if now := time.Now(); now.Sub(l.assigned) >= assignAgain {
		clear(l.failed)
		l.result.TagErrors = nil
		if l.Params.Lead {
			// A new run: the record of a run never changes.
			id := fmt.Sprintf("%s/%s/%d.%d", l.Params.RunID, l.site.Name, l.Params.Attempt, n)
			if err := l.prepare(ctx, id, l.site.Name); err != nil {
				return err
			}
		}
		l.assigned = now
	}
	run, err := l.current(ctx)
	if err != nil {
		return err
	}
	now, err := l.instant(ctx)
	if err != nil {
		return err
	}
	l.noteClock(now)
	if err := l.unresolvedIn(ctx, run); err != nil {
		return err
	}
	run.ID, run.Tier = l.Params.RunID, l.Params.Tier
	run.Until, run.UntilBy, run.Doubt = now.until, now.by, now.doubt
	l.run = run
	l.tell(func(p *Progress) { p.Whole = 0 })
	err = l.catchUp(ctx)
	if err == nil && l.result.Status != batch.Lagging {
		l.result.Loops++
		l.tell(func(p *Progress) { p.Through = run.Until })
	}
	if errors.Is(err, engine.ErrZombie) {
		l.Log.Info("tags were moved meanwhile: the next loop takes the new assignment", "partition", l.Params.Partition)
		return nil
	}
	return err
}

// current waits until the site's tags are assigned according to the plan, and returns
// the run that made the latest assignment.
func (l *looping) current(ctx context.Context) (engine.Run, error) {
	for begun := time.Now(); ; {
		latest, err := l.Engine.Runs(ctx, "")
		if err != nil && !errors.Is(err, engine.ErrNoTables) {
			return engine.Run{}, fmt.Errorf("read metadata.runs: %w", err)
		}
		for _, r := range latest {
			if r.Site == l.site.Name && r.PlanID == l.plan {
				return r, nil
			}
		}
		if time.Since(begun) > assignWait {
			return engine.Run{}, passing{diag.WithHint(fmt.Errorf("the tags of site %q were not assigned within %s", l.site.Name, assignWait),
				"see the message of the task of the site's lowest partition, which does that")}
		}
		if err := sleep.For(ctx, assignLook); err != nil {
			return engine.Run{}, err
		}
	}
}

// instant returns up to when the loop reads, by the site's clock or this machine's,
// whichever is behind.
func (l *looping) instant(ctx context.Context) (moment, error) {
	before, again := l.clock.Requests(), l.clock.Retries()
	server, err := l.clock.DataServer(ctx, l.site.DataServer)
	l.result.Requests, l.result.Retries = l.result.Requests+l.clock.Requests()-before, l.result.Retries+l.clock.Retries()-again
	if err != nil {
		return moment{}, err
	}
	return l.moment(server)
}

// noteClock notes what is wrong with the site's clock, and logs it once.
func (l *looping) noteClock(m moment) {
	if m.doubt != "" {
		l.result.Notes = append(l.result.Notes, m.note(l.site.Name))
	}
	if (m.doubt != "") != l.doubted {
		l.doubted = m.doubt != ""
		l.Log.Warn("the site's clock", "site", l.site.Name, "believed", !l.doubted, "why", m.doubt, "until", m.until.String(), "by", m.by)
	}
}

// over reports whether the loop that would begin at next is beyond this run's end.
func (l *looping) over(next time.Time) bool {
	return l.Params.Loops == 0 || l.Params.Until != "" || next.After(l.end)
}

// planChanged reports whether another plan was deployed: the job then starts again with
// it. A file that cannot be read is being replaced: the next loop checks again.
func (l *looping) planChanged() bool {
	id, err := l.planID()
	if err != nil || id == l.plan {
		return false
	}
	l.result.Notes = append(l.result.Notes, "another plan was deployed: the loop ends, and the job restarts with it")
	return true
}
