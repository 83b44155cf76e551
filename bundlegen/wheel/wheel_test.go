package wheel_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/wheel"
)

var builds = map[string]func() ([]byte, error){
	"amd64": sync.OnceValues(func() ([]byte, error) { return buildFake("amd64") }),
	"arm64": sync.OnceValues(func() ([]byte, error) { return buildFake("arm64") }),
}

// fakeBinary returns a small static program for linux.
func fakeBinary(t *testing.T, arch string) []byte {
	t.Helper()
	data, err := builds[arch]()
	require.NoError(t, err)
	return data
}

func buildFake(arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "fake")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "fake")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/fake")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return os.ReadFile(out)
}

func TestBuildIsDeterministicAndNamedByContent(t *testing.T) {
	binary := fakeBinary(t, "amd64")
	build := func(o wheel.Options) (string, []byte) {
		name, data, err := wheel.Build(o)
		require.NoError(t, err)
		return name, data
	}
	name, data := build(wheel.Options{Binary: binary, Arch: wheel.AMD64, Version: "v1.2.3-dirty"})
	again, same := build(wheel.Options{Binary: binary, Arch: wheel.AMD64, Version: "v1.2.3-dirty"})
	require.Equal(t, name, again)
	require.Equal(t, data, same)
	require.Regexp(t, `^pi_extractor-1\.2\.3\+h[0-9a-f]{12}-py3-none-manylinux2014_x86_64\.whl$`, name)

	other, _ := build(wheel.Options{Binary: append(bytes.Clone(binary), 0), Arch: wheel.AMD64, Version: "v1.2.3"})
	require.NotEqual(t, name, other, "another content is another version")
}

func TestEnsurePacksOnlyWhatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dist")
	o := wheel.Options{Binary: fakeBinary(t, "amd64"), Arch: wheel.AMD64, Version: "1.2.3"}
	name, built, err := wheel.Build(o)
	require.NoError(t, err)
	path := filepath.Join(dir, name)
	ensure := func(o wheel.Options) string {
		name, err := wheel.Ensure(open(t, dir), o)
		require.NoError(t, err)
		return name
	}
	isBuilt := func() {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(built, data))
	}
	require.Equal(t, name, ensure(o))
	isBuilt()

	long := time.Unix(1_000_000_000, 0)
	require.NoError(t, os.Chtimes(path, long, long))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pi_extractor-1-py3-none-any.whl"), nil, 0o644))
	require.Equal(t, name, ensure(o))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, long, info.ModTime(), "it was left alone")
	require.Equal(t, []string{name}, names(t, dir), "an older one goes all the same")

	t.Run("a wheel that is not whole is made anew", func(t *testing.T) {
		for _, broken := range [][]byte{nil, built[:len(built)/2], []byte("not a zip")} {
			require.NoError(t, os.WriteFile(path, broken, 0o644))
			require.Equal(t, name, ensure(o))
			isBuilt()
		}
	})
	t.Run("a wheel with other content in it is made anew", func(t *testing.T) {
		_, other, err := wheel.Build(wheel.Options{Binary: append(bytes.Clone(o.Binary), 0), Arch: o.Arch, Version: o.Version})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, other, 0o644))
		require.Equal(t, name, ensure(o))
		isBuilt()
	})
	t.Run("other content is another wheel", func(t *testing.T) {
		o := o
		o.Binary = append(bytes.Clone(o.Binary), 0)
		next := ensure(o)
		require.NotEqual(t, name, next)
		require.Equal(t, []string{next}, names(t, dir))
	})
	t.Run("what a node could not run is refused", func(t *testing.T) {
		before := names(t, dir)
		_, err := wheel.Ensure(open(t, dir), wheel.Options{Binary: []byte("#!/bin/sh\n"), Arch: wheel.AMD64, Version: "1.0"})
		require.ErrorContains(t, err, "hint: ")
		require.Equal(t, before, names(t, dir))
	})
}

func names(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestBuildForARM(t *testing.T) {
	name, data, err := wheel.Build(wheel.Options{Binary: fakeBinary(t, "arm64"), Arch: wheel.ARM64, Version: "1.0"})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(name, "-py3-none-manylinux2014_aarch64.whl"), name)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	info, err := z.Open("pi_extractor/pi-extractor")
	require.NoError(t, err)
	stat, err := info.Stat()
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o755), stat.Mode())

	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".dist-info/WHEEL") {
			continue
		}
		r, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Contains(t, string(text), "Root-Is-Purelib: false\n")
		require.Contains(t, string(text), "Tag: py3-none-manylinux2014_aarch64\n")
	}
}

