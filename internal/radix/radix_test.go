package radix_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/fixedseed"
	"github.com/bundlegen/bundlegen/internal/radix"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	m.Run()
}

func TestSortAndRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mask := rapid.SampledFrom([]uint64{0, 1, 0xff, 0xff00, 1 << 63, 0xffff0000ffff0000, ^uint64(0)}).Draw(t, "bits that differ")
		base := rapid.Uint64().Draw(t, "base")
		entries := make([]radix.Entry, rapid.IntRange(0, 300).Draw(t, "entries"))
		for i := range entries {
			entries[i] = radix.Entry{Key: base ^ rapid.Uint64().Draw(t, "key")&mask, Index: int32(i)}
		}
		want := slices.Clone(entries)
		slices.SortStableFunc(want, func(a, b radix.Entry) int { return cmp.Compare(a.Key, b.Key) })
		radix.Sort(entries, make([]radix.Entry, len(entries)))
		require.Equal(t, want, entries)

		shared := map[uint64]int{}
		for _, e := range entries {
			shared[e.Key]++
		}
		for run := range radix.Runs(entries) {
			require.Len(t, run, shared[run[0].Key])
			for _, e := range run {
				require.Equal(t, run[0].Key, e.Key)
			}
			delete(shared, run[0].Key)
			clear(run) // the loop may do so
		}
		for key, n := range shared {
			require.Equal(t, 1, n, "%x", key)
		}
	})
}
