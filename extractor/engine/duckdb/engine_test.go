package duckdb_test

import (
	"context"
	"database/sql"
	"flag"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
)

var schedules = flag.Int("schedules", 24, "how many schedules of each interleaving are run")

func TestConformance(t *testing.T) { enginetest.Run(t, newSubject(t)) }

// subject is a data folder under test.
type subject struct {
	dir  string
	lake *duckdb.Lake
}

func newSubject(t testing.TB) *subject {
	s := &subject{dir: t.TempDir()}
	s.open(t)
	t.Cleanup(func() { require.NoError(t, s.lake.Close()) })
	return s
}

func (s *subject) open(t testing.TB) {
	// DuckDB takes as many threads as Go has now: with statements as small as the
	// suite's, a second one costs more than it does.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var err error
	s.lake, err = duckdb.Open(context.Background(), s.dir, "test_")
	require.NoError(t, err)
}

func (s *subject) Engine(_ testing.TB, p enginetest.Process) engine.Engine {
	return s.lake.Engine(p.Pipeline).WithSteps(p.Steps)
}

func (s *subject) Reopen(t testing.TB) {
	require.NoError(t, s.lake.Close())
	s.open(t)
}

func (s *subject) Fresh(t testing.TB) enginetest.Subject { return newSubject(t) }

func (s *subject) Query(t testing.TB, query string) [][]string {
	rows, err := s.lake.DB().Query(query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var out [][]string
	for rows.Next() {
		values, at := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			at[i] = &values[i]
		}
		require.NoError(t, rows.Scan(at...))
		texts := make([]string, len(columns))
		for i, v := range values {
			texts[i] = v.String
		}
		out = append(out, texts)
	}
	require.NoError(t, rows.Err())
	return out
}

func (s *subject) Exec(t testing.TB, statement string) {
	_, err := s.lake.DB().Exec(statement)
	require.NoError(t, err)
}

func (s *subject) Schema(name string) string { return `"test_` + name + `"` }

func (s *subject) Micros() string { return "epoch_us" }

func (s *subject) Schedules() int { return *schedules }

func (s *subject) Rounds() int { return 20 }

func TestPathsThatTheDriverMisreads(t *testing.T) {
	for _, name := range []string{"50%", "what?"} {
		_, err := duckdb.Open(t.Context(), filepath.Join(t.TempDir(), name), "")
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "hint:")
	}
	lake, err := duckdb.Open(t.Context(), filepath.Join(t.TempDir(), "a: b, 'c' \"d\" #é"), "")
	require.NoError(t, err)
	require.NoError(t, lake.Close())
}
