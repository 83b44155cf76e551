package spark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// mostInline is the size of rows, in bytes, up to which they go as a parameter
// of the statement; more go through a file in staging.
const mostInline = 8 << 20

// rows are rows of a table of ours, on their way to Spark as JSON. Values are
// texts, integers, floats, booleans; instants and nil, which is null. A column
// that is not said is null.
type rows struct {
	columns []tables.Column
	lines   bytes.Buffer // one JSON object a line
	n       int
	err     error
}

// rowsOf begins rows with the columns of a table, or some of them.
func rowsOf(t tables.Table, names ...string) *rows {
	r := &rows{columns: t.Columns}
	if len(names) > 0 {
		r.columns = nil
		for _, c := range t.Columns {
			if slices.Contains(names, c.Name) {
				r.columns = append(r.columns, c)
			}
		}
	}
	return r
}

// and adds a column that the table does not have.
func (r *rows) and(name string, t tables.Type) *rows {
	r.columns = append(slices.Clip(r.columns), tables.Column{Name: name, Type: t})
	return r
}

// record is one row: values by column.
type record map[string]any

func (r *rows) add(values record) {
	line, err := json.Marshal(values)
	r.err = errors.Join(r.err, err)
	r.lines.Write(append(line, '\n'))
	r.n++
}

// schema is the DDL of one row as JSON has it: instants are microseconds.
func (r *rows) schema() string {
	fields := make([]string, len(r.columns))
	for i, c := range r.columns {
		t := c.Type
		if t == tables.Timestamp {
			t = tables.BigInt
		}
		fields[i] = tables.SparkName(c.Name) + " " + string(t)
	}
	return strings.Join(fields, ", ")
}

// selection lists the columns with their own types, out of a struct called r.
func (r *rows) selection() string {
	out := make([]string, len(r.columns))
	for i, c := range r.columns {
		out[i] = "r." + tables.SparkName(c.Name)
		if c.Type == tables.Timestamp {
			out[i] = "timestamp_micros(" + out[i] + ") AS " + tables.SparkName(c.Name)
		}
	}
	return strings.Join(out, ", ")
}

// given hands use a query over the rows, with the parameters that it needs. Rows
// that are too many for a parameter are in a file until use returns.
func (e *Engine) given(r *rows, use func(query string, a args) error) (err error) {
	if r.err != nil {
		return r.err
	}
	const strict = "map('mode', 'FAILFAST')" // or a row that does not fit would become nulls
	if r.lines.Len() <= mostInline {
		text := "[" + strings.ReplaceAll(strings.TrimSuffix(r.lines.String(), "\n"), "\n", ",") + "]"
		return use(fmt.Sprintf("SELECT %s FROM (SELECT explode(from_json(:rows, 'ARRAY<STRUCT<%s>>', %s)) AS r)", r.selection(), typed(r.schema()), strict), args{"rows": text})
	}
	dir := filepath.Join(e.Staging, "scratch-"+uuid.NewString())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return e.staged(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "rows.txt")
	if err := os.WriteFile(file, r.lines.Bytes(), 0o600); err != nil {
		return e.staged(err)
	}
	return use(fmt.Sprintf("SELECT %s FROM (SELECT from_json(value, '%s', %s) AS r FROM text.%s)", r.selection(), r.schema(), strict, tables.SparkName(file)), nil)
}

// typed turns "`a` T, `b` U" into what stands between STRUCT< and >.
func typed(schema string) string {
	return strings.ReplaceAll(schema, "` ", "`: ")
}

// token makes an append happen once: Delta takes a version of an app that is not
// greater than the last one for a repetition, and does nothing.
type token struct {
	app     string
	version int64
	batchID string // userMetadata of the commit
}

// appendQuery appends what a query gives to a table, once for each token.
func (e *Engine) appendQuery(ctx context.Context, t tables.Table, query string, a args, k token) error {
	return e.notNull(t, e.patiently(ctx, func() error {
		return known(e.session.call(ctx, request{Verb: "append", Args: e.with(a),
			appending: &appending{Query: e.expand(query), Table: e.name(t), App: k.app, Version: k.version, Metadata: k.batchID}}, nil))
	}))
}

// appendRows appends rows to a table, once for each token.
func (e *Engine) appendRows(ctx context.Context, t tables.Table, r *rows, k token) error {
	if r.n == 0 && r.err == nil {
		return nil
	}
	return e.given(r, func(query string, a args) error { return e.appendQuery(ctx, t, query, a, k) })
}
