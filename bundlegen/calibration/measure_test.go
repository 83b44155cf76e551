package calibration_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/calibration"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/internal/fixedseed"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	os.Exit(m.Run())
}

// planned is a plan of sites with so many tags each, each site in so many partitions.
func planned(t require.TestingT, change func(*config.Pipeline), tags ...int) *plan.Plan {
	cfg := &config.Pipeline{
		Version: 1, Name: "demo", Catalog: "main", File: "pipeline.yml",
		Sizing:  config.Sizing{MinTags: 100, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000},
		Tiers:   []config.Tier{{Name: "standard", Every: time.Hour}},
		Compute: config.Compute{Cloud: "aws", NodeType: "m5d.xlarge", OrchestratorType: "m5d.xlarge"},
	}
	var list []inventory.Tag
	for s, n := range tags {
		site := fmt.Sprintf("plant-%d", s)
		cfg.Sites = append(cfg.Sites, config.Site{Name: site, URL: "https://pi.example",
			Limits: config.Limits{RequestsPerSecond: 500, Connections: 4, ItemsPerCall: 150000}})
		for i := range n {
			list = append(list, inventory.Tag{Site: site, Name: fmt.Sprintf("T%05d", i), EventsPerHour: -1, PointID: int64(i + 1)})
		}
	}
	if change != nil {
		change(cfg)
	}
	p, err := plan.Build(cfg, plantest.Inventory(cfg, list), nil, plan.Options{})
	require.NoError(t, err)
	return p
}

// truth is what the runs of a history were like.
type truth struct {
	request, tag, rate, startup, discover, consolidate, validate float64
	noise                                                        float64 // of each duration, a share
}

var begin = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

// history writes the rows of so many hourly runs of a plan, as its tasks would.
func history(p *plan.Plan, runs int, is truth, pipeline string) []calibration.Row {
	random := rand.New(rand.NewPCG(1, 2))
	seconds := func(s float64) time.Duration {
		return time.Duration(s * (1 + is.noise*(2*random.Float64()-1)) * float64(time.Second))
	}
	var rows []calibration.Row
	for n := range runs {
		start := begin.Add(time.Duration(n) * time.Hour)
		id := fmt.Sprintf("run-%d", n)
		other := func(task string, at time.Time, took float64) time.Time {
			end := at.Add(seconds(took))
			rows = append(rows, calibration.Row{Pipeline: pipeline, Run: id, Task: task, Tier: "standard", Partition: -1, Attempt: 1,
				Start: at, End: end, Status: "SUCCEEDED"})
			return end
		}
		discovered := other("discover", start, is.discover)
		last := discovered
		for _, part := range p.Partitions {
			// 4 calls at once, which the server bears, each of so many tags that all are of one round.
			calls := float64(part.Limits.Connections)
			took := is.request + is.request + float64(part.Tags)/calls*is.tag
			at := discovered.Add(time.Duration(is.startup * float64(time.Second)))
			row := calibration.Row{
				Pipeline: pipeline, Run: id, Task: "extract", Tier: "standard", Site: part.Site, Partition: part.ID, Attempt: 1,
				Batch: fmt.Sprintf("%s-%d", id, part.ID), Number: int64(n + 1), Start: at, End: at.Add(seconds(took)),
				Tags: part.Tags, Events: int64(float64(part.Tags) * is.rate), Requests: int64(calls) + 1, Status: "SUCCEEDED",
			}
			rows = append(rows, row)
			if row.End.After(last) {
				last = row.End
			}
		}
		other("validate", other("consolidate", last.Add(5*time.Second), is.consolidate), is.validate)
	}
	return rows
}

func measured(r *calibration.Result, name string) (calibration.Constant, bool) {
	i := slices.IndexFunc(r.Calibration.Constants, func(c calibration.Constant) bool { return c.Name == name })
	if i < 0 {
		return calibration.Constant{}, false
	}
	return r.Calibration.Constants[i], true
}

var real = truth{request: 0.4, tag: 0.004, rate: 60, startup: 200, discover: 31, consolidate: 14, validate: 9}

