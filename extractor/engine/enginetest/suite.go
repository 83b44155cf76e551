// Package enginetest holds every engine to the promises of package engine: one
// suite, written from the landing protocol sentence by sentence, without PI.
package enginetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Subject is a lake under test.
type Subject interface {
	// Engine gives an engine of a pipeline in the lake.
	Engine(pipeline string) engine.Engine
	// Reopen stands for a crash and a new process: whatever was not durable is gone.
	Reopen(t *testing.T)
	// Events lists bronze as "webid@ticks", sorted.
	Events(t *testing.T) []string
	// DropCheckpoints removes the checkpoint schema, as an operator might.
	DropCheckpoints(t *testing.T)
	// Watermark gives what the view current_watermarks shows of a tag.
	Watermark(t *testing.T, pipeline string, point int64) instant.Ticks
	// Count counts the rows of a qualified table.
	Count(t *testing.T, table string) int
}

// fixture is one pipeline with three tags: 1 and 2 in partition 0, 3 in partition 1.
type fixture struct {
	t   *testing.T
	s   Subject
	e   engine.Engine
	ctx context.Context
	at  instant.Ticks
}

const (
	site = "plant-a"
	pin  = 100 * instant.Second
)

func setup(t *testing.T, s Subject, pipeline string) *fixture {
	f := &fixture{t: t, s: s, e: s.Engine(pipeline), ctx: t.Context(), at: 1000 * instant.Second}
	require.NoError(t, f.e.Claim(f.ctx))
	f.assign(engine.Change{Open: []engine.Owner{owner(1, 0), owner(2, 0), owner(3, 1)},
		Pins: []engine.Pin{pinOf(1, 0, pin), pinOf(2, 0, pin), pinOf(3, 1, pin)}})
	return f
}

func owner(point int64, partition int) engine.Owner {
	return engine.Owner{PointID: point, WebID: web(point), Name: fmt.Sprint("tag ", point), Site: site, Tier: "standard", Partition: partition, PointType: "Float64", EventsPerHour: -1}
}

func pinOf(point int64, partition int, at instant.Ticks) engine.Pin {
	return engine.Pin{Key: engine.Key{Site: site, PointID: point}, WebID: web(point), Name: fmt.Sprint("tag ", point), Partition: partition, At: at}
}

func web(point int64) string { return fmt.Sprint("W", point) }

// assign makes a change at a new instant, behind fences, as discover does.
func (f *fixture) assign(c engine.Change, fences ...int) {
	f.at += instant.Second
	for _, p := range fences {
		require.NoError(f.t, f.e.Fence(f.ctx, p, f.run()))
	}
	_, seen, err := f.e.Owners(f.ctx, 0)
	require.NoError(f.t, err)
	c.At, c.Seen = f.at, seen
	require.NoError(f.t, f.e.Assign(f.ctx, c))
}

func (f *fixture) run() engine.Run {
	return engine.Run{ID: "run-" + f.at.String(), Site: site, Tier: "standard", Assigned: f.at}
}

func (f *fixture) open(partition int, run engine.Run) engine.State {
	st, err := f.e.Open(f.ctx, partition, run)
	require.NoError(f.t, err)
	return st
}

