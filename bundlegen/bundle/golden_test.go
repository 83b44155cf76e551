package bundle_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
)

var update = flag.Bool("update", false, "write the golden bundles anew")

// The bundles in testdata/golden are what people get: a change of theirs is read
// in review, not argued about in assertions. What matters most is asserted in
// the other tests.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		partitions int
		change     func(*config.Pipeline)
	}{
		"aws": {3, func(c *config.Pipeline) {
			c.Compute.InstanceProfile = "arn:aws:iam::123456789012:instance-profile/pi"
			c.Compute.CustomTags = map[string]string{"team": "historian"}
			c.Monitoring.Emails = []string{"pi@example.com"}
			c.Monitoring.Webhooks = []string{"0481e838-0a59-4eff-9541-a4ca6f149574"}
			c.Monitoring.Warehouse = "0123456789abcdef"
		}},
		"azure": {2, func(c *config.Pipeline) {
			c.Compute.Cloud, c.Compute.NodeType, c.Compute.OrchestratorType = "azure", "Standard_D4ps_v5", "Standard_D2pds_v5"
			c.Compute.Photon = true
			c.Sites[0].TLS.CAFile = "ca.pem"
			c.Sites[0].TLS.CA = config.Secret{Secret: "pi/ca"}
		}},
		"gcp": {2, func(c *config.Pipeline) {
			c.Compute.Cloud, c.Compute.NodeType, c.Compute.OrchestratorType = "gcp", "n2-highmem-4", "n2-standard-4"
			c.Compute.PolicyID = "ABC123"
			c.Sites[0].Auth.Password.Secret = ""
		}},
		"pool": {2, func(c *config.Pipeline) {
			c.Compute.Pool = config.Pool{WorkerID: "1107-workers", DriverID: "1107-drivers"}
		}},
		"own-pool": {2, func(c *config.Pipeline) { c.Compute.Pool.MinIdle = 10 }},
		"serverless": {2, func(c *config.Pipeline) {
			c.Compute.Serverless = true
		}},
		"single-cluster": {2, func(c *config.Pipeline) { c.Compute.SingleCluster = true }},
		"multi-tier": {4, func(c *config.Pipeline) {
			second := c.Sites[0]
			second.Name, second.URL = "plant-b", "https://pi.plant-b.example/piwebapi"
			second.Auth = config.Auth{Kind: "bearer", Token: config.Secret{Env: "PLANT_B_TOKEN", Secret: "pi/plant-b"}}
			c.Sites = append(c.Sites, second)
			c.Tiers = append(c.Tiers, config.Tier{Name: "bulk", Cron: "0 30 2 * * ?", Sizing: &config.Sizing{MinTags: 1, TargetTags: 2, MaxTags: 3, TagsPerWorker: 2}})
		}},
		"regions": {2, func(c *config.Pipeline) {
			c.Sites[0].Region = "us-east-1"
			second := c.Sites[0]
			second.Name, second.URL, second.Region = "plant-b", "https://pi.plant-b.example/piwebapi", "eu-west-1"
			second.Auth.Password = config.Secret{Env: "PI_PLANT_B_PASSWORD", Secret: "pi/plant-b"}
			c.Sites = append(c.Sites, second)
			c.Monitoring.Warehouse = "0123456789abcdef"
			c.Targets[1].Host = ""
			c.Targets[1].Regions = []config.RegionTarget{
				{Region: "us-east-1", Host: "https://us.cloud.databricks.com"},
				{Region: "eu-west-1", Host: "https://eu.cloud.databricks.com", Catalog: "pi_production_eu", Warehouse: "fedcba9876543210"},
			}
			*c = *c.InRegion("eu-west-1")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(certificate), 0o644))
			cfg := pipeline(dir)
			c.change(cfg)
			p := planOf(cfg, c.partitions)
			if name == "single-cluster" {
				for i := range p.Partitions {
					p.Partitions[i].Cluster = "extraction_cluster"
					p.Partitions[i].Workers = i
				}
			}
			if name == "gcp" {
				p.Partitions[1].Cluster, p.Partitions[1].Workers = "extraction_plant-a_0", 0
			}
			tree := render(t, cfg, p)

			golden := filepath.Join("testdata", "golden", name)
			if *update {
				require.NoError(t, os.RemoveAll(golden))
				require.NoError(t, tree.Write(golden))
			}
			differences, err := tree.Compare(golden)
			require.NoError(t, err)
			for _, d := range differences {
				if d.Path == bundle.PlanFile {
					continue // the plan's own tests say what is in it
				}
				t.Errorf("%s\n%s", d, d.Unified())
			}
			edited, err := bundle.HandEdited(golden)
			require.NoError(t, err)
			require.Empty(t, edited)
			findings, err := lint.Check(golden)
			require.NoError(t, err)
			require.Empty(t, findings)
			_, err = bundle.Read(golden)
			require.NoError(t, err)
		})
	}
}
