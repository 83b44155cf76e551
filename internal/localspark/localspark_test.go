package localspark_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/localspark"
)

// parentVariable makes this test program a parent that starts a server in a
// folder, prints so and waits to be killed.
const parentVariable = "LOCALSPARK_TEST_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentVariable); dir != "" {
		if err := parent(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		select {}
	}
	os.Exit(m.Run())
}

func parent(dir string) error {
	ctx := context.Background()
	home, err := localspark.Ensure(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s, err := home.Server(ctx, localspark.Options{Dir: dir, Master: "local-cluster[1,1,1024]"})
	if err != nil {
		return err
	}
	fmt.Println("pid", s.Pid())
	return nil
}

func ensure(t *testing.T) *localspark.Installation {
	t.Helper()
	home, err := localspark.Ensure(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	return home
}

func TestEnsureIsQuickOnceItIsThere(t *testing.T) {
	ensure(t)
	requireNoProgram(t, func() { ensure(t) })
}

// requireNoProgram runs what is to start no program: that of which takes long.
func requireNoProgram(t *testing.T, do func()) {
	t.Helper()
	var before, after syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &before))
	do()
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &after))
	require.Equal(t, before.Minflt, after.Minflt, "pages of programs that have ended")
}

// TestServer starts one server for all that a client can ask of it: that takes long.
func TestServer(t *testing.T) {
	home := ensure(t)
	dir := filepath.Join(t.TempDir(), "Größe 1") // a path that scripts might take apart
	python, err := home.Venv(t.Context(), filepath.Join(dir, "venv"), fakeWheel(t, "1.0"))
	require.NoError(t, err)
	s, err := home.Server(t.Context(), localspark.Options{Dir: dir, Python: python, Env: []string{"PLANT_PASSWORD=hunter2"}})
	require.NoError(t, err)
	defer s.Close()

	script := `
import os
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def where(batches):
    import fake_wheel, pyarrow
    for batch in batches:
        who = fake_wheel.GREETING + " " + os.environ["PLANT_PASSWORD"] + " " + os.environ["SPARK_EXECUTOR_DIRS"]
        yield pyarrow.RecordBatch.from_pydict({"who": [who] * batch.num_rows})
def task(batches):
    import time
    time.sleep(1)  # so that one executor does not take them all
    return where(batches)
print(type(spark).__module__, spark.sql("SELECT 1 AS a").collect()[0].a)
spark.sql("CREATE SCHEMA s").collect()
spark.sql("CREATE TABLE spark_catalog.s.t (a INT) USING delta").collect()
spark.sql("INSERT INTO s.t VALUES (7)").collect()
print(spark.sql("SELECT sum(a) AS a FROM spark_catalog.s.t").collect()[0].a, spark.conf.get("spark.sql.session.timeZone"))
who = {row.who for row in spark.range(0, 4, 1, 4).mapInArrow(task, "who string").collect()}
print(len(who), all(w.startswith("hello 1.0 hunter2 ") for w in who))
`
	out, err := client(t, python, s.Env(), script)
	require.NoError(t, err, out)
	require.Equal(t, "pyspark.sql.connect.session 1\n7 UTC\n2 True\n", out)

	var stranger []string
	for _, kv := range s.Env() {
		if !strings.HasPrefix(kv, "SPARK_CONNECT_AUTHENTICATE_TOKEN=") {
			stranger = append(stranger, kv)
		}
	}
	out, err = client(t, python, stranger, "from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate().sql('SELECT "+
		"1').collect()")
	require.Error(t, err, "without the token:\n%s", out)

	s.Close()
	requireNoProcess(t, dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	require.Equal(t, []string{"metastore", "spark.log", "venv", "warehouse"}, left)
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	home := ensure(t)
	dir := t.TempDir()
	_, err := home.Server(t.Context(), localspark.Options{Dir: dir, Master: "nowhere"})
	require.ErrorContains(t, err, "exit status 1")
	require.ErrorContains(t, err, "hint: see "+filepath.Join(dir, "spark.log"))

	_, err = home.Server(t.Context(), localspark.Options{Dir: filepath.Join(dir, "a;b")})
	require.ErrorContains(t, err, `Spark cannot work in a folder whose path has ';'`)
}

func TestAKilledParentLeavesNothing(t *testing.T) {
	ensure(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentVariable+"="+dir)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, 1000)
	n, err := pipe.Read(line)
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscanf(string(line[:n]), "pid %d", &pid)
	require.NoError(t, err, string(line[:n]))
	require.NoError(t, syscall.Kill(pid, 0))

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	requireNoProcess(t, dir)
}

func TestClassic(t *testing.T) {
	home := ensure(t)
	env, err := home.Classic(localspark.Options{Dir: t.TempDir(), Conf: map[string]string{"spark.sql.shuffle.partitions": "1"}})
	require.NoError(t, err)
	out, err := client(t, home.Python(), env, `
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.sql("CREATE TABLE spark_catalog.default.t USING delta AS SELECT 3 AS a")
print(type(spark).__module__, spark.sql("SELECT * FROM default.t").collect()[0].a, spark.conf.get("spark.sql.shuffle.partitions"), spark.sparkContext.master)
`)
	require.NoError(t, err, out)
	require.Equal(t, "pyspark.sql.session 3 1 local[2,4]\n", out)
}

func TestVenv(t *testing.T) {
	home := ensure(t)
	dir := filepath.Join(t.TempDir(), "venv")
	hello := func() string {
		out, err := exec.Command(filepath.Join(dir, "bin", "fake-hello")).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	begun := time.Now()
	_, err := home.Venv(t.Context(), dir, fakeWheel(t, "1.0"))
	require.NoError(t, err)
	t.Logf("made in %s", time.Since(begun))
	require.Equal(t, "hello 1.0 4.0.1\n", hello())

	requireNoProgram(t, func() {
		_, err := home.Venv(t.Context(), dir, fakeWheel(t, "1.0"))
		require.NoError(t, err)
	})
	_, err = home.Venv(t.Context(), dir, fakeWheel(t, "1.1"))
	require.NoError(t, err)
	require.Equal(t, "hello 1.1 4.0.1\n", hello())
}

// fakeWheel makes a wheel with a module and a console script.
func fakeWheel(t *testing.T, version string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	info := "fake_wheel-" + version + ".dist-info/"
	for _, f := range [][2]string{
		{"fake_wheel/__init__.py", "GREETING = 'hello " + version +
			"'\ndef hello():\n    import pyspark\n    print(GREETING, pyspark.__version__)\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: fake_wheel\nVersion: " + version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "entry_points.txt", "[console_scripts]\nfake-hello = fake_wheel:hello\n"},
		{info + "RECORD", ""},
	} {
		w, err := z.Create(f[0])
		require.NoError(t, err)
		_, err = w.Write([]byte(f[1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "fake_wheel-"+version+"-py3-none-any.whl")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	return path
}

func client(t *testing.T, python string, env []string, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", script)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr, cmd.Dir = env, &stderr, t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return string(out) + stderr.String(), err
	}
	return string(out), nil
}

// requireNoProcess waits until no process is left that a session in dir started:
// each has the folder in its environment.
func requireNoProcess(t *testing.T, dir string) {
	t.Helper()
	var left []string
	require.Eventually(t, func() bool {
		left = nil
		files, err := filepath.Glob("/proc/[0-9]*/environ")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte("SPARK_HOME="+filepath.Join(dir, "home"))) {
				left = append(left, f)
			}
		}
		return len(left) == 0
	}, 20*time.Second, 100*time.Millisecond, "left: %v", left)
}
