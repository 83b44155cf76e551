package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/cli/cmd"
	"github.com/databricks/cli/cmd/root"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// pipelineFile is a pipeline.yml whose sizing makes partitions of three tags.
const pipelineFile = `version: 1
name: osipi_connector
catalog: pi_production
inventory: inventory.csv
sites:
  - name: plant-a
    url: https://pi.plant-a.example/piwebapi
    data_server: PISRV1
    auth: {kind: basic, username: svc_pi, password: {env: PI_PLANT_A_PASSWORD, secret: pi/plant-a}}
sizing: {min_tags: 2, target_tags: 3, max_tags: 5, tags_per_worker: 2}
tiers:
  - {name: standard, every: 1h}
targets:
  dev: {}
  prod: {service_principal: 11111111-2222-3333-4444-555555555555}
`

// project is a pipeline.yml's folder with its emitted bundle.
type project struct {
	cfg  *config.Pipeline
	dir  string // of the bundle
	plan *plan.Plan
	tags []inventory.Tag
}

// referred is a file that a pipeline.yml refers to.
type referred struct{ name, text string }

// newProject emits the bundle of a pipeline with that many tags.
func newProject(t *testing.T, tags int) *project {
	t.Helper()
	return newProjectOf(t, pipelineFile, tags)
}

// newProjectOf emits the bundle of a pipeline.yml, with files that it refers to.
func newProjectOf(t *testing.T, pipeline string, tags int, files ...referred) *project {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pipeline.yml")
	for _, f := range files {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), f.name), []byte(f.text), 0o644))
	}
	require.NoError(t, os.WriteFile(file, []byte(pipeline), 0o644))
	cfg, err := config.Load(file)
	require.NoError(t, err)
	p := &project{cfg: cfg, dir: filepath.Join(filepath.Dir(file), "bundles", cfg.Name)}
	p.grow(t, tags)
	return p
}

// grow adds tags and emits the bundle again, built on the one that is there.
func (p *project) grow(t *testing.T, tags int) {
	t.Helper()
	for range tags {
		n := len(p.tags)
		p.tags = append(p.tags, inventory.Tag{Site: "plant-a", Name: fmt.Sprintf("Unit %d.PV", n), Tier: "standard", EventsPerHour: 60})
	}
	prev, err := plan.ReadPrevious(p.dir)
	require.NoError(t, err)
	built, err := plan.Build(p.cfg, plantest.Inventory(p.cfg, p.tags), prev, plan.Options{})
	require.NoError(t, err)
	p.plan = built
	tree := p.render(t)
	require.NoError(t, tree.Write(p.dir))
	wheel(t, p.dir)
}

func (p *project) render(t *testing.T) *bundle.Tree {
	t.Helper()
	jobs, err := bundle.Jobs(p.cfg, p.plan)
	require.NoError(t, err)
	tree, err := bundle.Render(p.cfg, p.plan, jobs)
	require.NoError(t, err)
	return tree
}

const orchestrator = "osipi_connector_orchestrator"

