package piwebapi

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// cursor is a stream and how far it has been read.
type cursor struct {
	batch.Stream
	from     instant.Ticks // all up to here is read and handed over
	step     instant.Ticks // the longest range that one call may ask for; 0 = any
	minCount int           // a smaller maxCount than this gets no further; 0 = any will do
	rate     float64       // events an hour
	urlBytes int           // of its parameter
	events   int64         // handed over
	single   bool          // read by /streams, not as a stream set of one
	done     bool
}

// end is how far the next call reads it.
func (c *cursor) end() instant.Ticks {
	if c.step > 0 && c.step < c.Until-c.from {
		return c.from + c.step
	}
	return c.Until
}

// webIDParameter returns what a stream adds to a query.
func webIDParameter(webID string) string { return "&webId=" + url.QueryEscape(webID) }

// job is one call to make: its streams, and how often it has failed.
type job struct {
	cursors []*cursor
	tries   int
	part    bool // of a call that failed
}

// bounds returns the range that covers those of all cursors.
func bounds(cursors []*cursor) (from, end instant.Ticks) {
	from, end = cursors[0].from, cursors[0].end()
	for _, c := range cursors[1:] {
		from, end = min(from, c.from), max(end, c.end())
	}
	return from, end
}

// load returns what c takes of a call that reads (from, end].
func (c *cursor) load(l limits, from, end instant.Ticks) load {
	return load{need: min(l.items, max(c.minCount, l.need(c.rate, end-from))), urlBytes: c.urlBytes}
}

// plan groups streams into calls: streams whose ranges begin and end at about the
// same instants share one, sorted by the number of events expected, the largest
// first. head is the length of the URL without streams.
func plan(cursors []*cursor, head int, l limits, connections int) []*job {
	var jobs []*job
	var grouped []*cursor
	for _, c := range cursors {
		if c.single {
			jobs = append(jobs, &job{cursors: []*cursor{c}})
		} else {
			grouped = append(grouped, c)
		}
	}
	for _, sameStart := range near(grouped, func(c *cursor) instant.Ticks { return c.from }) {
		for _, group := range near(sameStart, (*cursor).end) {
			from, end := bounds(group)
			loads := make(map[*cursor]load, len(group))
			for _, c := range group {
				loads[c] = c.load(l, from, end)
			}
			slices.SortStableFunc(group, func(a, b *cursor) int { return cmp.Compare(loads[b].need, loads[a].need) })
			ordered := make([]load, len(group))
			for i, c := range group {
				ordered[i] = loads[c]
			}
			start := 0
			for _, stop := range splitCalls(ordered, head, l, connections) {
				jobs = append(jobs, &job{cursors: group[start:stop:stop]})
				start = stop
			}
		}
	}
	return jobs
}

// little is a range whose events cost less than a call.
const little = instant.Minute

// near divides cursors into groups in which an edge of the range differs by
// little, or by at most a fifth of the range. That much may be read twice; more is
// not, so that a stream far behind does not make others read all they have already.
func near(cursors []*cursor, edge func(*cursor) instant.Ticks) [][]*cursor {
	slices.SortStableFunc(cursors, func(a, b *cursor) int { return cmp.Compare(edge(a), edge(b)) })
	var groups [][]*cursor
	first := 0
	shortest := instant.Ticks(0)
	for i, c := range cursors {
		length := c.end() - c.from
		if i > first && edge(c)-edge(cursors[first]) > max(little, min(shortest, length)/5) {
			groups = append(groups, cursors[first:i:i])
			first = i
		}
		if i == first {
			shortest = length
		}
		shortest = min(shortest, length)
	}
	if len(cursors) > 0 {
		groups = append(groups, cursors[first:])
	}
	return groups
}
