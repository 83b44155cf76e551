package workspace_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/yamlread"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/templates"
)

// release is what this checkout is installed as: a version that nobody has published.
const release = "v0.9.9-test"

// The CI pipelines have the module and Go, and nothing else of ours. What their own
// step installs makes a wheel of that version, for both kinds of processors, and
// deploys it. Nothing is asked of a network: the module comes from a folder, its
// dependencies from Go's cache.
func TestInstalledFromTheModule(t *testing.T) {
	clean(t)
	gopath := t.TempDir()
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(publish(t)))
	t.Setenv("GOMODCACHE", cacheWithout(t, "github.com/bundlegen"))
	t.Setenv("GOPATH", gopath)
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GOFLAGS", "-modcacherw -trimpath") // as the rest is built: dependencies are compiled once
	t.Setenv("BUNDLEGEN_VERSION", release)
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
	pipelines, err := templates.Pipelines()
	require.NoError(t, err)

	for _, pipeline := range pipelines {
		p := newProject(t, url, "DATABRICKS_HOST="+w.URL, "DATABRICKS_TOKEN="+w.token, "PI_PLANT_A_PASSWORD="+secret)
		p.programs = filepath.Join(gopath, "bin")
		p.shell(stepWith(t, pipeline, "go install"))
		p.shell("git init -q . && " + stepWith(t, pipeline, "bundlegen discover"))
		own := only(t, filepath.Join(p.dir, "bundles", "plant", "dist", "*.whl"))
		require.Regexp(t, `/pi_extractor-0\.9\.9\+h[0-9a-f]{12}-py3-none-manylinux2014_x86_64\.whl$`, own)
		require.NotContains(t, p.shell("git add --all && git ls-files"), ".whl", "the pipeline commits no wheel")
	}

	p := newProject(t, url, "DATABRICKS_HOST="+w.URL, "DATABRICKS_TOKEN="+w.token, "PI_PLANT_A_PASSWORD="+secret)
	p.programs = filepath.Join(gopath, "bin")
	require.Contains(t, p.bundlegen(0, "version"), release)
	p.bundlegen(0, "discover")
	p.bundlegen(0, "deploy", "-t", "dev", "--auto-approve")
	own := only(t, filepath.Join(p.dir, "bundles", "plant", "dist", "*.whl"))
	require.Contains(t, p.bundlegen(0, "wheel", "--arch", "arm64"), "building pi-extractor-linux-arm64 with Go")
	require.Contains(t, only(t, filepath.Join(p.dir, "dist", "*.whl")), "_aarch64.whl")
	require.Equal(t, "pi-extractor version "+release+"\n", p.shell("python3 -m zipfile --extract "+own+" unpacked\n"+
		"chmod +x unpacked/pi_extractor/pi-extractor\nunpacked/pi_extractor/pi-extractor --version"))

	// Without Go it says what to do, and a deployment keeps to the wheel that is there.
	without := t.TempDir()
	for _, name := range []string{"sh", "bash", "ls"} { // for the bundle's own check that there is a wheel
		at, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(at, filepath.Join(without, name)))
	}
	p.env = append(p.env, "PATH="+without)
	said := p.bundlegen(1, "wheel", "-o", "other")
	require.Contains(
		t,
		said,
		"there is no go on the PATH\nhint: put pi-extractor-linux-amd64 beside bundlegen, as make build does, or install Go",
	)
	require.NoDirExists(t, filepath.Join(p.dir, "other"))
	p.bundlegen(0, "deploy", "-t", "dev", "--auto-approve")
	require.Equal(t, own, only(t, filepath.Join(p.dir, "bundles", "plant", "dist", "*.whl")))

	// A static pi-extractor of the same version does, wherever it comes from.
	install := exec.CommandContext(t.Context(), "go", "install", "github.com/bundlegen/bundlegen/cmd/pi-extractor@"+release)
	install.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))
	p.bundlegen(0, "wheel", "-o", "other")
	only(t, filepath.Join(p.dir, "other", "*.whl"))
}

