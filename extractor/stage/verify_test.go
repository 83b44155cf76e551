package stage_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// staged makes a whole folder with ten events in each of two files.
func staged(t *testing.T, root string) stage.Folder {
	f := stage.New(root, "p", 3, 12, "b")
	require.NoError(t, f.Create())
	h := header(f)
	for i := range 2 {
		w, err := f.CreateWriter(i, labels())
		require.NoError(t, err)
		require.NoError(t, w.Write(numbers(10)))
		require.NoError(t, w.Close())
		h.Files, h.Events = append(h.Files, w.File()), h.Events+w.Events()
	}
	require.NoError(t, f.Seal(h))
	return f
}

func overwrite(t *testing.T, path string, change func(data []byte) []byte) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, change(data), 0o600))
}

// A folder is whole only as it was staged: whatever is done to it is told.
func TestVerifyFindsWhatWasChanged(t *testing.T) {
	first, second, marker := "data-0.parquet", "data-1.parquet", "batch.json"
	for _, c := range []struct {
		what, reason string
		unsealed     bool // the marker itself is not what was written
		do           func(t *testing.T, dir string)
	}{
		{"a file is missing", "data-1.parquet, of ", false, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, second)))
		}},
		{"a file has another name", "data-0.parquet, of ", false, func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, first), filepath.Join(dir, "data-7.parquet")))
		}},
		{"a file is empty", "data-1.parquet has 0 bytes instead of ", false, func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, second), 0))
		}},
		{"a file is there twice", `"data-0 (copy).parquet" is one file too many`, false, func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, first))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "data-0 (copy).parquet"), data, 0o600))
		}},
		{"a file came to where Spark's are", `"data/part-0.csv" is one file too many`, false, func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "part-0.csv"), nil, 0o600))
		}},
		{"a folder has a file's place", "data-0.parquet has -1 bytes", false, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, first)))
			require.NoError(t, os.Mkdir(filepath.Join(dir, first), 0o700))
		}},
		{"two files changed places", "has other bytes than were written", false, func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, first), filepath.Join(dir, "x")))
			require.NoError(t, os.Rename(filepath.Join(dir, second), filepath.Join(dir, first)))
			require.NoError(t, os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, second)))
			overwrite(t, filepath.Join(dir, first), func(data []byte) []byte { data[len(data)/2]++; return data }) // the two have the same events
		}},
		{"an outcome was edited", "batch.json was changed after it was written", true, func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, marker), func(data []byte) []byte {
				require.Contains(t, string(data), `"to":2,`)
				return bytes.Replace(data, []byte(`"to":2,`), []byte(`"to":9,`), 1)
			})
		}},
		{"an editor saved the marker", "batch.json was changed after it was written", true, func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, marker), func(data []byte) []byte { return append(data, '\n') })
		}},
		{"the marker is zeros", "batch.json cannot be read", true, func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, marker), func(data []byte) []byte { return make([]byte, len(data)) })
		}},
		{"the marker says an older version", "batch.json was changed after it was written", true, func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, marker), func(data []byte) []byte {
				return bytes.Replace(data, []byte(`"version":2`), []byte(`"version":1`), 1)
			})
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := staged(t, t.TempDir())
			want, whole, err := f.Verify()
			require.NoError(t, err)
			require.True(t, whole)
			c.do(t, f.Dir)
			_, whole, err = f.Verify()
			require.False(t, whole)
			var d *stage.Damage
			require.ErrorAs(t, err, &d)
			require.Contains(t, d.Reason, c.reason)
			require.Equal(t, !c.unsealed, d.Sealed)
			if d.Sealed {
				require.Equal(t, want, d.Header)
			}
		})
	}
}