// stage reads one event each second up to until, and makes the folder whole.
func (f *fixture) stage(partition int, run engine.Run, st engine.State, until instant.Ticks) stage.Folder {
	h := batch.Header{Pipeline: pipelineOf(f.e), Epoch: st.Epoch, RunID: run.ID, Attempt: 1, Tier: "standard", Site: site, Partition: partition,
		Number: st.Last + 1, ID: batch.NewID(), Status: batch.Succeeded}
	folder, release := f.e.Folder(partition, h.Number, h.ID)
	defer release()
	require.NoError(f.t, folder.Create())
	labels := stage.Labels{Site: site, Pipeline: h.Pipeline, BatchID: h.ID}
	var b columns.Batch
	for i, r := range batch.Ranges(st.Tags, until, 0) {
		t := st.Tags[r.Tag]
		labels.WebID, labels.Name, labels.Units = append(labels.WebID, t.WebID), append(labels.Name, t.Name), append(labels.Units, "")
		for at := r.After - r.After%instant.Second + instant.Second; at <= r.Until; at += instant.Second {
			b.Append(int32(i), int64(at), 1, 0, 0, columns.HasValue|columns.Good)
			h.Events++
		}
		h.Outcomes = append(h.Outcomes, batch.Outcome{PointID: t.PointID, WebID: t.WebID, Name: t.Name, From: r.After, To: r.Until})
	}
	w, err := folder.CreateWriter(0, labels)
	require.NoError(f.t, err)
	require.NoError(f.t, w.Write(&b))
	require.NoError(f.t, w.Close())
	require.NoError(f.t, folder.Seal(&h))
	return folder
}

func pipelineOf(e engine.Engine) string { return e.(interface{ Pipeline() string }).Pipeline() }

func (f *fixture) publish(folder stage.Folder, want engine.Verdict) {
	v, err := f.e.Publish(f.ctx, folder)
	require.NoError(f.t, err)
	require.Equal(f.t, want, v)
	require.NoDirExists(f.t, folder.Dir, "a folder goes when its number is decided")
}

// land does a whole extraction of a partition.
func (f *fixture) land(partition int, until instant.Ticks) {
	run := f.run()
	require.NoError(f.t, f.e.Recover(f.ctx, partition))
	st := f.open(partition, run)
	f.publish(f.stage(partition, run, st, until), engine.Applied)
}

// expect says that bronze has each second in (pin, until] of each point exactly once.
func (f *fixture) expect(until map[int64]instant.Ticks) {
	f.t.Helper()
	var want []string
	for point, end := range until {
		for at := pin + instant.Second; at <= end; at += instant.Second {
			want = append(want, fmt.Sprintf("%s@%d", web(point), at))
		}
	}
	slices.Sort(want)
	require.Equal(f.t, want, f.s.Events(f.t))
}

const second = instant.Second

// Run runs the suite; open gives a new, empty lake each time.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	cases := map[string]func(*fixture){
		"a batch lands once and moves the watermarks":                landing,
		"a second attempt with the same number loses":                twoAttempts,
		"an attempt of an older run is a zombie behind a fence":      zombie,
		"a zombie that was staged before the fence loses its number": zombieStaged,
		"fences survive batches and compaction":                      fenceSurvives,
		"recover publishes a whole folder whose number is free":      recoverWhole,
		"recover drops a torn folder and one whose number is taken":  recoverTorn,
		"recover of an applied batch changes nothing":                recoverApplied,
		"a moved tag goes on where it was":                           moved,
		"of two pins the earlier wins, and no pin beats a watermark": pins,
		"compaction keeps every watermark and number":                compaction,
		"a batch without events moves the watermarks":                emptyBatch,
		"history of ownership is never re-attributed":                history,
		"a run's record stays as it was first written":               runsOnce,
		"lost checkpoints stop the claim":                            lostCheckpoints,
		"two pipelines in one lake do not see each other":            twoPipelines,
		"a failed tag keeps its watermark, its neighbours go on":     failedTag,
		"landed events are counted by range":                         landedBy,
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) { f(setup(t, open(t), "p")) })
	}
}

func landing(f *fixture) {
	f.land(0, pin+10*second)
	f.expect(map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second})
	require.Equal(f.t, pin+10*second, f.s.Watermark(f.t, "p", 1))
	require.Equal(f.t, pin, f.s.Watermark(f.t, "p", 3))
	f.land(0, pin+15*second)
	f.land(1, pin+12*second)
	f.expect(map[int64]instant.Ticks{1: pin + 15*second, 2: pin + 15*second, 3: pin + 12*second})
	require.EqualValues(f.t, 2, f.open(0, f.run()).Last)
}

