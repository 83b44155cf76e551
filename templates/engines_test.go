package templates_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/internal/localspark"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
	"github.com/bundlegen/bundlegen/templates"
)

// answer is what a query gives, in values that both engines can say: numbers,
// booleans, nulls, and texts for all else.
type answer struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// Both engines give the same rows, in the same order, for every query: for all
// pipelines, and for one of two that share the tables.
func TestQueriesGiveTheSameOnBothEngines(t *testing.T) {
	for today := midnight(); ; today = midnight() {
		noon := today.Add(12 * time.Hour).Format("TIMESTAMP '2006-01-02 15:04:05Z'")
		var queries []templates.Text
		for prefix, r := range map[string]templates.Reader{"": {}, "p.prod": {Pipelines: []string{"p.prod"}}, "region": {Pipelines: []string{"p.dev", "p.prod"}, Sites: []string{"plant-a"}}} {
			r.MinCompleteness, r.Now, r.Overdue = 0.99, noon, overdue
			for _, q := range allQueries(t, r) {
				queries = append(queries, templates.Text{Name: path.Join(prefix, q.Name), Data: q.Data})
			}
		}
		queries = append(queries, noRuns(t, noon, overdue))
		rows := history(today)
		onSpark := askSpark(t, rows, queries)
		onDuckDB := askDuckDB(t, rows, queries)
		if midnight() != today {
			continue // what is of today is not any more
		}
		for _, q := range queries {
			rows, folder := 3, path.Base(path.Dir(q.Name))
			switch name := path.Join(folder, path.Base(q.Name)); {
			case name == "dashboards/now.sql", name == "status/completeness.sql", strings.HasPrefix(q.Name, "region/"), name == "sql/alert-no-run.sql":
				rows = 1
			case name == "dashboards/tiers.sql", name == "sql/freshness.sql": // there are two tiers
				rows = 2
			}
			require.GreaterOrEqual(t, len(onDuckDB[q.Name].Rows), rows, "%s has something to compare", q.Name)
			require.Equal(t, onDuckDB[q.Name], onSpark[q.Name], q.Name)
		}
		return
	}
}

// Of tables that it shares with another pipeline, and with another region of its own,
// a bundle reads what it would read if they held its rows alone.
func TestQueriesReadTheRowsOfOneBundle(t *testing.T) {
	for _, b := range []struct {
		pipelines, sites []string
	}{
		{[]string{"p.prod"}, nil},
		{[]string{"p.dev"}, nil},
		{[]string{"p.prod"}, []string{"plant-a"}},
		{[]string{"p.prod"}, []string{"plant b"}},
		{[]string{"p", "p.dev", "p.prod"}, []string{"plant b", "plant c"}},
	} {
		for today := midnight(); ; today = midnight() {
			reader := templates.Reader{MinCompleteness: 0.99, Overdue: overdue, Now: today.Add(12 * time.Hour).Format("TIMESTAMP '2006-01-02 15:04:05Z'")}
			ofAll := allQueries(t, reader)
			rows := history(today)
			everything, alone := askDuckDB(t, rows, ofAll), askDuckDB(t, rows.of(b.pipelines, b.sites), ofAll)
			reader.Pipelines, reader.Sites = b.pipelines, b.sites
			got := askDuckDB(t, rows, allQueries(t, reader))
			if midnight() != today {
				continue // what is of today is not any more
			}
			for name := range got {
				require.Equal(t, alone[name], got[name], "%s of %v at %v", name, b.pipelines, b.sites)
				require.NotEqual(t, everything[name], got[name], "%s of %v at %v: the others' rows do not matter", name, b.pipelines, b.sites)
			}
			break
		}
	}
}

// of keeps the rows of pipelines and sites; no sites are all. A row that names no site
// belongs to those that its run recorded; to all when it recorded none.
func (r rowsOf) of(pipelines, sites []string) rowsOf {
	within := func(site string) bool { return len(sites) == 0 || slices.Contains(sites, site) }
	mine := map[string]bool{}
	for _, row := range r["metadata.runs"] {
		mine[row["run_id"]] = mine[row["run_id"]] || within(row["site"])
	}
	out := rowsOf{}
	for table, rows := range r {
		for _, row := range rows {
			site, named := row["site"]
			recorded, known := mine[row["run_id"]]
			if slices.Contains(pipelines, row["pipeline"]) && (named && within(site) || !named && (!known || recorded)) {
				out[table] = append(out[table], row)
			}
		}
	}
	return out
}

