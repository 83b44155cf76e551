package enginetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// history holds one snapshot after another of a pipeline against what must be
// true at every moment, whoever is at work and whoever has died. It remembers
// what compaction may drop.
type history struct {
	webs    map[string]int64        // every WebID that a point ever had
	headers map[string]batch.Header // of every folder that was ever whole

	decided map[slot]string
	batches map[string]slot
	spans   map[int64]map[span]bool
	pins    map[int64]instant.Ticks // the earliest of each point
	marks   map[int64]instant.Ticks // watermarks of points of which something was landed
	last    map[int64]int64
	fences  map[int64]instant.Ticks
}

// slot is a number of a partition.
type slot struct{ partition, number int64 }

// span is a range of a tag that a batch decided.
type span struct {
	from, to instant.Ticks
	batch    string
}

func newHistory() *history {
	return &history{webs: map[string]int64{}, headers: map[string]batch.Header{}, decided: map[slot]string{}, batches: map[string]slot{}, spans: map[int64]map[span]bool{},
		pins: map[int64]instant.Ticks{}, marks: map[int64]instant.Ticks{}, last: map[int64]int64{}, fences: map[int64]instant.Ticks{}}
}

// observe gives what is wrong with a snapshot, by itself or after those before it.
func (h *history) observe(s *snapshot) error {
	var wrong complaints
	h.numbers(s, &wrong)
	h.ranges(s, &wrong)
	h.watermarks(s, &wrong)
	landed := h.bronze(s, &wrong)
	h.durable(s, landed, &wrong)
	h.order(landed, &wrong)
	h.metrics(s, landed, &wrong)
	return wrong.err()
}

// numbers: a number is taken when a batch is decided, and once.
func (h *history) numbers(s *snapshot, wrong *complaints) {
	last, fences, seen := map[int64]int64{}, map[int64]instant.Ticks{}, map[slot]bool{}
	for _, r := range s.rows {
		if r.number == 0 {
			continue
		}
		at := slot{r.partition, r.number}
		if was, ok := h.decided[at]; ok && was != r.batch {
			wrong.add("number %d of partition %d was taken twice: by %s and by %s", at.number, at.partition, was, r.batch)
		}
		if was, ok := h.batches[r.batch]; ok && was != at {
			wrong.add("batch %s took two numbers: %d and %d", r.batch, was.number, at.number)
		}
		h.decided[at], h.batches[r.batch] = r.batch, at
		if header, ok := h.headers[r.batch]; ok && header.Number != r.number {
			wrong.add("batch %s has number %d, and its folder says %d", r.batch, r.number, header.Number)
		}
		if r.point != 0 {
			continue
		}
		if seen[at] {
			wrong.add("number %d of partition %d was recorded twice", at.number, at.partition)
		}
		seen[at] = true
		last[r.partition] = max(last[r.partition], r.number)
		fences[r.partition] = max(fences[r.partition], r.fence)
	}
	for p, n := range h.last {
		if last[p] < n {
			wrong.add("the last number of partition %d went back from %d to %d", p, n, last[p])
		}
	}
	for p, at := range h.fences {
		if fences[p] < at {
			wrong.add("the fence of partition %d went back from %d to %d", p, at, fences[p])
		}
	}
	h.last, h.fences = last, fences
}

// ranges: no range of a tag is applied twice.
func (h *history) ranges(s *snapshot, wrong *complaints) {
	for _, r := range s.rows {
		if r.point == 0 || r.number > 0 || len(h.spans[r.point]) > 0 {
			continue // a pin that comes after what was landed counts for nothing
		}
		if was, ok := h.pins[r.point]; !ok || r.to < was {
			h.pins[r.point] = r.to
		}
	}
	for _, r := range s.rows {
		if r.point == 0 || r.number == 0 {
			continue
		}
		if h.spans[r.point] == nil {
			h.spans[r.point] = map[span]bool{}
		}
		h.spans[r.point][span{r.from, r.to, r.batch}] = true
	}
	for point, spans := range h.spans {
		all := slices.SortedFunc(maps.Keys(spans), func(a, b span) int { return cmp.Compare(a.from, b.from) })
		for i := 1; i < len(all); i++ {
			if all[i].from < all[i-1].to {
				wrong.add("two ranges of tag %d overlap: %s of %s and %s of %s", point, all[i-1], all[i-1].batch, all[i], all[i].batch)
			}
		}
	}
}

