package localrun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/history"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/localspark"
)

// endGrace is how long a task has to end after it was asked to: it may be
// between two durable steps.
const endGrace = 20 * time.Second

// sparkCatalog is the one catalog that open Spark has.
const sparkCatalog = "spark_catalog"

const (
	remoteVariable  = "SPARK_REMOTE"         // a Spark Connect server of the user's own
	stagingVariable = "PI_EXTRACTOR_STAGING" // the folder that driver and workers share
)

// sparkLake runs tasks as processes of the bundle's wheel, with the tables in
// Delta. All of it is in one folder of the data folder:
//
//	lock         held while a run is at work; the kernel frees a dead one's
//	venv         the wheel, as a cluster installs it
//	metastore    the tables' names
//	warehouse    the tables
//	staging      batches before they are published
//	logs         RUN/TASK-ATTEMPT.log: what each process said
//	spark.log    what Spark said
//	sql          opens a SQL shell on the tables, for people
type sparkLake struct {
	o       Options
	dir     string // of all that
	bin     string // the virtual environment's programs
	home    *localspark.Installation
	staging string
	remote  string // the user's own server; "" = one that is started here
	unlock  func() error
	grace   time.Duration

	mu     sync.Mutex
	server *localspark.Server
}

// lockFile is held by the run that has the folder.
const lockFile = "lock"

func sparkWarehouse(data string) string { return filepath.Join(history.SparkFolder(data), "warehouse") }

// openSpark makes everything ready for tasks.
func openSpark(ctx context.Context, o Options) (_ lake, err error) {
	l := &sparkLake{o: o, grace: endGrace}
	l.remote, _ = o.Getenv(remoteVariable)
	if l.dir, err = filepath.Abs(history.SparkFolder(o.Data)); err != nil {
		return nil, err
	}
	if err := localspark.CheckPath(l.dir); err != nil {
		return nil, diag.WithHint(fmt.Errorf("data folder: %w", err), "--data names a folder; --engine duckdb takes nearly any")
	}
	file, err := findWheel(o.Bundle)
	if err != nil {
		return nil, err
	}
	if l.unlock, err = lockData(l.dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if err := l.prepareStaging(); err != nil {
		return nil, err
	}
	if l.home, err = localspark.Ensure(ctx, slog.New(lines{w: o.Stderr, least: slog.LevelInfo})); err != nil {
		return nil, err
	}
	python, err := l.home.Venv(ctx, filepath.Join(l.dir, "venv"), file)
	if err != nil {
		return nil, err
	}
	l.bin = filepath.Dir(python)
	if l.remote == "" {
		if err := l.home.Shell(filepath.Join(l.dir, "sql"), filepath.Join(l.dir, lockFile), localspark.Options{Dir: l.dir}); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
		fmt.Fprintf(o.Stderr, "starting Spark %s with %d executors\n", localspark.SparkVersion, localspark.Executors)
		if _, err := l.running(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// machines are the ends of wheels' names, by processor.
var machines = map[string]string{"amd64": "_x86_64.whl", "arm64": "_aarch64.whl"}

// findWheel returns the one wheel that generate put into the bundle.
func findWheel(bundleDir string) (string, error) {
	dist := filepath.Join(bundleDir, "dist")
	entries, err := os.ReadDir(dist)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), wheel.Package+"-") && filepath.Ext(e.Name()) == ".whl" {
			found = append(found, filepath.Join(dist, e.Name()))
		}
	}
	if len(found) != 1 {
		return "", diag.WithHint(fmt.Errorf("%s has %d wheels of %s, and a job's tasks are one's", dist, len(found), wheel.Package),
			"bundlegen generate makes it")
	}
	machine, ok := machines[runtime.GOARCH]
	if runtime.GOOS != "linux" || !ok || !strings.HasSuffix(found[0], machine) {
		return "", diag.WithHint(fmt.Errorf("%s is for another kind of machine than this one, which is %s/%s", found[0], runtime.GOOS,
			runtime.GOARCH),
			"--engine duckdb runs the job here too; a wheel is for the processors of the node types in compute")
	}
	return found[0], nil
}

// lockData makes the folder and locks it for this process. The kernel releases a dead
// process's lock.
func lockData(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, diag.WithHint(fmt.Errorf("data folder: %w", err), "--data names a folder that this user may write")
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("data folder: %w", err), "--data names a folder that this user may write")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = diag.WithHint(engine.ErrInUse, "wait for it to end, or give another folder with --data")
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f.Close, nil
}

