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
	"github.com/bundlegen/bundlegen/pipeline/tables"
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

// droppedBronze: checkpoints without bronze stop a run, whichever pipeline's, until
// an operator has decided; then what is read goes into tables made anew.
func droppedBronze(l *lab) {
	l.must(l.plain().Claim(l.ctx))
	l.standard()
	l.land(0, pin+3*second)
	l.exec(l, "DROP TABLE {bronze}.pi_timeseries")
	other := newLab(l.TB, l.lake, "another")
	for _, e := range []engine.Engine{l.plain(), other.plain(), l.plain()} {
		var lost *engine.LostBronze
		require.ErrorAs(l, e.Claim(l.ctx), &lost)
		require.Equal(l, []string{l.pipeline}, lost.Pipelines)
		require.ErrorContains(l, lost, "pi_timeseries")
		require.ErrorContains(l, lost, "hint:")
	}
	for _, schema := range []string{tables.Checkpoints, tables.Metadata} {
		l.exec(l, "DROP SCHEMA {"+schema+"} CASCADE")
	}
	l.must(l.plain().Claim(l.ctx))
	l.history = newHistory()
	l.clock += 100 * second
	l.must(l.discover("D2", nil).assign(owner(1, 0), owner(2, 0)))
	l.land(0, pin+3*second)
	l.expect(map[int64]instant.Ticks{1: pin + 3*second, 2: pin + 3*second})
}

// addedColumns: a table of ours may have columns that somebody added: rows are
// added by name, and what is added to the left in no table is missed.
func addedColumns(l *lab) {
	l.must(l.plain().Claim(l.ctx))
	for _, t := range tables.All {
		l.exec(l, "ALTER TABLE {"+t.Schema+"}."+t.Name+" ADD COLUMN applied STRING") // a name that statements of ours use
	}
	e := l.plain()
	l.must(e.Claim(l.ctx))
	d := l.discover("D", nil)
	l.must(d.assign(owner(1, 0), owner(2, 0)))
	_, seen, err := e.Owners(l.ctx, 0)
	l.must(err)
	for i := range 2 { // tags are described, then described otherwise
		l.must(e.Assign(l.ctx, engine.Change{At: seen + instant.Ticks(i+1)*second, Seen: seen, Sites: []string{site}, Tags: []engine.Tag{{PointID: 1, WebID: "W1", Name: fmt.Sprint("tag 1.", i), Site: site}}}))
	}
	run := l.run(pin + 3*second)
	run.Assigned = seen + 10*second
	l.must(e.RecordRuns(l.ctx, []engine.Run{run}))
	a := l.attempt("a", 0, run, 1, nil)
	a.refused = map[int64]bool{2: true}
	l.must(a.once())
	l.land(0, pin+5*second)
	l.must(e.Fence(l.ctx, 0, run))
	l.must(e.RecordAttempt(l.ctx, engine.Attempt{RunID: run.ID, Task: "discover", Partition: -1, Number: 1}))
	l.must(e.RecordCompleteness(l.ctx, []engine.Completeness{{RunID: run.ID}}))
	l.observe()
	l.must(l.consolidate(e))
	l.expect(map[int64]instant.Ticks{1: pin + 5*second, 2: pin + 5*second})
	for _, t := range tables.All {
		require.Positive(l, l.count(l, "SELECT CAST(count(*) AS STRING) FROM {"+t.Schema+"}."+t.Name+" WHERE applied IS NULL"), t.Name)
	}
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
		require.Equal(l, engine.LostBatch{Partition: k, Number: 1, BatchID: folder.BatchID, Ranges: lost.Ranges, Mend: lost.Mend}, *lost)
		require.Len(l, lost.Ranges, 1)
		o := lost.Ranges[0]
		require.Equal(l, batch.Outcome{PointID: int64(k), WebID: fmt.Sprint("W", k), Name: fmt.Sprint("tag ", k), From: pin, To: pin + 10*second}, o)
		require.ErrorContains(l, err, fmt.Sprintf("%q (%s, %s]", o.Name, o.From, o.To))
		l.mend(lost, k, pin+10*second)
	})
}

// mend does what the error of a lost batch says, after which a partition's one tag
// is landed up to an instant, by one more batch.
func (l *lab) mend(lost *engine.LostBatch, partition int, until instant.Ticks) {
	l.Helper()
	require.NotEmpty(l, lost.Mend)
	for _, statement := range lost.Mend {
		require.ErrorContains(l, lost, statement)
		l.exec(l, statement)
	}
	l.must(l.attempt("M", partition, l.run(until), 1, nil).once())
	l.must(l.history.landed(l.tablesOf(l, l.pipeline), map[int64]instant.Ticks{int64(partition): until}))
}
