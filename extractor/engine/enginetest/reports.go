package enginetest

import (
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func num(t instant.Ticks) string { return strconv.FormatInt(int64(t), 10) }

// metrics: a row for each batch, and for each attempt that ended without one,
// which carries no number.
func metrics(l *lab) {
	l.standard()
	run := l.run(pin + 10*second)
	a := l.attempt("a", 0, run, 3, nil)
	a.refused, a.window = map[int64]bool{2: true}, 6*second
	for range 2 {
		l.must(a.once())
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l.must(a.RecordAttempt(l.ctx, engine.Attempt{RunID: run.ID, Task: "extract", Tier: "standard", Site: site, Partition: 1, Number: 2, Started: at, Ended: at.Add(90 * time.Second),
		Tags: 5, Failed: 6, Requests: 7, Retries: 3, Status: batch.Failed, Error: "it's \\ down\nfor now"}))
	l.must(a.RecordAttempt(l.ctx, engine.Attempt{RunID: run.ID, Task: "discover", Tier: "standard", Partition: -1, Number: 1, Started: at, Ended: at, Status: batch.Succeeded}))
	columns := "CAST(partition_id AS STRING), CAST(batch_seq AS STRING), status, task, tier, site, CAST(attempt AS STRING), CAST(tags_processed AS STRING), CAST(tags_failed AS STRING), " +
		"CAST(points_ingested AS STRING), CAST(requests AS STRING), CAST(retries AS STRING), CAST(duration_seconds AS STRING), error"
	require.Equal(l, [][]string{
		{"", "", batch.Succeeded, "discover", "standard", "", "1", "0", "0", "0", "0", "0", "0", ""},
		{"0", "1", batch.CatchingUp, "extract", "standard", site, "3", "1", "1", "5", "1", "2", "1", ""},
		{"0", "2", batch.Partial, "extract", "standard", site, "3", "1", "0", "5", "1", "2", "1", ""},
		{"1", "", batch.Failed, "extract", "standard", site, "2", "5", "6", "0", "7", "3", "90", "it's \\ down\nfor now"},
	}, l.query(l, "SELECT "+columns+" FROM {monitoring}.pipeline_metrics WHERE pipeline = '"+l.pipeline+"' AND run_id = '"+run.ID+"' ORDER BY coalesce(partition_id, -1), coalesce(batch_seq, 0)"))
	require.Equal(l, 2, l.count(l, "SELECT CAST(count(*) AS STRING) FROM {monitoring}.pipeline_metrics WHERE pipeline = '"+l.pipeline+"' AND batch_id IS NULL"))
	last, err := a.LastAttempts(l.ctx, run.ID)
	l.must(err)
	require.Equal(l, map[int]string{engine.OfDiscover: batch.Succeeded, 0: batch.Partial, 1: batch.Failed}, last)
	last, err = a.LastAttempts(l.ctx, "another run")
	l.must(err)
	require.Empty(l, last)

	l.must(a.RecordTagErrors(l.ctx, []engine.TagError{{RunID: run.ID, Partition: 1, WebID: "W3", Name: "tag 3", Site: site, PointID: 3, Error: "down", Watermark: pin}}))
	require.Equal(l, [][]string{{"tag 2", "0", "batch"}, {"tag 3", "1", ""}}, l.query(l,
		"SELECT tag_name, CAST(partition_id AS STRING), CASE WHEN batch_id IS NOT NULL THEN 'batch' END FROM {monitoring}.tag_errors WHERE pipeline = '"+l.pipeline+"' ORDER BY tag_name"))
	l.observe()
}

// completeness: what a run landed, counted in bronze to the tick.
func completeness(l *lab) {
	l.standard()
	l.land(0, pin+3*second)
	run := l.run(pin + 15*second)
	l.must(l.attempt("a", 0, run, 1, nil).once())
	e := l.plain()
	for range 2 {
		landed, err := e.LandedBy(l.ctx, run.ID, 0)
		l.must(err)
		require.Len(l, landed, 2)
		require.Equal(l, engine.Landed{PointID: 1, WebID: "W1", Name: "tag 1", PointType: landed[0].PointType, Site: site, From: pin + 3*second, To: pin + 15*second}, landed[0])
		// (103.0, 115.0] has the events at 103.0000003 and 114.0000004, not the one at 115.0000005.
		exact := []engine.Landed{landed[0], landed[1], landed[0], landed[1]}
		exact[1].From, exact[2].To, exact[3].To = pin+3*second+3, pin+14*second+4, pin+14*second+3
		counts, err := e.CountLanded(l.ctx, exact)
		l.must(err)
		require.Equal(l, []int64{12, 11, 12, 11}, counts)
		l.must(l.consolidate(e)) // after it the latest ranges are still there
	}
	none, err := e.LandedBy(l.ctx, run.ID, 1)
	l.must(err)
	require.Empty(l, none)
	row := engine.Completeness{RunID: run.ID, Partition: 0, Site: site, Tier: "standard", Tags: 2, Expected: 24, Landed: 23, Share: 0.5, Incomplete: 1, Method: "count", Uncounted: 3, Compares: "this with that"}
	l.must(e.RecordCompleteness(l.ctx, []engine.Completeness{row}))
	l.must(e.RecordCompleteness(l.ctx, nil))
	require.Equal(l, [][]string{{run.ID, "0", site, "standard", "2", "24", "23", "0.5", "1", "count", "3", "this with that"}}, l.query(l,
		"SELECT run_id, CAST(partition_id AS STRING), site, tier, CAST(tags_checked AS STRING), CAST(expected_events AS STRING), CAST(landed_events AS STRING), CAST(completeness AS STRING), "+
			"CAST(incomplete_tags AS STRING), method, CAST(uncounted_tags AS STRING), compares FROM {monitoring}.completeness WHERE pipeline = '"+l.pipeline+"'"))
}

// twoPipelines: two pipelines with the same tags and partitions share a lake.
func twoPipelines(l *lab) {
	l.standard()
	other := newLab(l.TB, l.lake, "x")
	other.pipeline = l.pipeline + ".dev"
	e := other.plain()
	l.must(e.Claim(l.ctx))
	owners, _, err := e.Owners(l.ctx, 0)
	l.must(err)
	require.Empty(l, owners)
	partitions, err := e.Unfinished(l.ctx)
	l.must(err)
	require.Empty(l, partitions)

	run := l.land(0, pin+5*second)
	last, err := e.LastAttempts(l.ctx, run.ID)
	l.must(err)
	require.Empty(l, last)
	landed, err := e.LandedBy(l.ctx, run.ID, 0)
	l.must(err)
	require.Empty(l, landed)
	_, folder := l.attempt("w", 1, l.run(pin+5*second), 1, nil).open()
	other.clock = l.clock + 50*second
	other.standard()
	other.land(0, pin+2*second)
	l.must(e.Recover(l.ctx, 1))
	require.DirExists(l, folder.Dir, "another pipeline's")
	l.must(e.Fence(l.ctx, 0, engine.Run{ID: "f", Assigned: other.clock + second}))
	other.observe()
	l.must(e.Compact(l.ctx))
	l.must(e.RecordRuns(l.ctx, []engine.Run{{ID: run.ID, Site: site, Until: 1, Assigned: 1}}))
	for _, runID := range []string{run.ID, ""} {
		runs, err := l.plain().Runs(l.ctx, runID)
		l.must(err)
		require.Empty(l, runs)
	}
	counts, err := e.CountLanded(l.ctx, []engine.Landed{{WebID: "W1", Site: site, From: pin, To: pin + 10*second}})
	l.must(err)
	require.Equal(l, []int64{1}, counts)
	other.expect(map[int64]instant.Ticks{1: pin + 2*second, 2: pin + 2*second, 3: pin})
	l.land(1, pin+6*second)
	l.expect(map[int64]instant.Ticks{1: pin + 5*second, 2: pin + 5*second, 3: pin + 6*second})
}
