package spark

import (
	"context"
	"fmt"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Compact implements engine.Upkeep. It keeps each tag's greatest watermark (of
// pins the earliest), each partition's last entry and latest fence, and
// everything of batches that are not applied yet. A conflict with another
// writer leaves it to the next time.
func (e *Engine) Compact(ctx context.Context) error {
	if err := e.Steps.At("compact"); err != nil {
		return err
	}
	err := e.query(ctx, `MERGE INTO {checkpoints.tag_watermarks} t USING (
  SELECT DISTINCT site, point_id, partition_id, batch_seq, watermark_ticks FROM (
    SELECT w.site, w.point_id, w.partition_id, w.batch_seq, w.watermark_ticks, w.fence_ticks, m.batch_id IS NOT NULL AS applied,
      max(CASE WHEN w.batch_seq > 0 THEN w.watermark_ticks END) OVER tag AS landed,
      min(CASE WHEN w.batch_seq = 0 THEN w.watermark_ticks END) OVER tag AS pin,
      max(w.batch_seq) OVER partition AS last,
      max(w.fence_ticks) OVER partition AS fence
    FROM {checkpoints.tag_watermarks} w
    LEFT JOIN {monitoring.pipeline_metrics} m ON m.pipeline = :pipeline AND m.batch_id = w.batch_id
    WHERE w.pipeline = :pipeline
    WINDOW tag AS (PARTITION BY w.site, w.point_id), partition AS (PARTITION BY w.partition_id, w.point_id IS NULL))
  WHERE CASE
    WHEN point_id IS NOT NULL AND batch_seq = 0 THEN landed IS NOT NULL OR watermark_ticks > pin
    WHEN point_id IS NOT NULL THEN applied AND watermark_ticks < landed
    WHEN fence_ticks IS NOT NULL THEN batch_seq < last AND fence_ticks < fence
    ELSE applied AND batch_seq < last END) s
ON t.pipeline = :pipeline AND t.site <=> s.site AND t.point_id <=> s.point_id AND t.partition_id = s.partition_id AND t.batch_seq = s.batch_seq AND t.watermark_ticks <=> s.watermark_ticks
WHEN MATCHED THEN DELETE`, nil, nil)
	if isConflict(err) {
		return nil
	}
	return err
}

// Optimize implements engine.Upkeep: bronze by its layout, and the tables of
// control, to which every batch adds a small file. A conflict with another
// writer leaves it to the next time.
func (e *Engine) Optimize(ctx context.Context) error {
	bronze, err := e.optimizeBronze(ctx)
	if err != nil {
		return err
	}
	for _, statement := range []string{bronze, "OPTIMIZE " + e.name(tables.Watermarks), "OPTIMIZE " + e.name(tables.Metrics)} {
		if statement == "" {
			continue
		}
		if err := e.Steps.At("optimize"); err != nil {
			return err
		}
		if err := e.query(ctx, statement, nil, nil); err != nil && !isConflict(err) {
			return err
		}
	}
	return nil
}

// optimizeBronze gives the statement that lays bronze out; "" when nothing is new. Clustering finds by
// itself what changed; Z-order is told the days: those of what was landed since
// the day before the last consolidation that ended well: a batch is read before it is
// applied.
func (e *Engine) optimizeBronze(ctx context.Context) (string, error) {
	t := tables.Timeseries
	if e.Layout != ZOrder {
		return "OPTIMIZE " + e.name(t), nil
	}
	var day *string
	if err := e.query(ctx, `SELECT CAST(min(partition_date) AS STRING) FROM {bronze.pi_timeseries} WHERE ingestion_timestamp >=
coalesce((SELECT max(start_time) FROM {monitoring.pipeline_metrics} WHERE pipeline = :pipeline AND task = 'consolidate' AND status = 'SUCCEEDED') - INTERVAL '1' DAY, timestamp_micros(0))`,
		nil, func(r row) error { return r.scan(&day) }); err != nil || day == nil {
		return "", err
	}
	return fmt.Sprintf("OPTIMIZE %s WHERE partition_date >= DATE%s ZORDER BY (%s)", e.name(t), literal(*day), names(t.Cluster)), nil
}
