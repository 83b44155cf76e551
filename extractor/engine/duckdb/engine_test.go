package duckdb_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Subject {
		s := &subject{dir: t.TempDir()}
		s.open(t)
		t.Cleanup(func() { require.NoError(t, s.lake.Close()) })
		return s
	})
}

type subject struct {
	dir  string
	lake *duckdb.Lake
}

func (s *subject) open(t *testing.T) {
	var err error
	s.lake, err = duckdb.Open(context.Background(), s.dir, "")
	require.NoError(t, err)
}

func (s *subject) Engine(pipeline string) engine.Engine { return s.lake.Engine(pipeline) }

func (s *subject) Reopen(t *testing.T) {
	require.NoError(t, s.lake.Close())
	s.open(t)
}

func (s *subject) Events(t *testing.T) []string {
	rows, err := s.lake.DB().Query(`SELECT tag_webid || '@' || (epoch_us("timestamp") * 10 + timestamp_100ns) AS e FROM bronze.pi_timeseries ORDER BY e`)
	require.NoError(t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var e string
		require.NoError(t, rows.Scan(&e))
		out = append(out, e)
	}
	require.NoError(t, rows.Err())
	return out
}

func (s *subject) DropCheckpoints(t *testing.T) {
	_, err := s.lake.DB().Exec("DROP SCHEMA checkpoints CASCADE")
	require.NoError(t, err)
}

func (s *subject) Watermark(t *testing.T, pipeline string, point int64) instant.Ticks {
	var w instant.Ticks
	require.NoError(t, s.lake.DB().QueryRow("SELECT watermark_ticks FROM checkpoints.current_watermarks WHERE pipeline = ? AND point_id = ?", pipeline, point).Scan(&w))
	return w
}

func (s *subject) Count(t *testing.T, table string) int {
	require.Equal(t, 1, strings.Count(table, "."))
	var n int
	require.NoError(t, s.lake.DB().QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

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
