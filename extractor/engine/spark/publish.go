package spark

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Open implements engine.Landing: one statement is one snapshot of every table it reads.
func (e *Engine) Open(ctx context.Context, partition int, run engine.Run) (engine.State, error) {
	var st engine.State
	var l ledger
	const tag = 1
	err := e.query(ctx, `SELECT 1 AS kind, o.point_id, o.tag_webid, o.tag_name, coalesce(o.point_type, ''), coalesce(o.units, ''), coalesce(o.events_per_hour, -1D),
  coalesce(max(CASE WHEN w.batch_seq > 0 THEN w.watermark_ticks END), min(CASE WHEN w.batch_seq = 0 THEN w.watermark_ticks END))
FROM {metadata.tag_partitions} o LEFT JOIN {checkpoints.tag_watermarks} w ON w.pipeline = :pipeline AND w.site = o.site AND w.point_id = o.point_id
WHERE o.pipeline = :pipeline AND o.partition_id = :partition AND o.valid_from <= timestamp_micros(:at) AND (o.valid_to IS NULL OR o.valid_to > timestamp_micros(:at))
GROUP BY ALL
UNION ALL SELECT 2, w.batch_seq, w.batch_id, '', '', '', -1D, coalesce(w.fence_ticks, 0) FROM {checkpoints.tag_watermarks} w
WHERE w.pipeline = :pipeline AND w.partition_id = :partition AND w.point_id IS NULL
UNION ALL SELECT 2, 0, `+latestEpoch+`, '', '', '', -1D, 0`,
		args{"partition": partition, "at": micros(run.Assigned)}, func(r row) error {
			var kind int
			var t batch.Tag
			var mark *int64
			if err := r.scan(&kind, &t.PointID, &t.WebID, &t.Name, &t.PointType, &t.Units, &t.EventsPerHour, &mark); err != nil {
				return err
			}
			switch {
			case kind != tag && t.PointID == 0:
				l.epoch = t.WebID
			case kind != tag:
				l.entries = append(l.entries, entry{number: t.PointID, batchID: t.WebID, fence: instant.Ticks(*mark)})
			case mark == nil:
				return diag.WithHint(fmt.Errorf("tag %q has neither a watermark nor a pin", t.Name),
					"the checkpoints were altered by hand; run discover again")
			default:
				t.Watermark = instant.Ticks(*mark)
				st.Tags = append(st.Tags, t)
			}
			return nil
		})
	if err != nil {
		return st, err
	}
	l.sort()
	if l.zombie(run) {
		return st, engine.ErrZombie
	}
	st.Epoch, st.Last = l.epoch, l.last()
	sortedBy(st.Tags, func(a, b batch.Tag) int { return cmp.Compare(a.PointID, b.PointID) })
	return st, nil
}

// Publish implements engine.Landing: decide, then apply.
func (e *Engine) Publish(ctx context.Context, f stage.Folder) (engine.Verdict, error) {
	h, whole, err := f.Verify()
	var damage *stage.Damage
	switch {
	case errors.As(err, &damage):
		return e.damaged(ctx, damage)
	case err != nil:
		return engine.Lost, err
	case !whole:
		return e.publishedBefore(ctx, f)
	}
	return e.publishWhole(ctx, f, &h)
}

// publishWhole publishes a folder that was verified.
func (e *Engine) publishWhole(ctx context.Context, f stage.Folder, h *batch.Header) (engine.Verdict, error) {
	if !h.Digested() {
		if err := e.readThrough(ctx, f, h); err != nil {
			var damage *stage.Damage
			if errors.As(err, &damage) {
				return e.damaged(ctx, damage)
			}
			return engine.Lost, err
		}
	}
	verdict, err := e.publish(ctx, f, h)
	if err != nil {
		return engine.Lost, fmt.Errorf("publish batch %d of partition %d: %w", h.Number, h.Partition, err)
	}
	return verdict, nil
}

