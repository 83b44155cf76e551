package bundle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// emitted renders a bundle and reads it back; see readBack.
func emitted(t testing.TB, cfg *config.Pipeline, partitions int) *bundle.Bundle {
	t.Helper()
	return readBack(t, render(t, cfg, planOf(cfg, partitions)))
}

// readBack writes a bundle's YAML, checks it and reads it. The manifests, which
// neither needs, are left out: a thousand small files take seconds to write.
func readBack(t testing.TB, tree *bundle.Tree) *bundle.Bundle {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "bundle")
	require.NoError(t, err)
	for _, name := range []string{bundle.RootFile, bundle.JobsFile} {
		data, ok := tree.File(name)
		require.True(t, ok)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	findings, err := lint.Check(dir)
	require.NoError(t, err)
	require.Empty(t, findings)
	b, err := bundle.Read(dir)
	require.NoError(t, err)
	return b
}

func TestJobRunsDiscoveryThenExtractionsThenTheRest(t *testing.T) {
	b := emitted(t, pipeline("."), 3)
	require.Len(t, b.Roots(), 2, "and the doctor's")
	j := b.Roots()[0]
	require.Equal(t, "osipi_connector_orchestrator", j.Key)
	require.Equal(t, "standard", j.Tier)
	require.Equal(t, 1, j.MaxConcurrentRuns)
	require.Equal(t, []bundle.Parameter{
		{Name: "until_ms", Default: "{{job.start_time.timestamp_ms}}"}, {Name: "until"}, {Name: "run_id", Default: "{{job.run_id}}"},
	}, j.Parameters)

	keys, after := []string{}, map[string][]string{}
	for _, task := range j.Tasks {
		keys = append(keys, task.Key)
		after[task.Key] = task.DependsOn
		retries, interval := 3, time.Minute
		if task.Key == "validate" { // what it finds another attempt finds, too
			retries, interval = 0, 0
		}
		require.Equal(t, retries, task.MaxRetries, task.Key)
		require.Equal(t, interval, task.RetryInterval, task.Key)
		require.Equal(t, retries > 0, task.RetryOnTimeout, task.Key)
		require.Positive(t, task.Timeout, task.Key)
		runIf := "ALL_SUCCESS"
		if task.Key == "consolidate" || task.Key == "validate" {
			runIf = "ALL_DONE"
		}
		require.Equal(t, runIf, task.RunIf, task.Key)
	}
	extractions := []string{"extract_timeseries_partition_0", "extract_timeseries_partition_1", "extract_timeseries_partition_2"}
	require.Equal(t, append(append([]string{"discover_tags"}, extractions...), "consolidate", "validate"), keys)
	for _, e := range extractions {
		require.Equal(t, []string{"discover_tags"}, after[e])
	}
	require.Equal(t, extractions, after["consolidate"])
	require.Equal(t, []string{"consolidate"}, after["validate"])
}

// Nothing in a region's bundle names a secret of another region's site, on any
// compute.
func TestARegionHoldsItsOwnSecretsOnly(t *testing.T) {
	for name, change := range map[string]func(*config.Compute){
		"clusters":       func(*config.Compute) {},
		"single cluster": func(c *config.Compute) { c.SingleCluster = true },
		"serverless":     func(c *config.Compute) { c.Serverless = true },
		"pool":           func(c *config.Compute) { c.Pool.MinIdle = 4 },
	} {
		whole := pipeline(t.TempDir())
		require.NoError(t, os.WriteFile(filepath.Join(whole.Dir, "ca.pem"), []byte(certificate), 0o644))
		change(&whole.Compute)
		var words []string // by site: what must not be in the bundle of another
		sites := whole.Sites[:0]
		for _, word := range []string{"ALPHA", "BRAVO", "CHARLIE"} {
			s := pipeline(".").Sites[0]
			s.Name, s.Region, s.URL = word, "region-"+word, "https://pi."+word+".example/piwebapi"
			s.Auth = config.Auth{Kind: "kerberos", Principal: "svc@" + word, Keytab: config.Secret{Env: "KEYTAB_" + word, Secret: "pi/" + word}}
			s.TLS = config.TLS{CAFile: "ca.pem", CA: config.Secret{Secret: "ca/" + word}}
			sites, words = append(sites, s), append(words, word)
		}
		whole.Sites = sites
		for _, region := range whole.Regions() {
			cfg := whole.InRegion(region)
			for _, f := range render(t, cfg, planOf(cfg, 2)).Files() {
				for _, word := range words {
					if "region-"+word != region && f.Path != manifest.SitesFile && f.Path != bundle.PlanFile {
						require.NotContains(t, string(f.Data), word, "%s: %s of %s", name, f.Path, region)
					}
					for _, secret := range []string{"KEYTAB_" + word, "pi/" + word, "ca/" + word, "svc@" + word} {
						if "region-"+word != region {
							require.NotContains(t, string(f.Data), secret, "%s: %s of %s", name, f.Path, region)
						}
					}
				}
			}
		}
	}
}