func twoAttempts(f *fixture) {
	run := f.run()
	st := f.open(0, run)
	first, second2 := f.stage(0, run, st, pin+10*second), f.stage(0, run, st, pin+20*second)
	f.publish(second2, engine.Applied)
	f.publish(first, engine.Lost)
	f.expect(map[int64]instant.Ticks{1: pin + 20*second, 2: pin + 20*second})
}

func zombie(f *fixture) {
	old := f.run()
	f.assign(engine.Change{Close: []engine.Key{{Site: site, PointID: 2}}, Open: []engine.Owner{owner(2, 1)}}, 0)
	_, err := f.e.Open(f.ctx, 0, old)
	require.ErrorIs(f.t, err, engine.ErrZombie)
	f.land(0, pin+5*second)
	f.land(1, pin+5*second)
	f.expect(map[int64]instant.Ticks{1: pin + 5*second, 2: pin + 5*second, 3: pin + 5*second})
}

func zombieStaged(f *fixture) {
	old := f.run()
	folder := f.stage(0, old, f.open(0, old), pin+10*second)
	f.assign(engine.Change{Close: []engine.Key{{Site: site, PointID: 2}}, Open: []engine.Owner{owner(2, 1)}}, 0)
	f.land(1, pin+20*second)
	f.publish(folder, engine.Lost)
	f.land(0, pin+20*second)
	f.expect(map[int64]instant.Ticks{1: pin + 20*second, 2: pin + 20*second, 3: pin + 20*second})
}

func fenceSurvives(f *fixture) {
	old := f.run()
	f.assign(engine.Change{Close: []engine.Key{{Site: site, PointID: 2}}, Open: []engine.Owner{owner(2, 1)}}, 0)
	f.land(0, pin+5*second)
	f.land(0, pin+6*second)
	require.NoError(f.t, f.e.Compact(f.ctx))
	f.s.Reopen(f.t)
	f.e = f.s.Engine("p")
	_, err := f.e.Open(f.ctx, 0, old)
	require.ErrorIs(f.t, err, engine.ErrZombie)
}

func recoverWhole(f *fixture) {
	run := f.run()
	folder := f.stage(0, run, f.open(0, run), pin+10*second)
	f.s.Reopen(f.t)
	f.e = f.s.Engine("p")
	parts, err := f.e.Partitions(f.ctx)
	require.NoError(f.t, err)
	require.Equal(f.t, []int{0, 1}, parts)
	require.NoError(f.t, f.e.Recover(f.ctx, 0))
	require.NoDirExists(f.t, folder.Dir)
	require.NoError(f.t, f.e.Recover(f.ctx, 0))
	f.expect(map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second})
}

func recoverTorn(f *fixture) {
	run := f.run()
	st := f.open(0, run)
	torn, release := f.e.Folder(0, 1, "torn")
	require.NoError(f.t, torn.Create())
	taken := f.stage(0, run, st, pin+3*second)
	require.NoError(f.t, f.e.Recover(f.ctx, 0))
	require.DirExists(f.t, torn.Dir, "its writer is alive")
	release()
	require.NoError(f.t, f.e.Recover(f.ctx, 0))
	require.NoDirExists(f.t, torn.Dir)
	require.NoDirExists(f.t, taken.Dir)
	f.expect(map[int64]instant.Ticks{1: pin + 3*second, 2: pin + 3*second})
}

func recoverApplied(f *fixture) {
	run := f.run()
	folder := f.stage(0, run, f.open(0, run), pin+10*second)
	h, _, err := folder.Header()
	require.NoError(f.t, err)
	f.publish(folder, engine.Applied)
	// A crash after the commit and before the folder went: it is still there.
	require.NoError(f.t, folder.Create())
	require.NoError(f.t, folder.Seal(&h))
	require.NoError(f.t, f.e.Recover(f.ctx, 0))
	require.NoDirExists(f.t, folder.Dir)
	f.expect(map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second})
	require.EqualValues(f.t, 1, f.open(0, f.run()).Last)
}

