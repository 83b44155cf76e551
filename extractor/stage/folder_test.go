package stage_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// header is of the batch of a folder, with the files that are there.
func header(f stage.Folder) *batch.Header {
	files, _ := f.Files() // a folder that is not there has none
	return &batch.Header{Files: files, Pipeline: "p", Partition: f.Partition, Number: f.Number, ID: f.BatchID, Status: batch.Succeeded,
		Outcomes: []batch.Outcome{{PointID: 7, Name: "a\nb", From: 1, To: 2, Events: 3}}}
}

// sealed makes a whole folder with one file of data.
func sealed(t *testing.T, root string, partition int, number int64, id string) stage.Folder {
	f := stage.New(root, "p", partition, number, id)
	require.NoError(t, f.Create())
	w, err := f.CreateWriter(0, labels())
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, f.Seal(header(f)))
	return f
}

func isWhole(t *testing.T, f stage.Folder) bool {
	_, whole, err := f.Header()
	require.NoError(t, err)
	return whole
}

func TestFolderIsTornUntilSealed(t *testing.T) {
	f := stage.New(t.TempDir(), "p", 3, 12, "b")
	require.False(t, isWhole(t, f), "there is none yet")
	require.NoError(t, f.Create())
	require.False(t, isWhole(t, f))
	w, err := f.CreateWriter(0, labels())
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.False(t, isWhole(t, f))
	require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "batch.json.tmp"), []byte("{"), 0o600))
	require.False(t, isWhole(t, f), "a marker that was not finished is none")

	require.NoError(t, f.Seal(header(f)))
	h, whole, err := f.Header()
	require.NoError(t, err)
	require.True(t, whole)
	want := *header(f)
	want.Version = batch.HeaderVersion
	want.Files = []batch.File{w.File()}
	require.Equal(t, want, h)
	require.NoError(t, f.Check(&h))

	marker, err := os.ReadFile(filepath.Join(f.Dir, "batch.json"))
	require.NoError(t, err)
	for n := range marker {
		require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "batch.json"), marker[:n], 0o600))
		require.False(t, isWhole(t, f), "the first %d bytes of a marker are none", n)
	}
	require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "batch.json"), []byte(`{"version": 99}`), 0o600))
	_, _, err = f.Header()
	require.ErrorContains(t, err, "newer than this program")
	require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "batch.json"), []byte("{]}"), 0o600))
	_, whole, err = f.Header()
	require.ErrorContains(t, err, "batch.json")
	require.False(t, whole)
}

// The marker may be there only when everything before it is.
func TestSealMakesTheMarkerLastByRenaming(t *testing.T) {
	f := stage.New(t.TempDir(), "p", 0, 1, "b")
	require.NoError(t, f.Create())
	watch, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	require.NoError(t, err)
	defer syscall.Close(watch)
	_, err = syscall.InotifyAddWatch(watch, f.Dir, syscall.IN_CREATE|syscall.IN_CLOSE_WRITE|syscall.IN_MODIFY|syscall.IN_MOVED_TO)
	require.NoError(t, err)
	w, err := f.CreateWriter(0, labels())
	require.NoError(t, err)
	require.NoError(t, w.Write(numbers(10)))
	require.NoError(t, w.Close())
	require.NoError(t, f.Seal(header(f)))

	var buf [4096]byte
	n, err := syscall.Read(watch, buf[:])
	require.NoError(t, err)
	var seen []string
	for b := buf[:n]; len(b) > 0; {
		mask, size := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
		name, _, _ := strings.Cut(string(b[16:16+size]), "\x00")
		kind := map[uint32]string{syscall.IN_CREATE: "made ", syscall.IN_MODIFY: "written ", syscall.IN_CLOSE_WRITE: "closed ",
			syscall.IN_MOVED_TO: "moved to "}[mask]
		seen = append(seen, kind+name)
		b = b[16+size:]
	}
	require.Equal(t, []string{
		"made data-0.parquet", "written data-0.parquet", "closed data-0.parquet",
		"made batch.json.tmp", "written batch.json.tmp", "closed batch.json.tmp",
		"moved to batch.json",
	}, seen)
}