// allQueries returns the queries and the dashboard's, under names of their own.
func allQueries(t *testing.T, r templates.Reader) []templates.Text {
	t.Helper()
	var all []templates.Text
	for folder, read := range map[string]func(templates.Reader) ([]templates.Text, error){"sql": templates.Queries, "dashboards": templates.Datasets, "status": templates.Statuses} {
		texts, err := read(r)
		require.NoError(t, err)
		for _, text := range texts {
			all = append(all, templates.Text{Name: path.Join(folder, text.Name), Data: text.Data})
		}
	}
	return all
}

func midnight() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

// rowsOf holds a table's rows as texts, by column; a column that is not there is null.
type rowsOf map[string][]map[string]string

// history is some weeks of two pipelines: events inside and outside of every
// window that a query has, tags that moved, runs before and after midnight,
// values on both sides of each bound, ties, and nulls. The seed is fixed.
func history(today time.Time) rowsOf {
	random := rand.New(rand.NewPCG(4, 2026))
	at := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000Z") }
	days := func(n int) time.Time { return today.AddDate(0, 0, -n) }
	rows := rowsOf{}
	add := func(table tables.Table, pairs ...string) {
		row := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			row[pairs[i]] = pairs[i+1]
		}
		name := table.Schema + "." + table.Name
		rows[name] = append(rows[name], row)
	}
	number := func(n int) string { return strconv.Itoa(n) }
	for tag := range 24 {
		pipeline := []string{"p.dev", "p.prod"}[tag%2]
		site, tier := []string{"plant-a", "plant b"}[tag/2%2], []string{"standard", "bulk"}[tag/4%2]
		webid, partition := fmt.Sprintf("F1%02d", tag), tag%8
		owned := func(partition int, from, to string) {
			pairs := []string{"tag_webid", webid, "site", site, "tier", tier, "partition_id", number(partition), "point_id", number(tag), "pipeline", pipeline, "valid_from", from}
			if to != "" {
				pairs = append(pairs, "valid_to", to)
			}
			add(tables.TagPartitions, pairs...)
		}
		if tag%3 == 0 { // it moved, at an instant at which rows were landed
			owned(partition+8, at(days(40)), at(days(3)))
			owned(partition, at(days(3)), "")
		} else {
			owned(partition, at(days(40)), "")
		}
		for n := range 12 {
			when := days(random.IntN(34)).Add(time.Duration(random.IntN(86_400_000_000)) * time.Microsecond)
			if n == 0 {
				when = days([]int{0, 7, 8, 30, 31}[tag%5]) // the very bounds
			}
			landed := when.Add(time.Hour)
			if n == 1 {
				landed = days(3)
			}
			add(tables.Timeseries, "tag_webid", webid, "site", site, "pipeline", pipeline, "timestamp", at(when), "timestamp_100ns", "7",
				"value", "1.5", "ingestion_timestamp", at(landed), "partition_date", when.Format(time.DateOnly))
		}
		ticks := instant.FromTime(days(1+tag%3).Add(time.Duration(tag)*time.Minute)) - 1 // just before a second
		for seq := range 3 {
			add(tables.Watermarks, "tag_webid", webid, "watermark_ticks", strconv.FormatInt(int64(ticks)-int64(2-seq)*int64(instant.Second), 10),
				"partition_id", number(partition), "batch_seq", number(seq), "site", site, "point_id", number(tag), "pipeline", pipeline, "updated_at", at(days(1)))
		}
	}
	for n := range 40 {
		start := today.Add(time.Duration(n/2-10) * time.Minute) // a few before midnight, one at it
		task := []string{"extract", "extract", "extract", "validate"}[n%4]
		add(tables.Metrics, "run_id", "r"+number(n), "partition_id", number(n%8), "start_time", at(start), "end_time", at(start.Add(3*time.Minute)),
			"duration_seconds", number(178+n%6), "tags_processed", "3", "points_ingested", number(n*1000), "status", "SUCCEEDED",
			"pipeline", []string{"p.dev", "p.prod"}[n%2], "task", task, "tier", []string{"standard", "bulk"}[n/2%2], "site", "plant-a", "attempt", number(1+n%2))
	}
	for n := range 96 { // within the day before noon, and a few before that
		start := today.Add(12*time.Hour - time.Duration(n)*17*time.Minute - time.Duration(n)*time.Microsecond)
		pairs := []string{"run_id", "s" + number(n/8), "partition_id", number(n % 8), "start_time", at(start), "end_time", at(start.Add(time.Minute)),
			"duration_seconds", number(150 + n*7%90), "points_ingested", number(n), "status", []string{"SUCCEEDED", "PARTIAL", "FAILED", "CATCHING_UP", "LAGGING", "REFUSED"}[n%6],
			"pipeline", []string{"p.dev", "p.prod"}[n/8%2], "task", "extract", "tier", []string{"standard", "bulk"}[n%2], "site", []string{"plant-a", "plant b"}[n%2]}
		if n%3 > 0 {
			pairs = append(pairs, "tags_failed", number(n%4))
		}
		add(tables.Metrics, pairs...)
		add(tables.TagErrors, "run_id", "s"+number(n/8), "partition_id", number(n%8), "tag_webid", fmt.Sprintf("F1%02d", n%24), "tag_name", fmt.Sprintf("tag %d", n%24),
			"site", []string{"plant-a", "plant b"}[n%2], "error", fmt.Sprintf("no answer (%d)", n), "occurred_at", at(start), "pipeline", []string{"p.dev", "p.prod"}[n/8%2])
	}
	for n := range 4 { // in partitions that nobody else has
		pipeline, site, partition := []string{"p.dev", "p.prod"}[n%2], []string{"plant-a", "plant b"}[n/2], number(30+n)
		start := today.Add(11 * time.Hour)
		add(tables.Metrics, "run_id", "w"+number(n), "partition_id", partition, "start_time", at(start), "end_time", at(start.Add(time.Minute)), "duration_seconds", "60", "status", "PARTIAL",
			"tags_failed", "1", "points_ingested", "1", "pipeline", pipeline, "task", "extract", "tier", "standard", "site", site)
		add(tables.TagErrors, "run_id", "w"+number(n), "partition_id", partition, "tag_webid", "F1"+partition, "tag_name", "tag "+partition, "site", site, "error", "no answer",
			"occurred_at", at(start), "pipeline", pipeline)
	}
	for n := range 12 { // decided, and every other one applied
		pipeline, batch := []string{"p.dev", "p.prod"}[n/2%2], "b"+number(n)
		site := []string{"plant-a", "plant b"}[n/4%2]
		add(tables.Watermarks, "partition_id", number(n), "batch_seq", "1", "batch_id", batch, "site", site, "pipeline", pipeline, "updated_at", at(days(1)))
		if n%2 == 0 {
			add(tables.Metrics, "run_id", "t", "partition_id", number(n), "batch_id", batch, "pipeline", pipeline, "task", "extract", "tier", "standard", "site", site,
				"status", "SUCCEEDED", "start_time", at(days(1)), "end_time", at(days(1).Add(time.Duration(n)*time.Second)), "duration_seconds", "1", "points_ingested", "1")
		}
	}
	for n := range 18 { // two tiers of two sites, of which one was counted
		pairs := []string{"run_id", "u" + number(n), "pipeline", []string{"p.dev", "p.prod"}[n/8%2], "site", []string{"plant-a", "plant b"}[n/2%2], "tier", []string{"standard", "bulk"}[n/4%2],
			"until_ticks", "17000000000000000", "assigned_ticks", number(n), "recorded_at", at(days(2).Add(time.Duration(n) * time.Minute))}
		if n%3 == 0 {
			pairs = append(pairs, "new_points", number(n))
		}
		add(tables.Runs, pairs...)
		start := today.Add(time.Duration(n) * 10 * time.Minute) // its discover failed at first, and names no site
		add(tables.Metrics, "run_id", "u"+number(n), "start_time", at(start), "end_time", at(start.Add(time.Minute)), "duration_seconds", "60", "status", "FAILED",
			"error", fmt.Sprintf("no table (%d)", n), "pipeline", []string{"p.dev", "p.prod"}[n/8%2], "task", "discover", "tier", []string{"standard", "bulk"}[n/4%2])
	}
	silent(today, add)
	for n, pipeline := range []string{"p.dev", "p.prod"} { // one that failed for good: its run is of no site that anybody knows
		add(tables.Metrics, "run_id", "v"+number(n), "start_time", at(today), "end_time", at(today.Add(time.Minute)), "duration_seconds", "60", "status", "FAILED",
			"pipeline", pipeline, "task", "discover", "tier", "standard")
	}
	for n := range 36 {
		add(tables.Completeness, "run_id", "r", "partition_id", number(n%8), "site", []string{"plant-a", "plant b"}[n/2%2], "tier", []string{"standard", "bulk"}[n%2],
			"tags_checked", number(10+n), "expected_events", number(1000*n), "landed_events", number(999*n), "completeness", fmt.Sprint(1-float64(n)/100),
			"incomplete_tags", number(n%3), "checked_at", at(days(n-1).Add(-time.Microsecond*time.Duration(n%2))), "pipeline", "p.prod")
		add(tables.Completeness, "run_id", "s"+number(n/6), "partition_id", number(n%6), "site", []string{"plant-a", "plant b"}[n/2%2], "tier", []string{"standard", "bulk"}[n%2],
			"tags_checked", "10", "expected_events", number(100*(n%5)), "landed_events", number(98*(n%5)), "completeness", fmt.Sprint(1-float64(n%6)/100),
			"incomplete_tags", number(n%3), "checked_at", at(today.Add(time.Duration(n)*time.Minute)), "pipeline", []string{"p.dev", "p.prod"}[n/6%2])
	}
	return rows
}

