package stage_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// events makes n events of 100 streams: kind 0 numbers, 1 digital states, 2 texts that differ.
func events(n, kind int) *columns.Batch {
	var b columns.Batch
	for i := range n {
		stream, ticks := int32(i%100), int64(17_000_000_000_000_000+i*10_000_000)
		switch kind {
		case 0:
			b.Append(stream, ticks, float64(i)*0.37, 0, 0, columns.HasValue|columns.Good)
		case 1:
			b.Append(stream, ticks, 0, b.Strings.ID([]byte(fmt.Sprint("state ", i%5))), int32(i%5), columns.HasText|columns.HasCode|columns.Good)
		default:
			b.Append(stream, ticks, 0, b.Strings.ID([]byte(fmt.Sprint("batch ", i))), 0, columns.HasText|columns.Good)
		}
	}
	return &b
}

func labels() stage.Labels {
	l := stage.Labels{Site: "plant-a", Pipeline: "p", BatchID: "b"}
	for i := range 100 {
		l.WebID, l.Name, l.Units = append(l.WebID, fmt.Sprint("F1DP", i)), append(l.Name, fmt.Sprint("TAG ", i)), append(l.Units, "bar")
	}
	return l
}

func BenchmarkWrite(b *testing.B) {
	for kind, name := range []string{"numbers", "states", "texts"} {
		b.Run(name, func(b *testing.B) {
			batch := events(150_000, kind)
			f := stage.New(b.TempDir(), "p", 0, 1, "b")
			require.NoError(b, f.Create())
			b.ReportAllocs()
			rows := 0
			for i := 0; b.Loop(); i++ {
				w, err := f.CreateWriter(i, labels())
				require.NoError(b, err)
				for range 4 {
					require.NoError(b, w.Write(batch))
				}
				require.NoError(b, w.Close())
				rows += 4 * batch.Len()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/event")
		})
	}
}
