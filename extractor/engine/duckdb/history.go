package duckdb

import (
	"context"
	"database/sql"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// TagHistory is what the tables know of one tag of a pipeline.
type TagHistory struct {
	Key    engine.Key
	Name   string        // its latest
	Owners []Ownership   // from the first to the latest
	Landed instant.Ticks // everything up to and with this is landed, or nothing is wanted before; 0: unknown
	Pinned bool          // nothing was landed yet: Landed is where it starts
	Failed *TagFailure   // the latest error; nil: none
}

// Ownership is a stretch of time in which a partition owned a tag.
type Ownership struct {
	Name       string
	Tier       string
	Partition  int
	Discovered bool // it was newer than the bundle: discover gave it a partition
	From       time.Time
	To         time.Time // zero: still
}

// TagFailure is a tag that could not be read.
type TagFailure struct {
	Error string
	At    time.Time
	RunID string
}

// Histories gives what the tables know of tags: of those with the keys, and of
// all that ever were called name. They are in order of site and point id.
func (e *Engine) Histories(ctx context.Context, name string, keys []engine.Key) (out []TagHistory, err error) {
	err = e.lake.transact(ctx, func(s *session) error {
		found, err := e.keysOf(s, name, keys)
		if err != nil {
			return err
		}
		for _, key := range found {
			h := TagHistory{Key: key}
			for _, part := range []func(*session, *TagHistory) error{e.owners, e.landed, e.failed} {
				if err := part(s, &h); err != nil {
					return err
				}
			}
			if len(h.Owners) > 0 {
				h.Name = h.Owners[len(h.Owners)-1].Name
				out = append(out, h)
			}
		}
		return nil
	})
	return out, err
}

// keysOf adds to keys those of tags that ever had a name, and sorts them.
func (e *Engine) keysOf(s *session, name string, keys []engine.Key) (out []engine.Key, err error) {
	sites, ids := make([]string, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		sites[i], ids[i] = k.Site, k.PointID
	}
	err = s.rows(`SELECT DISTINCT site, point_id FROM {metadata.tag_partitions} WHERE pipeline = $1 AND (tag_name = $2 OR
  (site, point_id) IN (SELECT unnest($3::VARCHAR[]), unnest($4::BIGINT[]))) ORDER BY ALL`, []any{e.pipeline, name, sites, ids}, func(r *sql.Rows) error {
		var k engine.Key
		if err := r.Scan(&k.Site, &k.PointID); err != nil {
			return err
		}
		out = append(out, k)
		return nil
	})
	return out, err
}

func (e *Engine) owners(s *session, h *TagHistory) error {
	return s.rows(`SELECT tag_name, tier, partition_id, source = 'discovered', valid_from, valid_to FROM {metadata.tag_partitions}
WHERE pipeline = $1 AND site = $2 AND point_id = $3 ORDER BY valid_from`, []any{e.pipeline, h.Key.Site, h.Key.PointID}, func(r *sql.Rows) error {
		var o Ownership
		var to sql.NullTime
		if err := r.Scan(&o.Name, &o.Tier, &o.Partition, &o.Discovered, &o.From, &to); err != nil {
			return err
		}
		o.To = to.Time
		h.Owners = append(h.Owners, o)
		return nil
	})
}

// landed reads as checkpoints.current_watermarks does, of one tag.
func (e *Engine) landed(s *session, h *TagHistory) error {
	return s.row(`SELECT coalesce(max(CASE WHEN batch_seq > 0 THEN watermark_ticks END), min(watermark_ticks), 0), coalesce(max(batch_seq), 0) = 0
FROM {checkpoints.tag_watermarks} WHERE pipeline = $1 AND site = $2 AND point_id = $3`, []any{e.pipeline, h.Key.Site, h.Key.PointID}, &h.Landed, &h.Pinned)
}

func (e *Engine) failed(s *session, h *TagHistory) error {
	return s.rows(`SELECT error, occurred_at, run_id FROM {monitoring.tag_errors}
WHERE pipeline = $1 AND site = $2 AND point_id = $3 ORDER BY occurred_at DESC LIMIT 1`, []any{e.pipeline, h.Key.Site, h.Key.PointID}, func(r *sql.Rows) error {
		h.Failed = &TagFailure{}
		return r.Scan(&h.Failed.Error, &h.Failed.At, &h.Failed.RunID)
	})
}

// Landed returns how many events each partition has landed, of all runs there were.
func (e *Engine) Landed(ctx context.Context) (map[int]int64, error) {
	out := map[int]int64{}
	err := e.lake.transact(ctx, func(s *session) error {
		return s.rows(`SELECT partition_id, sum(points_ingested)::BIGINT FROM {monitoring.pipeline_metrics}
WHERE pipeline = ? AND batch_id IS NOT NULL AND partition_id IS NOT NULL GROUP BY 1`, []any{e.pipeline}, func(r *sql.Rows) error {
			var partition int
			var events int64
			if err := r.Scan(&partition, &events); err != nil {
				return err
			}
			out[partition] = events
			return nil
		})
	})
	return out, err
}
