package templates_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/templates"
)

// soon is half past one in the night of today: what is of today is before it.
const soon = "CAST(current_date AS TIMESTAMP) + INTERVAL '90' MINUTE"

// The queries run on tables as the tasks make them, and say what is there.
func TestQueries(t *testing.T) {
	// A dead job falls behind: it is compared with now, and not with its last run.
	behind := math.Floor(midnight().Add(90 * time.Minute).Sub(time.Unix(1_700_000_000, 0)).Minutes())
	wantLines(t, "sql", map[string][]string{
		"alert-completeness.sql": {"share=0.75 expected_events=4 landed_events=3 incomplete_tags=1"},
		"alert-no-run.sql":       {"pipeline=p tier=standard last_success=2023-11-15 23:15:20"},
		"alert-slow-partitions.sql": {
			"pipeline=p tier=standard site=plant-a partition_id=0 extractions=1 average_seconds=181 longest_seconds=181",
		},
		"completeness.sql": {
			"pipeline=p site=plant-a tier=standard tags_checked=2 incomplete_tags=1 expected_events=9 landed_events=8 worst_partition=0.75",
		},
		"freshness.sql": {
			"pipeline=p tier=standard tags=2 oldest_tag=2023-11-14 22:13:20 newest_tag=2023-11-14 22:14:20 last_run=2023-11-15 23:15:20 minutes_behind=" + fmt.Sprint(behind),
		},
		"partitions.sql": {
			"pipeline=p partition_id=0 site=plant-a tier=standard tags=1 points=5",
			"pipeline=p partition_id=1 site=plant-a tier=standard tags=1 points=0 newest_event=<nil> last_landed=<nil>",
		},
		"points-per-day.sql": {"pipeline=p site=plant-a points=5 tags=1 points_per_tag=5"},
		"slow-partitions.sql": {
			"pipeline=p tier=standard site=plant-a partition_id=0 attempt=1 duration_seconds=181 points_ingested=5 tags_processed=1 tags_failed=<nil> status=SUCCEEDED",
		},
	}, `
		INSERT INTO bronze.pi_timeseries (tag_webid, tag_name, site, timestamp, value, ingestion_timestamp, partition_date, pipeline)
			SELECT 'w1', 'one', 'plant-a', CAST(current_date AS TIMESTAMP) + n * INTERVAL '1' MINUTE, n, CAST(current_date AS TIMESTAMP), current_date, 'p' FROM range(5) AS r(n);
		INSERT INTO checkpoints.tag_watermarks (tag_webid, watermark_ticks, batch_seq, site, point_id, pipeline, updated_at) VALUES
			('w1', 17000000000000000, 1, 'plant-a', 1, 'p', TIMESTAMP '2023-11-14'),
			('w2', 17000000609999999, 1, 'plant-a', 2, 'p', TIMESTAMP '2023-11-14');
		INSERT INTO monitoring.pipeline_metrics (run_id, partition_id, start_time, end_time, duration_seconds, tags_processed, points_ingested, status, pipeline, task, tier, site, attempt) VALUES
			('r', 0, CAST(current_date AS TIMESTAMP), TIMESTAMP '2023-11-15 23:15:20', 181, 1, 5, 'SUCCEEDED', 'p', 'extract', 'standard', 'plant-a', 1),
			('r', 1, CAST(current_date AS TIMESTAMP), TIMESTAMP '2023-11-15 23:00:00', 180, 1, 0, 'SUCCEEDED', 'p', 'extract', 'standard', 'plant-a', 1)`)
}

// The dashboard shows how it is now: a failure that was mended, a batch that
// caught up and a partition that landed nothing yet count as what they are.
func TestDatasets(t *testing.T) {
	wantLines(t, "dashboards", map[string][]string{
		"completeness-by-run.sql":   {"line=least allowed completeness=0.99", "line=standard completeness=0.888889"},
		"duration-by-partition.sql": {"partition_number=0000 average_seconds=110 longest_seconds=200 limit_seconds=180"},
		"errors-by-site.sql":        {"site=plant-a tags=1"},
		"events-by-tier.sql":        {"tier=standard events=32"},
		"failing-tags.sql":          {"site=plant-a tag_name=two times=2"},
		"now.sql": {
			"minutes_behind=60 events_today=32 failed_tags=1 completeness=0.75 slow_partitions=0 failed_attempts=2 silent_partitions=1",
		},
		"tiers.sql": {"tier=standard partitions=2 silent_partitions=1"},
	}, `
		INSERT INTO monitoring.pipeline_metrics (run_id, partition_id, start_time, end_time, duration_seconds, points_ingested, status, pipeline, task, tier, site, tags_failed) VALUES
			('r', 0, CAST(current_date AS TIMESTAMP), CAST(current_date AS TIMESTAMP) + INTERVAL '10' MINUTE, 600, 20, 'CATCHING_UP', 'p', 'extract', 'standard', 'plant-a', 7),
			('r', 0, CAST(current_date AS TIMESTAMP) + INTERVAL '11' MINUTE, CAST(current_date AS TIMESTAMP) + INTERVAL '12' MINUTE, 20, 5, 'SUCCEEDED', 'p', 'extract', 'standard', 'plant-a', NULL),
			('r', 0, CAST(current_date AS TIMESTAMP) + INTERVAL '13' MINUTE, CAST(current_date AS TIMESTAMP) + INTERVAL '30' MINUTE, 200, 7, 'PARTIAL', 'p', 'extract', 'standard', 'plant-a', 1),
			('r', 1, CAST(current_date AS TIMESTAMP) + INTERVAL '13' MINUTE, CAST(current_date AS TIMESTAMP) + INTERVAL '40' MINUTE, 900, NULL, 'FAILED', 'p', 'extract', 'standard', 'plant-a', NULL),
			('r', 1, CAST(current_date AS TIMESTAMP) + INTERVAL '41' MINUTE, CAST(current_date AS TIMESTAMP) + INTERVAL '42' MINUTE, 1, NULL, 'REFUSED', 'p', 'extract', 'standard', 'plant-a', NULL);
		INSERT INTO monitoring.tag_errors (tag_webid, tag_name, site, error, occurred_at, pipeline) VALUES
			('w2', 'two', 'plant-a', 'no', CAST(current_date AS TIMESTAMP) + INTERVAL '10' MINUTE, 'p'),
			('w2', 'two', 'plant-a', 'still no', CAST(current_date AS TIMESTAMP) + INTERVAL '30' MINUTE, 'p')`)
}