// A site's own policy is that of its extraction tasks, and of no other: discovery
// and what comes after are the tier's.
func TestExtractionsAreRetriedAsTheirSiteSays(t *testing.T) {
	cfg := pipeline(".")
	cfg.Sites[0].Task = config.Task{MaxRetries: new(0)}
	second := cfg.Sites[0]
	second.Name, second.URL = "plant-b", "https://pi.plant-b.example/piwebapi"
	second.Task = config.Task{MaxRetries: new(8), MinRetryInterval: 5 * time.Minute}
	cfg.Sites = append(cfg.Sites, second)
	p := planOf(cfg, 2)
	p.Partitions[1].TimeoutSecs = 2700
	type policy struct {
		retries           int
		interval, timeout time.Duration
		againAfterTimeout bool
	}
	want := map[string]policy{
		"extract_timeseries_partition_0": {0, 0, 90 * time.Minute, false},
		"extract_timeseries_partition_1": {8, 5 * time.Minute, 75 * time.Minute, true},
	}
	for _, task := range readBack(t, render(t, cfg, p)).Jobs[0].Tasks {
		w, ok := want[task.Key]
		if !ok {
			w = policy{3, time.Minute, task.Timeout, true}
		}
		if task.Key == "validate" {
			w = policy{0, 0, task.Timeout, false}
		}
		require.Equal(t, w, policy{task.MaxRetries, task.RetryInterval, task.Timeout, task.RetryOnTimeout}, task.Key)
	}

	cfg.Sites[0].Task = config.Task{MaxRetries: new(10), MinRetryInterval: 10 * time.Minute}
	b := emitted(t, cfg, 1001)
	for _, task := range b.Roots()[0].Tasks {
		if task.RunJob != "" {
			require.GreaterOrEqual(t, task.Timeout, 11*time.Hour+100*time.Minute, "a child has time for all attempts of its slowest task")
		}
	}
}

// What the job says is what pi-extractor takes, for any numbers.
func TestTaskArgumentsAreThoseOfTheProgram(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := pipeline(".")
		cfg.Extract.Settle = time.Duration(rapid.Int64Range(0, 1e12).Draw(rt, "settle"))
		cfg.Extract.FailAbove = rapid.Float64Range(0, 1).Draw(rt, "fail above")
		cfg.Compute.Layout = rapid.SampledFrom([]string{"liquid", "zorder"}).Draw(rt, "layout")
		cfg.Compute.Serverless = rapid.Bool().Draw(rt, "serverless")
		p := planOf(cfg, 2)
		p.Partitions[1].Limits.RequestsPerSecond = rapid.Float64Range(0.001, 1e6).Draw(rt, "rate")
		local, err := readBack(t, render(t, cfg, p)).Resolve("", map[string]string{"var.pipeline": "osipi_connector", "workspace.file_path": "/a b/c"})
		require.NoError(rt, err)

		run := strings.NewReplacer("{{job.parameters.run_id}}", "r1", "{{job.parameters.until_ms}}", "1700000000000",
			"{{job.parameters.until}}", "", "{{task.execution_count}}", "2")
		for _, task := range local.Jobs[0].Tasks {
			args := make([]string, len(task.Args))
			for i, a := range task.Args {
				args[i] = run.Replace(a)
			}
			got, err := manifest.Parse(task.EntryPoint, args)
			require.NoError(rt, err, task.Key)
			require.Equal(rt, "osipi_connector", got.Pipeline)
			require.Equal(rt, "/a b/c", got.Bundle)
			require.Equal(rt, "", got.SchemaPrefix)
			require.Equal(rt, 2, got.Attempt)
			require.Equal(rt, task.Timeout, time.Duration(got.TimeoutSecs+manifest.StartAllowance)*time.Second,
				"a cluster's start is on top of the task's own timeout")
			switch task.Key {
			case "discover_tags":
				require.InDelta(rt, cfg.Extract.Settle.Seconds(), got.Settle, 1e-9)
				require.Equal(rt, cfg.Compute.Layout, got.Layout)
			case "extract_timeseries_partition_1":
				require.Equal(rt, 1, got.Partition)
				require.Equal(rt, p.Partitions[1].Limits, got.Limits)
				require.Equal(rt, cfg.Extract.FailAbove, got.FailAbove)
				require.Equal(rt, map[bool]string{false: "executors", true: "driver"}[cfg.Compute.Serverless], got.Shards)
			case "consolidate":
				require.True(rt, got.Maintenance)
				require.Equal(rt, cfg.Compute.Layout, got.Layout)
			}
		}
	})
}

