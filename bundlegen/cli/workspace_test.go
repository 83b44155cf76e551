package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/cli"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// walk is a pipeline in a folder, and the CLI's own fake workspace.
type walk struct {
	t       *testing.T
	dir     string
	uploads []string
}

func newWalk(t *testing.T, handlers ...func(*testserver.Server)) *walk {
	w := &walk{t: t, dir: t.TempDir()}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DATABRICKS_") {
			t.Setenv(name, "") // restores it afterwards
			require.NoError(t, os.Unsetenv(name))
		}
	}
	server := testserver.New(t)
	for _, handle := range handlers {
		handle(server)
	}
	testserver.AddDefaultHandlers(server)
	server.RequestCallback = func(r *testserver.Request) {
		if r.Method == "POST" && strings.Contains(r.URL.Path, "/import-file/") {
			w.uploads = append(w.uploads, r.URL.Path)
		}
	}
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "DATABRICKS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "DATABRICKS_CACHE_ENABLED": "false",
		"DATABRICKS_RATE_LIMIT": "10000", "DATABRICKS_HOST": server.URL, "DATABRICKS_TOKEN": "dapi" + uuid.NewString(),
	} {
		t.Setenv(name, value)
	}
	w.write("pipeline.yml", `version: 1
name: walk
catalog: main
sites:
  - {name: plant-a, url: https://pi.plant-a.example, auth: {kind: basic, username: svc_pi, password: {secret: pi/plant-a}}}
sizing: {min_tags: 1, target_tags: 2, max_tags: 3}
tiers: [{name: standard, every: 15m}]
`)
	w.write("inventory.csv", "tag,point_id\none,1\ntwo,2\nthree,3\nfour,4\n")
	// No static program stands beside a test: a wheel that is there already does.
	w.write("bundles/walk/dist/pi_extractor-0.1.0+habc-py3-none-manylinux2014_x86_64.whl", "PK")
	return w
}

func (w *walk) write(name, text string) {
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
}

func (w *walk) read(name string) string {
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	require.NoError(w.t, err)
	return string(data)
}

