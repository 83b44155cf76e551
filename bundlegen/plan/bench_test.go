package plan_test

import (
	"fmt"
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/stretchr/testify/require"
)

// million is 1,000,000 tags of 200 sites.
func million() (*config.Pipeline, []inventory.Tag) {
	cfg := pipeline(1)
	site := cfg.Sites[0]
	cfg.Sites = nil
	var list []inventory.Tag
	for s := range 200 {
		site.Name = fmt.Sprintf("plant-%03d", s)
		cfg.Sites = append(cfg.Sites, site)
		list = append(list, tags(site.Name, 5000)...)
	}
	return cfg, plantest.Inventory(cfg, list)
}

func BenchmarkMillionTagsFirst(b *testing.B) {
	cfg, list := million()
	b.ReportAllocs()
	for b.Loop() {
		p, err := plan.Build(cfg, list, nil, plan.Options{})
		require.NoError(b, err)
		plan.Diff(nil, p)
	}
}

// Reading the manifests, planning and comparing: what a second `plan` does but for reading the inventory.
func BenchmarkMillionTagsAgain(b *testing.B) {
	cfg, list := million()
	dir := b.TempDir()
	emit(b, dir, build(b, cfg, list, nil))
	b.ReportAllocs()
	for b.Loop() {
		prev, err := plan.ReadPrevious(dir)
		require.NoError(b, err)
		p, err := plan.Build(cfg, list, prev, plan.Options{})
		require.NoError(b, err)
		if c := plan.Diff(prev, p); !c.Empty() {
			b.Fatal("something changed")
		}
	}
}