// overdue is when the tiers of history are: after half an hour, or two days. Nothing is
// known of one of them; of one that is left out, which is dead, nothing is to be said.
var overdue = []templates.Overdue{
	{Tier: "standard", Seconds: 1800}, {Tier: "bulk", Seconds: 2 * 86400}, {Tier: "nightly", Seconds: 2 * 86400},
	{Tier: "ok", Seconds: 1800}, {Tier: "ok in part", Seconds: 1800}, {Tier: "behind", Seconds: 1800}, {Tier: "catching up", Seconds: 1800},
	{Tier: "dead", Seconds: 1800}, {Tier: "failing", Seconds: 1800}, {Tier: "never ran", Seconds: 1800}, {Tier: "new", Seconds: 1800}, {Tier: "again", Seconds: 1800},
	{Tier: "no tags", Seconds: 1800}, {Tier: "no tags yet", Seconds: 1800}, {Tier: "unknown", Seconds: 1800},
}

// silent is a pipeline's tiers that run, or do not: at noon each is overdue, or has
// until the next microsecond.
func silent(today time.Time, add func(table tables.Table, pairs ...string)) {
	at := func(ago time.Duration) string {
		return today.Add(12*time.Hour - ago).Format("2006-01-02T15:04:05.000000Z")
	}
	attempt := func(tier, task, status string, ended time.Duration) {
		add(tables.Metrics, "run_id", "x", "partition_id", "50", "start_time", at(ended+time.Minute), "end_time", at(ended), "duration_seconds", "60", "status", status,
			"pipeline", "q", "task", task, "tier", tier, "site", "plant-a")
	}
	const limit, tick, long = 30 * time.Minute, time.Microsecond, 20 * 24 * time.Hour
	for point, a := range []struct {
		tier string
		ago  time.Duration
	}{
		{"ok", long}, {"ok in part", long}, {"behind", long}, {"catching up", long}, {"nightly", long}, {"dead", long}, {"failing", long}, {"left out", long},
		{"never ran", limit + tick}, {"never ran", tick}, {"new", limit}, {"again", time.Minute},
	} {
		add(tables.TagPartitions, "tag_webid", "Q"+a.tier, "tag_name", a.tier, "site", "plant-a", "tier", a.tier, "partition_id", "50", "point_id", strconv.Itoa(100+point),
			"pipeline", "q", "valid_from", at(a.ago))
	}
	add(tables.TagPartitions, "tag_webid", "Qagain", "tag_name", "again", "site", "plant-a", "tier", "again", "partition_id", "50", "point_id", "100",
		"pipeline", "q", "valid_from", at(long), "valid_to", at(time.Hour)) // the tier had tags before
	attempt("ok", "extract", "SUCCEEDED", limit)
	attempt("ok", "extract", "SUCCEEDED", long)
	attempt("ok in part", "extract", "PARTIAL", limit)
	attempt("behind", "extract", "LAGGING", limit)
	attempt("catching up", "extract", "CATCHING_UP", limit)
	attempt("nightly", "extract", "SUCCEEDED", 48*time.Hour)
	attempt("dead", "extract", "SUCCEEDED", limit+tick)
	attempt("left out", "extract", "SUCCEEDED", long)
	attempt("failing", "extract", "SUCCEEDED", 3*time.Hour)
	attempt("failing", "extract", "FAILED", time.Hour)
	attempt("failing", "discover", "SUCCEEDED", 2*time.Minute)
	attempt("failing", "extract", "REFUSED", time.Minute)
	attempt("again", "extract", "SUCCEEDED", time.Hour)
	attempt("no tags", "discover", "FAILED", limit-time.Minute+tick)
	attempt("no tags", "discover", "FAILED", time.Minute)
	attempt("no tags yet", "discover", "FAILED", limit-time.Minute)
}

