package enginetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// mortal is a process that dies at one of its steps.
type mortal struct {
	dead bool
	lab  *lab
}

// at gives steps of which the k-th is the last: the process dies before it.
func (m *mortal) at(k int) engine.Steps {
	return func(step string) error {
		if k--; k > 0 {
			return nil
		}
		if !m.dead {
			m.lab.Logf("dies before: %s", strings.TrimPrefix(step, taskStep))
		}
		m.dead = true
		return errDead
	}
}

// tolerate says whether the process died, and fails where it ended otherwise than well.
func (m *mortal) tolerate(err error) (died bool) {
	if err != nil && !(m.dead && errors.Is(err, errDead)) {
		m.lab.must(err)
	}
	return m.dead
}

// everyStep does something again and again, in the same pipeline, with a process
// that dies at its first step, its second, and so on, until one does not die.
func (l *lab) everyStep(do func(k int, dies *mortal)) {
	for k := 1; ; k++ {
		dies := &mortal{lab: l}
		do(k, dies)
		if !dies.dead {
			require.Greater(l, k, 1, "it has no steps")
			return
		}
	}
}

// extractionDies: an extraction dies between any two steps, and its retry, or
// the next run, lands what it would have landed.
func extractionDies(l *lab) {
	l.standard()
	l.everyStep(func(k int, dies *mortal) {
		until := pin + instant.Ticks(k)*10*second
		run := l.run(until)
		a := l.attempt("A", 0, run, 1, dies.at(k))
		a.crashes, a.refused = true, map[int64]bool{2: true}
		dies.tolerate(a.once())
		l.reopen()
		l.observe()
		if k%2 == 0 {
			run = l.run(until)
			l.expire(0)
		}
		l.must(l.attempt("R", 0, run, 2, nil).once())
		s := l.observe()
		l.must(l.history.landed(s, map[int64]instant.Ticks{1: until, 2: until}))
		l.must(l.history.quiet(s))
	})
	l.finish(pin + 1000*second)
}

// discoverDies: a discover that moves a tag dies between any two steps, and its
// retry does the rest, beside an attempt of the run before that has read already.
func discoverDies(l *lab) {
	l.standard()
	l.everyStep(func(k int, dies *mortal) {
		until := pin + instant.Ticks(k)*10*second
		from, to := 0, 1
		if k%2 == 0 {
			from, to = to, from
		}
		old := l.run(until - 5*second)
		zombie := l.attempt("Z", from, old, 1, nil)
		_, folder := zombie.open()
		next := old.ID + " next"
		dies.tolerate(l.discover(next, dies.at(k)).all(until, owner(2, to)))
		l.reopen()
		zombie.Engine = l.engine(old.ID, 1, nil)
		_, err := zombie.Publish(l.ctx, folder)
		l.must(err)
		retry := l.discover(next, nil)
		l.must(retry.all(until, owner(2, to)))
		runs, err := retry.Runs(l.ctx, next)
		l.must(err)
		require.Len(l, runs, 1)
		l.must(l.attempt("E", to, runs[0], 1, nil).once())
		s := l.observe()
		l.must(l.history.landed(s, map[int64]instant.Ticks{2: until}))
		l.must(l.history.quiet(s))
	})
	l.finish(pin + 1000*second)
}

// bothDie: an attempt dies while it publishes, another that has not seen it
// decide dies at the same step with the next number, a consolidation comes, and
// what comes then applies both in order: a recovery, or a fence.
func bothDie(l *lab) {
	l.standard()
	l.everyStep(func(k int, dies *mortal) {
		until := pin + instant.Ticks(k)*10*second
		for i, name := range []string{"A", "B"} {
			a := l.attempt(name, 0, l.run(until-instant.Ticks(5-i)*second), 1, nil)
			a.Engine = l.engine(a.run.ID, 1, dies.at(k))
			if _, err := a.batch(); err != nil {
				require.ErrorIs(l, err, errDead)
			}
		}
		l.observe()
		l.reopen()
		e, next := l.plain(), l.run(until)
		l.must(e.Compact(l.ctx)) // what is not applied yet survives it
		if k%2 == 0 {
			next.Assigned += second
			l.clock = next.Assigned
			l.must(e.Fence(l.ctx, 0, next))
			s := l.observe()
			for id, at := range l.history.batches {
				if h, ok := l.history.headers[id]; ok && at.partition == 0 {
					require.True(l, slices.ContainsFunc(s.metrics, func(m metric) bool { return m.batch == id }), "batch %d, of %d events, was decided before the fence", at.number, h.Events)
				}
			}
		}
		l.must(l.attempt("C", 0, next, 1, nil).once())
		s := l.observe()
		l.must(l.history.landed(s, map[int64]instant.Ticks{1: until, 2: until}))
		l.must(l.history.quiet(s))
	})
	l.finish(pin + 1000*second)
}

// compactionDies: a consolidation dies between any two steps, and nothing that
// counts is another than before.
func compactionDies(l *lab) {
	l.standard()
	l.everyStep(func(k int, dies *mortal) {
		until := pin + instant.Ticks(k)*10*second
		l.land(0, until)
		before := l.observe()
		dies.tolerate(l.consolidate(l.engine("C", 1, dies.at(k))))
		l.reopen()
		require.Equal(l, before.current, l.observe().current)
	})
	l.finish(pin + 1000*second)
}
