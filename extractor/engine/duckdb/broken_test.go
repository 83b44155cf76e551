package duckdb_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Each promise of landing that is broken on purpose is noticed by the suite.
func TestBrokenPromisesAreCaught(t *testing.T) {
	for _, b := range []struct {
		promise         string
		breaks          func(*attacker) engine.Engine
		name, complaint string
	}{
		{"token ignored", tokenIgnored, "interleaved: two attempts", "is in bronze twice"},
		{"a watermark before its folder is whole", decidedEarly, "an extraction dies at any step", "neither in bronze nor in a whole folder"},
		{"no reading back", notReadBack, "of two attempts with one number one loses", "verdict on batch"},
		{"a number recomputed", numberRecomputed, "interleaved: two attempts", "overlap"},
		{"a torn folder taken for a whole one", tornPublished, "a torn folder goes once its writer is gone", "neither in bronze nor in a whole folder"},
		{"a damaged folder believed", damagedBelieved, "a damaged folder is set aside, and its ranges are read again", "Should be true"},
		{"the epoch ignored", epochIgnored, "dropped checkpoints stop a run", "Should be empty"},
		{"no fence", noFence, "interleaved: a zombie, its retry and the next run", "overlap"},
		{"the fence not in the snapshot", fenceUnseen, "a fence stops zombies", "a later run has taken"},
		{"an outdated assignment taken", outdatedTaken, "an outdated assignment changes nothing", "was changed by another job"},
		{"the last number lost by compaction", compacting("DELETE FROM " + watermarks + " WHERE point_id IS NULL AND fence_ticks IS NULL"), "compaction keeps what counts", "went back"},
		{"the fence lost by compaction", compacting("UPDATE " + watermarks + " SET fence_ticks = NULL WHERE fence_ticks > 0"), "compaction keeps what counts", "the fence of partition 5 went back"},
		{"a pin lost by compaction", compacting("DELETE FROM " + watermarks + " WHERE batch_seq = 0"), "compaction keeps what counts", "neither a watermark nor a pin"},
		{"a watermark that goes back", compacting("UPDATE " + watermarks + " SET watermark_ticks = watermark_ticks - 1 WHERE batch_seq > 0"), "a consolidation dies at any step", "went back"},
	} {
		t.Run(b.promise, func(t *testing.T) {
			enginetest.Caught(t, &broken{newSubject(t), b.breaks}, b.name, b.complaint)
		})
	}
}

// broken is a data folder whose engines break a promise.
type broken struct {
	*subject
	breaks func(*attacker) engine.Engine
}

func (b *broken) Engine(t testing.TB, p enginetest.Process) engine.Engine {
	return b.breaks(&attacker{b.subject.Engine(t, p), b.subject, p.Pipeline})
}

func (b *broken) Fresh(t testing.TB) enginetest.Subject { return &broken{newSubject(t), b.breaks} }

// attacker is an engine, and what it takes to break what it promises.
type attacker struct {
	engine.Engine
	subject  *subject
	pipeline string
}

// exec changes the pipeline's tables.
func (a *attacker) exec(statement string, args ...any) error {
	_, err := a.subject.lake.DB().Exec(statement, args...)
	return err
}

const watermarks = "test_checkpoints.tag_watermarks"

// taken says whether a folder's number is another's.
func (a *attacker) taken(h *batch.Header) (taken bool, err error) {
	err = a.subject.lake.DB().QueryRow("SELECT count(*) > 0 FROM "+watermarks+" WHERE pipeline = ? AND partition_id = ? AND batch_seq >= ? AND batch_id <> ?",
		a.pipeline, h.Partition, h.Number, h.ID).Scan(&taken)
	return taken, err
}

// folders tells each folder of a partition, with its header where it is whole.
func (a *attacker) folders(partition int, each func(f stage.Folder, h batch.Header, whole bool) error) error {
	f, release := a.Folder(partition, 1, "x")
	release()
	all, err := stage.List(filepath.Dir(filepath.Dir(filepath.Dir(f.Dir))), a.pipeline, partition)
	if err != nil {
		return err
	}
	for _, f := range all {
		h, whole, err := f.Header()
		if err != nil {
			return err
		}
		if err := each(f, h, whole); err != nil {
			return err
		}
	}
	return nil
}

