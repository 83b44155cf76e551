package templates_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/pipeline/tables"
	"github.com/bundlegen/bundlegen/templates"
)

// The statements make the very tables that the tasks make, any number of times,
// and leave alone what is there.
func TestMonitoringTables(t *testing.T) {
	statements := string(templates.MonitoringTables().Data)
	const columns = `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'monitoring' ORDER BY table_name, ordinal_position`
	list := func(db *sql.DB) [][3]string {
		rows, err := db.QueryContext(t.Context(), columns)
		require.NoError(t, err)
		defer rows.Close()
		var all [][3]string
		for rows.Next() {
			var c [3]string
			require.NoError(t, rows.Scan(&c[0], &c[1], &c[2]))
			all = append(all, c)
		}
		require.NoError(t, rows.Err())
		return all
	}
	run := func(db *sql.DB, statements string) {
		_, err := db.ExecContext(t.Context(), statements)
		require.NoError(t, err)
	}
	byTasks, byHand := openLake(t), openLake(t)
	require.NoError(t, byTasks.Engine("p").Claim(t.Context()))
	run(byHand.DB(), statements)
	run(byHand.DB(), "INSERT INTO monitoring.tag_errors (tag_name) VALUES ('one')")
	run(byHand.DB(), statements)
	require.Equal(t, list(byTasks.DB()), list(byHand.DB()))
	require.NoError(t, byHand.Engine("p").Claim(t.Context()), "the tasks take them as they are")
	var kept int
	require.NoError(t, byHand.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM monitoring.tag_errors").Scan(&kept))
	require.Equal(t, 1, kept)
	for _, table := range tables.All {
		require.Equal(t, table.Schema == tables.Monitoring, strings.Contains(statements, table.Schema+"."+table.Name+" ("), table.Name)
	}
}
