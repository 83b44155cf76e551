package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// TestBundlesAreWhatTheExamplesGive regenerates every example, as if there
// were no bundle yet, and compares it with the committed one, byte for byte.
// After a change that is meant: make generate-examples.
func TestBundlesAreWhatTheExamplesGive(t *testing.T) {
	files, err := filepath.Glob("*/pipeline.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			cfg, err := config.Load(file)
			require.NoError(t, err)
			data, err := os.ReadFile(cfg.InventoryPath())
			require.NoError(t, err)
			tags, err := inventory.Parse(string(data), cfg.InventoryPath(), inventory.Options{})
			require.NoError(t, err)

			fresh := render(t, cfg, tags, nil)
			differences, err := fresh.Compare(cfg.BundleDir())
			require.NoError(t, err)
			require.Empty(t, differences, "make generate-examples, and look at the difference")

			previous, err := plan.ReadPrevious(cfg.BundleDir())
			require.NoError(t, err)
			differences, err = render(t, cfg, tags, previous).Compare(cfg.BundleDir())
			require.NoError(t, err)
			require.Empty(t, differences, "generate twice changes nothing")

			findings, err := lint.Check(cfg.BundleDir())
			require.NoError(t, err)
			require.Empty(t, findings)
		})
	}
}

func render(t *testing.T, cfg *config.Pipeline, tags []inventory.Tag, previous *plan.Previous) *bundle.Tree {
	p, err := plan.Build(cfg, tags, previous, plan.Options{})
	require.NoError(t, err)
	tree, err := bundle.Render(cfg, p)
	require.NoError(t, err)
	return tree
}

// TestExamplesAreSmall keeps all examples and their bundles under 10 MB, wheels aside.
func TestExamplesAreSmall(t *testing.T) {
	var size int64
	for _, root := range []string{".", filepath.Join("..", "bundles")} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == "dist" || d.Name() == ".databricks" {
					return filepath.SkipDir
				}
				return nil
			}
			info, err := d.Info()
			size += info.Size()
			return err
		}))
	}
	require.Less(t, size, int64(10<<20))
}
