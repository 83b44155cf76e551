package enginetest

import (
	"errors"
	"os"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// sameNumber: of two attempts that read under the same number one has it, and
// the other's folder is thrown away, whatever it had read.
func sameNumber(l *lab) {
	l.standard()
	first, other := l.attempt("A", 0, l.run(pin+10*second), 1, nil), l.attempt("B", 0, l.run(pin+20*second), 1, nil)
	_, loses := first.open()
	_, wins := other.open()
	other.publish(wins, engine.Applied)
	first.publish(loses, engine.Lost)
	l.expect(map[int64]instant.Ticks{1: pin + 20*second, 2: pin + 20*second})
}

// publishedForIt: an attempt whose whole folder another task has published
// meanwhile is told so.
func publishedForIt(l *lab) {
	l.standard()
	a := l.attempt("A", 0, l.run(pin+10*second), 1, nil)
	_, folder := a.open()
	l.must(l.plain().Recover(l.ctx, 0))
	require.NoDirExists(l, folder.Dir)
	a.publish(folder, engine.Applied)
	_, lost := a.late(1)
	l.must(lost.Remove())
	a.publish(lost, engine.Lost)
	l.expect(map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second})
}

// late stages a batch under a number that was free once.
func (a *attempt) late(number int64) (engine.State, stage.Folder) {
	a.Helper()
	st, err := a.Open(a.ctx, a.partition, a.run)
	a.must(err)
	st.Last = number - 1
	for i := range st.Tags {
		st.Tags[i].Watermark = pin
	}
	folder, some, err := a.stage(st)
	a.must(err)
	require.True(a, some)
	return st, folder
}

// zombies: a fence stops attempts of older runs at their next look, and at the
// number that they already have; later runs go on; batches and compaction do not
// make it forgotten.
func zombies(l *lab) {
	l.standard()
	old := l.run(pin + 20*second)
	early, late := l.attempt("Z", 0, old, 1, nil), l.attempt("Y", 0, old, 2, nil)
	_, folder := early.open()
	l.must(l.discover("D2", nil).assign(owner(2, 1)))
	_, err := late.Open(l.ctx, 0, old)
	require.ErrorIs(l, err, engine.ErrZombie)
	early.publish(folder, engine.Lost)
	l.land(1, pin+20*second)
	l.land(0, pin+5*second)
	require.ErrorIs(l, late.once(), engine.ErrZombie)
	l.observe()
	l.must(l.plain().Compact(l.ctx))
	l.reopen()
	_, err = l.attempt("X", 0, old, 3, nil).Open(l.ctx, 0, old)
	require.ErrorIs(l, err, engine.ErrZombie)
	l.expect(map[int64]instant.Ticks{1: pin + 5*second, 2: pin + 20*second, 3: pin + 20*second})
}

// fences: a run's fence is one number, however often it is asked for, and an
// older run's fence beside a later one is none.
func fences(l *lab) {
	l.standard()
	e, run := l.plain(), l.run(0)
	fenced := run
	fenced.Assigned += second
	l.must(e.Fence(l.ctx, 0, fenced))
	l.must(e.Fence(l.ctx, 0, fenced))
	l.must(e.Fence(l.ctx, 0, run))
	st, err := e.Open(l.ctx, 0, fenced)
	l.must(err)
	require.EqualValues(l, 1, st.Last)
	require.Len(l, st.Tags, 2)
	_, err = e.Open(l.ctx, 1, run)
	l.must(err)
	l.must(e.Fence(l.ctx, 9, fenced)) // one that never had a batch
	last, err := e.LastAttempts(l.ctx, fenced.ID)
	l.must(err)
	require.Empty(l, last, "a fence is no work of a task")
	l.observe()
}

// wholeFolder: whoever comes next publishes what another attempt has read.
func wholeFolder(l *lab) {
	l.standard()
	a := l.attempt("A", 0, l.run(pin+10*second), 1, nil)
	_, folder := a.open()
	l.reopen()
	e := l.plain()
	partitions, err := e.Unfinished(l.ctx)
	l.must(err)
	require.Equal(l, []int{0}, partitions)
	l.must(e.Recover(l.ctx, 1))
	require.DirExists(l, folder.Dir, "another partition's")
	l.must(e.Recover(l.ctx, 0))
	require.NoDirExists(l, folder.Dir)
	l.expect(map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second, 3: pin})
	before := l.observe()
	l.must(e.Recover(l.ctx, 0))
	require.Equal(l, before.String(), l.observe().String())
	last, err := e.LastAttempts(l.ctx, a.run.ID)
	l.must(err)
	require.Len(l, last, 1, "the row is of the run that read it")
}

