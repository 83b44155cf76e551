package localrun

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/task"
)

// duckLake runs tasks in this process, with the tables in one DuckDB file.
type duckLake struct {
	o      Options
	file   *duckdb.Lake
	engine *duckdb.Engine
	access *piwebapi.Accesses // of all tasks of this run: a refused password is tried once
	memory *piwebapi.Memory
}

func duckDBFile(data string) string { return filepath.Join(data, duckdb.FileName) }

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
	return task.Run(ctx, task.Env{Engine: l.engine, Params: p, Getenv: l.o.Getenv, Log: l.o.Log, Access: l.access, Memory: l.memory, Progress: w.progress, Retrying: w.retry})
}

// sideBySide counts on extractions waiting for PI most of the time; each takes
// some memory.
func (l *duckLake) sideBySide() int { return max(16, 4*runtime.GOMAXPROCS(0)) }

// landed also counts what one attempt, or a run before, staged and a later one published.
func (l *duckLake) landed(ctx context.Context) map[int]int64 {
	counts, err := l.engine.Landed(ctx)
	if err != nil {
		return map[int]int64{} // there are no tables yet; what else is wrong the tasks say
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