func TestBuildRefusesWhatANodeCouldNotRun(t *testing.T) {
	binary := fakeBinary(t, "amd64")
	shell, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		options wheel.Options
		says    string
	}{
		"text":        {wheel.Options{Binary: []byte("#!/bin/sh\n"), Arch: wheel.AMD64, Version: "1.0"}, "not a linux program"},
		"other arch":  {wheel.Options{Binary: binary, Arch: wheel.ARM64, Version: "1.0"}, "GOARCH=arm64"},
		"no arch":     {wheel.Options{Binary: binary, Arch: "mips", Version: "1.0"}, "allowed are amd64 and arm64"},
		"bad version": {wheel.Options{Binary: binary, Arch: wheel.AMD64, Version: "latest"}, `version "latest"`},
		"dynamic":     {wheel.Options{Binary: shell, Arch: wheel.Arch(runtime.GOARCH), Version: "1.0"}, "CGO_ENABLED=0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := wheel.Build(c.options)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "hint: ")
		})
	}
}

func TestWriteLeavesOneWheel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [b]", "dist")
	require.NoError(t, wheel.Write(open(t, dir), "pi_extractor-1-py3-none-any.whl", []byte("old")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "theirs-1-py3-none-any.whl"), nil, 0o644))
	require.NoError(t, wheel.Write(open(t, dir), "pi_extractor-2-py3-none-any.whl", []byte("new")))
	require.Equal(t, []string{"pi_extractor-2-py3-none-any.whl", "theirs-1-py3-none-any.whl"}, names(t, dir))
}

func TestArchOf(t *testing.T) {
	for node, arch := range map[string]wheel.Arch{
		"m6gd.xlarge": wheel.ARM64, "c7g.2xlarge": wheel.ARM64, "im4gn.large": wheel.ARM64, "r6gd-fleet.xlarge": wheel.ARM64,
		"i3.xlarge": wheel.AMD64, "g4dn.xlarge": wheel.AMD64, "m5d.large": wheel.AMD64, "rd-fleet.xlarge": wheel.AMD64,
		"Standard_D4ps_v5": wheel.ARM64, "Standard_E8pds_v6": wheel.ARM64,
		"Standard_D4ds_v5": wheel.AMD64, "Standard_DS3_v2": wheel.AMD64, "Standard_NP10s": wheel.AMD64,
		"t2a-standard-4": wheel.ARM64, "c4a-highmem-8": wheel.ARM64, "n2-highmem-4": wheel.AMD64, "": wheel.AMD64,
	} {
		require.Equal(t, arch, wheel.ArchOf(node), node)
	}
}

// environment is a Python environment with the wheel installed by pip, and a
// stand-in for pyspark: what the launcher does with a session, its own tests prove.
type environment struct{ dir string }

const session = `
class conf:
    @staticmethod
    def get(name, default):
        return default

class SparkSession:
    version = "4.0.1"
    conf = conf

    class builder:
        @staticmethod
        def getOrCreate():
            return SparkSession()
`

