package task_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	noon     = 1_767_268_800 * instant.Second // 2026-01-01T12:00:00Z
	backfill = instant.Hour
)

// plant is a site, the bundle of its one partition, and a lake.
type plant struct {
	t           *testing.T
	server      *simulator.Server
	bundle      string
	data        string
	lake        *duckdb.Lake
	params      manifest.Parameters
	site        manifest.Site // as the bundle has it
	env         map[string]string
	gracePeriod time.Duration
	now         func() time.Time
}

// newPlant makes a plant whose tags are in one partition.
func newPlant(t *testing.T, o simulator.Options) *plant {
	o.Seed = 20261123
	if o.Clock == nil {
		o.Clock = func() instant.Ticks { return noon + instant.Hour }
	}
	o.Auth = simulator.Auth{Kind: simulator.Basic, User: "svc_pi", Password: "correct horse"}
	p := &plant{t: t, server: simulator.New(o), bundle: t.TempDir(), env: map[string]string{"PI_PLANT_A_PASSWORD": "correct horse"}}
	url, err := p.server.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.server.Close()) })
	p.data = t.TempDir()
	p.lake, err = duckdb.Open(t.Context(), p.data, "")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.lake.Close()) })
	p.params = manifest.Parameters{Pipeline: "plant", Catalog: "main", Bundle: p.bundle, Tier: "standard", RunID: "run-1",
		Until: noon.String(), Attempt: 1,
		Site: "plant-a", Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 5, ItemsPerCall: 2000}, MaxWindow: 2000,
		FailAbove: 0.1, TagsPerShard: 25, Backfill: 3600}
	p.site = manifest.Site{Name: "plant-a", URL: url, Auth: manifest.Auth{Kind: "basic", Username: "svc_pi",
		PasswordEnv: "PI_PLANT_A_PASSWORD"},
		Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 20, ItemsPerCall: 5000},
		Retry:  manifest.Retry{Attempts: 2, BackoffSeconds: 0.005, TimeoutSeconds: 10}}
	if o.TLS {
		p.site.TLS.CAFile = "ca.pem"
		p.write("ca.pem", string(p.server.CA()))
	}
	p.generate(p.site)
	return p
}

// through makes each call to the site pass first, which is done before the server sees the call.
func (p *plant) through(first func(*http.Request)) {
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first(r)
		p.server.ServeHTTP(w, r)
	}))
	p.t.Cleanup(gate.Close)
	p.site.URL = gate.URL + simulator.Root
	p.generate(p.site)
}

