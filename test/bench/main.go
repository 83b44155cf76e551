// Command bench measures the built programs from outside: how long a plan of a
// million tags takes and how even it is, what an event costs from HTTP to the
// table, in DuckDB and on Spark, and how close an extraction comes to what a slow
// server bears, and a forecast to an extraction. Every figure stands beside
// something that was measured in the same run, since machines differ and are
// noisy: compare ratios, not seconds.
//
//	go run ./test/bench [-quick] [-only plan,balance,land,server,decode,forecast,spark] [-seed N] [-bin DIR]
//
// It needs the programs of `make build`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// bench is a run of the benchmarks.
type bench struct {
	ctx     context.Context
	bin     string // folder of the built programs
	dir     string // scratch; removed at the end
	seed    uint64
	quick   bool // a tenth of the slow server's latencies, a few of the forecasts
	out     io.Writer
	summary []line
}

// sections are the benchmarks, in order.
var sections = []struct {
	name string
	run  func(*bench) error
}{
	{"plan", (*bench).planning},
	{"balance", (*bench).balancing},
	{"land", (*bench).landing},
	{"server", (*bench).slowServer},
	{"decode", (*bench).decoding},
	{"forecast", (*bench).forecasts},
	{"spark", (*bench).spark},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := func() error { return run(ctx, os.Args[1:], os.Stdout) }
	if slices.Equal(os.Args[1:], []string{shardCommand}) {
		do = func() error { return standIn(os.Stdin, os.Stdout) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	b := &bench{ctx: ctx, out: out}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(
		&b.quick,
		"quick",
		false,
		"a tenth of the slow server's latencies, a few of the forecasts, on Spark one round instead of three, of a quarter of the events",
	)
	flags.Uint64Var(&b.seed, "seed", 20261123, "of the simulator's archive and of all choices at random")
	flags.StringVar(&b.bin, "bin", "bin", "folder of the built programs")
	only := flags.String("only", "", "names of sections, with commas: "+strings.Join(names(), ","))
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen := names()
	if *only != "" {
		chosen = strings.Split(*only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return diag.WithHint(fmt.Errorf("-only: there is no section %q", name), "%s", strings.Join(names(), ","))
		}
	}
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if _, err := exec.LookPath(filepath.Join(b.bin, "bundlegen")); err != nil {
		return diag.WithHint(err, "make build")
	}
	if b.dir, err = os.MkdirTemp("", "bundlegen-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()

	began := time.Now()
	if err := b.machine(); err != nil {
		return err
	}
	for _, s := range sections {
		if !slices.Contains(chosen, s.name) {
			continue
		}
		if err := s.run(b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	b.summarize(time.Since(began))
	return nil
}

func names() []string {
	var out []string
	for _, s := range sections {
		out = append(out, s.name)
	}
	return out
}

// program returns the path of a built program.
func (b *bench) program(name string) string { return filepath.Join(b.bin, name) }

// folder makes a scratch folder.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}
