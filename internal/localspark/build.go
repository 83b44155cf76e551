package localspark

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// build makes the installation in place, since a virtual environment cannot be moved. It
// first removes what an earlier attempt left. The caller holds the lock.
func (i *Installation) build(ctx context.Context, log *slog.Logger) error {
	begun := time.Now()
	python, err := findPython(ctx)
	if err != nil {
		return err
	}
	log.Info("Spark " + SparkVersion + " is set up on this machine, once: 825 MB in " + i.dir)
	if err := os.RemoveAll(i.dir); err != nil {
		return fmt.Errorf("remove what is left of an earlier set-up: %w", err)
	}
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		return diag.WithHint(fmt.Errorf("the cache of Spark: %w", err), "%s names a folder that this user may write", CacheVariable)
	}
	if err := i.makeVenv(ctx, python); err != nil {
		return err
	}
	log.Info("installing the Python packages: pyspark, delta-spark, pyarrow, pandas, grpcio")
	if err := i.installPackages(ctx); err != nil {
		return err
	}
	log.Info("fetching the jars of Delta Lake")
	if err := i.fetchJars(ctx); err != nil {
		return err
	}
	if err := i.writeStamp(); err != nil {
		return fmt.Errorf("set up Spark: %w", err)
	}
	log.Info(fmt.Sprintf("Spark is set up, in %.0f s", time.Since(begun).Seconds()))
	return nil
}

func (i *Installation) makeVenv(ctx context.Context, python string) error {
	venv := filepath.Join(i.dir, "venv")
	if out, err := i.run(ctx, nil, python, "-m", "venv", venv); err != nil {
		return diag.WithHint(fmt.Errorf("%s makes no virtual environment: %w\n%s", python, err, lastLines(out, 3)),
			"sudo apt-get install -y python3-venv")
	}
	found, err := filepath.Glob(filepath.Join(globEscape(venv), "lib", "python3.*", "site-packages"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("the virtual environment in %s has %d folders of packages instead of one", venv, len(found))
	}
	i.site = found[0]
	return nil
}

// installPackages lets pip install exactly the pinned packages. Pip's own settings, such
// as a mirror or a proxy, apply.
func (i *Installation) installPackages(ctx context.Context) error {
	list := filepath.Join(i.dir, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return err
	}
	install := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"}
	for _, what := range [][]string{{buildTool}, {"--no-build-isolation", "-r", list}} {
		if out, err := i.run(ctx, nil, i.Python(), append(install, what...)...); err != nil {
			return diag.WithHint(fmt.Errorf("the Python packages of Spark could not be installed: %w\n%s", err, lastLines(out, 3)),
				"this once the network is needed; pip takes a mirror from PIP_INDEX_URL and a proxy from HTTPS_PROXY")
		}
	}
	return nil
}

// fetchJars lets Spark fetch Delta Lake as for spark.jars.packages, by submitting an empty
// program, and checks the result.
func (i *Installation) fetchJars(ctx context.Context) error {
	work := filepath.Join(i.dir, "fetch")
	empty, sparkHome := filepath.Join(work, "nothing.py"), filepath.Join(work, "home")
	if err := i.link(sparkHome); err != nil {
		return err
	}
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		return err
	}
	env := append(i.environment(sparkHome, i.Python()), "SPARK_CONF_DIR="+work)
	out, err := i.run(ctx, env, filepath.Join(sparkHome, "bin", "spark-submit"), "--master", "local", "--conf", "spark.jars.ivy="+work,
		"--packages", deltaPackage, empty)
	if err != nil {
		return diag.WithHint(fmt.Errorf("the jars of Delta Lake could not be fetched: %w\n%s", err, lastLines(out, 3)),
			"this once the network is needed; Spark takes a mirror from DEFAULT_ARTIFACT_REPOSITORY, Java a proxy from "+
				"JAVA_TOOL_OPTIONS=-Dhttps.proxyHost=…")
	}
	if err := os.MkdirAll(filepath.Join(i.dir, "jars"), 0o755); err != nil {
		return err
	}
	for k, target := range i.jars() {
		source := filepath.Join(work, "jars", jars[k].file)
		if err := checkSum(source, jars[k].sha256); err != nil {
			return err
		}
		if err := os.Rename(source, target); err != nil {
			return err
		}
	}
	return os.RemoveAll(work)
}

func checkSum(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return diag.WithHint(fmt.Errorf("the jars of Delta Lake: %w", err), "try again")
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return diag.WithHint(fmt.Errorf("%s has the SHA-256 %s, and %s is expected", filepath.Base(path), got, want),
			"the repository that it came from has another file by that name")
	}
	return nil
}

// run runs a program to its end, or the end of ctx, and returns its output. env nil is
// this process's own.
func (i *Installation) run(ctx context.Context, env []string, program string, args ...string) (output string, err error) {
	out, err := os.CreateTemp("", "localspark-*.log")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close(), os.Remove(out.Name())) }()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	p, err := Start(cmd)
	if err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
	}
	p.Stop(5 * time.Second)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if !p.State().Success() {
		err = errors.New(p.State().String())
	}
	text, readErr := os.ReadFile(out.Name())
	return string(text), errors.Join(err, readErr)
}

// lastLines returns the last lines of a text that are not empty.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			lines = append(lines, "  "+line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
