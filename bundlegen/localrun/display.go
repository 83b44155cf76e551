package localrun

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// display shows the progress of a run: a line for each event and, on a terminal,
// progress bars below them, redrawn several times a second. Without a terminal it
// prints a line of progress now and then. What is written to it appears above the
// bars. It is safe for concurrent use.
type display struct {
	w        io.Writer
	terminal bool
	size     func() (width, height int)

	mu      sync.Mutex
	begun   time.Time
	spoken  time.Time // when the last line was written
	drawn   int       // lines of bars on the terminal
	tasks   []*scheduled
	shown   map[*scheduled]*shown
	notices piwebapi.Notices
	reasons []string       // why tasks failed, each shown once
	latest  piwebapi.Retry // the last one: Wait may not be over yet
	due     time.Time      // when it is over

	stop  chan struct{}
	ended chan struct{}
}

// shown is the progress of a task.
type shown struct {
	state    State
	progress task.Progress
	landed   int64 // by earlier attempts
	whole    float64
}

const (
	widest     = 79 // columns: a terminal of 80 does not wrap then
	redraw     = 200 * time.Millisecond
	silence    = 10 * time.Second // after which a line of progress is printed
	mostBars   = 16
	otherLines = 4 // of a terminal, left free by the bars
)

func newDisplay(w io.Writer, terminal bool, size func() (width, height int)) *display {
	if size == nil {
		size = func() (int, int) { return 80, 24 }
	}
	d := &display{w: w, terminal: terminal, size: size, begun: time.Now(), spoken: time.Now(), shown: map[*scheduled]*shown{},
		stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer crash.Exit()
		d.tick()
	}()
	return d
}

// close removes the bars.
func (d *display) close() {
	close(d.stop)
	<-d.ended
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wipe()
}

func (d *display) tick() {
	defer close(d.ended)
	every := time.Second
	if d.terminal {
		every = redraw
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-d.stop:
			return
		case now := <-ticker.C:
			d.mu.Lock()
			switch {
			case len(d.tasks) == 0:
			case d.terminal:
				d.wipe()
				d.draw(now)
			case now.Sub(d.spoken) >= silence-time.Second/2: // a tick is not exact
				d.line("%s", d.status(now))
			}
			d.mu.Unlock()
		}
	}
}

// begin shows the tasks of a job from now on; none at its end.
func (d *display) begin(tasks []*scheduled) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wipe()
	d.tasks = tasks
	clear(d.shown)
	for _, t := range tasks {
		d.shown[t] = &shown{}
	}
}

// Write implements io.Writer: what is written appears above the bars.
func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wipe()
	d.spoken = time.Now()
	return d.w.Write(p)
}

// line prints a line with the time since the run began.
func (d *display) line(format string, args ...any) {
	d.wipe()
	d.spoken = time.Now()
	fmt.Fprintln(d.w, d.fit(fmt.Sprintf("%7.1fs  ", time.Since(d.begun).Seconds())+text.Line(fmt.Sprintf(format, args...))))
}

// fit cuts a line so that it does not wrap.
func (d *display) fit(line string) string {
	width := widest
	if d.terminal {
		columns, _ := d.size()
		width = max(1, min(width, columns-1))
	}
	return text.Fit(line, width)
}

func (d *display) started(t *scheduled) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown[t].state = Running
	d.line("%s started", t.spec.Key)
}

func (d *display) progress(t *scheduled, p task.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.shown[t]
	if s == nil {
		return // of a job that has ended
	}
	s.progress = p
	if p.Through != 0 {
		s.whole = p.Whole // each loop by itself
	} else {
		s.whole = max(s.whole, p.Whole) // a further attempt has less to read
	}
}

// retrying shows that a task is tried again.
func (d *display) retrying(t *scheduled, reason string, attempt int, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.shown[t]
	s.landed += s.progress.Landed
	s.progress = task.Progress{Step: "waiting", Whole: s.progress.Whole, Left: s.progress.Left, Through: s.progress.Through}
	what := fmt.Sprintf("%s failed, attempt %d", t.spec.Key, attempt)
	if t.spec.MaxRetries >= 0 {
		what += fmt.Sprintf(" of %d", t.spec.MaxRetries+1)
	}
	if wait > 0 {
		what += fmt.Sprintf(" in %.1f s", wait.Seconds())
	}
	d.line("%s", what)
	reason, _, _ = strings.Cut(strings.TrimPrefix(reason, task.ErrFailed.Error()+": "), "\n")
	if !slices.Contains(d.reasons, reason) {
		d.reasons = append(d.reasons, reason)
		fmt.Fprintln(d.w, d.fit("          "+text.Line(reason)))
	}
}

