package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/fixedseed"
)

var update = flag.Bool("update", false, "write the expected errors, the reference and the schema anew")

// TestMain fixes the seed of the property tests, unless one is given.
func TestMain(m *testing.M) {
	fixedseed.Set()
	os.Exit(m.Run())
}

// literal stands wherever a test puts a secret by mistake.
const literal = "hunter2"

// TestBadFiles compares what is said about each bad file word for word.
func TestBadFiles(t *testing.T) {
	const table = "testdata/bad.txtar"
	archive, err := txtar.ParseFile(table)
	require.NoError(t, err)
	require.NotEmpty(t, archive.Files)
	for i := 0; i+1 < len(archive.Files); i += 2 {
		in, want := archive.Files[i], &archive.Files[i+1]
		name := strings.TrimSuffix(in.Name, ".yml")
		require.Equal(t, name+".err", want.Name)
		t.Run(name, func(t *testing.T) {
			_, err := read(in.Data, "pipeline.yml")
			require.Error(t, err)
			got := err.Error() + "\n"
			require.NotContains(t, got, literal)
			require.Contains(t, got, "\nhint: ")
			var ps *diag.List
			require.ErrorAs(t, err, &ps)
			lines := strings.Count(string(in.Data), "\n") + 1
			for _, p := range ps.Problems {
				require.NotEmpty(t, p.Hint)
				require.Positive(t, p.Line)
				require.LessOrEqual(t, p.Line, lines)
				require.Positive(t, p.Column)
			}
			if *update {
				want.Data = []byte(got)
			}
			require.Equal(t, string(want.Data), got)
		})
	}
	if *update {
		require.NoError(t, os.WriteFile(table, txtar.Format(archive), 0o644))
	}
}

// TestBadBytes is what a text file cannot hold.
func TestBadBytes(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"not UTF-8": {"version: 1\nname: d\xe9mo\n",
			"p.yml:2:8: byte 0xe9 is not UTF-8\nhint: save the file as UTF-8"},
		"UTF-16": {"\xff\xfev\x00e\x00",
			"p.yml:1:1: byte 0xff is not UTF-8\nhint: save the file as UTF-8"},
		"control character": {"version: 1\nname: d\x00mo\n",
			"p.yml:2:8: control character U+0000\nhint: delete it, or write it as an escape in double quotes"},
		"BOM in the middle": {"version: 1\nné: \ufeffx\n",
			"p.yml:2:5: control character U+FEFF\nhint: delete it, or write it as an escape in double quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read([]byte(c.in), "p.yml")
			require.EqualError(t, err, c.want)
		})
	}
}

// TestUnreadableFiles is what happens before the first byte is read.
func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	missing, large := filepath.Join(dir, "none.yml"), filepath.Join(dir, "large.yml")
	require.NoError(t, os.WriteFile(large, make([]byte, maxFile+1), 0o644))
	for path, want := range map[string]string{
		missing: missing + ": there is no such file\nhint: `bundlegen init --server URL` writes one; -c names another",
		dir:     dir + ": is a folder\nhint: name the file: -c " + filepath.Join(dir, "pipeline.yml"),
		large:   large + ": larger than 1 MiB; allowed: a pipeline.yml of at most that\nhint: tags belong into the inventory, a CSV",
	} {
		_, err := Load(path)
		require.EqualError(t, err, want)
	}
}
