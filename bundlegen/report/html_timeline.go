package report

import (
	"fmt"
	"math"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
)

// pageTimeline is one run: what runs when, against the cadence.
type pageTimeline struct {
	Title   string
	Legend  []string
	Rows    []pageRow
	Ticks   []pageTick
	Due     []float64 // where the next starts are due, in percent
	Caption string
}

// pageRow is what runs on one cluster, or one partition's task.
type pageRow struct {
	Skipped    string // words for partitions that are not shown
	Key, Label string
	Spans      []pageSpan
	Lasts      string
}

// pageSpan is a phase; Left and Width are in percent.
type pageSpan struct {
	Kind, Text           string
	Seconds, Left, Width float64
}

type pageTick struct {
	Left float64
	Text string
}

// span is a phase in seconds.
type span struct {
	kind           string
	start, lasting float64
}

// lanes returns what runs when: the row of the cluster or tasks around the
// extraction, and when the partitions' own rows begin. With clusters of their
// own, or without any, the extraction tasks start theirs after discovery: the
// start-up is two in series (see forecast). A continuous tier has but its loops.
func lanes(t *plan.Tier) (around []span, own float64, startup float64) {
	f, at := t.Forecast, 0.0
	add := func(kind string, seconds float64) {
		around = append(around, span{kind, at, seconds})
		at += seconds
	}
	startup = f.StartupSeconds
	if t.Compute.Kind != plan.ComputeSingle {
		startup /= 2
	}
	if t.Continuous {
		return nil, 0, 0 // its clusters are up, and its job has no other tasks
	}
	add(phaseStartup, startup)
	add(phaseDiscover, f.DiscoverSeconds)
	own = at
	if t.Compute.Kind == plan.ComputeSingle {
		add(phaseExtract, f.ExtractSeconds)
		startup = 0
	} else {
		at += startup + f.ExtractSeconds
	}
	add(phaseConsolidate, f.ConsolidateSeconds)
	add(phaseValidate, f.ValidateSeconds)
	return around, own, startup
}

// mostDue is how many due starts a timeline marks: it is full of them beyond.
const mostDue = 24

func timeline(t *plan.Tier, parts []*plan.Partition) *pageTimeline {
	f, interval := t.Forecast, t.Cadence.Seconds()
	around, own, startup := lanes(t)
	end := f.TotalSeconds
	for _, p := range parts {
		end = max(end, own+startup+p.Seconds)
	}
	if interval <= 3*f.TotalSeconds {
		end = max(end, interval)
	}
	whole := end * 1.02 // so that the last line does not fall on the edge
	view := &pageTimeline{Title: "One run, as a timeline", Legend: phases, Caption: words.Span(f.TotalSeconds) + " in all: " +
		spare(f.TotalSeconds, interval) + "."}
	if t.Continuous {
		view.Title, view.Legend = "One loop, as a timeline", []string{phaseExtract}
	} else {
		view.Rows = append(view.Rows, pageRow{Key: "run", Label: kindOf(t.Compute.Kind).lane, Spans: spans(around, whole),
			Lasts: words.Span(f.TotalSeconds)})
	}
	for _, r := range rows(parts, timelineRoom) {
		if r.part == nil {
			view.Rows = append(view.Rows, pageRow{Skipped: r.skipped})
			continue
		}
		p := r.part
		list := []span{{phaseExtract, own + startup, p.Seconds}}
		if startup > 0 {
			list = append([]span{{phaseStartup, own, startup}}, list...)
		}
		view.Rows = append(view.Rows, pageRow{
			Key: id(p.ID), Label: id(p.ID), Spans: spans(list, whole), Lasts: words.Span(p.Seconds),
		})
	}
	step := tickStep(whole)
	for at := 0.0; at <= end; at += step {
		view.Ticks = append(view.Ticks, pageTick{percent(at, whole), tickText(at, step)})
	}
	if whole/interval <= mostDue {
		for at := interval; at <= end*1.0001; at += interval {
			view.Due = append(view.Due, percent(at, whole))
		}
	}
	return view
}

func spans(list []span, whole float64) []pageSpan {
	var out []pageSpan
	for _, s := range list {
		out = append(out, pageSpan{
			Kind: s.kind, Text: words.Span(s.lasting), Seconds: math.Round(100*s.lasting) / 100,
			Left: percent(s.start, whole), Width: percent(s.lasting, whole),
		})
	}
	return out
}

// steps are the distances that a clock's axis may have, in seconds.
var steps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400}

// tickStep returns the smallest step that makes at most six of a length.
func tickStep(seconds float64) float64 {
	for _, s := range steps {
		if seconds/s <= 6 {
			return s
		}
	}
	return 86400 * math.Ceil(seconds/86400/6)
}

// tickText returns an instant of an axis in the unit of its step.
func tickText(at, step float64) string {
	switch {
	case at == 0:
		return "0"
	case step >= 86400:
		return fmt.Sprintf("%g d", at/86400)
	case step >= 3600:
		return fmt.Sprintf("%g h", at/3600)
	case step >= 60:
		return fmt.Sprintf("%g min", at/60)
	}
	return fmt.Sprintf("%g s", at)
}
