package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

const (
	site   = "plant-a"
	second = instant.Second
	// pin is where the tags start. PI has an event at that very instant, which is
	// not to be read, and one about each second before and after.
	pin = 100 * second
)

// eventsOf gives the instants of the events that PI has of any tag in (from, to].
// Most are no whole microseconds.
func eventsOf(from, to instant.Ticks) (out []instant.Ticks) {
	for k := from / second; k*second <= to; k++ {
		if at := k*second + k%10; at > from && at <= to {
			out = append(out, at)
		}
	}
	return out
}

// lab is one pipeline in a lake, and what PI has for it.
type lab struct {
	testing.TB
	*lake
	ctx      context.Context
	pipeline string
	history  *history

	mu    sync.Mutex    // guards what follows, and history.headers: attempts run side by side
	clock instant.Ticks // when the assignment was last changed
	runs  int
}

// newLab gives a pipeline of its own, without tags yet.
func newLab(t testing.TB, l *lake, name string) *lab {
	return &lab{TB: t, lake: l, ctx: t.Context(), pipeline: strings.ReplaceAll(name, " ", "_") + "." + uuid.NewString()[:8], history: newHistory(), clock: 1000 * second}
}

// standard gives the pipeline three tags: 1 and 2 in partition 0, 3 in partition 1.
func (l *lab) standard() *lab {
	l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0), owner(3, 1)))
	return l
}

func (l *lab) must(err error) {
	l.Helper()
	require.NoError(l, err)
}

// engine gives the engine of a process of the pipeline.
func (l *lab) engine(runID string, attempt int, steps engine.Steps) engine.Engine {
	e := l.Engine(l, Process{Pipeline: l.pipeline, RunID: runID, Attempt: attempt, Steps: func(step string) error {
		l.steps.Add(1)
		return steps.At(step)
	}})
	l.Cleanup(func() { l.must(e.Close()) })
	return counted{e, l.cost}
}

// plain is the engine of a process that is never stopped.
func (l *lab) plain() engine.Engine { return l.engine("plain", 1, nil) }

// run gives a new run, under the assignment as it is.
func (l *lab) run(until instant.Ticks) engine.Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs++
	return engine.Run{ID: fmt.Sprint("run-", l.runs), Site: site, Tier: "standard", Until: until, Assigned: l.clock}
}

// staging is the folder of all staging folders.
func (l *lab) staging() string {
	f, release := l.plain().Folder(0, 1, "none")
	release()
	return filepath.Dir(filepath.Dir(filepath.Dir(f.Dir)))
}

// look reads everything and holds it against the promises.
func (l *lab) look() (*snapshot, error) {
	s := l.tablesOf(l, l.pipeline)
	l.must(s.foldersIn(l.staging(), l.pipeline))
	return s, l.history.observe(s)
}

// observe fails when a promise is broken at this moment.
func (l *lab) observe() *snapshot {
	l.Helper()
	s, err := l.look()
	l.must(err)
	return s
}

// expect says up to when each tag is landed: by its watermark, and by all of its
// events and no other. It holds the rest against the promises too.
func (l *lab) expect(until map[int64]instant.Ticks) {
	l.Helper()
	s := l.observe()
	l.must(l.history.landed(s, until))
}

// landed gives what is missing of tags that are landed up to an instant.
func (h *history) landed(s *snapshot, until map[int64]instant.Ticks) error {
	var wrong complaints
	have := map[int64]map[instant.Ticks]bool{}
	for _, e := range s.events {
		point := h.webs[e.web]
		if have[point] == nil {
			have[point] = map[instant.Ticks]bool{}
		}
		have[point][e.at] = true
	}
	for point, end := range until {
		if s.current[point] != end {
			wrong.add("the watermark of tag %d is %d instead of %d", point, s.current[point], end)
		}
		all := eventsOf(h.start(point), end)
		for _, at := range all {
			if !have[point][at] {
				wrong.add("the event of tag %d at %d is missing", point, at)
			}
		}
		if len(have[point]) > len(all) {
			wrong.add("tag %d has %d events instead of %d", point, len(have[point]), len(all))
		}
	}
	return wrong.err()
}

// finish lets one undisturbed run land everything up to an instant, and says
// that nothing is lost, doubled or left behind then.
func (l *lab) finish(until instant.Ticks) {
	l.Helper()
	l.must(l.undisturbed(until))
}

