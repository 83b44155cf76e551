package deploy

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLifecycle(t *testing.T) {
	f := newFake(t)
	dir := small(t)
	var stdout, stderr bytes.Buffer
	c := CLI{Stdout: &stdout, Stderr: &stderr}

	require.NoError(t, c.Validate(t.Context(), dir, "prod"))
	assert.Contains(t, stdout.String(), "Validation OK!")
	assert.Empty(t, stderr.String())

	shown, err := c.Plan(t.Context(), dir, "prod")
	require.NoError(t, err)
	assert.Equal(t, "1 to add, 0 to change, 0 to delete, 0 unchanged", shown.String())
	assert.Equal(t, []Action{{"create", "jobs.small_orchestrator"}}, shown.Actions)
	assert.True(t, shown.Any())
	assert.Empty(t, f.uploads(), "a plan uploads nothing")

	summary, err := c.Summary(t.Context(), dir, "prod")
	require.NoError(t, err)
	assert.Empty(t, summary.Jobs["small_orchestrator"].ID)

	require.NoError(t, c.Deploy(t.Context(), dir, "prod", false, &shown))
	assert.Contains(t, f.uploads(), "artifacts/.internal/"+wheelName,
		"deploying a plan that was shown uploads the wheel too")
	assert.Contains(t, stderr.String(), "Deployment complete!")

	after, err := c.Plan(t.Context(), dir, "prod")
	require.NoError(t, err)
	assert.Equal(t, "0 to add, 0 to change, 0 to delete, 1 unchanged", after.String())
	assert.False(t, after.Any())

	summary, err = c.Summary(t.Context(), dir, "prod")
	require.NoError(t, err)
	assert.NotEmpty(t, summary.Jobs["small_orchestrator"].ID)
	assert.Equal(t, "small_orchestrator", summary.Jobs["small_orchestrator"].Name)
	assert.Equal(t, "/Workspace/Users/tester@databricks.com/.bundle/small/prod", summary.RootPath)
	assert.Equal(t, f.URL, summary.Host)

	err = c.Destroy(t.Context(), dir, "prod", false)
	require.ErrorContains(t, err, "--auto-approve")
	assert.Empty(t, f.sent("POST", "/api/2.2/jobs/delete"))
	require.NoError(t, c.Destroy(t.Context(), dir, "prod", true))
	assert.Len(t, f.sent("POST", "/api/2.2/jobs/delete"), 1)
	assert.Empty(t, f.sent("POST", "/telemetry-ext"))
	assert.NotContains(t, stdout.String()+stderr.String(), f.token)
}

// Everything of the CLI that depends on the working directory would go wrong in
// a folder that is not the bundle's.
func TestFolderIsRelativeToTheWorkingDirectory(t *testing.T) {
	newFake(t)
	dir := small(t)
	t.Chdir(filepath.Dir(dir))
	require.NoError(t, CLI{}.Validate(t.Context(), filepath.Base(dir), "prod"))
}

// Credentials are found where the databricks program finds them.
func TestProfiles(t *testing.T) {
	for name, set := range map[string]func(t *testing.T, dir, host string) (file string){
		"named by the environment": func(t *testing.T, _, host string) string {
			t.Setenv("DATABRICKS_CONFIG_PROFILE", "plant")
			return "[plant]\nhost = " + host
		},
		"of the host that the bundle names": func(t *testing.T, dir, host string) string {
			edit(t, dir, "    workspace:\n", "    workspace:\n      host: "+host+"\n")
			return "[plant]\nhost = " + host
		},
		"the file's default": func(_ *testing.T, _, host string) string {
			return "[__settings__]\ndefault_profile = plant\n[plant]\nhost = " + host
		},
		"the file's DEFAULT": func(_ *testing.T, _, host string) string {
			return "[DEFAULT]\nhost = " + host
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			environment(t, "", "")
			dir := small(t)
			file := set(t, dir, f.URL) + "\ntoken = " + f.token + "\n"
			require.NoError(t, os.WriteFile(os.Getenv("DATABRICKS_CONFIG_FILE"), []byte(file), 0o600))
			require.NoError(t, CLI{}.Validate(t.Context(), dir, "prod"))
			assert.NotEmpty(t, f.sent("GET", "/api/2.0/preview/scim/v2/Me"))
		})
	}
}

// What a CI job has: a service principal's id and secret.
func TestServicePrincipal(t *testing.T) {
	f := newFake(t)
	environment(t, f.URL, "")
	t.Setenv("DATABRICKS_CLIENT_ID", "an-id")
	t.Setenv("DATABRICKS_CLIENT_SECRET", "a-client-secret")
	require.NoError(t, CLI{}.Validate(t.Context(), small(t), "prod"))
	assert.NotEmpty(t, f.sent("POST", "/oidc/v1/token"))
}

func TestValidateIsStrict(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"a warning of loading":    {"engine: direct", "engine: direct\n  flavour: mint", "unknown field: flavour"},
		"a warning of validating": {"job_cluster_key: main\n          timeout", "job_cluster_key: typo\n          timeout", "typo"},
		"an error":                {"targets:", "targets: [", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			newFake(t)
			dir := small(t)
			edit(t, dir, c.old, c.new)
			var stdout, stderr bytes.Buffer
			err := CLI{Stdout: &stdout, Stderr: &stderr}.Validate(t.Context(), dir, "prod")
			var failure *Error
			require.ErrorAs(t, err, &failure)
			assert.Contains(t, failure.Diagnostics, c.says)
			assert.Regexp(t, `databricks(-loadbalanced)?\.yml:( yaml: line )?\d+`, failure.Diagnostics)
			assert.Contains(t, err.Error(), "\nhint: ")
			assert.Empty(t, stdout.String())
			assert.Empty(t, stderr.String(), "what the error holds is not printed as well")
		})
	}
}

func TestPlanThatChangedIsNotApplied(t *testing.T) {
	f := newFake(t)
	dir := small(t)
	c := CLI{}
	shown, err := c.Plan(t.Context(), dir, "prod")
	require.NoError(t, err)
	edit(t, dir, "num_workers: 2", "num_workers: 3")

	err = c.Deploy(t.Context(), dir, "prod", true, &shown)
	require.ErrorIs(t, err, ErrPlanChanged)
	assert.Empty(t, f.uploads())
	assert.Empty(t, f.sent("POST", "/api/2.2/jobs/create"))

	shown, err = c.Plan(t.Context(), dir, "prod")
	require.NoError(t, err)
	require.NoError(t, c.Deploy(t.Context(), dir, "prod", true, &shown))
	err = c.Deploy(t.Context(), dir, "prod", true, &shown)
	require.ErrorIs(t, err, ErrPlanChanged, "a plan is applied once")
}

// edit replaces old by new in the bundle's YAML files.
func edit(t *testing.T, dir, old, new string) {
	t.Helper()
	edited := 0
	for _, name := range []string{"databricks.yml", "databricks-loadbalanced.yml"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.Contains(string(text), old) {
			require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, new)), 0o644))
			edited++
		}
	}
	require.Positive(t, edited, "nothing to edit")
}
