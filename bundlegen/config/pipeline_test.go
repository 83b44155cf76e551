package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const shortest = `version: 1
name: demo
catalog: main
sites: [{name: plant-a, url: "https://pi.example", auth: {kind: anonymous}}]
`

// TestDefaults is what every key is when the file does not say.
func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipeline.yml")
	require.NoError(t, os.WriteFile(path, []byte(shortest), 0o644))
	p, err := Load(path)
	require.NoError(t, err)
	require.Equal(t, &Pipeline{
		Version: 1, Name: "demo", Catalog: "main", Inventory: "inventory.csv", Output: "bundles",
		Sites: []Site{{
			Name: "plant-a", URL: "https://pi.example/piwebapi", Auth: Auth{Kind: "anonymous"},
			Limits: Limits{RequestsPerSecond: 500, Connections: 32, ItemsPerCall: 150000},
			Retry:  Retry{Attempts: 5, Backoff: 500 * time.Millisecond, Timeout: 2 * time.Minute},
		}},
		Sizing:  Sizing{MinTags: 2000, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000},
		Tiers:   []Tier{{Name: "standard", Every: 5 * time.Minute}},
		Extract: Extract{Backfill: time.Hour, Settle: 30 * time.Second, MaxWindow: 6 * time.Hour, FailAbove: 0.05},
		Compute: Compute{
			Cloud: "aws", SparkVersion: "17.3.x-scala2.13", NodeType: "m5d.xlarge", OrchestratorType: "m5d.xlarge",
			Layout: "liquid", MaxConcurrentTasks: 1000,
		},
		Targets:    []Target{{Name: "dev", SchemaPrefix: "dev_"}, {Name: "prod", Production: true}},
		Monitoring: Monitoring{MinCompleteness: 0.99},
		File:       path, Dir: dir,
		places: map[string]string{"plant-a points": path + ":4:9"},
	}, p)
	require.Equal(t, filepath.Join(dir, "inventory.csv"), p.InventoryPath())
	require.Equal(t, filepath.Join(dir, "bundles", "demo"), p.BundleDir())
	calibration, named := p.CalibrationPath()
	require.Equal(t, filepath.Join(dir, "calibration.json"), calibration)
	require.False(t, named, "it is used where it is there")
	require.Equal(t, 5*time.Minute, p.Tiers[0].Every)
}

// TestEveryKey sets every key to something that is not its default.
// everyKey has every key that there is.
const everyKey = `
version: 1
name: osipi_connector
catalog: pi_production
inventory: /data/tags.csv
output: ../../bundles
sites:
  - name: plant-a
    url: HTTPS://PI.Plant-A.example:443/prefix//PIWebAPI/
    data_server: PISRV 1
    region: westeurope
    auth: {kind: basic, username: 'PLANT\svc_pi', password: {env: PI_PLANT_A_PASSWORD, secret: pi/plant-a}}
    tls: {ca_file: ca.pem, ca_secret: {secret: pi/ca}}
    proxy: http://proxy.example:3128
    limits: {requests_per_second: 12.5, connections: 4, items_per_call: 1_000}
    retry: {attempts: 2, backoff: 1s, timeout: 1m30s}
    task: {max_retries: 0, min_retry_interval: 2m, timeout: 1h}
    points: {include: ["UNIT1.*", "*.PV"], exclude: ["*TEST*"], point_source: [OPC]}
    adopt_new: true
  - name: plant_b
    url: http://127.0.0.1:8080
    region: westeurope
    points: listed
    auth: {kind: kerberos, principal: svc@PLANT.EXAMPLE, keytab: {secret: pi/b}, krb5_conf: krb5.conf, spn: HTTP/pi.example}
  - {name: c, url: "https://[::1]/piwebapi", region: westeurope, auth: {kind: bearer, token: {env: TOKEN}}}
sizing: {min_tags: 1, target_tags: 2, max_tags: 3, tags_per_worker: 4}
tiers:
  - {name: critical, every: 1m, partitions: 7, match: ["*.PV", "A?"]}
  - {name: bulk, cron: "0 0 6 ? * MON-FRI", sizing: {max_tags: 9}}
extract: {backfill: 1d12h, settle: 0s, max_window: 12h, fail_above: 0}
compute:
  cloud: azure
  spark_version: 17.3.x-scala2.13
  node_type: Standard_D8ds_v5
  orchestrator_node_type: Standard_D4ds_v5
  policy_id: 0123ABCDEF
  custom_tags: {cost center: "5"}
  pool: {min_idle: 3}
  single_cluster: true
  photon: true
  layout: zorder
  max_concurrent_tasks: 50
targets:
  prod:
    host: 'https://adb-1.2.azuredatabricks.net/'
    service_principal: 11111111-2222-3333-4444-555555555555
    regions: {westeurope: {host: 'https://adb-3.4.azuredatabricks.net', service_principal: 22222222-2222-3333-4444-555555555555, catalog: north, warehouse: w2}}
  my-test: {catalog: scratch, warehouse: w1}
  dev: {schema_prefix: ""}
monitoring: {warehouse: abc, emails: [a@b.example], webhooks: [11111111-2222-3333-4444-555555555555], min_completeness: 0.5}
prices: {azure/jobs: 0.25, azure/Standard_D8ds_v5/dbu: 2}
forecast: {pi_request: 0.4, pi_threads: 8}
calibration: measured.json
`

