package duckdb_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// BenchmarkPublish publishes batches of 3,000 tags with 160 events each.
func BenchmarkPublish(b *testing.B) {
	const tags, each = 3000, 160
	ctx := context.Background()
	lake, err := duckdb.Open(ctx, b.TempDir(), "")
	require.NoError(b, err)
	defer lake.Close()
	e := lake.Engine("p")
	require.NoError(b, e.Claim(ctx))
	st, err := e.Open(ctx, 0, engine.Run{})
	require.NoError(b, err)
	labels := stage.Labels{Site: "plant-a", Pipeline: "p"}
	for i := range tags {
		labels.WebID = append(labels.WebID, fmt.Sprintf("F1DPAAAAAAAAAAAAAAAAAAAAAAAAAAAA%06d", i))
		labels.Name, labels.Units = append(labels.Name, fmt.Sprint("PLANT.TAG.", i)), append(labels.Units, "bar")
	}
	var spent time.Duration
	for n := int64(1); b.Loop(); n++ {
		b.StopTimer()
		h := batch.Header{Pipeline: "p", Epoch: st.Epoch, Partition: 0, Number: n, ID: batch.NewID(), Status: batch.Succeeded, Site: "plant-a", Tier: "t", RunID: "r"}
		f, release := e.Folder(0, n, h.ID)
		require.NoError(b, f.Create())
		labels.BatchID = h.ID
		w, err := f.CreateWriter(0, labels)
		require.NoError(b, err)
		var rows columns.Batch
		for i := range tags {
			for k := range each {
				rows.Append(int32(i), n*36_000_000_000+int64(k)*200_000_000, float64(i*k)*0.37, 0, 0, columns.HasValue|columns.Good)
			}
			h.Outcomes = append(h.Outcomes, batch.Outcome{PointID: int64(i + 1), WebID: labels.WebID[i], Name: labels.Name[i], From: instant.Ticks(n) * instant.Hour, To: instant.Ticks(n+1) * instant.Hour})
		}
		require.NoError(b, w.Write(&rows))
		require.NoError(b, w.Close())
		h.Events, h.Files = w.Events(), []batch.File{w.File()}
		require.NoError(b, f.Seal(&h))
		release()
		before := processTime(b)
		b.StartTimer()
		_, err = e.Publish(ctx, f)
		require.NoError(b, err)
		spent += processTime(b) - before
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(tags*each), "ns/event")
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/(tags*each), "cpu-ns/event")
}

// processTime is the processor time of this process so far: other than the time
// on the clock, it hardly depends on what else the machine does.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
