package enginetest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// damages are what may happen to a whole folder between two processes.
var damages = []struct {
	reason string
	sealed bool // its marker is as it was
	do     func(l *lab, f stage.Folder, data string)
}{
	{"is missing", true, func(l *lab, _ stage.Folder, data string) { l.must(os.Remove(data)) }},
	{"is missing", true, func(l *lab, _ stage.Folder, data string) { l.must(os.Rename(data, data+".parquet")) }},
	{"has 0 bytes", true, func(l *lab, _ stage.Folder, data string) { l.must(os.Truncate(data, 0)) }},
	{"one file too many", true, func(l *lab, _ stage.Folder, data string) {
		content, err := os.ReadFile(data)
		l.must(err)
		l.must(os.WriteFile(filepath.Join(filepath.Dir(data), "data-1.parquet"), content, 0o600))
	}},
	{"has other bytes", true, func(l *lab, _ stage.Folder, data string) {
		content, err := os.ReadFile(data)
		l.must(err)
		content[len(content)/3] ^= 4
		l.must(os.WriteFile(data, content, 0o600))
	}},
	{"was changed after it was written", false, func(l *lab, f stage.Folder, _ string) {
		marker := filepath.Join(f.Dir, "batch.json")
		content, err := os.ReadFile(marker)
		l.must(err)
		was, is := []byte(`"to":`+num(pin+10*second)), []byte(`"to":`+num(pin+90*second))
		require.Contains(l, string(content), string(was))
		l.must(os.WriteFile(marker, bytes.Replace(content, was, is, 1), 0o600))
	}},
	{"cannot be read", false, func(l *lab, f stage.Folder, _ string) {
		l.must(os.WriteFile(filepath.Join(f.Dir, "batch.json"), []byte("{{}}"), 0o600))
	}},
}

// damagedFolder: a folder that is not what was staged is never landed, nor is any
// of it. It is set aside, with an error that names its tags and ranges, which are
// read again; the rest of a recovery is done all the same.
func damagedFolder(l *lab) {
	damages := damages[:min(len(damages), l.Rounds())]
	var owners []engine.Owner
	for i := range damages {
		owners = append(owners, owner(int64(i+1), i+1))
	}
	l.must(l.discover("D", nil).assign(owners...))
	until := pin + 10*second
	for i, d := range damages {
		p := i + 1
		a := l.attempt("A", p, l.run(until), 1, nil)
		_, folder := a.open()
		data, err := folder.DataFiles()
		l.must(err)
		d.do(l, folder, data[0])
		if i%2 == 0 { // by the attempt itself
			_, err = a.Publish(l.ctx, folder)
		} else { // by whoever comes next
			l.reopen()
			e := l.plain()
			partitions, listed := e.Unfinished(l.ctx)
			l.must(listed)
			require.Contains(l, partitions, p)
			err = e.Recover(l.ctx, p)
		}
		aside, ok := err.(*engine.SetAside)
		require.True(l, ok, "%v", err)
		require.Len(l, aside.Batches, 1)
		b := aside.Batches[0]
		require.Contains(l, b.Reason, d.reason)
		require.Equal(l, engine.AsideBatch{Partition: p, Number: 1, BatchID: folder.BatchID, Folder: b.Folder, Reason: b.Reason, Header: b.Header, Sealed: d.sealed}, b)
		require.NoDirExists(l, folder.Dir)
		require.DirExists(l, b.Folder)
		if d.sealed {
			require.ErrorContains(l, err, fmt.Sprintf("%q (%s, %s]", fmt.Sprint("tag ", p), pin, until))
			require.Equal(l, []engine.TagError{{RunID: a.run.ID, Partition: p, WebID: fmt.Sprint("W", p), Name: fmt.Sprint("tag ", p), Site: site, PointID: int64(p), Watermark: pin, Error: aside.TagErrors()[0].Error}}, aside.TagErrors())
		} else {
			require.Empty(l, aside.TagErrors())
		}
		s := l.observe()
		require.Equal(l, pin, s.current[int64(p)])
		l.must(l.history.quiet(s))
		l.must(l.attempt("B", p, l.run(until), 1, nil).once())
		s = l.observe()
		l.must(l.history.landed(s, map[int64]instant.Ticks{int64(p): until}))
		l.must(l.history.quiet(s))
	}

	// One that is damaged holds up no other.
	first, other := l.attempt("C", 1, l.run(until+10*second), 1, nil), l.attempt("D", 1, l.run(until+10*second), 2, nil)
	_, folder := first.open()
	other.open()
	l.must(os.Remove(folder.Dir + "/data-0.parquet"))
	l.reopen()
	last := l.attempt("E", 1, l.run(until+10*second), 3, nil)
	l.must(last.once())
	require.Len(l, last.aside.Batches, 1)
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: until + 10*second}))
	l.must(l.history.quiet(s))
	require.True(l, slices.ContainsFunc(s.rows, func(r row) bool { return nickname(r.batch) == "D1" }))
}

