package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "go test ./bundlegen/report -update writes it")
	require.Equal(t, string(want), string(got))
}

func first(t require.TestingT, cfg *config.Pipeline, list []inventory.Tag) report.Report {
	p, err := plan.Build(cfg, plantest.Inventory(cfg, list), nil, plan.Options{})
	require.NoError(t, err)
	return report.Report{Plan: p, Changes: plan.Diff(nil, p), Next: "bundlegen generate"}
}

// after plans what list says on top of the bundle of r.
func after(t require.TestingT, dir string, r report.Report, cfg *config.Pipeline, list []inventory.Tag) report.Report {
	folder := filepath.Join(dir, manifest.Folder)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, part := range r.Plan.Partitions {
		text, err := manifest.Append(nil, part.Members)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, manifest.FileName(part.ID)), text, 0o644))
	}
	record, err := json.Marshal(r.Plan)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, plan.File), record, 0o644))
	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	p, err := plan.Build(cfg, plantest.Inventory(cfg, list), prev, plan.Options{})
	require.NoError(t, err)
	return report.Report{Plan: p, Changes: plan.Diff(prev, p), Next: "bundlegen generate"}
}

func text(t require.TestingT, r report.Report, o report.Options) []byte {
	var b bytes.Buffer
	require.NoError(t, report.Text(&b, r, o))
	return b.Bytes()
}

func mixed() (*config.Pipeline, []inventory.Tag) {
	cfg := pipeline(1, time.Minute)
	cfg.Tiers = []config.Tier{{Name: "critical", Every: time.Minute, Partitions: 2}, {Name: "bulk", Every: time.Hour}}
	list := rated(tags(cfg, 30000))
	for i := 500; i < len(list); i++ {
		list[i].Tier = "bulk"
	}
	return cfg, list
}

// The plans that people judge the program by.
func TestGoldenTexts(t *testing.T) {
	poc := pipeline(1, time.Hour)
	golden(t, "poc.txt", text(t, first(t, poc, tags(poc, 15)), report.Options{}))

	production := pipeline(1, 5*time.Minute)
	golden(t, "production.txt", text(t, first(t, production, rated(tags(production, 30000))), report.Options{}))

	energy := pipeline(20, 15*time.Minute)
	energyTags := tags(energy, 50000)
	golden(t, "energy.txt", text(t, first(t, energy, energyTags), report.Options{}))
	golden(t, "energy-all.txt", text(t, first(t, energy, energyTags), report.Options{All: true, Width: 100}))

	cfg, list := mixed()
	golden(t, "mixed.txt", text(t, first(t, cfg, list), report.Options{}))
	golden(t, "colour.txt", text(t, first(t, cfg, list), report.Options{Color: true}))

	pilot := pipeline(1, time.Hour)
	pilot.Compute.SingleCluster = true
	golden(t, "single-cluster.txt", text(t, first(t, pilot, rated(tags(pilot, 5000))), report.Options{}))

	large := pipeline(10, time.Hour)
	large.Compute.Pool.MinIdle, large.Compute.MaxConcurrentTasks = 20, 10
	large.Targets = []config.Target{{Name: "dev"}, {Name: "prod", ServicePrincipal: "11111111-2222-3333-4444-555555555555",
		Catalog: "elsewhere"}}
	golden(t, "waves.txt", text(t, first(t, large, rated(tags(large, 60000))), report.Options{}))

	always := pipeline(1, 10*time.Second)
	always.Tiers[0].Continuous = true
	golden(t, "continuous.txt", text(t, first(t, always, rated(tags(always, 500))), report.Options{}))

	serverless := pipeline(1, 5*time.Minute)
	serverless.Compute.Serverless = true
	golden(t, "serverless.txt", text(t, first(t, serverless, rated(tags(serverless, 30000))), report.Options{}))
}

func changed(t *testing.T) report.Report {
	cfg := pipeline(1, 15*time.Minute)
	list := rated(tags(cfg, 30000))
	r := first(t, cfg, slices.Clone(list))
	list[100].Name = "renamed, and longer than what stood there before, so that it has to be cut"
	list[200].Units = "bar"
	list = slices.Delete(list, 300, 303)
	for i := range 41 {
		list = append(list, inventory.Tag{Site: "plant-a", Name: "NEW-" + string(rune('A'+i%26)) + strings.Repeat("x", i),
			PointID: int64(90000 + i), EventsPerHour: 100})
	}
	return after(t, t.TempDir(), r, cfg, list)
}

