package duckdb

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// types are the contract's types, as DuckDB names them.
var types = map[tables.Type]string{
	tables.String: "VARCHAR", tables.Timestamp: "TIMESTAMP", tables.TinyInt: "TINYINT", tables.Int: "INTEGER",
	tables.BigInt: "BIGINT", tables.Double: "DOUBLE", tables.Boolean: "BOOLEAN", tables.Date: "DATE",
}

// columnsOf lists the contract's columns of a table for a statement.
func columnsOf(t tables.Table) string {
	quoted := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		quoted[i] = quote(c.Name)
	}
	return strings.Join(quoted, ", ")
}

// existing are the tables that are there: the columns of each, by their names in
// lower case.
type existing map[string]map[string]existingColumn

// existingColumn is what a table that is there says of a column.
type existingColumn struct {
	name, kind string
	required   bool // it may not be null and has no default
}

// existing reads what the schemas have.
func (l *Lake) existing(s *session) (existing, error) {
	out := existing{}
	for _, schema := range tables.Schemas {
		if err := s.rows(`SELECT table_name, column_name, data_type, NOT is_nullable AND column_default IS NULL FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = ?`, []any{l.prefix + schema}, func(r *sql.Rows) error {
			var table string
			var c existingColumn
			if err := r.Scan(&table, &c.name, &c.kind, &c.required); err != nil {
				return err
			}
			table = schema + "." + table
			if out[table] == nil {
				out[table] = map[string]existingColumn{}
			}
			out[table][strings.ToLower(c.name)] = c
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e existing) columns(t tables.Table) map[string]existingColumn { return e[t.Schema+"."+t.Name] }

// create makes what is missing, and adds to tables that are there the columns that
// this version has more, to the right. Checkpoints that are made anew begin a new
// epoch.
func (l *Lake) create(s *session) error {
	have, err := l.existing(s)
	if err != nil {
		return err
	}
	if have.columns(tables.Timeseries) == nil && have.columns(tables.Watermarks) != nil {
		if err := l.checkBronze(s); err != nil {
			return err
		}
	}
	var ddl []string
	for _, schema := range tables.Schemas {
		ddl = append(ddl, "CREATE SCHEMA IF NOT EXISTS "+l.schema(schema))
	}
	for _, t := range tables.All {
		if columns := have.columns(t); columns != nil {
			more, err := l.check(t, columns)
			if err != nil {
				return err
			}
			ddl = append(ddl, more...)
			continue
		}
		var cols []string
		for _, c := range t.Columns {
			cols = append(cols, quote(c.Name)+" "+types[c.Type])
		}
		ddl = append(ddl, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s)", l.name(t), strings.Join(cols, ", ")))
	}
	v := tables.CurrentWatermarks
	ddl = append(ddl, fmt.Sprintf("CREATE VIEW IF NOT EXISTS %s.%s AS %s", l.schema(v.Schema), quote(v.Name), v.Select))
	if have.columns(tables.Watermarks) == nil {
		ddl = append(ddl, "DELETE FROM {checkpoints.epochs}")
	}
	for _, statement := range ddl {
		if err := s.exec(statement); err != nil {
			return err
		}
	}
	return s.exec("INSERT INTO {checkpoints.epochs} (epoch, created_at) SELECT ?, ? WHERE NOT EXISTS (FROM {checkpoints.epochs})", uuid.NewString(), now())
}

// checkBronze refuses to make the table of events anew while the checkpoints say
// that there were some.
func (l *Lake) checkBronze(s *session) error {
	lost := &engine.LostBronze{Table: l.plainName(tables.Timeseries), Schema: l.prefix + tables.Checkpoints, Metadata: l.prefix + tables.Metadata,
		Restore: "put a copy of the data folder's " + FileName + " back"}
	if err := s.rows("SELECT DISTINCT pipeline FROM {checkpoints.tag_watermarks} WHERE batch_seq > 0 AND point_id IS NOT NULL ORDER BY 1", nil, func(r *sql.Rows) error {
		var pipeline string
		err := r.Scan(&pipeline)
		lost.Pipelines = append(lost.Pipelines, pipeline)
		return err
	}); err != nil || len(lost.Pipelines) == 0 {
		return err
	}
	return lost
}

// plainName is a table's name as a person writes it.
func (l *Lake) plainName(t tables.Table) string { return l.prefix + t.Schema + "." + t.Name }

// check holds a table that is there against the contract, and returns the
// statements that add the columns of a newer version. Columns that are not ours
// are no matter as long as rows may be added without a value for them.
func (l *Lake) check(t tables.Table, have map[string]existingColumn) (more []string, err error) {
	wrong := func(what, mend string) error {
		return diag.WithHint(fmt.Errorf("table %s: %s", l.plainName(t), what), "%s; nothing was written", mend)
	}
	last := -1 // of our columns, the last one that is there
	ours := map[string]bool{}
	for i, c := range t.Columns {
		ours[c.Name] = true
		if is, ok := have[c.Name]; ok {
			last = i
			if is.kind != types[c.Type] {
				return nil, wrong(fmt.Sprintf("its column %s is %s, and was made as %s: the table was altered by hand", c.Name, is.kind, types[c.Type]),
					fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", l.plainName(t), quote(c.Name), types[c.Type]))
			}
		}
	}
	for name, c := range have {
		if !ours[name] && c.required {
			return nil, wrong(engine.NotOurs(c.name), l.allowNull(t, c.name))
		}
	}
	for i, c := range t.Columns {
		if _, ok := have[c.Name]; ok {
			continue
		}
		add := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", l.plainName(t), quote(c.Name), types[c.Type])
		if i < last {
			return nil, wrong(fmt.Sprintf("it has no column %s %s: the table was altered by hand", c.Name, types[c.Type]), add)
		}
		more = append(more, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", l.name(t), quote(c.Name), types[c.Type]))
	}
	return more, nil
}

// allowNull says how a column that is not ours lets rows in.
func (l *Lake) allowNull(t tables.Table, column string) string {
	return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL, or give it a default, or drop it", l.plainName(t), quote(column))
}

// notNull explains that a table refuses rows because of a column that somebody
// made NOT NULL: DuckDB names table and column.
func (l *Lake) notNull(err error) error {
	const says = "NOT NULL constraint failed: "
	_, name, found := strings.Cut(err.Error(), says)
	if !found {
		return err
	}
	table, column, _ := strings.Cut(strings.TrimSpace(firstLineOf(name)), ".")
	for _, t := range tables.All {
		if t.Name != table {
			continue
		}
		for _, c := range t.Columns {
			if c.Name == column {
				return err
			}
		}
		return diag.WithHint(fmt.Errorf("table %s: %s", l.plainName(t), engine.NotOurs(column)), "%s", l.allowNull(t, column))
	}
	return err
}