func (s span) String() string { return fmt.Sprintf("(%d, %d]", s.from, s.to) }

// watermarks never go back. A pin may, while nothing was landed.
func (h *history) watermarks(s *snapshot, wrong *complaints) {
	for point, was := range h.marks {
		if now, ok := s.current[point]; !ok || now < was {
			wrong.add("the watermark of tag %d went back from %d to %d", point, was, now)
		}
	}
	for point, at := range s.current {
		if len(h.spans[point]) > 0 {
			h.marks[point] = at
		}
	}
}

// landing is what bronze holds.
type landing struct {
	events  map[int64]map[instant.Ticks]bool
	batches map[string]int64
}

// bronze: one row an event, of batches that are decided, and no half batch.
func (h *history) bronze(s *snapshot, wrong *complaints) landing {
	l := landing{map[int64]map[instant.Ticks]bool{}, map[string]int64{}}
	for _, e := range s.events {
		point, ok := h.webs[e.web]
		if !ok {
			wrong.add("bronze has an event of %q, which no tag was ever called", e.web)
			continue
		}
		if l.events[point] == nil {
			l.events[point] = map[instant.Ticks]bool{}
		}
		if l.events[point][e.at] {
			wrong.add("the event of tag %d at %d is in bronze twice", point, e.at)
		}
		l.events[point][e.at] = true
		l.batches[e.batch]++
		if _, ok := h.batches[e.batch]; !ok {
			wrong.add("bronze has an event of batch %s, which was never decided", e.batch)
		} else if !h.read(point, e) {
			wrong.add("bronze has an event of tag %d at %d, which batch %s did not read", point, e.at, e.batch)
		}
	}
	for id, n := range l.batches {
		if header, ok := h.headers[id]; ok && n != header.Events {
			wrong.add("bronze has %d of the %d events of batch %s: no half batch is ever visible", n, header.Events, id)
		}
	}
	return l
}

// read says whether an event is in the range that its batch read of its tag.
func (h *history) read(point int64, e event) bool {
	for s := range h.spans[point] {
		if s.batch == e.batch && e.at > s.from && e.at <= s.to {
			return true
		}
	}
	return false
}

// durable: a watermark never passes what is neither in bronze nor in a whole folder.
func (h *history) durable(s *snapshot, l landing, wrong *complaints) {
	for point, mark := range h.marks {
		for _, at := range eventsOf(h.start(point), mark) {
			if l.events[point][at] || s.staged(point, at) {
				continue
			}
			wrong.add("the watermark of tag %d is %d, but its event at %d is neither in bronze nor in a whole folder", point, mark, at)
		}
	}
}

// start is where reading of a tag began.
func (h *history) start(point int64) instant.Ticks {
	if pin, ok := h.pins[point]; ok {
		return pin
	}
	first := instant.Ticks(math.MaxInt64)
	for s := range h.spans[point] {
		first = min(first, s.from)
	}
	return first
}

func (s *snapshot) staged(point int64, at instant.Ticks) bool {
	for _, h := range s.whole {
		for _, o := range h.Outcomes {
			if o.PointID == point && at > o.From && at <= o.To {
				return true
			}
		}
	}
	return false
}

