package localrun

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func TestRunIf(t *testing.T) {
	// The states of two dependencies, and for which run_if a task then runs.
	for _, c := range []struct {
		a, b State
		runs string
	}{
		{Succeeded, Succeeded, "ALL_SUCCESS AT_LEAST_ONE_SUCCESS NONE_FAILED ALL_DONE"},
		{Succeeded, Partial, "ALL_SUCCESS AT_LEAST_ONE_SUCCESS NONE_FAILED ALL_DONE"},
		{Succeeded, Failed, "AT_LEAST_ONE_SUCCESS ALL_DONE AT_LEAST_ONE_FAILED"},
		{Succeeded, Skipped, "AT_LEAST_ONE_SUCCESS NONE_FAILED ALL_DONE"},
		{Failed, Failed, "ALL_DONE AT_LEAST_ONE_FAILED ALL_FAILED"},
		{Skipped, Skipped, "ALL_DONE"},
	} {
		for _, runIf := range []string{"ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED",
			"ALL_FAILED"} {
			g := graph{{state: c.a}, {state: c.b}, {dependsOn: []int{0, 1}, runIf: runIf}}
			want := 0
			for _, name := range strings.Fields(c.runs) {
				if name == runIf {
					want = 1
				}
			}
			require.Len(t, g.ready(), want, "%v, %v, %s", c.a, c.b, runIf)
			if want == 0 {
				require.Equal(t, Skipped, g[2].state)
			}
		}
	}
}

// TestGraphEnds runs random graphs with random outcomes: each ends, no task
// starts before what it depends on has ended, and each task has one end.
func TestGraphEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "tasks")
		g := make(graph, n)
		for i := 1; i < n; i++ {
			g[i].dependsOn = rapid.SliceOfNDistinct(rapid.IntRange(0, i-1), 0, i, rapid.ID).Draw(t, "depends")
			g[i].runIf = rapid.SampledFrom([]string{"", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_FAILED"}).Draw(t, "run_if")
		}
		for range 2 * n {
			for _, i := range g.ready() {
				for _, d := range g[i].dependsOn {
					if !g[d].state.ended() {
						t.Fatal("a task is ready before what it depends on has ended")
					}
				}
				g[i].state = rapid.SampledFrom([]State{Succeeded, Partial, Failed}).Draw(t, "state")
			}
		}
		for i := range g {
			if !g[i].state.ended() {
				t.Fatalf("task %d has no end", i)
			}
		}
	})
}

func job(task bundle.Task) *scheduled {
	return &scheduled{spec: spec{Task: task, params: manifest.Parameters{Task: manifest.TaskExtract}}}
}

func runOne(
	ctx context.Context, t bundle.Task, run func(ctx context.Context, attempt int) (task.Result, error),
) (State, *scheduled, error) {
	one := job(t)
	s := &scheduler{
		tasks: []*scheduled{one}, graph: make(graph, 1), retryWait: time.Hour,
		fits:    func([]*scheduled, *scheduled) bool { return true },
		started: func(*scheduled) {}, ended: func(*scheduled, State) {},
		run: func(ctx context.Context, _ *scheduled, attempt int) (task.Result, error) { return run(ctx, attempt) },
	}
	err := s.runAll(ctx)
	return s.graph[0].state, one, err
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := bundle.Task{Key: "x", MaxRetries: 3, RetryInterval: time.Minute}
		begun := time.Now()
		state, s, err := runOne(t.Context(), spec, func(_ context.Context, attempt int) (task.Result, error) {
			time.Sleep(10 * time.Second)
			if attempt < 3 {
				return task.Result{}, errors.New("no")
			}
			return task.Result{Status: batch.Partial}, nil
		})
		require.NoError(t, err)
		require.Equal(t, Partial, state)
		require.Equal(t, 3, s.attempts)
		require.Equal(t, 2*time.Minute+10*time.Second, time.Since(begun), "the interval counts from the start of the attempt that failed")

		state, s, err = runOne(t.Context(), spec, func(context.Context, int) (task.Result, error) {
			return task.Result{}, errors.New("never")
		})
		require.NoError(t, err)
		require.Equal(t, Failed, state)
		require.Equal(t, 4, s.attempts)
	})
}