// running returns the server of this run; one that died is started again.
func (l *sparkLake) running(ctx context.Context) (*localspark.Server, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		select {
		case <-l.server.Done():
			l.o.Log.Warn("Spark is restarted", "because", l.server.Err())
			l.server.Close()
			l.server = nil
		default:
			return l.server, nil
		}
	}
	server, err := l.home.Server(ctx, localspark.Options{
		Dir: l.dir, Python: filepath.Join(l.bin, "python"), Env: []string{stagingVariable + "=" + l.staging},
	})
	if err != nil {
		return nil, err
	}
	l.server = server
	return server, nil
}

func (l *sparkLake) attempt(ctx context.Context, t *spec, number int, w watch) (task.Result, error) {
	args, err := t.arguments(number)
	if err != nil {
		return task.Result{}, err
	}
	p := process{
		grace:   l.grace,
		program: filepath.Join(l.bin, wheel.Binary+"-"+t.EntryPoint), args: args,
		output: filepath.Join(l.dir, "logs", t.values[runID], fmt.Sprintf("%s-%d.log", t.Key, number)),
	}
	if l.remote != "" {
		p.env = append(os.Environ(), remoteVariable+"="+l.remote)
	} else {
		server, err := l.running(ctx)
		if err != nil {
			return task.Result{}, err
		}
		p.env, p.spark = server.Env(), server
	}
	p.env = append(p.env, stagingVariable+"="+l.staging)
	stop := p.follow(w)
	defer stop()
	return p.run(ctx)
}

// sideBySide has two extractions for each executor: while one waits for PI or
// publishes, the other's shards run.
func (l *sparkLake) sideBySide() int { return 2 * localspark.Executors }

// landed returns nil: only Spark can read the tables.
func (l *sparkLake) landed(context.Context) map[int]int64 { return nil }

// trouble returns "": errors of tasks name their cause.
func (l *sparkLake) trouble(error) string { return "" }

func (l *sparkLake) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		l.server.Close()
	}
	return l.unlock()
}

// prepareStaging chooses the staging folder. If it is its own, what killed runs left
// is removed: the data folder's lock guarantees that nobody writes there.
func (l *sparkLake) prepareStaging() error {
	if own, ok := l.o.Getenv(stagingVariable); ok && own != "" {
		l.staging = own // others may be at work in it
		return nil
	}
	l.staging = filepath.Join(l.dir, "staging")
	if err := sweep(l.staging, l.o.Pipeline); err != nil {
		return fmt.Errorf("staging of an earlier run: %w", err)
	}
	return nil
}

// sweep removes torn folders and all leases of a pipeline. Whole folders stay:
// the tasks publish them. What cannot be read stays, too: they report why.
func sweep(root, pipeline string) error {
	folders, err := stage.All(root, pipeline)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if _, whole, err := f.Header(); !whole && err == nil {
			if err := f.Remove(); err != nil {
				return err
			}
		}
	}
	partitions, err := stage.Partitions(root, pipeline)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := removeLeases(filepath.Dir(stage.New(root, pipeline, p, 0, "").Dir)); err != nil {
			return err
		}
	}
	return nil
}

// removeLeases removes the leases in a partition's folder; a writer may have
// died between its lease and its folder.
func removeLeases(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".lease" && !e.IsDir() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
