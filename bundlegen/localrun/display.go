package localrun

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"

	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// display shows a run as it goes. Its methods are called from several goroutines.
type display interface {
	started(t *scheduled)
	progress(t *scheduled, p task.Progress)
	ended(t *scheduled, s State)
	close()
}

// plain writes a line when a task starts and when it ends: for logs and pipes.
type plain struct {
	mu    sync.Mutex
	w     io.Writer
	begun time.Time
}

func newPlain(w io.Writer) *plain { return &plain{w: w, begun: time.Now()} }

func (p *plain) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%7.1fs  %s\n", time.Since(p.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (p *plain) started(t *scheduled)               { p.line("%s started", t.spec.Key) }
func (p *plain) progress(*scheduled, task.Progress) {}
func (p *plain) close()                             {}

func (p *plain) ended(t *scheduled, s State) {
	what := s.String()
	if t.spec.params.Task == manifest.TaskExtract {
		what += fmt.Sprintf(": %s events of %s tags", thousands(t.result.Events), thousands(int64(t.result.Tags)))
	}
	if t.attempts > 1 {
		what += fmt.Sprintf(" after %d attempts", t.attempts)
	}
	p.line("%s %s in %.1f s", t.spec.Key, what, t.seconds)
}

// bars shows one bar for each extraction that runs, and one for all of them.
type bars struct {
	mu    sync.Mutex
	pool  *pb.Pool
	all   *pb.ProgressBar
	byTag map[*scheduled]*pb.ProgressBar
	done  map[*scheduled]int
	tags  map[*scheduled]int
	count map[*scheduled]int64
}

const barTemplate = `{{string . "name" | printf "%-10s"}} {{bar . "▕" "█" "▌" " " "▏"}} {{percent . "%3.0f%%" "    "}} {{string . "events" | printf "%24s"}}`

// newBars makes the bars of a run; w is a terminal.
func newBars(w io.Writer, extractions []*scheduled, most int) (*bars, error) {
	b := &bars{byTag: map[*scheduled]*pb.ProgressBar{}, done: map[*scheduled]int{}, tags: map[*scheduled]int{}, count: map[*scheduled]int64{}}
	b.pool = pb.NewPool()
	b.pool.Output = w
	if len(extractions) <= most {
		for _, t := range extractions {
			b.byTag[t] = newBar(fmt.Sprintf("%04d", t.spec.params.Partition))
			b.pool.Add(b.byTag[t])
		}
	}
	b.all = newBar("all")
	b.pool.Add(b.all)
	return b, b.pool.Start()
}

func newBar(name string) *pb.ProgressBar {
	bar := pb.ProgressBarTemplate(barTemplate).New(0)
	bar.Set("name", name).Set("events", "").SetMaxWidth(78)
	return bar
}

// started names a task that has no bar of its own in the bar of all.
func (b *bars) started(t *scheduled) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.spec.params.Task != manifest.TaskExtract {
		b.all.Set("events", t.spec.Key)
	}
}

func (b *bars) progress(t *scheduled, p task.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tags[t], b.done[t], b.count[t] = p.Tags, p.Done, p.Events
	if bar := b.byTag[t]; bar != nil {
		show(bar, p.Done, p.Tags, p.Events)
	}
	var all task.Progress
	for t := range b.tags {
		all.Tags, all.Done, all.Events = all.Tags+b.tags[t], all.Done+b.done[t], all.Events+b.count[t]
	}
	show(b.all, all.Done, all.Tags, all.Events)
}

func show(bar *pb.ProgressBar, done, tags int, events int64) {
	bar.SetTotal(int64(tags)).SetCurrent(int64(done)).Set("events", thousands(events)+" events")
}

func (b *bars) ended(t *scheduled, s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bar := b.byTag[t]; bar != nil {
		bar.Set("events", thousands(t.result.Events)+" events "+s.String())
		bar.Finish()
	}
}

func (b *bars) close() {
	b.all.Finish()
	_ = b.pool.Stop() // it only restores the terminal; there is nothing to do if it cannot
}
