package spark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// epochProperty is where the checkpoint table itself says its epoch: it is made
// with the table, by whoever of several makes it.
const epochProperty = "bundlegen.epoch"

// Claim implements engine.Landing.
func (e *Engine) Claim(ctx context.Context) error {
	for _, step := range []func(context.Context) error{e.makeSchemas, e.makeTables, e.makeStaging, e.keepEpoch, e.checkCheckpoints} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// makeSchemas makes those that are missing: a job that may not make schemas
// works where they are there.
func (e *Engine) makeSchemas(ctx context.Context) error {
	have := map[string]bool{}
	if err := e.query(ctx, "SHOW SCHEMAS IN "+tables.SparkName(e.Catalog), nil, func(r row) error {
		var name string
		defer func() { have[strings.ToLower(strings.Trim(name[strings.LastIndex(name, ".")+1:], "`"))] = true }()
		return r.scan(&name)
	}); err != nil {
		return fmt.Errorf("catalog %s: %w", e.Catalog, err)
	}
	for _, s := range tables.Schemas {
		if have[strings.ToLower(e.SchemaPrefix+s)] {
			continue
		}
		if err := e.query(ctx, "CREATE SCHEMA IF NOT EXISTS "+e.schema(s), nil, nil); err != nil {
			return fmt.Errorf("schema %s.%s: %w", e.Catalog, e.SchemaPrefix+s, err)
		}
	}
	return nil
}

// makeTables makes the tables that are missing, and adds to those that are there
// the columns that this version has more, to the right.
func (e *Engine) makeTables(ctx context.Context) error {
	have := map[string]bool{}
	for _, s := range tables.Schemas {
		if err := e.query(ctx, "SHOW TABLES IN "+e.schema(s), nil, func(r row) error {
			var namespace, name string
			var temporary bool
			err := r.scan(&namespace, &name, &temporary)
			have[s+"."+strings.ToLower(name)] = err == nil && !temporary
			return err
		}); err != nil {
			return err
		}
	}
	if !have[tables.Timeseries.Schema+"."+tables.Timeseries.Name] && have[tables.Watermarks.Schema+"."+tables.Watermarks.Name] {
		if err := e.checkBronze(ctx); err != nil {
			return err
		}
	}
	for _, t := range tables.All {
		do := e.makeTable
		if have[t.Schema+"."+t.Name] {
			do = e.checkTable
		}
		if err := do(ctx, t); err != nil {
			return fmt.Errorf("table %s.%s.%s: %w", e.Catalog, e.SchemaPrefix+t.Schema, t.Name, err)
		}
	}
	v := tables.CurrentWatermarks
	if have[v.Schema+"."+v.Name] {
		return nil
	}
	return e.query(ctx, fmt.Sprintf("CREATE VIEW IF NOT EXISTS %s.%s AS %s", e.schema(v.Schema), tables.SparkName(v.Name), v.Select), nil, nil)
}

// checkBronze refuses to make the table of events anew while the checkpoints say
// that there were some.
func (e *Engine) checkBronze(ctx context.Context) error {
	lost := &engine.LostBronze{Table: e.name(tables.Timeseries), Schema: e.schema(tables.Checkpoints), Metadata: e.schema(tables.Metadata),
		Restore: "UNDROP TABLE " + e.name(tables.Timeseries) + ", or give it its name back"}
	if err := e.query(ctx, "SELECT DISTINCT pipeline FROM {checkpoints.tag_watermarks} WHERE batch_seq > 0 AND point_id IS NOT NULL", nil, func(r row) error {
		var pipeline string
		err := r.scan(&pipeline)
		lost.Pipelines = append(lost.Pipelines, pipeline)
		return err
	}); err != nil || len(lost.Pipelines) == 0 {
		return err
	}
	slices.Sort(lost.Pipelines)
	return lost
}

func (e *Engine) makeTable(ctx context.Context, t tables.Table) error {
	var columns []string
	for _, c := range t.Columns {
		columns = append(columns, column(c))
	}
	ddl := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s) USING DELTA COMMENT %s", e.name(t), strings.Join(columns, ", "), literal(t.Comment))
	switch {
	case len(t.Cluster) == 0:
	case e.Layout == ZOrder:
		ddl += " PARTITIONED BY (`partition_date`)"
	default:
		ddl += " CLUSTER BY (" + names(t.Cluster) + ")"
	}
	if t.Name == tables.Watermarks.Name {
		ddl += fmt.Sprintf(" TBLPROPERTIES (%s = %s)", literal(epochProperty), literal(uuid.NewString()))
	}
	return e.query(ctx, ddl, nil, nil)
}

func column(c tables.Column) string {
	return tables.SparkName(c.Name) + " " + string(c.Type) + " COMMENT " + literal(c.Comment)
}

func names(columns []string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = tables.SparkName(c) // unquoted, `timestamp` does not parse there
	}
	return strings.Join(out, ", ")
}

