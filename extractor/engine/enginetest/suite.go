package enginetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// testCase is one case of the suite. What it is for is in Sentences.
type testCase struct {
	name string
	own  bool // it needs a lake of its own, without tables
	core bool // part of RunCore
	run  func(l *lab)
}

// lanes is how many cases go at once, each lane's on a lake of its own: an engine's
// statements keep one processor busy.
const lanes = 2

// Run runs the suite. Most cases share a lake, each with a pipeline of its own; a
// few ask for a Fresh one. The log says what each cost, the cheapest first.
func Run(t *testing.T, s Subject) { run(t, s, cases) }

// RunCore runs the cases that meet each kind of promise at least once: for an
// engine whose statements cost a second each, where there is no time for all.
func RunCore(t *testing.T, s Subject) {
	var core []testCase
	for _, c := range cases {
		if c.core {
			core = append(core, c)
		}
	}
	run(t, s, core)
}

func run(t *testing.T, s Subject, cases []testCase) {
	free := make(chan *lake, lanes)
	for lane := range lanes {
		if lane > 0 {
			s = s.Fresh(t)
		}
		free <- claimed(t, s)
	}
	var mu sync.Mutex
	var costs []string
	t.Run("cases", func(t *testing.T) { // ends when all of them have
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				shared := <-free
				defer func() { free <- shared }()
				l := &lake{shared.Subject, new(cost)}
				started := time.Now()
				c.start(t, l)
				mu.Lock()
				defer mu.Unlock()
				costs = append(costs, fmt.Sprintf("%6d engine calls %6d steps %6d queries %8s  %s", l.calls.Load(), l.steps.Load(), l.queries.Load(), time.Since(started).Round(time.Millisecond), c.name))
			})
		}
	})
	slices.Sort(costs)
	t.Logf("what the cases cost:\n%s", strings.Join(costs, "\n"))
}

// claimed is a lake with its tables made.
func claimed(t testing.TB, s Subject) *lake {
	l := newLake(s)
	e := l.Engine(t, Process{Pipeline: "claim", RunID: "claim", Attempt: 1})
	if err := e.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (c *testCase) start(t testing.TB, l *lake) {
	if c.own {
		l = l.fresh(t)
	}
	c.run(newLab(t, l, c.name))
}

// Caught fails unless a case fails against an engine that breaks a promise, with
// a complaint that contains the text given, or one of them where chance decides
// what is noticed first: the suite would notice.
func Caught(t *testing.T, broken Subject, name string, complaints ...string) {
	t.Helper()
	for _, c := range cases {
		if c.name != name {
			continue
		}
		r := &recorder{TB: t}
		r.run(func() { c.start(r, claimed(r, broken)) })
		r.check(complaints)
		return
	}
	t.Fatalf("the suite has no case %q", name)
}
