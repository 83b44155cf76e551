// Package duckdb keeps the tables in one DuckDB file, DIR/lake.duckdb, with the
// staging folders beside it in DIR/staging. One process at a time has a data
// folder: DuckDB's own lock on the file says so. Publishing is one transaction,
// so that decided and applied are the same thing here.
package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/tables"
	duckdb "github.com/duckdb/duckdb-go/v2"
)

// FileName is the database's name in a data folder.
const FileName = "lake.duckdb"

// memoryLimit bounds what DuckDB itself takes; what is more goes to disk.
const memoryLimit = "256MB"

// fileVersion is the oldest DuckDB that reads a new data folder's file: the
// first one with dict_fsst, which writes texts a sixth faster than dictionary.
const fileVersion = "v1.3.0"

// Lake is an open data folder. It is safe for concurrent use.
type Lake struct {
	db     *sql.DB
	dir    string
	prefix string

	publish sync.Mutex      // one publishing transaction at a time
	mu      sync.Mutex      // guards live
	live    map[string]bool // staging folders that a writer of this process has open
}

// Open opens a data folder, and makes it where there is none. schemaPrefix goes
// before the names of all schemas. It fails with engine.ErrInUse when another
// process has the folder.
func Open(ctx context.Context, dir, schemaPrefix string) (*Lake, error) {
	if err := CheckFolder(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, diag.WithHint(fmt.Errorf("data folder: %w", err), "--data names a folder that this user may write")
	}
	return connect(ctx, dir, schemaPrefix, "storage_compatibility_version="+fileVersion)
}

// OpenToRead opens a data folder that is there, for reading only. It fails with
// engine.ErrInUse while another process has the folder, and with fs.ErrNotExist
// where no run has made its file.
func OpenToRead(ctx context.Context, dir, schemaPrefix string) (*Lake, error) {
	if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
		return nil, err
	}
	if err := CheckFolder(dir); err != nil {
		return nil, err
	}
	return connect(ctx, dir, schemaPrefix, "access_mode=READ_ONLY")
}