func TestEveryKey(t *testing.T) {
	p, err := read([]byte(everyKey), "p.yml")
	require.NoError(t, err)
	limits, retry := Limits{500, 32, 150000, 0}, Retry{5, 500 * time.Millisecond, 2 * time.Minute}
	require.Equal(t, &Pipeline{
		Version: 1, Name: "osipi_connector", Catalog: "pi_production", Inventory: "/data/tags.csv", Output: "../../bundles",
		Sites: []Site{
			{
				Name: "plant-a", URL: "https://pi.plant-a.example/prefix/piwebapi", DataServer: "PISRV 1", Region: "westeurope",
				Auth:  Auth{Kind: "basic", Username: `PLANT\svc_pi`, Password: Secret{"PI_PLANT_A_PASSWORD", "pi/plant-a"}},
				TLS:   TLS{CAFile: "ca.pem", CA: Secret{"PI_PLANT_A_CA", "pi/ca"}},
				Proxy: "http://proxy.example:3128", Limits: Limits{12.5, 4, 1000, 0}, Retry: Retry{2, time.Second, 90 * time.Second},
				Task:     Task{new(0), 2 * time.Minute, time.Hour},
				Points:   manifest.Points{Kind: manifest.PointsFiltered, Include: []string{"UNIT1.*", "*.PV"}, Exclude: []string{"*TEST*"}, PointSource: []string{"OPC"}},
				AdoptNew: true,
			},
			{
				Name: "plant_b", URL: "http://127.0.0.1:8080/piwebapi", Region: "westeurope",
				Auth:   Auth{Kind: "kerberos", Principal: "svc@PLANT.EXAMPLE", Keytab: Secret{"PI_PLANT_B_KEYTAB", "pi/b"}, Krb5Conf: "krb5.conf", SPN: "HTTP/pi.example"},
				Limits: limits, Retry: retry, Points: manifest.Points{Kind: manifest.PointsListed},
			},
			{Name: "c", URL: "https://[::1]/piwebapi", Region: "westeurope", Auth: Auth{Kind: "bearer", Token: Secret{Env: "TOKEN"}}, Limits: limits, Retry: retry},
		},
		Sizing: Sizing{1, 2, 3, 4},
		Tiers: []Tier{
			{Name: "critical", Every: time.Minute, Partitions: 7, Match: []string{"*.PV", "A?"}},
			{Name: "bulk", Cron: "0 0 6 ? * MON-FRI", Sizing: &Sizing{1, 2, 9, 4}},
		},
		Extract: Extract{36 * time.Hour, 0, 12 * time.Hour, 0},
		Compute: Compute{
			Cloud: "azure", SparkVersion: "17.3.x-scala2.13", NodeType: "Standard_D8ds_v5", OrchestratorType: "Standard_D4ds_v5",
			PolicyID: "0123ABCDEF", CustomTags: map[string]string{"cost center": "5"}, Pool: Pool{MinIdle: 3},
			SingleCluster: true, Photon: true, Layout: "zorder", MaxConcurrentTasks: 50,
		},
		Targets: []Target{
			{Name: "prod", Host: "https://adb-1.2.azuredatabricks.net", ServicePrincipal: "11111111-2222-3333-4444-555555555555", Production: true,
				Regions: []RegionTarget{{"westeurope", "https://adb-3.4.azuredatabricks.net", "22222222-2222-3333-4444-555555555555", "north", "w2"}}},
			{Name: "my-test", Catalog: "scratch", SchemaPrefix: "my_test_", Warehouse: "w1"},
			{Name: "dev"},
		},
		Monitoring: Monitoring{"abc", []string{"a@b.example"}, []string{"11111111-2222-3333-4444-555555555555"}, 0.5},
		Prices:     map[string]float64{"azure/jobs": 0.25, "azure/Standard_D8ds_v5/dbu": 2},
		Forecast:   map[string]float64{"pi_request": 0.4, "pi_threads": 8}, Calibration: "measured.json",
		File: "p.yml", Dir: ".",
		places: map[string]string{"plant-a tls.ca_file": "p.yml:13:20", "plant_b auth.krb5_conf": "p.yml:24:93",
			"plant-a points": "p.yml:8:5", "plant_b points": "p.yml:20:5", "c points": "p.yml:25:5"},
	}, p)
	require.Equal(t, Sizing{1, 2, 9, 4}, *p.Tiers[1].Sizing)
	require.Nil(t, p.Tiers[0].Sizing, "that of the pipeline")
	require.Equal(t, "scratch", p.CatalogOf(p.Targets[1]))
	require.Equal(t, "abc", p.WarehouseOf(p.Targets[0]))
	require.Equal(t, "w1", p.WarehouseOf(p.Targets[1]))
	require.Equal(t, "w2", p.InRegion("westeurope").Targets[0].Warehouse)
	require.Equal(t, "pi_production", p.CatalogOf(p.Targets[0]))
	require.Equal(t, "/data/tags.csv", p.InventoryPath())
	calibration, named := p.CalibrationPath()
	require.Equal(t, "measured.json", calibration)
	require.True(t, named)
}

