package stage_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// kinds are the sorts of events that a plant sends, by what they cost to write.
var kinds = []struct {
	name   string
	append func(b *columns.Batch, r *rand.Rand, i int)
}{
	{"numbers", appendNumber},
	{"states", appendState},
	{"repeated texts", func(b *columns.Batch, r *rand.Rand, i int) {
		appendText(b, i, fmt.Sprint("operator comment ", r.IntN(2000)))
	}},
	{"different texts", appendDifferent},
	{"mixed", func(b *columns.Batch, r *rand.Rand, i int) {
		switch n := r.IntN(100); {
		case n < 80:
			appendNumber(b, r, i)
		case n < 95:
			appendState(b, r, i)
		default:
			appendDifferent(b, r, i)
		}
	}},
}

const streams = 1000

func appendNumber(b *columns.Batch, r *rand.Rand, i int) {
	b.Append(streamOf(i), ticksOf(i), float64(r.IntN(100_000))/100, 0, 0, columns.HasValue|columns.Good)
}

func appendState(b *columns.Batch, r *rand.Rand, i int) {
	state := r.IntN(5)
	b.Append(streamOf(i), ticksOf(i), 0, b.Strings.ID(fmt.Appendf(nil, "state %d", state)), int32(state),
		columns.HasText|columns.HasCode|columns.Good)
}

func appendDifferent(b *columns.Batch, r *rand.Rand, i int) {
	appendText(b, i, fmt.Sprintf("batch %d of unit %x", i, r.Uint32()))
}

func appendText(b *columns.Batch, i int, s string) {
	b.Append(streamOf(i), ticksOf(i), 0, b.Strings.ID([]byte(s)), 0, columns.HasText|columns.Good)
}

// Events come in runs of a stream, as a page of the server has them, some milliseconds off the second.
func streamOf(i int) int32 { return int32(i / 100 % streams) }

func ticksOf(i int) int64 {
	return 17_000_000_000_000_000 + int64(i/(100*streams)*100+i%100)*50_000_000 + int64(i)*7919%10_000*10_000
}

func labels() stage.Labels {
	l := stage.Labels{Site: "plant-a", Pipeline: "osipi_connector", BatchID: "6e3dbd4e-93ab-4a4b-a34d-7d3f8ba1dd9c",
		Ingested: 17_000_000_000_000_000}
	for i := range streams {
		l.WebID = append(l.WebID, fmt.Sprintf("F1DPmWRIXHuNKk6UOjPhGNGkHQ%06dVUlTUlNSVjE", i))
		l.Name, l.Units = append(l.Name, fmt.Sprint("UNIT7.TAG ", i)), append(l.Units, []string{"bar", "degC", ""}[i%3])
	}
	return l
}

func BenchmarkWrite(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			const batches, rows = 50, 10_000 // what a page of many streams holds
			in := make([]columns.Batch, batches)
			for i := range batches * rows {
				kind.append(&in[i/rows], r, i)
			}
			f := stage.New(b.TempDir(), "p", 0, 1, "b")
			require.NoError(b, f.Create())
			b.ReportAllocs()
			events, before := int64(0), processorTime(b)
			for i := 0; b.Loop(); i++ {
				w, err := f.CreateWriter(i, labels())
				require.NoError(b, err)
				for j := range in {
					require.NoError(b, w.Write(&in[j]))
				}
				require.NoError(b, w.Close())
				events += w.Events()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
			b.ReportMetric(float64(processorTime(b)-before)/float64(events), "cpu-ns/event")
			b.ReportMetric(size(b, f)/float64(events), "B/event")
		})
	}
}

func size(b *testing.B, f stage.Folder) float64 {
	files, err := f.DataFiles()
	require.NoError(b, err)
	total := int64(0)
	for _, name := range files {
		total += stat(b, name).Size()
	}
	return float64(total)
}

func stat(t testing.TB, name string) fs.FileInfo {
	info, err := os.Stat(name)
	require.NoError(t, err)
	return info
}

// processorTime is what this process has used: what a busy machine and a slow disk leave alone.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
