package localrun

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/templates"
)

// Status returns how a pipeline is that runs in a data folder. It reads what DuckDB
// holds and what is staged beside it, writes nothing, and fails while a run has the
// folder.
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
				return nil, diag.WithHint(fmt.Errorf("no run has made tables in %s yet", duckDBFile(data)), "bundlegen run --local")
			}
			return nil, fmt.Errorf("%s: %s: %w", duckDBFile(data), q.Name, err)
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
	s.Pipeline, s.Source = pipeline, duckDBFile(data)
	return s, nil
}