func TestTimeout(t *testing.T) {
	hang := func(ctx context.Context, _ int) (task.Result, error) {
		<-ctx.Done()
		return task.Result{}, context.Cause(ctx)
	}
	synctest.Test(t, func(t *testing.T) {
		spec := bundle.Task{Key: "x", MaxRetries: 2, Timeout: time.Minute}
		state, s, err := runOne(t.Context(), spec, hang)
		require.NoError(t, err)
		require.Equal(t, Failed, state)
		require.Equal(t, 1, s.attempts, "retry_on_timeout is false")
		require.ErrorIs(t, s.err, errTimeout)

		spec.RetryOnTimeout = true
		_, s, err = runOne(t.Context(), spec, hang)
		require.NoError(t, err)
		require.Equal(t, 3, s.attempts)
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, s, err := runOne(ctx, bundle.Task{Key: "x", MaxRetries: -1}, func(ctx context.Context, _ int) (task.Result, error) {
			<-ctx.Done()
			return task.Result{}, ctx.Err()
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, s.attempts)
	})
}

// TestBudget holds tasks of one site to its connections, and lets others pass.
func TestBudget(t *testing.T) {
	l := budget{sideBySide: 16, sites: map[string]manifest.Limits{"a": {Connections: 10}, "b": {Connections: 1}}}
	extraction := func(site string, connections int) *scheduled {
		return &scheduled{spec: spec{params: manifest.Parameters{Task: manifest.TaskExtract, Site: site,
			Limits: manifest.Limits{Connections: connections}}}}
	}
	running := []*scheduled{extraction("a", 6)}
	require.True(t, l.fits(running, extraction("a", 4)))
	require.False(t, l.fits(running, extraction("a", 5)))
	require.True(t, l.fits(running, extraction("b", 3)), "one may always run")
	for range l.sideBySide {
		running = append(running, extraction("c", 1))
	}
	require.False(t, l.fits(running, extraction("d", 1)))
	require.True(t, l.fits(running, &scheduled{spec: spec{params: manifest.Parameters{Task: manifest.TaskConsolidate}}}))
}

// TestSideBySide runs a fan of tasks: never more at once than fit, and all of them.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		s := &scheduler{
			fits:    func(running []*scheduled, _ *scheduled) bool { return len(running) < 3 },
			started: func(*scheduled) {}, ended: func(*scheduled, State) {},
			run: func(context.Context, *scheduled, int) (task.Result, error) {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return task.Result{}, nil
			},
		}
		for i := range 10 {
			s.tasks, s.graph = append(s.tasks, job(bundle.Task{Key: fmt.Sprint(i)})), append(s.graph, node{})
		}
		begun := time.Now()
		require.NoError(t, s.runAll(t.Context()))
		require.Equal(t, 3, most)
		require.Equal(t, 4*time.Second, time.Since(begun))
	})
}

func TestResolve(t *testing.T) {
	got, err := resolve("--until={{job.parameters.until}}/{{ job.run_id }}",
		map[string]string{"job.parameters.until": "", "job.run_id": "7"})
	require.NoError(t, err)
	require.Equal(t, "--until=/7", got)
	_, err = resolve("{{tasks.x.values.y}}", nil)
	require.ErrorContains(t, err, "{{tasks.x.values.y}}")
}

// TestFlatten puts a child job's tasks where the task stands that runs it.
func TestFlatten(t *testing.T) {
	wheel := func(key, partition string, depends ...string) bundle.Task {
		return bundle.Task{Key: key, DependsOn: depends, EntryPoint: "consolidate",
			Args: []string{"--pipeline=p", "--catalog=c", "--bundle=b", "--tier=t", "--run-id={{job.parameters.run_id}}", "--until-ms=1",
				"--maintenance=false", "--layout=liquid", "--attempt={{task.execution_count}}"}}
	}
	e := emitted{&bundle.Bundle{Jobs: []bundle.Job{
		{Key: "parent", Parameters: []bundle.Parameter{{Name: "run_id", Default: "{{job.run_id}}"}}, Tasks: []bundle.Task{
			wheel("last", "", "part_0"), wheel("first", ""), {Key: "part_0", DependsOn: []string{"first"}, RunJob: "child",
				RunParameters: map[string]string{"run_id": "{{job.parameters.run_id}}"}},
		}},
		{Key: "child", Parameters: []bundle.Parameter{{Name: "run_id", Default: "{{job.run_id}}"}},
			Tasks: []bundle.Task{wheel("one", ""), wheel("two", "")}},
	}}}
	parent, _ := e.Job("parent")
	values, err := bind(map[string]string{"job.run_id": "parent-run"}, parent, nil)
	require.NoError(t, err)
	tasks, g, err := e.flatten(parent, values)
	require.NoError(t, err)
	var keys []string
	for _, s := range tasks {
		keys = append(keys, s.spec.Key)
		require.Equal(t, "parent-run", s.spec.params.RunID, "handed down")
	}
	require.Equal(t, []string{"first", "one", "two", "last"}, keys)
	require.Equal(t, []int{0}, g[1].dependsOn)
	require.Equal(t, []int{1, 2}, g[3].dependsOn)

	e.Jobs[1].Tasks[0].DependsOn = []string{"two"}
	e.Jobs[1].Tasks[1].DependsOn = []string{"one"}
	_, _, err = e.flatten(parent, values)
	require.ErrorContains(t, err, "cycle")
}
