// Package endtoend_test runs the built programs against the simulator and
// compares the whole table with its oracle, event by event.
package endtoend_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// seed is that of every archive and of every choice at random in this package.
const seed = 20261123

// start is the instant at which the plants' clocks start.
var start = must(instant.Parse("2026-03-01T12:00:00Z"))

func must(t instant.Ticks, err error) instant.Ticks {
	if err != nil {
		panic(err)
	}
	return t
}

// program gives a built program.
func program(t testing.TB, name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built; run: make build", name)
	}
	return path
}

// plant is a simulated site and a pipeline of it in a folder.
type plant struct {
	t     testing.TB
	dir   string
	sim   *simulator.Server
	clock atomic.Int64
	exp   map[int]expected // by the oracle's index
	names map[string]int   // every name that a tag ever had -> index
}

// expected is what of a tag must be in the table: (from, to].
type expected struct{ from, to instant.Ticks }

const pipelineYML = `version: 1
name: plant
catalog: main
inventory: inventory.csv
sites:
  - name: plant-a
    url: %s
    auth: {kind: basic, username: svc_pi, password: {env: PLANT_A_PASSWORD, secret: pi/plant-a}}
    limits: {requests_per_second: 400, connections: 8}
    retry: {attempts: 4, backoff: 20ms, timeout: 30s}
sizing: {min_tags: %d, target_tags: %d, max_tags: %d, tags_per_worker: 1000}
tiers:
  - {name: standard, every: 1h}
  - {name: bulk, every: 4h}
extract: {backfill: 1h, max_window: 6h}
`

// newPlant starts a site and makes its pipeline.
func newPlant(t testing.TB, o simulator.Options) *plant {
	p := &plant{t: t, dir: t.TempDir(), exp: map[int]expected{}, names: map[string]int{}}
	p.clock.Store(int64(start))
	o.Seed, o.Clock = seed, func() instant.Ticks { return instant.Ticks(p.clock.Load()) }
	o.Auth = simulator.Auth{Kind: simulator.Basic, User: "svc_pi", Password: "correct horse"}
	p.sim = simulator.New(o)
	url, err := p.sim.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.sim.Close() })
	n := max(o.Tags/6, 1)
	p.write("pipeline.yml", fmt.Sprintf(pipelineYML, url, n*2/3, n, n*2))
	return p
}

func (p *plant) write(name, text string) {
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
}

// command prepares a run of bundlegen in the plant's folder.
func (p *plant) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program(p.t, "bundlegen"), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PLANT_A_PASSWORD=correct horse")
	return cmd
}

