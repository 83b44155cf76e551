package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Open implements engine.Landing.
func (e *Engine) Open(ctx context.Context, partition int, run engine.Run) (engine.State, error) {
	var st engine.State
	// One transaction is one snapshot: watermarks, last number and fences belong together.
	err := e.lake.transact(ctx, func(s *session) error {
		if err := s.row("SELECT epoch FROM {checkpoints.epochs}", nil, &st.Epoch); err != nil {
			return err
		}
		last, fence, err := e.last(s, partition)
		if err != nil {
			return err
		}
		if fence > run.Assigned {
			return engine.ErrZombie
		}
		st.Last = last
		return s.rows(`WITH marks AS (
  SELECT site, point_id, max(watermark_ticks) FILTER (WHERE batch_seq > 0) AS landed, min(watermark_ticks) FILTER (WHERE batch_seq = 0) AS pin
  FROM {checkpoints.tag_watermarks} WHERE pipeline = $1 AND point_id IS NOT NULL GROUP BY site, point_id)
SELECT o.point_id, o.tag_webid, o.tag_name, coalesce(o.point_type, ''), coalesce(o.units, ''), coalesce(o.events_per_hour, -1), coalesce(m.landed, m.pin)
FROM {metadata.tag_partitions} o LEFT JOIN marks m ON m.site = o.site AND m.point_id = o.point_id
WHERE o.pipeline = $1 AND o.partition_id = $2 AND o.valid_from <= $3 AND (o.valid_to IS NULL OR o.valid_to > $3)
ORDER BY o.point_id`, []any{e.pipeline, partition, stamp(run.Assigned)}, func(r *sql.Rows) error {
			var t batch.Tag
			var mark sql.NullInt64
			if err := r.Scan(&t.PointID, &t.WebID, &t.Name, &t.PointType, &t.Units, &t.EventsPerHour, &mark); err != nil {
				return err
			}
			if !mark.Valid {
				return diag.WithHint(fmt.Errorf("tag %q has neither a watermark nor a pin", t.Name),
					"the checkpoints were altered by hand; run discover again")
			}
			t.Watermark = instant.Ticks(mark.Int64)
			st.Tags = append(st.Tags, t)
			return nil
		})
	})
	return st, err
}

// last gives the greatest number of a partition's batches and its latest fence.
func (e *Engine) last(s *session, partition int) (number int64, fence instant.Ticks, err error) {
	err = s.row(`SELECT coalesce(max(batch_seq), 0), coalesce(max(fence_ticks), 0) FROM {checkpoints.tag_watermarks}
WHERE pipeline = ? AND partition_id = ? AND point_id IS NULL`, []any{e.pipeline, partition}, &number, &fence)
	return number, fence, err
}

// Folder implements engine.Landing.
func (e *Engine) Folder(partition int, number int64, batchID string) (stage.Folder, func()) {
	f := stage.New(e.lake.staging(), e.pipeline, partition, number, batchID)
	e.lake.mu.Lock()
	e.lake.live[f.Dir] = true
	e.lake.mu.Unlock()
	return f, func() {
		e.lake.mu.Lock()
		delete(e.lake.live, f.Dir)
		e.lake.mu.Unlock()
	}
}

// largeBatch is the number of events from which on publishing takes all the
// memory that DuckDB may have.
const largeBatch = 100_000

// giveBack returns to the system what reading and staging took, which is garbage
// by now: DuckDB's memory would come on top of it.
func giveBack() {
	runtime.GC() // pools let go of what they hold at the second collection
	debug.FreeOSMemory()
}

// Publish implements engine.Landing. One transaction holds the decision, the
// events, the watermarks and the metrics: no one ever sees a part of it.
func (e *Engine) Publish(ctx context.Context, f stage.Folder) (engine.Verdict, error) {
	h, whole, err := f.Verify()
	var damage *stage.Damage
	switch {
	case errors.As(err, &damage):
		return e.damaged(ctx, damage)
	case err != nil:
		return Lost, err
	case !whole:
		return e.gone(ctx, f)
	}
	if err := e.steps.At("publish"); err != nil {
		return Lost, err
	}
	verdict, err := e.land(ctx, f, &h)
	switch {
	case errors.As(err, &damage):
		return e.damaged(ctx, damage)
	case err != nil:
		return Lost, fmt.Errorf("publish batch %d of partition %d: %w", h.Number, h.Partition, err)
	}
	// Decided by another, or applied and durable: either way the folder has done its work.
	return verdict, e.remove(f)
}

