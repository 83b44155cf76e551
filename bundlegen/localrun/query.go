package localrun

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
)

// Query runs a query on the tables that local runs have left in a data folder,
// and gives all rows as texts; null is "". It fails when another process has the
// folder. Tables of a run on Spark are not there.
func Query(ctx context.Context, data, query string) (rows [][]string, err error) {
	if _, err := os.Stat(duckDBFile(data)); errors.Is(err, fs.ErrNotExist) {
		hint := "bundlegen run --local lands something there"
		if _, err := os.Stat(sparkFolder(data)); err == nil {
			hint = "its tables are on Spark: export monitoring.pipeline_metrics as CSV there"
		}
		return nil, fmt.Errorf("data folder %s has no %s\nhint: %s", data, duckdb.FileName, hint)
	}
	file, err := duckdb.Open(ctx, data, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	result, err := file.DB().QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", duckDBFile(data), err)
	}
	defer result.Close()
	columns, err := result.Columns()
	if err != nil {
		return nil, err
	}
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	for result.Next() {
		if err := result.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = c.String
		}
		rows = append(rows, row)
	}
	return rows, result.Err()
}