// No bit of a whole folder can change unnoticed.
func TestVerifyFindsAFlippedBit(t *testing.T) {
	f := staged(t, t.TempDir())
	for _, name := range []string{"data-0.parquet", "data-1.parquet", "batch.json"} {
		path := filepath.Join(f.Dir, name)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for i := range data {
			data[i] ^= 1 << (i % 8)
			require.NoError(t, os.WriteFile(path, data, 0o600))
			_, whole, err := f.Verify()
			require.False(t, whole, "byte %d of %s", i, name)
			if err != nil || name != "batch.json" { // a marker whose end is missing is none
				require.ErrorAs(t, err, new(*stage.Damage), "byte %d of %s", i, name)
			}
			data[i] ^= 1 << (i % 8)
		}
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
	_, whole, err := f.Verify()
	require.NoError(t, err)
	require.True(t, whole)
}

// Markers of earlier programs, without digests or without any list, still count.
func TestVerifyOlderMarkers(t *testing.T) {
	for version := range 2 {
		f := staged(t, t.TempDir())
		h, _, err := f.Header()
		require.NoError(t, err)
		h.Version = version
		for i := range h.Files {
			h.Files[i].SHA256 = ""
		}
		if version == 0 {
			h.Files = nil
		}
		data, err := json.Marshal(h)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "batch.json"), data, 0o600))
		got, whole, err := f.Verify()
		require.NoError(t, err)
		require.True(t, whole)
		require.Len(t, got.Files, 2)
		for _, file := range got.Files {
			require.NoError(t, os.Remove(f.Path(file)))
		}
		_, whole, err = f.Verify()
		require.ErrorAs(t, err, new(*stage.Damage))
		require.False(t, whole)
	}
}

// A marker is never made where what was written and what is there differ, nor
// where that cannot be told.
func TestSealRefuses(t *testing.T) {
	for what, do := range map[string]func(t *testing.T, f stage.Folder, h *batch.Header){
		"events without a file": func(_ *testing.T, _ stage.Folder, h *batch.Header) { h.Events, h.Files = 1, nil },
		"a file that is gone": func(t *testing.T, f stage.Folder, _ *batch.Header) {
			require.NoError(t, os.Remove(filepath.Join(f.Dir, "data-0.parquet")))
		},
		"a file that nobody wrote": func(_ *testing.T, _ stage.Folder, h *batch.Header) { h.Files = nil },
		"a file that is longer": func(t *testing.T, f stage.Folder, _ *batch.Header) {
			overwrite(t, filepath.Join(f.Dir, "data-0.parquet"), func(data []byte) []byte { return append(data, 0) })
		},
		"a folder that cannot be listed": func(t *testing.T, f stage.Folder, h *batch.Header) {
			require.NoError(t, os.RemoveAll(f.Dir))
			require.NoError(t, os.WriteFile(f.Dir, nil, 0o600))
			h.Files = nil // it would be an empty batch
		},
	} {
		t.Run(what, func(t *testing.T) {
			f := stage.New(t.TempDir(), "p", 3, 12, "b")
			require.NoError(t, f.Create())
			if what != "events without a file" {
				w, err := f.CreateWriter(0, labels())
				require.NoError(t, err)
				require.NoError(t, w.Close())
			}
			h := header(f)
			do(t, f, h)
			require.Error(t, f.Seal(h))
			_, err := os.Stat(filepath.Join(f.Dir, "batch.json"))
			require.Error(t, err)
		})
	}
}

// Who removes a folder takes its marker first: one that goes is not damaged.
func TestVerifyBesideARemoval(t *testing.T) {
	f := staged(t, t.TempDir())
	h, whole, err := f.Header()
	require.NoError(t, err)
	require.True(t, whole)
	require.NoError(t, os.Remove(filepath.Join(f.Dir, "batch.json")))
	require.NoError(t, os.Remove(filepath.Join(f.Dir, "data-0.parquet")))
	require.ErrorAs(t, f.Check(&h), new(*stage.Damage))
	_, whole, err = f.Verify()
	require.NoError(t, err)
	require.False(t, whole)
}

// What is set aside is kept, as it is, and nobody takes it for a batch.
func TestSetAside(t *testing.T) {
	root := t.TempDir()
	for n, name := range []string{"000000000012-b", "000000000012-b.2"} {
		f := staged(t, root)
		f.Lease = stage.Lease{RunID: "r"}
		require.NoError(t, f.Create())
		at, err := f.SetAside()
		require.NoError(t, err)
		require.Equal(t, filepath.Join(root, "p", "set-aside", "p0003", name), at)
		require.FileExists(t, filepath.Join(at, "data-1.parquet"))
		require.FileExists(t, filepath.Join(at, "batch.json"))
		require.NoDirExists(t, f.Dir)
		_, leased := f.ReadLease()
		require.False(t, leased)
		folders, err := stage.All(root, "p")
		require.NoError(t, err)
		require.Empty(t, folders, "after %d", n+1)
		_, err = f.SetAside()
		require.NoError(t, err, "another process was faster")
	}
}
