package localrun

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/task"
)

// errTimeout ends an attempt that took longer than the task's timeout_seconds.
var errTimeout = errors.New("the task's timeout_seconds are over")

// scheduled is a task of the emitted job with what became of it.
type scheduled struct {
	spec     spec
	attempts int
	started  time.Time
	seconds  float64
	result   task.Result
	err      error
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
				wg.Go(func() { ends <- ending{i, s.attempts(ctx, t)} })
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
		var timedOut bool
		t.result, t.err, timedOut = s.attempt(ctx, t)
		switch {
		case t.err == nil && t.result.Status == "PARTIAL":
			return Partial
		case t.err == nil:
			return Succeeded
		case ctx.Err() != nil:
			return Failed
		case t.spec.MaxRetries >= 0 && t.attempts > t.spec.MaxRetries, timedOut && !t.spec.RetryOnTimeout:
			return Failed
		}
		wait := time.NewTimer(max(0, min(t.spec.RetryInterval-time.Since(begun), s.retryWait)))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return Failed
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
