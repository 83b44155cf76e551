package enginetest

import (
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// compacts: what readers and attempts go by is the same before and after
// compaction, which is the same at any number of repetitions.
func compacts(l *lab) {
	l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0), owner(3, 1), owner(4, 5)))
	l.land(0, pin+second)
	l.land(5, pin+4*second)
	old := l.run(pin + 9*second)
	l.must(l.discover("D2", nil).assign(owner(4, 0))) // partition 5 is of the past
	l.land(0, pin+4*second)
	e, now := l.plain(), l.run(pin+9*second)
	states := func() (out []engine.State) {
		for p := range 2 {
			st, err := e.Open(l.ctx, p, now)
			l.must(err)
			out = append(out, st)
		}
		return out
	}
	before, seen := states(), l.observe()
	l.must(e.Compact(l.ctx))
	once := l.observe()
	require.Equal(l, before, states())
	require.Equal(l, seen.current, once.current)
	require.Less(l, len(once.rows), len(seen.rows))
	l.must(l.consolidate(e))
	require.Equal(l, once.String(), l.observe().String())

	// Each tag's greatest watermark, or its pin; each partition's last row, and one more at most for the fence.
	tags, batches := 0, map[int64]int{}
	for _, r := range once.rows {
		if r.point != 0 {
			tags++
		} else {
			batches[r.partition]++
		}
	}
	require.Equal(l, 4, tags)
	require.Equal(l, 1, batches[0])
	require.Contains(l, []int{1, 2}, batches[5])
	_, err := e.Open(l.ctx, 5, old)
	require.ErrorIs(l, err, engine.ErrZombie, "partition 5 has no tags any more, and its fence stands")
	l.land(0, pin+9*second)
	l.expect(map[int64]instant.Ticks{1: pin + 9*second, 2: pin + 9*second, 4: pin + 9*second, 3: pin})
}
