package workspace_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/localspark"
)

// A wheel for another kind of processor is found out before it is deployed; else
// by pip on the node, before it is installed; else by the launcher.
func TestWheelForAnotherProcessor(t *testing.T) {
	clean(t)
	p := newProject(t, "https://pi.plant-a.example")
	p.write("inventory.csv", "tag,point_id\none,1\ntwo,2\n")
	p.bundlegen(0, "generate")
	dist := filepath.Join(p.dir, "bundles", "plant", "dist")
	own := only(t, filepath.Join(dist, "*.whl"))
	require.Contains(t, own, "x86_64")
	p.bundlegen(0, "wheel", "--arch", "arm64", "-o", filepath.Join("bundles", "plant", "dist"))
	other := only(t, filepath.Join(dist, "*.whl"))
	require.Contains(t, other, "aarch64")

	said := p.bundlegen(1, "validate", "-t", "dev")
	require.Regexp(
		t,
		`databricks-loadbalanced\.yml:\d+:\d+: variables\.\S+\.node_type_id: "m5d\.xlarge": has amd64 processors, and dist/pi_extractor-\S+_aarch64\.whl is for arm64`,
		said,
	)
	require.Regexp(t, `hint: bundlegen wheel --arch amd64 -o \S*dist\n`, said)

	spark, err := localspark.Ensure(t.Context(), slog.Default())
	require.NoError(t, err)
	_, err = spark.Venv(t.Context(), filepath.Join(t.TempDir(), "node"), other)
	require.ErrorContains(t, err, "is not a supported wheel on this platform")

	p.bundlegen(0, "generate")
	require.Equal(t, own, only(t, filepath.Join(dist, "*.whl")), "generate mends it")
	python, err := spark.Venv(t.Context(), filepath.Join(t.TempDir(), "node"), own)
	require.NoError(t, err)
	installed := only(t, filepath.Join(filepath.Dir(filepath.Dir(python)), "lib", "python3*", "site-packages", "pi_extractor", "pi-extractor"))

	require.NoError(t, os.Chmod(installed, 0o444))
	said, err = launch(t, python)
	require.NoError(t, err, said)
	require.Contains(t, said, "flag --pipeline is missing", "a program without its mode is run all the same")

	arm, err := os.ReadFile(program(t, "pi-extractor-linux-arm64"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(installed))
	require.NoError(t, os.WriteFile(installed, arm, 0o755))
	said, err = launch(t, python)
	require.Error(t, err)
	require.Contains(t, said, "this machine cannot run the wheel's pi-extractor: [Errno 8] Exec format error")
	require.Contains(t, said, "hint: the bundle's wheel is for one kind of processor")
}

// only returns the one file that a pattern matches.
func only(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, files, 1, pattern)
	return files[0]
}

// launch has the launcher of an installed wheel start the program, and gives what
// both say. There is no Spark to wait for: what is looked at comes before.
func launch(t *testing.T, python string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-c", strings.Join([]string{
		"import os",
		"from pi_extractor import launcher",
		"process, requests, answers = launcher.start('discover', [], dict(os.environ))",
		"print(*(text.decode() for text in process.communicate()))",
	}, "\n"))
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}
