package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ages makes the fake workspace tell when a wheel was uploaded, which it does not
// remember by itself: so many days ago, by file name.
type ages struct {
	mu   sync.Mutex
	days map[string]int
}

func (a *ages) handle(s *testserver.Server) {
	s.Handle("GET", "/api/2.0/workspace/list", func(req testserver.Request) any {
		a.mu.Lock()
		defer a.mu.Unlock()
		folder := req.URL.Query().Get("path")
		answer := req.Workspace.WorkspaceList(folder)
		if answer.StatusCode >= http.StatusBadRequest {
			return answer
		}
		list := answer.Body.(workspace.ListResponse)
		for i, o := range list.Objects {
			list.Objects[i].CreatedAt = time.Now().AddDate(0, 0, -a.days[path.Base(o.Path)]).Add(-time.Minute).UnixMilli()
		}
		return answer
	})
}

// A run keeps the settings that it began with: each cluster that it starts after a
// deploy asks for the wheel of before. Wheels go when no run can need them.
func TestADeployLeavesTheWheelOfARunInFlight(t *testing.T) {
	a := &ages{days: map[string]int{}}
	f := newFake(t, a.handle)
	dir := small(t)
	edit(t, dir, "bundle:\n", "experimental:\n  skip_artifact_cleanup: true\nbundle:\n")
	var names []string
	deploy := func(version string, age int) {
		for _, name := range names {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "dist", name)))
		}
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "dist", wheelName)))
		name := fmt.Sprintf("pi_extractor-0.1.0+%s-py3-none-any.whl", version)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "dist", name), []byte("PK"+version), 0o644))
		names = append(names, name)
		require.NoError(t, CLI{}.Deploy(t.Context(), dir, "prod", false, nil))
		a.mu.Lock()
		defer a.mu.Unlock()
		a.days[name] = age
	}
	there := func() []string {
		sum, err := CLI{}.Summary(t.Context(), dir, "prod")
		require.NoError(t, err)
		return f.list(t, path.Join(sum.RootPath, "artifacts/.internal"))
	}

	deploy("a", 9)
	deploy("b", 8)
	require.Equal(t, names, there(), "the run that began with the first finds it")
	deploy("c", 7)
	require.Equal(t, names, there(), "the newest three stay, however old")
	deploy("d", 0)
	require.Equal(t, names[1:], there(), "the newest three stay")
	deploy("e", 0)
	deploy("f", 0)
	deploy("g", 0)
	require.Equal(t, names[3:], there(), "none younger than a day goes")
}

func TestWheelsThatCannotBeRemovedAreANote(t *testing.T) {
	f := newFake(t)
	f.fault(t, "GET /api/2.0/workspace/list", http.StatusForbidden, `{"error_code":"PERMISSION_DENIED","message":"no"}`)
	var stderr bytes.Buffer
	require.NoError(t, CLI{Stderr: &stderr}.Deploy(t.Context(), small(t), "prod", false, nil))
	assert.Contains(t, stderr.String(), "note: wheels of earlier deployments were not removed: ")
}

func TestOldWheels(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	file := func(name string, age time.Duration) workspace.ObjectInfo {
		return workspace.ObjectInfo{Path: name, CreatedAt: now.Add(-age).UnixMilli()}
	}
	objects := []workspace.ObjectInfo{
		file("4.whl", 4*keptFor), file("notes.txt", 9*keptFor), file("1.whl", keptFor/2), file("3.whl", 3*keptFor),
		file("2.whl", 2*keptFor), file("5.whl", 5*keptFor), {Path: "unknown.whl"},
	}
	assert.Equal(t, []string{"4.whl", "5.whl"}, oldWheels(objects, now))
	assert.Empty(t, oldWheels(objects[:4], now))
}

// list returns the names of a folder's files, sorted.
func (f *fake) list(t *testing.T, folder string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/api/2.0/workspace/list?path="+strings.ReplaceAll(folder, "+", "%2B"), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+f.token)
	resp, err := f.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var listed workspace.ListResponse
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&listed))
	var names []string
	for _, o := range listed.Objects {
		names = append(names, path.Base(o.Path))
	}
	slices.Sort(names)
	return names
}
