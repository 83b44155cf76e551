package deploy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// fake is the CLI's own fake workspace, with what was sent to it.
type fake struct {
	*testserver.Server
	token string

	mu       sync.Mutex
	requests []request
}

// request is one recorded request.
type request struct {
	method, path string
	body         []byte
}

// newFake starts a workspace and points this process's credentials at it. The
// handlers given take precedence over the workspace's own.
func newFake(t *testing.T, handlers ...func(*testserver.Server)) *fake {
	t.Helper()
	f := &fake{Server: testserver.New(t), token: "dapi" + uuid.NewString()}
	for _, h := range handlers {
		h(f.Server)
	}
	testserver.AddDefaultHandlers(f.Server)
	f.RequestCallback = func(r *testserver.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.requests = append(f.requests, request{r.Method, r.URL.Path, bytes.Clone(r.Body)})
	}
	environment(t, f.URL, f.token)
	return f
}

// environment is what a person or a CI job sets, and nothing of this machine.
func environment(t *testing.T, host, token string) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DATABRICKS_") {
			t.Setenv(name, "") // restores it afterwards
			require.NoError(t, os.Unsetenv(name))
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DATABRICKS_CONFIG_FILE", filepath.Join(home, ".databrickscfg"))
	t.Setenv("DATABRICKS_CACHE_ENABLED", "false")
	t.Setenv("DATABRICKS_RATE_LIMIT", "10000") // the SDK's 15 requests a second are for real workspaces
	if host != "" {
		t.Setenv("DATABRICKS_HOST", host)
	}
	if token != "" {
		t.Setenv("DATABRICKS_TOKEN", token)
	}
}

// forget drops what was recorded so far.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// sent is the bodies of the requests with that method and path.
func (f *fake) sent(method, path string) [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var bodies [][]byte
	for _, r := range f.requests {
		if r.method == method && r.path == path {
			bodies = append(bodies, r.body)
		}
	}
	return bodies
}

// small is a copy of testdata/small.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/small")))
	wheel(t, dir)
	return dir
}

const wheelName = "pi_extractor-0.1.0+abc-py3-none-any.whl"

// wheel puts something into dist/ that the CLI takes for a wheel.
func wheel(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "dist"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dist", wheelName), []byte("PK"), 0o644))
}

// uploads is the files that were uploaded, by their path below the deployment's
// folder, without the CLI's own state.
func (f *fake) uploads() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var paths []string
	for _, r := range f.requests {
		path, ok := strings.CutPrefix(r.path, "/api/2.0/workspace-files/import-file/")
		if !ok || r.method != "POST" {
			continue
		}
		path = rootPath.ReplaceAllString(path, "")
		if !strings.HasPrefix(path, "state/") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// rootPath is a deployment's folder.
var rootPath = regexp.MustCompile(`^.*/\.bundle/[^/]+/[^/]+/`)

// fault makes the next request of that method and path fail, by the workspace's
// own endpoint for it.
func (f *fake) fault(t *testing.T, pattern string, status int, body string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"pattern": pattern, "status_code": status, "body": body, "times": 1})
	require.NoError(t, err)
	f.post(t, "/__testserver/fault", text)
}

// put writes a file into the workspace.
func (f *fake) put(t *testing.T, path, content string) {
	t.Helper()
	dir, err := json.Marshal(map[string]string{"path": filepath.Dir(path)})
	require.NoError(t, err)
	f.post(t, "/api/2.0/workspace/mkdirs", dir)
	f.post(t, "/api/2.0/workspace-files/import-file"+path, []byte(content))
}

// post sends a request to the workspace, as its user.
func (f *fake) post(t *testing.T, path string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+f.token)
	resp, err := f.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
