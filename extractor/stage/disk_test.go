package stage_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// inNamespace means that it runs where it may mount.
const inNamespace = "STAGE_TEST_MAY_MOUNT"

// smallDisk mounts a file system of a megabyte. Mounting needs a namespace of
// its own: the test is run once more in one, and here ok is false.
func smallDisk(t *testing.T) (dir string, ok bool) {
	if os.Getenv(inNamespace) == "" {
		args := []string{"--mount"}
		if os.Geteuid() != 0 {
			args = append(args, "--map-root-user")
		}
		cmd := exec.Command("unshare", append(args, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")...)
		cmd.Env = append(os.Environ(), inNamespace+"=yes")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\nthe test mounts a small disk: run it as root, or allow namespaces: "+
			"sudo sysctl -w user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0", out)
		require.Contains(t, string(out), "--- PASS: "+t.Name(), "it was run")
		return "", false
	}
	dir = t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=1m")
	return dir, true
}

func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	require.NoError(t, syscall.Mount(source, target, kind, flags, options))
	if flags&syscall.MS_REMOUNT == 0 {
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(target, 0)) })
	}
}

// numbers makes events that do not compress.
func numbers(n int) *columns.Batch {
	var b columns.Batch
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		b.Append(0, int64(i), r.Float64(), 0, 0, columns.HasValue)
	}
	return &b
}

func TestFullDiskIsAnError(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		return
	}
	f := stage.New(dir, "p", 0, 1, "b")
	require.NoError(t, f.Create())
	w, err := f.CreateWriter(0, labels())
	require.NoError(t, err)
	b := numbers(50_000)
	for range 10 {
		if err = w.Write(b); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorIs(t, w.Write(b), syscall.ENOSPC, "there is no way back")
	require.ErrorIs(t, w.Close(), syscall.ENOSPC)
	require.ErrorIs(t, f.Seal(header(f)), syscall.ENOSPC)
	require.False(t, isWhole(t, f))
	require.NoError(t, f.Remove())

	// Now what is written fits into memory: only Close can find out.
	require.NoError(t, f.Create())
	w, err = f.CreateWriter(0, labels())
	require.NoError(t, err)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	require.NoError(t, filler.Close())
	require.NoError(t, w.Write(numbers(10)))
	require.ErrorIs(t, w.Close(), syscall.ENOSPC)
	require.NoError(t, f.Remove())
}

func TestReadOnlyDiskIsAnError(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		return
	}
	f := sealed(t, dir, 0, 1, "b")
	mount(t, "", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	require.ErrorIs(t, stage.New(dir, "p", 0, 2, "b").Create(), syscall.EROFS)
	_, err := f.CreateWriter(1, labels())
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorIs(t, f.Seal(header(f)), syscall.EROFS)
	require.ErrorIs(t, f.Remove(), syscall.EROFS)
	require.True(t, isWhole(t, f), "it can still be published")
	mount(t, "", dir, "", syscall.MS_REMOUNT, "")
}

func TestRemoveThatBreaksOffLeavesATornFolder(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		return
	}
	t.Run("after the marker", func(t *testing.T) {
		f := sealed(t, dir, 0, 1, "b")
		data := filepath.Join(f.Dir, "data-0.parquet")
		mount(t, data, data, "", syscall.MS_BIND, "") // what is mounted on cannot be removed
		require.ErrorIs(t, f.Remove(), syscall.EBUSY)
		require.FileExists(t, data)
		require.False(t, isWhole(t, f))
	})
	t.Run("at the marker", func(t *testing.T) {
		f := sealed(t, dir, 0, 2, "b")
		marker := filepath.Join(f.Dir, "batch.json")
		mount(t, marker, marker, "", syscall.MS_BIND, "")
		require.ErrorIs(t, f.Remove(), syscall.EBUSY)
		require.FileExists(t, filepath.Join(f.Dir, "data-0.parquet"), "nothing goes before the marker")
		require.True(t, isWhole(t, f))
	})
}