// damaged deals with a folder that is not what was staged. Before its batch is
// decided it is set aside, and its ranges are read again. After that only what is
// in bronze counts.
func (e *Engine) damaged(ctx context.Context, d *stage.Damage) (engine.Verdict, error) {
	f := d.Folder
	l, err := e.readLedger(ctx, f.Partition)
	if err != nil {
		return engine.Lost, err
	}
	applied := l.winner(f.Number) == f.BatchID
	if applied {
		err = e.applyPending(ctx, f.Partition, l, f.Number, stage.Folder{})
	} else {
		applied, err = e.isApplied(ctx, f.BatchID)
	}
	if err != nil {
		return engine.Lost, err
	}
	if applied {
		return engine.Applied, e.remove(f)
	}
	if err := e.Steps.At("set aside"); err != nil {
		return engine.Lost, err
	}
	return engine.Lost, e.staged(engine.PutAside(d))
}

// readThrough reads all data of an older program's folder, whose marker has no
// digests: only the data themselves can tell that they are whole.
func (e *Engine) readThrough(ctx context.Context, f stage.Folder, h *batch.Header) error {
	if h.Events == 0 {
		return nil
	}
	var rows int64
	err := e.query(ctx, "SELECT count(*) FROM (SELECT xxhash64("+names(tables.Timeseries.ColumnNames())+") AS row FROM ("+dataOf(f, h)+")) WHERE row IS NOT NULL", nil, func(r row) error { return r.scan(&rows) })
	var failed *Failure
	switch {
	case errors.As(err, &failed):
		return &stage.Damage{Folder: f, Header: *h, Reason: "its data cannot be read: " + firstLine(err)}
	case err != nil:
		return err
	case rows != h.Events:
		return &stage.Damage{Folder: f, Header: *h, Reason: fmt.Sprintf("its data are %d events instead of %d", rows, h.Events)}
	}
	return nil
}

func (e *Engine) publish(ctx context.Context, f stage.Folder, h *batch.Header) (engine.Verdict, error) {
	l, err := e.decide(ctx, h, 0)
	if err != nil {
		return engine.Lost, err
	}
	if l.winner(h.Number) == h.ID {
		if err := e.applyPending(ctx, h.Partition, l, h.Number, f); err != nil {
			return engine.Lost, err
		}
		return engine.Applied, e.remove(f)
	}
	verdict := engine.Lost
	if l.winner(h.Number) == "" && l.epoch == h.Epoch {
		applied, err := e.isApplied(ctx, h.ID)
		if err != nil {
			return engine.Lost, err
		}
		if applied {
			verdict = engine.Applied
		}
	}
	return verdict, e.remove(f)
}

// publishedBefore deals with a folder that is not whole any more: another task
// may have published it, and removed it since.
func (e *Engine) publishedBefore(ctx context.Context, f stage.Folder) (engine.Verdict, error) {
	l, err := e.readLedger(ctx, f.Partition)
	if err != nil {
		return engine.Lost, err
	}
	if l.of(f.Number, f.BatchID) == free {
		return engine.Lost, fmt.Errorf("%s: the folder is torn and cannot be published", f.Dir)
	}
	if l.winner(f.Number) == f.BatchID {
		return engine.Applied, e.applyPending(ctx, f.Partition, l, f.Number, stage.Folder{})
	}
	applied, err := e.isApplied(ctx, f.BatchID)
	if err != nil || !applied {
		return engine.Lost, err
	}
	return engine.Applied, nil
}

// isApplied says whether a batch was applied, also one whose entry in the ledger
// was compacted away since.
func (e *Engine) isApplied(ctx context.Context, batchID string) (found bool, err error) {
	err = e.query(ctx, `SELECT count(*) > 0 FROM {monitoring.pipeline_metrics} WHERE pipeline = :pipeline AND batch_id = :id`, args{"id": batchID}, func(r row) error { return r.scan(&found) })
	return found, err
}

// remove removes a folder whose number is decided by another, or applied.
func (e *Engine) remove(f stage.Folder) error {
	if err := e.Steps.At("remove folder"); err != nil {
		return err
	}
	return e.staged(f.Remove())
}

// errRestored says that a table of ours went back in time.
var errRestored = diag.WithHint(errors.New("checkpoints.tag_watermarks took the batch's rows before, and does not have them: the table was restored to an older version"),
	"restore bronze to the same instant, drop the checkpoints schema and delete the pipeline's rows from bronze.pi_timeseries and metadata.tag_partitions to start over; or restore checkpoints.tag_watermarks to its newest version")

