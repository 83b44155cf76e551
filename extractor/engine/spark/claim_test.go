package spark_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// A column of bronze that may not be null and is not ours: the error says so, and
// what was staged is landed once the column is out of the way.
func TestColumnThatIsNotOurs(t *testing.T) {
	s := newSubject(t)
	e := s.Engine(t, enginetest.Process{Pipeline: "p", RunID: "r", Attempt: 1})
	require.NoError(t, e.Claim(t.Context()))
	table := s.Schema(tables.Monitoring) + "." + tables.TagErrors.Name
	var columns []string
	for _, c := range tables.TagErrors.Columns {
		columns = append(columns, tables.SparkName(c.Name)+" "+string(c.Type))
	}
	s.Exec(t, "CREATE OR REPLACE TABLE "+table+" ("+strings.Join(columns, ", ")+", plant INT NOT NULL) USING DELTA")
	rows := []engine.TagError{{Name: "a", Error: "no read access"}}
	err := e.RecordTagErrors(t.Context(), rows)
	require.ErrorContains(t, err, "tag_errors`: its column plant is not ours and may not be null: no row can be added\nhint: ALTER TABLE ")
	s.Exec(t, "ALTER TABLE "+table+" ALTER COLUMN plant DROP NOT NULL")
	require.NoError(t, e.RecordTagErrors(t.Context(), rows))
}
