// Package examples checks the examples: a pipeline.yml for each use case, the
// inventory it is about, the bundle that follows from it, and a README that shows
// what the plan says. All but the pipeline.yml and the README's own words is made,
// always the same way:
//
//	go test ./examples -update
package examples

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

var (
	update = flag.Bool("update", false, "write the inventories, bundles and READMEs")
	large  = flag.Bool("large", false, "with -update: write the inventory of five million tags too, 230 MB")
)

// example is one use case.
type example struct {
	folder     string
	tags       func() []inventory.Tag
	perSite    int // tags of each site
	partitions int
	// whole says that the inventory and the manifests are committed. Those of the
	// others are made by -update, and git ignores them: all examples together stay
	// small. What is in their manifests is compared by hash, with plan.json.
	whole bool
	// hash says that nothing of the bundle is committed but the hash of all of it,
	// in bundle.sha256.
	hash   bool
	region string                           // whose bundle's plan the README shows; "" = there is one bundle
	check  func(t *testing.T, p *plan.Plan) // what else the use case says; may be nil
}

var examples = []example{
	{folder: "poc", tags: plant(15), perSite: 15, partitions: 1, whole: true},
	{folder: "pilot", tags: plant(5_000), perSite: 5_000, partitions: 2, whole: true},
	{folder: "production", tags: plant(30_000), perSite: 30_000, partitions: 10, whole: true},
	{folder: "energy-50k", tags: energy, perSite: 2_500, partitions: 20, whole: true},
	{folder: "multi-site", tags: multiSite, perSite: 3_000, partitions: 10},
	{folder: "high-frequency", tags: threePlants, perSite: 10_000, partitions: 6, check: underThreeMinutes},
	{folder: "spot-cost", tags: plant(30_000), perSite: 30_000, partitions: 10},
	{folder: "mixed-priority", tags: mixed, perSite: 30_000, partitions: 10, check: criticalFirst},
	{folder: "five-million", tags: fiveMillion, perSite: 50_000, partitions: 1_700, hash: true, check: twoWaves},
	{folder: "enterprise", tags: enterprise, perSite: 12_000, partitions: 40, region: "eu-west-1"},
}

// underThreeMinutes holds a run to what a cadence of five minutes asks of it.
func underThreeMinutes(t *testing.T, p *plan.Plan) {
	require.Less(t, p.Forecast.TotalSeconds, 180.0)
	for _, part := range p.Partitions {
		require.Less(t, part.Seconds, 120.0, "partition %d", part.ID)
	}
}

// criticalFirst holds the two tiers to their partitions and cadences.
func criticalFirst(t *testing.T, p *plan.Plan) {
	require.Equal(t, []int{500, 29_500}, []int{p.Tiers[0].Tags, p.Tiers[1].Tags})
	for _, part := range p.Partitions {
		require.Equal(t, part.ID < 2, part.Tier == "critical", "partition %d", part.ID)
	}
	require.True(t, p.Tiers[0].Continuous)
	for i, tier := range p.Tiers {
		require.Less(t, tier.Forecast.TotalSeconds, tier.Cadence.Seconds(), "tier %d holds its cadence", i)
	}
}

func twoWaves(t *testing.T, p *plan.Plan) {
	require.Equal(t, 5_000_000, p.Tags)
	require.Equal(t, 2, p.Tiers[0].Waves)
}

// load reads the example's pipeline.yml.
func (e example) load(t *testing.T) *config.Pipeline {
	t.Helper()
	cfg, err := config.Load(filepath.Join(e.folder, "pipeline.yml"))
	require.NoError(t, err)
	return cfg
}

// TestEveryFolderIsAnExample keeps a folder from being forgotten in the list.
func TestEveryFolderIsAnExample(t *testing.T) {
	files, err := filepath.Glob("*/pipeline.yml")
	require.NoError(t, err)
	var listed []string
	for _, e := range examples {
		listed = append(listed, filepath.Join(e.folder, "pipeline.yml"))
	}
	require.ElementsMatch(t, listed, files)
}

// TestExamplesNameSecretsByTheRule: an example that says a variable says the one
// that it would have anyway, as init writes it.
func TestExamplesNameSecretsByTheRule(t *testing.T) {
	for _, e := range examples {
		for _, site := range e.load(t).Sites {
			for _, s := range site.Secrets() {
				_, key, _ := strings.Cut(s.Key, ".")
				want := config.EnvName(site.Name, strings.ToUpper(strings.TrimSuffix(key, "_secret")))
				require.Equal(t, want, s.Secret.Env, "%s: site %s, %s", e.folder, site.Name, s.Key)
			}
		}
	}
}

// TestInventories compares the committed inventories with what they are made of,
// and all of them with what the use cases say.
func TestInventories(t *testing.T) {
	for _, e := range examples {
		t.Run(e.folder, func(t *testing.T) {
			cfg, tags := e.load(t), e.tags()
			if e.whole || *update && (*large || !e.hash) {
				e.compareInventory(t, cfg, tags)
			}
			count := map[string]int{}
			for _, tag := range tags {
				count[tag.Site]++
				require.Empty(t, tag.WebID)
			}
			require.Len(t, count, len(cfg.Sites))
			for _, site := range cfg.Sites {
				require.Equal(t, e.perSite, count[site.Name], site.Name)
			}
		})
	}
}

func (e example) compareInventory(t *testing.T, cfg *config.Pipeline, tags []inventory.Tag) {
	t.Helper()
	var made bytes.Buffer
	require.NoError(t, inventory.Write(&made, tags))
	if *update {
		require.NoError(t, os.WriteFile(cfg.InventoryPath(), made.Bytes(), 0o644))
	}
	data, err := os.ReadFile(cfg.InventoryPath())
	require.NoError(t, err)
	require.True(t, bytes.Equal(made.Bytes(), data), "%s is not what `go test ./examples -update` writes", cfg.InventoryPath())
}

// mostBytes is how much all that is committed of the examples may weigh.
const mostBytes = 10_000_000

// TestExamplesAreSmall weighs the examples and their bundles, without wheels and
// what git ignores.
func TestExamplesAreSmall(t *testing.T) {
	ignored := map[string]bool{}
	for _, e := range examples {
		if cfg := e.load(t); !e.whole {
			ignored[cfg.InventoryPath()] = true
			for _, part := range bundlesOf(cfg) {
				ignored[filepath.Join(part.BundleDir(), "partitions")] = true
			}
		}
	}
	size := int64(0)
	for _, root := range []string{".", filepath.Join("..", "bundles")} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (ignored[path] || d.Name() == "dist" || d.Name() == ".databricks"):
				return filepath.SkipDir
			case d.IsDir() || ignored[path]:
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			size += info.Size()
			return nil
		}))
	}
	require.Less(t, size, int64(mostBytes))
}
