package duckdb_test

import (
	"io/fs"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is asked of a data folder while nobody writes to it.
func TestHistories(t *testing.T) {
	dir := t.TempDir()
	_, err := duckdb.OpenToRead(t.Context(), dir, "")
	require.ErrorIs(t, err, fs.ErrNotExist)

	lake, err := duckdb.Open(t.Context(), dir, "")
	require.NoError(t, err)
	e := lake.Engine("demo")
	_, err = e.Histories(t.Context(), "A", nil)
	require.ErrorIs(t, err, engine.ErrNoTables)
	require.NoError(t, e.Claim(t.Context()))

	day := func(n int) instant.Ticks {
		return instant.FromTime(time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC))
	}
	owner := func(id int64, name, site string, partition int) engine.Owner {
		return engine.Owner{PointID: id, WebID: "W", Name: name, Site: site, Tier: "standard", Partition: partition, PlanID: "p", EventsPerHour: -1}
	}
	pin := func(id int64, site string) engine.Pin {
		return engine.Pin{Key: engine.Key{Site: site, PointID: id}, WebID: "W", Name: "A", At: day(1)}
	}
	require.NoError(t, e.Assign(t.Context(), engine.Change{
		At: day(2), Open: []engine.Owner{owner(1, "A", "x", 0), owner(1, "A", "y", 1), owner(2, "B", "x", 0)}, Pins: []engine.Pin{pin(1, "x")},
	}))
	require.NoError(t, e.Assign(t.Context(), engine.Change{
		At: day(3), Seen: day(2), Close: []engine.Key{{Site: "x", PointID: 1}}, Open: []engine.Owner{owner(1, "A2", "x", 4)},
	}))
	require.NoError(t, e.RecordTagErrors(t.Context(), []engine.TagError{{RunID: "r1", Name: "A2", Site: "x", PointID: 1, Error: "gone for lunch"}}))
	require.NoError(t, lake.Close())

	lake, err = duckdb.OpenToRead(t.Context(), dir, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	e = lake.Engine("demo")
	got, err := e.Histories(t.Context(), "A", nil)
	require.NoError(t, err)
	require.Len(t, got, 2, "one of each site, found by the name that one had")
	assert.Equal(t, engine.Key{Site: "x", PointID: 1}, got[0].Key)
	assert.Equal(t, "A2", got[0].Name)
	assert.Equal(t, []duckdb.Ownership{
		{Name: "A", Tier: "standard", Partition: 0, From: day(2).Time(), To: day(3).Time()},
		{Name: "A2", Tier: "standard", Partition: 4, From: day(3).Time()},
	}, got[0].Owners)
	assert.Equal(t, day(1), got[0].Landed)
	assert.True(t, got[0].Pinned)
	require.NotNil(t, got[0].Failed)
	assert.Equal(t, "gone for lunch", got[0].Failed.Error)
	assert.Equal(t, engine.Key{Site: "y", PointID: 1}, got[1].Key)
	assert.Nil(t, got[1].Failed)
	assert.Zero(t, got[1].Landed)

	got, err = e.Histories(t.Context(), "nobody", []engine.Key{{Site: "x", PointID: 2}, {Site: "x", PointID: 99}})
	require.NoError(t, err)
	require.Len(t, got, 1, "found by its point id; of another nothing is known")
	assert.Equal(t, "B", got[0].Name)
	got, err = lake.Engine("another").Histories(t.Context(), "A", nil)
	require.NoError(t, err)
	assert.Empty(t, got)

	assert.ErrorContains(t, e.RecordTagErrors(t.Context(), []engine.TagError{{Name: "A"}}), "readonly")
}

// A data folder of an older version gets the columns that its tables lack.
func TestOlderTablesGetTheirColumns(t *testing.T) {
	lake, err := duckdb.Open(t.Context(), t.TempDir(), "")
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	e := lake.Engine("demo")
	require.NoError(t, e.Claim(t.Context()))
	_, err = lake.DB().ExecContext(t.Context(), "ALTER TABLE monitoring.pipeline_metrics DROP COLUMN retries")
	require.NoError(t, err)
	require.NoError(t, e.Claim(t.Context()))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, e.RecordAttempt(t.Context(), engine.Attempt{RunID: "r1", Task: "discover", Partition: -1, Number: 1, Started: at, Ended: at, Retries: 4}))
	var retries int64
	require.NoError(t, lake.DB().QueryRowContext(t.Context(), "SELECT retries FROM monitoring.pipeline_metrics").Scan(&retries))
	require.EqualValues(t, 4, retries)
}