// CheckFolder refuses a data folder whose path cannot be opened, before anything
// is written. DuckDB takes a ~ at the beginning for a home, and its driver the
// path for a URL.
func CheckFolder(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if i := strings.IndexFunc(abs, func(r rune) bool { return r == '?' || r == '%' || r < ' ' || r == 0x7f }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(abs[i:])
		return diag.WithHint(fmt.Errorf("data folder %q: DuckDB's driver cannot open a path with %q", abs, string(r)),
			"--data names a folder; ?, %% and control characters may not be in its path")
	}
	if strings.Contains(abs, `\`) && strings.ContainsAny(abs, "*[") {
		return diag.WithHint(fmt.Errorf("data folder %q: DuckDB cannot read below a path with a \\ beside a * or [", abs),
			"--data names a folder") // see noPattern
	}
	return nil
}

// connect opens a data folder's file with an option of the driver.
func connect(ctx context.Context, dir, schemaPrefix, option string) (*Lake, error) {
	path := filepath.Join(dir, FileName)
	abs, err := filepath.Abs(path) // DuckDB takes a ~ at the beginning for a home
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	settings := []string{
		"SET memory_limit='" + memoryLimit + "'",
		fmt.Sprintf("SET threads=%d", runtime.GOMAXPROCS(0)),
		"SET preserve_insertion_order=false", // or large inserts are held in memory
		// Texts repeat, and the newer dictionary serves them; trying the others on
		// every segment costs a tenth of an insert.
		"SET disabled_compression_methods='fsst,zstd,dictionary'",
		"SET autoinstall_known_extensions=false",
	}
	connector, err := duckdb.NewConnector(abs+"?"+option, func(conn driver.ExecerContext) error {
		for _, s := range settings {
			if _, err := conn.ExecContext(ctx, s, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, openError(path, err)
	}
	l := &Lake{db: sql.OpenDB(connector), dir: dir, prefix: schemaPrefix, live: map[string]bool{}}
	if err := l.db.PingContext(ctx); err != nil {
		return nil, errors.Join(openError(path, err), l.db.Close())
	}
	return l, nil
}

func openError(path string, err error) error {
	if contains(err.Error(), "Conflicting lock", "Could not set lock") {
		return diag.WithHint(fmt.Errorf("%s: %w", path, engine.ErrInUse), "wait for it to end, or give another folder with --data")
	}
	if trouble := DiskTrouble(err); trouble != "" {
		return diag.WithHint(fmt.Errorf("data folder %s %s", filepath.Dir(path), trouble),
			"mend that, or give another folder with --data")
	}
	if explained := damaged(path, err); explained != err {
		return explained
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Close closes the data folder.
func (l *Lake) Close() error { return l.db.Close() }

// DB gives the database for queries beside the protocol: reports and tests.
func (l *Lake) DB() *sql.DB { return l.db }

// Engine gives the engine of one pipeline in this lake.
func (l *Lake) Engine(pipeline string) *Engine { return &Engine{lake: l, pipeline: pipeline} }

func (l *Lake) staging() string { return filepath.Join(l.dir, "staging") }

// name gives a table's qualified, quoted name.
func (l *Lake) name(t tables.Table) string { return l.schema(t.Schema) + "." + quote(t.Name) }

func (l *Lake) schema(s string) string { return quote(l.prefix + s) }

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// expand replaces {schema.table} and {schema} by qualified, quoted names.
func (l *Lake) expand(query string) string {
	for _, t := range tables.All {
		query = strings.ReplaceAll(query, "{"+t.Schema+"."+t.Name+"}", l.name(t))
	}
	for _, s := range tables.Schemas {
		query = strings.ReplaceAll(query, "{"+s+"}", l.schema(s))
	}
	return query
}

// session is one connection, on which transactions and appenders see each other.
type session struct {
	ctx  context.Context
	lake *Lake
	conn *sql.Conn
}

// transact runs f in one transaction on a connection of its own. An error of f
// rolls everything back.
func (l *Lake) transact(ctx context.Context, f func(s *session) error) (err error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	s := &session{ctx: ctx, lake: l, conn: conn}
	if err := s.exec("BEGIN TRANSACTION"); err != nil {
		return err
	}
	if err := f(s); err != nil {
		// The context may be gone, and the connection goes back to the pool: roll back regardless.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return l.explained(err)
	}
	if err := s.exec("COMMIT"); err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return l.explained(err)
	}
	return nil
}

// explained says in words of ours what an error of DuckDB means to a person.
func (l *Lake) explained(err error) error {
	if d := new(stage.Damage); DiskTrouble(err) != "" || errors.As(err, &d) {
		return err // it is explained where it is dealt with
	}
	return damaged(filepath.Join(l.dir, FileName), l.notNull(known(err)))
}

// known gives the engine's own error where DuckDB's, of which only the text
// tells, means the same.
func known(err error) error {
	if text := err.Error(); contains(text, "Catalog Error: Table with name", "could not create appender: Table") && contains(text, "does not exist", "could not be found") {
		return diag.WithHint(engine.ErrNoTables, "run discover first, or the whole job")
	}
	return err
}

func (s *session) exec(query string, args ...any) error {
	_, err := s.conn.ExecContext(s.ctx, s.lake.expand(query), args...)
	return err
}

// affected is exec, and returns how many rows it inserted, changed or deleted.
func (s *session) affected(query string, args ...any) (int64, error) {
	result, err := s.conn.ExecContext(s.ctx, s.lake.expand(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *session) row(query string, args []any, dest ...any) error {
	return s.conn.QueryRowContext(s.ctx, s.lake.expand(query), args...).Scan(dest...)
}

func (s *session) rows(query string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := s.conn.QueryContext(s.ctx, s.lake.expand(query), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// append adds rows to a table within the session's transaction, fast: values of
// the columns named, or of all where none is.
func (s *session) append(schema, table string, columns []string, each func(add func(values ...driver.Value) error) error) error {
	return s.conn.Raw(func(dc any) error {
		open := func() (*duckdb.Appender, error) { return duckdb.NewAppenderFromConn(dc.(driver.Conn), schema, table) }
		if len(columns) > 0 {
			open = func() (*duckdb.Appender, error) {
				return duckdb.NewAppenderWithColumns(dc.(driver.Conn), "", schema, table, columns)
			}
		}
		a, err := open()
		if err != nil {
			return err
		}
		err = each(a.AppendRow)
		return errors.Join(err, a.Close())
	})
}

// appendTo adds rows to one of the contract's tables: values of our columns, in
// the contract's order, whatever columns the table has beside them.
func (s *session) appendTo(t tables.Table, each func(add func(values ...driver.Value) error) error) error {
	return s.append(s.lake.prefix+t.Schema, t.Name, t.ColumnNames(), each)
}