func TestResolveByTarget(t *testing.T) {
	cfg := pipeline(".")
	cfg.Targets[1].Catalog, cfg.Targets[1].SchemaPrefix = "elsewhere", "p_"
	b := emitted(t, cfg, 1)
	require.Len(t, b.Targets, 2)
	require.True(t, b.Targets[0].Default)

	prod, err := b.Resolve("prod", map[string]string{"workspace.file_path": "/w"})
	require.NoError(t, err)
	require.Equal(t, []string{"--pipeline=osipi_connector.prod", "--catalog=elsewhere", "--schema-prefix=p_", "--bundle=/w"}, prod.Jobs[0].Tasks[0].Args[:4])
	require.Equal(t, "--pipeline=${var.pipeline}", b.Jobs[0].Tasks[0].Args[0], "the bundle itself stays as it was")

	_, err = b.Resolve("prod", nil)
	require.ErrorContains(t, err, "${workspace.file_path} has no value")
	_, err = b.Resolve("staging", nil)
	require.ErrorContains(t, err, "allowed: dev, prod")
	b.Variables["catalog"] = "${var.pipeline}${var.catalog}"
	_, err = b.Resolve("dev", map[string]string{"workspace.file_path": "/w"})
	require.ErrorContains(t, err, "refers to itself")
}

func TestManyPartitionsRunInChildren(t *testing.T) {
	for _, partitions := range []int{997, 998, 2001} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			b := emitted(t, pipeline("."), partitions)
			require.Len(t, b.Roots(), 2, "and the doctor's")
			parent := b.Roots()[0]
			if partitions == 997 {
				require.Len(t, b.Jobs, 2)
				require.Len(t, parent.Tasks, plan.MaxTasks)
				return
			}
			seen, longest := map[string]bool{}, time.Duration(0)
			for _, task := range parent.Tasks {
				if task.RunJob == "" {
					continue
				}
				require.Equal(t, map[string]string{
					"until_ms": "{{job.parameters.until_ms}}", "until": "{{job.parameters.until}}", "run_id": "{{job.parameters.run_id}}",
				}, task.RunParameters)
				require.Equal(t, []string{"discover_tags"}, task.DependsOn)
				require.Zero(t, task.MaxRetries, "the child's tasks have retries of their own")
				child, ok := b.Job(task.RunJob)
				require.True(t, ok)
				require.LessOrEqual(t, len(child.Tasks), plan.MaxTasks)
				for _, c := range child.Tasks {
					require.False(t, seen[c.Key], "%s is in two jobs", c.Key)
					seen[c.Key], longest = true, max(longest, c.Timeout)
					require.Empty(t, c.DependsOn)
				}
				require.GreaterOrEqual(t, task.Timeout, 4*longest)
			}
			require.Len(t, seen, partitions)
			last := parent.Tasks[len(parent.Tasks)-2]
			require.Equal(t, "consolidate", last.Key)
			require.Equal(t, "ALL_DONE", last.RunIf)
			require.Len(t, last.DependsOn, (partitions+999)/1000)
			for _, key := range last.DependsOn {
				require.True(t, strings.HasPrefix(key, "part_"), key)
			}
		})
	}
}

func TestTiersHaveJobsOfTheirOwnAndOneLooksAfterTheTables(t *testing.T) {
	cfg := pipeline(".")
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: time.Hour})
	b := emitted(t, cfg, 4)
	roots := b.Roots()
	require.Len(t, roots, 3)
	require.Equal(t, "osipi_connector_orchestrator_bulk", roots[1].Key)
	require.Equal(t, "osipi_connector_doctor", roots[2].Key)
	for i, j := range roots[:2] {
		require.Len(t, j.Tasks, 5)
		for _, task := range j.Tasks {
			if task.Key == "consolidate" {
				require.Contains(t, task.Args, fmt.Sprintf("--maintenance=%v", i == 0))
			}
		}
	}
}

func TestJobsThatWouldShareAKeyAreRefused(t *testing.T) {
	cfg := pipeline(".")
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "part_1", Every: time.Hour})
	p := planOf(cfg, 2*998)
	_, err := tryRender(cfg, p)
	require.ErrorContains(t, err, "osipi_connector_orchestrator_part_1")
	require.ErrorContains(t, err, "hint: ")
}

func TestSitesThatWouldShareAClusterAreRefused(t *testing.T) {
	cfg := pipeline(".")
	second := cfg.Sites[0]
	second.Name = "plant_a"
	cfg.Sites = append(cfg.Sites, second)
	p := planOf(cfg, 2)
	p.Partitions[1].Cluster = p.Partitions[0].Cluster
	_, err := tryRender(cfg, p)
	require.ErrorContains(t, err, "partitions 0 (site plant-a) and 1 (site plant_a) would share cluster")
	require.ErrorContains(t, err, "hint: rename one of the sites")
}

func TestMissingCertificateIsNamed(t *testing.T) {
	cfg := pipeline(t.TempDir())
	cfg.Sites[0].TLS.CAFile = "certs/root.pem"
	_, err := tryRender(cfg, planOf(cfg, 1))
	require.ErrorContains(t, err, `tls.ca_file "certs/root.pem" of site plant-a`)
	require.NotContains(t, err.Error(), cfg.Dir)
}

// A cluster holds the secrets of its own site only; the orchestrator those of all.
func TestSecretsStayWithTheirSite(t *testing.T) {
	cfg := pipeline(".")
	second := cfg.Sites[0]
	second.Name, second.Auth = "plant-b", config.Auth{Kind: "bearer", Token: config.Secret{Secret: "pi/token-b"}}
	cfg.Sites = append(cfg.Sites, second)
	data, ok := render(t, cfg, planOf(cfg, 2)).File(bundle.JobsFile)
	require.True(t, ok)
	clusters := strings.SplitAfter(string(data[:strings.Index(string(data), "\nresources:")]), "\n  extraction_")
	require.Len(t, clusters, 3)
	const a, b = "PI_PLANT_A_PASSWORD: '{{secrets/pi/plant-a}}'", "PI_PLANT_B_TOKEN: '{{secrets/pi/token-b}}'"
	require.Contains(t, clusters[0], a)
	require.Contains(t, clusters[0], b)
	require.Contains(t, clusters[1], a)
	require.NotContains(t, clusters[1], b)
	require.NotContains(t, clusters[2], a)
	require.Contains(t, clusters[2], b)
}

// All tasks install one wheel, so all machines have to be able to run it.
func TestMachinesOfTwoKindsAreRefused(t *testing.T) {
	cfg := pipeline(".")
	cfg.Compute.NodeType, cfg.Compute.OrchestratorType = "m6gd.xlarge", "m5d.large"
	_, err := tryRender(cfg, planOf(cfg, 1))
	require.EqualError(t, err, "compute.node_type m6gd.xlarge has arm64 processors, compute.orchestrator_node_type m5d.large has amd64: one wheel cannot serve both\n"+
		"hint: leave orchestrator_node_type out, or choose one with arm64 processors")

	cfg.Compute.OrchestratorType = "m6gd.large"
	data, ok := render(t, cfg, planOf(cfg, 1)).File(bundle.RootFile)
	require.True(t, ok)
	require.Contains(t, string(data), "bundlegen wheel --arch arm64 -o dist")
}

// A job's clusters count with every task that has one, though the bundle says
// each specification once.
func TestJobsTooLargeForARequestAreRefused(t *testing.T) {
	cfg := pipeline(".")
	render(t, cfg, planOf(cfg, 997))
	cfg.Compute.CustomTags = map[string]string{}
	for i := range 45 {
		cfg.Compute.CustomTags[fmt.Sprintf("tag_%02d", i)] = strings.Repeat("x", 200)
	}
	render(t, cfg, planOf(cfg, 500))
	p := planOf(cfg, 997)
	_, err := bundle.Jobs(cfg, p)
	require.ErrorContains(t, err, "job osipi_connector_orchestrator: 10.")
	require.ErrorContains(t, err, "1000 tasks on 998 clusters; allowed: less than 8 MB")
	require.ErrorContains(t, err, "\nhint: ")

	cfg.Compute.SingleCluster = true
	_, err = bundle.Jobs(cfg, p)
	require.NoError(t, err, "one cluster is there once")
}

// A continuous tier's job is tasks that loop and nothing else; where it is the
// first, another job looks after the tables.
func TestContinuousTier(t *testing.T) {
	cfg := pipeline(".")
	second := cfg.Sites[0]
	second.Name = "plant-b"
	second.Auth.Password = config.Secret{Env: "PI_PLANT_B_PASSWORD", Secret: "pi/plant-b"}
	cfg.Sites = append(cfg.Sites, second)
	cfg.Monitoring.Emails = []string{"pi@example.com"}
	cfg.Tiers = []config.Tier{{Name: "critical", Every: 10 * time.Second, Continuous: true}}
	b := emitted(t, cfg, 4)
	require.Len(t, b.Roots(), 3, "and the doctor's")
	j, maintenance := b.Jobs[0], b.Jobs[1]
	require.True(t, j.Continuous)
	require.True(t, j.Lands())
	require.Contains(t, j.Parameters, bundle.Parameter{Name: "loop_seconds", Default: "21600"})
	leads := map[string]int{}
	for i, task := range j.Tasks {
		require.Empty(t, task.DependsOn)
		require.Zero(t, task.MaxRetries)
		args := make([]string, len(task.Args))
		for k, a := range task.Args {
			args[k] = strings.NewReplacer("{{job.parameters.loop_seconds}}", "21600", "{{job.parameters.until_ms}}", "1", "{{job.parameters.until}}", "", "{{task.execution_count}}", "1").Replace(a)
		}
		p, err := manifest.Parse(task.EntryPoint, args)
		require.NoError(t, err)
		require.Equal(t, i, p.Partition)
		require.Equal(t, 10.0, p.Every)
		require.Equal(t, 3600.0, p.Backfill)
		require.Equal(t, 30.0, p.Settle)
		if p.Lead {
			leads[p.Site] = p.Partition
		}
	}
	require.Equal(t, map[string]int{"plant-a": 0, "plant-b": 1}, leads, "the lowest partition of each site")
	require.Equal(t, "osipi_connector_maintenance", maintenance.Key)
	require.False(t, maintenance.Lands())
	require.Len(t, maintenance.Tasks, 1)
	require.Contains(t, maintenance.Tasks[0].Args, "--maintenance=true")

	data, ok := render(t, cfg, planOf(cfg, 2)).File(bundle.JobsFile)
	require.True(t, ok)
	require.Contains(t, string(data), "continuous:\n        pause_status: PAUSED\n        task_retry_mode: ON_FAILURE\n")
	require.NotContains(t, string(data), "on_duration_warning_threshold_exceeded")
	require.NotContains(t, string(data), "health:")
	root, ok := render(t, cfg, planOf(cfg, 2)).File(bundle.RootFile)
	require.True(t, ok)
	require.Contains(t, string(root), "osipi_connector_orchestrator:\n          continuous:\n            pause_status: UNPAUSED\n")
}

// Where another tier is the first, its job looks after the tables.
func TestContinuousTierBehindAnother(t *testing.T) {
	cfg := pipeline(".")
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "critical", Every: 10 * time.Second, Continuous: true})
	b := emitted(t, cfg, 4)
	require.Len(t, b.Roots(), 3, "and the doctor's")
	require.False(t, b.Jobs[0].Continuous)
	require.True(t, b.Jobs[1].Continuous)
}