// decide takes the number of h, if it is free: its outcomes become watermarks,
// and one row with a null point stands for the batch itself, in one commit with
// the token of the number. A repeated append is a silent no-op, so only the
// ledger, read after it, tells whose the number is.
//
// Rows of an epoch that is over are not appended at all: its ranges are read anew.
func (e *Engine) decide(ctx context.Context, h *batch.Header, fence instant.Ticks) (l ledger, err error) {
	decision := e.decision(h, fence)
	for try := 1; ; try++ {
		if err := e.Steps.At("decide"); err != nil {
			return l, err
		}
		failed := e.given(decision, func(query string, a args) error {
			with := args{"epoch": h.Epoch}
			maps.Copy(with, a)
			return e.appendQuery(ctx, tables.Watermarks, "SELECT * FROM ("+query+") WHERE "+latestEpoch+" = :epoch", with, e.token(h))
		})
		if failed != nil && (ctx.Err() != nil || errors.Is(failed, errLauncher)) {
			return l, failed // there is nobody left to ask
		}
		if err := e.Steps.At("read back"); err != nil {
			return l, err
		}
		if l, err = e.readLedger(ctx, h.Partition); err != nil {
			return l, cmp.Or(failed, err)
		}
		switch stands := l.of(h.Number, h.ID); {
		case stands != free || l.epoch != h.Epoch:
			return l, nil
		case failed == nil:
			return l, errRestored
		case try == mostTries || !isConflict(failed):
			return l, failed
		}
		if err := e.pause(ctx, try); err != nil {
			return l, err
		}
	}
}

func (e *Engine) token(h *batch.Header) token {
	return token{app: fmt.Sprintf("%s/%d/%s", e.Options.Pipeline, h.Partition, h.Epoch), version: h.Number, batchID: h.ID}
}

// decision gives the rows that decide a batch, or a fence.
func (e *Engine) decision(h *batch.Header, fence instant.Ticks) *rows {
	now := time.Now().UnixMicro()
	out := rowsOf(tables.Watermarks)
	for i := range h.Outcomes {
		o := &h.Outcomes[i]
		if o.To <= o.From {
			continue // nothing was read: the watermark stays
		}
		out.add(record{"tag_webid": o.WebID, "tag_name": o.Name, "watermark_ticks": o.To, "from_ticks": o.From, "partition_id": h.Partition, "batch_seq": h.Number,
			"batch_id": h.ID, "updated_at": now, "site": h.Site, "point_id": o.PointID, "pipeline": e.Options.Pipeline})
	}
	batchRow := record{"partition_id": h.Partition, "batch_seq": h.Number, "batch_id": h.ID, "updated_at": now, "pipeline": e.Options.Pipeline}
	if h.Site != "" {
		batchRow["site"] = h.Site
	}
	if fence > 0 {
		batchRow["fence_ticks"] = fence
	}
	out.add(batchRow)
	return out
}

// applyPending applies what a ledger has decided and not applied, in order of number.
// verified is a folder that was verified a moment ago, or none.
func (e *Engine) applyPending(ctx context.Context, partition int, l ledger, upTo int64, verified stage.Folder) error {
	pending := l.pending(upTo)
	if len(pending) == 0 {
		return nil
	}
	folders, err := stage.List(e.Staging, e.Options.Pipeline, partition)
	if err != nil {
		return e.staged(err)
	}
	for _, n := range pending {
		if err := e.apply(ctx, partition, n, folders, verified); err != nil {
			return fmt.Errorf("apply batch %d of partition %d: %w", n.number, partition, err)
		}
	}
	return nil
}