func (p *plant) write(name, text string) {
	path := filepath.Join(p.bundle, name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(p.t, os.WriteFile(path, []byte(text), 0o600))
}

// generate makes the bundle.
func (p *plant) generate(site manifest.Site) {
	var sites, tags bytes.Buffer
	require.NoError(p.t, manifest.WriteSites(&sites, manifest.Sites{Sites: []manifest.Site{site}}))
	var list []inventory.Tag
	for _, t := range p.server.Oracle().Tags() {
		list = append(list, inventory.Tag{Site: site.Name, Name: t.Name, WebID: t.WebID, Tier: "standard", EventsPerHour: t.EventsPerHour,
			PointID: t.PointID})
	}
	slices.SortFunc(list, func(a, b inventory.Tag) int { return strings.Compare(a.Name, b.Name) })
	require.NoError(p.t, inventory.Write(&tags, list))
	p.write(manifest.SitesFile, sites.String())
	p.write(manifest.Folder+"/partition-0000.csv", tags.String())
	p.write("plan.json", `{"plan_id":"plan-1"}`)
}

// run runs a task; runner is nil for this process alone.
func (p *plant) run(name string, runner *cluster) (task.Result, error) {
	params := p.params
	params.Task = name
	env := task.Env{Engine: p.lake.Engine("plant"), Params: params, GracePeriod: p.gracePeriod, Getenv: p.getenv, Now: p.now}
	if runner != nil {
		env.Shards = runner
	}
	return task.Run(p.t.Context(), env)
}

func (p *plant) getenv(name string) (string, bool) {
	v, ok := p.env[name]
	return v, ok
}

func (p *plant) discover() {
	_, err := p.run(manifest.TaskDiscover, nil)
	require.NoError(p.t, err)
	p.server.ResetStats()
}

// ways are the two ways to read: in this process, and by shards.
func ways(t *testing.T, o simulator.Options, test func(t *testing.T, p *plant, runner *cluster)) {
	t.Run("alone", func(t *testing.T) {
		p := newPlant(t, o)
		p.discover()
		test(t, p, nil)
	})
	t.Run("shards", func(t *testing.T) {
		p := newPlant(t, o)
		p.discover()
		test(t, p, &cluster{getenv: p.getenv})
	})
}

// table returns what bronze has of each tag, by name.
func (p *plant) table() map[string][]string {
	rows, err := p.lake.DB().Query(`SELECT tag_name, tag_webid, epoch_us("timestamp") * 10 + timestamp_100ns, value, value_text, value_code, quality_good, quality_questionable,
quality_substituted, quality_annotated, units, site = 'plant-a' AND pipeline = 'plant' AND partition_date = "timestamp"::DATE AND batch_id IS NOT NULL FROM bronze.pi_timeseries`)
	require.NoError(p.t, err)
	defer rows.Close()
	have := map[string][]string{}
	for rows.Next() {
		var name, id, units string
		var e simulator.Event
		var value *float64
		var text *string
		var code *int32
		var well bool
		require.NoError(p.t, rows.Scan(&name, &id, &e.Ticks, &value, &text, &code, &e.Good, &e.Questionable, &e.Substituted, &e.Annotated,
			&units, &well))
		require.True(p.t, well)
		if value != nil {
			e.HasValue, e.Value = true, *value
		}
		if text != nil {
			e.HasText, e.Text = true, *text
		}
		if code != nil {
			e.HasCode, e.Code = true, *code
		}
		have[name] = append(have[name], line(id, units, e))
	}
	require.NoError(p.t, rows.Err())
	return have
}

func line(id, units string, e simulator.Event) string {
	return fmt.Sprintf("%s %s %+v %x", id, units, e, math.Float64bits(e.Value))
}

// compare holds the table against the oracle: the tags up to noon, but for some
// up to where their watermark is.
func (p *plant) compare() (events int) {
	p.t.Helper()
	have, marks := p.table(), p.watermarks()
	for _, tag := range p.server.Oracle().Tags() {
		var want []string
		for _, e := range p.server.Oracle().Events(tag.Index, noon-backfill-1, marks[tag.Name]) {
			want = append(want, line(p.server.Oracle().WebID(tag.Index, simulator.IDOnly), tag.Units, e))
		}
		got := have[tag.Name]
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(p.t, len(want), len(got), tag.Name)
		require.True(p.t, slices.Equal(want, got), tag.Name)
		events += len(got)
		delete(have, tag.Name)
	}
	require.Empty(p.t, have)
	return events
}

func (p *plant) watermarks() map[string]instant.Ticks {
	rows, err := p.lake.DB().Query(`SELECT tag_name, max(watermark_ticks) FROM checkpoints.tag_watermarks WHERE point_id IS NOT NULL ` +
		`GROUP BY ALL`)
	require.NoError(p.t, err)
	defer rows.Close()
	out := map[string]instant.Ticks{}
	for rows.Next() {
		var name string
		var at instant.Ticks
		require.NoError(p.t, rows.Scan(&name, &at))
		out[name] = at
	}
	require.NoError(p.t, rows.Err())
	return out
}

// metrics returns the rows of the extractions in pipeline_metrics.
func (p *plant) metrics() []string {
	rows, err := p.lake.DB().Query(`SELECT concat_ws(' ', status, tags_processed, tags_failed, points_ingested, batch_seq, CASE WHEN requests > 0 THEN 'asked' END, left(error, 30))
FROM monitoring.pipeline_metrics WHERE task = 'extract' ORDER BY end_time`)
	require.NoError(p.t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		require.NoError(p.t, rows.Scan(&s))
		out = append(out, s)
	}
	require.NoError(p.t, rows.Err())
	return out
}

// Read in this process and by shards, in two windows: the same table, the same
// metrics, the oracle's events, within the partition's share.
func TestExtract(t *testing.T) {
	tables, metrics := []map[string][]string{}, [][]string{}
	ways(t, simulator.Options{Tags: 120, Latency: time.Millisecond}, func(t *testing.T, p *plant, runner *cluster) {
		result, err := p.run(manifest.TaskExtract, runner)
		require.NoError(t, err)
		require.Equal(t, batch.Succeeded, result.Status)
		require.Equal(t, 120, result.Tags)
		events := p.compare()
		require.Greater(t, events, 1000)
		require.EqualValues(t, events, result.Events)
		for name, at := range p.watermarks() {
			require.Equal(t, noon, at, name)
		}
		stats := p.server.Stats()
		require.Equal(t, stats.Requests, result.Requests)
		require.LessOrEqual(t, stats.MaxConcurrent, 5)
		tables, metrics = append(tables, p.table()), append(metrics, p.metrics())
		if runner != nil {
			runner.checkShares(t, p)
		}

		again, err := p.run(manifest.TaskExtract, runner)
		require.NoError(t, err)
		require.Zero(t, again.Events)
	})
	require.Len(t, tables, 2)
	for _, table := range tables {
		for _, rows := range table {
			slices.Sort(rows)
		}
	}
	require.True(t, maps.EqualFunc(tables[0], tables[1], slices.Equal[[]string]))
	require.Len(t, metrics[0], 2, "two windows")
	require.Equal(t, metrics[0], metrics[1])
}

// checkShares holds what shards were told against the partition's share.
func (c *cluster) checkShares(t *testing.T, p *plant) {
	require.Len(t, c.asked, 2)
	for call, specs := range c.asked {
		require.Len(t, specs, 5)
		require.Equal(t, 5, c.lanes[call])
		requests, connections, streams := 0.0, 0, map[string]bool{}
		for i, s := range specs {
			require.Equal(t, i, s.Shard)
			require.LessOrEqual(t, len(s.Streams), 25)
			requests, connections = requests+s.Site.Limits.RequestsPerSecond, connections+s.Site.Limits.Connections
			for _, stream := range s.Streams {
				streams[stream.WebID] = true
			}
			line, err := s.Encode()
			require.NoError(t, err)
			require.NotContains(t, string(line), "correct horse")
		}
		require.InEpsilon(t, p.params.Limits.RequestsPerSecond, requests, 1e-9)
		require.Equal(t, p.params.Limits.Connections, connections)
		require.Len(t, streams, 120)
	}
}

// Tags that fail: below fail_above the task is a success with a note, above it failed.
func TestExtractWithBadTags(t *testing.T) {
	for _, c := range []struct {
		bad    int
		status string
	}{{4, batch.Partial}, {5, batch.Failed}} {
		t.Run(c.status, func(t *testing.T) {
			metrics := [][]string{}
			ways(t, simulator.Options{Tags: 40}, func(t *testing.T, p *plant, runner *cluster) {
				tags := p.server.Oracle().Tags()
				for _, tag := range tags[:c.bad] {
					require.NoError(t, p.server.FailTag(tag.Name, simulator.FaultPermission))
				}
				result, err := p.run(manifest.TaskExtract, runner)
				require.Equal(t, c.status, result.Status)
				require.Equal(t, c.bad, result.Failed)
				if c.status == batch.Failed {
					require.ErrorIs(t, err, task.ErrFailed)
				} else {
					require.NoError(t, err)
					require.Len(t, result.Notes, 1)
				}
				require.Positive(t, p.compare())
				var errors int
				require.NoError(t, p.lake.DB().QueryRow(`SELECT count(DISTINCT point_id) FROM monitoring.tag_errors WHERE error LIKE '%No Read `+
					`Access%'`).Scan(&errors))
				require.Equal(t, c.bad, errors)
				metrics = append(metrics, p.metrics())
			})
			require.Len(t, metrics, 2)
			require.Equal(t, metrics[0], metrics[1])
		})
	}
}

// The site goes down in the middle: what was read is landed, the attempt
// failed, and the next one goes on from there.
func TestExtractFromASiteThatGoesDown(t *testing.T) {
	ways(t, simulator.Options{Tags: 120, Latency: 2 * time.Millisecond}, func(t *testing.T, p *plant, runner *cluster) {
		p.params.Limits.ItemsPerCall = 300
		go func() {
			for p.server.Stats().Requests < 30 {
				time.Sleep(time.Millisecond)
			}
			p.server.Down(true)
		}()
		result, err := p.run(manifest.TaskExtract, runner)
		require.ErrorContains(t, err, "the site does not work")
		require.Equal(t, batch.Failed, result.Status)
		some := p.compare()
		require.Positive(t, some)
		last := p.metrics()
		require.Contains(t, last[len(last)-1], "FAILED")

		p.server.Down(false)
		p.params.Attempt, p.params.Limits.ItemsPerCall, p.gracePeriod = 2, 2000, time.Millisecond
		result, err = p.run(manifest.TaskExtract, runner)
		require.NoError(t, err)
		require.Equal(t, batch.Succeeded, result.Status)
		require.Greater(t, p.compare(), some)
		for name, at := range p.watermarks() {
			require.Equal(t, noon, at, name)
		}
	})
}

// A stream that is torn, wherever that is, is no batch; the next attempt reads all.
func TestExtractWithATornStream(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 80})
	p.discover()
	runner := &cluster{getenv: p.getenv}
	for name, c := range map[string]struct {
		spoil func(a *arrival)
		want  string
	}{
		"in a message":        {func(a *arrival) { a.stream = io.LimitReader(a.stream, 20_000) }, "the stream broke off"},
		"at once":             {func(a *arrival) { a.stream = strings.NewReader("") }, "the stream's beginning"},
		"before its last row": {func(a *arrival) { a.unclosed = true }, "shard 3 did not end"},
		"in its rows":         {func(a *arrival) { a.write = func(*columns.Batch) error { return nil } }, "events, and the shards wrote"},
	} {
		t.Run(name, func(t *testing.T) {
			runner.spoil = func(i int, a *arrival) {
				if i == 3 {
					c.spoil(a)
				}
			}
			_, err := p.run(manifest.TaskExtract, runner)
			require.ErrorContains(t, err, "read by shards: ")
			require.ErrorContains(t, err, c.want)
			require.Zero(t, p.compare())
			folders, err := stage.List(filepath.Join(p.data, "staging"), "plant", 0)
			require.NoError(t, err)
			require.Empty(t, folders)
		})
	}
	runner.spoil = nil
	_, err := p.run(manifest.TaskExtract, runner)
	require.NoError(t, err)
	require.Positive(t, p.compare())
}

