// Package release_test makes a release as `make release` does, without a network.
package release_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// offline is the environment of a command that must not reach for anything.
func offline() []string {
	return append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1")
}

// release packs the built programs into a folder.
func release(t *testing.T, version, to string) (string, error) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	c := exec.Command("go", "-C", filepath.Join(root, "tools"), "run", "./release", "-version", version, "-root", root, "-to", to)
	c.Env = offline()
	out, err := c.CombinedOutput()
	return string(out), err
}

// A release has an archive of this platform that works by itself, both wheels and
// true checksums; nothing in it says who packed it, and when.
func TestRelease(t *testing.T) {
	said, err := exec.Command("../../bin/bundlegen", "version").Output()
	require.NoError(t, err, "make build makes it")
	fields := strings.Fields(string(said))
	version := fields[len(fields)-1]
	dir := t.TempDir()
	first := filepath.Join(dir, "release")
	out, err := release(t, version, first)
	require.NoError(t, err, out)
	platform := runtime.GOOS + "_" + runtime.GOARCH
	name := "bundlegen_" + version + "_" + platform
	sums, err := os.ReadFile(filepath.Join(first, "checksums-"+platform+".txt"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	require.Len(t, lines, 3, "an archive and two wheels")
	wheels := 0
	for _, line := range lines {
		sum, file, ok := strings.Cut(line, "  ")
		require.True(t, ok, line)
		data, err := os.ReadFile(filepath.Join(first, file))
		require.NoError(t, err)
		digest := sha256.Sum256(data)
		assert.Equal(t, hex.EncodeToString(digest[:]), sum, file)
		if strings.HasSuffix(file, ".whl") {
			wheels++
		} else {
			assert.Equal(t, name+".tar.gz", file)
		}
	}
	assert.Equal(t, 2, wheels)

	// Unpacked anywhere, it makes a wheel and has a manual page.
	listed, err := exec.Command("tar", "--utc", "--numeric-owner", "-xvvzf", filepath.Join(first, name+".tar.gz"), "-C", dir).CombinedOutput()
	require.NoError(t, err, string(listed))
	for _, line := range strings.Split(strings.TrimSpace(string(listed)), "\n") {
		if strings.Contains(line, " Creating directory: ") { // tar's own word
			continue
		}
		assert.Regexp(t, `^-rw[x-]r-[x-]r-[x-]\s+0/0\s+\d+ 1970-01-01 00:00 `+name+"/", line, "who packs, and when, is not in it")
	}
	for _, paper := range []string{"README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "SECURITY.md", "man/man1/bundlegen.1"} {
		assert.FileExists(t, filepath.Join(dir, name, paper))
	}
	c := exec.Command(filepath.Join(dir, name, "bin", "bundlegen"), "wheel")
	c.Dir, c.Env = t.TempDir(), offline()
	answer, err := c.CombinedOutput()
	require.NoError(t, err, string(answer))
	made, err := filepath.Glob(filepath.Join(c.Dir, "dist", "*.whl"))
	require.NoError(t, err)
	assert.Len(t, made, 1)
	for _, program := range []string{"pi-extractor", "pi-simulator"} {
		out, err := exec.Command(filepath.Join(dir, name, "bin", program), "--help").CombinedOutput()
		assert.NoError(t, err, string(out))
	}
}

// Programs of one version are not packed as another.
func TestReleaseOfAnotherVersion(t *testing.T) {
	to := filepath.Join(t.TempDir(), "release")
	out, err := release(t, "9.9.9", to)
	require.Error(t, err)
	assert.Contains(t, out, `not version "9.9.9"`)
	assert.NoDirExists(t, to)
}
