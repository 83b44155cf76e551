package duckdb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
)

// oddTexts gives row i a text: none, empty, one that repeats, one of its own,
// one of 400 characters, and now and then one that is longer than a block.
const oddTexts = `CASE i % 8 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'Öffnet 🌡' WHEN 3 THEN 'recipe ' || i % 97
WHEN 4 THEN md5(i::VARCHAR) WHEN 5 THEN repeat(chr((65 + i % 26)::INTEGER), 400) WHEN 6 THEN CASE WHEN i % 50000 = 6 THEN repeat(md5(i::VARCHAR), 10000) END ELSE 'x' END`

// Texts of every kind come back as they went in, through the compression that
// the lake chooses and a file that is closed in between.
func TestTextsOfEveryKindComeBack(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	lake, err := duckdb.Open(ctx, dir, "")
	require.NoError(t, err)
	require.NoError(t, lake.Engine("p").Claim(ctx))
	const rows = 200_000
	_, err = lake.DB().Exec(fmt.Sprintf("INSERT INTO bronze.pi_timeseries (tag_webid, value_text, value_code) SELECT i, %s, i FROM range(%d) r(i)", oddTexts, rows))
	require.NoError(t, err)
	require.NoError(t, lake.Close())

	lake, err = duckdb.Open(ctx, dir, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	var n, wrong, kinds int
	require.NoError(t, lake.DB().QueryRow("SELECT count(*), count(*) FILTER (WHERE value_text IS DISTINCT FROM "+oddTexts+
		"), count(DISTINCT value_text) FROM (SELECT *, value_code::BIGINT AS i FROM bronze.pi_timeseries)").Scan(&n, &wrong, &kinds))
	require.Equal(t, rows, n)
	require.Zero(t, wrong)
	require.Greater(t, kinds, rows/8)
}
