package duckdb_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// TestOlderLakesGetWhatTheyLack: tables that an older version made have fewer
// columns. Claim adds them, and what is recorded then is read back.
func TestOlderLakesGetWhatTheyLack(t *testing.T) {
	ctx := context.Background()
	lake, err := duckdb.Open(ctx, t.TempDir(), "")
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	e := lake.Engine("plant")
	require.NoError(t, e.Claim(ctx))
	names := tables.Runs.ColumnNames()
	for _, column := range names[slices.Index(names, "new_points"):] {
		_, err = lake.DB().ExecContext(ctx, `ALTER TABLE metadata.runs DROP COLUMN `+column)
		require.NoError(t, err)
	}
	require.NoError(t, e.Claim(ctx))
	run := engine.Run{ID: "1", Site: "plant-a", Tier: "standard", Until: 5, Assigned: 10, PlanID: "x", NewPoints: 2}
	require.NoError(t, e.RecordRuns(ctx, []engine.Run{run}))
	got, err := e.Runs(ctx, "1")
	require.NoError(t, err)
	require.Equal(t, []engine.Run{run}, got)
}
