package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/nodecheck"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Exit codes.
const (
	exitOK        = 0
	exitError     = 1
	exitPartial   = 3
	exitCancelled = 130
)

// OpenEngine opens an engine for a task. An engine that is also a shard.Runner reads
// on workers.
type OpenEngine func(ctx context.Context, p manifest.Parameters, own GlobalFlags) (engine.Engine, error)

// GlobalFlags are the flags of the program itself, which the emitted job does not pass.
type GlobalFlags struct {
	Engine string // --engine
	Data   string // --data: DuckDB's data folder
	Pipe   string // --pipe: the launcher's pipe, as numbers of two file descriptors: R,W
	Getenv func(string) (string, bool)
}

// resultVariable names a file for the task's result as JSON, which the program that
// started this one reads. Nothing is written if it is not set.
const resultVariable = "PI_EXTRACTOR_RESULT"

// Main runs one task and returns the exit code. It prints one line of result to
// stdout, all else to stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) (string, bool),
	engines map[string]OpenEngine) int {
	if answer, err := information(args[min(1, len(args)):], engines); err != nil {
		fmt.Fprintln(stderr, "error:", text.Lines(err.Error()))
		return exitError
	} else if answer != "" {
		fmt.Fprint(stdout, answer)
		return exitOK
	}
	if args[1] == shardCommand && len(args) == 2 {
		return runShard(ctx, os.Stdin, stdout, stderr, getenv)
	}
	if args[1] == manifest.TaskDoctor {
		return runCheck(ctx, args[2:], nodecheck.Node{Stdin: os.Stdin, Stdout: stdout, Getenv: getenv}, stderr)
	}
	result, err := run(ctx, args[1], args[2:], stderr, getenv, engines)
	err = errors.Join(err, writeResult(result, getenv))
	for _, n := range result.Notes {
		fmt.Fprintln(stderr, "note:", text.Lines(n))
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "cancelled; what was landed stays, the next run goes on from there")
		return exitCancelled
	case err != nil:
		fmt.Fprintln(stderr, "error:", text.Lines(err.Error()))
		return exitError
	}
	fmt.Fprintf(stdout, "%s %s: %s, %d failed, %s, %s\n", args[1], result.Status,
		plural(result.Tags, "tag"), result.Failed, plural(result.Events, "event"), plural(result.Requests, "request"))
	if result.Status == batch.Partial {
		return exitPartial
	}
	return exitOK
}

// runCheck makes one check of this node for the wheel's doctor.
func runCheck(ctx context.Context, args []string, n nodecheck.Node, stderr io.Writer) int {
	return ended(ctx, nodecheck.Run(ctx, n, args), stderr)
}

// ended prints how a part of a task ended that is no task itself, and returns its exit
// code.
func ended(ctx context.Context, err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "cancelled")
		return exitCancelled
	default:
		fmt.Fprintln(stderr, "error:", text.Lines(err.Error()))
		return exitError
	}
}

// plural returns a count and its noun: 1 tag, 2 tags.
func plural[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func run(ctx context.Context, name string, args []string, stderr io.Writer, getenv func(string) (string, bool),
	engines map[string]OpenEngine) (res task.Result, err error) {
	own, rest := globalFlags(args)
	own.Getenv = getenv
	p, err := manifest.Parse(name, rest)
	if err != nil {
		return res, err
	}
	open, ok := engines[own.Engine]
	if !ok {
		return res, diag.WithHint(fmt.Errorf("--engine=%s; this build has: %s", own.Engine, names(engines)),
			"the static binary of the wheel has no DuckDB; bin/pi-extractor has")
	}
	eng, err := open(ctx, p, own)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	env := task.Env{Engine: eng, Params: p, Getenv: getenv, Log: log, Progress: func(task.Progress) {}}
	var notices piwebapi.Notices
	tell := func(piwebapi.Retry) {}
	if path, ok := getenv(progressVariable); ok && path != "" {
		reporter, stop := startReporter(path)
		defer stop()
		env.Progress, tell = reporter.progress, reporter.retrying
	}
	env.Retrying = func(r piwebapi.Retry) {
		tell(r)
		if line := notices.Line(r); line != "" {
			log.Info(line)
		}
	}
	if runner, ok := eng.(shard.Runner); ok && p.Shards != "driver" {
		env.Shards = runner
	}
	return task.Run(ctx, env)
}

// writeResult writes the result to the file that resultVariable names.
func writeResult(r task.Result, getenv func(string) (string, bool)) error {
	path, ok := getenv(resultVariable)
	if !ok || path == "" {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// globalFlags takes the program's own flags out of the arguments.
func globalFlags(args []string) (own GlobalFlags, rest []string) {
	own = GlobalFlags{Engine: "duckdb", Data: "data"}
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "--engine="); ok {
			own.Engine = v
		} else if v, ok := strings.CutPrefix(a, "--data="); ok {
			own.Data = v
		} else if v, ok := strings.CutPrefix(a, "--pipe="); ok {
			own.Pipe = v
		} else {
			rest = append(rest, a)
		}
	}
	return own, rest
}

func names(engines map[string]OpenEngine) string {
	if len(engines) == 0 {
		return "no engine"
	}
	return strings.Join(slices.Sorted(maps.Keys(engines)), ", ")
}