func TestFolderThatWasMovedIsRefused(t *testing.T) {
	root := t.TempDir()
	f := sealed(t, root, 3, 12, "b")
	for name, to := range map[string]stage.Folder{
		"another number":    stage.New(root, "p", 3, 13, "b"),
		"another batch":     stage.New(root, "p", 3, 12, "c"),
		"another partition": stage.New(root, "p", 4, 12, "b"),
		"another pipeline":  stage.New(root, "q", 3, 12, "b"),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.CopyFS(to.Dir, os.DirFS(f.Dir)))
			_, whole, err := to.Header()
			require.False(t, whole)
			require.ErrorContains(t, err, to.Dir)
			require.ErrorAs(t, err, new(*stage.Damage))
		})
	}
	require.True(t, isWhole(t, f))
	elsewhere := filepath.Join(t.TempDir(), "a data folder that was moved")
	require.NoError(t, os.Rename(root, elsewhere))
	require.True(t, isWhole(t, stage.New(elsewhere, "p", 3, 12, "b")))
}

func TestListGivesFoldersInOrderOfNumberThenBatch(t *testing.T) {
	root := t.TempDir()
	none, err := stage.List(root, "p", 0)
	require.NoError(t, err)
	require.Empty(t, none)
	partitions, err := stage.Partitions(root, "p")
	require.NoError(t, err)
	require.Empty(t, partitions)

	want := []stage.Folder{
		stage.New(root, "p", 10_000, 2, "b-1"), stage.New(root, "p", 10_000, 2, "c"), stage.New(root, "p", 10_000, 10, "a"),
		stage.New(root, "p", 10_000, 1_000_000_000_000, ""),
	}
	for _, i := range []int{2, 0, 3, 1} {
		require.NoError(t, want[i].Create())
	}
	require.NoError(t, stage.New(root, "p", 2, 1, "b").Create())
	require.NoError(t, stage.New(root, "other", 5, 1, "b").Create())
	partition := filepath.Dir(want[0].Dir)
	for _, name := range []string{"lost+found", "1-b", "-000000000001-b", "+00000000001-b", "000000000003", "00000000000x-b", "p0001"} {
		require.NoError(t, os.Mkdir(filepath.Join(partition, name), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(partition, "000000000004-b"), nil, 0o600), "a file is no folder")
	for _, name := range []string{"lost+found", "0003", "p3", "p-001", "p+001"} {
		require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(partition), name), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(partition), "p0004"), nil, 0o600))

	got, err := stage.List(root, "p", 10_000)
	require.NoError(t, err)
	require.Equal(t, want, got)
	partitions, err = stage.Partitions(root, "p")
	require.NoError(t, err)
	require.Equal(t, []int{2, 10_000}, partitions)
}

func TestNamesOfAnyKindStayUnderTheRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a [b] *?")
	f := stage.New(root, "plant/../..", 0, 1, "b")
	require.NoError(t, f.Create())
	w, err := f.CreateWriter(0, labels())
	require.NoError(t, err)
	require.NoError(t, w.Close())
	h := header(f)
	h.Pipeline = "plant/../.."
	require.NoError(t, f.Seal(h))
	require.True(t, isWhole(t, f))
	files, err := f.DataFiles()
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(f.Dir, "data-0.parquet")}, files)
	above, err := os.ReadDir(filepath.Dir(root))
	require.NoError(t, err)
	require.Len(t, above, 1)
	found, err := stage.List(root, "plant/../..", 0)
	require.NoError(t, err)
	require.Equal(t, []stage.Folder{f}, found)
}

func TestWriterNeverWritesOverAFile(t *testing.T) {
	f := sealed(t, t.TempDir(), 0, 1, "b")
	before, err := os.ReadFile(filepath.Join(f.Dir, "data-0.parquet"))
	require.NoError(t, err)
	_, err = f.CreateWriter(0, labels())
	require.ErrorIs(t, err, os.ErrExist)
	after, err := os.ReadFile(filepath.Join(f.Dir, "data-0.parquet"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
}

func TestRemove(t *testing.T) {
	f := sealed(t, t.TempDir(), 0, 1, "b")
	require.NoError(t, f.Remove())
	require.NoDirExists(t, f.Dir)
	require.NoError(t, f.Remove(), "it is gone already")
	require.NoError(t, f.Create())
	require.NoError(t, f.Remove(), "a torn one")
	require.NoDirExists(t, f.Dir)
}