func TestExtractWithoutWorkers(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 30})
	p.discover()
	broken := errors.New("no executor is left")
	_, err := p.run(manifest.TaskExtract, &cluster{failed: broken})
	require.ErrorIs(t, err, broken)
	require.Zero(t, p.compare())
	require.LessOrEqual(t, p.server.Stats().Requests, int64(1), "the sign-in")

	t.Log("and without the secret: said before any worker is asked")
	runner := &cluster{getenv: p.getenv}
	p.env = nil
	_, err = p.run(manifest.TaskExtract, runner)
	require.ErrorContains(t, err, "the environment variable PI_PLANT_A_PASSWORD")
	require.Empty(t, runner.asked)
}

// A later attempt lets the shards of the one before end first; it need not when
// it reads itself.
func TestALaterAttemptWaits(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 30})
	calls := make(chan time.Time, 1000)
	p.through(func(*http.Request) { calls <- time.Now() })
	p.discover()
	p.params.Attempt, p.gracePeriod, p.params.MaxWindow = 2, 600*time.Millisecond, 24*3600
	for len(calls) > 0 {
		<-calls // discover's
	}
	began := time.Now()
	_, err := p.run(manifest.TaskExtract, &cluster{getenv: p.getenv})
	require.NoError(t, err)
	require.NotEmpty(t, calls)
	require.GreaterOrEqual(t, (<-calls).Sub(began), p.gracePeriod, "before the first call")
	require.Positive(t, p.compare())
}

// Workers do not see the bundle's files: its certificate authority goes with the specs.
func TestExtractWithACertificateAuthority(t *testing.T) {
	ways(t, simulator.Options{Tags: 30, TLS: true}, func(t *testing.T, p *plant, runner *cluster) {
		_, err := p.run(manifest.TaskExtract, runner)
		require.NoError(t, err)
		require.Positive(t, p.compare())
	})
}
