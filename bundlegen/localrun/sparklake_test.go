package localrun

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/task"
)

// fakeTask is the entry points of a wheel that do what FAKE says, a piece of Python.
const fakeTask = `import json, os, signal, sys, time
def main():
    print(json.dumps({"task": os.path.basename(sys.argv[0]), "args": sys.argv[1:],
        "remote": os.environ["SPARK_REMOTE"], "staging": os.environ["PI_EXTRACTOR_STAGING"]}), flush=True)
    def result(**values):
        with open(os.environ["PI_EXTRACTOR_RESULT"], "w") as file:
            json.dump(values, file)
    exec(os.environ["FAKE"])
`

// bundleWithFakeWheel makes a folder with no more of a bundle than the wheel.
func bundleWithFakeWheel(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	const info = "pi_extractor-0.0.1.dist-info/"
	for _, f := range [][2]string{
		{"pi_extractor/__init__.py", fakeTask},
		{info + "METADATA", "Metadata-Version: 2.1\nName: pi_extractor\nVersion: 0.0.1\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-manylinux2014_x86_64\n" +
			"Tag: py3-none-manylinux2014_aarch64\n"},
		{info + "entry_points.txt", "[console_scripts]\npi-extractor-extract = pi_extractor:main\n"},
		{info + "RECORD", ""},
	} {
		w, err := z.Create(f[0])
		require.NoError(t, err)
		_, err = w.Write([]byte(f[1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dist"), 0o755))
	name := "pi_extractor-0.0.1-py3-none-manylinux2014_x86_64.manylinux2014_aarch64.whl"
	if machine := machines[runtime.GOARCH]; machine != "_aarch64.whl" {
		name = "pi_extractor-0.0.1-py3-none-manylinux2014_aarch64.manylinux2014_x86_64.whl"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dist", name), b.Bytes(), 0o644))
	return dir
}

// openFake opens a lake with the fake wheel; remote "" starts a server.
func openFake(t *testing.T, remote string) *sparkLake {
	t.Helper()
	o := Options{
		Bundle: bundleWithFakeWheel(t), Pipeline: "p", Engine: "spark", Data: t.TempDir(),
		Getenv: func(name string) (string, bool) { return remote, name == "SPARK_REMOTE" && remote != "" },
		Stderr: t.Output(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	l, err := openSpark(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.close()) })
	return l.(*sparkLake)
}

var fakeSpec = &spec{
	Task: bundle.Task{Key: "extract_timeseries_partition_3", EntryPoint: "extract",
		Args: []string{"--partition=3", "--attempt={{task.execution_count}}", "--tier=a b"}},
	values: map[string]string{runID: "run-1"},
}

var noProgress = watch{progress: func(task.Progress) {}, retry: func(piwebapi.Retry) {}}

// TestATaskIsAProcessOfTheWheel runs attempts that end in every way.
func TestATaskIsAProcessOfTheWheel(t *testing.T) {
	l := openFake(t, "sc://elsewhere:1")
	log := func(attempt int) string {
		data, err := os.ReadFile(filepath.Join(l.o.Data, "spark", "logs", "run-1",
			"extract_timeseries_partition_3-"+strconv.Itoa(attempt)+".log"))
		require.NoError(t, err)
		return string(data)
	}
	t.Setenv(
		"FAKE",
		`print("hello"); open(os.environ["PI_EXTRACTOR_PROGRESS"], "w").write(json.dumps({"progress": {"tags": 8, "events": 10**10}, "retry": {"Site": "plant-a", "State": "503"}})); result(status="PARTIAL", tags=7, failed=1, events=10**10, requests=3, notes=["one", "two"])`,
	)
	var progress task.Progress
	var retry piwebapi.Retry
	got, err := l.attempt(t.Context(), fakeSpec, 2, watch{progress: func(p task.Progress) { progress = p },
		retry: func(r piwebapi.Retry) { retry = r }})
	require.NoError(t, err)
	require.Equal(t, task.Result{Status: batch.Partial, Tags: 7, Failed: 1, Events: 1e10, Requests: 3, Notes: []string{"one", "two"}}, got)
	require.Equal(t, task.Progress{Tags: 8, Events: 1e10}, progress)
	require.Equal(t, piwebapi.Retry{Site: "plant-a", State: "503"}, retry)
	first, rest, _ := strings.Cut(log(2), "\n")
	require.Equal(t, "hello\n", rest)
	var seen struct {
		Task            string
		Args            []string
		Remote, Staging string
	}
	require.NoError(t, json.Unmarshal([]byte(first), &seen))
	require.Equal(t, "pi-extractor-extract", seen.Task)
	require.Equal(t, []string{"--partition=3", "--attempt=2", "--tier=a b"}, seen.Args)
	require.Equal(t, "sc://elsewhere:1", seen.Remote)
	require.Equal(t, filepath.Join(l.dir, "staging"), seen.Staging)

	t.Setenv("FAKE", `
result(status="FAILED", tags=2, failed=5, events=4, requests=1, notes=["five failed"])
print("time=now level=WARN msg=odd\nerror: first\nerror: the site is down\nhint: start it", file=sys.stderr)
raise RuntimeError("pi-extractor extract ended with exit code 1")`)
	got, err = l.attempt(t.Context(), fakeSpec, 3, noProgress)
	require.EqualError(t, err, "the site is down\nhint: start it", "in pi-extractor's own words")
	require.Equal(t, []string{"five failed"}, got.Notes)
	require.Contains(t, log(3), "Traceback")

	t.Setenv("FAKE", `raise RuntimeError("Spark has no Delta")`)
	_, err = l.attempt(t.Context(), fakeSpec, 4, noProgress)
	require.ErrorContains(t, err, "(exit status 1: RuntimeError: Spark has no Delta)\nhint: see "+l.dir)

	t.Setenv("FAKE", `os.kill(os.getpid(), signal.SIGKILL)`)
	_, err = l.attempt(t.Context(), fakeSpec, 5, noProgress)
	require.ErrorContains(t, err, "signal: killed")

	t.Setenv("FAKE", `pass`)
	_, err = l.attempt(t.Context(), fakeSpec, 6, noProgress)
	require.ErrorContains(t, err, "left no result")
}

// TestATaskThatIsAskedToEnd ends by itself, or after the grace with all of its group.
func TestATaskThatIsAskedToEnd(t *testing.T) {
	l := openFake(t, "sc://elsewhere:1")
	ask := func(fake string) error {
		t.Setenv("FAKE", fake)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTimeout)
		defer cancel()
		_, err := l.attempt(ctx, fakeSpec, 1, noProgress)
		return err
	}
	asked := filepath.Join(t.TempDir(), "asked")
	begun := time.Now()
	require.ErrorIs(t, ask(`
def end(*_):
    open(`+strconv.Quote(asked)+`, "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
time.sleep(60)`), errTimeout)
	require.FileExists(t, asked)
	require.Less(t, time.Since(begun), endGrace)

	l.grace = 500 * time.Millisecond
	child := filepath.Join(t.TempDir(), "child")
	require.ErrorIs(t, ask(`
import subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
p = subprocess.Popen(["sleep", "60"])
open(`+strconv.Quote(child)+`, "w").write(str(p.pid))
p.wait()`), errTimeout)
	data, err := os.ReadFile(child)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(data))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return gone(pid) }, 10*time.Second, 10*time.Millisecond, "what the task started ends with it")
}

// gone reports whether a process has ended; nobody may have waited for it yet.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// TestSparkThatDies fails the attempts that it has, and the next have another one.
func TestSparkThatDies(t *testing.T) {
	l := openFake(t, "")
	marks := t.TempDir()
	t.Setenv("FAKE", `
mark = `+strconv.Quote(marks)+` + "/" + os.environ["SPARK_REMOTE"].rpartition(":")[2]
open(mark, "w").close()
time.sleep(0 if len(os.listdir(os.path.dirname(mark))) > 1 else 60)
result(status="SUCCEEDED")`)
	running := func() int {
		entries, err := os.ReadDir(marks)
		require.NoError(t, err)
		return len(entries)
	}
	failed := make(chan error)
	go func() {
		_, err := l.attempt(t.Context(), fakeSpec, 1, noProgress)
		failed <- err
	}()
	require.Eventually(t, func() bool { return running() == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(l.server.Pid(), syscall.SIGKILL))
	require.ErrorContains(t, <-failed, "Spark ended (signal: killed)")

	_, err := l.attempt(t.Context(), fakeSpec, 2, noProgress)
	require.NoError(t, err)
	require.Equal(t, 2, running(), "on a server at another port")
}

func TestADataFolderHasOneRun(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockData(dir)
	require.NoError(t, err)
	_, err = lockData(dir)
	require.ErrorIs(t, err, engine.ErrInUse)
	require.EqualError(t, err, filepath.Join(dir, "lock")+
		": the data folder is in use by another run\nhint: wait for it to end, or give another folder with --data")
	require.NoError(t, unlock())
	unlock, err = lockData(dir)
	require.NoError(t, err)
	require.NoError(t, unlock())
}

func TestFindWheel(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dist"), 0o755))
	put := func(name string) string {
		path := filepath.Join(dir, "dist", name)
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		return path
	}
	_, err := findWheel(dir)
	require.ErrorContains(t, err, "has 0 wheels of pi_extractor")
	require.ErrorContains(t, err, "hint: bundlegen generate")
	other := put("pi_extractor-1-py3-none-manylinux2014_sparc.whl")
	_, err = findWheel(dir)
	require.ErrorContains(t, err, other+" is for another kind of machine than this one")
	own := put("pi_extractor-1-py3-none-manylinux2014" + machines[runtime.GOARCH])
	_, err = findWheel(dir)
	require.ErrorContains(t, err, "has 2 wheels")
	require.NoError(t, os.Remove(other))
	got, err := findWheel(dir)
	require.NoError(t, err)
	require.Equal(t, own, got)
}

// TestSweep removes what killed writers left, and keeps what is whole.
func TestSweep(t *testing.T) {
	root := t.TempDir()
	folder := func(number int64, id string) stage.Folder {
		f := stage.New(root, "p", 4, number, id)
		f.Lease = stage.Lease{RunID: "r", Attempt: 1, Expires: time.Now().Add(time.Hour)}
		require.NoError(t, f.Create())
		return f
	}
	whole, torn, begun := folder(1, "whole"), folder(2, "torn"), folder(3, "begun")
	require.NoError(t, whole.Seal(&batch.Header{Pipeline: "p", Partition: 4, Number: 1, ID: "whole"}))
	require.NoError(t, os.Remove(begun.Dir))
	require.NoError(t, sweep(root, "other"))
	require.DirExists(t, torn.Dir)

	require.NoError(t, sweep(root, "p"))
	entries, err := os.ReadDir(filepath.Dir(whole.Dir))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	_, ok, err := whole.Header()
	require.NoError(t, err)
	require.True(t, ok)
}

func TestErrorOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"an error: no":            "",
		"error: a":                "a",
		"x\nerror: a\nhint: b\n":  "a\nhint: b",
		"error: a\nerror: b\nc\n": "b\nc",
		"error: a\nTraceback (most recent call last):\n  File\nerror": "a",
	} {
		require.Equal(t, want, errorOf(text), text)
	}
}
