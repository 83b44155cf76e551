// Package history reads what local runs have left in a data folder: when a tag
// moved and up to when it is landed, how the pipeline is, and what any query
// returns. It writes nothing.
package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/templates"
)

type (
	// Tag is what the tables of local runs hold about a tag.
	Tag = duckdb.TagHistory
	// Key identifies a tag.
	Key = engine.Key
)

// ErrInUse means that a run, or another program, has the data folder open.
var ErrInUse = engine.ErrInUse

// Tags returns the histories of a pipeline's tags: of those with the keys, and of
// all that ever were called name. It fails while a run has the folder.
func Tags(ctx context.Context, data, pipeline, name string, keys []Key) (found []Tag, err error) {
	lake, err := openToRead(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	return lake.Engine(pipeline).Histories(ctx, name, keys)
}

// DuckDBFile returns the file of a data folder that has the tables of runs on DuckDB.
func DuckDBFile(data string) string { return filepath.Join(data, duckdb.FileName) }

// SparkFolder returns the folder of a data folder that has everything of runs on
// Spark.
func SparkFolder(data string) string { return filepath.Join(data, "spark") }

// Exists reports whether local runs on DuckDB have left tables in a data folder.
func Exists(data string) bool {
	_, err := os.Stat(DuckDBFile(data))
	return err == nil
}

// Query runs a query on the tables of local runs on DuckDB and returns all rows as
// texts; null is "". It fails while another process has the folder.
func Query(ctx context.Context, data, query string) (rows [][]string, err error) {
	lake, err := openToRead(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	_, rows, err = ask(ctx, lake, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", DuckDBFile(data), err)
	}
	return rows, nil
}

// openToRead opens the tables in a data folder for reading only. The error names
// where else they may be.
func openToRead(ctx context.Context, data string) (*duckdb.Lake, error) {
	lake, err := duckdb.OpenToRead(ctx, data, "")
	if errors.Is(err, fs.ErrNotExist) {
		hint := "bundlegen run --local lands something there"
		if _, err := os.Stat(SparkFolder(data)); err == nil {
			hint = "its tables are on Spark: " + SparkFolder(data) + "/sql opens a SQL shell on them; the bundle's sql/ has queries"
		}
		return nil, diag.WithHint(fmt.Errorf("data folder %s has no %s", data, duckdb.FileName), "%s", hint)
	}
	return lake, err
}

// ask runs a query and returns its columns and rows.
func ask(ctx context.Context, lake *duckdb.Lake, query string) (columns []string, rows [][]string, err error) {
	result, err := lake.DB().QueryContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	defer result.Close()
	if columns, err = result.Columns(); err != nil {
		return nil, nil, err
	}
	cells, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for result.Next() {
		if err := result.Scan(into...); err != nil {
			return nil, nil, err
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = textOf(c)
		}
		rows = append(rows, row)
	}
	return columns, rows, result.Err()
}

// textOf writes a value of DuckDB as a SQL warehouse does.
func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(value)
}

// Status returns the status of a pipeline that runs in a data folder, including
// staged batches. It fails while a run has the folder.
func Status(ctx context.Context, data, pipeline string) (s *status.Status, err error) {
	lake, err := openToRead(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	now := time.Now()
	queries, err := status.Queries(templates.Reader{Pipelines: []string{pipeline}, Now: status.Instant(now)})
	if err != nil {
		return nil, err
	}
	answers := make([]status.Rows, len(queries))
	for i, q := range queries {
		if answers[i].Columns, answers[i].Records, err = ask(ctx, lake, q.SQL); err != nil {
			if strings.Contains(err.Error(), "does not exist") {
				return nil, diag.WithHint(fmt.Errorf("no run has made tables in %s yet", DuckDBFile(data)), "bundlegen run --local")
			}
			return nil, fmt.Errorf("%s: %s: %w", DuckDBFile(data), q.Name, err)
		}
	}
	if s, err = status.Read(queries, answers, now); err != nil {
		return nil, err
	}
	staged, err := lake.Engine(pipeline).Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	s.Unfinished = append(s.Unfinished, staged...)
	slices.Sort(s.Unfinished)
	s.Unfinished = slices.Compact(s.Unfinished)
	s.Pipeline, s.Source = pipeline, DuckDBFile(data)
	return s, nil
}
