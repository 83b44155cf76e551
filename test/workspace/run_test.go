// Package workspace_test deploys and runs the built programs' bundles against a
// fake workspace, where the tasks really run.
package workspace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/localspark"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// secret is the password of the plant.
const secret = "correct horse"

const pipelineYML = `version: 1
name: plant
catalog: main
inventory: inventory.csv
sites:
  - name: plant-a
    url: %s
    auth: {kind: basic, username: svc_pi, password: {env: PI_PLANT_A_PASSWORD, secret: pi/plant-a}}
    limits: {requests_per_second: 400, connections: 8}
sizing: {min_tags: 50, target_tags: 100, max_tags: 150, tags_per_worker: 50}
tiers: [{name: standard, every: 1h}]
extract: {backfill: 1h}
targets:
  dev: {catalog: spark_catalog, schema_prefix: dev_}
`

// program returns a built program.
func program(t *testing.T, name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built; run: make build", name)
	}
	return path
}

// project is a pipeline.yml's folder.
type project struct {
	t   *testing.T
	dir string
	env []string // of bundlegen
	// programs is the folder with bundlegen and what stands beside it; "" = as built by make.
	programs string
}

func newProject(t *testing.T, url string, env ...string) *project {
	p := &project{t: t, dir: t.TempDir(), env: env}
	p.write("pipeline.yml", fmt.Sprintf(pipelineYML, url))
	return p
}

func (p *project) write(name, text string) {
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
}

// bundlegen runs a command, expects its exit code, and gives all that it printed.
func (p *project) bundlegen(code int, args ...string) string {
	p.t.Helper()
	var out bytes.Buffer
	name := filepath.Join(p.programs, "bundlegen")
	if p.programs == "" {
		name = program(p.t, "bundlegen")
	}
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &out, &out
	cmd.Env = append(os.Environ(), p.env...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	require.Equal(p.t, code, cmd.ProcessState.ExitCode(), "bundlegen %s\n%s", strings.Join(args, " "), out.String())
	require.NotContains(p.t, out.String(), secret, "a secret was printed")
	return out.String()
}

// clean keeps what the machine that runs the tests has set from bundlegen.
func clean(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DATABRICKS_") {
			t.Setenv(name, "") // restores it afterwards
			require.NoError(t, os.Unsetenv(name))
		}
	}
	t.Setenv("DATABRICKS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("DATABRICKS_CACHE_ENABLED", "false")
	t.Setenv("DATABRICKS_RATE_LIMIT", "10000") // the SDK's 15 requests a second are for real workspaces
}

// Deploy, run, rows in a table: the deployed wheel's tasks run as the deployed job
// says, on Spark and Delta, and land what PI has, event by event.
func TestRunOnAWorkspace(t *testing.T) {
	spark, err := localspark.Ensure(t.Context(), slog.Default())
	require.NoError(t, err)
	clean(t)
	until, err := instant.Parse("2026-03-01T12:00:00Z")
	require.NoError(t, err)
	sim := simulator.New(simulator.Options{
		Seed: 20261123, Tags: 200, Clock: func() instant.Ticks { return until },
		Auth: simulator.Auth{Kind: simulator.Basic, User: "svc_pi", Password: secret},
	})
	url, err := sim.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })

	w := newPlatform(t)
	w.putSecret("pi", "plant-a", secret)
	p := newProject(t, url, "DATABRICKS_HOST="+w.URL, "DATABRICKS_TOKEN="+w.token, "PI_PLANT_A_PASSWORD="+secret)
	p.bundlegen(0, "discover")
	p.bundlegen(0, "generate")
	p.bundlegen(0, "deploy", "-t", "dev", "--auto-approve")

	session := classicSession(t, spark)
	said := p.bundlegen(0, "run", "-t", "dev", "--until", until.String())
	require.Contains(t, said, "5 of 5 tasks done")

	have := landed(t, spark, session, "spark_catalog.dev_bronze.pi_timeseries")
	total := 0
	for _, tag := range sim.Oracle().Tags() {
		var want []int64
		for _, e := range sim.Oracle().Events(tag.Index, until-instant.Hour-1, until) {
			want = append(want, int64(e.Ticks))
		}
		slices.Sort(want)
		require.Equal(t, want, have[tag.Name], tag.Name)
		total += len(want)
		delete(have, tag.Name)
	}
	require.Empty(t, have)
	require.Greater(t, total, 1000, "there was something to land")
	left, err := filepath.Glob(filepath.Join(os.Getenv("PI_EXTRACTOR_STAGING"), "*", "*", "*"))
	require.NoError(t, err)
	require.Empty(t, left, "what is published is not staged any more")
}

// classicSession returns tasks a Spark of their own each, as a node of a single-node
// cluster has, with tables that outlive it. It sets this process's environment,
// which the fake workspace hands down, and gives it.
func classicSession(t *testing.T, spark *localspark.Installation) []string {
	t.Helper()
	lib, err := filepath.Abs(filepath.Join("testdata", "lib"))
	require.NoError(t, err)
	bin, err := filepath.Abs(filepath.Join("testdata", "bin"))
	require.NoError(t, err)
	env, err := spark.Classic(localspark.Options{
		Dir: t.TempDir(),
		Env: []string{
			"JDK_JAVA_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", // sessions of seconds
			"PYTHONPATH=" + lib, "LOCAL_PYTHON=" + spark.Python(), "PI_EXTRACTOR_STAGING=" + t.TempDir(),
		},
		Conf: map[string]string{
			"spark.sql.shuffle.partitions":              "1",
			"spark.databricks.delta.snapshotPartitions": "1",
			"spark.sql.adaptive.enabled":                "false",
		},
	})
	require.NoError(t, err)
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		if name == "PATH" {
			value = bin + string(os.PathListSeparator) + value
		}
		t.Setenv(name, value)
	}
	return env
}

// landed returns the instants of each tag's events in a table.
func landed(t *testing.T, spark *localspark.Installation, env []string, table string) map[string][]int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), spark.Python(), filepath.Join("testdata", "events.py"), table)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)
	var ticks map[string][]int64
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &ticks))
	return ticks
}
