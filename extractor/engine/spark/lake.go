package spark

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Layouts of bronze.
const (
	Liquid = "liquid" // CLUSTER BY (tag_webid, timestamp)
	ZOrder = "zorder" // PARTITIONED BY (partition_date), ZORDER BY (tag_webid, timestamp)
)

// Options says whose tables an engine keeps, and for which attempt.
type Options struct {
	Pipeline     string
	Catalog      string
	SchemaPrefix string
	Layout       string // of bronze when it is made or optimized; "" is Liquid
	// Staging is a folder that this machine and the workers share; "" is the
	// volume `staging` in the checkpoints schema, which Claim makes.
	Staging string
	RunID   string
	Attempt int
	Timeout time.Duration // of the task, start-up included: how long its staging folders are under lease; 0 is an hour
	Steps   engine.Steps  // for tests
}

// Engine is the engine of one pipeline in Delta tables.
type Engine struct {
	session *Session
	Options
	pause func(context.Context, int) error // before try n of a commit
}

var _ engine.Engine = (*Engine)(nil)

// New gives an engine. Nothing is asked of Spark yet.
func New(s *Session, o Options) *Engine {
	if o.Staging == "" {
		o.Staging = path.Join("/Volumes", o.Catalog, o.SchemaPrefix+tables.Checkpoints, "staging")
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Hour
	}
	o.Attempt = max(o.Attempt, 1)
	return &Engine{session: s, Options: o, pause: backoff}
}

// Close does nothing: the session is its launcher's.
func (e *Engine) Close() error { return nil }

// inVolume says whether the staging folder is a volume of Unity Catalog.
func (e *Engine) inVolume() bool { return strings.HasPrefix(e.Staging, "/Volumes/") }

// name gives a table's qualified, quoted name.
func (e *Engine) name(t tables.Table) string {
	return e.schema(t.Schema) + "." + tables.SparkName(t.Name)
}

func (e *Engine) schema(s string) string {
	return tables.SparkName(e.Catalog) + "." + tables.SparkName(e.SchemaPrefix+s)
}

// literal writes a text of ours, such as a comment, where SQL takes nothing but a
// literal. Spark reads backslashes in it as escapes. What others have named goes
// as a parameter.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// expand replaces {schema.table} and {schema} by qualified, quoted names.
func (e *Engine) expand(statement string) string {
	for _, t := range tables.All {
		statement = strings.ReplaceAll(statement, "{"+t.Schema+"."+t.Name+"}", e.name(t))
	}
	for _, s := range tables.Schemas {
		statement = strings.ReplaceAll(statement, "{"+s+"}", e.schema(s))
	}
	return statement
}

// args are a statement's parameters by name. Every statement has :pipeline.
type args map[string]any

func (e *Engine) with(a args) map[string]any {
	out := map[string]any{"pipeline": e.Options.Pipeline}
	maps.Copy(out, a)
	return out
}

// query runs a statement and tells each of its rows.
func (e *Engine) query(ctx context.Context, statement string, a args, each func(row) error) error {
	return known(e.session.sql(ctx, e.expand(statement), e.with(a), each))
}

// change runs a statement that changes a table and may be repeated: after a
// conflict with another writer it does that.
func (e *Engine) change(ctx context.Context, statement string, a args) error {
	return e.patiently(ctx, func() error { return e.query(ctx, statement, a, nil) })
}

// changeTable is change for a statement that adds rows to a table of ours.
func (e *Engine) changeTable(ctx context.Context, t tables.Table, statement string, a args) error {
	return e.notNull(t, e.change(ctx, statement, a))
}

// nullRefused is what Delta says of a column that may not be null: of one that a
// row has no value for, and of one that it has null for.
var nullRefused = regexp.MustCompile("(?i)Column `?([^`\n]+?)`?, which has a NOT NULL constraint, is missing|NOT NULL constraint violated for column: `?([^\\s`]+)")

