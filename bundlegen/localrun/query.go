package localrun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// HasTables reports whether local runs have left tables in a data folder, in DuckDB.
func HasTables(data string) bool {
	_, err := os.Stat(duckDBFile(data))
	return err == nil
}

// Query runs a query on the tables that local runs have left in a data folder,
// and returns all rows as texts; null is "". It writes nothing, and fails while
// another process has the folder. Tables of a run on Spark are not there.
func Query(ctx context.Context, data, query string) (rows [][]string, err error) {
	lake, err := openToRead(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	_, rows, err = ask(ctx, lake, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", duckDBFile(data), err)
	}
	return rows, nil
}

// openToRead opens the tables in a data folder for reading only, and says where
// else they may be when there are none.
func openToRead(ctx context.Context, data string) (*duckdb.Lake, error) {
	lake, err := duckdb.OpenToRead(ctx, data, "")
	if errors.Is(err, fs.ErrNotExist) {
		hint := "bundlegen run --local lands something there"
		if _, err := os.Stat(sparkFolder(data)); err == nil {
			hint = "its tables are on Spark: " + sparkFolder(data) + "/sql opens a SQL shell on them; the bundle's sql/ has queries"
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
