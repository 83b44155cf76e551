// Package localspark is a Spark of one's own on this machine: open Spark and
// Delta Lake in the versions that Databricks' runtime 17 LTS has, pinned and
// cached, a Spark Connect server on them with real executor processes, and
// virtual environments that run wheels as a cluster would. It serves local runs
// and tests, and knows nothing of pipelines.
package localspark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// CacheVariable is the environment variable that moves the cache: it names the
// folder in which the environments of all versions lie side by side. Without it
// that is bundlegen in the user's cache folder.
const CacheVariable = "BUNDLEGEN_SPARK_CACHE"

// Home is a complete environment in the cache: Python with pyspark, and the
// Delta jars. It never changes once it is made, and any number of processes use
// it at once.
type Home struct {
	dir  string
	java string // a Java's home folder
	site string // the virtual environment's site-packages
}

// Ensure returns the environment, and makes it if it is missing: some 825 MB,
// a minute or two, and the only time that the network is used. What it does is
// said on log, at level Info. Processes that need it at the same time wait for
// the one that makes it. It fails where Java or Python are missing or too old,
// or the network is, and names the command to run.
func Ensure(ctx context.Context, log *slog.Logger) (*Home, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := homeDir()
	if err != nil {
		return nil, err
	}
	h := &Home{dir: dir, java: java}
	if h.complete() {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, diag.WithHint(fmt.Errorf("the cache of Spark: %w", err), "%s names a folder for it", CacheVariable)
	}
	unlock, err := lock(ctx, dir+".lock", log)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if h.complete() {
		return h, nil // another process made it meanwhile
	}
	return h, h.build(ctx, log)
}

func homeDir() (string, error) {
	base := os.Getenv(CacheVariable)
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", diag.WithHint(err, "%s names a folder for what is fetched once", CacheVariable)
		}
		base = filepath.Join(cache, "bundlegen")
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	if err := CheckPath(base); err != nil {
		return "", diag.WithHint(err, "%s names another folder for the cache", CacheVariable)
	}
	return filepath.Join(base, "spark-"+SparkVersion+"-"+pinsHash()), nil
}

// stamp is written last, so what has one is whole.
type stamp struct {
	Dir  string `json:"dir"`  // a virtual environment that was moved does not work
	Site string `json:"site"` // relative to Dir
}

func (h *Home) stampFile() string { return filepath.Join(h.dir, "complete.json") }

// complete reports whether all is there, and reads where it is. It starts no
// program: it is on the way of every run.
func (h *Home) complete() bool {
	data, err := os.ReadFile(h.stampFile())
	if err != nil {
		return false
	}
	var s stamp
	if json.Unmarshal(data, &s) != nil || s.Dir != h.dir {
		return false
	}
	h.site = filepath.Join(h.dir, s.Site)
	// The interpreter is a link to one of the system's, which an upgrade removes.
	for _, path := range append(h.jars(), h.Python(), filepath.Join(h.site, "pyspark", "jars")) {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func (h *Home) writeStamp() error {
	site, err := filepath.Rel(h.dir, h.site)
	if err != nil {
		return err
	}
	data, err := json.Marshal(stamp{Dir: h.dir, Site: site})
	if err != nil {
		return err
	}
	temp := h.stampFile() + ".tmp"
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, h.stampFile())
}

// Python is the interpreter of the environment.
func (h *Home) Python() string { return filepath.Join(h.dir, "venv", "bin", "python") }

func (h *Home) jars() []string {
	var out []string
	for _, j := range jars {
		out = append(out, filepath.Join(h.dir, "jars", j.file))
	}
	return out
}

// link makes dir a SPARK_HOME: links to what the Python package holds. Each
// session has one of its own, because Spark's workers make their folders in it.
func (h *Home) link(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"bin", "jars", "python"} {
		target, path := filepath.Join(h.site, "pyspark", name), filepath.Join(dir, name)
		if old, err := os.Readlink(path); err == nil && old == target {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}