// retry shows that a request is sent again.
func (d *display) retry(r piwebapi.Retry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.latest = r; r.State != "" {
		d.due = time.Now().Add(r.Wait)
	}
	if said := d.notices.Line(r); said != "" {
		d.line("%s", said)
	}
}

func (d *display) end(t *scheduled, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown[t].state = s
	what := fmt.Sprintf("%s %s in %.1f s", t.spec.Key, s, t.seconds)
	if t.spec.params.Task == manifest.TaskExtract {
		what += ", " + events(t.result.Events)
	}
	d.line("%s", what)
}

func events(n int64) string { return words.Plural(int(n), "event") }

// wipe removes the bars from the terminal.
func (d *display) wipe() {
	if d.drawn > 0 {
		fmt.Fprintf(d.w, "\x1b[%dA\r\x1b[J", d.drawn)
		d.drawn = 0
	}
}

// draw draws the bars.
func (d *display) draw(now time.Time) {
	lines := d.area(now)
	d.drawn = len(lines)
	fmt.Fprint(d.w, strings.Join(lines, "\n")+"\n")
}

// area returns the lines below all others: a bar for each extraction, or for each
// running one if there is no room for all, one for the total, and what runs.
func (d *display) area(now time.Time) []string {
	_, height := d.size()
	most := min(mostBars, height-otherLines)
	var bars, active []*scheduled
	for _, t := range d.tasks {
		if t.spec.params.Task == manifest.TaskExtract {
			bars = append(bars, t)
			if d.shown[t].state == Running {
				active = append(active, t)
			}
		}
	}
	if len(bars) > most {
		bars = active
	}
	var lines []string
	for _, t := range bars[:max(0, min(len(bars), most))] {
		lines = append(lines, d.fit(d.bar(t, now)))
	}
	share, read := d.all()
	all := bar("all", share, events(read), "")
	if behind := d.behind(); behind != nil {
		all = "all   " + loopStanding(*behind, now) + ", " + events(read)
	}
	lines = append(lines, d.fit(all))
	return append(lines, d.fit(fmt.Sprintf("%7.1fs  ", now.Sub(d.begun).Seconds())+text.Line(d.underWay(now))))
}

// bar returns the bar of an extraction, or a line of progress for a loop.
func (d *display) bar(t *scheduled, now time.Time) string {
	s := d.shown[t]
	name := fmt.Sprintf("%04d %s", t.spec.params.Partition, text.Line(t.spec.params.Site))
	if s.progress.Through != 0 {
		return name + "  " + loopStanding(s.progress, now) + ", " + events(s.landed+s.progress.Events)
	}
	step := s.progress.Step
	if s.state != Running {
		step = s.state.String()
	}
	return bar(name, s.share(), events(s.landed+s.progress.Events), step)
}

// loopStanding returns how current a continuous extraction is.
func loopStanding(p task.Progress, now time.Time) string {
	at := p.Through.Time()
	what := fmt.Sprintf("landed up to %s, %s behind", at.Format("15:04:05Z"), words.Span(max(0, now.Sub(at).Seconds())))
	if p.Next.After(now) {
		what += ", next in " + words.Span(p.Next.Sub(now).Seconds())
	}
	return what
}

// share returns the part of a task that is read, 0 to 1.
func (s *shown) share() float64 {
	switch {
	case s.whole > 0:
		return 1 - min(1, s.progress.Left/s.whole)
	case s.state == Succeeded || s.state == Partial:
		return 1 // there was nothing to read
	}
	return 0
}

// all returns the part of the job that is read, 0 to 1, and the events so far. An
// extraction whose size is not known yet counts as the mean of the others.
func (d *display) all() (share float64, read int64) {
	var whole, left float64
	known, unknown := 0, 0
	for _, t := range d.tasks {
		if t.spec.params.Task != manifest.TaskExtract {
			continue
		}
		s := d.shown[t]
		read += s.landed + s.progress.Events
		switch {
		case s.whole > 0:
			known, whole, left = known+1, whole+s.whole, left+min(s.whole, s.progress.Left)
		case !s.state.ended() && s.progress.Tags == 0:
			unknown++
		}
	}
	if known == 0 {
		if unknown == 0 {
			return 1, read
		}
		return 0, read
	}
	mean := whole / float64(known) * float64(unknown)
	return 1 - (left+mean)/(whole+mean), read
}

