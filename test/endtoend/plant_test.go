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

// program returns a built program.
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

	tables tables
	engine string   // --engine
	env    []string // what the runs need beside this process's environment
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
    auth: {kind: basic, username: svc_pi, password: {env: PI_PLANT_A_PASSWORD, secret: pi/plant-a}}
    limits: {requests_per_second: 400, connections: 8}
    retry: {attempts: 4, backoff: 20ms, timeout: 30s}
    adopt_new: true
sizing: {min_tags: %d, target_tags: %d, max_tags: %d, tags_per_worker: 1000}
tiers:
  - {name: standard, every: 1h}
  - {name: bulk, every: 4h}
extract: {backfill: 1h, max_window: 6h}
`

// partitions of a plant on DuckDB, and on Spark, where a task costs as much as
// a hundred do on DuckDB.
const (
	partitions      = 6
	sparkPartitions = 2
)

// newPlant starts a site and makes its pipeline.
func newPlant(t testing.TB, o simulator.Options) *plant { return newPlantOf(t, o, partitions) }

// newPlantOf starts a site whose tags make so many partitions.
func newPlantOf(t testing.TB, o simulator.Options, partitions int) *plant {
	p := &plant{t: t, dir: t.TempDir(), exp: map[int]expected{}, names: map[string]int{}, engine: "duckdb"}
	p.tables = duckTables{filepath.Join(p.dir, "data")}
	p.clock.Store(int64(start))
	o.Seed, o.Clock = seed, func() instant.Ticks { return instant.Ticks(p.clock.Load()) }
	o.Auth = simulator.Auth{Kind: simulator.Basic, User: "svc_pi", Password: "correct horse"}
	p.sim = simulator.New(o)
	url, err := p.sim.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.sim.Close() })
	n := max(o.Tags/partitions, 1)
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
	cmd.Env = append(append(os.Environ(), p.env...), "PI_PLANT_A_PASSWORD=correct horse")
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
	return p.bundlegen(
		code,
		append([]string{"run", "--local", "--engine", p.engine, "--retry-wait", "0s", "--until", until.String()}, args...)...)
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

// compare holds the whole table of site plant-a against the oracle. It gives the number of events.
func (p *plant) compare() int {
	p.t.Helper()
	rows := p.tables.query(
		p.t,
		`SELECT e.tag_name, {micros}(e.timestamp), e.timestamp_100ns, CAST(e.value AS STRING), e.value_text, e.value_code, e.quality_good, e.quality_questionable,
e.quality_substituted, e.quality_annotated, e.pipeline, e.partition_date = CAST(e.timestamp AS DATE) FROM bronze.pi_timeseries e WHERE e.site = 'plant-a'`,
	)
	have := map[int][]string{}
	for _, r := range rows {
		index, known := p.names[*r[0]]
		require.True(p.t, known, "the table has a tag %q that PI never had", *r[0])
		require.Equal(p.t, "plant", *r[10])
		require.Equal(p.t, "true", *r[11])
		e := simulator.Event{
			Ticks:        instant.Ticks(number(p.t, r[1])*10 + number(p.t, r[2])),
			Good:         *r[6] == "true",
			Questionable: *r[7] == "true",
			Substituted:  *r[8] == "true",
			Annotated:    *r[9] == "true",
		}
		if r[3] != nil {
			value, err := strconv.ParseFloat(*r[3], 64)
			require.NoError(p.t, err)
			e.HasValue, e.Value = true, value
		}
		if r[4] != nil {
			e.HasText, e.Text = true, *r[4]
		}
		if r[5] != nil {
			e.HasCode, e.Code = true, int32(number(p.t, r[5]))
		}
		have[index] = append(have[index], line(e))
	}
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
			p.t.Fatalf(
				"tag %d, (%s, %s]: %d events in PI, %d in the table; %s",
				index,
				p.exp[index].from,
				p.exp[index].to,
				len(want),
				len(got),
				firstDifference(want, got),
			)
		}
		delete(have, index)
	}
	require.Empty(p.t, have, "tags that should have no event")
	return len(rows)
}

func number(t testing.TB, text *string) int64 {
	n, err := strconv.ParseInt(*text, 10, 64)
	require.NoError(t, err)
	return n
}

// line writes an event such that equal events, NaN included, have equal lines.
func line(e simulator.Event) string {
	if !e.HasText {
		e.Text = ""
	}
	return fmt.Sprintf(
		"%020d %v %x %v %q %v %d %v %v %v %v",
		e.Ticks,
		e.HasValue,
		canonical(e),
		e.HasText,
		e.Text,
		e.HasCode,
		e.Code,
		e.Good,
		e.Questionable,
		e.Substituted,
		e.Annotated,
	)
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
	rows := p.tables.query(p.t, query)
	require.Len(p.t, rows, 1)
	return number(p.t, rows[0][0])
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

// leftOut returns the names of the points that discover did not list.
func (p *plant) leftOut() (names []string) {
	listed := map[string]bool{}
	p.editInventory(func(row map[string]string) bool {
		listed[row["tag"]] = true
		return true
	})
	for _, t := range p.sim.Oracle().Tags() {
		if !listed[t.Name] {
			names = append(names, t.Name)
		}
	}
	return names
}

// owners returns the partition of each point, as the last run left it.
func (p *plant) owners() map[string]int64 {
	out := map[string]int64{}
	for _, r := range p.tables.query(p.t, "SELECT point_id, partition_id FROM metadata.tag_partitions WHERE valid_to IS NULL") {
		out[*r[0]] = number(p.t, r[1])
	}
	return out
}

func (p *plant) text(name string) string {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	require.NoError(p.t, err)
	return string(data)
}