func moved(f *fixture) {
	f.land(0, pin+10*second)
	f.assign(engine.Change{Close: []engine.Key{{Site: site, PointID: 2}}, Open: []engine.Owner{owner(2, 7)}}, 0)
	f.land(7, pin+20*second)
	f.land(0, pin+20*second)
	f.assign(engine.Change{Close: []engine.Key{{Site: site, PointID: 2}}, Open: []engine.Owner{owner(2, 0)}}, 7)
	f.land(0, pin+30*second)
	f.expect(map[int64]instant.Ticks{1: pin + 30*second, 2: pin + 30*second})
}

func pins(f *fixture) {
	f.assign(engine.Change{Pins: []engine.Pin{pinOf(1, 0, pin+50*second)}})
	require.Equal(f.t, pin, f.open(0, f.run()).Tags[0].Watermark)
	f.assign(engine.Change{Pins: []engine.Pin{pinOf(3, 1, pin-7*second)}})
	require.Equal(f.t, pin-7*second, f.open(1, f.run()).Tags[0].Watermark)
	f.land(0, pin+4*second)
	f.assign(engine.Change{Pins: []engine.Pin{pinOf(1, 0, pin-50*second), pinOf(1, 0, pin+50*second)}})
	require.Equal(f.t, pin+4*second, f.open(0, f.run()).Tags[0].Watermark)
	require.NoError(f.t, f.e.Compact(f.ctx))
	require.Equal(f.t, pin+4*second, f.open(0, f.run()).Tags[0].Watermark)
	require.Equal(f.t, pin-7*second, f.open(1, f.run()).Tags[0].Watermark)
}

func compaction(f *fixture) {
	for i := range 4 {
		f.land(0, pin+instant.Ticks(i+1)*second)
	}
	before := f.open(0, f.run())
	require.NoError(f.t, f.e.Compact(f.ctx))
	require.NoError(f.t, f.e.Compact(f.ctx))
	require.NoError(f.t, f.e.Optimize(f.ctx))
	require.Equal(f.t, before, f.open(0, f.run()))
	require.Equal(f.t, 4, f.s.Count(f.t, "checkpoints.tag_watermarks"), "three tags and one partition's own row")
	f.land(0, pin+9*second)
	f.expect(map[int64]instant.Ticks{1: pin + 9*second, 2: pin + 9*second})
}

func emptyBatch(f *fixture) {
	f.land(0, pin+second/2)
	require.Equal(f.t, pin+second/2, f.s.Watermark(f.t, "p", 1))
	f.land(0, pin+3*second)
	f.expect(map[int64]instant.Ticks{1: pin + 3*second, 2: pin + 3*second})
}

func history(f *fixture) {
	then := f.at
	f.assign(engine.Change{Close: []engine.Key{{Site: site, PointID: 2}}, Open: []engine.Owner{owner(2, 1)}}, 0)
	at := func(when instant.Ticks) map[int64]int {
		owners, _, err := f.e.Owners(f.ctx, when)
		require.NoError(f.t, err)
		out := map[int64]int{}
		for _, o := range owners {
			out[o.PointID] = o.Partition
		}
		return out
	}
	require.Equal(f.t, map[int64]int{1: 0, 2: 0, 3: 1}, at(then))
	require.Equal(f.t, map[int64]int{1: 0, 2: 1, 3: 1}, at(f.at))
	require.Equal(f.t, at(f.at), at(0))
}

