package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/program"
	"github.com/bundlegen/bundlegen/internal/text"
)

// Exit codes.
const (
	exitOK        = 0
	exitError     = 1
	exitChanges   = 2 // only with --detailed-exitcode
	exitPartial   = 3
	exitCancelled = 130
)

// exitCodes are those of runs.
var exitCodes = map[outcome.Outcome]int{
	outcome.OK: exitOK, outcome.Partial: exitPartial, outcome.Failed: exitError, outcome.Cancelled: exitCancelled,
}

// exit ends a command with this exit code, without an error message.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Env is what the program is started with.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Main runs bundlegen and returns the exit code.
func Main(ctx context.Context, args []string, env Env) int {
	app := application(env)
	if last := len(args) - 1; last > 0 && args[last] == completeFlag {
		complete(env.Stdout, app, args[1:last])
		return exitOK
	}
	err := commandline.Run(ctx, app, args)
	var code exit
	var cancelled *localrun.CancelledError
	switch {
	case err == nil:
		return exitOK // also when it was to end: a loop's normal end
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &cancelled):
		fmt.Fprintln(env.Stderr, text.Lines(cancelled.Error()))
		return exitCancelled
	case ctx.Err() != nil:
		fmt.Fprintln(env.Stderr, "cancelled")
		return exitCancelled
	default:
		fmt.Fprintf(env.Stderr, "error: %s\n", strings.TrimRight(text.Lines(err.Error()), "\n"))
		return exitError
	}
}

func application(env Env) *cli.App {
	app := commandline.Prepare(&cli.App{
		Name:      "bundlegen",
		Usage:     "turns a PI tag inventory into a load-balanced Databricks bundle, and deploys and runs it",
		Version:   program.Version(),
		Writer:    env.Stdout,
		ErrWriter: env.Stderr,
		Reader:    env.Stdin,
		Description: `The usual way: init, then discover, plan, generate, and deploy -t prod.
run --local tries the emitted job on this machine first.

Exit codes: 0 ok, 1 error, 2 changes present (only with --detailed-exitcode),
3 partial success, 130 cancelled.`,
		Commands: []*cli.Command{
			initCommand(), doctorCommand(), discoverCommand(), planCommand(), compareCommand(), explainCommand(), statusCommand(),
			calibrateCommand(), generateCommand(), validateCommand(),
			deployCommand(), runCommand(), destroyCommand(), wheelCommand(), schemaCommand(), completionCommand(), manCommand(),
		},
	})
	for _, c := range app.Commands {
		c.Before, c.Action = withProblems(c.Before), withProblems(c.Action)
	}
	return app
}

// Flags that several commands share.
var (
	configFlag = &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "pipeline.yml", Usage: "read the pipeline from `FILE`"}
	regionFlag = &choiceFlag{&cli.StringFlag{Name: "region", Usage: "only the bundle of `REGION`; by default those of all regions"},
		regionNames}
	targetFlag = &choiceFlag{&cli.StringFlag{Name: "target", Aliases: []string{"t"},
		Usage: "a deployment `TARGET` of pipeline.yml, such as prod"}, targetNames}
)

// screen is what a stream can show.
type screen struct {
	terminal bool
	color    bool
	width    int
}

// screenOf looks at a stream, NO_COLOR and TERM.
func screenOf(w io.Writer) screen {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return screen{width: 80}
	}
	s := screen{terminal: os.Getenv("TERM") != "dumb", width: 80}
	s.color = s.terminal && os.Getenv("NO_COLOR") == ""
	s.width, _ = sizeOf(w)
	return s
}

// sizeOf returns how many columns and lines a terminal shows.
func sizeOf(w io.Writer) (width, height int) {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width, height
		}
	}
	return 80, 24
}

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
