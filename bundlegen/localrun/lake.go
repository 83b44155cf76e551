package localrun

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/history"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/task"
)

// lake is where the tables of a run live, and what runs tasks on them. It is
// safe for concurrent use.
type lake interface {
	// attempt runs one attempt of a task and reports its progress to watch. When ctx
	// is cancelled it ends soon, at a point from which another attempt can go on,
	// with ctx's cause.
	attempt(ctx context.Context, t *spec, number int, watch watch) (task.Result, error)
	// sideBySide returns how many extractions this machine can run at once.
	sideBySide() int
	// landed returns the number of events of each partition in the tables; nil if only
	// the tasks' own results are known.
	landed(ctx context.Context) map[int]int64
	// trouble returns what is wrong with the data folder, in words that follow its
	// name, if that is the cause of err and err does not name it; else "".
	trouble(err error) string
	// close releases the data folder.
	close() error
}

// watch receives the progress of an attempt, from several goroutines.
type watch struct {
	progress func(task.Progress)
	retry    func(piwebapi.Retry) // of requests that are sent again
}

// engineKind is one of the engines that a local run may have.
type engineKind struct {
	name    string
	catalog string // that tables are in, instead of the bundle's; "" = the bundle's
	open    func(ctx context.Context, o Options) (lake, error)
	tables  func(data string) string // where in the data folder the tables are
}

var kinds = []engineKind{
	{name: "duckdb", open: openDuckDB, tables: history.DuckDBFile},
	{name: "spark", open: openSpark, tables: sparkWarehouse, catalog: sparkCatalog},
}

// Engines lists what Options.Engine may be, the default first.
func Engines() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

func (o Options) kind() (engineKind, error) {
	i := slices.IndexFunc(kinds, func(k engineKind) bool { return k.name == o.Engine })
	if i < 0 {
		return engineKind{}, fmt.Errorf("engine %q is none of %v", o.Engine, Engines())
	}
	return kinds[i], nil
}

// Tables is where a run leaves its tables.
func (o Options) Tables() string {
	kind, err := o.kind()
	if err != nil {
		return o.Data // Run returns the error
	}
	return kind.tables(o.Data)
}

// duckLake runs tasks in this process, with the tables in one DuckDB file.
type duckLake struct {
	o      Options
	file   *duckdb.Lake
	engine *duckdb.Engine
	access *piwebapi.Accesses // of all tasks of this run: a refused password is tried once
	memory *piwebapi.Memory
}

func openDuckDB(ctx context.Context, o Options) (lake, error) {
	file, err := duckdb.Open(ctx, o.Data, "")
	if err != nil {
		return nil, err
	}
	return &duckLake{o: o, file: file, engine: file.Engine(o.Pipeline), access: new(piwebapi.Accesses), memory: piwebapi.NewMemory(0)}, nil
}

func (l *duckLake) attempt(ctx context.Context, t *spec, number int, w watch) (task.Result, error) {
	p, err := t.parse(number)
	if err != nil {
		return task.Result{}, err
	}
	return task.Run(ctx, task.Env{Engine: l.engine, Params: p, Getenv: l.o.Getenv, Log: l.o.Log, Access: l.access, Memory: l.memory,
		Progress: w.progress, Retrying: w.retry})
}

// sideBySide counts on extractions waiting for PI most of the time; each takes
// some memory.
func (l *duckLake) sideBySide() int { return max(16, 4*runtime.GOMAXPROCS(0)) }

// landed also counts what one attempt, or a run before, staged and a later one published.
func (l *duckLake) landed(ctx context.Context) map[int]int64 {
	counts, err := l.engine.Landed(ctx)
	if err != nil {
		return map[int]int64{} // there are no tables yet; the tasks report any other error
	}
	return counts
}

func (l *duckLake) trouble(err error) string { return duckdb.DiskTrouble(err) }

func (l *duckLake) close() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close the data folder: %w", err)
	}
	return nil
}