// apply brings a decided batch into bronze. The row in pipeline_metrics is
// written only when the data's commit was seen: it is what says "applied".
func (e *Engine) apply(ctx context.Context, partition int, n entry, folders []stage.Folder, verified stage.Folder) error {
	var f stage.Folder
	for _, candidate := range folders {
		if candidate.BatchID == n.batchID {
			f = candidate
		}
	}
	var h batch.Header
	var damage *stage.Damage
	whole := false
	if f.Dir != "" {
		look := f.Verify
		if f.Dir == verified.Dir {
			look = f.Glance
		}
		var err error
		if h, whole, err = look(); err != nil && !errors.As(err, &damage) {
			return err
		}
	}
	if damage != nil && damage.Sealed && damage.Header.Events == 0 {
		h, whole = damage.Header, true // it had nothing to lose
	}
	if !whole {
		return e.withoutFolder(ctx, partition, n, damage)
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"append data", func() error { return e.appendData(ctx, f, &h) }},
		{"append errors", func() error { return e.appendErrors(ctx, engine.FailedTags(&h), h.ID, e.token(&h)) }},
		{"append metrics", func() error { return e.appendRows(ctx, tables.Metrics, metricsOf(&h), e.token(&h)) }},
	} {
		if err := e.Steps.At(step.name); err != nil {
			return err
		}
		if err := step.do(); err != nil {
			return err
		}
	}
	return nil
}

// appendData appends the folder's events to bronze, by name of column.
func (e *Engine) appendData(ctx context.Context, f stage.Folder, h *batch.Header) error {
	if h.Events == 0 {
		return nil
	}
	return e.appendQuery(ctx, tables.Timeseries, dataOf(f, h), nil, e.token(h))
}

// dataOf returns a query for a folder's events: of what workers wrote without the
// shards' closing rows, and else of each file that the marker lists.
func dataOf(f stage.Folder, h *batch.Header) string {
	selected := "SELECT " + names(tables.Timeseries.ColumnNames()) + " FROM parquet."
	var of []string
	for _, file := range h.Files {
		if strings.HasPrefix(file.Name, "data/") {
			return selected + asWritten(f.DataDir()) + " WHERE `closing` IS NULL"
		}
		of = append(of, selected+asWritten(f.Path(file)))
	}
	return strings.Join(of, " UNION ALL ")
}

// withoutFolder deals with a batch that is decided, and whose folder is gone.
// Another task may have applied it meanwhile; or its row in pipeline_metrics was
// deleted after it was applied, and bronze tells; else it is lost, loudly.
// damage is what is wrong with its folder, if that is there.
func (e *Engine) withoutFolder(ctx context.Context, partition int, n entry, damage *stage.Damage) error {
	l, err := e.readLedger(ctx, partition)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(l.pending(n.number), func(p entry) bool { return p.number == n.number }) {
		return nil // applied, perhaps compacted away since
	}
	var events int64
	if err := e.query(ctx, `SELECT count(*) FROM {bronze.pi_timeseries} WHERE pipeline = :pipeline AND batch_id = :id`, args{"id": n.batchID}, func(r row) error { return r.scan(&events) }); err != nil {
		return err
	}
	if events == 0 {
		lost := &engine.LostBatch{Partition: partition, Number: n.number, BatchID: n.batchID, Mend: e.readAgain(partition, n.number)}
		if damage != nil {
			lost.Reason, lost.Folder = damage.Reason, damage.Folder.Dir
		}
		return cmp.Or[error](e.rangesOf(ctx, lost), lost)
	}
	again := rowsOf(tables.Metrics)
	again.add(record{"partition_id": partition, "points_ingested": events, "status": batch.Succeeded, "pipeline": e.Options.Pipeline, "task": "extract", "batch_id": n.batchID, "batch_seq": n.number,
		"error": "this row was deleted and made again from what bronze has"})
	return e.appendRows(ctx, tables.Metrics, again, token{batchID: n.batchID})
}

