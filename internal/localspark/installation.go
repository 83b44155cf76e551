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

// CacheVariable is the environment variable that names the cache: the folder with the
// installations of all versions. The default is bundlegen in the user's cache folder.
const CacheVariable = "BUNDLEGEN_SPARK_CACHE"

// Installation is Spark in the cache: Python with pyspark, and the Delta jars. It never
// changes once it is complete, and any number of processes can use it at once.
type Installation struct {
	dir  string
	java string // a Java's home folder
	site string // the virtual environment's site-packages
}

// Ensure returns the installation, and makes it if it is missing: some 825 MB, a minute or
// two, and the only use of the network. Its steps are logged at level Info. Processes
// that need it at the same time wait for the one that makes it. The error has a hint if
// Java or Python are missing or too old, or the network cannot be reached.
func Ensure(ctx context.Context, log *slog.Logger) (*Installation, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := homeDir()
	if err != nil {
		return nil, err
	}
	i := &Installation{dir: dir, java: java}
	if i.complete() {
		return i, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, diag.WithHint(fmt.Errorf("the cache of Spark: %w", err), "%s names a folder for it", CacheVariable)
	}
	unlock, err := lock(ctx, dir+".lock", log)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if i.complete() {
		return i, nil // another process has made it meanwhile
	}
	return i, i.build(ctx, log)
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

// stamp is written last, so an installation with one is complete.
type stamp struct {
	Dir  string `json:"dir"`  // a moved virtual environment does not work
	Site string `json:"site"` // relative to Dir
}

func (i *Installation) stampFile() string { return filepath.Join(i.dir, "complete.json") }

// complete reports whether the installation is complete, and reads its paths. It starts
// no program, since every run calls it.
func (i *Installation) complete() bool {
	data, err := os.ReadFile(i.stampFile())
	if err != nil {
		return false
	}
	var s stamp
	if json.Unmarshal(data, &s) != nil || s.Dir != i.dir {
		return false
	}
	i.site = filepath.Join(i.dir, s.Site)
	// The interpreter is a link to one of the system's, which an upgrade removes.
	for _, path := range append(i.jars(), i.Python(), filepath.Join(i.site, "pyspark", "jars")) {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func (i *Installation) writeStamp() error {
	site, err := filepath.Rel(i.dir, i.site)
	if err != nil {
		return err
	}
	data, err := json.Marshal(stamp{Dir: i.dir, Site: site})
	if err != nil {
		return err
	}
	temp := i.stampFile() + ".tmp"
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, i.stampFile())
}

// Python returns the interpreter of the installation.
func (i *Installation) Python() string { return filepath.Join(i.dir, "venv", "bin", "python") }

func (i *Installation) jars() []string {
	var out []string
	for _, j := range jars {
		out = append(out, filepath.Join(i.dir, "jars", j.file))
	}
	return out
}

// link makes dir a SPARK_HOME: links to the contents of the Python package. Each session
// has its own, because Spark's workers make their folders in it.
func (i *Installation) link(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"bin", "jars", "python"} {
		target, path := filepath.Join(i.site, "pyspark", name), filepath.Join(dir, name)
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
