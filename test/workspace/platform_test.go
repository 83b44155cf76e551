package workspace_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// platform is the databricks CLI's own fake workspace, with what it lacks of a
// real one to run our job. The fake keeps files, jobs and secrets, and runs wheel
// tasks one after the other, each in a virtual environment of its own. Beyond
// that, here:
//
//   - /Workspace is a folder, in which tasks find the deployed files;
//   - {{…}} in tasks and clusters are replaced: job parameters, the run's id and
//     start, the attempt, secrets;
//   - a task has its cluster's environment, and no other task's;
//   - the task's entry point is called (testdata/lib), by a Python that has
//     pyspark (testdata/bin);
//   - tasks run in the order of depends_on, and run-now answers before they do.
//
// What it still lacks: clusters (each task starts its own classic Spark, whose
// settings are the test's), retries, timeouts, run_if (all tasks run), Unity
// Catalog (the catalog is spark_catalog, staging a plain folder).
type platform struct {
	*testserver.Server
	t     *testing.T
	token string
	root  string // what tasks see as /

	mu   sync.Mutex
	runs []*run
}

// run is one run of a job.
type run struct {
	fake int64 // the fake workspace's id of it; 0 while it goes on
}

// firstRun is the id of the first run: more than any id that the fake gives.
const firstRun = 1 << 52

func newPlatform(t *testing.T) *platform {
	p := &platform{Server: testserver.New(t), t: t, token: "dapi" + uuid.NewString(), root: t.TempDir()}
	p.RequestCallback = p.keepFile
	p.Handle("POST", "/api/2.2/jobs/run-now", p.runNow)
	p.Handle("GET", "/api/2.2/jobs/runs/get", p.getRun)
	testserver.AddDefaultHandlers(p.Server)
	return p
}

// keepFile puts what is uploaded where tasks find it.
func (p *platform) keepFile(r *testserver.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/workspace-files/import-file/")
	if !ok || r.Method != http.MethodPost {
		return
	}
	path := p.local("/" + name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Error(err)
	}
	if err := os.WriteFile(path, r.Body, 0o644); err != nil {
		p.t.Error(err)
	}
}

// local is where a file of the workspace is on this machine.
func (p *platform) local(path string) string {
	if !strings.HasPrefix(path, "/Workspace/") {
		path = "/Workspace" + path
	}
	return filepath.Join(p.root, filepath.FromSlash(path))
}

// putSecret makes a scope with one secret in it.
func (p *platform) putSecret(scope, key, value string) {
	p.post("/api/2.0/secrets/scopes/create", map[string]string{"scope": scope})
	p.post("/api/2.0/secrets/put", map[string]string{"scope": scope, "key": key, "string_value": value})
}

func (p *platform) post(path string, body any) {
	p.t.Helper()
	data, err := json.Marshal(body)
	require.NoError(p.t, err)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.URL+path, bytes.NewReader(data))
	require.NoError(p.t, err)
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.Client().Do(req)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	require.Equal(p.t, http.StatusOK, resp.StatusCode, path)
}

// runNow starts a job, in the background: the fake itself answers when all is
// done, and nothing else meanwhile.
func (p *platform) runNow(req testserver.Request) any {
	var request jobs.RunNow
	if err := json.Unmarshal(req.Body, &request); err != nil {
		return testserver.Response{StatusCode: http.StatusBadRequest, Body: err.Error()}
	}
	p.mu.Lock()
	r := &run{}
	p.runs = append(p.runs, r)
	id := int64(firstRun + len(p.runs) - 1)
	p.mu.Unlock()

	job, err := p.resolved(req.Workspace, request, id)
	if err != nil {
		return testserver.Response{StatusCode: http.StatusBadRequest, Body: map[string]string{"message": err.Error()}}
	}
	// The fake runs jobs that it has: for a while it has this one under the run's id.
	unlock := req.Workspace.LockUnlock()
	req.Workspace.Jobs[id] = job
	unlock()
	body, err := json.Marshal(jobs.RunNow{JobId: id})
	if err != nil {
		return testserver.Response{StatusCode: http.StatusInternalServerError, Body: err.Error()}
	}
	done := make(chan struct{})
	p.t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		answer := req.Workspace.JobsRunNow(testserver.Request{Body: body})
		unlock := req.Workspace.LockUnlock()
		delete(req.Workspace.Jobs, id)
		unlock()
		p.mu.Lock()
		defer p.mu.Unlock()
		r.fake = answer.Body.(jobs.RunNowResponse).RunId
	}()
	return jobs.RunNowResponse{RunId: id}
}

