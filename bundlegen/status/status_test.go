package status_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/templates"
)

var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// ask reads a status of the answers to some of the queries; the others have none.
func ask(t *testing.T, answers map[string]status.Rows) (*status.Status, error) {
	t.Helper()
	queries, err := status.Queries(templates.Reader{Pipelines: []string{"demo"}})
	require.NoError(t, err)
	rows := make([]status.Rows, len(queries))
	known := 0
	for i, q := range queries {
		require.Contains(t, q.SQL, "'demo'", q.Name)
		if answer, ok := answers[q.Name]; ok {
			rows[i], known = answer, known+1
		}
	}
	require.Equal(t, len(answers), known)
	return status.Read(queries, rows, now)
}

func TestRead(t *testing.T) {
	s, err := ask(t, map[string]status.Rows{
		"runs.sql": {
			Columns: []string{"run_id", "tier", "started", "ended", "events", "partitions", "failed_partitions", "partial_tasks",
				"lagging_partitions", "failed_tasks", "error"},
			Records: [][]string{
				{"r5", "standard", "2026-01-31T11:50:00Z", "2026-01-31T11:51:00.5Z", "100", "2", "0", "0", "0", "0", ""},
				{"r4", "standard", "2026-01-31T11:40:00Z", "2026-01-31T11:41:00Z", "1E2", "2", "0", "0", "1", "0", ""},
				{"r3", "standard", "2026-01-31T11:30:00Z", "2026-01-31T11:31:00Z", "50", "2", "1", "0", "0", "0", "no answer"},
				{"r2", "standard", "2026-01-31T11:20:00Z", "2026-01-31T11:21:00Z", "", "2", "2", "0", "0", "1", "no answer"},
				{"r1", "standard", "2026-01-31T11:10:00Z", "2026-01-31T11:11:00Z", "", "0", "0", "0", "0", "1", "401"},
				{"r0", "standard", "2026-01-31T11:00:00Z", "2026-01-31T11:01:00Z", "9", "2", "0", "1", "0", "0", ""},
			},
		},
		"lag.sql": {
			Columns: []string{"tier", "site", "tags", "tags_without", "newest_ticks", "oldest_ticks", "oldest_tag"},
			Records: [][]string{{"standard", "a", "3", "0", "17698607000000000", "17698571000000000", "X"},
				{"standard", "b", "2", "2", "", "", ""}},
		},
		"failed-tags.sql": {
			Columns: []string{"site", "tag_name", "occurred_at", "error", "failed_tags"},
			Records: [][]string{{"a", "X", "2026-01-31T11:51:00Z", "site \"a\": forbidden", "27"}},
		},
		"unfinished.sql": {Columns: []string{"partition_id"}, Records: [][]string{{"4"}, {"7"}}},
	})
	require.NoError(t, err)
	var outcomes []string
	for _, r := range s.Runs {
		outcomes = append(outcomes, r.Outcome)
	}
	assert.Equal(t, []string{status.Succeeded, status.Behind, status.Partly, status.Failed, status.Failed, status.Partly}, outcomes)
	assert.EqualValues(t, 100, *s.Runs[1].Events)
	assert.Equal(t, 100.0, s.Lags[0].LagSeconds)
	assert.Equal(t, 3700.0, s.Lags[0].MostBehind)
	assert.Nil(t, s.Lags[1].Newest)
	assert.Equal(t, 27, s.FailedTags.Count)
	assert.Equal(t, "forbidden", s.FailedTags.First[0].Error)
	assert.Equal(t, []int{4, 7}, s.Unfinished)
}

// TestSites: new points are of the latest run that counted them, also where the
// table is of a version that did not.
func TestSites(t *testing.T) {
	s, err := ask(t, map[string]status.Rows{"sites.sql": {
		Columns: []string{"run_id", "site", "tier", "recorded_at", "new_points", "unresolved", "clock_doubt"},
		Records: [][]string{
			{"r2", "a", "fast", "2026-01-31T11:50:00Z", "", "1", "a year ahead"},
			{"r1", "a", "slow", "2026-01-31T11:00:00Z", "12", "2", ""},
			{"r1", "b", "slow", "2026-01-31T11:00:00Z", "0", "", ""},
		},
	}})
	require.NoError(t, err)
	require.Len(t, s.Sites, 2)
	assert.Equal(t, 12, *s.Sites[0].NewPoints)
	assert.Equal(t, 3, s.Sites[0].Unresolved)
	assert.Equal(t, "a year ahead", s.Sites[0].ClockDoubt)
	assert.Zero(t, *s.Sites[1].NewPoints)

	s, err = ask(t, map[string]status.Rows{"sites.sql": {Columns: []string{"run_id", "site", "recorded_at"},
		Records: [][]string{{"r", "a", "2026-01-31T11:00:00Z"}}}})
	require.NoError(t, err)
	assert.Nil(t, s.Sites[0].NewPoints)

	_, err = ask(t, map[string]status.Rows{"sites.sql": {Columns: []string{"site", "recorded_at"},
		Records: [][]string{{"a", "yesterday"}}}})
	assert.ErrorContains(t, err, `sites.sql: column recorded_at is "yesterday"; allowed: an instant in RFC 3339`)
}