// noRuns is the alert of the pipeline that silent is.
func noRuns(t *testing.T, now string, overdue []templates.Overdue) templates.Text {
	t.Helper()
	texts, err := templates.Queries(templates.Reader{Pipelines: []string{"q"}, Overdue: overdue, Now: now})
	require.NoError(t, err)
	i := slices.IndexFunc(texts, func(q templates.Text) bool { return q.Name == templates.NoRunAlert })
	require.GreaterOrEqual(t, i, 0)
	return templates.Text{Name: "q/sql/" + templates.NoRunAlert, Data: texts[i].Data}
}

// The alert tells of the tiers whose jobs are dead, fail, or never ran, and of none
// before its time: not while a tier is new. Where no tier has a time it tells of none.
func TestOverdueTiers(t *testing.T) {
	today := midnight()
	at := func(ago time.Duration) any {
		return today.Add(12*time.Hour - ago).Format("2006-01-02 15:04:05.000000")
	}
	const limit, tick, long = 30 * time.Minute, time.Microsecond, 20 * 24 * time.Hour
	noon := today.Add(12 * time.Hour).Format("TIMESTAMP '2006-01-02 15:04:05Z'")
	alert := noRuns(t, noon, overdue)
	require.Equal(t, answer{
		Columns: []string{"pipeline", "tier", "last_success", "last_attempt", "assigned_at", "minutes_allowed"},
		Rows: [][]any{
			{"q", "dead", at(limit + tick), at(limit + tick + time.Minute), at(long), 30.0},
			{"q", "failing", at(3 * time.Hour), at(2 * time.Minute), at(long), 30.0},
			{"q", "never ran", nil, nil, at(limit + tick), 30.0},
			{"q", "no tags", nil, at(2 * time.Minute), nil, 30.0},
		},
	}, askDuckDB(t, history(today), []templates.Text{alert})[alert.Name])
	alert = noRuns(t, noon, nil)
	require.Empty(t, askDuckDB(t, history(today), []templates.Text{alert})[alert.Name].Rows)
}