// A site that refused the credentials failed, and a run that it ended is a failed run.
func TestStatuses(t *testing.T) {
	wantLines(t, "status", map[string][]string{
		"completeness.sql": {"tags_checked=2 expected_events=9 landed_events=8 completeness=0.888889 incomplete_tags=1"},
		"failed-tags.sql":  nil,
		"lag.sql":          {"tier=standard site=plant-a tags=2 tags_without=2"},
		"runs.sql": {
			"events=5 partitions=2 failed_partitions=1 partial_tasks=0 lagging_partitions=0 failed_tasks=0 error=refused",
			"events=0 partitions=0 failed_partitions=0 partial_tasks=0 lagging_partitions=0 failed_tasks=1 error=refused, too",
		},
		"sites.sql":      nil,
		"unfinished.sql": nil,
	}, `
		INSERT INTO monitoring.pipeline_metrics (run_id, partition_id, start_time, end_time, points_ingested, status, pipeline, task, tier, site, error) VALUES
			('r', 0, CAST(current_date AS TIMESTAMP), CAST(current_date AS TIMESTAMP) + INTERVAL '10' MINUTE, 5, 'SUCCEEDED', 'p', 'extract', 'standard', 'plant-a', NULL),
			('r', 1, CAST(current_date AS TIMESTAMP), CAST(current_date AS TIMESTAMP) + INTERVAL '11' MINUTE, NULL, 'REFUSED', 'p', 'extract', 'standard', 'plant-a', 'refused'),
			('q', NULL, CAST(current_date AS TIMESTAMP), CAST(current_date AS TIMESTAMP) + INTERVAL '1' MINUTE, NULL, 'REFUSED', 'p', 'discover', 'standard', NULL, 'refused, too')`)
}

// wantLines asks a folder's queries of tables with two tags and their checks, and
// with what more is given, and wants these texts in the rows of each.
func wantLines(t *testing.T, of string, want map[string][]string, more string) {
	t.Helper()
	lake := openLake(t)
	require.NoError(t, lake.Engine("p").Claim(t.Context()))
	for _, statement := range strings.Split(`
		INSERT INTO metadata.tag_partitions (tag_webid, tag_name, site, tier, partition_id, plan_id, valid_from, valid_to, point_id, pipeline) VALUES
			('w1', 'one', 'plant-a', 'standard', 0, 'x', TIMESTAMP '2020-01-01', NULL, 1, 'p'),
			('w2', 'two', 'plant-a', 'standard', 1, 'x', TIMESTAMP '2020-01-01', NULL, 2, 'p');
		INSERT INTO monitoring.completeness (run_id, partition_id, site, tier, tags_checked, expected_events, landed_events, completeness, incomplete_tags, checked_at, pipeline) VALUES
			('r', 0, 'plant-a', 'standard', 1, 5, 5, 1.0, 0, CAST(current_date AS TIMESTAMP), 'p'),
			('r', 1, 'plant-a', 'standard', 1, 4, 3, 0.75, 1, CAST(current_date AS TIMESTAMP), 'p');`+more, ";") {
		_, err := lake.DB().ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	queries := slices.DeleteFunc(allQueries(t, templates.Reader{MinCompleteness: 0.99, Now: soon, Overdue: overdue[:1]}),
		func(q templates.Text) bool { return !strings.HasPrefix(q.Name, of+"/") })
	require.Len(t, queries, len(want))
	for _, q := range queries {
		got, lines := ask(t, lake.DB(), string(q.Data)), want[strings.TrimPrefix(q.Name, of+"/")]
		require.Len(t, got.Rows, len(lines), q.Name)
		for i, w := range lines {
			var line []string
			for k, c := range got.Columns {
				line = append(line, fmt.Sprintf("%s=%v", c, got.Rows[i][k]))
			}
			require.Contains(t, strings.ReplaceAll(strings.Join(line, " "), ".000000", ""), w, q.Name)
		}
	}
}

func openLake(t *testing.T) *duckdb.Lake {
	t.Helper()
	lake, err := duckdb.Open(t.Context(), t.TempDir(), "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lake.Close()) })
	return lake
}