// publishes is an engine with a Publish of its own.
type publishes struct {
	*attacker
	publish func(ctx context.Context, f stage.Folder, h batch.Header) (engine.Verdict, error)
}

func (e publishes) Publish(ctx context.Context, f stage.Folder) (engine.Verdict, error) {
	h, whole, err := f.Header()
	if err != nil || !whole {
		return engine.Lost, errors.Join(err, fmt.Errorf("%s is torn", f.Dir))
	}
	return e.publish(ctx, f, h)
}

// tokenIgnored appends a folder's events whoever has its number.
func tokenIgnored(a *attacker) engine.Engine {
	return publishes{a, func(ctx context.Context, f stage.Folder, h batch.Header) (engine.Verdict, error) {
		taken, err := a.taken(&h)
		if err == nil && taken && h.Events > 0 {
			err = a.exec(`INSERT INTO test_bronze.pi_timeseries SELECT * REPLACE (make_timestamp(epoch_us("timestamp")) AS "timestamp",
make_timestamp(epoch_us(ingestion_timestamp)) AS ingestion_timestamp) FROM read_parquet('` + strings.NewReplacer("[", "[[]", "*", "[*]", "'", "''").Replace(f.Dir) + `/data-*.parquet', hive_partitioning = false)`)
		}
		if err != nil {
			return engine.Lost, err
		}
		return a.Publish(ctx, f)
	}}
}

// damagedBelieved takes a folder's files as they are, whatever its marker says.
func damagedBelieved(a *attacker) engine.Engine {
	return publishes{a, func(ctx context.Context, f stage.Folder, h batch.Header) (engine.Verdict, error) {
		var err error
		if h.Files, err = f.Files(); err == nil {
			err = f.Seal(&h)
		}
		if err != nil {
			return engine.Lost, err
		}
		return a.Publish(ctx, f)
	}}
}

// notReadBack takes every batch for its own that was published without an error.
func notReadBack(a *attacker) engine.Engine {
	return publishes{a, func(ctx context.Context, f stage.Folder, _ batch.Header) (engine.Verdict, error) {
		_, err := a.Publish(ctx, f)
		return engine.Applied, err
	}}
}

// numberRecomputed publishes a batch whose number is taken under the next one.
func numberRecomputed(a *attacker) engine.Engine {
	return publishes{a, func(ctx context.Context, f stage.Folder, h batch.Header) (engine.Verdict, error) {
		taken, err := a.taken(&h)
		if err != nil || !taken {
			return a.Publish(ctx, f)
		}
		if err := a.subject.lake.DB().QueryRow("SELECT max(batch_seq) + 1 FROM "+watermarks+" WHERE pipeline = ? AND partition_id = ?", a.pipeline, h.Partition).Scan(&h.Number); err != nil {
			return engine.Lost, err
		}
		next, release := a.Folder(h.Partition, h.Number, h.ID)
		release()
		if err := errors.Join(os.Rename(f.Dir, next.Dir), next.Seal(&h)); err != nil {
			return engine.Lost, err
		}
		return a.Publish(ctx, next)
	}}
}

// decides is an engine that moves the watermarks when a folder is begun.
type decides struct {
	*attacker
	st    engine.State
	until instant.Ticks
}

func decidedEarly(a *attacker) engine.Engine { return &decides{attacker: a} }

func (e *decides) Open(ctx context.Context, partition int, run engine.Run) (engine.State, error) {
	st, err := e.attacker.Open(ctx, partition, run)
	e.st, e.until = st, run.Until
	return st, err
}