// notNull explains that a table refuses rows because of a column that somebody added.
func (e *Engine) notNull(t tables.Table, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		return err
	}
	m := nullRefused.FindStringSubmatch(f.Message)
	if m == nil {
		return err
	}
	column := m[1] + strings.TrimSuffix(m[2], ".")
	if slices.Contains(t.ColumnNames(), column) {
		return err
	}
	return diag.WithHint(fmt.Errorf("table %s: %s", e.name(t), engine.NotOurs(column)),
		"ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL, or drop it; what is staged is landed then", e.name(t), tables.SparkName(column))
}

// mostTries is how often a commit is tried against conflicts: with the pauses
// in between, longer than hundreds of tasks take that commit at once.
const mostTries = 12

// patiently does what may be done again until it does not lose against another writer.
func (e *Engine) patiently(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || !isConflict(err) || try == mostTries {
			return err
		}
		if err := e.pause(ctx, try); err != nil {
			return err
		}
	}
}

// backoff waits up to 0.2 s, 0.4 s, … 10 s, at random, so that writers part.
func backoff(ctx context.Context, try int) error {
	most := min(10*time.Second, 100*time.Millisecond<<try)
	return sleep.For(ctx, most/2+rand.N(most/2))
}

// known gives the engine's own error where Spark's means the same.
func known(err error) error {
	if is(err, "TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "DELTA_TABLE_NOT_FOUND", "DELTA_MISSING_DELTA_TABLE*") {
		return diag.WithHint(engine.ErrNoTables, "run discover first, or the whole job (%s)", firstLine(err))
	}
	return err
}

func firstLine(err error) string {
	var f *Failure
	errors.As(err, &f)
	first, _, _ := strings.Cut(f.Message, "\n")
	return first
}

// Folder implements engine.Landing. Release fails silently: a lease that stays
// only delays the removal of the folder.
func (e *Engine) Folder(partition int, number int64, batchID string) (stage.Folder, func()) {
	f := stage.New(e.Staging, e.Options.Pipeline, partition, number, batchID)
	f.Lease = stage.Lease{RunID: e.RunID, Attempt: e.Attempt, Expires: time.Now().Add(e.Timeout).UTC()}
	return f, func() { _ = f.Release() }
}

// dead says whether nobody writes a folder any more.
func (e *Engine) dead(f stage.Folder) bool {
	l, ok := f.ReadLease()
	return !ok || time.Now().After(l.Expires) || l.RunID == e.RunID && l.Attempt < e.Attempt
}

// Unfinished implements engine.Landing. A batch that is decided by a process that
// dies then has its folder, so the folders alone would do; but one that is gone
// is to be told of.
func (e *Engine) Unfinished(ctx context.Context) ([]int, error) {
	seen := map[int]bool{}
	folders, err := stage.All(e.Staging, e.Options.Pipeline)
	if err != nil {
		return nil, e.staged(err)
	}
	for _, f := range folders {
		seen[f.Partition] = true
	}
	err = e.query(ctx, `SELECT DISTINCT w.partition_id FROM {checkpoints.tag_watermarks} w
LEFT ANTI JOIN {monitoring.pipeline_metrics} m ON m.pipeline = :pipeline AND m.partition_id = w.partition_id AND m.batch_id = w.batch_id
WHERE w.pipeline = :pipeline AND w.point_id IS NULL AND w.fence_ticks IS NULL`, nil, func(r row) error {
		var p int
		defer func() { seen[p] = true }()
		return r.scan(&p)
	})
	return slices.Sorted(maps.Keys(seen)), err
}

// staged explains an error of the staging folder.
func (e *Engine) staged(err error) error {
	if err == nil || !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	hint := "make the folder, or name another one in PI_EXTRACTOR_STAGING"
	if e.inVolume() {
		hint = "grant READ VOLUME and WRITE VOLUME on volume " + e.schema(tables.Checkpoints) + ".`staging` to the job's identity"
	}
	return diag.WithHint(fmt.Errorf("staging folder: %w", err), "%s", hint)
}

func micros(t instant.Ticks) int64 {
	us, _ := t.Micros()
	return us
}