// order: what is decided is applied in order of number.
func (h *history) order(l landing, wrong *complaints) {
	for at, id := range h.decided {
		if header, ok := h.headers[id]; !ok || header.Events == 0 || l.batches[id] > 0 {
			continue
		}
		for later, other := range h.decided {
			if later.partition == at.partition && later.number > at.number && l.batches[other] > 0 {
				wrong.add("batch %d of partition %d is applied, and %d is not yet", later.number, at.partition, at.number)
			}
		}
	}
}

// metrics: a row with a batch says that it is applied: once, and after its data.
func (h *history) metrics(s *snapshot, l landing, wrong *complaints) {
	seen := map[string]bool{}
	for _, m := range s.metrics {
		header, ok := h.headers[m.batch]
		if !ok {
			continue // a fence's, or one of an earlier life of the tables
		}
		if seen[m.batch] {
			wrong.add("pipeline_metrics has batch %s twice", m.batch)
		}
		seen[m.batch] = true
		if at, ok := h.batches[m.batch]; !ok || at != (slot{m.partition, m.number}) {
			wrong.add("pipeline_metrics has batch %s as number %d of partition %d, which was not decided", m.batch, m.number, m.partition)
		}
		if l.batches[m.batch] != header.Events || m.events != header.Events {
			wrong.add("pipeline_metrics says that batch %s is applied with %d events; bronze has %d of %d", m.batch, m.events, l.batches[m.batch], header.Events)
		}
	}
	failed := map[tagError]bool{}
	for _, e := range s.errors {
		if failed[e] {
			wrong.add("tag_errors has tag %d of batch %s twice", e.point, e.batch)
		}
		failed[e] = true
	}
}

// quiet gives what is wrong once nobody is at work any more: every decided batch
// is applied, nothing is left in staging, and nothing but what was decided failed.
func (h *history) quiet(s *snapshot) error {
	var wrong complaints
	applied := map[string]bool{}
	for _, m := range s.metrics {
		applied[m.batch] = true
	}
	failed := map[tagError]bool{}
	for _, e := range s.errors {
		failed[e] = true
	}
	for id := range h.batches {
		header, ok := h.headers[id]
		if ok && !applied[id] {
			wrong.add("batch %s was decided, and pipeline_metrics does not have it", id)
		}
		for _, o := range header.Outcomes {
			if e := (tagError{o.PointID, id}); o.Error != "" && !failed[e] {
				wrong.add("tag %d failed in batch %s, and tag_errors does not have it", o.PointID, id)
			}
		}
	}
	for id := range s.whole {
		wrong.add("the folder of batch %s is still there", id)
	}
	for _, id := range s.torn {
		wrong.add("the torn folder of batch %s is still there", id)
	}
	return wrong.err()
}

// complaints are things that are wrong, each once, in a steady order.
type complaints []string

func (c *complaints) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

func (c complaints) err() error {
	slices.Sort(c)
	c = slices.Compact(c)
	switch {
	case len(c) == 0:
		return nil
	case len(c) > 8:
		c = append(c[:8:8], fmt.Sprintf("and %d more", len(c)-8))
	}
	return errors.New(strings.Join(c, "\n"))
}

// String gives a snapshot in a form in which two of different pipelines that
// went through the same are equal.
func (s *snapshot) String() string {
	var lines complaints
	for _, e := range s.events {
		lines.add("event %s@%d %s", e.web, e.at, nickname(e.batch))
	}
	for _, r := range s.rows {
		lines.add("row %d/%d %s %d (%d, %d] %d", r.partition, r.number, nickname(r.batch), r.point, r.from, r.to, r.fence)
	}
	for _, m := range s.metrics {
		lines.add("metric %d/%d %s", m.partition, m.number, nickname(m.batch))
	}
	for id := range s.whole {
		lines.add("whole %s", nickname(id))
	}
	for _, id := range s.torn {
		lines.add("torn %s", nickname(id))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// nickname is a batch_id without the part that makes it unique.
func nickname(batchID string) string {
	name, _, _ := strings.Cut(batchID, "-")
	return name
}