func (e *decides) Folder(partition int, number int64, batchID string) (stage.Folder, func()) {
	for _, t := range e.st.Tags {
		if err := e.exec("INSERT INTO "+watermarks+" (pipeline, partition_id, batch_seq, batch_id, site, point_id, from_ticks, watermark_ticks) VALUES (?, ?, ?, ?, 'plant-a', ?, ?, ?)",
			e.pipeline, partition, number, batchID, t.PointID, int64(t.Watermark), int64(e.until)); err != nil {
			panic(err)
		}
	}
	return e.attacker.Folder(partition, number, batchID)
}

func (e *decides) Publish(ctx context.Context, f stage.Folder) (engine.Verdict, error) {
	if err := e.exec("DELETE FROM "+watermarks+" WHERE pipeline = ? AND batch_id = ?", e.pipeline, f.BatchID); err != nil {
		return engine.Lost, err
	}
	return e.attacker.Publish(ctx, f)
}

// recovers is an engine that does something to each folder before it recovers.
type recovers struct {
	*attacker
	first func(ctx context.Context, f stage.Folder, h batch.Header, whole bool) error
}

func (e recovers) Recover(ctx context.Context, partition int) error {
	if err := e.folders(partition, func(f stage.Folder, h batch.Header, whole bool) error { return e.first(ctx, f, h, whole) }); err != nil {
		return err
	}
	return e.attacker.Recover(ctx, partition)
}

// tornPublished takes a folder for whole that has no marker.
func tornPublished(a *attacker) engine.Engine {
	return recovers{a, func(ctx context.Context, f stage.Folder, _ batch.Header, whole bool) error {
		if whole {
			return nil
		}
		st, err := a.Open(ctx, f.Partition, engine.Run{Assigned: math.MaxInt64 / 100})
		if err != nil {
			return err
		}
		h := batch.Header{Pipeline: a.pipeline, Epoch: st.Epoch, Partition: f.Partition, Number: f.Number, ID: f.BatchID, Site: "plant-a", Status: batch.Succeeded}
		for _, t := range st.Tags {
			h.Outcomes = append(h.Outcomes, batch.Outcome{PointID: t.PointID, WebID: t.WebID, Name: t.Name, From: t.Watermark, To: t.Watermark + 2*instant.Second})
		}
		return errors.Join(os.Remove(filepath.Join(f.Dir, "data-0.parquet")), f.Seal(&h)) // it says that there were no events
	}}
}

// epochIgnored takes folders of tables that are no more for its own.
func epochIgnored(a *attacker) engine.Engine {
	return recovers{a, func(_ context.Context, f stage.Folder, h batch.Header, whole bool) error {
		if !whole {
			return nil
		}
		return errors.Join(a.subject.lake.DB().QueryRow("SELECT epoch FROM test_checkpoints.epochs").Scan(&h.Epoch), f.Seal(&h))
	}}
}

type fences struct{ *attacker }

func noFence(a *attacker) engine.Engine { return fences{a} }

func (fences) Fence(context.Context, int, engine.Run) error { return nil }

type opens struct{ *attacker }

func fenceUnseen(a *attacker) engine.Engine { return opens{a} }

func (e opens) Open(ctx context.Context, partition int, run engine.Run) (engine.State, error) {
	st, err := e.attacker.Open(ctx, partition, run)
	if errors.Is(err, engine.ErrZombie) {
		run.Assigned = math.MaxInt64 / 100
		return e.attacker.Open(ctx, partition, run)
	}
	return st, err
}

type assigns struct{ *attacker }

func outdatedTaken(a *attacker) engine.Engine { return assigns{a} }

func (e assigns) Assign(ctx context.Context, c engine.Change) error {
	c.Seen = max(c.Seen, c.At)
	return e.attacker.Assign(ctx, c)
}

type compacts struct {
	*attacker
	statement string
}

// compacting is an engine that does more than compact, to the pipeline's watermarks.
func compacting(statement string) func(*attacker) engine.Engine {
	return func(a *attacker) engine.Engine { return compacts{a, statement} }
}

func (e compacts) Compact(ctx context.Context) error {
	return errors.Join(e.attacker.Compact(ctx), e.exec(e.statement+" AND pipeline = ?", e.pipeline))
}