func TestGoldenChanges(t *testing.T) {
	r := changed(t)
	golden(t, "changes.txt", text(t, r, report.Options{}))
	golden(t, "changes-all.txt", text(t, r, report.Options{All: true}))
	var b bytes.Buffer
	require.NoError(t, report.Markdown(&b, r))
	golden(t, "changes.md", b.Bytes())
}

// --rebalance says what it moves, and what that brings, wherever a plan is shown.
func TestGoldenRebalance(t *testing.T) {
	cfg := pipeline(1, 15*time.Minute)
	list := rated(tags(cfg, 30000))
	r := first(t, cfg, slices.Clone(list))
	for _, m := range r.Plan.Partitions[3].Members[:1000] { // a third of one partition's tags became busy
		for i := range list {
			if list[i].Name == m.Name {
				list[i].EventsPerHour *= 4
			}
		}
	}
	dir := t.TempDir()
	stable := after(t, dir, r, cfg, list)
	golden(t, "skewed.txt", text(t, stable, report.Options{}))

	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	p, err := plan.Build(cfg, plantest.Inventory(cfg, list), prev, plan.Options{Rebalance: true})
	require.NoError(t, err)
	even := report.Report{Plan: p, Changes: plan.Diff(prev, p), Next: "bundlegen generate --rebalance"}
	golden(t, "rebalance.txt", text(t, even, report.Options{}))
	var b bytes.Buffer
	require.NoError(t, report.Markdown(&b, even))
	assert.Contains(t, b.String(), "\n! balance: heaviest ")
	b.Reset()
	require.NoError(t, report.JSON(&b, even))
	var document struct {
		Changes struct {
			Moved   int
			Balance []plan.Balance
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &document))
	got := document.Changes.Balance[0]
	assert.Equal(t, document.Changes.Moved, got.Moved)
	assert.Greater(t, got.Before, 1.5)
	assert.Less(t, got.After, 1.02)
}

func TestNoChanges(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	list := rated(tags(cfg, 4000))
	r := after(t, t.TempDir(), first(t, cfg, list), cfg, list)
	assert.Contains(t, string(text(t, r, report.Options{})), "\n  up to date with the last bundle\n")
	var b bytes.Buffer
	require.NoError(t, report.Markdown(&b, r))
	assert.Contains(t, b.String(), "None since the last bundle.")
}

func TestGoldenMarkdown(t *testing.T) {
	cfg, list := mixed()
	cfg.Targets = []config.Target{{Name: "prod", ServicePrincipal: "11111111-2222-3333-4444-555555555555"}}
	var b bytes.Buffer
	require.NoError(t, report.Markdown(&b, first(t, cfg, list)))
	golden(t, "mixed.md", b.Bytes())
}

// The JSON is a contract: it only grows.
func TestGoldenJSON(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, first(t, cfg, tags(cfg, 15))))
	golden(t, "poc.json", b.Bytes())

	var top map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b.Bytes(), &top))
	assert.Equal(t, strconv.Itoa(plan.Version), string(top["version"]))
	for _, key := range []string{"plan", "changes", "warnings", "next"} {
		assert.Contains(t, top, key)
	}
	b.Reset()
	require.NoError(t, report.JSON(&b, changed(t)))
	golden(t, "changes.json", onlyChanges(t, b.Bytes()))
}

func onlyChanges(t *testing.T, data []byte) []byte {
	var top struct {
		Changes json.RawMessage `json:"changes"`
	}
	require.NoError(t, json.Unmarshal(data, &top))
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, top.Changes, "", "  "))
	return b.Bytes()
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestColourChangesNothingElse(t *testing.T) {
	r := changed(t)
	plain, coloured := text(t, r, report.Options{All: true}), text(t, r, report.Options{All: true, Color: true})
	assert.NotContains(t, string(plain), "\x1b")
	assert.Contains(t, string(coloured), "\x1b[32m")
	assert.Equal(t, string(plain), ansi.ReplaceAllString(string(coloured), ""))
}

func TestBarsFollowTheLoad(t *testing.T) {
	cfg := pipeline(3, time.Hour)
	list := tags(cfg, 3000) // 1,000 each
	for i := range list {
		list[i].EventsPerHour = map[string]float64{"plant-01": 800, "plant-02": 400, "plant-03": 1}[list[i].Site]
	}
	bars := map[string]int{}
	for line := range strings.Lines(string(text(t, first(t, cfg, list), report.Options{}))) {
		for _, id := range []string{"0000", "0001", "0002"} {
			if strings.HasPrefix(strings.TrimSpace(line), id+" ") {
				bars[id] = strings.Count(line, "█")
			}
		}
	}
	assert.InDelta(t, bars["0000"], 2*bars["0001"], 1)
	assert.Zero(t, bars["0002"])
}