func TestRenderedBundle(t *testing.T) {
	f := newFake(t)
	p := newProject(t, 30)
	var stderr bytes.Buffer
	c := CLI{Stderr: &stderr}

	for _, target := range []string{"dev", "prod"} {
		require.NoError(t, c.Validate(t.Context(), p.dir, target), target)
	}
	shown, err := c.Plan(t.Context(), p.dir, "prod")
	require.NoError(t, err)
	assert.Contains(t, shown.Actions, Action{"create", "jobs." + orchestrator})
	require.NoError(t, c.Deploy(t.Context(), p.dir, "prod", false, &shown))
	job := f.created(t)
	assert.Len(t, extractions(job.Tasks), 10)
	assertWheelIsThere(t, f, job)
	assert.Regexp(t, "^0 to add, 0 to change, 0 to delete", p.changes(t))
	require.Empty(t, p.handEdited(t), "a deploy leaves the bundle as it was emitted")

	t.Run("one more tag uploads its manifest and what follows from it", func(t *testing.T) {
		before, err := os.ReadFile(filepath.Join(p.dir, "databricks-loadbalanced.yml"))
		require.NoError(t, err)
		p.grow(t, 1)
		after, err := os.ReadFile(filepath.Join(p.dir, "databricks-loadbalanced.yml"))
		require.NoError(t, err)
		f.forget()
		require.NoError(t, c.Deploy(t.Context(), p.dir, "prod", false, nil))
		// The CLI uploads the wheel with every deployment.
		assert.Equal(t, []string{"artifacts/.internal/" + wheelName, "files/partitions/partition-0000.csv", "files/plan.json"}, f.uploads())
		assert.Equal(t, string(before), string(after))
		assert.Empty(t, f.sent("POST", "/api/2.2/jobs/reset"))
	})
	t.Run("another number of partitions changes one job", func(t *testing.T) {
		p.grow(t, 24)
		changes, err := c.Plan(t.Context(), p.dir, "prod")
		require.NoError(t, err)
		assert.Equal(t, []Action{{"update", "jobs." + orchestrator}}, changes.Actions)
		assert.Equal(t, 1, changes.Change)

		f.fault(t, "POST /api/2.2/jobs/reset", 400, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "the jobs service broke"}`)
		err = c.Deploy(t.Context(), p.dir, "prod", false, &changes)
		require.ErrorContains(t, err, "cannot update resources.jobs."+orchestrator)
		require.ErrorContains(t, err, "the jobs service broke")
		require.ErrorContains(t, err, "hint: remove the cause and run the same command again")
		require.NoError(t, c.Deploy(t.Context(), p.dir, "prod", false, nil), "the next one repairs it")
		assert.Regexp(t, "^0 to add, 0 to change, 0 to delete", p.changes(t))
	})
	t.Run("destroy removes the jobs and the files", func(t *testing.T) {
		f.forget()
		require.NoError(t, c.Destroy(t.Context(), p.dir, "prod", true))
		assert.Len(t, f.sent("POST", "/api/2.2/jobs/delete"), 2)
		assert.NotEmpty(t, f.sent("POST", "/api/2.0/workspace/delete"))
		for _, r := range f.requests {
			assert.NotContains(t, r.path, "unity-catalog", "data stays")
		}
		assert.Regexp(t, "^[1-9][0-9]* to add, 0 to change, 0 to delete", p.changes(t))
	})
}

// Everything that the tasks read is uploaded, whatever the repository above the
// bundle keeps out of git; what no task reads is left as git has it.
func TestRenderedBundleBelowAGitignore(t *testing.T) {
	f := newFake(t)
	file := strings.Replace(pipelineFile, "basic, username: svc_pi, password: {env: PI_PLANT_A_PASSWORD, secret: pi/plant-a}}",
		"kerberos, principal: svc_pi@PLANT.EXAMPLE, keytab: {secret: pi/plant-a}, krb5_conf: krb5.conf}", 1)
	p := newProjectOf(t, file, 9, referred{"krb5.conf", "[libdefaults]\n  default_realm = PLANT.EXAMPLE\n"})
	p.watch(t)
	root := filepath.Dir(filepath.Dir(p.dir))
	output, err := exec.CommandContext(t.Context(), "git", "init", "-q", root).CombinedOutput()
	require.NoError(t, err, string(output))
	require.NoError(
		t,
		os.WriteFile(
			filepath.Join(root, ".gitignore"),
			[]byte("*.csv\n*.json\n*.conf\n*.pem\n*.sql\n*.whl\npartitions/\nbundles/*/kerberos\n*.md\n"),
			0o644,
		),
	)

	var stderr bytes.Buffer
	c := CLI{Stderr: &stderr}
	for _, target := range []string{"dev", "prod"} {
		require.NoError(t, c.Validate(t.Context(), p.dir, target), target)
	}
	require.NoError(t, c.Deploy(t.Context(), p.dir, "prod", false, nil))
	tree := p.render(t)
	want := []string{"artifacts/.internal/" + wheelName}
	for _, file := range tree.Files() {
		if file.Path != "README.md" {
			want = append(want, "files/"+file.Path)
		}
	}
	assert.ElementsMatch(t, want, f.uploads())
	assert.Contains(t, want, "files/partitions/partition-0002.csv")
	assert.Contains(t, want, "files/kerberos/plant-a.conf")
	assertWheelIsThere(t, f, f.created(t))
	assert.Regexp(t, "^0 to add, 0 to change, 0 to delete", p.changes(t))
}

// More extractions than a job takes are two children, which the parent runs by the
// ids that they get when they are deployed.
func TestRenderedBundleWithTwoChildJobs(t *testing.T) {
	f := newFake(t)
	p := newProject(t, 1001*3)
	c := CLI{}
	require.NoError(t, c.Validate(t.Context(), p.dir, "prod"))
	require.NoError(t, c.Deploy(t.Context(), p.dir, "prod", false, nil))
	byName := f.jobs(t)
	require.Len(t, byName, 4, "the parent, its children, the doctor's")
	assert.Equal(t, plan.MaxTasks, len(byName[orchestrator+"_part_1"].Tasks))
	assert.Len(t, byName[orchestrator+"_part_2"].Tasks, 1)
	ran := map[int64]bool{}
	for _, task := range byName[orchestrator].Tasks {
		if task.RunJobTask != nil {
			assert.Positive(t, task.RunJobTask.JobId, task.TaskKey)
			ran[task.RunJobTask.JobId] = true
			assert.Contains(t, task.RunJobTask.JobParameters, bundle.ParameterRunID)
		}
	}
	assert.Len(t, ran, 2)
	assert.Nil(t, byName[orchestrator+"_part_1"].Schedule, "its parent runs it")
	assert.Regexp(t, "^0 to add, 0 to change, 0 to delete", p.changes(t))
}

// A continuous tier's job has no end, no schedule and no retries of its own; another
// looks after the tables. The CLI adds nothing that would make it another.
func TestRenderedBundleOfAContinuousTier(t *testing.T) {
	f := newFake(t)
	p := newProjectOf(t, strings.Replace(pipelineFile, "every: 1h", "every: 30s, continuous: true", 1), 9)
	c := CLI{}
	for _, target := range []string{"dev", "prod"} {
		require.NoError(t, c.Validate(t.Context(), p.dir, target), target)
	}
	require.NoError(t, c.Deploy(t.Context(), p.dir, "prod", false, nil))
	byName := f.jobs(t)
	require.Len(t, byName, 3)
	main, maintenance := byName[orchestrator], byName["osipi_connector_maintenance"]
	assert.Equal(t, &jobs.Continuous{PauseStatus: jobs.PauseStatusUnpaused, TaskRetryMode: jobs.TaskRetryModeOnFailure}, main.Continuous)
	assert.Nil(t, main.Schedule)
	assert.Len(t, main.Tasks, 3)
	for _, task := range main.Tasks {
		assert.Empty(t, task.DependsOn, task.TaskKey)
		assert.Zero(t, task.MaxRetries, task.TaskKey)
		assert.NotEmpty(t, task.JobClusterKey, task.TaskKey)
	}
	assert.Equal(t, jobs.PauseStatusUnpaused, maintenance.Schedule.PauseStatus)
	assert.Len(t, maintenance.Tasks, 1)
	assertWheelIsThere(t, f, main)
	assert.Regexp(t, "^0 to add, 0 to change, 0 to delete", p.changes(t))
}

// The emitted folder is all that a person without bundlegen needs: the databricks
// program as it is, in the folder, with -t prod.
func TestRenderedBundleWithThePlainCLI(t *testing.T) {
	f := newFake(t)
	p := newProject(t, 30)
	elsewhere := t.TempDir()
	require.NoError(t, os.CopyFS(elsewhere, os.DirFS(p.dir)))
	t.Chdir(elsewhere)
	t.Setenv("DATABRICKS_CLI_DISABLE_TELEMETRY", "true")

	databricks := func(args ...string) string {
		defer restoreLoggers()()
		var stdout, stderr bytes.Buffer
		command := cmd.New(t.Context())
		command.SetArgs(args)
		command.SetIn(strings.NewReader(""))
		command.SetOut(&stdout)
		command.SetErr(&stderr)
		require.NoError(t, root.Execute(t.Context(), command), stderr.String())
		return stdout.String()
	}
	databricks("bundle", "validate", "--strict", "-t", "prod")
	databricks("bundle", "deploy", "-t", "prod")
	assertWheelIsThere(t, f, f.created(t))
	assert.Contains(t, databricks("bundle", "plan", "-t", "prod"), "Plan: 0 to add, 0 to change, 0 to delete")
	databricks("bundle", "destroy", "-t", "prod", "--auto-approve")
	assert.Len(t, f.sent("POST", "/api/2.2/jobs/delete"), 2)
}

// changes is what another deployment would change.
func (p *project) changes(t *testing.T) string {
	t.Helper()
	changes, err := CLI{}.Plan(t.Context(), p.dir, "prod")
	require.NoError(t, err)
	return changes.String()
}

// handEdited is the files that are not as they were emitted.
func (p *project) handEdited(t *testing.T) []bundle.Difference {
	t.Helper()
	edits, err := bundle.HandEdited(p.dir)
	require.NoError(t, err)
	return edits
}

// created is the one job beside the doctor's that was created, as it was sent.
func (f *fake) created(t *testing.T) jobs.CreateJob {
	t.Helper()
	byName := f.jobs(t)
	require.Len(t, byName, 2)
	maps.DeleteFunc(byName, func(name string, _ jobs.CreateJob) bool { return strings.HasSuffix(name, "_doctor") })
	require.Len(t, byName, 1)
	for _, job := range byName {
		return job
	}
	return jobs.CreateJob{}
}

// jobs is the jobs that were created, by name, as they were sent.
func (f *fake) jobs(t *testing.T) map[string]jobs.CreateJob {
	t.Helper()
	byName := map[string]jobs.CreateJob{}
	for _, body := range f.sent("POST", "/api/2.2/jobs/create") {
		var job jobs.CreateJob
		require.NoError(t, json.Unmarshal(body, &job))
		assert.Less(t, len(body), bundle.MaxRequest)
		byName[job.Name] = job
	}
	return byName
}

// extractions is the extraction tasks.
func extractions(tasks []jobs.Task) []jobs.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(task jobs.Task) bool {
		return !strings.HasPrefix(task.TaskKey, "extract_timeseries_partition_")
	})
}

// assertWheelIsThere checks that every wheel that a task names was uploaded.
func assertWheelIsThere(t *testing.T, f *fake, job jobs.CreateJob) {
	t.Helper()
	uploads := f.uploads()
	wheels := 0
	for _, task := range job.Tasks {
		for _, library := range task.Libraries {
			assert.Contains(t, uploads, rootPath.ReplaceAllString(library.Whl, ""), task.TaskKey)
			wheels++
		}
	}
	assert.Positive(t, wheels)
}