// bundlegen runs a command, expects its exit code, and gives what it printed.
func (w *walk) bundlegen(code int, args ...string) string {
	w.t.Helper()
	var out bytes.Buffer
	args = append([]string{"bundlegen", args[0], "-c", filepath.Join(w.dir, "pipeline.yml")}, args[1:]...)
	got := cli.Main(w.t.Context(), args, cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	require.Equal(w.t, code, got, out.String())
	require.NotContains(w.t, out.String(), os.Getenv("DATABRICKS_TOKEN"))
	return out.String()
}

// TestWalkToAWorkspace goes the last part of the way: validate, deploy, deploy
// again, a tag more, an edit by hand, destroy.
func TestWalkToAWorkspace(t *testing.T) {
	w := newWalk(t)
	require.Contains(t, w.bundlegen(1, "validate", "-t", "prod"), "bundlegen generate")
	w.bundlegen(0, "generate")
	w.bundlegen(0, "validate", "-t", "prod")

	t.Log("without a terminal nobody can be asked")
	require.Contains(t, w.bundlegen(1, "deploy", "-t", "prod"), "--auto-approve")
	require.Empty(t, w.uploads)

	require.Contains(t, w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve"), "2 to add")
	require.Contains(t, strings.Join(w.uploads, "\n"), "partitions/partition-0001.csv")
	require.Contains(t, w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve"), "0 to add, 0 to change, 0 to delete")

	t.Log("a tag more: deploy generates by itself")
	w.write("inventory.csv", w.read("inventory.csv")+"five,5\n")
	w.uploads = nil
	require.Contains(t, w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve"), "0 to add, 0 to change")
	var manifests []string
	for _, u := range w.uploads {
		if strings.HasSuffix(u, ".csv") {
			manifests = append(manifests, filepath.Base(u))
		}
	}
	require.Len(t, manifests, 1, "only the manifest that has the tag")

	t.Log("an edit by hand is refused, shown, and left as it is")
	job := w.read("bundles/walk/databricks-loadbalanced.yml")
	w.write("bundles/walk/databricks-loadbalanced.yml", strings.Replace(job, "max_retries: 3", "max_retries: 9", 1))
	w.uploads = nil
	out := w.bundlegen(1, "deploy", "-t", "prod", "--auto-approve")
	require.Contains(t, out, "edited by hand")
	require.Contains(t, out, "max_retries: 9")
	require.Contains(t, out, "hint:")
	require.Empty(t, w.uploads)
	require.Contains(t, w.read("bundles/walk/databricks-loadbalanced.yml"), "max_retries: 9")
	w.write("bundles/walk/databricks-loadbalanced.yml", job)

	require.Contains(t, w.bundlegen(1, "destroy", "-t", "prod"), "--auto-approve")
	w.bundlegen(0, "destroy", "-t", "prod", "--auto-approve")
	require.Contains(t, w.bundlegen(1, "deploy", "-t", "nowhere", "--auto-approve"), "allowed: dev, prod")
}

// TestValidateAsJSON: what the databricks CLI finds is a list with places.
func TestValidateAsJSON(t *testing.T) {
	w := newWalk(t)
	w.bundlegen(0, "generate")
	type document struct {
		Valid   bool
		Next    string
		Bundles []struct {
			Valid    bool
			Findings []diag.Problem
		}
	}
	var d document
	require.NoError(t, json.Unmarshal([]byte(w.bundlegen(0, "validate", "-t", "prod", "-o", "json")), &d))
	require.True(t, d.Valid && d.Bundles[0].Valid)
	require.Empty(t, d.Bundles[0].Findings)
	require.Regexp(t, "^bundlegen deploy -c .* -t prod$", d.Next)

	jobs := w.read("bundles/walk/databricks-loadbalanced.yml")
	w.write("bundles/walk/databricks-loadbalanced.yml", strings.Replace(jobs, "max_retries: ", "nonsense: 1\n          max_retries: ", 1))
	d = document{}
	require.NoError(t, json.NewDecoder(strings.NewReader(w.bundlegen(1, "validate", "-t", "prod", "-o", "json"))).Decode(&d))
	require.False(t, d.Valid || d.Bundles[0].Valid)
	require.Empty(t, d.Next)
	require.Len(t, d.Bundles[0].Findings, 1)
	finding := d.Bundles[0].Findings[0]
	require.Contains(t, finding.Text, "nonsense")
	require.Equal(t, "databricks-loadbalanced.yml", filepath.Base(finding.File))
	require.Positive(t, finding.Line*finding.Column)
	require.NotEmpty(t, finding.Hint)
}

// TestRecommendationIsToldOnce: validate, plan, and deploy all say what the CLI
// recommends of a bundle, and a person reads it once.
func TestRecommendationIsToldOnce(t *testing.T) {
	w := newWalk(t)
	w.write("pipeline.yml", strings.TrimSpace(w.read("pipeline.yml"))+"\ntargets: {dev: {}, prod: {service_principal: "+
		"11111111-2222-3333-4444-555555555555}}\n")
	const once = "permissions section should explicitly include the current deployment identity"
	out := w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve")
	require.Equal(t, 1, strings.Count(out, once), out)
	require.Equal(t, 1, strings.Count(out, "See https://docs.databricks.com"), out)
	require.Equal(t, 3, strings.Count(out, "Building pi_extractor..."), "all else is said: %s", out)
	require.Equal(t, 1, strings.Count(w.bundlegen(0, "destroy", "-t", "prod", "--auto-approve"), once))
}

// TestRegions deploys a bundle to each region's workspace by one command, changes
// one, loses one, and takes both down.
func TestRegions(t *testing.T) {
	w := newWalk(t)
	var created atomic.Int32
	eu := testserver.New(t)
	testserver.AddDefaultHandlers(eu)
	eu.RequestCallback = func(r *testserver.Request) {
		if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/jobs/create") {
			created.Add(1)
		}
	}
	us := os.Getenv("DATABRICKS_HOST")
	pipeline := `version: 1
name: walk
catalog: main
sites:
  - {name: a, url: "https://a.example", region: us-east-1, auth: {kind: anonymous}}
  - {name: b, url: "https://b.example", region: eu-west-1, auth: {kind: anonymous}}
sizing: {min_tags: 1, target_tags: 2, max_tags: 3}
tiers: [{name: standard, every: 15m}]
targets: {dev: {}, prod: {regions: {us-east-1: {host: %s}, eu-west-1: {host: %s}}}}
`
	w.write("pipeline.yml", fmt.Sprintf(pipeline, "'"+us+"'", "'"+eu.URL+"'"))
	w.write("inventory.csv", "site,tag,point_id\na,one,1\na,two,2\nb,three,3\nb,four,4\nb,five,5\n")
	for _, r := range []string{"us-east-1", "eu-west-1"} {
		w.write("bundles/walk_"+r+"/dist/pi_extractor-0.1.0+habc-py3-none-manylinux2014_x86_64.whl", "PK")
	}
	out := w.bundlegen(0, "plan")
	require.Contains(t, out, "walk_us-east-1")
	require.Contains(t, out, "walk_eu-west-1")
	require.Equal(t, 1, strings.Count(out, "next: bundlegen generate"))
	require.Contains(t, w.bundlegen(1, "plan", "--region", "us-west-1"), "allowed: us-east-1, eu-west-1")

	w.bundlegen(0, "generate")
	require.Contains(t, w.read("bundles/walk_us-east-1/partitions/partition-0000.csv"), "two")
	require.Contains(t, w.read("bundles/walk_eu-west-1/partitions/partition-0001.csv"), "three", "ids are unique in all regions")
	w.bundlegen(0, "generate", "--check")
	w.bundlegen(0, "plan", "--detailed-exitcode")
	w.bundlegen(0, "validate", "-t", "prod")

	require.Contains(t, w.bundlegen(1, "deploy", "-t", "prod"), "--auto-approve")
	out = w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve")
	require.Contains(t, out, "walk_us-east-1, target prod: 2 to add")
	require.Contains(t, out, "walk_eu-west-1, target prod: 2 to add")
	require.EqualValues(t, 2, created.Load(), "each workspace has its own region's jobs only")

	w.write("inventory.csv", w.read("inventory.csv")+"b,six,6\n")
	out = w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve")
	require.Contains(t, out, "walk_us-east-1, target prod: 0 to add, 0 to change")

	t.Log("a region whose workspace is down stops no other, and is named")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	w.write("pipeline.yml", fmt.Sprintf(pipeline, "'http://"+closed.Addr().String()+"'", "'"+eu.URL+"'"))
	w.write("inventory.csv", w.read("inventory.csv")+"b,seven,7\n")
	out = w.bundlegen(1, "deploy", "-t", "prod", "--auto-approve")
	require.Contains(t, out, "error: region us-east-1: ")
	require.Contains(t, out, "walk_eu-west-1, target prod: ")

	w.write("pipeline.yml", fmt.Sprintf(pipeline, "'"+us+"'", "'"+eu.URL+"'"))
	w.bundlegen(0, "deploy", "-t", "prod", "--auto-approve", "--region", "us-east-1")
	w.bundlegen(0, "destroy", "-t", "prod", "--auto-approve")

	t.Log("without a workspace for each region, production is not deployed to whichever there is")
	w.write("pipeline.yml", strings.Split(fmt.Sprintf(pipeline, "x", "x"), "targets:")[0])
	require.Contains(t, w.bundlegen(1, "deploy", "-t", "prod", "--auto-approve"), "targets.prod says no workspace for region us-east-1")
}

// TestFromOneBundleToRegions: sites keep their partitions, and the old bundle is pointed at.
func TestFromOneBundleToRegions(t *testing.T) {
	w := newWalk(t)
	pipeline := `version: 1
name: walk
catalog: main
sites:
  - {name: a, url: "https://a.example", REGION auth: {kind: anonymous}}
  - {name: b, url: "https://b.example", region2 auth: {kind: anonymous}}
sizing: {min_tags: 1, target_tags: 1, max_tags: 1}
tiers: [{name: standard, every: 15m}]
`
	w.write("pipeline.yml", strings.NewReplacer("REGION ", "", "region2 ", "").Replace(pipeline))
	w.write("inventory.csv", "site,tag,point_id\na,one,1\nb,two,2\na,three,3\n")
	w.bundlegen(0, "generate")
	w.write("pipeline.yml", strings.NewReplacer("REGION ", "region: us-east-1, ", "region2 ", "region: eu-west-1, ").Replace(pipeline))
	w.write("inventory.csv", w.read("inventory.csv")+"b,four,4\n")
	out := w.bundlegen(0, "plan")
	require.Contains(t, out, "is the bundle from before there were regions")
	require.NotContains(t, out, "moved")
	w.bundlegen(0, "generate")
	for file, tag := range map[string]string{
		"walk_us-east-1/partitions/partition-0000.csv": "one", "walk_us-east-1/partitions/partition-0001.csv": "three",
		"walk_eu-west-1/partitions/partition-0002.csv": "two", "walk_eu-west-1/partitions/partition-0003.csv": "four",
	} {
		require.Contains(t, w.read("bundles/"+file), ","+tag+",")
	}
	require.Contains(t, w.read("bundles/walk_us-east-1/sites.json"), `"elsewhere"`)
}

// TestWorkspaceThatIsNotThere ends with what to do.
func TestWorkspaceThatIsNotThere(t *testing.T) {
	w := newWalk(t)
	w.bundlegen(0, "generate")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Setenv("DATABRICKS_HOST", "http://"+closed.Addr().String())
	require.NoError(t, closed.Close())
	require.Contains(t, w.bundlegen(1, "deploy", "-t", "prod", "--auto-approve"), "hint:")
	require.NoError(t, os.Unsetenv("DATABRICKS_HOST"))
	require.Contains(t, w.bundlegen(1, "deploy", "-t", "prod", "--auto-approve"), "DATABRICKS_HOST")
}