// damagedThenDead: a process dies at any step of publishing, the folder that it
// leaves is damaged, and the next dies at any step of what it does about that.
// Before the batch is decided its ranges are read again, after that it is named,
// and what the error says mends it.
func damagedThenDead(l *lab) {
	const most = 20 // a partition and a tag for each death
	var owners []engine.Owner
	for i := range most {
		owners = append(owners, owner(int64(i+1), i+1))
	}
	l.must(l.discover("D", nil).assign(owners...))
	l.observe()
	until := pin + 10*second
	l.everyStep(func(k int, dies *mortal) {
		require.Less(l, k, most)
		a := l.attempt("A", k, l.run(until), 1, nil)
		_, folder := a.open()
		_, err := l.engine(a.run.ID, 1, dies.at(k)).Publish(l.ctx, folder)
		dies.tolerate(err)
		l.reopen()
		data, err := folder.DataFiles()
		if err == nil && len(data) > 0 {
			l.must(os.Truncate(data[0], 8))
		}
		s := l.tablesOf(l, l.pipeline)
		decided := slices.ContainsFunc(s.rows, func(r row) bool { return r.batch == folder.BatchID })
		applied := slices.ContainsFunc(s.events, func(e event) bool { return e.batch == folder.BatchID })
		if !decided {
			second := &mortal{lab: l}
			if err := l.engine("R", 1, second.at(1)).Recover(l.ctx, k); err != nil {
				second.tolerate(err)
			}
			l.reopen()
		}
		err = l.attempt("B", k, l.run(until), 1, nil).once()
		if !decided || applied {
			l.must(err)
			l.must(l.history.landed(l.tablesOf(l, l.pipeline), map[int64]instant.Ticks{int64(k): until}))
			return
		}
		var lost *engine.LostBatch
		require.ErrorAs(l, err, &lost)
		require.Contains(l, lost.Reason, "has 8 bytes instead of")
		require.Equal(l, folder.Dir, lost.Folder)
		require.DirExists(l, folder.Dir, "it may be restored")
		require.ErrorContains(l, err, fmt.Sprintf("%q (%s, %s]", fmt.Sprint("tag ", k), pin, until))
		l.mend(lost, k, until)
		require.NoDirExists(l, folder.Dir)
	})
}

// recoveredCounts: what a run recovers is counted by its validation, and so is
// what an earlier run landed that ended without one; each once.
func recoveredCounts(l *lab) {
	l.standard()
	e := l.plain()
	validated := func(run engine.Run, status string) {
		at := time.Now()
		l.must(e.RecordAttempt(l.ctx, engine.Attempt{RunID: run.ID, Task: "validate", Tier: run.Tier, Partition: -1, Number: 1, Started: at, Ended: at, Status: status}))
	}
	spans := func(run engine.Run) (out []span) {
		landed, err := e.LandedBy(l.ctx, run.ID, 0)
		l.must(err)
		for _, n := range landed {
			out = append(out, span{from: n.From, to: n.To})
		}
		return out
	}
	first := l.run(pin + 3*second)
	l.must(l.attempt("a", 0, first, 1, nil).once())
	require.Len(l, spans(first), 2)
	validated(first, batch.Succeeded)
	require.Len(l, spans(first), 2, "again for a repair of the same run")

	dead := l.run(pin + 6*second)
	l.attempt("b", 0, dead, 1, nil).open() // whole, and never published
	l.reopen()
	e = l.plain()
	next := l.run(pin + 6*second)
	require.Empty(l, spans(next))
	l.must(l.attempt("c", 0, next, 1, nil).once()) // there is nothing more to read
	recovered := []span{{from: pin + 3*second, to: pin + 6*second}, {from: pin + 3*second, to: pin + 6*second}}
	require.Equal(l, recovered, spans(next))
	validated(next, batch.Failed)
	later := l.run(pin + 6*second)
	require.Equal(l, recovered, spans(later), "no validation of it succeeded yet")
	validated(next, batch.Succeeded)
	require.Empty(l, spans(later))
}
