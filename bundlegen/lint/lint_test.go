package lint_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/internal/diag"
)

const root = `bundle:
  name: b
include: [jobs.yml]
variables:
  small:
    type: complex
    default: {spark_version: "16", num_workers: 2, data_security_mode: SINGLE_USER, aws_attributes: {availability: SPOT_WITH_FALLBACK}}
  catalog: {default: main}
targets:
  dev: {mode: development}
  prod: {mode: production, resources: {jobs: {j: {schedule: {pause_status: UNPAUSED}}}}}
`

const jobs = `resources:
  jobs:
    j:
      schedule: {quartz_cron_expression: "0 0 * * * ?", timezone_id: UTC, pause_status: PAUSED}
      parameters: [{name: until, default: ""}]
      job_clusters:
        - {job_cluster_key: c, new_cluster: "${var.small}"}
      tasks:
        - task_key: a
          job_cluster_key: c
          timeout_seconds: 60
          python_wheel_task: {package_name: p, entry_point: e, parameters: ["--c=${var.catalog}", "--u={{job.parameters.until}}", "--n={{task.execution_count}}"]}
        - task_key: b
          depends_on: [{task_key: a}]
          run_if: ALL_DONE
          timeout_seconds: 60
          run_job_task: {job_id: "${resources.jobs.child.id}", job_parameters: {until: "{{job.parameters.until}}"}}
    child:
      parameters: [{name: until, default: ""}]
      tasks:
        - task_key: t
          timeout_seconds: 1
          notebook_task: {notebook_path: n}
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// findings gives what is wrong, with files relative to the bundle's folder.
func findings(t *testing.T, files map[string]string) []diag.Problem {
	t.Helper()
	dir := folder(t, files)
	all, err := lint.Check(dir)
	require.NoError(t, err)
	for i := range all {
		require.NotEmpty(t, all[i].Text)
		all[i].File, err = filepath.Rel(dir, all[i].File)
		require.NoError(t, err)
	}
	return all
}

func check(t *testing.T, files map[string]string) []string {
	t.Helper()
	var all []string
	for _, f := range findings(t, files) {
		all = append(all, f.Error())
	}
	return all
}

// textAt gives the rest of the line at a finding's position.
func textAt(text string, f diag.Problem) string {
	lines := strings.Split(text, "\n")
	if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len(lines[f.Line-1])+1 {
		return "nowhere"
	}
	return lines[f.Line-1][f.Column-1:]
}

func TestASoundBundleHasNoFindings(t *testing.T) {
	require.Empty(t, check(t, map[string]string{"databricks.yml": root, "jobs.yml": jobs}))
}

// Each mistake is made by one replacement in the sound bundle, and found once,
// at its place.
func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		finding  string // what it begins with, without the position
		at       string // the text at its position; "" = the value
	}{
		"task key twice":             {"task_key: b", "task_key: a", `jobs.yml: resources.jobs.j.tasks[1].task_key: "a": is there twice: on line 9 too`, ""},
		"task key missing":           {"task_key: b", "description: b", "jobs.yml: resources.jobs.j.tasks[1]: has no task_key", "description: b"},
		"task key with a space":      {"task_key: b", "task_key: a b", `jobs.yml: resources.jobs.j.tasks[1].task_key: "a b": is no task key; allowed: 1 to 100 letters`, ""},
		"unknown dependency":         {"depends_on: [{task_key: a}]", "depends_on: [{task_key: x}]", `jobs.yml: resources.jobs.j.tasks[1].depends_on[0].task_key: "x": no task of the job has this key`, ""},
		"circle":                     {"          job_cluster_key: c\n", "          job_cluster_key: c\n          depends_on: [{task_key: b}]\n", `jobs.yml: resources.jobs.j.tasks[0].depends_on: "a -> b -> a": the tasks wait for each other`, "depends_on"},
		"task after itself":          {"depends_on: [{task_key: a}]", "depends_on: [{task_key: b}]", `jobs.yml: resources.jobs.j.tasks[1].depends_on: "b -> b": the tasks wait`, "depends_on"},
		"unknown cluster":            {"job_cluster_key: c\n          timeout", "job_cluster_key: d\n          timeout", `jobs.yml: resources.jobs.j.tasks[0].job_cluster_key: "d": is not one of the job's job_clusters`, ""},
		"unknown environment":        {"          run_if", "          environment_key: e\n          run_if", `jobs.yml: resources.jobs.j.tasks[1].environment_key: "e": is not one of the job's environments`, ""},
		"run_if":                     {"run_if: ALL_DONE", "run_if: all_done", `jobs.yml: resources.jobs.j.tasks[1].run_if: "all_done": is not a value of run_if; allowed: ALL_SUCCESS, AT_LEAST_ONE_SUCCESS, NONE_FAILED, ALL_DONE, AT_LEAST_ONE_FAILED, ALL_FAILED` + "\nhint: write ALL_DONE", ""},
		"pause status":               {"pause_status: PAUSED", "pause_status: STOPPED", `jobs.yml: resources.jobs.j.schedule.pause_status: "STOPPED"`, ""},
		"pause status of a target":   {"UNPAUSED", "ON", `databricks.yml: targets.prod.resources.jobs.j.schedule.pause_status: "ON"`, ""},
		"mode":                       {"mode: development", "mode: test", `databricks.yml: targets.dev.mode: "test": is not a value of mode; allowed: development, production`, ""},
		"availability":               {"availability: SPOT_WITH_FALLBACK", "availability: SPOT_WITH_FALLBACK_AZURE", `databricks.yml: variables.small.default.aws_attributes.availability: "SPOT_WITH_FALLBACK_AZURE"`, ""},
		"data security mode":         {"SINGLE_USER", "SINGLE", `databricks.yml: variables.small.default.data_security_mode: "SINGLE"`, ""},
		"runtime engine":             {"num_workers: 2", "num_workers: 2, runtime_engine: photon", `databricks.yml: variables.small.default.runtime_engine: "photon"`, ""},
		"cluster in place":           {`new_cluster: "${var.small}"`, "new_cluster: {data_security_mode: ONE}", `jobs.yml: resources.jobs.j.job_clusters[0].new_cluster.data_security_mode: "ONE"`, ""},
		"Sunday is 1":                {"0 0 * * * ?", "0 0 3 ? * 0", "jobs.yml: resources.jobs.j.schedule.quartz_cron_expression: ", ""},
		"unix cron":                  {"0 0 * * * ?", "*/5 * * * *", "jobs.yml: resources.jobs.j.schedule.quartz_cron_expression: ", ""},
		"no time zone":               {", timezone_id: UTC", "", "jobs.yml: resources.jobs.j.schedule: has no timezone_id", "schedule"},
		"resource key with a space":  {"    j:\n", "    j j:\n", `jobs.yml: resources.jobs.j j: "j j": is no key that can be referred to`, ""},
		"no timeout":                 {"          timeout_seconds: 1\n", "", `jobs.yml: resources.jobs.child.tasks[0]: "t": has no timeout_seconds`, "task_key: t"},
		"zero timeout":               {"timeout_seconds: 1\n", "timeout_seconds: 0\n", `jobs.yml: resources.jobs.child.tasks[0].timeout_seconds: "0": is no timeout`, ""},
		"schedule and continuous":    {"    child:\n", "    child:\n      continuous: {pause_status: PAUSED}\n      schedule: {quartz_cron_expression: \"0 0 * * * ?\", timezone_id: UTC}\n", `jobs.yml: resources.jobs.child.continuous: "child": the job has both schedule and continuous`, "continuous"},
		"dead tasks of a loop":       {"    child:\n", "    child:\n      continuous: {pause_status: PAUSED}\n", `jobs.yml: resources.jobs.child.continuous: has no task_retry_mode`, "continuous"},
		"retries when continuous":    {"    child:\n      parameters: [{name: until, default: \"\"}]\n      tasks:\n", "    child:\n      parameters: [{name: until, default: \"\"}]\n      continuous: {}\n      tasks:\n        - {task_key: r, max_retries: 3, timeout_seconds: 9}\n", "jobs.yml: resources.jobs.child.tasks[0].max_retries: \"3\": a continuous job's tasks cannot have max_retries", "max_retries"},
		"order when continuous":      {"    child:\n      parameters: [{name: until, default: \"\"}]\n      tasks:\n", "    child:\n      parameters: [{name: until, default: \"\"}]\n      continuous: {}\n      tasks:\n        - {task_key: r, depends_on: [{task_key: t}], timeout_seconds: 9}\n", "jobs.yml: resources.jobs.child.tasks[0].depends_on: \"r\": a continuous job's tasks cannot depend", "depends_on"},
		"unknown job parameter":      {"--u={{job.parameters.until}}", "--u={{job.parameters.til}}", "jobs.yml: resources.jobs.j.tasks[0].python_wheel_task.parameters[1]: \"--u={{job.parameters.til}}\": the job has no parameter til; allowed: until", ""},
		"unknown dynamic value":      {"{{task.execution_count}}", "{{task.attempt}}", "jobs.yml: resources.jobs.j.tasks[0].python_wheel_task.parameters[2]: \"--n={{task.attempt}}\": {{task.attempt}} is no dynamic value", ""},
		"unknown variable":           {"${var.catalog}", "${var.katalog}", "jobs.yml: resources.jobs.j.tasks[0].python_wheel_task.parameters[0]: \"--c=${var.katalog}\": no variable is called katalog", ""},
		"unknown reference":          {"${var.catalog}", "${vars.catalog}", "jobs.yml: resources.jobs.j.tasks[0].python_wheel_task.parameters[0]: \"--c=${vars.catalog}\": ${vars.catalog} is no reference", ""},
		"unknown resource":           {"${resources.jobs.child.id}", "${resources.jobs.kid.id}", `jobs.yml: resources.jobs.j.tasks[1].run_job_task.job_id: "${resources.jobs.kid.id}": the bundle has no jobs called kid`, ""},
		"parameter no child has":     {"job_parameters: {until:", "job_parameters: {since:", `jobs.yml: resources.jobs.j.tasks[1].run_job_task.job_parameters.since: "since": job child has no such parameter; allowed: until`, ""},
		"jobs that run each other":   {"notebook_task: {notebook_path: n}", `run_job_task: {job_id: "${resources.jobs.j.id}"}`, `jobs.yml: resources.jobs.j: "j -> child -> j": the jobs run each other`, "j:"},
		"run value in a variable":    {"{default: main}", `{default: "{{job.id}}"}`, `databricks.yml: variables.catalog.default: "{{job.id}}": {{job.id}} is known in jobs only`, ""},
		"bad secret":                 {"{default: main}", `{default: "{{secrets/scope}}"}`, `databricks.yml: variables.catalog.default: "{{secrets/scope}}": is no secret; allowed: {{secrets/SCOPE/KEY}}`, ""},
		"target of no job":           {"jobs: {j: {schedule", "jobs: {k: {schedule", `databricks.yml: targets.prod.resources.jobs.k: "k": the bundle has no such job`, ""},
		"target of no variable":      {"{mode: development}", "{mode: development, variables: {x: y}}", `databricks.yml: targets.dev.variables.x: "x": the bundle has no such variable`, ""},
		"include matches nothing":    {"[jobs.yml]", "[jobs.yml, more/*.yml]", `databricks.yml: include[1]: "more/*.yml": matches no file`, ""},
		"include matches Python":     {"[jobs.yml]", "[jobs.yml, '*.py']", `databricks.yml: include[1]: "*.py": matches a.py, which is not YAML`, ""},
		"job without tasks":          {"    child:\n", "    empty: {tasks: []}\n    child:\n", `jobs.yml: resources.jobs.empty: "empty": the job has no tasks`, ""},
		"variable defined twice":     {"resources:\n  jobs:\n    j:\n", "variables: {catalog: {default: x}}\nresources:\n  jobs:\n    j:\n", `jobs.yml: variables.catalog: "catalog": the variable is defined in databricks.yml too`, ""},
		"YAML that cannot be parsed": {"      parameters: [{name: until, default: \"\"}]\n      job_clusters", "\tparameters: x\n      job_clusters", "jobs.yml: a tab where YAML wants spaces", "\tparameters"},
		"a key twice":                {"    child:\n", "    child: {}\n    child:\n", `jobs.yml: "child" is given twice`, "child:"},
	} {
		t.Run(name, func(t *testing.T) {
			wantFinding(t, map[string]string{"databricks.yml": root, "jobs.yml": jobs, "a.py": "print()"}, c.from, c.to, c.finding, c.at)
		})
	}
}