// tornFolder: a folder without its marker is never read, and goes once its
// writer is done with it, or cannot be alive.
func tornFolder(l *lab) {
	l.standard()
	run := l.run(pin + 3*second)
	torn := func(attempt int, id string) (stage.Folder, func()) {
		f, release := l.engine(run.ID, attempt, nil).Folder(0, 1, id)
		l.must(f.Create())
		l.must(os.WriteFile(f.Dir+"/data-0.parquet", []byte("PAR1"), 0o600))
		return f, release
	}
	first, release := torn(1, "first")
	again := l.engine(run.ID, 1, nil)
	l.must(again.Recover(l.ctx, 0))
	require.DirExists(l, first.Dir, "its writer is alive")
	release()
	l.must(again.Recover(l.ctx, 0))
	require.NoDirExists(l, first.Dir, "its writer said that it is done")

	second2, _ := torn(1, "second")
	l.reopen()
	l.must(l.engine(run.ID, 2, nil).Recover(l.ctx, 0))
	require.NoDirExists(l, second2.Dir, "the run's earlier attempt is dead")

	if third, _ := torn(1, "third"); third.Lease != (stage.Lease{}) {
		other := l.engine("another run", 1, nil)
		l.must(other.Recover(l.ctx, 0))
		require.DirExists(l, third.Dir, "its writer is under lease")
		l.expire(0)
		l.must(other.Recover(l.ctx, 0))
		require.NoDirExists(l, third.Dir, "its lease is over")
	}
	require.Empty(l, l.observe().events)
}

// expire lets the leases of a partition's folders be over.
func (l *lab) expire(partition int) {
	folders, err := stage.List(l.staging(), l.pipeline, partition)
	l.must(err)
	for _, f := range folders {
		if lease, ok := f.ReadLease(); ok {
			f.Lease = lease
			f.Lease.Expires = lease.Expires.AddDate(-1, 0, 0)
			l.must(f.Create())
		}
	}
}

// cameBack: a folder whose batch is applied, but which was not removed yet.
func cameBack(l *lab) {
	l.standard()
	a := l.attempt("A", 0, l.run(pin+10*second), 1, nil)
	_, folder := a.open()
	h, _, err := folder.Header()
	l.must(err)
	data, err := folder.DataFiles()
	l.must(err)
	content, err := os.ReadFile(data[0])
	l.must(err)
	a.publish(folder, engine.Applied)
	for _, compacted := range []bool{false, true} {
		if compacted {
			l.land(0, pin+12*second)
			l.observe()
			l.must(l.plain().Compact(l.ctx))
		}
		l.must(os.MkdirAll(folder.Dir, 0o700))
		l.must(os.WriteFile(data[0], content, 0o600))
		l.must(folder.Seal(&h))
		l.must(l.plain().Recover(l.ctx, 0))
		require.NoDirExists(l, folder.Dir)
		l.observe()
	}
}

// sideBySide: four partitions of two tiers land at the same time, round after
// round, in every fourth beside the first tier's consolidation. Nothing of it is
// stepped: it is the only case in which the order is left to chance.
func sideBySide(l *lab) {
	l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 1), inBulk(owner(3, 2)), inBulk(owner(4, 3))))
	for round := range l.Rounds() {
		until := pin + instant.Ticks(round+1)*5*second
		var g sync.WaitGroup
		errs := make([]error, 5)
		for p := range 4 {
			a := l.attempt("a", p, l.run(until), 1, nil)
			g.Go(func() { errs[p] = a.once() })
		}
		if round%4 == 0 {
			e := l.plain()
			g.Go(func() { errs[4] = l.consolidate(e) })
		}
		g.Wait()
		l.must(errors.Join(errs...))
		s := l.observe()
		l.must(l.history.quiet(s))
		l.must(l.history.landed(s, map[int64]instant.Ticks{1: until, 2: until, 3: until, 4: until}))
	}
}

// inBulk makes a tag one of the second tier's.
func inBulk(o engine.Owner) engine.Owner {
	o.Tier = "bulk"
	return o
}
