package calibration

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Result is what was measured from a history.
type Result struct {
	Calibration Calibration
	Kept        []Kept   // constants that decide forecasts and could not be measured
	Slow        []Slow   // partitions that are slow, in order of id
	Notes       []string // gaps in the history, rows of another plan
}

// Kept is a constant that stays as it was.
type Kept struct{ Name, Why string }

// Slow is a partition that takes long.
type Slow struct {
	Partition  int
	Seconds    float64 // of a run's extraction, on average
	Neighbours float64 // the median of other partitions of its tier and about its size; 0 = it has none
}

// From where on a partition is slow.
const (
	slowSeconds = 180.0
	slowFactor  = 3.0
)

// ErrNothing means that a history has nothing to measure.
var ErrNothing = errors.New("no extraction of this plan has ended with events in the history")

// Measure compares the history of a pipeline, by the name that its rows have, with
// the plan whose tasks wrote it: the plan's constants are what is not measured, so it is to be made without a calibration.
//
// The rows have when each batch began and ended, how many tags,
// events and requests it had. From this follows what a request and a tag take of the PI
// server (both where calls differ in width, else one factor for the two), the
// rate of tags, the fixed part of the other tasks, a statement's time where
// tasks have several batches, and on Databricks the start-up of clusters. How
// many calls a server works on at once, and its events a second, cannot be measured
// from slower calls: they stay. Order of the rows does not matter.
func Measure(p *plan.Plan, pipeline string, rows []Row) (*Result, error) {
	h, err := newHistory(p, pipeline, rows)
	if err != nil {
		return nil, err
	}
	m := &measurer{history: h, model: forecast.New(p.Assumed.Constants)}
	m.statement()
	m.startup()
	m.server()
	m.rates()
	m.tasks()
	for _, k := range []Kept{
		{"pi_threads", "slower calls and fewer at once look the same"},
		{"pi_values_per_second", "no run shows what the PI server gives at most"},
		{"stage_per_event", "its part of a batch is too small beside the PI server's"},
		{"append_per_event", "rows do not tell landing from reading"},
	} {
		m.keep(k.Name, k.Why)
	}
	c := Calibration{Version: Version, Pipeline: h.pipeline, Runs: len(h.runs), From: h.runs[0].began, To: h.runs[len(h.runs)-1].began,
		Constants: m.measured}
	return &Result{Calibration: c, Kept: m.kept, Slow: h.slow(), Notes: append(h.notes, h.gaps()...)}, nil
}

// history is the rows that are of a plan.
type history struct {
	plan       *plan.Plan
	pipeline   string
	partitions map[int]*plan.Partition
	runs       []*run // in order of when they began
	notes      []string
}

// run is what one run of a tier's job left.
type run struct {
	id, tier string
	began    time.Time
	batches  []Row          // of extract, with events or not, in order of partition, attempt and number
	tasks    map[string]Row // the other tasks' last attempts that succeeded
}

func newHistory(p *plan.Plan, pipeline string, rows []Row) (*history, error) {
	h := &history{plan: p, partitions: map[int]*plan.Partition{}}
	for i := range p.Partitions {
		h.partitions[p.Partitions[i].ID] = &p.Partitions[i]
	}
	rows = h.ofPipeline(pipeline, rows)
	rows = h.ofPlan(rows)
	byRun := map[string]*run{}
	extracted := false
	for _, r := range rows { // in order of their start: the first of a run is when it began
		key := r.Run + "\x00" + r.Tier
		if byRun[key] == nil {
			byRun[key] = &run{id: r.Run, tier: r.Tier, began: r.Start, tasks: map[string]Row{}}
		}
		u := byRun[key]
		switch {
		case r.Task == manifest.TaskExtract && r.Batch != "":
			u.batches, extracted = append(u.batches, r), true
		case r.Task != manifest.TaskExtract && r.Status == succeeded:
			u.tasks[r.Task] = r
		}
	}
	if !extracted {
		return nil, fmt.Errorf("%w (%s)", ErrNothing, words.Plural(len(rows), "row"))
	}
	h.runs = slices.SortedFunc(maps.Values(byRun), func(a, b *run) int {
		return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.tier, b.tier), cmp.Compare(a.id, b.id))
	})
	for _, u := range h.runs {
		slices.SortFunc(u.batches, func(a, b Row) int {
			return cmp.Or(a.Partition-b.Partition, a.Attempt-b.Attempt, cmp.Compare(a.Number, b.Number), a.Start.Compare(b.Start))
		})
	}
	return h, nil
}

// succeeded is the status of a task that did all it should.
const succeeded = "SUCCEEDED"

