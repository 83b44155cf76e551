package wheel

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
)

// extractor is the package of the program that a wheel carries, below the module.
const extractor = "cmd/pi-extractor"

// Program returns the static pi-extractor for a processor: one that stands beside
// the running program, else one that Go builds from the source of the running
// program's own version. `go install` leaves no static program, since cgo has no
// cross-compiler and DuckDB needs cgo; the module in Go's cache has all that it takes.
// say is told before a build, which takes a minute the first time.
func Program(ctx context.Context, arch Arch, say func(string)) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return nil, err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	data, err := beside(filepath.Dir(self), arch, info.Main)
	if data != nil || err != nil {
		return data, err
	}
	data, err = built(ctx, arch, info.Main, say)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("there is no %s in %s, and none can be built: %w", named(arch), filepath.Dir(self), err)
	}
	return data, err
}

// named is the name under which make build leaves the static program.
func named(arch Arch) string { return Binary + "-linux-" + string(arch) }

// beside returns the static program in a folder; nil when there is none. A program
// that is called plainly pi-extractor must be of this very build of the module: it
// may have been left there long ago.
func beside(dir string, arch Arch, own debug.Module) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, named(arch)))
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	path := filepath.Join(dir, Binary)
	info, err := buildinfo.ReadFile(path)
	if err != nil || info.Main != own || own.Sum == "" || info.Path != own.Path+"/"+extractor {
		return nil, nil
	}
	if data, err = os.ReadFile(path); err != nil || checkBinary(data, arch) != nil {
		return nil, nil
	}
	return data, nil
}

// built has Go build the program. It asks no network for what is in Go's cache, which
// has the module and its dependencies where the running program was built.
func built(ctx context.Context, arch Arch, own debug.Module, say func(string)) (data []byte, err error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, diag.WithHint(errors.New("there is no go on the PATH"),
			"put %s beside bundlegen, as make build does, or install Go", named(arch))
	}
	dir, err := os.MkdirTemp("", "pi-extractor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	source, err := sourceOf(ctx, own, dir)
	if err != nil {
		return nil, err
	}
	say(fmt.Sprintf("building %s with Go; the first time takes a minute", named(arch)))
	file := filepath.Join(dir, Binary)
	if err := compile(ctx, source, file, arch, own.Path); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// compile builds the program from the module's source, for the oldest processors of a
// kind: nobody knows which the nodes have. The same source gives the same bytes.
func compile(ctx context.Context, source, file string, arch Arch, module string) error {
	_, err := run(ctx, source, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + string(arch), "GOAMD64=v1", "GOARM64=v8.0"},
		"build", "-mod=readonly", "-buildvcs=false", "-trimpath",
		"-ldflags=-s -w -X "+module+"/internal/program.version="+program.Version(), "-o", file, "./"+extractor)
	return err
}

// sourceOf returns the folder with the module's source: that of its version in Go's
// cache, or the checkout where the running program was built. Go runs in dir, where
// no go.mod of somebody else counts.
func sourceOf(ctx context.Context, own debug.Module, dir string) (string, error) {
	if own.Sum == "" { // built in a checkout, whatever its version says
		return checkout()
	}
	out, err := run(ctx, dir, nil, "mod", "download", "-json", own.Path+"@"+own.Version)
	var module struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &module); jsonErr == nil && module.Error != "" {
		return "", diag.WithHint(fmt.Errorf("%s", module.Error),
			"go install %s/%s@%s puts the source into Go's module cache", own.Path, extractor, own.Version)
	}
	if err != nil {
		return "", err
	}
	if module.Sum != own.Sum {
		return "", diag.WithHint(fmt.Errorf("the source of %s %s in Go's module cache is not that of the running program", own.Path, own.Version),
			"go clean -modcache, and install bundlegen again")
	}
	return module.Dir, nil
}

// checkout returns the folder of the checkout that the running program was built in.
func checkout() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if ok && filepath.IsAbs(file) { // else -trimpath has taken it away
		dir := filepath.Join(filepath.Dir(file), "..", "..")
		if _, err := os.Stat(filepath.Join(dir, extractor, "main.go")); err == nil {
			return dir, nil
		}
	}
	return "", diag.WithHint(errors.New("the checkout that bundlegen was built in is not known"),
		"make build in it leaves the static programs beside bundlegen")
}

// run runs Go in a folder and returns what it prints.
func run(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(append(cmd.Environ(), "GOWORK=off", "GO111MODULE=on"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(lastLines(stderr.String())))
	}
	return out, nil
}

// lastLines returns as much of the end of a text as an error shows.
func lastLines(s string) string {
	lines := strings.SplitAfter(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-maxLines):], "")
}

// maxLines is how many lines of Go's own words an error shows.
const maxLines = 20
