package decode_test

import (
	"bytes"
	"fmt"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Paging as Result.Full describes it returns every event of the range once, whatever
// the page size and however many events share an instant.
func TestPagingLosesAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		archive := ticks(t, 60) // the n-th event's value is n
		after, until := drawWant(t, 0, archive).After, drawWant(t, 0, archive).Until
		var want []float64
		for i, at := range archive {
			if at > after && at <= until {
				want = append(want, float64(i))
			}
		}
		d := decode.NewWindow(rapid.IntRange(8, 400).Draw(t, "window"))
		maxCount := rapid.IntRange(2, 10).Draw(t, "maxCount")
		rounding := instant.Ticks(rapid.IntRange(0, 150).Draw(t, "rounding"))

		var b columns.Batch
		for calls := 0; ; calls++ {
			require.Less(t, calls, 1000)
			page := serve(archive, after-rounding, until, maxCount)
			got, err := d.Stream(bytes.NewReader(page), batch.Stream{After: after, Until: until}, maxCount, &b)
			require.NoError(t, err)
			if !got.Full {
				break
			}
			if got.First == got.Last || got.Last-1 <= after { // no way forward with so small a page
				maxCount *= 2
				continue
			}
			after = got.Last - 1
		}
		require.Equal(t, want, append([]float64(nil), b.Value...))
	})
}

// serve prints the first events of a range, ends included, as a server does.
func serve(archive []instant.Ticks, from, to instant.Ticks, maxCount int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"Links":{},"Items":[`)
	first := sort.Search(len(archive), func(i int) bool { return archive[i] >= from })
	for n := 0; n < maxCount && first+n < len(archive) && archive[first+n] <= to; n++ {
		if n > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"Timestamp":"%s","Value":%d,"Good":true}`, archive[first+n], first+n)
	}
	body.WriteString(`]}`)
	return body.Bytes()
}
