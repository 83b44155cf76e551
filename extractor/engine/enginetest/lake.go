package enginetest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// lake is a Subject that counts what a case costs.
type lake struct {
	Subject
	*cost
}

func newLake(s Subject) *lake { return &lake{s, new(cost)} }

func (l *lake) fresh(t testing.TB) *lake { return &lake{l.Fresh(t), l.cost} }

// cost is what a case did to the lake.
type cost struct {
	calls   atomic.Int64 // of methods of engines that ask for the tables
	steps   atomic.Int64 // durable ones that engines told of
	queries atomic.Int64 // of the suite itself
}

func (l *lake) query(t testing.TB, query string) [][]string {
	l.queries.Add(1)
	return l.Query(t, l.expand(query))
}

func (l *lake) exec(t testing.TB, statement string) {
	l.queries.Add(1)
	l.Exec(t, l.expand(statement))
}

// count gives the one number that a query gives.
func (l *lake) count(t testing.TB, query string) int {
	rows := l.query(t, query)
	require.Len(t, rows, 1)
	return int(number(t, rows[0][0]))
}

// expand replaces {schema} and {micros}.
func (l *lake) expand(query string) string {
	for _, s := range tables.Schemas {
		query = strings.ReplaceAll(query, "{"+s+"}", l.Schema(s))
	}
	return strings.ReplaceAll(query, "{micros}", l.Micros())
}

// snapshot is what the tables and the staging folders hold of one pipeline.
type snapshot struct {
	events  []event
	rows    []row // of checkpoints.tag_watermarks
	current map[int64]instant.Ticks
	metrics []metric // with a batch
	errors  []tagError
	whole   map[string]batch.Header // folders by batch
	torn    []string                // folders without a marker, by batch
}

type event struct {
	web   string
	at    instant.Ticks
	batch string
}

type row struct {
	partition, number int64
	batch             string
	point             int64 // 0: the row of the batch itself
	from, to          instant.Ticks
	fence             instant.Ticks // 0: none
}

type metric struct {
	partition, number int64
	batch             string
	events            int64
}

type tagError struct {
	point int64
	batch string
}

// tablesOf reads every table that the promises are about, in one statement.
func (l *lake) tablesOf(t testing.TB, pipeline string) *snapshot {
	s := &snapshot{current: map[int64]instant.Ticks{}, whole: map[string]batch.Header{}}
	of := " WHERE pipeline = '" + pipeline + "'"
	for _, r := range l.query(t, `SELECT 'event', e.tag_webid, CAST({micros}(e.timestamp) * 10 + e.timestamp_100ns AS STRING), e.batch_id, '', '', '', '' FROM {bronze}.pi_timeseries e`+of+`
UNION ALL SELECT 'row', CAST(partition_id AS STRING), CAST(batch_seq AS STRING), batch_id, CAST(point_id AS STRING), CAST(from_ticks AS STRING), CAST(watermark_ticks AS STRING), CAST(fence_ticks AS STRING)
FROM {checkpoints}.tag_watermarks`+of+`
UNION ALL SELECT 'current', CAST(point_id AS STRING), CAST(watermark_ticks AS STRING), '', '', '', '', '' FROM {checkpoints}.current_watermarks`+of+`
UNION ALL SELECT 'metric', CAST(partition_id AS STRING), CAST(batch_seq AS STRING), batch_id, CAST(points_ingested AS STRING), '', '', '' FROM {monitoring}.pipeline_metrics`+of+` AND batch_id IS NOT NULL
UNION ALL SELECT 'error', CAST(point_id AS STRING), batch_id, '', '', '', '', '' FROM {monitoring}.tag_errors`+of+` AND batch_id IS NOT NULL`) {
		n := func(i int) int64 { return number(t, r[i]) }
		switch r[0] {
		case "event":
			s.events = append(s.events, event{r[1], instant.Ticks(n(2)), r[3]})
		case "row":
			s.rows = append(s.rows, row{n(1), n(2), r[3], n(4), instant.Ticks(n(5)), instant.Ticks(n(6)), instant.Ticks(n(7))})
		case "current":
			s.current[n(1)] = instant.Ticks(n(2))
		case "metric":
			s.metrics = append(s.metrics, metric{n(1), n(2), r[3], n(4)})
		case "error":
			s.errors = append(s.errors, tagError{n(1), r[2]})
		}
	}
	return s
}

// foldersIn adds what is staged below a root.
func (s *snapshot) foldersIn(root, pipeline string) error {
	clear(s.whole)
	s.torn = nil
	folders, err := stage.All(root, pipeline)
	if err != nil {
		return err
	}
	for _, f := range folders {
		switch h, whole, err := f.Verify(); {
		case errors.As(err, new(*stage.Damage)):
			continue // it counts for nothing
		case err != nil:
			return err
		case whole:
			s.whole[f.BatchID] = h
		default:
			s.torn = append(s.torn, f.BatchID)
		}
	}
	return nil
}

// number reads a number; "" is 0.
func number(t testing.TB, text string) int64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}

// counted is an engine whose calls are counted.
type counted struct {
	engine.Engine
	*cost
}

func (e counted) called() engine.Engine {
	e.calls.Add(1)
	return e.Engine
}

func (e counted) Claim(ctx context.Context) error { return e.called().Claim(ctx) }

func (e counted) Unfinished(ctx context.Context) ([]int, error) { return e.called().Unfinished(ctx) }

func (e counted) Recover(ctx context.Context, partition int) error {
	return e.called().Recover(ctx, partition)
}

func (e counted) Owners(ctx context.Context, at instant.Ticks) ([]engine.Owner, instant.Ticks, error) {
	return e.called().Owners(ctx, at)
}

func (e counted) Fence(ctx context.Context, partition int, run engine.Run) error {
	return e.called().Fence(ctx, partition, run)
}

func (e counted) Assign(ctx context.Context, c engine.Change) error { return e.called().Assign(ctx, c) }

func (e counted) RecordRuns(ctx context.Context, runs []engine.Run) error {
	return e.called().RecordRuns(ctx, runs)
}

func (e counted) Runs(ctx context.Context, runID string) ([]engine.Run, error) {
	return e.called().Runs(ctx, runID)
}

func (e counted) Open(ctx context.Context, partition int, run engine.Run) (engine.State, error) {
	return e.called().Open(ctx, partition, run)
}

func (e counted) Publish(ctx context.Context, f stage.Folder) (engine.Verdict, error) {
	return e.called().Publish(ctx, f)
}

func (e counted) RecordAttempt(ctx context.Context, a engine.Attempt) error {
	return e.called().RecordAttempt(ctx, a)
}

func (e counted) LastAttempts(ctx context.Context, runID string) (map[int]string, error) {
	return e.called().LastAttempts(ctx, runID)
}

func (e counted) LandedBy(ctx context.Context, runID string, partition int) ([]engine.Landed, error) {
	return e.called().LandedBy(ctx, runID, partition)
}

func (e counted) CountLanded(ctx context.Context, tags []engine.Landed) ([]int64, error) {
	return e.called().CountLanded(ctx, tags)
}

func (e counted) RecordCompleteness(ctx context.Context, rows []engine.Completeness) error {
	return e.called().RecordCompleteness(ctx, rows)
}

func (e counted) RecordTagErrors(ctx context.Context, rows []engine.TagError) error {
	return e.called().RecordTagErrors(ctx, rows)
}

func (e counted) Compact(ctx context.Context) error { return e.called().Compact(ctx) }

func (e counted) Optimize(ctx context.Context) error { return e.called().Optimize(ctx) }
