package piwebapi

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/callsize"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Whatever the streams and the limits: all are in a call, in order, and no call
// of several is beyond a limit.
func TestCutsKeepLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits{urlBytes: rapid.IntRange(100, 5000).Draw(t, "url"), items: rapid.IntRange(1, 10_000).Draw(t, "items"),
			streams: rapid.IntRange(1, 500).Draw(t, "streams")}
		head := rapid.IntRange(0, 300).Draw(t, "head")
		connections := rapid.IntRange(1, 20).Draw(t, "connections")
		loads := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) load {
			return load{need: rapid.IntRange(1, l.items).Draw(t, "need"), urlBytes: rapid.IntRange(1, 600).Draw(t, "bytes")}
		}), 0, 600).Draw(t, "loads")

		first := 0
		for _, end := range splitCalls(loads, head, l, connections) {
			if end <= first {
				t.Fatalf("an empty call at %d", first)
			}
			need, bytes := 0, head
			for _, s := range loads[first:end] {
				need, bytes = max(need, s.need), bytes+s.urlBytes
			}
			if end-first > 1 && (bytes > l.urlBytes || need*(end-first) > l.items || end-first > l.streams) {
				t.Fatalf("a call of %d streams, %d bytes, %d items each is beyond %+v", end-first, bytes, need, l)
			}
			first = end
		}
		if first != len(loads) {
			t.Fatalf("%d of %d streams are in calls", first, len(loads))
		}
	})
}

func TestCutsAreFewAndEven(t *testing.T) {
	widths := func(streams, need, connections int) (list []int) {
		loads := make([]load, streams)
		for i := range loads {
			loads[i] = load{need: need, urlBytes: 39} // &webId= and an IDOnly id
		}
		first := 0
		for _, end := range splitCalls(loads, 420, limits{urlBytes: callsize.MaxURL, items: callsize.MaxItems, streams: callsize.MaxStreams}, connections) {
			list = append(list, end-first)
			first = end
		}
		return list
	}
	same := func(n, width int) (list []int) {
		for range n {
			list = append(list, width)
		}
		return list
	}
	assert.Equal(t, same(8, 375), widths(3000, 200, 4))
	assert.Equal(t, same(10, 300), widths(3000, 200, 10))
	assert.Equal(t, same(80, 375), widths(30_000, 200, 10))
	assert.Equal(t, same(1, 39), widths(39, 200, 10), "too few to divide")
	assert.Equal(t, same(4, 25), widths(100, 200, 10))
	assert.Equal(t, same(1, 1), widths(1, callsize.MaxItems, 10))
	assert.Equal(t, same(28, 36), widths(1008, 3600, 4), "bounded by items: 41 would fit, in 25 calls")
	assert.Empty(t, widths(0, 1, 1))
}

func TestNeed(t *testing.T) {
	l := limits{items: 1000}
	assert.Equal(t, callsize.Spare, l.need(0, instant.Day))
	assert.Equal(t, 225+callsize.Spare, l.need(180, instant.Hour))
	assert.Equal(t, 1000, l.need(1e12, instant.Day))
	assert.Equal(t, 1000, l.need(math.Inf(1), instant.Hour))
	assert.Equal(t, 250, l.maxCount(4))
	assert.Equal(t, 1, l.maxCount(4000))
}

func TestWidthLearns(t *testing.T) {
	w := newBatchSizer(0, 0, 4)
	over := func(e excess, limit int) *Error { return &Error{Kind: TooLarge, over: e, limit: limit} }

	assert.True(t, w.tooLarge(over(overItems, 10_000), 9000, 300, 100))
	assert.Equal(t, 10_000, w.limits().items, "what the server says")
	assert.True(t, w.tooLarge(over(overItems, 0), 9000, 90, 100))
	assert.Equal(t, 4500, w.limits().items, "half of what was refused")
	assert.True(t, w.tooLarge(over(overItems, 50_000), 9000, 40, 100))
	assert.Equal(t, 2000, w.limits().items, "half, where what the server says is no help")
	assert.False(t, w.tooLarge(over(overItems, 0), 9000, 1, 1), "there is no smaller")

	assert.True(t, w.tooLarge(over(overURL, 0), 8000, 10, 100))
	assert.Equal(t, 6000, w.limits().urlBytes)
	assert.False(t, w.tooLarge(over(overURL, 0), 700, 10, 1), "one long id says nothing of others")
	assert.False(t, w.tooLarge(over(overRange, 0), 700, 10, 5))

	w.tooSlow(200)
	assert.Equal(t, 100, w.limits().streams)
	w.succeeded(99)
	assert.Equal(t, 100, w.limits().streams, "no proof that more would do")
	w.succeeded(100)
	assert.Equal(t, 125, w.limits().streams)

	assert.EqualValues(t, callsize.EventsPerHour, w.rate("a", -1))
	assert.EqualValues(t, 7, w.rate("a", 7))
	w.measured("a", 100, instant.Minute)
	assert.EqualValues(t, 7, w.rate("a", 7), "a minute tells nothing")
	w.measured("a", 100, instant.Hour/2)
	assert.EqualValues(t, 200, w.rate("a", 7))
}

func TestNear(t *testing.T) {
	at := func(minutes ...int) (list []*cursor) {
		for _, m := range minutes {
			list = append(list, &cursor{Stream: batch.Stream{Until: instant.Hour}, from: instant.Ticks(m) * instant.Minute})
		}
		return list
	}
	sizes := func(groups [][]*cursor) (list []int) {
		for _, g := range groups {
			list = append(list, len(g))
		}
		return list
	}
	from := func(t *cursor) instant.Ticks { return t.from }
	assert.Equal(t, []int{1, 4, 1}, sizes(near(at(0, 1, 2, 0, -600, 30), from)))
	assert.Empty(t, near(nil, from))
}