const barTemplate = `{{string . "name"}} {{bar . "▕" "█" "▌" " " "▏"}} {{string . "share"}} {{string . "events"}}`

// bar returns one line: a name, a bar, its share in percent, how many events, and a step.
func bar(name string, share float64, events, step string) string {
	const cells = 1000
	b := pb.ProgressBarTemplate(barTemplate).New(cells)
	b.Set("name", text.Left(text.Fit(name, 15), 15))
	b.Set("share", percent(share)).Set("events", text.Right(events, 18)+"  "+text.Left(text.Fit(step, 9), 9))
	return strings.TrimRight(b.SetCurrent(int64(share*cells)).SetWidth(widest).String(), " ")
}

// percent is 100 only if all is done.
func percent(share float64) string {
	n := int(share * 100)
	if share < 1 {
		n = min(n, 99)
	}
	return fmt.Sprintf("%3d%%", n)
}

// status returns the line of progress for where there are no bars.
func (d *display) status(now time.Time) string {
	share, read := d.all()
	switch behind := d.behind(); {
	case behind != nil:
		return loopStanding(*behind, now) + ", " + cmp.Or(d.waits(now), events(read))
	case (read > 0 || share > 0) && d.extracting():
		return strings.TrimSpace(percent(share)) + " read, " + events(read) + "; " + d.underWay(now)
	default:
		return d.underWay(now)
	}
}

// extracting reports whether an extraction has not ended yet.
func (d *display) extracting() bool {
	return slices.ContainsFunc(d.tasks, func(t *scheduled) bool {
		return t.spec.params.Task == manifest.TaskExtract && !d.shown[t].state.ended()
	})
}

// behind returns the loop that is farthest behind; nil where none has landed yet.
func (d *display) behind() *task.Progress {
	var behind *task.Progress
	for _, s := range d.shown {
		if p := &s.progress; p.Through != 0 && (behind == nil || p.Through < behind.Through) {
			behind = p
		}
	}
	return behind
}

// waits names the sites that do not answer; "" if all do.
func (d *display) waits(now time.Time) string {
	troubled := d.notices.Troubled()
	if len(troubled) == 0 {
		return ""
	}
	what := "waiting for " + words.List(troubled, 2)
	if d.due.After(now) {
		what += fmt.Sprintf(", next in %.0f s", d.due.Sub(now).Seconds())
	}
	return what
}

// underWay returns what runs, by step, or the sites that everything waits for.
func (d *display) underWay(now time.Time) string {
	var what, steps []string
	reading := map[string]int{} // extractions, by their step
	for _, t := range d.tasks {
		s := d.shown[t]
		switch {
		case s.state != Running:
		case t.spec.params.Task == manifest.TaskExtract:
			step := cmp.Or(s.progress.Step, "opening")
			if reading[step]++; reading[step] == 1 {
				steps = append(steps, step)
			}
		case s.progress.Step != "":
			what = append(what, t.spec.Key+": "+s.progress.Step)
		default:
			what = append(what, t.spec.Key)
		}
	}
	for _, step := range steps {
		what = append(what, words.Plural(reading[step], "partition")+" "+step)
	}
	if waits := d.waits(now); waits != "" {
		return waits // there is no room for both, and this is what a person wants to know
	}
	if len(what) == 0 {
		return "ending"
	}
	return strings.Join(what, ", ")
}

// lines is a slog.Handler for a person who waits: a line for each message, without
// time and level.
type lines struct {
	w     io.Writer
	least slog.Level
	over  func() error // messages are dropped once it returns an error: the run was cancelled; may be nil
}

func (l lines) Enabled(_ context.Context, level slog.Level) bool {
	return level >= l.least && (l.over == nil || l.over() == nil)
}

func (l lines) Handle(_ context.Context, r slog.Record) error {
	var with []string
	r.Attrs(func(a slog.Attr) bool {
		value, _, _ := strings.Cut(a.Value.String(), "\n") // an error's hint stands at the run's end
		with = append(with, a.Key+" "+value)
		return true
	})
	line := r.Message
	if len(with) > 0 {
		line += " (" + strings.Join(with, ", ") + ")"
	}
	_, err := fmt.Fprintln(l.w, text.Lines(line))
	return err
}

func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }
