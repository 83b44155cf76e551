package bundle_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// The doctor's job runs on an extraction's cluster with one worker and the secrets of
// all sites, on no schedule, and is told which variable stands for which secret.
func TestDoctorHasAnExtractionsCluster(t *testing.T) {
	cfg := pipeline(".")
	second := cfg.Sites[0]
	second.Name, second.Auth = "plant-b", config.Auth{Kind: "bearer", Token: config.Secret{Secret: "pi/token-b"}}
	cfg.Sites = append(cfg.Sites, second)
	b := emitted(t, cfg, 4)
	j, ok := b.Job(bundle.DoctorKey(cfg))
	require.True(t, ok)
	require.False(t, j.Lands())
	require.Empty(t, j.Tier)
	require.Empty(t, j.Parameters)
	require.Len(t, j.Tasks, 1)
	require.Equal(t, "doctor", j.Tasks[0].EntryPoint)
	require.Zero(t, j.Tasks[0].MaxRetries)
	require.Equal(t, []string{
		"--pipeline=${var.pipeline}", "--catalog=${var.catalog}", "--schema-prefix=${var.schema_prefix}", "--bundle=${workspace.file_path}",
		"--shards=executors", "--secret=PI_PLANT_A_PASSWORD=pi/plant-a", "--secret=PI_PLANT_B_TOKEN=pi/token-b",
	}, j.Tasks[0].Args)

	data, ok := render(t, cfg, planOf(cfg, 4)).File(bundle.JobsFile)
	require.True(t, ok)
	_, cluster, ok := strings.Cut(string(data), "\n  doctor_cluster:\n")
	require.True(t, ok)
	cluster, _, _ = strings.Cut(cluster, "\n  extraction_")
	require.Contains(t, cluster, "num_workers: 1\n")
	require.Contains(t, cluster, "availability: SPOT_WITH_FALLBACK\n")
	require.Contains(t, cluster, "PI_PLANT_A_PASSWORD")
	require.Contains(t, cluster, "PI_PLANT_B_TOKEN")
	_, job, ok := strings.Cut(string(data), "\n    osipi_connector_doctor:\n")
	require.True(t, ok)
	require.NotContains(t, job, "schedule")
	require.Contains(t, job, "new_cluster: ${var.doctor_cluster}")
}

// On serverless compute no worker is asked for anything.
func TestDoctorOnServerless(t *testing.T) {
	cfg := pipeline(".")
	cfg.Compute = config.Compute{Cloud: "aws", Serverless: true, Layout: "liquid"}
	j, ok := emitted(t, cfg, 2).Job(bundle.DoctorKey(cfg))
	require.True(t, ok)
	require.Contains(t, j.Tasks[0].Args, "--shards=driver")
}