// What a history was made with is what is measured, with its spread around it.
func TestConstantsAreFound(t *testing.T) {
	p := planned(t, nil, 3000, 800, 400, 200)
	is := real
	is.noise = 0.05
	r, err := calibration.Measure(p, "demo", history(p, 48, is, "demo.prod"))
	require.NoError(t, err)
	for name, want := range map[string]float64{
		"pi_request": 0.4, "pi_tag": 0.004, "events_per_hour": 60,
		"startup_classic": 200 - 15 - 2*3, "discover_fixed": 31 - 0.91, "consolidate": 14,
	} {
		c, ok := measured(r, name)
		require.True(t, ok, name)
		assert.InEpsilon(t, want, c.Value, 0.06, name)
		assert.LessOrEqual(t, c.Low, c.Value, name)
		assert.GreaterOrEqual(t, c.High, c.Value, name)
		assert.Positive(t, c.Samples, name)
	}
	assert.Equal(t, "demo.prod", r.Calibration.Pipeline)
	assert.Equal(t, 48, r.Calibration.Runs)
	assert.Equal(t, begin, r.Calibration.From)
	assert.Empty(t, r.Notes)
	assert.Empty(t, r.Slow)
	var kept []string
	for _, k := range r.Kept {
		kept = append(kept, k.Name)
		assert.NotEmpty(t, k.Why)
	}
	assert.Contains(t, kept, "pi_threads")
	assert.Contains(t, kept, "spark_statement")
}

// Where all calls are of one width, a request cannot be told from its tags: both change by one factor.
func TestOneFactorWhereWidthsAreAlike(t *testing.T) {
	p := planned(t, nil, 3000)
	is := real
	is.request, is.tag = 2*0.91, 2*0.05
	r, err := calibration.Measure(p, "demo", history(p, 3, is, "demo"))
	require.NoError(t, err)
	request, _ := measured(r, "pi_request")
	tag, _ := measured(r, "pi_tag")
	assert.InEpsilon(t, 1.82, request.Value, 0.01)
	assert.InEpsilon(t, 0.1, tag.Value, 0.01)
	_, ok := measured(r, "startup_classic")
	assert.False(t, ok, "a run on this machine starts no cluster")
}

// Several batches of a task show what the statements between them take.
func TestStatementsBetweenBatches(t *testing.T) {
	p := planned(t, nil, 3000)
	rows := history(p, 2, real, "demo")
	for _, r := range slices.Clone(rows) {
		if r.Task == "extract" {
			r.Batch, r.Number = r.Batch+"-b", r.Number+100
			took := r.End.Sub(r.Start)
			r.Start = r.End.Add(5 * 400 * time.Millisecond)
			r.End = r.Start.Add(took)
			r.Events = 0
			rows = append(rows, r)
		}
	}
	r, err := calibration.Measure(p, "demo", rows)
	require.NoError(t, err)
	c, ok := measured(r, "spark_statement")
	require.True(t, ok)
	assert.InDelta(t, 0.4, c.Value, 0.04)
}

func TestSlowPartitions(t *testing.T) {
	p := planned(t, func(c *config.Pipeline) { c.Tiers[0].Partitions = 5 }, 3000)
	rows := history(p, 4, real, "demo")
	for i := range rows {
		if rows[i].Partition == 3 {
			rows[i].End = rows[i].Start.Add(4 * rows[i].End.Sub(rows[i].Start))
		}
	}
	r, err := calibration.Measure(p, "demo", rows)
	require.NoError(t, err)
	require.Len(t, r.Slow, 1)
	assert.Equal(t, 3, r.Slow[0].Partition)
	assert.Greater(t, r.Slow[0].Seconds, 3*r.Slow[0].Neighbours)

	is := real
	is.request = 100
	r, err = calibration.Measure(p, "demo", history(p, 2, is, "demo"))
	require.NoError(t, err)
	assert.Len(t, r.Slow, 5, "over 180 s, however slow the others are")
}