// ofPipeline takes the rows of a pipeline, by its NAME, or of NAME.TARGET of the
// target that has the most of them.
func (h *history) ofPipeline(pipeline string, rows []Row) []Row {
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.Pipeline]++
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		own := name == pipeline || strings.HasPrefix(name, pipeline+".")
		if own && (h.pipeline == "" || counts[name] > counts[h.pipeline]) {
			h.pipeline = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if name != h.pipeline {
			h.notes = append(h.notes, fmt.Sprintf("Left out: %s of pipeline %q.", words.Plural(counts[name], "row"), name))
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.Pipeline != h.pipeline })
}

// otherTags is by what share a partition's tags may differ from the plan's: a few come and go.
const otherTags = 0.1

// ofPlan takes the rows that the plan's tasks wrote, in an order of their own.
func (h *history) ofPlan(rows []Row) []Row {
	type owner struct {
		run       string
		partition int
	}
	tags := map[owner]int{}
	for _, r := range rows {
		tags[owner{r.Run, r.Partition}] = max(tags[owner{r.Run, r.Partition}], r.Tags+r.Failed)
	}
	other, ids := 0, map[int]bool{}
	kept := slices.DeleteFunc(rows, func(r Row) bool {
		if r.Task != manifest.TaskExtract {
			return !slices.ContainsFunc(h.plan.Tiers, func(t plan.Tier) bool { return t.Name == r.Tier })
		}
		part, ok := h.partitions[r.Partition]
		n := tags[owner{r.Run, r.Partition}]
		if r.Batch == "" || ok && part.Site == r.Site && part.Tier == r.Tier &&
			math.Abs(float64(n-part.Tags)) <= otherTags*float64(part.Tags) {
			return false
		}
		other++
		ids[r.Partition] = true
		return true
	})
	if other > 0 {
		var names []string
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			names = append(names, fmt.Sprintf("%04d", id))
		}
		h.notes = append(h.notes, fmt.Sprintf("Left out: %s of another plan (partitions that have other tags now, or are gone: %s).",
			words.Plural(other, "row"), words.List(names, 4)))
	}
	slices.SortFunc(kept, func(a, b Row) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Run, b.Run), cmp.Compare(a.Task, b.Task), a.Partition-b.Partition,
			a.Attempt-b.Attempt, cmp.Compare(a.Number, b.Number))
	})
	return kept
}

// slow finds partitions whose extractions take long, or much longer than their neighbours'.
func (h *history) slow() []Slow {
	seconds := map[int][]float64{} // by partition, of each run
	for _, u := range h.runs {
		sums := map[int]float64{}
		for _, r := range u.batches {
			sums[r.Partition] += r.seconds()
		}
		for id, s := range sums {
			seconds[id] = append(seconds[id], s)
		}
	}
	var all []Slow
	for _, id := range slices.Sorted(maps.Keys(seconds)) {
		s := Slow{Partition: id, Seconds: mean(seconds[id])}
		var others []float64
		for other, list := range seconds {
			if other != id && alike(h.partitions[other], h.partitions[id]) {
				others = append(others, mean(list))
			}
		}
		if len(others) > 0 {
			s.Neighbours = quantile(others, 0.5)
		}
		if s.Seconds > slowSeconds || s.Neighbours > 0 && s.Seconds > slowFactor*s.Neighbours {
			all = append(all, s)
		}
	}
	return all
}

// alike reports whether two partitions should take about as long.
func alike(a, b *plan.Partition) bool {
	return a.Tier == b.Tier && a.Tags <= 2*b.Tags && b.Tags <= 2*a.Tags
}

// gaps finds runs that are missing, and partitions that are missing in runs.
func (h *history) gaps() []string {
	var notes []string
	for _, tier := range h.plan.Tiers {
		runs := slices.DeleteFunc(slices.Clone(h.runs), func(u *run) bool { return u.tier != tier.Name })
		missing, at, longest := 0, 0, 0.0
		for i := 1; i < len(runs); i++ {
			between := runs[i].began.Sub(runs[i-1].began).Seconds()
			if between > 1.5*tier.Cadence.Seconds() {
				missing++
			}
			if between > longest {
				at, longest = i, between
			}
		}
		if missing > 0 {
			notes = append(notes, fmt.Sprintf("%s in the history of tier %s: a run is due every %s, and after %s there was none for %s.",
				words.Plural(missing, "gap"), tier.Name, words.Span(tier.Cadence.Seconds()), stamp(runs[at-1].began), words.Span(longest)))
		}
		lacking := 0
		for _, u := range runs {
			seen := map[int]bool{}
			for _, r := range u.batches {
				seen[r.Partition] = true
			}
			if len(seen) > 0 && len(seen) < tier.Partitions {
				lacking++
			}
		}
		if lacking > 0 {
			notes = append(notes, fmt.Sprintf("%s of tier %s have no row of some partitions: these failed, or had nothing to land.",
				words.Plural(lacking, "run"), tier.Name))
		}
	}
	return notes
}
