package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/extractor/cli"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/spark"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// stagingVariable names a folder for staging that driver and workers share; the default
// is a volume of Unity Catalog.
const stagingVariable = "PI_EXTRACTOR_STAGING"

// openSpark connects to the launcher that started this process.
func openSpark(ctx context.Context, p manifest.Parameters, own cli.GlobalFlags) (engine.Engine, error) {
	replies, requests, err := pipe(own.Pipe)
	if err != nil {
		return nil, err
	}
	session, err := spark.Dial(ctx, replies, requests)
	if err != nil {
		return nil, errors.Join(err, replies.Close(), requests.Close())
	}
	staging, _ := own.Getenv(stagingVariable)
	return pipedEngine{spark.New(session, spark.Options{
		Pipeline: p.Pipeline, Catalog: p.Catalog, SchemaPrefix: p.SchemaPrefix, Layout: p.Layout, Staging: staging,
		RunID: p.RunID, Attempt: p.Attempt, Timeout: lease(p),
	}), replies, requests}, nil
}

// lease returns how long another process has to take this one for alive: a task that
// waits for its cluster lives as long as the job's own timeout.
func lease(p manifest.Parameters) time.Duration {
	if p.TimeoutSecs == 0 {
		return 0
	}
	return time.Duration(p.TimeoutSecs+manifest.StartAllowance) * time.Second
}

// pipe opens the launcher's pipe. Child processes do not inherit it.
func pipe(numbers string) (replies, requests *os.File, err error) {
	var r, w int
	if n, err := fmt.Sscanf(numbers, "%d,%d", &r, &w); err != nil || n != 2 || r < 3 || w < 3 {
		return nil, nil, diag.WithHint(fmt.Errorf("--pipe=%s: two file descriptors R,W are allowed", numbers),
			"the wheel's launcher passes them; by hand use --engine=duckdb")
	}
	for _, fd := range []int{r, w} {
		syscall.CloseOnExec(fd)
		// Otherwise Close would not end a blocked read.
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, nil, fmt.Errorf("--pipe=%s: %w", numbers, err)
		}
	}
	return os.NewFile(uintptr(r), "launcher's answers"), os.NewFile(uintptr(w), "requests to the launcher"), nil
}

// pipedEngine closes the launcher's pipe with its engine.
type pipedEngine struct {
	*spark.Engine
	replies, requests *os.File
}

func (h pipedEngine) Close() error {
	return errors.Join(h.Engine.Close(), h.requests.Close(), h.replies.Close())
}
