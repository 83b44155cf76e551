package duckdb_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

var schedules = flag.Int("schedules", 24, "how many schedules of each interleaving are run")

func TestConformance(t *testing.T) { enginetest.Run(t, newSubject(t)) }

// subject is a data folder under test.
type subject struct {
	dir  string
	lake *duckdb.Lake
}

// newSubject gives a data folder whose path is odd in every way: names that look
// like a column's value, a home, a pattern.
func newSubject(t testing.TB) *subject {
	s := &subject{dir: filepath.Join(t.TempDir(), "value=42", "tag_name=x", "~[a-z] *", "'data' ünï")}
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
	for _, name := range []string{"50%", "what?", "two\nlines", "bell\a", "\x7f", `[a]\b`} {
		parent := t.TempDir()
		_, err := duckdb.Open(t.Context(), filepath.Join(parent, name), "")
		require.ErrorContains(t, err, strings.Trim(strconv.Quote(name), `"`))
		require.ErrorContains(t, err, "hint:")
		entries, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Empty(t, entries, "nothing was written")
	}
	lake, err := duckdb.Open(t.Context(), filepath.Join(t.TempDir(), "a: b, 'c' \"d\" #é"), "")
	require.NoError(t, err)
	require.NoError(t, lake.Close())
}

// A column of bronze that may not be null and is not ours: the error says so, from
// discover, and from an extraction where it came between.
func TestColumnThatIsNotOurs(t *testing.T) {
	lake, err := duckdb.Open(t.Context(), t.TempDir(), "")
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	e := lake.Engine("p")
	require.NoError(t, e.Claim(t.Context()))
	exec := func(statement string) {
		_, err := lake.DB().Exec(statement)
		require.NoError(t, err)
	}
	exec("ALTER TABLE monitoring.tag_errors ADD COLUMN plant INTEGER")
	exec("ALTER TABLE monitoring.tag_errors ALTER COLUMN plant SET NOT NULL")
	for _, err := range []error{e.Claim(t.Context()), e.RecordTagErrors(t.Context(), []engine.TagError{{Name: "a"}})} {
		require.EqualError(t, err, "table monitoring.tag_errors: its column plant is not ours and may not be null: no row can be added\n"+
			`hint: ALTER TABLE monitoring.tag_errors ALTER COLUMN "plant" DROP NOT NULL, or give it a default, or drop it`+map[bool]string{true: "; nothing was written"}[strings.HasSuffix(err.Error(), "written")])
	}
	exec("ALTER TABLE monitoring.tag_errors ALTER COLUMN plant SET DEFAULT 7")
	require.NoError(t, e.Claim(t.Context()))
	require.NoError(t, e.RecordTagErrors(t.Context(), []engine.TagError{{Name: "a"}}))
	var plant int
	require.NoError(t, lake.DB().QueryRow("SELECT plant FROM monitoring.tag_errors").Scan(&plant))
	require.Equal(t, 7, plant)

	// Columns of ours: one that a newer version has more, one that is missing, one of another type.
	exec("ALTER TABLE metadata.runs DROP COLUMN " + tables.Runs.Columns[len(tables.Runs.Columns)-1].Name)
	require.NoError(t, e.Claim(t.Context()))
	exec("ALTER TABLE metadata.runs DROP COLUMN tier")
	require.ErrorContains(t, e.Claim(t.Context()), "table metadata.runs: it has no column tier VARCHAR")
	exec("ALTER TABLE metadata.runs ADD COLUMN tier VARCHAR")
	require.NoError(t, e.Claim(t.Context()), "in another place")
	exec("ALTER TABLE bronze.pi_timeseries ALTER COLUMN value TYPE FLOAT")
	require.ErrorContains(t, e.Claim(t.Context()), "table bronze.pi_timeseries: its column value is FLOAT, and was made as DOUBLE")
}