// wantFinding makes one mistake in a sound bundle, wherever the text to replace
// stands, and wants it to be found once, at its place.
func wantFinding(t *testing.T, files map[string]string, from, to, finding, at string) {
	t.Helper()
	changed := 0
	for file, text := range files {
		if strings.Contains(text, from) {
			files[file] = strings.Replace(text, from, to, 1)
			changed++
		}
	}
	require.Positive(t, changed, "the mistake is made somewhere")
	var all []string
	found := 0
	for _, f := range findings(t, files) {
		all = append(all, f.Error())
		require.NotEmpty(t, f.Hint)
		place, text := cmp.Or(at, f.Value, "nowhere in particular"), textAt(files[f.File], f)
		if f.Line == 0 {
			text = place // the file as a whole has none
		}
		f.Line = 0
		if !strings.HasPrefix(f.Error(), finding) {
			continue
		}
		found++
		// The place is where the value stands, or what lacks something.
		require.True(t, strings.HasPrefix(strings.TrimLeft(text, `"'`), place), "%s stands at %.40q, not at %q", f, text, place)
	}
	require.Equal(t, 1, found, "want %s\n got %s", finding, strings.Join(all, "\n     "))
}

func TestNoRootFile(t *testing.T) {
	findings := check(t, map[string]string{"databricks-loadbalanced.yml": jobs})
	require.Len(t, findings, 1)
	require.Contains(t, findings[0], "databricks.yml: the bundle has no root file; allowed: databricks.yml, databricks.yaml, bundle.yml, bundle.yaml")
}