func runsOnce(f *fixture) {
	r := engine.Run{ID: "7", Site: site, Tier: "standard", Until: 5, Assigned: 50, LastPointID: 3, PlanID: "x"}
	require.NoError(f.t, f.e.RecordRuns(f.ctx, []engine.Run{r}))
	again := r
	again.Until, again.Assigned = 6, 60
	require.NoError(f.t, f.e.RecordRuns(f.ctx, []engine.Run{again}))
	got, err := f.e.Runs(f.ctx, "7")
	require.NoError(f.t, err)
	require.Equal(f.t, []engine.Run{r}, got)
	later := r
	later.ID, later.Assigned = "8", 70
	require.NoError(f.t, f.e.RecordRuns(f.ctx, []engine.Run{later}))
	got, err = f.e.Runs(f.ctx, "")
	require.NoError(f.t, err)
	require.Equal(f.t, []engine.Run{later}, got)
}

func lostCheckpoints(f *fixture) {
	f.land(0, pin+second)
	require.NoError(f.t, f.e.Claim(f.ctx))
	f.s.DropCheckpoints(f.t)
	var lost *engine.LostCheckpoints
	require.ErrorAs(f.t, f.e.Claim(f.ctx), &lost)
	require.EqualValues(f.t, 2, lost.Rows)
}

func twoPipelines(f *fixture) {
	f.land(0, pin+2*second)
	other := f.s.Engine("q")
	require.NoError(f.t, other.Claim(f.ctx))
	owners, _, err := other.Owners(f.ctx, 0)
	require.NoError(f.t, err)
	require.Empty(f.t, owners)
	g := *f
	g.e = other
	g.assign(engine.Change{Open: []engine.Owner{owner(9, 0)}, Pins: []engine.Pin{pinOf(9, 0, pin)}})
	g.land(0, pin+2*second)
	f.expect(map[int64]instant.Ticks{1: pin + 2*second, 2: pin + 2*second, 9: pin + 2*second})
	require.NoError(f.t, other.Compact(f.ctx))
	require.EqualValues(f.t, 1, f.open(0, f.run()).Last)
	require.Len(f.t, f.open(0, f.run()).Tags, 2)
}

func failedTag(f *fixture) {
	run := f.run()
	st := f.open(0, run)
	folder, release := f.e.Folder(0, 1, "b1")
	require.NoError(f.t, folder.Create())
	h := batch.Header{Pipeline: "p", Epoch: st.Epoch, RunID: run.ID, Attempt: 1, Tier: "standard", Site: site, Partition: 0, Number: 1, ID: "b1", Status: batch.Partial,
		Outcomes: []batch.Outcome{{PointID: 1, WebID: web(1), Name: "tag 1", From: pin, To: pin + second}, {PointID: 2, WebID: web(2), Name: "tag 2", From: pin, To: pin, Error: "no read access"}}}
	require.NoError(f.t, folder.Seal(&h))
	release()
	f.publish(folder, engine.Applied)
	require.Equal(f.t, pin+second, f.s.Watermark(f.t, "p", 1))
	require.Equal(f.t, pin, f.s.Watermark(f.t, "p", 2))
	require.Equal(f.t, 1, f.s.Count(f.t, "monitoring.tag_errors"))
	last, err := f.e.LastAttempts(f.ctx, run.ID)
	require.NoError(f.t, err)
	require.Equal(f.t, map[int]string{0: batch.Partial}, last)
}

func landedBy(f *fixture) {
	f.land(0, pin+3*second)
	f.at += second
	run := f.run()
	f.land(0, pin+10*second)
	require.NoError(f.t, f.e.Compact(f.ctx))
	landed, err := f.e.LandedBy(f.ctx, run.ID, 0)
	require.NoError(f.t, err)
	require.Len(f.t, landed, 2)
	require.Equal(f.t, pin+3*second, landed[0].From)
	require.Equal(f.t, pin+10*second, landed[0].To)
	counts, err := f.e.CountLanded(f.ctx, landed)
	require.NoError(f.t, err)
	require.Equal(f.t, []int64{7, 7}, counts)
	landed, err = f.e.LandedBy(f.ctx, run.ID, 1)
	require.NoError(f.t, err)
	require.Empty(f.t, landed)
}