// getRun returns how a run stands: running, or as the fake says.
func (p *platform) getRun(req testserver.Request) any {
	id, err := strconv.ParseInt(req.URL.Query().Get("run_id"), 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := id - firstRun; err != nil || i < 0 || i >= int64(len(p.runs)) {
		return testserver.Response{StatusCode: http.StatusNotFound}
	}
	fake := p.runs[id-firstRun].fake
	if fake == 0 {
		return jobs.Run{RunId: id, State: &jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateRunning}}
	}
	req.URL = &url.URL{RawQuery: "run_id=" + strconv.FormatInt(fake, 10)}
	return req.Workspace.JobsGetRun(req)
}

// resolved returns a job as one run of it sees it.
func (p *platform) resolved(w *testserver.FakeWorkspace, request jobs.RunNow, id int64) (jobs.Job, error) {
	defer w.LockUnlock()()
	stored := w.Jobs[request.JobId]
	var job jobs.Job
	if data, err := json.Marshal(stored); err != nil {
		return job, err
	} else if err := json.Unmarshal(data, &job); err != nil { // a copy: the deployed job stays as it is
		return job, err
	}
	values := references{
		"job.run_id":                  strconv.FormatInt(id, 10),
		"job.start_time.timestamp_ms": strconv.FormatInt(time.Now().UnixMilli(), 10),
		"task.execution_count":        "1",
	}
	for scope, secrets := range w.Secrets {
		for key, value := range secrets {
			values["secrets/"+scope+"/"+key] = value
		}
	}
	for _, parameter := range job.Settings.Parameters {
		text := parameter.Default
		if given, ok := request.JobParameters[parameter.Name]; ok {
			text = given
		}
		values["job.parameters."+parameter.Name] = values.in(text)
	}
	job.Settings.Tasks = inOrder(job.Settings.Tasks)
	for i := range job.Settings.Tasks {
		if err := p.asNodeRuns(&job.Settings.Tasks[i], job.Settings.JobClusters, values); err != nil {
			return job, err
		}
	}
	return job, nil
}

// asNodeRuns makes of a wheel task one that the fake runs as a node would.
func (p *platform) asNodeRuns(task *jobs.Task, clusters []jobs.JobCluster, values references) error {
	wheel := task.PythonWheelTask
	node := struct {
		Package     string            `json:"package"`
		EntryPoint  string            `json:"entry_point"`
		Parameters  []string          `json:"parameters"`
		Environment map[string]string `json:"environment"`
	}{wheel.PackageName, wheel.EntryPoint, nil, map[string]string{}}
	for _, parameter := range wheel.Parameters {
		text := values.in(parameter)
		if flag, path, ok := strings.Cut(text, "="); ok && strings.HasPrefix(path, "/Workspace/") {
			text = flag + "=" + p.local(path)
		}
		node.Parameters = append(node.Parameters, text)
	}
	for _, c := range clusters {
		if c.JobClusterKey == task.JobClusterKey {
			for name, value := range c.NewCluster.SparkEnvVars {
				node.Environment[name] = values.in(value)
			}
		}
	}
	data, err := json.Marshal(node)
	if err != nil {
		return err
	}
	path := filepath.Join(p.root, task.TaskKey+".json")
	wheel.PackageName, wheel.EntryPoint, wheel.Parameters = "databricks_task", "", []string{path}
	return os.WriteFile(path, data, 0o600)
}

// references are what a workspace puts in the place of {{name}}.
type references map[string]string

var reference = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// in returns a text with its references replaced; one that is not known stays.
func (r references) in(text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		if value, ok := r[ref[2:len(ref)-2]]; ok {
			return value
		}
		return ref
	})
}

// inOrder returns tasks so that each comes after those it depends on.
func inOrder(tasks []jobs.Task) []jobs.Task {
	var out []jobs.Task
	done := map[string]bool{}
	for len(out) < len(tasks) {
		next := slices.IndexFunc(tasks, func(t jobs.Task) bool {
			return !done[t.TaskKey] && !slices.ContainsFunc(t.DependsOn, func(d jobs.TaskDependency) bool { return !done[d.TaskKey] })
		})
		if next < 0 {
			return tasks // a circle: bundlegen's own checks find it
		}
		done[tasks[next].TaskKey] = true
		out = append(out, tasks[next])
	}
	return out
}
