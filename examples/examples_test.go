// Package examples checks the examples: a pipeline.yml and an inventory each.
// The inventories are made up, always the same way:
//
//	go test ./examples -update
package examples

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

var update = flag.Bool("update", false, "write the inventories")

// maxBytes is how much the inventories may weigh together: the bundles repeat
// them, and all of it is in the repository.
const maxBytes = 4_500_000

func TestExamples(t *testing.T) {
	size := 0
	for folder, want := range map[string]struct {
		tags       func() []inventory.Tag
		sites      int
		tagsASite  int
		partitions int // with target_tags each
	}{
		"quickstart": {quickstart, 1, 30_000, 10},
		"energy-50k": {energy, 20, 2_500, 20},
	} {
		t.Run(folder, func(t *testing.T) {
			var made bytes.Buffer
			require.NoError(t, inventory.Write(&made, want.tags()))
			p, err := config.Load(filepath.Join(folder, "pipeline.yml"))
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(p.InventoryPath(), made.Bytes(), 0o644))
			}
			data, err := os.ReadFile(p.InventoryPath())
			require.NoError(t, err)
			require.True(t, bytes.Equal(made.Bytes(), data), "%s is not what `go test ./examples -update` writes", p.InventoryPath())
			size += len(data)

			var sites []string
			for _, s := range p.Sites {
				sites = append(sites, s.Name)
			}
			tags, err := inventory.Parse(string(data), p.InventoryPath(), inventory.Options{Sites: sites, Tiers: []string{p.Tiers[0].Name}})
			require.NoError(t, err)
			count := map[string]int{}
			for _, tag := range tags {
				count[tag.Site]++
				require.Empty(t, tag.WebID)
			}
			require.Len(t, count, want.sites)
			for _, site := range sites {
				require.Equal(t, want.tagsASite, count[site])
			}
			require.Equal(t, want.partitions*p.Sizing.TargetTags, len(tags))
		})
	}
	require.Less(t, size, maxBytes)
}