func TestGapsAndOtherPlans(t *testing.T) {
	p := planned(t, func(c *config.Pipeline) { c.Tiers[0].Partitions = 3 }, 3000)
	rows := slices.DeleteFunc(history(p, 10, real, "demo"), func(r calibration.Row) bool {
		return r.Run == "run-4" || r.Run == "run-5" || r.Run == "run-7" && r.Partition == 1
	})
	r, err := calibration.Measure(p, "demo", rows)
	require.NoError(t, err)
	require.Len(t, r.Notes, 2)
	assert.Equal(t, "1 gap in the history of tier standard: a run is due every 1 h, and after 2026-01-31 03:00 there was none for 3 h.",
		r.Notes[0])
	assert.Contains(t, r.Notes[1], "1 run of tier standard have no row of some partitions")

	other := planned(t, nil, 3000) // one partition, 0000, of all tags
	mixed := append(history(p, 10, real, "demo"), history(other, 1, real, "demo")...)
	mixed[len(mixed)-3].Run = "earlier"
	mixed = append(mixed, calibration.Row{Pipeline: "another", Run: "x", Task: "extract"})
	r, err = calibration.Measure(p, "demo", mixed)
	require.NoError(t, err)
	require.Len(t, r.Notes, 2)
	assert.Equal(t, `Left out: 1 row of pipeline "another".`, r.Notes[0])
	assert.Contains(t, r.Notes[1], "1 row of another plan (partitions that have other tags now, or are gone: 0000)")

	_, err = calibration.Measure(other, "demo", history(p, 10, real, "demo"))
	require.ErrorIs(t, err, calibration.ErrNothing, "nothing of it is of this plan")
	_, err = calibration.Measure(p, "demo", nil)
	require.ErrorIs(t, err, calibration.ErrNothing)
}