// damaged sets a folder aside that is not what was staged. One that is applied
// has done its work.
func (e *Engine) damaged(ctx context.Context, d *stage.Damage) (verdict engine.Verdict, err error) {
	applied := false
	if err := e.lake.transact(ctx, func(s *session) (err error) {
		applied, err = e.applied(s, d.Folder.BatchID)
		return err
	}); err != nil {
		return Lost, err
	}
	if applied {
		return Applied, e.remove(d.Folder)
	}
	if err := e.steps.At("set aside"); err != nil {
		return Lost, err
	}
	return Lost, engine.PutAside(d)
}

// gone gives what became of a folder that another task has published and removed
// meanwhile.
func (e *Engine) gone(ctx context.Context, f stage.Folder) (verdict engine.Verdict, err error) {
	err = e.lake.transact(ctx, func(s *session) error {
		applied, err := e.applied(s, f.BatchID)
		if err != nil || applied {
			verdict = Applied
			return err
		}
		verdict = Lost
		last, _, err := e.last(s, f.Partition)
		if err == nil && f.Number > last {
			return fmt.Errorf("%s: the folder is torn and cannot be published", f.Dir)
		}
		return err
	})
	return verdict, err
}

// land is the transaction of Publish. A *stage.Damage says that the data are not
// those that the marker counts.
func (e *Engine) land(ctx context.Context, f stage.Folder, h *batch.Header) (verdict engine.Verdict, err error) {
	e.lake.publish.Lock()
	defer e.lake.publish.Unlock()
	if h.Events >= largeBatch {
		giveBack()
	}
	verdict = Applied
	err = e.lake.transact(ctx, func(s *session) error {
		free, applied, err := e.standing(s, h)
		if err != nil {
			return err
		}
		if !free {
			if !applied {
				verdict = Lost
			}
			return nil
		}
		if err := e.insert(s, f, h); err != nil {
			return err
		}
		return e.decide(s, h, 0)
	})
	return verdict, err
}

// insert brings a folder's events into bronze, by name of column.
func (e *Engine) insert(s *session, f stage.Folder, h *batch.Header) error {
	if len(h.Files) == 0 {
		return nil
	}
	data, err := e.dataOf(f, h)
	if err != nil {
		return err
	}
	if !h.Digested() {
		// Of an older program's folder only the data themselves can tell that they are whole.
		if err := s.exec("SELECT count(*), bit_xor(hash(COLUMNS(*))) FROM " + data); err != nil {
			return &stage.Damage{Folder: f, Header: *h, Reason: "its data cannot be read: " + firstLine(err)}
		}
	}
	// Instants are of a type with a time zone, as Spark wants; a cast here would go
	// through the calendar and cost more than all other columns together.
	var columns, values []string
	for _, c := range tables.Timeseries.Columns {
		column := quote(c.Name)
		columns = append(columns, column)
		if c.Type == tables.Timestamp {
			column = "make_timestamp(epoch_us(" + column + "))"
		}
		values = append(values, column)
	}
	rows, err := s.affected("INSERT INTO {bronze.pi_timeseries} (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") + " FROM " + data)
	if err != nil {
		return err
	}
	if rows != h.Events {
		return &stage.Damage{Folder: f, Header: *h, Reason: fmt.Sprintf("its data are %d events instead of %d", rows, h.Events)}
	}
	return nil
}

// dataOf returns what reads a folder's files: just these, whatever their paths look
// like, and no column from a path.
func (e *Engine) dataOf(f stage.Folder, h *batch.Header) (string, error) {
	paths := make([]string, len(h.Files))
	for i, file := range h.Files {
		path, err := filepath.Abs(f.Path(file)) // DuckDB takes a ~ at the beginning for a home
		if err != nil {
			return "", err
		}
		paths[i] = literal(noPattern.Replace(path))
	}
	return "read_parquet([" + strings.Join(paths, ", ") + "], hive_partitioning = false, union_by_name = true)", nil
}

// noPattern makes a path one that DuckDB takes as it is: it expands patterns. A
// backslash has no such form: CheckFolder has refused it.
var noPattern = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// remove removes a folder that is of no more use.
func (e *Engine) remove(f stage.Folder) error {
	if err := e.steps.At("remove folder"); err != nil {
		return err
	}
	return f.Remove()
}

// Applied and Lost are the engine's verdicts, named here for short.
const (
	Applied = engine.Applied
	Lost    = engine.Lost
)

