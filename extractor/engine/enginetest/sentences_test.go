package enginetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every sentence is held by something that is there, and every case holds one.
func TestSentences(t *testing.T) {
	holds := map[string]int{}
	for _, c := range cases {
		require.NotContains(t, holds, c.name, "two cases of one name")
		holds[c.name] = 0
	}
	for _, s := range Sentences {
		require.True(t, len(s.Cases)+len(s.Elsewhere) > 0 || s.Open != "", "nothing holds: %s", s.Text)
		for _, name := range s.Cases {
			require.Contains(t, holds, name, s.Text)
			holds[name]++
		}
		for _, other := range s.Elsewhere {
			requireThere(t, other)
		}
	}
	for name, n := range holds {
		require.Positive(t, n, "no sentence names %q", name)
	}
}

// requireThere says that a test or a file is there.
func requireThere(t *testing.T, name string) {
	path, test, isTest := strings.Cut(name, " ")
	path = filepath.Join("..", "..", "..", path)
	if !isTest {
		_, err := os.Stat(path)
		require.NoError(t, err)
		return
	}
	files, err := filepath.Glob(filepath.Join(path, "*_test.go"))
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		if strings.Contains(string(text), "func "+test+"(") {
			return
		}
	}
	require.Fail(t, "there is no such test", name)
}
