package duckdb_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
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
	_, err = lake.DB().ExecContext(ctx, `ALTER TABLE metadata.runs DROP COLUMN new_points`)
	require.NoError(t, err)
	require.NoError(t, e.Claim(ctx))
	run := engine.Run{ID: "1", Site: "plant-a", Tier: "standard", Until: 5, Assigned: 10, PlanID: "x", NewPoints: 2}
	require.NoError(t, e.RecordRuns(ctx, []engine.Run{run}))
	got, err := e.Runs(ctx, "1")
	require.NoError(t, err)
	require.Equal(t, []engine.Run{run}, got)
}
