package regular_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/regular"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("full"), make([]byte, 2<<10), 0o600))
	require.NoError(t, os.WriteFile(at("over"), make([]byte, 2<<10+1), 0o600))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))
	require.NoError(t, os.Symlink("/dev/zero", at("endless")))
	require.NoError(t, os.Symlink("full", at("link")))

	for _, name := range []string{"full", "link"} {
		data, err := regular.Read(at(name), 2<<10)
		require.NoError(t, err)
		require.Len(t, data, 2<<10)
	}
	for name, says := range map[string]string{
		"over":    "it is larger than 2 KiB",
		"pipe":    "it is a pipe, not a regular file",
		"endless": "it is a device, not a regular file",
		".":       "it is a folder, not a file",
		"missing": "no such file or directory",
	} {
		_, err := regular.Read(at(name), 2<<10)
		var wrong *fs.PathError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, says, wrong.Err.Error(), name)
	}
}

func TestReadInStaysInside(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600))
	inside := filepath.Join(dir, "inside")
	require.NoError(t, os.Mkdir(inside, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(inside, "own"), []byte("o"), 0o600))
	require.NoError(t, os.Symlink("../secret", filepath.Join(inside, "link")))
	root, err := os.OpenRoot(inside)
	require.NoError(t, err)
	defer root.Close()

	data, err := regular.ReadIn(root, "own", 1)
	require.NoError(t, err)
	require.Equal(t, "o", string(data))
	for _, name := range []string{"link", "../secret", "."} {
		_, err := regular.ReadIn(root, name, 1)
		require.Error(t, err, name)
	}
}