// used lists the tables that rows are for.
func (r rowsOf) used() []tables.Table {
	var all []tables.Table
	for _, t := range tables.All {
		if len(r[t.Schema+"."+t.Name]) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// texts returns a table's rows in the order of its columns.
func (r rowsOf) texts(t tables.Table) [][]any {
	var all [][]any
	for _, row := range r[t.Schema+"."+t.Name] {
		line := make([]any, len(t.Columns))
		for i, c := range t.Columns {
			if text, ok := row[c.Name]; ok {
				line[i] = text
			}
		}
		all = append(all, line)
	}
	return all
}

func askDuckDB(t *testing.T, rows rowsOf, queries []templates.Text) map[string]answer {
	t.Helper()
	lake, err := duckdb.Open(t.Context(), t.TempDir(), "")
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	require.NoError(t, lake.Engine("p").Claim(t.Context()))
	for _, table := range rows.used() {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(table.Columns)), ", ")
		for _, row := range rows.texts(table) {
			_, err := lake.DB().ExecContext(t.Context(), "INSERT INTO "+table.Schema+"."+table.Name+" VALUES ("+marks+")", row...)
			require.NoError(t, err, table.Name)
		}
	}
	answers := map[string]answer{}
	for _, q := range queries {
		answers[q.Name] = ask(t, lake.DB(), string(q.Data))
	}
	return answers
}