func (l *lab) undisturbed(until instant.Ticks) error {
	e := l.plain()
	unfinished, err := e.Unfinished(l.ctx)
	if err != nil {
		return err
	}
	owners, changed, err := e.Owners(l.ctx, 0)
	if err != nil {
		return err
	}
	run := l.run(until)
	run.Assigned = changed + 1000*second // after every fence, also of a discover that died
	want, has := map[int64]instant.Ticks{}, map[int]bool{}
	for _, o := range owners {
		want[o.PointID], has[o.Partition] = until, true
	}
	for _, p := range unfinished {
		if has[p] {
			continue
		}
		if err := e.Recover(l.ctx, p); err != nil {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(has)) {
		if err := l.attempt("end", p, run, 1, nil).once(); err != nil {
			return fmt.Errorf("the run after it, partition %d: %w", p, err)
		}
	}
	s, err := l.look()
	return cmp.Or(err, l.history.quiet(s), l.history.landed(s, want))
}

// reopen is a crash of every process.
func (l *lab) reopen() { l.Reopen(l) }

// owner is a tag of a tier's partition.
func owner(point int64, partition int) engine.Owner {
	return engine.Owner{PointID: point, WebID: fmt.Sprint("W", point), Name: fmt.Sprint("tag ", point), Site: site, Tier: "standard", Partition: partition, PointType: "Float64", EventsPerHour: -1}
}

func key(point int64) engine.Key { return engine.Key{Site: site, PointID: point} }

func pinOf(point int64, partition int, at instant.Ticks) engine.Pin {
	o := owner(point, partition)
	return engine.Pin{Key: o.Key(), WebID: o.WebID, Name: o.Name, Partition: partition, At: at}
}

// attempt is an attempt of an extract task: what extractor/task does, with PI's
// answers at hand.
type attempt struct {
	*lab
	engine.Engine
	name      string // of its batches
	partition int
	run       engine.Run
	number    int
	window    instant.Ticks // 0: no bound
	refused   map[int64]bool
	steps     engine.Steps
	crashes   bool // an error of its steps is its process's end: nothing of it is released

	batches int
	failed  map[int64]bool
	aside   engine.SetAside // what its recoveries found damaged
}

func (l *lab) attempt(name string, partition int, run engine.Run, number int, steps engine.Steps) *attempt {
	return &attempt{lab: l, Engine: l.engine(run.ID, number, steps), name: name, partition: partition, run: run, number: number, steps: steps, failed: map[int64]bool{}}
}

// taskStep marks the steps of a task, as opposed to those of its engine.
const taskStep = "task: "

// extract lands what the partition's tags have up to the run's end, as the task does.
func (a *attempt) extract() error {
	for more := true; more; {
		var err error
		if more, err = a.turn(); err != nil {
			return err
		}
	}
	return nil
}

// once lands the same where one batch is enough, without a look for more.
func (a *attempt) once() error {
	_, err := a.turn()
	return err
}

// turn lands one batch behind a recovery.
func (a *attempt) turn() (more bool, err error) {
	if err := a.Recover(a.ctx, a.partition); !a.aside.Take(err) {
		return false, fmt.Errorf("recover: %w", err)
	}
	if err := a.steps.At(taskStep + "open"); err != nil {
		return false, err
	}
	return a.batch()
}

// batch lands one batch; more is false when there was nothing to read.
func (a *attempt) batch() (more bool, err error) {
	st, err := a.Open(a.ctx, a.partition, a.run)
	if err != nil {
		return false, fmt.Errorf("open: %w", err)
	}
	folder, some, err := a.stage(st)
	if err != nil || !some {
		return false, err
	}
	if _, err := a.Publish(a.ctx, folder); err != nil {
		return false, fmt.Errorf("publish: %w", err)
	}
	return true, nil
}

// stage reads what a snapshot asks for and makes a whole folder of it; some is
// false when there was nothing to read.
func (a *attempt) stage(st engine.State) (folder stage.Folder, some bool, err error) {
	a.batches++
	h := batch.Header{Pipeline: a.pipeline, Epoch: st.Epoch, RunID: a.run.ID, Attempt: a.number, Tier: a.run.Tier, Site: site, Partition: a.partition,
		Number: st.Last + 1, ID: fmt.Sprintf("%s%d-%s", a.name, a.batches, batch.NewID()), Started: a.run.Until, Ended: a.run.Until + second, Requests: 1, Retries: 2}
	data := a.read(&h, st.Tags)
	if !slices.ContainsFunc(h.Outcomes, func(o batch.Outcome) bool { return o.To > o.From }) {
		return folder, false, nil
	}
	folder, release := a.Folder(a.partition, h.Number, h.ID)
	defer func() {
		if err == nil || !a.crashes {
			release()
		}
	}()
	if err := folder.Create(); err != nil {
		return folder, false, err
	}
	if err := data.write(folder, &h); err != nil {
		return folder, false, err
	}
	if err := a.steps.At(taskStep + "seal"); err != nil {
		return folder, false, err
	}
	a.mu.Lock()
	a.history.headers[h.ID] = h
	a.mu.Unlock()
	return folder, true, folder.Seal(&h)
}

// read fills in the outcomes, and gives the events.
func (a *attempt) read(h *batch.Header, tags []batch.Tag) *data {
	d := &data{labels: stage.Labels{Site: site, Pipeline: a.pipeline, BatchID: h.ID}}
	late := false
	for _, s := range batch.Streams(tags, a.run.Until, a.window) {
		var o batch.Outcome
		switch {
		case a.failed[s.PointID]:
			continue
		case a.refused[s.PointID]:
			a.failed[s.PointID] = true
			o = s.Outcome(s.After, 0, "no read access")
		default:
			o = s.Outcome(s.Until, d.add(&s), "")
		}
		h.Outcomes = append(h.Outcomes, o)
		h.Events += o.Events
		late = late || o.Error == "" && o.To < a.run.Until
	}
	switch {
	case late:
		h.Status = batch.CatchingUp
	case len(a.failed) > 0:
		h.Status = batch.Partial
	default:
		h.Status = batch.Succeeded
	}
	return d
}

// publish says what becomes of a folder.
func (a *attempt) publish(folder stage.Folder, want engine.Verdict) {
	a.Helper()
	verdict, err := a.Publish(a.ctx, folder)
	a.must(err)
	require.Equal(a, want, verdict, "verdict on batch %s", folder.BatchID)
	require.NoDirExists(a, folder.Dir, "a folder goes when its number is decided by another, or applied")
}

// open opens and stages, and leaves the folder there.
func (a *attempt) open() (engine.State, stage.Folder) {
	a.Helper()
	st, err := a.Open(a.ctx, a.partition, a.run)
	a.must(err)
	folder, some, err := a.stage(st)
	a.must(err)
	require.True(a, some, "there is something to read")
	return st, folder
}

// land lets an undisturbed attempt land a partition up to an instant.
func (l *lab) land(partition int, until instant.Ticks) engine.Run {
	l.Helper()
	run := l.run(until)
	l.must(l.attempt("a", partition, run, 1, nil).once())
	return run
}
