package templates_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/yamlread"
	"github.com/bundlegen/bundlegen/templates"
)

// The programs that the pipelines call, as far as these need them. Each writes
// down how it was called.
var programs = map[string]string{
	"bundlegen": `echo "bundlegen $*" >> "$CALLS"
case $1 in
  plan) echo "+ 41 tags"; exit "$PLAN_EXIT" ;;
  discover) date +%N > inventory.csv ;;
  generate) mkdir -p bundles; cp inventory.csv bundles/manifest.csv ;;
esac`,
	"gh": `echo "gh $*" >> "$CALLS"
if [ "$1 $2" = "pr list" ]; then printf '%s' "$OPEN_REQUEST"; fi`,
	"az": `echo "az $*" >> "$CALLS"
if [ "$1 $2 $3" = "repos pr list" ]; then printf '%s' "$OPEN_REQUEST"; fi`,
}

// pipelineRun runs the shell steps of a pipeline after the installation, in a
// clone of a repository, and gives the calls and the names of the pushed files.
func pipelineRun(t *testing.T, file, planExit, openRequest string) (calls, pushed []string, err error) {
	t.Helper()
	dir := t.TempDir()
	bin, work, remote := filepath.Join(dir, "bin"), filepath.Join(dir, "work"), filepath.Join(dir, "remote.git")
	require.NoError(t, os.Mkdir(bin, 0o755))
	for name, script := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	env := append(os.Environ(),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1",
		"CALLS="+filepath.Join(dir, "calls"), "PLAN_EXIT="+planExit, "OPEN_REQUEST="+openRequest,
		"PIPELINE=pipeline.yml", "BRANCH=bundlegen/pi-tags", "BASE=main",
		"RUNNER_TEMP="+dir, "AGENT_TEMPDIRECTORY="+dir, "GITHUB_OUTPUT="+filepath.Join(dir, "output"),
	)
	shell := func(in, script string) (string, error) {
		cmd := exec.Command("bash", "-e", "-c", script) // as both services run steps
		cmd.Dir, cmd.Env = in, env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := shell(
		dir,
		`git init -q --bare remote.git && git init -q -b main work && cd work && git config user.email a@example.com && git config user.name a
echo old > inventory.csv && git add . && git commit -qm first && git remote add origin ../remote.git && git push -q origin main`,
	)
	require.NoError(t, err, out)

	for i, step := range steps(t, file) {
		if i > 0 && planExit != "2" {
			break // its condition does not hold
		}
		out, err = shell(work, step)
		if err != nil {
			break
		}
		if i == 0 {
			flag, _ := os.ReadFile(filepath.Join(dir, "output"))
			changed := strings.Contains(out+string(flag), "changed=true") || strings.Contains(out, "variable=changed]true")
			require.Equal(t, planExit == "2", changed, out)
		}
	}
	text, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	require.NoError(t, readErr)
	if listing, listErr := shell(remote, "git ls-tree -r --name-only bundlegen/pi-tags"); listErr == nil {
		pushed = strings.Fields(listing)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), pushed, err
}

// steps returns the scripts of a pipeline that come after the installation.
func steps(t *testing.T, file string) []string {
	t.Helper()
	pipelines, err := templates.Pipelines()
	require.NoError(t, err)
	for _, p := range pipelines {
		if p.Name != file {
			continue
		}
		root, err := yamlread.Parse(p.Data, file, "")
		require.NoError(t, err)
		list, key := root.Get("steps"), "bash"
		if list == nil {
			list, key = root.Get("jobs", "update", "steps"), "run"
		}
		var scripts []string
		for _, s := range list.Items {
			if script := s.Get(key); script != nil && !strings.Contains(script.Text, "go install") {
				scripts = append(scripts, script.Text)
			}
		}
		require.Len(t, scripts, 2)
		return scripts
	}
	t.Fatalf("there is no %s", file)
	return nil
}

// TestPipelinesNameSecretsAsInitDoes: who has followed init sets the same names.
func TestPipelinesNameSecretsAsInitDoes(t *testing.T) {
	pipelines, err := templates.Pipelines()
	require.NoError(t, err)
	for _, p := range pipelines {
		names := regexp.MustCompile(`\b[A-Z_]*PASSWORD\b`).FindAllString(string(p.Data), -1)
		require.NotEmpty(t, names, p.Name)
		for _, name := range names {
			require.Equal(t, config.EnvName("plant-a", "PASSWORD"), name, p.Name)
		}
	}
}

func TestPipelinesOpenAPullRequestWhenTagsChange(t *testing.T) {
	for file, open := range map[string]struct{ first, again string }{
		"github-actions.yml":  {`^gh pr create --base main --head bundlegen/pi-tags --title `, `^gh pr edit bundlegen/pi-tags --body-file `},
		"azure-pipelines.yml": {`^az repos pr create --detect true --source-branch bundlegen/pi-tags --target-branch main --title `, `^az repos pr update --detect true --id 7 --description \+ 41 tags`},
	} {
		t.Run(file, func(t *testing.T) {
			for request, last := range map[string]string{"": open.first, "7": open.again} {
				calls, pushed, err := pipelineRun(t, file, "2", request)
				require.NoError(t, err)
				require.Equal(t, []string{
					"bundlegen discover -c pipeline.yml",
					"bundlegen plan -c pipeline.yml --output markdown --detailed-exitcode",
					"bundlegen generate -c pipeline.yml",
				}, calls[:3])
				require.Regexp(t, regexp.MustCompile(last), calls[len(calls)-1])
				require.Equal(t, []string{"bundles/manifest.csv", "inventory.csv"}, pushed)
			}
			calls, pushed, err := pipelineRun(t, file, "0", "")
			require.NoError(t, err)
			require.Len(t, calls, 2, "without changes, nothing is generated")
			require.Empty(t, pushed)

			_, pushed, err = pipelineRun(t, file, "1", "")
			require.Error(t, err, "an error of plan fails the pipeline")
			require.Empty(t, pushed)
		})
	}
}
