package localspark_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/localspark"
)

// TestLauncher runs the tests that the wheel's Python has of its own, on this Spark.
func TestLauncher(t *testing.T) {
	home := ensure(t)
	env, err := home.Classic(localspark.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	for _, kv := range env {
		if name, value, _ := strings.Cut(kv, "="); name == "SPARK_HOME" {
			env = append(env, "PI_TEST_SPARK_HOME="+value)
		} else if name == "SPARK_CONF_DIR" {
			env = append(env, "PI_TEST_SPARK_CONF="+value)
		}
	}
	tests, err := filepath.Abs("../../templates/launcher/tests")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), home.Python(), "-m", "pytest", "-q", "-p", "no:cacheprovider",
		"--basetemp="+filepath.Join(t.TempDir(), "own"), tests)
	cmd.Dir, cmd.Env = t.TempDir(), append(env, "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
	require.NotContains(t, lines[len(lines)-1], "skipped")
}
