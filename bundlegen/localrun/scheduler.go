package localrun

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// errTimeout ends an attempt that took longer than the task's timeout_seconds.
var errTimeout = errors.New("the task's timeout_seconds are over")

// scheduled is a task of the emitted job with its state.
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

// scheduler runs a job's graph: as many tasks at once as fit, with the job's retries
// and run_if conditions.
type scheduler struct {
	tasks     []*scheduled
	graph     graph
	fits      func(running []*scheduled, next *scheduled) bool // whether next may run at the same time
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
		result, timedOut, err := s.attempt(ctx, t)
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

func (s *scheduler) attempt(ctx context.Context, t *scheduled) (res task.Result, timedOut bool, err error) {
	if t.spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.spec.Timeout, errTimeout)
		defer cancel()
	}
	res, err = s.run(ctx, t, t.attempts)
	return res, errors.Is(context.Cause(ctx), errTimeout), err
}

// State is the state of a task.
type State int

// The states of a task. Everything from Succeeded on is an end.
const (
	Waiting State = iota
	Running
	Succeeded
	Partial // counts as a success, as on Databricks
	Failed
	Skipped   // its run_if was not met, or what it depends on was skipped
	Cancelled // a person ended the run
	Stopped   // likewise, of a task that loops: its normal end
)

func (s State) String() string {
	return [...]string{"waiting", "running", "ok", "partial", "failed", "skipped", "cancelled", "stopped"}[s]
}

// atTheEnd returns the state in words once its job has ended.
func (s State) atTheEnd() string {
	if s == Waiting {
		return "not begun"
	}
	return s.String()
}

func (s State) ended() bool { return s >= Succeeded }

// node is a task of the graph, as far as the order of tasks goes.
type node struct {
	dependsOn []int
	runIf     string // "" is ALL_SUCCESS
	state     State
}

// graph is the order of a job's tasks. It is not safe for concurrent use.
type graph []node

// ready returns the tasks that may start now, and marks those that never will as
// skipped; what follows from a skip is seen in the same call.
func (g graph) ready() []int {
	var out []int
	for changed := true; changed; {
		changed = false
		out = out[:0]
		for i := range g {
			if g[i].state != Waiting || !g.dependenciesEnded(i) {
				continue
			}
			if g.met(i) {
				out = append(out, i)
			} else {
				g[i].state, changed = Skipped, true
			}
		}
	}
	return out
}

func (g graph) dependenciesEnded(i int) bool {
	return !slices.ContainsFunc(g[i].dependsOn, func(d int) bool { return !g[d].state.ended() })
}

// met reports whether run_if holds, by Databricks' rules.
func (g graph) met(i int) bool {
	count := map[State]int{}
	for _, d := range g[i].dependsOn {
		count[g[d].state]++
	}
	n := len(g[i].dependsOn)
	ok, failed, skipped := count[Succeeded]+count[Partial], count[Failed], count[Skipped]
	switch g[i].runIf {
	case "", "ALL_SUCCESS":
		return ok == n
	case "AT_LEAST_ONE_SUCCESS":
		return ok > 0
	case "NONE_FAILED":
		return failed == 0 && skipped < max(n, 1)
	case "AT_LEAST_ONE_FAILED":
		return failed > 0
	case "ALL_FAILED":
		return failed == n
	default: // ALL_DONE
		return true
	}
}

// stuck returns why a graph without running tasks cannot go on.
func (g graph) stuck(keys []string) error {
	for i := range g {
		if !g[i].state.ended() {
			return diag.WithHint(fmt.Errorf("task %q waits for itself: its dependencies form a cycle", keys[i]), "bundlegen generate")
		}
	}
	return nil
}

// budget limits the extractions that run at once: by this machine, and by each site.
type budget struct {
	sideBySide int
	sites      map[string]manifest.Limits // by name
}

// newBudget reads the sites' limits from the bundle. If they cannot be read, the tasks
// report why.
func newBudget(bundleDir string, sideBySide int) budget {
	b := budget{sideBySide: sideBySide, sites: map[string]manifest.Limits{}}
	if s, err := manifest.LoadSites(filepath.Join(bundleDir, manifest.SitesFile)); err == nil {
		for _, site := range s.Sites {
			b.sites[site.Name] = site.Limits
		}
	}
	return b
}

// fits reports whether an extraction may start: as many may run at once as the
// machine and the site's budget allow, and always one.
func (b budget) fits(running []*scheduled, next *scheduled) bool {
	if next.spec.params.Task != manifest.TaskExtract {
		return true
	}
	extractions, connections := 0, next.spec.params.Limits.Connections
	alone := true
	for _, r := range running {
		if r.spec.params.Task != manifest.TaskExtract {
			continue
		}
		extractions++
		if r.spec.params.Site == next.spec.params.Site {
			connections, alone = connections+r.spec.params.Limits.Connections, false
		}
	}
	site, known := b.sites[next.spec.params.Site]
	return extractions < b.sideBySide && (alone || !known || connections <= site.Connections)
}