// The same rows in any order give the same file, and every value is one that a plan takes.
func TestMeasureIsDeterministic(t *testing.T) {
	p := planned(t, func(c *config.Pipeline) { c.Tiers[0].Partitions = 4 }, 2000, 300)
	rapid.Check(t, func(t *rapid.T) {
		is := truth{
			request: rapid.Float64Range(0, 100).Draw(t, "request"), tag: rapid.Float64Range(0, 10).Draw(t, "tag"),
			rate: rapid.Float64Range(0, 1e7).Draw(t, "rate"), startup: rapid.Float64Range(0, 10_000).Draw(t, "start-up"),
			discover: rapid.Float64Range(0, 9999).Draw(t, "discover"), noise: rapid.Float64Range(0, 1).Draw(t, "noise"),
		}
		rows := history(p, rapid.IntRange(1, 5).Draw(t, "runs"), is, "demo.prod")
		encoded := func(rows []calibration.Row) string {
			r, err := calibration.Measure(p, "demo", rows)
			require.NoError(t, err)
			text, err := r.Calibration.Encode()
			require.NoError(t, err)
			return string(text)
		}
		first := encoded(rows)
		shuffled := slices.Clone(rows)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Shuffle(len(shuffled),
			func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		require.Equal(t, first, encoded(shuffled))
		path := filepath.Join(os.TempDir(), fmt.Sprintf("calibration-%d.json", os.Getpid()))
		defer os.Remove(path)
		require.NoError(t, os.WriteFile(path, []byte(first), 0o600))
		read, err := calibration.Read(path)
		require.NoError(t, err)
		again, err := read.Encode()
		require.NoError(t, err)
		require.Equal(t, first, string(again))
		for _, c := range read.Constants {
			require.False(t, math.IsNaN(c.Value))
			require.Equal(t, c.Value, read.Overrides("c.json")[c.Name].Value)
		}
	})
}

func TestFilesThatAreRefused(t *testing.T) {
	for content, want := range map[string]string{
		`{"version": 2}`: "version 2; allowed: 1",
		`{"version": 1, "constants": [{"name": "pi_reqest", "value": 1}]}`:   `constant "pi_reqest" is unknown; the nearest is pi_request`,
		`{"version": 1, "constants": [{"name": "pi_request", "value": -1}]}`: "constant pi_request: -1; allowed: 0 to 600 s",
		`{"version": 1, "speed": 3}`:                                         `unknown field "speed"`,
		"{\"version\": 1,\n  \"runs\": x}":                                   "line 2, column 11",
		`{"version": 1, "runs": "many"}`:                                     "line 1, column 29",
		`{"version": 1} {}`:                                                  "line 1, column 16",
		``:                                                                   "unexpected end of JSON input",
	} {
		path := filepath.Join(t.TempDir(), "calibration.json")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := calibration.Read(path)
		require.ErrorContains(t, err, want, content)
		require.ErrorContains(t, err, path)
		require.ErrorContains(t, err, "\nhint: ")
	}
	_, err := calibration.Read(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

const header = "run_id,partition_id,start_time,end_time,duration_seconds,tags_processed,points_ingested,status,pipeline,task,tier,site,attempt,batch_id,batch_seq,tags_failed,requests,error\n"

func TestReadCSV(t *testing.T) {
	rows, err := calibration.ReadCSV(strings.NewReader("\ufeff"+header+
		"r,3,2026-01-31 12:00:00.5,2026-01-31T13:00:01+01:00,1,10,20,SUCCEEDED,demo,extract,standard,plant-a,1,b,7,0,5,\n"+
		"r,,1769860800000000,1769860801000000,1,,,SUCCEEDED,demo,discover,standard,,1,,,,null,\n"), "m.csv")
	require.NoError(t, err)
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	assert.Equal(t, []calibration.Row{
		{Pipeline: "demo", Run: "r", Task: "extract", Tier: "standard", Site: "plant-a", Partition: 3, Attempt: 1, Batch: "b", Number: 7,
			Start: noon.Add(500 * time.Millisecond), End: noon.Add(time.Second), Tags: 10, Events: 20, Requests: 5, Status: "SUCCEEDED"},
		{Pipeline: "demo", Run: "r", Task: "discover", Tier: "standard", Partition: -1, Attempt: 1, Start: noon, End: noon.Add(time.Second),
			Status: "SUCCEEDED"},
	}, rows)
}

func TestBadCSV(t *testing.T) {
	row := "r,3,2026-01-31 12:00:00,2026-01-31 12:00:01,1,10,20,SUCCEEDED,demo,extract,standard,plant-a,1,b,7,0,5,\n"
	for content, want := range map[string]string{
		"": "m.csv: the file is empty",
		strings.Replace(header, "start_time", "star_time", 1) + row: "m.csv:1: there is no column start_time; the nearest is star_time",
		header + row + strings.Replace(row, ",20,", ",-20,", 1):     `m.csv:3:50: points_ingested: "-20"; allowed: a whole number from 0`,
		header + strings.Replace(row, "12:00:01", "noon",
			1): `m.csv:2:25: end_time: "2026-01-31 noon"; allowed: a timestamp such as`,
		header + strings.Replace(row, "12:00:01", "11:00:01", 1): "m.csv:2:25: end_time: is before start_time",
		header + strings.Replace(row, "SUCCEEDED", "", 1):        "m.csv:2:53: status: is empty",
		header + "r,3\n": "wrong number of fields",
	} {
		_, err := calibration.ReadCSV(strings.NewReader(content), "m.csv")
		require.ErrorContains(t, err, want, content)
	}
}

func TestParse(t *testing.T) {
	record := []string{"r", "3", "1769860800000000", "1769860801000000", "10", "20", "SUCCEEDED", "demo", "extract", "standard", "plant-a",
		"1", "b", "7", "0", "5"}
	rows, err := calibration.Parse([][]string{record}, "the warehouse")
	require.NoError(t, err)
	assert.Equal(t, 3, rows[0].Partition)
	record[2] = "yesterday"
	_, err = calibration.Parse([][]string{record}, "the warehouse")
	require.ErrorContains(t, err, `the warehouse: row 1: start_time: "yesterday"`)
	_, err = calibration.Parse([][]string{{"r"}}, "the warehouse")
	require.ErrorContains(t, err, "row 1 has 1 columns")
}
