package bundle_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// pipeline is a small configuration with one site; a test changes it to taste.
func pipeline(dir string) *config.Pipeline {
	return &config.Pipeline{
		Version: 1, Name: "osipi_connector", Catalog: "pi_production",
		Inventory: "inventory.csv", Output: "bundles", Dir: dir, File: "pipeline.yml",
		Sites: []config.Site{{
			Name: "plant-a", URL: "https://pi.plant-a.example/piwebapi", DataServer: "PISRV1",
			Auth:   config.Auth{Kind: "basic", Username: "svc_pi", Password: config.Secret{Env: "PI_PLANT_A_PASSWORD", Secret: "pi/plant-a"}},
			Limits: config.Limits{RequestsPerSecond: 500, Connections: 32, ItemsPerCall: 150000},
			Retry:  config.Retry{Attempts: 5, Backoff: 500 * time.Millisecond, Timeout: 2 * time.Minute},
		}},
		Sizing:  config.Sizing{MinTags: 2, TargetTags: 3, MaxTags: 5, TagsPerWorker: 1},
		Tiers:   []config.Tier{{Name: "standard", Every: 5 * time.Minute}},
		Extract: config.Extract{Backfill: time.Hour, Settle: 30 * time.Second, MaxWindow: 6 * time.Hour, FailAbove: 0.05},
		Compute: config.Compute{
			Cloud: "aws", SparkVersion: "17.3.x-scala2.13", NodeType: "i3.xlarge", OrchestratorType: "i3.large",
			Layout: "liquid", MaxConcurrentTasks: 1000,
		},
		Targets: []config.Target{
			{Name: "dev", SchemaPrefix: "dev_"},
			{Name: "prod", Host: "https://example.cloud.databricks.com", ServicePrincipal: "11111111-2222-3333-4444-555555555555", Production: true},
		},
		Monitoring: config.Monitoring{MinCompleteness: 0.99},
	}
}

// planOf makes a plan for cfg by hand: partitions of three tags each, one after
// the other over tiers and sites.
func planOf(cfg *config.Pipeline, partitions int) *plan.Plan {
	p := &plan.Plan{Version: plan.Version, ID: "0123456789abcdef", Name: cfg.Name, Catalog: cfg.Catalog}
	for i, t := range cfg.Tiers {
		key := cfg.Name + "_orchestrator"
		if i > 0 {
			key += "_" + t.Name
		}
		forecast := plan.Forecast{DiscoverSeconds: 20, ExtractSeconds: 95, ConsolidateSeconds: 15, TotalSeconds: 370, HealthSeconds: 555}
		p.Tiers = append(p.Tiers, plan.Tier{Name: t.Name, JobKey: key, Every: t.Every, Cron: quartz(t), Continuous: t.Continuous, Forecast: forecast})
	}
	p.Forecast = p.Tiers[0].Forecast
	if idle := cfg.Compute.Pool.MinIdle; idle > 0 {
		p.Pool = &plan.Pool{Workers: idle, Drivers: idle}
	}
	for _, s := range cfg.Sites {
		p.Sites = append(p.Sites, plan.Site{Name: s.Name, Limits: manifest.Limits(s.Limits)})
	}
	for id := range partitions {
		site, tier := id%len(cfg.Sites), id%len(cfg.Tiers)
		workers := 3
		part := plan.Partition{
			ID: id, Site: cfg.Sites[site].Name, Tier: p.Tiers[tier].Name, Tags: 3, EventsPerHour: 540.5, Weight: 540.5,
			Workers: workers, Shards: workers, Cluster: fmt.Sprintf("extraction_%s_%d", cfg.Sites[site].Name, workers),
			Limits:  manifest.Limits{RequestsPerSecond: 41.5, Connections: 4, ItemsPerCall: 150000},
			Seconds: 95, TimeoutSecs: 3600,
		}
		for n := range 3 {
			part.Members = append(part.Members, inventory.Tag{
				Site: part.Site, Name: fmt.Sprintf("TAG, \"%d\" %d", id, n), PointType: "Float32", Units: "°C",
				Tier: part.Tier, EventsPerHour: 180 + float64(n)/2, PointID: int64(id*10 + n + 1),
			})
		}
		p.Partitions = append(p.Partitions, part)
		p.Tags += part.Tags
		p.Tiers[tier].Tags += part.Tags
		p.Tiers[tier].Partitions++
		p.Sites[site].Tags += part.Tags
		p.Sites[site].Partitions++
	}
	return p
}

func render(t testing.TB, cfg *config.Pipeline, p *plan.Plan) *bundle.Tree {
	t.Helper()
	tree, err := tryRender(cfg, p)
	require.NoError(t, err)
	return tree
}

func tryRender(cfg *config.Pipeline, p *plan.Plan) (*bundle.Tree, error) {
	jobs, err := bundle.Jobs(cfg, p)
	if err != nil {
		return nil, err
	}
	return bundle.Render(cfg, p, jobs)
}

// certificate is that of an authority made for these tests.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUKZo0onQ71MgaAUb2XYYmB6nn99gwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIUGxhbnQgQ0EwIBcNMjYxMTIzMDUwNDQ3WhgPMjEyNjEwMzAw
NTA0NDdaMBMxETAPBgNVBAMMCFBsYW50IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEBqhWJZcnlNTw1jnOAUJxxzmReVnFvyVOKuXauTpS7Xl+e83PY4COx44w
r5/tL2VSr8bXNHG0lmEgp5K/jZMTA6NTMFEwHQYDVR0OBBYEFE5zAuoXqi+quTNC
X6qv9qV7mRbUMB8GA1UdIwQYMBaAFE5zAuoXqi+quTNCX6qv9qV7mRbUMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgd/iH8EfcdyxFcDTdVPjnO7jo
Lww++WBGnuDVSFJJRRMCIQC4ykb+MyjOAbGi/w9YNoyKk0xnX73tsyzYw0wsdKVK
/w==
-----END CERTIFICATE-----
`

// quartz returns a tier's Quartz expression.
func quartz(t config.Tier) string {
	cron, _ := config.CronOf(t.Every)
	return cmp.Or(t.Cron, cron)
}