// TestTierOf: the first tier with a pattern that matches, else the first.
func TestTierOf(t *testing.T) {
	p, err := read([]byte(shortest+`tiers:
  - {name: standard, every: 5m}
  - {name: critical, every: 1m, match: ["*.pv", "Unit1.*"]}
  - {name: bulk, every: 1h, match: ["*.PV", "*.TXT"]}
`), "p.yml")
	require.NoError(t, err)
	of := p.TierOf()
	for tag, want := range map[string]string{"A.PV": "critical", "UNIT1.SP": "critical", "a.txt": "bulk", "A.SP": "standard"} {
		require.Equal(t, want, of(tag), tag)
	}
}

// TestOddButRight is what looks strange and is no mistake.
func TestOddButRight(t *testing.T) {
	want, err := read([]byte(shortest), "p.yml")
	require.NoError(t, err)
	for name, in := range map[string]string{
		"BOM":              "\ufeff" + shortest,
		"CRLF":             strings.ReplaceAll(shortest, "\n", "\r\n"),
		"markers":          "%YAML 1.1\n---\n" + shortest + "...\n",
		"null mappings":    shortest + "compute:\ntargets:\nextract: ~\n",
		"an anchor":        "version: 1\nname: demo\ncatalog: main\nsites:\n  - name: plant-a\n    url: https://pi.example\n    auth: &a {kind: anonymous}\n    limits: &l {connections: 32}\n    retry: {}\n",
		"a merge key":      shortest + "sizing: &s {min_tags: 2000}\ntiers: [{name: standard, every: 5m}]\nextract: {<<: {settle: 30s}}\n",
		"tabs after text":  strings.ReplaceAll(shortest, "demo\n", "demo\t# a tab before a comment\n"),
		"without last \\n": strings.TrimSuffix(shortest, "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read([]byte(in), "p.yml")
			require.NoError(t, err)
			want.places, got.places = nil, nil // which is where they differ
			require.Equal(t, want, got)
		})
	}
}

// TestAliases: sites may share what they have in common.
func TestAliases(t *testing.T) {
	p, err := read([]byte(`version: 1
name: demo
catalog: main
sites:
  - &a
    name: a
    url: https://a.example
    auth: {kind: basic, username: u, password: &secret {env: P, secret: pi/all}}
    limits: {connections: 8}
  - <<: *a
    name: b
    url: https://b.example
  - <<: [{limits: {connections: 9}}, *a]
    name: c
    url: https://c.example
`), "p.yml")
	require.NoError(t, err)
	require.Len(t, p.Sites, 3)
	require.Equal(t, p.Sites[0].Auth, p.Sites[1].Auth)
	require.Equal(t, "https://b.example/piwebapi", p.Sites[1].URL)
	require.Equal(t, 8, p.Sites[1].Limits.Connections)
	require.Equal(t, 9, p.Sites[2].Limits.Connections)
}