func TestTooManyTasks(t *testing.T) {
	many := func(n, bytes int) map[string]string {
		var b strings.Builder
		b.WriteString("resources:\n  jobs:\n    j:\n      tasks:\n")
		for i := range n {
			fmt.Fprintf(&b, "        - {task_key: t%d, timeout_seconds: 1, description: %s}\n", i, strings.Repeat("x", bytes))
		}
		return map[string]string{"databricks.yml": "include: [jobs.yml]\n", "jobs.yml": b.String()}
	}
	require.Empty(t, check(t, many(1000, 8)))
	require.Equal(t, []string{`jobs.yml:3:5: resources.jobs.j: "1001": too many tasks; allowed: at most 1000 a job` +
		"\nhint: split the job: children run by run_job_task under one parent"}, check(t, many(1001, 8)))
	findings := check(t, many(1000, 9000))
	require.Len(t, findings, 1)
	require.Contains(t, findings[0], "the job is too large for one request; allowed: less than 8 MB")
}

// A wheel for other processors than the machines have would be found out by pip,
// on the node.
func TestWheelForOtherMachines(t *testing.T) {
	const x86, arm = "dist/pi_extractor-1.0.0+h1-py3-none-manylinux2014_x86_64.whl", "dist/pi_extractor-1.0.0+h1-py3-none-manylinux2014_aarch64.whl"
	files := func(node string, wheels ...string) map[string]string {
		all := map[string]string{"databricks.yml": strings.Replace(root, "num_workers: 2", "num_workers: 2, node_type_id: "+node, 1), "jobs.yml": jobs}
		for _, w := range wheels {
			all[w] = ""
		}
		return all
	}
	require.Empty(t, check(t, files("m6gd.xlarge")), "no wheel is no fault")
	require.Empty(t, check(t, files("m6gd.xlarge", arm)))
	require.Empty(t, check(t, files("m5d.xlarge", x86)))
	require.Empty(t, check(t, files(`"${var.catalog}"`, x86)))
	require.Empty(t, check(t, files("m5d.xlarge", "dist/pi_extractor-0.1.0+abc-py3-none-any.whl")))

	found := findings(t, files("m6gd.xlarge", x86, arm))
	require.Len(t, found, 1)
	require.Regexp(t, `^databricks\.yml:7:\d+: variables\.small\.default\.node_type_id: "m6gd\.xlarge": has arm64 processors, and `+
		regexp.QuoteMeta(x86)+` is for amd64\nhint: bundlegen wheel --arch arm64 -o .*dist$`, found[0].Error())

	pool := "resources:\n  instance_pools:\n    p: {node_type_id: n2-standard-4}\n"
	require.Contains(t, check(t, map[string]string{"databricks.yml": root, "jobs.yml": jobs + pool[len("resources:\n"):], arm: ""})[0],
		`resources.instance_pools.p.node_type_id: "n2-standard-4": has amd64 processors`)
}
