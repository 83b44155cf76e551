package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// firstClaim: the tables are made once, whoever dies over it and whoever else
// claims at the same time; before that every other task says what is missing.
func firstClaim(l *lab) {
	_, err := l.plain().Runs(l.ctx, "")
	require.ErrorIs(l, err, engine.ErrNoTables)
	_, err = l.plain().Open(l.ctx, 0, l.run(0))
	require.ErrorIs(l, err, engine.ErrNoTables)
	for k, done := 1, false; !done; k++ {
		dies := &mortal{lab: l}
		done = !dies.tolerate(l.engine("D", k, dies.at(k)).Claim(l.ctx))
		l.reopen()
	}
	var g sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		e := newLab(l.TB, l.lake, "another").engine("D", 1, nil)
		g.Go(func() { errs[i] = e.Claim(l.ctx) })
	}
	g.Wait()
	l.must(errors.Join(errs...))
	require.Equal(l, 1, l.count(l, "SELECT CAST(count(*) AS STRING) FROM {checkpoints}.epochs"))
}

// droppedCheckpoints: bronze without its checkpoints stops a run, until an
// operator has decided; tables that are made anew are another epoch, and what
// was read for the old one is thrown away.
func droppedCheckpoints(l *lab) {
	l.must(l.plain().Claim(l.ctx))
	l.standard()
	st, folder := l.attempt("a", 0, l.run(pin+3*second), 1, nil).open()
	_, err := l.plain().Publish(l.ctx, folder)
	l.must(err)
	l.observe()
	_, old := l.attempt("old", 0, l.run(pin+5*second), 1, nil).open()
	l.exec(l, "DROP TABLE {checkpoints}.tag_watermarks")
	var lost *engine.LostCheckpoints
	require.ErrorAs(l, l.plain().Claim(l.ctx), &lost)
	require.Equal(l, engine.LostCheckpoints{Pipeline: l.pipeline, Rows: 4}, *lost)
	require.ErrorContains(l, lost, "hint:")
	require.ErrorAs(l, l.plain().Claim(l.ctx), &lost, "it is not forgotten")
	require.Equal(l, 4, l.count(l, "SELECT CAST(count(*) AS STRING) FROM {bronze}.pi_timeseries"))
	l.must(newLab(l.TB, l.lake, "another").plain().Claim(l.ctx)) // one that has nothing in bronze

	l.exec(l, "DELETE FROM {bronze}.pi_timeseries WHERE pipeline = '"+l.pipeline+"'")
	l.must(l.plain().Claim(l.ctx))
	webs := l.history.webs
	l.history = newHistory()
	l.history.webs = webs
	l.must(l.plain().Recover(l.ctx, 0))
	require.NoDirExists(l, old.Dir, "its ranges are read anew")
	require.Empty(l, l.observe().events)
	_, seen, err := l.plain().Owners(l.ctx, 0)
	l.must(err)
	l.must(l.plain().Assign(l.ctx, engine.Change{At: seen + second, Seen: seen, Pins: []engine.Pin{pinOf(1, 0, pin), pinOf(2, 0, pin), pinOf(3, 1, pin)}}))
	now, folder := l.attempt("b", 0, l.run(pin+3*second), 1, nil).open()
	require.NotEqual(l, st.Epoch, now.Epoch)
	require.EqualValues(l, 1, folder.Number, "a number that was taken in the epoch before")
	_, err = l.plain().Publish(l.ctx, folder)
	l.must(err)
	l.expect(map[int64]instant.Ticks{1: pin + 3*second, 2: pin + 3*second})
	l.must(l.plain().Claim(l.ctx))
}

// restoredCheckpoints: checkpoints that went back in time stop a run before
// anything lands twice.
func restoredCheckpoints(l *lab) {
	l.standard()
	l.land(0, pin+3*second)
	l.land(0, pin+6*second)
	l.must(l.plain().Claim(l.ctx))
	before := l.observe()
	l.exec(l, "DELETE FROM {checkpoints}.tag_watermarks WHERE pipeline = '"+l.pipeline+"' AND batch_seq > 1")
	err := l.plain().Claim(l.ctx)
	if err == nil {
		err = l.attempt("b", 0, l.run(pin+9*second), 1, nil).once()
	}
	require.ErrorContains(l, err, "hint:")
	require.Equal(l, before.events, l.tablesOf(l, l.pipeline).events)
}

// lostBatch: a batch that is decided, and of which neither folder nor rows are
// there, is an error that names what was lost. At any other step the folder's
// loss is harmless: its ranges are read anew.
func lostBatch(l *lab) {
	const most = 20 // a partition and a tag for each death, since a lost batch stays lost
	var owners []engine.Owner
	for i := range most {
		owners = append(owners, owner(int64(i+1), i+1))
	}
	l.must(l.discover("D", nil).assign(owners...))
	l.observe()
	l.everyStep(func(k int, dies *mortal) {
		require.Less(l, k, most)
		a := l.attempt("A", k, l.run(pin+10*second), 1, nil)
		_, folder := a.open()
		_, err := l.engine(a.run.ID, 1, dies.at(k)).Publish(l.ctx, folder)
		dies.tolerate(err)
		l.must(folder.Remove())
		s := l.tablesOf(l, l.pipeline)
		decided := slices.ContainsFunc(s.rows, func(r row) bool { return r.batch == folder.BatchID })
		applied := slices.ContainsFunc(s.events, func(e event) bool { return e.batch == folder.BatchID })
		err = a.once()
		if !decided || applied {
			l.must(err)
			l.must(l.history.landed(l.tablesOf(l, l.pipeline), map[int64]instant.Ticks{int64(k): pin + 10*second}))
			return
		}
		var lost *engine.LostBatch
		require.ErrorAs(l, err, &lost)
		require.Equal(l, engine.LostBatch{Partition: k, Number: 1, BatchID: folder.BatchID, Ranges: lost.Ranges}, *lost)
		require.Len(l, lost.Ranges, 1)
		o := lost.Ranges[0]
		require.Equal(l, batch.Outcome{PointID: int64(k), WebID: fmt.Sprint("W", k), Name: fmt.Sprint("tag ", k), From: pin, To: pin + 10*second}, o)
		require.ErrorContains(l, err, fmt.Sprintf("%q (%s, %s]", o.Name, o.From, o.To))
	})
}
