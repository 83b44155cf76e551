package wheel

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program that stands beside the running one is taken by the name that says its
// processor; one that is called plainly pi-extractor only if it is static and of the
// very same build of the module.
func TestBesideTakesNoProgramOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	own := debug.Module{Path: "github.com/bundlegen/bundlegen", Version: "v1.2.3", Sum: "h1:x"}
	data, err := beside(dir, AMD64, own)
	require.NoError(t, err)
	require.Nil(t, data)

	// What stands for a pi-extractor that somebody has installed: any program of Go's.
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(dir, Binary)))
	data, err = beside(dir, AMD64, own)
	require.NoError(t, err)
	require.Nil(t, data)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "pi-extractor-linux-arm64"), []byte("arm"), 0o755))
	data, err = beside(dir, AMD64, own)
	require.NoError(t, err)
	require.Nil(t, data)
	data, err = beside(dir, ARM64, own)
	require.NoError(t, err)
	require.Equal(t, "arm", string(data))
}

// A program that was built in a checkout knows that only where the path was not
// trimmed away; Go builds there what the wheel needs.
func TestBuiltInACheckout(t *testing.T) {
	var told []string
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	if _, here, _, _ := runtime.Caller(0); filepath.IsAbs(here) {
		source, err := checkout()
		require.NoError(t, err)
		require.Equal(t, root, source)
	} else {
		_, err := built(
			t.Context(),
			AMD64,
			debug.Module{Path: "github.com/bundlegen/bundlegen", Version: "(devel)"},
			func(s string) { told = append(told, s) },
		)
		require.ErrorContains(t, err, "hint: make build in it leaves the static programs beside bundlegen")
		require.Empty(t, told)
	}
	out := filepath.Join(t.TempDir(), Binary)
	require.NoError(t, compile(t.Context(), root, out, ARM64, "github.com/bundlegen/bundlegen"))
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	require.NoError(t, checkBinary(data, ARM64))
	f, err := elf.NewFile(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, elf.EM_AARCH64, f.Machine)
}

// A build that fails says so in Go's own words.
func TestBuildErrorsAreGos(t *testing.T) {
	_, err := exec.LookPath("go")
	require.NoError(t, err)
	err = compile(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), Binary), AMD64, "example.com/none")
	require.ErrorContains(t, err, "go build: exit status 1\ngo: ")
}