// checkTable holds a table that is there against the contract. Columns that an
// older version did not have are added; of anything else that is missing or of
// another type, somebody has to think.
func (e *Engine) checkTable(ctx context.Context, t tables.Table) error {
	have, err := e.columnsOf(ctx, t)
	if err != nil {
		return err
	}
	last := -1 // of our columns, the last one that is there
	for i, c := range t.Columns {
		if is, ok := have[c.Name]; ok {
			last = i
			if !strings.EqualFold(is, string(c.Type)) {
				return diag.WithHint(fmt.Errorf("its column %s is %s, and was made as %s: the table was altered by hand", c.Name, strings.ToUpper(is), c.Type),
					"give the column its type back (a copy of the table with CAST), then run the job again; nothing was written")
			}
		}
	}
	var more []string
	for i, c := range t.Columns {
		if _, ok := have[c.Name]; ok {
			continue
		}
		if i < last {
			return diag.WithHint(fmt.Errorf("it has no column %s %s: the table was altered by hand", c.Name, c.Type),
				"ALTER TABLE %s ADD COLUMN %s %s; or restore the table's version before; nothing was written", e.name(t), tables.SparkName(c.Name), c.Type)
		}
		more = append(more, column(c))
	}
	if len(more) == 0 {
		return nil
	}
	err = e.change(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMNS (%s)", e.name(t), strings.Join(more, ", ")), nil)
	if is(err, "FIELD_ALREADY_EXISTS*", "FIELDS_ALREADY_EXISTS*", "COLUMN_ALREADY_EXISTS*") {
		return nil // another job of this pipeline was first
	}
	return err
}

// columnsOf gives the types of a table's columns by name.
func (e *Engine) columnsOf(ctx context.Context, t tables.Table) (map[string]string, error) {
	have, below := map[string]string{}, false
	err := e.query(ctx, "DESCRIBE TABLE "+e.name(t), nil, func(r row) error {
		var name string
		var kind, comment *string
		if err := r.scan(&name, &kind, &comment); err != nil {
			return err
		}
		below = below || name == "" || strings.HasPrefix(name, "#") // what follows tells of partitions and clusters
		if !below && kind != nil {
			have[strings.ToLower(name)] = *kind
		}
		return nil
	})
	return have, err
}

// makeStaging makes the volume, or checks the folder that was given.
func (e *Engine) makeStaging(ctx context.Context) error {
	if e.inVolume() {
		err := e.query(ctx, "CREATE VOLUME IF NOT EXISTS "+e.schema(tables.Checkpoints)+".`staging` COMMENT 'batches on their way: the write-ahead log of pi_extractor; not to be touched'", nil, nil)
		if is(err, "PARSE_SYNTAX_ERROR") {
			return diag.WithHint(errors.New("this Spark knows no volumes, which need Unity Catalog"),
				"name a folder that driver and workers share in the environment variable PI_EXTRACTOR_STAGING")
		}
		if err != nil {
			return fmt.Errorf("volume %s.%s.staging: %w", e.Catalog, e.SchemaPrefix+tables.Checkpoints, err)
		}
	}
	return e.staged(tryFolder(e.Staging))
}

// keepEpoch writes the checkpoint table's epoch down where one statement can
// read it together with the rest.
func (e *Engine) keepEpoch(ctx context.Context) error {
	epoch := ""
	if err := e.query(ctx, "SHOW TBLPROPERTIES "+e.name(tables.Watermarks), nil, func(r row) error {
		var key, value string
		err := r.scan(&key, &value)
		if key == epochProperty {
			epoch = value
		}
		return err
	}); err != nil {
		return err
	}
	if epoch == "" {
		return diag.WithHint(fmt.Errorf("table %s has no property %s: it was not made by discover, or was replaced by hand", e.name(tables.Watermarks), epochProperty),
			"restore the checkpoints schema together with bronze; or drop the schema %s and delete the pipeline's rows from bronze, to start over", e.schema(tables.Checkpoints))
	}
	var known bool
	if err := e.query(ctx, `SELECT count(*) > 0 FROM {checkpoints.epochs} WHERE epoch = :epoch`, args{"epoch": epoch}, func(r row) error { return r.scan(&known) }); err != nil || known {
		return err
	}
	// Two jobs may both be about to write it: the token lets one of them.
	r := rowsOf(tables.Epochs)
	r.add(record{"epoch": epoch, "created_at": time.Now().UnixMicro()})
	return e.appendRows(ctx, tables.Epochs, r, token{app: "epoch/" + epoch, version: 1})
}

// checkCheckpoints refuses to go on where bronze has rows of the pipeline that
// the checkpoints know nothing of: they were dropped, or went back to an older
// state, in which numbers are free that were taken.
func (e *Engine) checkCheckpoints(ctx context.Context) error {
	const beyond = `{monitoring.pipeline_metrics} m LEFT JOIN (
  SELECT partition_id, max(batch_seq) AS last FROM {checkpoints.tag_watermarks} WHERE pipeline = :pipeline AND point_id IS NULL GROUP BY partition_id) w ON w.partition_id = m.partition_id
WHERE m.pipeline = :pipeline AND m.batch_id IS NOT NULL AND m.batch_seq > coalesce(w.last, 0)`
	var decided, restored bool
	if err := e.query(ctx, `SELECT EXISTS (SELECT 1 FROM {checkpoints.tag_watermarks} WHERE pipeline = :pipeline AND batch_seq > 0), EXISTS (SELECT 1 FROM `+beyond+`)`,
		nil, func(r row) error { return r.scan(&decided, &restored) }); err != nil || decided && !restored {
		return err
	}
	rows := `SELECT count(*) FROM {bronze.pi_timeseries} WHERE pipeline = :pipeline`
	if decided {
		rows += ` AND batch_id IN (SELECT m.batch_id FROM ` + beyond + `)`
	}
	var landed int64
	if err := e.query(ctx, rows, nil, func(r row) error { return r.scan(&landed) }); err != nil || landed == 0 {
		return err
	}
	return &engine.LostCheckpoints{Pipeline: e.Options.Pipeline, Rows: landed}
}

// latestEpoch is a query for the epoch in force.
const latestEpoch = `(SELECT max_by(epoch, created_at) FROM {checkpoints.epochs})`

// sortedBy sorts what Spark gives in no order.
func sortedBy[T any](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return list
}
