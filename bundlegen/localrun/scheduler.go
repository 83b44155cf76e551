package localrun

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/sleep"
)

// errTimeout ends an attempt that took longer than the task's timeout_seconds.
var errTimeout = errors.New("the task's timeout_seconds are over")

// scheduled is a task of the emitted job with what became of it.
type scheduled struct {
	spec     spec
	attempts int
	started  time.Time
	seconds  float64
	result   task.Result // of the last attempt, with what all of them landed and asked for
	err      error       // of the last attempt that failed; nil after one that did not
}

// take adds what one more attempt did.
func (t *scheduled) take(r task.Result) {
	before := t.result
	r.Read += before.Events // what an attempt before has read and not landed is read again
	r.Events, r.Requests, r.Retries = r.Events+before.Events, r.Requests+before.Requests, r.Retries+before.Retries
	if before.From != 0 {
		r.From = before.From
	}
	if r.Until == 0 {
		r.Until = before.Until
	}
	t.result = r
}

// runner runs one attempt of a task.
type runner func(ctx context.Context, s *scheduled, attempt int) (task.Result, error)

// scheduler runs a job's graph: as many tasks at once as fit, retries as the
// job says, everything behind a failure as run_if says.
type scheduler struct {
	tasks     []*scheduled
	graph     graph
	fits      func(running []*scheduled, next *scheduled) bool // whether next may run beside them
	retryWait time.Duration                                    // at most this long between two attempts
	run       runner
	started   func(*scheduled)
	retrying  func(t *scheduled, err error, attempt int, wait time.Duration) // may be nil
	ended     func(*scheduled, State)
}

type ending struct {
	index int
	state State
}

// runAll runs the graph to its end, or until ctx is cancelled: then it starts
// nothing more, waits for what runs, and returns the context's error.
func (s *scheduler) runAll(ctx context.Context) error {
	var wg sync.WaitGroup
	ends := make(chan ending)
	var running []*scheduled
	for {
		if ctx.Err() == nil {
			for _, i := range s.graph.ready() {
				t := s.tasks[i]
				if !s.fits(running, t) {
					continue
				}
				s.graph[i].state = Running
				running = append(running, t)
				s.started(t)
				wg.Go(func() {
					defer crash.Exit()
					ends <- ending{i, s.attempts(ctx, t)}
				})
			}
		}
		if len(running) == 0 {
			break
		}
		e := <-ends
		s.graph[e.index].state = e.state
		for k, t := range running {
			if t == s.tasks[e.index] {
				running = append(running[:k], running[k+1:]...)
				break
			}
		}
		s.ended(s.tasks[e.index], e.state)
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	keys := make([]string, len(s.tasks))
	for i, t := range s.tasks {
		keys[i] = t.spec.Key
	}
	return s.graph.stuck(keys)
}

// attempts runs a task until it succeeds or its retries are used up.
func (s *scheduler) attempts(ctx context.Context, t *scheduled) State {
	t.started = time.Now()
	defer func() { t.seconds = time.Since(t.started).Seconds() }()
	for {
		t.attempts++
		begun := time.Now()
		result, err, timedOut := s.attempt(ctx, t)
		t.take(result)
		if err != nil && ctx.Err() != nil {
			if result.Loops > 0 {
				t.err = nil // a loop that went well came after what failed
			}
			return Cancelled // that is no failure
		}
		t.err = err
		switch {
		case err == nil && result.Status == batch.Partial:
			return Partial
		case err == nil:
			return Succeeded
		case result.Final:
			return Failed
		case t.spec.MaxRetries >= 0 && t.attempts > t.spec.MaxRetries, timedOut && !t.spec.RetryOnTimeout:
			return Failed
		}
		wait := max(0, min(t.spec.RetryInterval-time.Since(begun), s.retryWait))
		if s.retrying != nil {
			s.retrying(t, err, t.attempts+1, wait)
		}
		if sleep.For(ctx, wait) != nil {
			return Cancelled
		}
	}
}

func (s *scheduler) attempt(ctx context.Context, t *scheduled) (res task.Result, err error, timedOut bool) {
	if t.spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.spec.Timeout, errTimeout)
		defer cancel()
	}
	res, err = s.run(ctx, t, t.attempts)
	return res, err, errors.Is(context.Cause(ctx), errTimeout)
}