// No line is wider than the terminal, whatever the tags are called and
// whatever the plan says. Widths are measured by another library than the
// report uses.
func TestNoLineIsTooWide(t *testing.T) {
	letters := []string{"x", "Zufluß ", "温度", "센서", "💧", "🏭", "e\u0301", ",", "\"", "../", "|", "%s", "\u202e", "W"}
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(letters), 1, 200).Draw(t, "letters"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		cfg := pipeline(rapid.IntRange(1, 30).Draw(t, "sites"),
			rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "every"))
		cfg.Sizing = config.Sizing{MinTags: 2, TargetTags: 3, MaxTags: 5, TagsPerWorker: rapid.IntRange(1, 10).Draw(t, "tags per worker")}
		cfg.Name = strings.Repeat("n", rapid.IntRange(1, 64).Draw(t, "name"))
		cfg.Sites[0].Name = strings.Repeat("S", rapid.IntRange(1, 64).Draw(t, "site"))
		cfg.Sites[0].Limits.Connections = rapid.IntRange(1, 64).Draw(t, "connections")
		cfg.Sites[0].Limits.RequestsPerSecond = rapid.Float64Range(1, 1e6).Draw(t, "rate")
		cfg.Compute.NodeType = rapid.SampledFrom([]string{"m5d.xlarge", "q" + strings.Repeat("9", 99)}).Draw(t, "node type")
		cfg.Compute.Serverless = rapid.Bool().Draw(t, "serverless")
		cfg.Tiers = append(cfg.Tiers, config.Tier{Name: strings.Repeat("T", rapid.IntRange(1, 60).Draw(t, "tier")),
			Cron: "0 0 6 ? * MON-FRI", Partitions: rapid.IntRange(0, 9).Draw(t, "partitions")})
		var list []inventory.Tag
		for s, site := range cfg.Sites {
			seen := map[string]bool{}
			for i := range rapid.IntRange(1, 12).Draw(t, "tags") {
				tag := inventory.Tag{Site: site.Name, Name: name.Draw(t, "tag"), PointID: int64(i),
					EventsPerHour: rapid.Float64Range(-1, 1e9).Draw(t, "events")}
				if (s+i)%3 == 0 {
					tag.Tier = cfg.Tiers[1].Name
				}
				if !seen[tag.Name] {
					list = append(list, tag)
				}
				seen[tag.Name] = true
			}
		}
		r := first(t, cfg, list)
		o := report.Options{Width: rapid.IntRange(60, 110).Draw(t, "width"), All: rapid.Bool().Draw(t, "all")}
		narrow(t, r, o)
		// The second report lists every tag as changed.
		other := &plan.Changes{Partitions: r.Changes.Partitions, Added: len(list), Moved: len(list), Renamed: len(list), Removed: 1e6}
		for _, tier := range cfg.Tiers {
			other.Balance = append(other.Balance, plan.Balance{Tier: tier.Name, Before: 12.5, After: 1.1, Moved: len(list)})
		}
		for i, tag := range list {
			other.Tags = append(other.Tags, plan.TagChange{Kind: []string{"+", "-", "~"}[i%3], Site: tag.Site, Tag: tag.Name,
				Was: list[0].Name, From: 12345, To: i})
		}
		r.Changes = other
		narrow(t, r, o)
		require.NoError(t, report.Markdown(&bytes.Buffer{}, r))
	})
}

func narrow(t *rapid.T, r report.Report, o report.Options) {
	for line := range strings.Lines(string(text(t, r, o))) {
		line = strings.TrimSuffix(line, "\n")
		if w := uniseg.StringWidth(line); w > o.Width {
			t.Fatalf("%d columns of %d: %s", w, o.Width, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Fatalf("space at the end of %q", line)
		}
	}
}

// The next command is exact, however long: it is not cut.
func TestNextCommandIsNeverCut(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	r := first(t, cfg, tags(cfg, 15))
	r.Next = "bundlegen generate -c " + strings.Repeat("folder/", 30) + "pipeline.yml"
	assert.Contains(t, string(text(t, r, report.Options{})), r.Next)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrorsAreReturned(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	r := first(t, cfg, tags(cfg, 15))
	assert.Error(t, report.Text(broken{}, r, report.Options{}))
	assert.Error(t, report.Markdown(broken{}, r))
	assert.Error(t, report.JSON(broken{}, r))
}