// standing says whether the number of h is free, and, if not, whether h itself has it.
func (e *Engine) standing(s *session, h *batch.Header) (free, applied bool, err error) {
	var epoch string
	if err := s.row("SELECT epoch FROM {checkpoints.epochs}", nil, &epoch); err != nil {
		return false, false, err
	}
	if epoch != h.Epoch {
		return false, false, nil // of tables that are no more: its ranges are read anew
	}
	last, _, err := e.last(s, h.Partition)
	if err != nil || h.Number > last {
		return h.Number > last, false, err
	}
	applied, err = e.applied(s, h.ID)
	return false, applied, err
}

// applied says whether a batch is in bronze.
func (e *Engine) applied(s *session, batchID string) (bool, error) {
	var rows int64
	err := s.row("SELECT count(*) FROM {monitoring.pipeline_metrics} WHERE pipeline = ? AND batch_id = ?", []any{e.pipeline, batchID}, &rows)
	return rows > 0, err
}

// decide takes the number of h: its outcomes become watermarks, and one row
// with a null point stands for the batch itself. It carries the partition's
// latest fence on, so that compaction may drop all rows but the last.
func (e *Engine) decide(s *session, h *batch.Header, fence instant.Ticks) error {
	_, earlier, err := e.last(s, h.Partition)
	if err != nil {
		return err
	}
	at := now()
	err = s.appendTo(tables.Watermarks, func(add func(...driver.Value) error) error {
		for i := range h.Outcomes {
			o := &h.Outcomes[i]
			if o.To <= o.From {
				continue // nothing was read: the watermark stays
			}
			if err := add(o.WebID, int64(o.To), int64(o.From), int32(h.Partition), h.Number, h.ID, at, h.Site, o.PointID, e.pipeline, nil, o.Name); err != nil {
				return err
			}
		}
		var mark driver.Value
		if f := max(fence, earlier); f > 0 {
			mark = int64(f)
		}
		return add(nil, nil, nil, int32(h.Partition), h.Number, h.ID, at, text(h.Site), nil, e.pipeline, mark, nil)
	})
	if err != nil {
		return err
	}
	if err := e.appendErrors(s, engine.FailedTags(h), h.ID); err != nil {
		return err
	}
	if fence > 0 {
		return nil // a fence is no work of a task: no metrics
	}
	return s.appendTo(tables.Metrics, func(add func(...driver.Value) error) error { return add(metricsRow(h)...) })
}

// Fence implements engine.Landing.
func (e *Engine) Fence(ctx context.Context, partition int, run engine.Run) error {
	if err := e.steps.At("fence"); err != nil {
		return err
	}
	e.lake.publish.Lock()
	defer e.lake.publish.Unlock()
	return e.lake.transact(ctx, func(s *session) error {
		last, fence, err := e.last(s, partition)
		if err != nil || fence >= run.Assigned {
			return err
		}
		h := batch.Header{Partition: partition, Number: last + 1, ID: "fence-" + batch.NewID(), RunID: run.ID, Site: run.Site, Pipeline: e.pipeline}
		return e.decide(s, &h, run.Assigned)
	})
}

// Recover implements engine.Landing. Deciding and applying are one here, so only
// folders are left to look after. No other process has the data folder: a torn
// folder that no writer of this process holds is dead.
func (e *Engine) Recover(ctx context.Context, partition int) error {
	folders, err := stage.List(e.lake.staging(), e.pipeline, partition)
	if err != nil {
		return err
	}
	var aside engine.SetAside
	for _, f := range folders {
		e.lake.mu.Lock()
		live := e.lake.live[f.Dir]
		e.lake.mu.Unlock()
		if live {
			continue
		}
		if err := e.finish(ctx, f); !aside.Take(err) {
			return aside.With(err)
		}
	}
	return aside.With(nil)
}

// finish publishes a folder whose writer is gone, or removes it where it is torn.
func (e *Engine) finish(ctx context.Context, f stage.Folder) error {
	h, whole, err := f.Header()
	if err == nil && (!whole || !h.Bounded()) {
		return e.remove(f)
	}
	_, err = e.Publish(ctx, f) // it says what is wrong with the marker, too
	return err
}

func isConflict(err error) bool {
	var msg string
	for ; err != nil; err = errors.Unwrap(err) {
		msg = err.Error()
	}
	return strings.Contains(msg, "onflict") || strings.Contains(msg, "other write transactions") || strings.Contains(msg, "other transactions")
}