// readAgain returns the statements after which the ranges of a lost batch, and of those
// decided after it, are read again: their watermarks go back to where they began,
// and then they count as applied, with nothing.
func (e *Engine) readAgain(partition int, number int64) []string {
	of := fmt.Sprintf("pipeline = %s AND partition_id = %d AND batch_seq >= %d", literal(e.Options.Pipeline), partition, number)
	return []string{
		e.expand("MERGE INTO {checkpoints.tag_watermarks} t USING (SELECT site, point_id, min(from_ticks) AS back FROM {checkpoints.tag_watermarks} WHERE " + of +
			" AND point_id IS NOT NULL GROUP BY site, point_id) s ON t.site = s.site AND t.point_id = s.point_id AND t." + strings.ReplaceAll(of, " AND ", " AND t.") +
			" WHEN MATCHED THEN UPDATE SET watermark_ticks = s.back, from_ticks = s.back"),
		e.expand("INSERT INTO {monitoring.pipeline_metrics} (pipeline, task, partition_id, batch_id, batch_seq, points_ingested, status, error, start_time, end_time)" +
			" SELECT pipeline, 'extract', partition_id, batch_id, batch_seq, 0, 'FAILED', 'lost: its ranges are read again', current_timestamp(), current_timestamp()" +
			" FROM {checkpoints.tag_watermarks} t LEFT ANTI JOIN {monitoring.pipeline_metrics} m ON m.pipeline = t.pipeline AND m.batch_id = t.batch_id" +
			" WHERE " + of + " AND point_id IS NULL AND fence_ticks IS NULL"),
	}
}

// rangesOf fills in what a lost batch had read.
func (e *Engine) rangesOf(ctx context.Context, lost *engine.LostBatch) error {
	return e.query(ctx, `SELECT point_id, tag_webid, tag_name, from_ticks, watermark_ticks FROM {checkpoints.tag_watermarks}
WHERE pipeline = :pipeline AND partition_id = :partition AND batch_id = :id AND point_id IS NOT NULL ORDER BY point_id`,
		args{"partition": lost.Partition, "id": lost.BatchID}, func(r row) error {
			var o batch.Outcome
			err := r.scan(&o.PointID, &o.WebID, &o.Name, &o.From, &o.To)
			lost.Ranges = append(lost.Ranges, o)
			return err
		})
}

// Fence implements engine.Landing: an empty batch takes the next number, and the
// one after it when another batch was faster.
func (e *Engine) Fence(ctx context.Context, partition int, run engine.Run) error {
	l, err := e.readLedger(ctx, partition)
	for err == nil && !l.fencedBy(run) {
		h := batch.Header{Pipeline: e.Options.Pipeline, Epoch: l.epoch, Partition: partition, Number: l.last() + 1, ID: "fence-" + uuid.NewString(), RunID: run.ID, Site: run.Site}
		l, err = e.decide(ctx, &h, run.Assigned)
	}
	if err != nil {
		return err
	}
	// Whoever gets the partition's tags now must find what was decided before the fence.
	return e.applyPending(ctx, partition, l, math.MaxInt64, stage.Folder{})
}

// fencedBy says whether a run's fence, or a later one, stands.
func (l *ledger) fencedBy(run engine.Run) bool { return l.fence() >= run.Assigned }

// Recover implements engine.Landing.
func (e *Engine) Recover(ctx context.Context, partition int) error {
	// The folders first: one that is sealed and decided after that is not missed by the ledger.
	folders, err := stage.List(e.Staging, e.Options.Pipeline, partition)
	if err != nil {
		return e.staged(err)
	}
	l, err := e.readLedger(ctx, partition)
	if err != nil {
		return err
	}
	if err := e.applyPending(ctx, partition, l, math.MaxInt64, stage.Folder{}); err != nil {
		return err
	}
	var aside engine.SetAside
	for _, f := range folders {
		if err := e.tidy(ctx, f, l); !aside.Take(err) {
			return aside.With(err)
		}
	}
	return aside.With(nil)
}

// tidy publishes a folder whose number is free, and removes one of no more use.
func (e *Engine) tidy(ctx context.Context, f stage.Folder, l ledger) error {
	h, whole, err := f.Verify()
	var damage *stage.Damage
	switch {
	case errors.As(err, &damage):
		_, err := e.damaged(ctx, damage)
		return err
	case err != nil:
		return err
	case !whole && e.dead(f):
		return e.remove(f)
	case !whole:
		return nil // its writer may be at work
	case h.Epoch != l.epoch:
		return e.remove(f) // of tables that are no more: its ranges are read anew
	case l.of(h.Number, h.ID) == free && h.Bounded():
		_, err := e.publishWhole(ctx, f, &h)
		return err
	default:
		return e.remove(f)
	}
}
