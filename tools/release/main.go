// Command release packs what `make build` has made: an archive of this platform's
// programs, the wheels, and their checksums. It needs no network, and the same
// programs give the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	version := flag.String("version", "", "the version, such as 0.2.0")
	root := flag.String("root", ".", "the checkout, with bin/ built")
	to := flag.String("to", "release", "the folder that is written; it is made anew")
	flag.Parse()
	if err := release(*version, *root, *to); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// programs and papers are what an archive holds, below a folder of its name.
var (
	programs = []string{"bundlegen", "pi-extractor", "pi-simulator", "pi-extractor-linux-amd64", "pi-extractor-linux-arm64"}
	papers   = []string{"CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "SECURITY.md"}
)

func release(version, root, to string) error {
	bin := filepath.Join(root, "bin")
	said, err := exec.Command(filepath.Join(bin, "bundlegen"), "version").Output()
	if err != nil {
		return fmt.Errorf("bin/bundlegen does not run: %w\nhint: make build", err)
	}
	if version == "" || !slices.Contains(strings.Fields(string(said)), version) {
		return fmt.Errorf(
			"bin/bundlegen is %q, not version %q\nhint: make release VERSION=…, which builds first",
			strings.TrimSpace(string(said)),
			version,
		)
	}
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o755)); err != nil {
		return err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if err := wheel(filepath.Join(bin, "bundlegen"), arch, to); err != nil {
			return fmt.Errorf("the wheel for %s: %w", arch, err)
		}
	}
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if err := pack(root, filepath.Join(to, "bundlegen_"+version+"_"+platform+".tar.gz"), "bundlegen_"+version+"_"+platform); err != nil {
		return err
	}
	return sums(to, "checksums-"+platform+".txt")
}

// wheel makes the wheel of an architecture. It has a folder of its own until it is
// made: bundlegen leaves no other wheel beside it.
func wheel(bundlegen, arch, to string) (err error) {
	dir, err := os.MkdirTemp(to, "wheel-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if out, err := exec.Command(bundlegen, "wheel", "--arch", arch, "--out", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(made) != 1 {
		return fmt.Errorf("bundlegen wheel made %d files: %w", len(made), err)
	}
	return os.Rename(made[0], filepath.Join(to, filepath.Base(made[0])))
}

// pack writes the archive. Times and owners are the same whoever packs.
func pack(root, file, folder string) error {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	t := tar.NewWriter(z)
	add := func(name string, mode int64, data []byte) error {
		h := &tar.Header{Name: folder + "/" + name, Mode: mode, Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := t.Write(data)
		return err
	}
	copied := func(name string, mode int64) error {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return fmt.Errorf("%w\nhint: make build", err)
		}
		return add(name, mode, data)
	}
	for _, p := range papers {
		if err := copied(p, 0o644); err != nil {
			return err
		}
	}
	for _, p := range programs {
		if err := copied("bin/"+p, 0o755); err != nil {
			return err
		}
	}
	man, err := exec.Command(filepath.Join(root, "bin", "bundlegen"), "man").Output()
	if err != nil {
		return fmt.Errorf("the manual page: %w", err)
	}
	if err := add("man/man1/bundlegen.1", 0o644, man); err != nil {
		return err
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, buf.Bytes(), 0o644)
}

// sums writes the SHA-256 of each file of a folder, as sha256sum -c reads them.
func sums(folder, name string) error {
	entries, err := fs.ReadDir(os.DirFS(folder), ".")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(folder, name), out.Bytes(), 0o644)
}
