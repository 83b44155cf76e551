package piwebapi

import (
	"math"
	"sync"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// How wide a call for several streams may be. Everything here is arithmetic;
// limits and cuts are pure, width guards the limits that are learned.

const (
	defaultItems    = 150_000 // MaxReturnedItemsPerCall of a server that nobody has configured
	defaultURLBytes = 15_900  // of the 16 KB that HTTP.sys takes, with room for what a proxy adds
	mostStreams     = 1000    // of one call, whatever else allows
	fewStreams      = 25      // a call is not made narrower than this only to occupy a connection
	assumedRate     = 180     // events an hour of a tag that nobody knows anything of
	headroom        = 1.25    // events may come quicker than expected
	spare           = 8       // and a page that is exactly full must be asked for again
)

// limits bound a call.
type limits struct {
	urlBytes int // of the whole URL
	items    int // streams x maxCount
	streams  int
}

// fit says whether a call is within the limits. A single stream always is: what
// it cannot have, the server will say.
func (l limits) fit(streams, need, urlBytes int) bool {
	return streams <= 1 || streams <= l.streams && streams*need <= l.items && urlBytes <= l.urlBytes
}

// maxCount is what each of so many streams may return: all that the server
// allows, since what is not there costs nothing and a cut page costs a call.
func (l limits) maxCount(streams int) int { return max(1, l.items/max(1, streams)) }

// need is how many items a stream is expected to have in a range: with head-room,
// never more than a call can have.
func (l limits) need(eventsPerHour float64, length instant.Ticks) int {
	expected := eventsPerHour * float64(length) / float64(instant.Hour)
	return int(min(float64(l.items), math.Ceil(expected*headroom)+spare))
}

// load is what a stream takes of a call.
type load struct {
	need     int // items
	urlBytes int // of its parameter
}

// cuts divides streams, in the order given, into calls: as few as the limits
// allow, then rounded up to a multiple of the connections (so that all of them
// end together), and of even size. It returns where each call ends. head is
// the length of the URL without streams.
func cuts(loads []load, head int, l limits, connections int) []int {
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
	calls = max(fewest, min(calls, len(loads)/fewStreams))
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
		if full || !l.fit(i-first+1, max(need, s.need), bytes+s.urlBytes) {
			ends = append(ends, i)
			first, need, bytes = i, 0, head
		}
		need, bytes = max(need, s.need), bytes+s.urlBytes
	}
	return append(ends, len(loads))
}

// width is what is known of the server's limits and the tags' rates. It is
// safe for concurrent use.
type width struct {
	connections int

	mu    sync.Mutex
	is    limits
	rates map[string]float64 // events an hour by WebID, as measured
}

func newWidth(items, urlBytes, connections int) *width {
	if items <= 0 {
		items = defaultItems
	}
	if urlBytes <= 0 {
		urlBytes = defaultURLBytes
	}
	return &width{connections: connections, is: limits{urlBytes: urlBytes, items: items, streams: mostStreams}, rates: map[string]float64{}}
}

func (w *width) now() limits {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.is
}

// refused learns from a call for some streams that was too large, and says
// whether the same streams should be planned anew: there is a smaller way to ask.
func (w *width) refused(e *Error, urlBytes, maxCount, streams int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.over == overURL && streams > 1:
		w.is.urlBytes = min(w.is.urlBytes, urlBytes*3/4)
		return true
	case e.over == overItems && maxCount > 1:
		w.is.items = min(w.is.items, smallerThan(maxCount*streams, e.limit))
		return true
	default:
		return false
	}
}

// tooSlow halves the number of streams a call, after one of so many failed.
func (w *width) tooSlow(streams int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.is.streams = min(w.is.streams, max(1, streams/2))
}

// went allows more streams a call again, after one of so many went well.
func (w *width) went(streams int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if streams >= w.is.streams {
		w.is.streams = min(mostStreams, w.is.streams+max(1, w.is.streams/4))
	}
}

// rate gives a tag's events an hour: as measured, else as told, else as assumed.
func (w *width) rate(webID string, told float64) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if measured, ok := w.rates[webID]; ok {
		return measured
	}
	if told < 0 || math.IsNaN(told) {
		return assumedRate
	}
	return told
}

// measured keeps a tag's rate for later calls, when the range was long enough to tell.
func (w *width) measured(webID string, events int64, length instant.Ticks) {
	if length < 10*instant.Minute {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rates[webID] = float64(events) / (float64(length) / float64(instant.Hour))
}
