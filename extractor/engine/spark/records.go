package spark

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// RecordRuns implements engine.Records.
func (e *Engine) RecordRuns(ctx context.Context, runs []engine.Run) error {
	if len(runs) == 0 {
		return nil
	}
	source := rowsOf(tables.Runs)
	now := time.Now().UnixMicro()
	for _, r := range runs {
		row := record{"run_id": r.ID, "pipeline": e.Options.Pipeline, "site": r.Site, "tier": r.Tier, "until_ticks": r.Until, "assigned_ticks": r.Assigned,
			"last_point_id": r.LastPointID, "skew_ticks": r.Skew, "plan_id": r.PlanID, "recorded_at": now}
		if r.NewPoints >= 0 {
			row["new_points"] = r.NewPoints
		}
		row["unresolved"] = r.Unresolved
		row.optional("until_by", r.UntilBy)
		row.optional("clock_doubt", r.Doubt)
		source.add(row)
	}
	if err := e.Steps.At("record runs"); err != nil {
		return err
	}
	return e.given(source, func(query string, a args) error {
		return e.changeTable(ctx, tables.Runs, `MERGE INTO {metadata.runs} t USING (`+query+`) s ON t.run_id = s.run_id AND t.pipeline = s.pipeline AND t.site = s.site
WHEN NOT MATCHED THEN `+inserted(tables.Runs), a)
	})
}

// Runs implements engine.Records.
func (e *Engine) Runs(ctx context.Context, runID string) (out []engine.Run, err error) {
	err = e.query(ctx, `SELECT run_id, site, tier, until_ticks, assigned_ticks, last_point_id, skew_ticks, plan_id, coalesce(new_points, -1), coalesce(until_by, ''), coalesce(unresolved, 0), coalesce(clock_doubt, '') FROM (
  SELECT `+names(tables.Runs.ColumnNames())+`, row_number() OVER (PARTITION BY site ORDER BY assigned_ticks DESC, recorded_at DESC) AS newest FROM {metadata.runs}
  WHERE pipeline = :pipeline AND (:run = '' OR run_id = :run)) WHERE newest = 1`, args{"run": runID}, func(r row) error {
		var n engine.Run
		err := r.scan(&n.ID, &n.Site, &n.Tier, &n.Until, &n.Assigned, &n.LastPointID, &n.Skew, &n.PlanID, &n.NewPoints, &n.UntilBy, &n.Unresolved, &n.Doubt)
		out = append(out, n)
		return err
	})
	return sortedBy(out, func(a, b engine.Run) int { return strings.Compare(a.Site, b.Site) }), err
}

// metricsOf gives the row of pipeline_metrics that says that a batch is applied.
func metricsOf(h *batch.Header) *rows {
	failed := h.Failures()
	out := rowsOf(tables.Metrics)
	out.add(record{"run_id": h.RunID, "partition_id": h.Partition, "start_time": micros(h.Started), "end_time": micros(h.Ended),
		"duration_seconds": seconds(h.Ended.Time().Sub(h.Started.Time())), "tags_processed": len(h.Outcomes) - failed, "points_ingested": h.Events, "status": h.Status,
		"pipeline": h.Pipeline, "task": "extract", "tier": h.Tier, "site": h.Site, "attempt": h.Attempt, "batch_id": h.ID, "batch_seq": h.Number, "tags_failed": failed + h.Unresolved, "requests": h.Requests,
		"retries": h.Retries})
	return out
}

func seconds(d time.Duration) int64 { return int64(d.Round(time.Second) / time.Second) }

// RecordAttempt implements engine.Records.
func (e *Engine) RecordAttempt(ctx context.Context, a engine.Attempt) error {
	r := record{"run_id": a.RunID, "start_time": a.Started.UnixMicro(), "end_time": a.Ended.UnixMicro(), "duration_seconds": seconds(a.Ended.Sub(a.Started)),
		"tags_processed": a.Tags, "points_ingested": a.Events, "status": a.Status, "pipeline": e.Options.Pipeline, "task": a.Task, "tier": a.Tier, "attempt": a.Number,
		"tags_failed": a.Failed, "requests": a.Requests, "retries": a.Retries}
	if a.Partition >= 0 {
		r["partition_id"] = a.Partition
	}
	r.optional("site", a.Site)
	r.optional("error", a.Error)
	out := rowsOf(tables.Metrics)
	out.add(r)
	return e.appendRows(ctx, tables.Metrics, out, token{})
}

// LastAttempts implements engine.Records.
func (e *Engine) LastAttempts(ctx context.Context, runID string) (map[int]string, error) {
	out := map[int]string{}
	return out, e.query(ctx, `SELECT coalesce(partition_id, -1) AS id, max_by(status, struct(end_time, attempt, coalesce(batch_seq, 9223372036854775807L))) FROM {monitoring.pipeline_metrics}
WHERE pipeline = :pipeline AND run_id = :run AND (task = 'extract' AND partition_id IS NOT NULL OR task = 'discover') GROUP BY 1`, args{"run": runID}, func(r row) error {
		var p int
		var status string
		err := r.scan(&p, &status)
		out[p] = status
		return err
	})
}