// ask runs a query on DuckDB.
func ask(t *testing.T, db *sql.DB, query string) answer {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err, query)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	a := answer{Columns: columns}
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		require.NoError(t, rows.Scan(targets...))
		for i := range values {
			values[i] = plain(values[i], types[i].DatabaseTypeName())
		}
		a.Rows = append(a.Rows, values)
	}
	require.NoError(t, rows.Err())
	return a
}

// plain is a value as queries.py writes it.
func plain(value any, typeName string) any {
	switch v := value.(type) {
	case time.Time:
		if typeName == "DATE" {
			return v.Format(time.DateOnly)
		}
		return v.UTC().Format("2006-01-02 15:04:05.000000")
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case int64:
		return float64(v)
	case int32:
		return float64(v)
	}
	return value
}

func askSpark(t *testing.T, rows rowsOf, queries []templates.Text) map[string]answer {
	t.Helper()
	type table struct {
		Name    string      `json:"name"`
		Columns [][2]string `json:"columns"`
		Rows    [][]any     `json:"rows"`
	}
	task := struct {
		Schemas []string          `json:"schemas"`
		Tables  []table           `json:"tables"`
		Views   []string          `json:"views"`
		Queries map[string]string `json:"queries"`
	}{Schemas: tables.Schemas, Queries: map[string]string{}}
	for _, u := range rows.used() {
		made := table{Name: u.Schema + "." + u.Name, Rows: rows.texts(u)}
		for _, c := range u.Columns {
			made.Columns = append(made.Columns, [2]string{c.Name, string(c.Type)})
		}
		task.Tables = append(task.Tables, made)
	}
	view := tables.CurrentWatermarks
	task.Views = []string{"CREATE VIEW " + view.Schema + "." + view.Name + " AS " + strings.ReplaceAll(view.Select, "{checkpoints}", tables.Checkpoints)}
	// The tables are there: their statements change nothing, and are Spark's too.
	for statement := range strings.SplitSeq(string(templates.MonitoringTables().Data), ";\n") {
		if strings.TrimSpace(statement) != "" {
			task.Views = append(task.Views, statement)
		}
	}
	for _, q := range queries {
		task.Queries[q.Name] = string(q.Data)
	}
	data, err := json.Marshal(task)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "task.json")
	require.NoError(t, os.WriteFile(file, data, 0o600))

	var answers map[string]answer
	require.NoError(t, json.Unmarshal(runOnSpark(t, "testdata/queries.py", file), &answers))
	return answers
}

// runOnSpark runs a script with a Spark session of its own, which nothing
// outlives, and gives what it writes to standard output.
func runOnSpark(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	home, err := localspark.Ensure(t.Context(), slog.Default())
	require.NoError(t, err)
	// A session that lasts some seconds is not worth a metastore, the planning of
	// large queries, or the better of Java's compilers: half the time is theirs.
	env, err := home.Classic(localspark.Options{
		Dir: t.TempDir(),
		Env: []string{"JDK_JAVA_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"},
		Conf: map[string]string{
			"spark.sql.catalogImplementation":           "in-memory",
			"spark.sql.shuffle.partitions":              "1",
			"spark.sql.adaptive.enabled":                "false",
			"spark.databricks.delta.snapshotPartitions": "1",
		},
	})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), home.Python(), append([]string{script}, args...)...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)
	return stdout.Bytes()
}
