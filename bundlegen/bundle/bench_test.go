package bundle_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// BenchmarkMillionTags renders, writes and compares 1,000,000 tags in 400 partitions.
func BenchmarkMillionTags(b *testing.B) {
	cfg := pipeline(".")
	p := planOf(cfg, 400)
	for i := range p.Partitions {
		part := &p.Partitions[i]
		part.Members = make([]inventory.Tag, 2500)
		for n := range part.Members {
			part.Members[n] = inventory.Tag{
				Site: part.Site, Name: fmt.Sprintf("PLANT-A.AREA%03d.UNIT%05d.PV", i, n), PointType: "Float32", Units: "°C",
				Descriptor: "flow, upper column", Tier: part.Tier, EventsPerHour: 360, PointID: int64(i*2500 + n + 1),
			}
		}
		part.Tags = len(part.Members)
	}
	b.ReportAllocs()
	dir := b.TempDir()
	b.Run("render", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			render(b, cfg, p)
		}
	})
	tree := render(b, cfg, p)
	b.Run("write", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			require.NoError(b, tree.Write(filepath.Join(dir, fmt.Sprint(i))))
		}
	})
	b.Run("write unchanged", func(b *testing.B) {
		require.NoError(b, tree.Write(dir+"/same"))
		for b.Loop() {
			require.NoError(b, tree.Write(dir+"/same"))
		}
	})
}