// TestCloudOfTargets: the hosts tell the cloud, and with it the machines.
func TestCloudOfTargets(t *testing.T) {
	for host, want := range map[string]Compute{
		"https://a.cloud.databricks.com":       {Cloud: "aws", NodeType: "m5d.xlarge"},
		"https://adb-1.2.azuredatabricks.net":  {Cloud: "azure", NodeType: "Standard_D4ds_v5"},
		"https://1.2.gcp.databricks.com":       {Cloud: "gcp", NodeType: "n2-standard-4"},
		"https://dbc.cloud.databricks.com:443": {Cloud: "aws", NodeType: "m5d.xlarge"},
		"http://127.0.0.1:1234":                {Cloud: "aws", NodeType: "m5d.xlarge"},
	} {
		p, err := read([]byte(shortest+"targets: {prod: {host: '"+host+"'}}\n"), "p.yml")
		require.NoError(t, err)
		require.Equal(t, want.Cloud, p.Compute.Cloud, host)
		require.Equal(t, want.NodeType, p.Compute.NodeType, host)
	}
}

func TestNormalizeURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://pi.example":                       "https://pi.example/piwebapi",
		"https://pi.example/":                      "https://pi.example/piwebapi",
		"https://pi.example/piwebapi":              "https://pi.example/piwebapi",
		"https://pi.example/piwebapi/":             "https://pi.example/piwebapi",
		"https://pi.example/PIWebAPI//":            "https://pi.example/piwebapi",
		"https://pi.example/piwebapi/piwebapi":     "https://pi.example/piwebapi",
		"https://pi.example:8443/a/b":              "https://pi.example:8443/a/b/piwebapi",
		"https://pi_server":                        "https://pi_server/piwebapi",
		"http://localhost:80":                      "http://localhost/piwebapi",
		"http://127.1.2.3:5000/piwebapi":           "http://127.1.2.3:5000/piwebapi",
		"http://[::1]:5000":                        "http://[::1]:5000/piwebapi",
		"https://10.0.0.1":                         "https://10.0.0.1/piwebapi",
		"https://pi.example/piwebapi-test":         "https://pi.example/piwebapi-test/piwebapi",
		"https://pi.example/site%20one/piwebapi":   "https://pi.example/site%20one/piwebapi",
		"HTTPS://PI.EXAMPLE:443/Prefix/PiWebApi//": "https://pi.example/Prefix/piwebapi",
	} {
		got, err := NormalizeURL(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, got)
		again, err := NormalizeURL(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
}

// TestRegions: one pipeline a region, with that region's sites and workspace; what
// is landed has the same key in all of them.
func TestRegions(t *testing.T) {
	p, err := read([]byte(`
version: 1
name: many
catalog: main
sites:
  - {name: a, url: "https://a.example", region: eu-west-1, auth: {kind: anonymous}}
  - {name: b, url: "https://b.example", region: us-east-1, auth: {kind: anonymous}}
  - {name: c, url: "https://c.example", region: eu-west-1, auth: {kind: anonymous}}
targets:
  dev: {}
  prod:
    catalog: prod
    regions:
      us-east-1: {host: "https://us.cloud.databricks.com", service_principal: 11111111-2222-3333-4444-555555555555, catalog: prod_us}
      eu-west-1: {host: "https://eu.cloud.databricks.com"}
`), "p.yml")
	require.NoError(t, err)
	require.Equal(t, []string{"eu-west-1", "us-east-1"}, p.Regions())
	require.Equal(t, "many", p.Key())

	eu, us := p.InRegion("eu-west-1"), p.InRegion("us-east-1")
	require.Equal(t, []string{"many_eu-west-1", "many", "eu-west-1"}, []string{eu.Name, eu.Key(), eu.Region})
	require.Equal(t, []string{"a", "c"}, []string{eu.Sites[0].Name, eu.Sites[1].Name})
	require.Equal(t, []string{"b"}, eu.Elsewhere)
	require.Equal(t, []string{"a", "c"}, us.Elsewhere)
	require.Equal(t, filepath.Join("bundles", "many_us-east-1"), us.BundleDir())
	require.Equal(t, Target{Name: "prod", Host: "https://eu.cloud.databricks.com", Catalog: "prod", Production: true}, eu.Targets[1])
	require.Equal(t, Target{Name: "prod", Host: "https://us.cloud.databricks.com", Catalog: "prod_us", Production: true,
		ServicePrincipal: "11111111-2222-3333-4444-555555555555"}, us.Targets[1])
	require.Equal(t, p.Targets[0], us.Targets[0])
}
