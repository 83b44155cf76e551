package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Engine is the engine of one pipeline in a Lake.
type Engine struct {
	lake     *Lake
	pipeline string
	steps    engine.Steps
}

// WithSteps gives the engine with its steps told of, for tests.
func (e *Engine) WithSteps(steps engine.Steps) *Engine {
	return &Engine{lake: e.lake, pipeline: e.pipeline, steps: steps}
}

var _ engine.Engine = (*Engine)(nil)

// Close does nothing: the Lake is its opener's to close.
func (e *Engine) Close() error { return nil }

// Claim implements engine.Landing: one transaction, which leaves nothing behind
// when the checkpoints are found to be lost.
func (e *Engine) Claim(ctx context.Context) error {
	if err := e.steps.At("claim"); err != nil {
		return err
	}
	e.lake.publish.Lock()
	defer e.lake.publish.Unlock()
	return e.lake.transact(ctx, func(s *session) error {
		for _, step := range []func(*session) error{e.lake.create, e.checkDropped, e.checkRestored} {
			if err := step(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkDropped refuses to go on where bronze has rows of the pipeline and the
// checkpoints have none.
func (e *Engine) checkDropped(s *session) error {
	var checked int64
	if err := s.row("SELECT count(*) FROM {checkpoints.tag_watermarks} WHERE pipeline = ? AND batch_seq > 0", []any{e.pipeline}, &checked); err != nil || checked > 0 {
		return err
	}
	return e.lost(s, "SELECT count(*) FROM {bronze.pi_timeseries} WHERE pipeline = ?")
}

// checkRestored refuses to go on where bronze has rows of batches whose numbers
// the checkpoints take for free: they went back to an older state.
func (e *Engine) checkRestored(s *session) error {
	return e.lost(s, `SELECT count(*) FROM {bronze.pi_timeseries} b WHERE b.pipeline = $1 AND b.batch_id IN (
  SELECT m.batch_id FROM {monitoring.pipeline_metrics} m
  LEFT JOIN (SELECT partition_id, max(batch_seq) AS last FROM {checkpoints.tag_watermarks} WHERE pipeline = $1 AND point_id IS NULL GROUP BY partition_id) w USING (partition_id)
  WHERE m.pipeline = $1 AND m.batch_id IS NOT NULL AND m.batch_seq > coalesce(w.last, 0))`)
}

// lost fails when a query finds rows of bronze that have no checkpoints.
func (e *Engine) lost(s *session, query string) error {
	var rows int64
	if err := s.row(query, []any{e.pipeline}, &rows); err != nil || rows == 0 {
		return err
	}
	return &engine.LostCheckpoints{Pipeline: e.pipeline, Rows: rows}
}

// Unfinished implements engine.Landing. Here a batch is decided and applied in one
// transaction: what is unfinished has a folder.
func (e *Engine) Unfinished(context.Context) ([]int, error) {
	folders, err := stage.All(e.lake.staging(), e.pipeline)
	var out []int
	for _, f := range folders {
		out = append(out, f.Partition)
	}
	return slices.Compact(out), err
}

// RecordRuns implements engine.Records.
func (e *Engine) RecordRuns(ctx context.Context, runs []engine.Run) error {
	if err := e.steps.At("record runs"); err != nil {
		return err
	}
	e.lake.publish.Lock() // two inserts side by side would both find nothing recorded
	defer e.lake.publish.Unlock()
	return e.lake.transact(ctx, func(s *session) error {
		for _, r := range runs {
			if err := s.exec(`INSERT INTO {metadata.runs} BY NAME SELECT ? AS run_id, ? AS pipeline, ? AS site, ? AS tier, ? AS until_ticks,
  ? AS assigned_ticks, ? AS last_point_id, ? AS skew_ticks, ? AS plan_id, ? AS recorded_at, ? AS new_points, ? AS until_by, ? AS unresolved, ? AS clock_doubt
WHERE NOT EXISTS (FROM {metadata.runs} WHERE run_id = ? AND pipeline = ? AND site = ?)`,
				r.ID, e.pipeline, r.Site, r.Tier, int64(r.Until), int64(r.Assigned), r.LastPointID, int64(r.Skew), r.PlanID, now(), counted(r.NewPoints), text(r.UntilBy), int32(r.Unresolved), text(r.Doubt),
				r.ID, e.pipeline, r.Site); err != nil {
				return err
			}
		}
		return nil
	})
}

// counted returns a count for a column, where a negative one means that nobody counted.
func counted(n int) any {
	if n < 0 {
		return nil
	}
	return int64(n)
}

// Runs implements engine.Records.
func (e *Engine) Runs(ctx context.Context, runID string) ([]engine.Run, error) {
	var out []engine.Run
	err := e.lake.transact(ctx, func(s *session) error {
		return s.rows(`SELECT run_id, site, tier, until_ticks, assigned_ticks, last_point_id, skew_ticks, plan_id, coalesce(new_points, -1), coalesce(until_by, ''), coalesce(unresolved, 0), coalesce(clock_doubt, '') FROM {metadata.runs}
WHERE pipeline = ? AND (? = '' OR run_id = ?) QUALIFY row_number() OVER (PARTITION BY site ORDER BY assigned_ticks DESC, recorded_at DESC) = 1 ORDER BY site`,
			[]any{e.pipeline, runID, runID}, func(rows *sql.Rows) error {
				var r engine.Run
				if err := rows.Scan(&r.ID, &r.Site, &r.Tier, &r.Until, &r.Assigned, &r.LastPointID, &r.Skew, &r.PlanID, &r.NewPoints, &r.UntilBy, &r.Unresolved, &r.Doubt); err != nil {
					return err
				}
				out = append(out, r)
				return nil
			})
	})
	return out, err
}

// RecordAttempt implements engine.Records.
func (e *Engine) RecordAttempt(ctx context.Context, a engine.Attempt) error {
	var partition any
	if a.Partition >= 0 {
		partition = int32(a.Partition)
	}
	return e.lake.transact(ctx, func(s *session) error {
		return s.appendTo(tables.Metrics, func(add func(...driver.Value) error) error {
			return add(a.RunID, partition, a.Started.UTC(), a.Ended.UTC(), seconds(a.Ended.Sub(a.Started)), int32(a.Tags), a.Events, a.Status,
				e.pipeline, a.Task, a.Tier, text(a.Site), int32(a.Number), nil, nil, int32(a.Failed), a.Requests, text(a.Error), a.Retries)
		})
	})
}

// LastAttempts implements engine.Records.
func (e *Engine) LastAttempts(ctx context.Context, runID string) (map[int]string, error) {
	out := map[int]string{}
	err := e.lake.transact(ctx, func(s *session) error {
		return s.rows(`SELECT coalesce(partition_id, -1), status FROM {monitoring.pipeline_metrics} WHERE pipeline = ? AND run_id = ? AND task IN ('extract', 'discover')
QUALIFY row_number() OVER (PARTITION BY partition_id ORDER BY end_time DESC, attempt DESC, batch_seq DESC NULLS FIRST) = 1`,
			[]any{e.pipeline, runID}, func(r *sql.Rows) error {
				var p int
				var status string
				if err := r.Scan(&p, &status); err != nil {
					return err
				}
				out[p] = status
				return nil
			})
	})
	return out, err
}

// LandedBy implements engine.Records.
func (e *Engine) LandedBy(ctx context.Context, runID string, partition int) ([]engine.Landed, error) {
	var out []engine.Landed
	err := e.lake.transact(ctx, func(s *session) error {
		return s.rows(`WITH validated AS (
  SELECT tier, max(start_time) AS began FROM {monitoring.pipeline_metrics}
  WHERE pipeline = $1 AND task = 'validate' AND status = 'SUCCEEDED' AND run_id <> $2 GROUP BY tier),
applied AS (
  SELECT m.batch_id, m.run_id, v.began FROM {monitoring.pipeline_metrics} m LEFT JOIN validated v ON v.tier = m.tier
  WHERE m.pipeline = $1 AND m.partition_id = $3 AND m.batch_id IS NOT NULL),
latest AS (
  SELECT w.site, w.point_id, w.tag_webid, w.tag_name, w.from_ticks, w.watermark_ticks FROM {checkpoints.tag_watermarks} w JOIN applied a ON a.batch_id = w.batch_id
  WHERE w.pipeline = $1 AND w.point_id IS NOT NULL AND w.batch_seq > 0 AND w.partition_id = $3 AND w.watermark_ticks > w.from_ticks
    AND (a.run_id = $2 OR a.began IS NULL OR w.updated_at >= a.began)
  QUALIFY row_number() OVER (PARTITION BY w.site, w.point_id ORDER BY w.watermark_ticks DESC) = 1)
SELECT l.site, l.point_id, l.tag_webid, l.tag_name, coalesce(t.point_type, ''), l.from_ticks, l.watermark_ticks
FROM latest l LEFT JOIN {metadata.tags} t ON t.point_id = l.point_id AND t.site = l.site AND t.pipeline = $1
ORDER BY l.site, l.point_id`,
			[]any{e.pipeline, runID, partition}, func(r *sql.Rows) error {
				var l engine.Landed
				if err := r.Scan(&l.Site, &l.PointID, &l.WebID, &l.Name, &l.PointType, &l.From, &l.To); err != nil {
					return err
				}
				out = append(out, l)
				return nil
			})
	})
	return out, err
}

// CountLanded implements engine.Records.
func (e *Engine) CountLanded(ctx context.Context, tags []engine.Landed) ([]int64, error) {
	counts := make([]int64, len(tags))
	if len(tags) == 0 {
		return counts, nil
	}
	err := e.lake.transact(ctx, func(s *session) error {
		if err := s.exec("CREATE OR REPLACE TEMP TABLE counting (i INTEGER, site VARCHAR, tag_webid VARCHAR, after BIGINT, until BIGINT)"); err != nil {
			return err
		}
		first, last := tags[0].From, tags[0].To
		if err := s.append("", "counting", nil, func(add func(...driver.Value) error) error {
			for i, t := range tags {
				first, last = min(first, t.From), max(last, t.To)
				if err := add(int32(i), t.Site, t.WebID, int64(t.From), int64(t.To)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		// The bounds as plain values let the scan leave out what is older.
		return s.rows(`SELECT c.i, count(*) FROM {bronze.pi_timeseries} b JOIN counting c ON b.tag_webid = c.tag_webid AND b.site = c.site
WHERE b.pipeline = $1 AND b."timestamp" BETWEEN $2 AND $3
AND epoch_us(b."timestamp") * 10 + b.timestamp_100ns > c.after AND epoch_us(b."timestamp") * 10 + b.timestamp_100ns <= c.until GROUP BY c.i`,
			[]any{e.pipeline, stamp(first), stamp(last)}, func(r *sql.Rows) error {
				var i int
				var n int64
				if err := r.Scan(&i, &n); err != nil {
					return err
				}
				counts[i] = n
				return nil
			})
	})
	return counts, err
}

// RecordCompleteness implements engine.Records.
func (e *Engine) RecordCompleteness(ctx context.Context, rows []engine.Completeness) error {
	return e.lake.transact(ctx, func(s *session) error {
		return s.appendTo(tables.Completeness, func(add func(...driver.Value) error) error {
			for _, c := range rows {
				if err := add(c.RunID, int32(c.Partition), c.Site, c.Tier, int32(c.Tags), c.Expected, c.Landed, c.Share, int32(c.Incomplete), c.Method, now(), e.pipeline, int32(c.Uncounted), text(c.Compares)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// RecordTagErrors implements engine.Records.
func (e *Engine) RecordTagErrors(ctx context.Context, rows []engine.TagError) error {
	return e.lake.transact(ctx, func(s *session) error { return e.appendErrors(s, rows, "") })
}

func (e *Engine) appendErrors(s *session, rows []engine.TagError, batchID string) error {
	at := now()
	return s.appendTo(tables.TagErrors, func(add func(...driver.Value) error) error {
		for _, r := range rows {
			var watermark, point driver.Value
			if r.PointID != 0 {
				watermark, point = int64(r.Watermark), r.PointID
			}
			if err := add(r.RunID, int32(r.Partition), text(r.WebID), r.Name, r.Site, r.Error, at, watermark, point, e.pipeline, text(batchID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unresolved implements engine.Records.
func (e *Engine) Unresolved(ctx context.Context, runID string, partition int) (out []engine.TagError, err error) {
	err = e.lake.transact(ctx, func(s *session) error {
		return s.rows(`SELECT tag_name, any_value(site), any_value(error) FROM {monitoring.tag_errors} WHERE pipeline = ? AND run_id = ? AND partition_id = ? AND point_id IS NULL
GROUP BY tag_name ORDER BY tag_name`, []any{e.pipeline, runID, int32(partition)}, func(r *sql.Rows) error {
			t := engine.TagError{RunID: runID, Partition: partition}
			err := r.Scan(&t.Name, &t.Site, &t.Error)
			out = append(out, t)
			return err
		})
	})
	return out, err
}

// Compact implements engine.Upkeep.
func (e *Engine) Compact(ctx context.Context) error {
	if err := e.steps.At("compact"); err != nil {
		return err
	}
	e.lake.publish.Lock()
	defer e.lake.publish.Unlock()
	return e.lake.transact(ctx, func(s *session) error {
		// A landed watermark outranks every pin; of two pins the earlier wins. The
		// batches' own rows carry fences on (see decide), so the last one is enough.
		return s.exec(`DELETE FROM {checkpoints.tag_watermarks} WHERE pipeline = $1 AND rowid NOT IN (
  SELECT rowid FROM {checkpoints.tag_watermarks} WHERE pipeline = $1 QUALIFY row_number() OVER (
    PARTITION BY site, point_id, CASE WHEN point_id IS NULL THEN partition_id END
    ORDER BY (batch_seq > 0) DESC,
      CASE WHEN point_id IS NULL THEN batch_seq WHEN batch_seq > 0 THEN watermark_ticks ELSE -watermark_ticks END DESC, batch_seq DESC) = 1)`, e.pipeline)
	})
}

// Optimize implements engine.Upkeep: DuckDB's counterpart of OPTIMIZE is a
// checkpoint, which merges small row groups and gives deleted space back. Where
// another transaction is under way it is left to the next time.
func (e *Engine) Optimize(ctx context.Context) error {
	if err := e.steps.At("checkpoint"); err != nil {
		return err
	}
	e.lake.publish.Lock()
	defer e.lake.publish.Unlock()
	_, err := e.lake.db.ExecContext(ctx, "CHECKPOINT")
	if err != nil && isConflict(err) {
		return nil
	}
	return err
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func stamp(t instant.Ticks) time.Time { return t.Time().Truncate(time.Microsecond) }

// text gives NULL for an empty string.
func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func seconds(d time.Duration) int32 { return int32(d.Round(time.Second) / time.Second) }

func metricsRow(h *batch.Header) []driver.Value {
	failed := h.Failures()
	return []driver.Value{
		h.RunID, int32(h.Partition), stamp(h.Started), stamp(h.Ended), seconds(h.Ended.Time().Sub(h.Started.Time())),
		int32(len(h.Outcomes) - failed), h.Events, h.Status, h.Pipeline, "extract", h.Tier, h.Site, int32(h.Attempt), h.ID, h.Number, int32(failed + h.Unresolved), h.Requests, nil, h.Retries,
	}
}