// LandedBy implements engine.Records.
func (e *Engine) LandedBy(ctx context.Context, runID string, partition int) (out []engine.Landed, err error) {
	err = e.query(ctx, `WITH validated AS (
  SELECT tier, max(start_time) AS began FROM {monitoring.pipeline_metrics}
  WHERE pipeline = :pipeline AND task = 'validate' AND status = 'SUCCEEDED' AND run_id <> :run GROUP BY tier),
applied AS (
  SELECT m.batch_id, m.run_id, v.began FROM {monitoring.pipeline_metrics} m LEFT JOIN validated v ON v.tier = m.tier
  WHERE m.pipeline = :pipeline AND m.partition_id = :partition AND m.batch_id IS NOT NULL),
latest AS (
  SELECT w.site, w.point_id, max(struct(w.watermark_ticks, w.from_ticks, w.tag_webid, w.tag_name)) AS l FROM {checkpoints.tag_watermarks} w JOIN applied a ON a.batch_id = w.batch_id
  WHERE w.pipeline = :pipeline AND w.point_id IS NOT NULL AND w.batch_seq > 0 AND w.partition_id = :partition AND w.watermark_ticks > w.from_ticks
    AND (a.run_id = :run OR a.began IS NULL OR w.updated_at >= a.began)
  GROUP BY w.site, w.point_id)
SELECT latest.site, latest.point_id, l.tag_webid, l.tag_name, coalesce(t.point_type, ''), l.from_ticks, l.watermark_ticks
FROM latest LEFT JOIN {metadata.tags} t ON t.point_id = latest.point_id AND t.site = latest.site AND t.pipeline = :pipeline`,
		args{"run": runID, "partition": partition}, func(r row) error {
			var n engine.Landed
			err := r.scan(&n.Site, &n.PointID, &n.WebID, &n.Name, &n.PointType, &n.From, &n.To)
			out = append(out, n)
			return err
		})
	return sortedBy(out, func(a, b engine.Landed) int {
		return cmp.Or(strings.Compare(a.Site, b.Site), cmp.Compare(a.PointID, b.PointID))
	}), err
}

// CountLanded implements engine.Records.
func (e *Engine) CountLanded(ctx context.Context, tags []engine.Landed) ([]int64, error) {
	counts := make([]int64, len(tags))
	if len(tags) == 0 {
		return counts, nil
	}
	first, last := tags[0].From, tags[0].To
	asked := (&rows{}).and("i", tables.Int).and("site", tables.String).and("tag_webid", tables.String).and("after", tables.BigInt).and("until", tables.BigInt)
	for i, t := range tags {
		first, last = min(first, t.From), max(last, t.To)
		asked.add(record{"i": i, "site": t.Site, "tag_webid": t.WebID, "after": t.From, "until": t.To})
	}
	err := e.given(asked, func(query string, a args) error {
		with := args{"first": micros(first), "last": micros(last)}
		maps.Copy(with, a)
		// The bounds as plain values let the scan leave out what is older.
		return e.query(ctx, `SELECT c.i, count(*) FROM {bronze.pi_timeseries} b JOIN (`+query+`) c ON b.tag_webid = c.tag_webid AND b.site = c.site
WHERE b.pipeline = :pipeline AND b.`+"`timestamp`"+` BETWEEN timestamp_micros(:first) AND timestamp_micros(:last)
AND unix_micros(b.`+"`timestamp`"+`) * 10 + b.timestamp_100ns > c.after AND unix_micros(b.`+"`timestamp`"+`) * 10 + b.timestamp_100ns <= c.until GROUP BY c.i`, with, func(r row) error {
			var i int
			var n int64
			if err := r.scan(&i, &n); err != nil {
				return err
			}
			if i < 0 || i >= len(counts) {
				return fmt.Errorf("a count of tag %d, and %d were asked for", i, len(counts))
			}
			counts[i] = n
			return nil
		})
	})
	return counts, err
}

// RecordCompleteness implements engine.Records.
func (e *Engine) RecordCompleteness(ctx context.Context, all []engine.Completeness) error {
	now := time.Now().UnixMicro()
	out := rowsOf(tables.Completeness)
	for _, c := range all {
		r := record{"run_id": c.RunID, "partition_id": c.Partition, "site": c.Site, "tier": c.Tier, "tags_checked": c.Tags, "expected_events": c.Expected, "landed_events": c.Landed,
			"completeness": c.Share, "incomplete_tags": c.Incomplete, "method": c.Method, "checked_at": now, "pipeline": e.Options.Pipeline,
			"uncounted_tags": c.Uncounted}
		r.optional("compares", c.Compares)
		out.add(r)
	}
	return e.appendRows(ctx, tables.Completeness, out, token{})
}

// RecordTagErrors implements engine.Records.
func (e *Engine) RecordTagErrors(ctx context.Context, all []engine.TagError) error {
	return e.appendErrors(ctx, all, "", token{})
}

func (e *Engine) appendErrors(ctx context.Context, all []engine.TagError, batchID string, k token) error {
	now := instant.FromTime(time.Now())
	out := rowsOf(tables.TagErrors)
	for _, t := range all {
		r := record{"run_id": t.RunID, "partition_id": t.Partition, "tag_name": t.Name, "site": t.Site, "error": t.Error, "occurred_at": micros(now), "pipeline": e.Options.Pipeline}
		if t.PointID != 0 {
			r["watermark_ticks"], r["point_id"] = t.Watermark, t.PointID
		}
		r.optional("tag_webid", t.WebID)
		r.optional("batch_id", batchID)
		out.add(r)
	}
	return e.appendRows(ctx, tables.TagErrors, out, k)
}

// Unresolved implements engine.Records.
func (e *Engine) Unresolved(ctx context.Context, runID string, partition int) (out []engine.TagError, err error) {
	err = e.query(ctx, `SELECT tag_name, any_value(site), any_value(error) FROM {monitoring.tag_errors}
WHERE pipeline = :pipeline AND run_id = :run AND partition_id = :partition AND point_id IS NULL GROUP BY tag_name`, args{"run": runID, "partition": partition}, func(r row) error {
		t := engine.TagError{RunID: runID, Partition: partition}
		err := r.scan(&t.Name, &t.Site, &t.Error)
		out = append(out, t)
		return err
	})
	return sortedBy(out, func(a, b engine.TagError) int { return strings.Compare(a.Name, b.Name) }), err
}
