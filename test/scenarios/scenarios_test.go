// Package scenarios_test drives the built programs as a person would: scripts
// in testdata say what is typed, what is there before, and what has to come out.
// commands_test.go and its neighbours define the words that scripts have beyond
// testscript's own.
package scenarios_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with")

// built is where make build leaves the programs.
var built = filepath.Join("..", "..", "bin")

// TestMain lets more scenarios run side by side than there are processors, since
// most of the time they wait: for retries, for a slow server, for a workspace
// that does not answer.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestScenarios(t *testing.T) {
	root, err := os.MkdirTemp("", "scenarios-")
	require.NoError(t, err)
	t.Cleanup(func() { removeAll(t, root) })
	require.NoError(t, os.Chmod(root, 0o755), "some scenarios run programs as another user")
	programs := filepath.Join(root, "bin")
	require.NoError(t, placePrograms(programs))
	real, err := filepath.Abs(built)
	require.NoError(t, err)

	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		WorkdirRoot:         root,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                words,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", programs+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("BUILT", real)
			s := newScene()
			env.Values[sceneKey{}] = s
			env.Defer(s.end)
			// What the machine that runs the tests has set must not show.
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "DATABRICKS_HOST", "DATABRICKS_TOKEN", "NO_COLOR"} {
				env.Setenv(name, "")
			}
			return nil
		},
	})
}

// removeAll removes a folder, also what scripts made read-only in it.
func removeAll(t *testing.T, root string) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return err
	})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(root))
}

// placePrograms puts the built programs into a folder that any user can reach.
// Beside them stands not the real static program but the least that a wheel
// takes for one: packing the real one takes seconds, and one scenario does that.
func placePrograms(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"bundlegen", "pi-extractor", "pi-simulator", "pi-extractor-linux-amd64"} {
		from, to := filepath.Join(built, name), filepath.Join(dir, name)
		if _, err := os.Stat(from); err != nil {
			return fmt.Errorf("%w\nthe programs are not built: run make build in the repository's folder", err)
		}
		if name == "pi-extractor-linux-amd64" {
			if err := os.WriteFile(to, smallestProgram(), 0o755); err != nil {
				return err
			}
			continue
		}
		if os.Link(from, to) == nil {
			continue
		}
		data, err := os.ReadFile(from) // another file system
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// smallestProgram is the header of a 64-bit ELF file for x86-64, and nothing behind it.
func smallestProgram() []byte {
	const size = 64
	elf := make([]byte, size)
	copy(elf, "\x7fELF\x02\x01\x01") // 64 bits, little-endian, version 1
	elf[16], elf[18], elf[20] = 2, 62, 1
	elf[52] = size
	return elf
}
