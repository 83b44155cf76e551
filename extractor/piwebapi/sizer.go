package piwebapi

import (
	"math"
	"sync"

	"github.com/bundlegen/bundlegen/pipeline/callsize"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// How many streams and items a call may have. limits and splitCalls are pure;
// batchSizer guards what is learned of the server.

// limits bound a call.
type limits struct {
	urlBytes int // of the whole URL
	items    int // streams x maxCount
	streams  int
}

// fits reports whether a call is within the limits. A single stream always is: the
// server has the last word on that.
func (l limits) fits(streams, need, urlBytes int) bool {
	return streams <= 1 || streams <= l.streams && streams*need <= l.items && urlBytes <= l.urlBytes
}

// maxCount returns how many items each of so many streams may have: all that the
// server allows, since absent items cost nothing and a cut page costs a call.
func (l limits) maxCount(streams int) int { return max(1, l.items/max(1, streams)) }

// need returns how many items a stream is expected to have in a range, with
// headroom, and never more than a call can have.
func (l limits) need(eventsPerHour float64, length instant.Ticks) int {
	expected := eventsPerHour * float64(length) / float64(instant.Hour)
	return int(min(float64(l.items), math.Ceil(expected*callsize.Headroom)+callsize.Spare))
}

// load is what a stream takes of a call.
type load struct {
	need     int // items
	urlBytes int // of its parameter
}

// splitCalls divides streams, in the order given, into calls of even size: as few
// as the limits allow, rounded up to a multiple of the connections, so that all of
// them end together. It returns where each call ends. head is the length of the
// URL without streams.
func splitCalls(loads []load, head int, l limits, connections int) []int {
	if len(loads) == 0 {
		return nil
	}
	// shares[i] is what part of a call the streams before i fill.
	shares := make([]float64, len(loads)+1)
	for i, s := range loads {
		shares[i+1] = shares[i] + max(
			float64(s.need)/float64(l.items),
			float64(s.urlBytes)/float64(max(1, l.urlBytes-head)),
			1/float64(l.streams))
	}
	fewest := min(len(loads), max(1, int(math.Ceil(shares[len(loads)]-1e-9))))
	calls := (fewest + connections - 1) / connections * connections
	calls = max(fewest, min(calls, len(loads)/callsize.MinStreams))
	for {
		ends := divide(loads, shares, head, l, calls)
		if len(ends) <= calls || calls >= len(loads) {
			return ends
		}
		calls += max(1, calls/16)
	}
}

// divide makes calls of even shares; more of them where the limits ask for it.
func divide(loads []load, shares []float64, head int, l limits, calls int) (ends []int) {
	whole := shares[len(loads)]
	first, need, bytes := 0, 0, head
	for i, s := range loads {
		// i goes into the next call when more than half of it lies behind the border.
		border := whole * float64(len(ends)+1) / float64(calls)
		full := i > first && (shares[i]+shares[i+1])/2 > border && len(ends)+1 < calls
		if full || !l.fits(i-first+1, max(need, s.need), bytes+s.urlBytes) {
			ends = append(ends, i)
			first, need, bytes = i, 0, head
		}
		need, bytes = max(need, s.need), bytes+s.urlBytes
	}
	return append(ends, len(loads))
}

// batchSizer knows what was learned of the server's limits and the tags' rates. It
// is safe for concurrent use.
type batchSizer struct {
	connections int

	mu      sync.Mutex
	current limits
	rates   map[string]float64 // events an hour by WebID, as measured
}

func newBatchSizer(items, urlBytes, connections int) *batchSizer {
	if items <= 0 {
		items = callsize.MaxItems
	}
	if urlBytes <= 0 {
		urlBytes = callsize.MaxURL
	}
	return &batchSizer{connections: connections, current: limits{urlBytes: urlBytes, items: items, streams: callsize.MaxStreams},
		rates: map[string]float64{}}
}

func (b *batchSizer) limits() limits {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current
}

// tooLarge learns from a call that was too large. It reports whether the same
// streams should be planned again, since smaller calls are possible.
func (b *batchSizer) tooLarge(e *Error, urlBytes, maxCount, streams int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case e.over == overURL && streams > 1:
		b.current.urlBytes = min(b.current.urlBytes, urlBytes*3/4)
		return true
	case e.over == overItems && maxCount > 1:
		b.current.items = min(b.current.items, smallerThan(maxCount*streams, e.limit))
		return true
	default:
		return false
	}
}

// tooSlow halves the number of streams a call, after one of so many failed.
func (b *batchSizer) tooSlow(streams int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current.streams = min(b.current.streams, max(1, streams/2))
}

// succeeded allows more streams a call again, after one of so many succeeded well.
func (b *batchSizer) succeeded(streams int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if streams >= b.current.streams {
		b.current.streams = min(callsize.MaxStreams, b.current.streams+max(1, b.current.streams/4))
	}
}

// rate returns a tag's events an hour: measured, else expected, else assumed.
func (b *batchSizer) rate(webID string, expected float64) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if measured, ok := b.rates[webID]; ok {
		return measured
	}
	if expected < 0 || math.IsNaN(expected) {
		return callsize.EventsPerHour
	}
	return expected
}

// measured keeps a tag's rate for later calls, if the range was long enough.
func (b *batchSizer) measured(webID string, events int64, length instant.Ticks) {
	if length < 10*instant.Minute {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rates[webID] = float64(events) / (float64(length) / float64(instant.Hour))
}