// shell runs a step as both services do, and returns what it prints.
func (p *project) shell(step string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "bash", "-e", "-c", step)
	cmd.Dir = p.dir
	cmd.Env = append(
		append(os.Environ(), p.env...),
		"PATH="+p.programs+string(os.PathListSeparator)+os.Getenv("PATH"),
		"PIPELINE=pipeline.yml",
		"RUNNER_TEMP="+p.t.TempDir(),
		"AGENT_TEMPDIRECTORY="+p.t.TempDir(),
		"GITHUB_OUTPUT="+filepath.Join(p.t.TempDir(), "output"),
	)
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s\n%s", step, out)
	require.NotContains(p.t, string(out), secret, "a secret was printed")
	return string(out)
}

// stepWith returns the one script of a pipeline that has these words in it.
func stepWith(t *testing.T, pipeline templates.Text, words string) string {
	t.Helper()
	root, err := yamlread.Parse(pipeline.Data, pipeline.Name, "")
	require.NoError(t, err)
	list := root.Get("steps")
	if list == nil {
		list = root.Get("jobs", "update", "steps")
	}
	var found []string
	for _, s := range list.Items {
		for _, key := range []string{"bash", "run"} {
			if script := s.Get(key); script != nil && strings.Contains(script.Text, words) {
				found = append(found, script.Text)
			}
		}
	}
	require.Len(t, found, 1, "%s: steps with %q", pipeline.Name, words)
	return found[0]
}

// publish lays the module of this checkout out as Go's module proxy would, in a
// folder, and returns that. What git would not commit is not in it.
func publish(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	path := modfile.ModulePath(mod)
	dir := t.TempDir()
	versions := filepath.Join(dir, filepath.FromSlash(path), "@v")
	require.NoError(t, os.MkdirAll(versions, 0o755))
	for name, data := range map[string]string{
		"list": release + "\n", release + ".mod": string(mod), release + ".info": fmt.Sprintf(`{"Version": %q, "Time": "2026-01-01T00:00:00Z"}`, release),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(versions, name), []byte(data), 0o644))
	}
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir = root
	listed, err := cmd.Output()
	require.NoError(t, err)
	var files []zip.File
	for _, name := range strings.Split(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, name)); err == nil && info.Mode().IsRegular() {
			files = append(files, file{root, name})
		}
	}
	f, err := os.Create(filepath.Join(versions, release+".zip"))
	require.NoError(t, err)
	require.NoError(t, zip.Create(f, module.Version{Path: path, Version: release}, files))
	require.NoError(t, f.Close())
	return dir
}

// file is a file of the checkout, as package zip wants one.
type file struct{ root, name string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (fs.FileInfo, error)  { return os.Lstat(filepath.Join(f.root, f.name)) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(f.root, f.name)) }

// cacheWithout returns a folder that has what is in Go's module cache but for the
// modules of one owner: these are written there, and go with the folder.
func cacheWithout(t *testing.T, owner string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	real, own := strings.TrimSpace(string(out)), t.TempDir()
	leave := map[string]bool{".": true} // folders on the way to what is left out
	for _, way := range []string{owner, filepath.Join("cache", "download", owner)} {
		for dir := way; dir != "."; dir = filepath.Dir(dir) {
			leave[dir] = true
		}
	}
	for dir := range leave {
		require.NoError(t, os.MkdirAll(filepath.Join(own, dir), 0o755))
		entries, err := os.ReadDir(filepath.Join(real, dir))
		if os.IsNotExist(err) || strings.HasSuffix(dir, owner) {
			continue
		}
		require.NoError(t, err)
		for _, e := range entries {
			if name := filepath.Join(dir, e.Name()); !leave[name] {
				require.NoError(t, os.Symlink(filepath.Join(real, name), filepath.Join(own, name)))
			}
		}
	}
	return own
}
