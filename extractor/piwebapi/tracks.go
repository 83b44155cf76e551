package piwebapi

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// track is a stream and how far it has been read.
type track struct {
	batch.Stream
	from     instant.Ticks // all up to here is read and handed over
	step     instant.Ticks // the longest range that one call may ask for; 0 = any
	least    int           // a smaller maxCount than this gets no further; 0 = any will do
	rate     float64       // events an hour
	urlBytes int           // of its parameter
	events   int64         // handed over
	alone    bool          // ask by itself, not as a stream set of one
	done     bool
}

// end is how far the next call reads it.
func (t *track) end() instant.Ticks {
	if t.step > 0 && t.step < t.Until-t.from {
		return t.from + t.step
	}
	return t.Until
}

// webIDParameter is what a stream adds to a query.
func webIDParameter(webID string) string { return "&webId=" + url.QueryEscape(webID) }

// span is one call: its streams, and how often it has failed.
type span struct {
	tracks []*track
	tries  int
	part   bool // of a call that failed
}

// bounds gives the range that covers those of all streams.
func bounds(tracks []*track) (from, end instant.Ticks) {
	from, end = tracks[0].from, tracks[0].end()
	for _, t := range tracks[1:] {
		from, end = min(from, t.from), max(end, t.end())
	}
	return from, end
}

// load is what t takes of a call that reads (from, end].
func (t *track) load(l limits, from, end instant.Ticks) load {
	return load{need: min(l.items, max(t.least, l.need(t.rate, end-from))), urlBytes: t.urlBytes}
}

// plan makes calls of streams: those whose ranges begin and end about together,
// and among these such that expect about the same number of events, the most first.
// head is the length of the URL without streams.
func plan(tracks []*track, head int, l limits, connections int) []*span {
	var spans []*span
	var together []*track
	for _, t := range tracks {
		if t.alone {
			spans = append(spans, &span{tracks: []*track{t}})
		} else {
			together = append(together, t)
		}
	}
	for _, early := range near(together, func(t *track) instant.Ticks { return t.from }) {
		for _, group := range near(early, (*track).end) {
			from, end := bounds(group)
			loads := make(map[*track]load, len(group))
			for _, t := range group {
				loads[t] = t.load(l, from, end)
			}
			slices.SortStableFunc(group, func(a, b *track) int { return cmp.Compare(loads[b].need, loads[a].need) })
			ordered := make([]load, len(group))
			for i, t := range group {
				ordered[i] = loads[t]
			}
			start := 0
			for _, stop := range cuts(ordered, head, l, connections) {
				spans = append(spans, &span{tracks: group[start:stop:stop]})
				start = stop
			}
		}
	}
	return spans
}

// little is a time whose events cost less than a call.
const little = instant.Minute

// near divides streams into groups in which an edge of the range differs by
// little, or at most a fifth of the range: that much may be read in vain, so that
// one stream far behind does not make others read all that they have already.
func near(tracks []*track, edge func(*track) instant.Ticks) [][]*track {
	slices.SortStableFunc(tracks, func(a, b *track) int { return cmp.Compare(edge(a), edge(b)) })
	var groups [][]*track
	first := 0
	shortest := instant.Ticks(0)
	for i, t := range tracks {
		length := t.end() - t.from
		if i > first && edge(t)-edge(tracks[first]) > max(little, min(shortest, length)/5) {
			groups = append(groups, tracks[first:i:i])
			first = i
		}
		if i == first {
			shortest = length
		}
		shortest = min(shortest, length)
	}
	if len(tracks) > 0 {
		groups = append(groups, tracks[first:])
	}
	return groups
}