// Whatever was done to the lake's file, opening it ends with what it is and what to do.
func TestBrokenFile(t *testing.T) {
	made := t.TempDir()
	lake, err := duckdb.Open(t.Context(), made, "")
	require.NoError(t, err)
	require.NoError(t, lake.Engine("p").Claim(t.Context()))
	_, err = lake.DB().Exec(`INSERT INTO bronze.pi_timeseries (pipeline, site, tag_webid, "timestamp") SELECT 'p', 's', md5(i::VARCHAR), make_timestamp(i * i) FROM range(100000) r(i)`)
	require.NoError(t, err)
	require.NoError(t, lake.Close())
	whole, err := os.ReadFile(filepath.Join(made, duckdb.FileName))
	require.NoError(t, err)
	flipped := func(at int) []byte {
		data := bytes.Clone(whole)
		data[at] ^= 1
		return data
	}
	for what, data := range map[string][]byte{
		"empty": {}, "a text": []byte("no database\n"), "zeros": make([]byte, len(whole)), "cut in the middle": whole[:len(whole)/2], "its first page": whole[:4096],
		"a bit of the first page": flipped(12), "a bit of the tables": flipped(12_400), "a bit further on": flipped(len(whole) * 2 / 3),
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, duckdb.FileName)
			require.NoError(t, os.WriteFile(path, data, 0o600))
			lake, err := duckdb.Open(t.Context(), dir, "")
			if err == nil {
				_, err = lake.Engine("p").CountLanded(t.Context(), []engine.Landed{{WebID: "a", Site: "s", From: 0, To: 1 << 60}, {WebID: "f", Site: "s", From: 0, To: 1 << 60}})
				require.NoError(t, lake.Close())
			}
			require.ErrorContains(t, err, path+" is damaged, or is no file of DuckDB: ")
			require.ErrorContains(t, err, "hint: put a copy of it back; or move it and lake.duckdb.wal away")
			require.NotContains(t, err.Error(), "Stack")
		})
	}
}

// Folders of older programs, whose markers have no digests, are landed when their
// data are as many events as they say, and else set aside.
func TestFoldersOfOlderPrograms(t *testing.T) {
	for _, c := range []struct {
		what   string
		spoil  func(data []byte) []byte
		landed bool
	}{
		{"whole", func(data []byte) []byte { return data }, true},
		{"with a byte that is another", func(data []byte) []byte { data[len(data)/2] ^= 0xff; return data }, false},
		{"with no end", func(data []byte) []byte { return append(data[:len(data)-9], 1, 2, 3, 4, 5, 6, 7, 8, 9) }, false},
	} {
		for version := range 2 {
			t.Run(fmt.Sprint(c.what, " ", version), func(t *testing.T) {
				lake, err := duckdb.Open(t.Context(), t.TempDir(), "")
				require.NoError(t, err)
				defer func() { require.NoError(t, lake.Close()) }()
				e := lake.Engine("p")
				require.NoError(t, e.Claim(t.Context()))
				st, err := e.Open(t.Context(), 0, engine.Run{})
				require.NoError(t, err)
				f, release := e.Folder(0, 1, "b")
				release()
				require.NoError(t, f.Create())
				w, err := f.CreateWriter(0, stage.Labels{WebID: []string{"W"}, Name: []string{"n"}, Units: []string{""}, Pipeline: "p", BatchID: "b"})
				require.NoError(t, err)
				var rows columns.Batch
				for i := range 1000 {
					rows.Append(0, int64(i), float64(i*i%7919), 0, 0, columns.HasValue)
				}
				require.NoError(t, errors.Join(w.Write(&rows), w.Close()))
				h := batch.Header{Version: version, Pipeline: "p", Epoch: st.Epoch, Number: 1, ID: "b", Status: batch.Succeeded, Events: 1000}
				if version > 0 {
					h.Files = []batch.File{{Name: "data-0.parquet", Size: w.File().Size}}
				}
				marker, err := json.Marshal(h)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "batch.json"), marker, 0o600))
				path := filepath.Join(f.Dir, "data-0.parquet")
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(path, c.spoil(data), 0o600))
				err = e.Recover(t.Context(), 0)
				var events int
				require.NoError(t, lake.DB().QueryRow("SELECT count(*) FROM bronze.pi_timeseries").Scan(&events))
				if c.landed {
					require.NoError(t, err)
					require.Equal(t, 1000, events)
					return
				}
				require.ErrorAs(t, err, new(*engine.SetAside))
				require.Zero(t, events)
			})
		}
	}
}