func install(t *testing.T, umask string) environment {
	t.Helper()
	name, data, err := wheel.Build(wheel.Options{Binary: fakeBinary(t, runtime.GOARCH), Arch: wheel.Arch(runtime.GOARCH), Version: "1.2.3"})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, wheel.Write(open(t, dir), name, data))
	env := environment{filepath.Join(dir, "venv")}
	script := "umask " + umask + ` && python3 -m venv --without-pip "$1" && python3 -m pip --quiet --disable-pip-version-check --python "$1/bin/python" install --no-index --no-deps "$2"`
	out, err := exec.Command("sh", "-c", script, "sh", env.dir, filepath.Join(dir, name)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	found, err := filepath.Glob(filepath.Join(env.dir, "lib", "python3*", "site-packages"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	require.NoError(t, os.Mkdir(filepath.Join(found[0], "pyspark"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(found[0], "pyspark", "sql.py"), []byte(session), 0o644))
	return env
}

// python runs code in the way a job does: the parameters are in sys.argv.
func (e environment) python(code string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(e.dir, "bin", "python"), append([]string{"-c", code}, args...)...)
	cmd.Env = append(os.Environ(), "PLANT_PASSWORD=from the cluster")
	return cmd
}

func TestPipInstallsAndEntryPointsRunTheBinary(t *testing.T) {
	for _, umask := range []string{"022", "077"} {
		t.Run("umask "+umask, func(t *testing.T) {
			e := install(t, umask)
			for _, task := range []string{"discover", "extract", "consolidate", "validate"} {
				out, err := e.python("import pi_extractor; pi_extractor."+task+"(); print('returned')", "--partition=7", "--until=").Output()
				require.NoError(t, err)
				require.Regexp(
					t,
					`^out \["`+task+`" "--engine=spark" "--pipe=\d+,\d+" "--partition=7" "--until="\] password="from the cluster"\nreturned\n$`,
					string(out),
				)

				script := exec.Command(filepath.Join(e.dir, "bin", "pi-extractor-"+task), "--a=b")
				out, err = script.Output()
				require.NoError(t, err)
				require.Regexp(t, `out \["`+task+`" .* "--a=b"\]`, string(out))
			}
			const byName = `
from importlib.metadata import distribution
points = distribution("pi_extractor").entry_points
print(sorted(p.name for p in points if callable(p.load())))`
			out, err := e.python(byName).Output()
			require.NoError(t, err)
			for _, task := range []string{"'discover'", "'extract'", "'consolidate'", "'validate'"} {
				require.Contains(t, string(out), task)
			}
			if umask == "022" {
				launcherOutcomes(t, e)
			}
		})
	}
}

// launcherOutcomes proves what the launcher makes of what the program does.
func launcherOutcomes(t *testing.T, e environment) {
	const extract = "import pi_extractor; pi_extractor.extract(); print('returned')"

	t.Run("partial success returns", func(t *testing.T) {
		cmd := e.python(extract)
		cmd.Env = append(cmd.Env, "FAKE_EXIT=3")
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "returned")
	})
	for _, code := range []string{"1", "2", "130"} {
		t.Run("exit "+code+" raises", func(t *testing.T) {
			cmd := e.python(extract)
			cmd.Env = append(cmd.Env, "FAKE_EXIT="+code)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.NotContains(t, string(out), "returned")
			require.Contains(t, string(out), "TaskFailed: pi-extractor extract ended with exit code "+code)
			require.Contains(t, string(out), "err: \uFFFD not UTF-8", "stderr is passed on")
			require.Contains(t, string(out), "last words")
		})
	}
	t.Run("the mode of the installed binary does not matter", func(t *testing.T) {
		found, err := filepath.Glob(filepath.Join(e.dir, "lib*", "python3*", "site-packages", "pi_extractor", "pi-extractor"))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		require.NoError(t, os.Chmod(found[0], 0o600))
		require.NoError(t, e.python(extract).Run())
	})
	t.Run("signals are forwarded and the task is waited for", func(t *testing.T) {
		cmd := e.python(extract)
		cmd.Env = append(cmd.Env, "FAKE_WAIT=1", "FAKE_EXIT=130")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var seen []byte
		for buf := make([]byte, 256); !bytes.Contains(seen, []byte("ready")); {
			n, err := stdout.Read(buf)
			require.NoError(t, err, "output is streamed while the task runs")
			seen = append(seen, buf[:n]...)
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		rest, err := io.ReadAll(stdout)
		require.NoError(t, err)
		require.Error(t, cmd.Wait())
		require.Contains(t, string(rest), "got terminated")
		require.Contains(t, stderr.String(), "exit code 130")
	})
	t.Run("serverless secrets go to the child only", func(t *testing.T) {
		// A stand-in for the module that Databricks provides.
		lib, bundle := t.TempDir(), t.TempDir()
		module := filepath.Join(lib, "databricks", "sdk")
		require.NoError(t, os.MkdirAll(module, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(module, "runtime.py"), []byte(`
class secrets:
    @staticmethod
    def get(scope, key):
        return f"value of {scope} {key}"

class dbutils:
    secrets = secrets
`), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(bundle, "secrets.json"),
			[]byte(`{"version": 1, "secrets": {"PLANT_PASSWORD": "pi/plant/a"}}`), 0o644))
		cmd := e.python("import os, pi_extractor; pi_extractor.extract(); print(os.environ.get('PLANT_PASSWORD'))", "--bundle="+bundle)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+lib)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Regexp(t, `^out \["extract" .* "--bundle=`+bundle+`"\] password="value of pi plant/a"\nNone\n$`, string(out))
	})
}

// open opens a folder, which is made if need be.
func open(t *testing.T, dir string) *os.Root {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	return root
}

// A dist/ of links writes and removes nothing elsewhere.
func TestWriteStaysInside(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	const old = "pi_extractor-1-py3-none-any.whl"
	require.NoError(t, os.WriteFile(filepath.Join(other, old), []byte("theirs"), 0o644))
	require.NoError(t, os.Symlink(filepath.Join(other, old), filepath.Join(dir, old)))
	require.NoError(t, os.Symlink(filepath.Join(other, "made"), filepath.Join(dir, "pi_extractor-2-py3-none-any.whl")))
	require.NoError(t, wheel.Write(open(t, dir), "pi_extractor-2-py3-none-any.whl", []byte("new")))
	data, err := os.ReadFile(filepath.Join(other, old))
	require.NoError(t, err)
	require.Equal(t, "theirs", string(data))
	require.NoFileExists(t, filepath.Join(other, "made"))
	require.NoFileExists(t, filepath.Join(dir, old))
}
