package report_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/stretchr/testify/require"
)

// pipeline is a pipeline.yml with the defaults, some sites and one tier.
func pipeline(sites int, every time.Duration) *config.Pipeline {
	cfg := &config.Pipeline{
		Version: 1, Name: "osipi_connector", Catalog: "pi_production", Inventory: "inventory.csv", File: "pipeline.yml",
		Sizing:  config.Sizing{MinTags: 2000, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000},
		Tiers:   []config.Tier{{Name: "standard", Every: every}},
		Compute: config.Compute{Cloud: "aws", NodeType: "m5d.xlarge", OrchestratorType: "m5d.xlarge", MaxConcurrentTasks: 1000},
	}
	for i := range sites {
		name := fmt.Sprintf("plant-%02d", i+1)
		if sites == 1 {
			name = "plant-a"
		}
		cfg.Sites = append(cfg.Sites, config.Site{
			Name: name, URL: "https://" + name + ".example/piwebapi",
			Limits: config.Limits{RequestsPerSecond: 500, Connections: 32, ItemsPerCall: 150000},
		})
	}
	return cfg
}

// tags makes n tags of the sites in turn, with rates that differ.
func tags(cfg *config.Pipeline, n int) []inventory.Tag {
	list := make([]inventory.Tag, n)
	for i := range list {
		list[i] = inventory.Tag{
			Site: cfg.Sites[i%len(cfg.Sites)].Name, Name: fmt.Sprintf("U%02d.FIC%06d.PV", i%40, i), PointType: "Float32",
			EventsPerHour: float64(60 + (i*37)%240), PointID: int64(i + 1),
		}
	}
	return list
}

// build plans on top of what is there.
func build(t *testing.T, cfg *config.Pipeline, list []inventory.Tag, prev *plan.Previous) report.Report {
	t.Helper()
	p, err := plan.Build(cfg, plantest.Inventory(cfg, list), prev, plan.Options{})
	require.NoError(t, err)
	r := report.Report{Plan: p, Changes: plan.Diff(prev, p), Next: "bundlegen generate"}
	for _, tier := range p.Tiers {
		choices, err := p.Choices(cfg, tier.Name)
		require.NoError(t, err)
		r.Choices = append(r.Choices, choices)
	}
	return r
}

// emitted returns what the next plan finds of a plan.
func emitted(t *testing.T, p *plan.Plan) *plan.Previous {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, manifest.Folder)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, part := range p.Partitions {
		text, err := manifest.Append(nil, part.Members)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, manifest.FileName(part.ID)), text, 0o644))
	}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, plan.File), text, 0o644))
	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	return prev
}

// production is 30,000 tags every five minutes, with some changes since the last bundle.
func production(t *testing.T) report.Report {
	cfg := pipeline(1, 5*time.Minute)
	list := tags(cfg, 30_000)
	prev := emitted(t, build(t, cfg, slices.Clone(list), nil).Plan)
	list[100].Name = "U20.FIC000100.RENAMED"
	list[200].Units = "bar"
	list = slices.Delete(list, 300, 303)
	for i := range 41 {
		list = append(list, inventory.Tag{Site: "plant-a", Name: fmt.Sprintf("NEW.TI%03d.PV", i), PointID: int64(90_000 + i), EventsPerHour: 100})
	}
	return build(t, cfg, list, prev)
}

// mixed has two tiers and several sites, on a pool.
func mixed(t *testing.T) report.Report {
	cfg := pipeline(4, time.Minute)
	cfg.Tiers = []config.Tier{{Name: "critical", Every: time.Minute, Partitions: 4}, {Name: "bulk", Every: time.Hour}}
	cfg.Compute.Pool = config.Pool{WorkerID: "pool-1", DriverID: "pool-2", MinIdle: 8}
	list := tags(cfg, 30_000)
	for i := 800; i < len(list); i++ {
		list[i].Tier = "bulk"
	}
	return build(t, cfg, list, nil)
}

// single is a small plan on one cluster.
func single(t *testing.T) report.Report {
	cfg := pipeline(1, time.Hour)
	cfg.Compute.SingleCluster = true
	return build(t, cfg, tags(cfg, 15), nil)
}

// serverless is a plan without clusters, of many sites.
func serverless(t *testing.T) report.Report {
	cfg := pipeline(20, 15*time.Minute)
	cfg.Compute.Serverless = true
	return build(t, cfg, tags(cfg, 50_000), nil)
}

// always has a continuous tier beside an hourly one.
func always(t *testing.T) report.Report {
	cfg := pipeline(1, time.Minute)
	cfg.Tiers = []config.Tier{{Name: "critical", Every: time.Minute, Continuous: true, Partitions: 2}, {Name: "bulk", Every: time.Hour}}
	list := tags(cfg, 30_000)
	for i := 500; i < len(list); i++ {
		list[i].Tier = "bulk"
	}
	return build(t, cfg, list, nil)
}

// hostile names are what a PI server may well have.
var hostile = []string{
	`<script>window.bad=1</script>`,
	`</script><script>window.bad=2</script>`,
	`<!--<script>`,
	`<img src=x onerror="window.bad=3">`,
	`"quoted" 'and' back\slash`,
	`{{.Name}} ${window.bad=4} %s`,
	"🔥 burner 😀 温度 عربى",
	"\u202egnirts desrever",
	strings.Repeat("LONG-", 80),
	"__proto__",
}

// odd has hostile names wherever a plan has names.
func odd(t *testing.T) report.Report {
	cfg := pipeline(2, time.Hour)
	list := tags(cfg, 6000)
	prev := emitted(t, build(t, cfg, slices.Clone(list), nil).Plan)
	for i, name := range hostile {
		list = append(list, inventory.Tag{Site: "plant-01", Name: name, PointID: int64(90_000 + i), EventsPerHour: 1})
		list[2*i].Name = "renamed " + name
	}
	r := build(t, cfg, list, prev)
	r.Next = `bundlegen generate -c '<script>window.bad=5</script>'`
	r.Plan.Name = `<b onmouseover="window.bad=6">&amp;`
	r.Plan.Warnings = append(r.Plan.Warnings, plan.Warning{
		Code:  plan.WarnHeavyTag,
		Sites: hostile[5:6],
		Names: hostile[:1],
		Advice: []plan.Advice{
			{Settings: []plan.Setting{{Key: hostile[3], Value: hostile[2]}}, Effect: plan.Effect{Kind: plan.EffectNearestKey, Of: hostile[1]}},
		},
	},
		plan.Warning{Code: hostile[0]})
	return r
}

// large is more than a page has room for: 990 partitions, 100,000 changed tags.
func large(t *testing.T) report.Report {
	cfg := pipeline(110, time.Hour)
	cfg.Sizing = config.Sizing{MinTags: 100, TargetTags: 150, MaxTags: 300, TagsPerWorker: 1000}
	list := tags(cfg, 990*150)
	prev := emitted(t, build(t, cfg, slices.Clone(list), nil).Plan)
	for i := range 100_000 {
		list[i].Units = "bar"
	}
	return build(t, cfg, list, prev)
}