// bundlegen runs a command, expects its exit code, and gives all that it printed.
func (p *plant) bundlegen(code int, args ...string) string {
	p.t.Helper()
	var out bytes.Buffer
	cmd := p.command(p.t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	require.Equal(p.t, code, cmd.ProcessState.ExitCode(), "bundlegen %s\n%s", strings.Join(args, " "), out.String())
	require.NotContains(p.t, out.String(), "correct horse", "a secret was printed")
	return out.String()
}

// plan lists the tags anew and makes the bundle.
func (p *plant) plan() {
	p.t.Helper()
	p.bundlegen(0, "discover")
	p.bundlegen(0, "generate")
}

// run moves the clock to until and runs the job up to there.
func (p *plant) run(code int, until instant.Ticks, args ...string) string {
	p.t.Helper()
	p.clock.Store(max(p.clock.Load(), int64(until)))
	return p.bundlegen(code, append([]string{"run", "--local", "--retry-wait", "0s", "--until", until.String()}, args...)...)
}

// read notes that a run up to until has read these tags; with none, all that there are.
func (p *plant) read(until instant.Ticks, but ...string) {
	for _, tag := range p.sim.Oracle().Tags() {
		p.names[tag.Name] = tag.Index
		if slices.Contains(but, tag.Name) {
			continue
		}
		e, ok := p.exp[tag.Index]
		if !ok {
			e.from = until - instant.Hour - 1
		}
		e.to = max(e.to, until)
		p.exp[tag.Index] = e
	}
}

// lake opens the plant's tables.
func (p *plant) lake() *duckdb.Lake {
	l, err := duckdb.Open(p.t.Context(), filepath.Join(p.dir, "data"), "")
	require.NoError(p.t, err)
	return l
}

// compare holds the whole table of site plant-a against the oracle. It gives the number of events.
func (p *plant) compare() int {
	p.t.Helper()
	l := p.lake()
	defer func() { require.NoError(p.t, l.Close()) }()
	rows, err := l.DB().Query(`SELECT tag_name, epoch_us("timestamp"), timestamp_100ns, value, value_text, value_code, quality_good, quality_questionable,
quality_substituted, quality_annotated, pipeline, partition_date = "timestamp"::DATE FROM bronze.pi_timeseries WHERE site = 'plant-a'`)
	require.NoError(p.t, err)
	defer rows.Close()
	have, n := map[int][]string{}, 0
	for rows.Next() {
		var name, pipeline string
		var us, rest int64
		var value *float64
		var text *string
		var code *int32
		var good, questionable, substituted, annotated, day bool
		require.NoError(p.t, rows.Scan(&name, &us, &rest, &value, &text, &code, &good, &questionable, &substituted, &annotated, &pipeline, &day))
		index, known := p.names[name]
		require.True(p.t, known, "the table has a tag %q that PI never had", name)
		require.True(p.t, day && pipeline == "plant")
		e := simulator.Event{Ticks: instant.Ticks(us*10 + rest), Good: good, Questionable: questionable, Substituted: substituted, Annotated: annotated}
		if value != nil {
			e.HasValue, e.Value = true, *value
		}
		if text != nil {
			e.HasText, e.Text = true, *text
		}
		if code != nil {
			e.HasCode, e.Code = true, *code
		}
		have[index] = append(have[index], line(e))
		n++
	}
	require.NoError(p.t, rows.Err())
	oracle := p.sim.Oracle()
	for _, index := range slices.Sorted(maps.Keys(p.exp)) {
		var want []string
		for _, e := range oracle.Events(index, p.exp[index].from, p.exp[index].to) {
			want = append(want, line(e))
		}
		got := have[index]
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			p.t.Fatalf("tag %d, (%s, %s]: %d events in PI, %d in the table; %s", index, p.exp[index].from, p.exp[index].to, len(want), len(got), firstDifference(want, got))
		}
		delete(have, index)
	}
	require.Empty(p.t, have, "tags that should have no event")
	return n
}

// line writes an event such that equal events, NaN included, have equal lines.
func line(e simulator.Event) string {
	if !e.HasText {
		e.Text = ""
	}
	return fmt.Sprintf("%020d %v %x %v %q %v %d %v %v %v %v", e.Ticks, e.HasValue, canonical(e), e.HasText, e.Text, e.HasCode, e.Code, e.Good, e.Questionable, e.Substituted, e.Annotated)
}

func canonical(e simulator.Event) uint64 {
	switch {
	case !e.HasValue:
		return 0
	case math.IsNaN(e.Value):
		return 1
	}
	return math.Float64bits(e.Value)
}

func firstDifference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			return fmt.Sprintf("the first difference:\n  PI    %s\n  table %s", w, g)
		}
	}
	return ""
}

// scalar runs a query with one number as its answer.
func (p *plant) scalar(query string) (n int64) {
	p.t.Helper()
	l := p.lake()
	defer func() { require.NoError(p.t, l.Close()) }()
	require.NoError(p.t, l.DB().QueryRow(query).Scan(&n))
	return n
}

// editInventory changes rows of the inventory; edit gets the columns by name.
func (p *plant) editInventory(edit func(row map[string]string) bool) {
	path := filepath.Join(p.dir, "inventory.csv")
	f, err := os.Open(path)
	require.NoError(p.t, err)
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(p.t, errors.Join(err, f.Close()))
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	require.NoError(p.t, w.Write(records[0]))
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		if !edit(row) {
			continue
		}
		for i, name := range records[0] {
			r[i] = row[name]
		}
		require.NoError(p.t, w.Write(r))
	}
	w.Flush()
	require.NoError(p.t, os.WriteFile(path, out.Bytes(), 0o600))
}

// owners gives the partition of each point, as the last run left it.
func (p *plant) owners() map[string]int64 {
	l := p.lake()
	defer func() { require.NoError(p.t, l.Close()) }()
	rows, err := l.DB().Query("SELECT point_id, partition_id FROM metadata.tag_partitions WHERE valid_to IS NULL")
	require.NoError(p.t, err)
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var id, partition int64
		require.NoError(p.t, rows.Scan(&id, &partition))
		out[strconv.FormatInt(id, 10)] = partition
	}
	require.NoError(p.t, rows.Err())
	return out
}

func (p *plant) text(name string) string {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	require.NoError(p.t, err)
	return string(data)
}
