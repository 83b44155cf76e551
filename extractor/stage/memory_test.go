package stage_test

import (
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// Ten writers at once, each with a row group nearly full: the most that they hold.
func TestTenWritersFitIntoMemory(t *testing.T) {
	const writers, mib = 10, 1 << 20
	for _, kind := range kinds {
		if kind.name == "states" || kind.name == "repeated texts" {
			continue // less than the others
		}
		t.Run(kind.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			runtime.GC()
			before, peak := heap(), uint64(0)
			f := stage.New(t.TempDir(), "p", 0, 1, "b")
			require.NoError(t, f.Create())
			var all [writers]*stage.Writer
			for i := range all {
				w, err := f.CreateWriter(i, labels())
				require.NoError(t, err)
				all[i] = w
			}
			for n := 0; n < 130_000; n += 10_000 {
				for _, w := range all {
					var b columns.Batch // a new one: texts of one that is filled again would be held by it, too
					for j := range 10_000 {
						kind.append(&b, r, n+j)
					}
					require.NoError(t, w.Write(&b))
					peak = max(peak, heap())
				}
			}
			for _, w := range all {
				require.NoError(t, w.Close())
			}
			t.Logf("%d MiB at most", (peak-before)/mib)
			require.Less(t, (peak-before)/mib, uint64(200))
		})
	}
}

// heap is what objects take, with those that the collector has not seen to yet.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
