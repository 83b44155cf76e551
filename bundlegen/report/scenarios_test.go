package report_test

import (
	"fmt"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// pipeline is a pipeline.yml with the defaults, sites plant-01, plant-02 … and one tier.
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

// tags makes n tags, shared equally by the sites, all with point ids, of unknown rate.
func tags(cfg *config.Pipeline, n int) []inventory.Tag {
	list := make([]inventory.Tag, n)
	each := (n + len(cfg.Sites) - 1) / len(cfg.Sites)
	for i := range list {
		list[i] = inventory.Tag{
			Site: cfg.Sites[i/each].Name, Name: fmt.Sprintf("U%02d.FIC%05d.PV", i%40, i), PointType: "Float32",
			EventsPerHour: -1, PointID: int64(i + 1),
		}
	}
	return list
}

// rated returns each tag a known rate that varies with its number.
func rated(list []inventory.Tag) []inventory.Tag {
	for i := range list {
		list[i].EventsPerHour = float64(60 + (i*37)%240)
	}
	return list
}
