// Package cli is the command line of bundlegen: it reads flags, calls what does
// the work, and turns outcomes into exit codes. Results go to stdout, all else
// to stderr.
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
	"github.com/bundlegen/bundlegen/pipeline/inventory/nearest"
)

// Version is set when the program is built.
var Version = "0.0.0-dev"

// Exit codes.
const (
	exitOK        = 0
	exitError     = 1
	exitChanges   = 2 // only with --detailed-exitcode
	exitPartial   = 3
	exitCancelled = 130
)

// exit ends a command with a code other than 0 that is no error.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Env is what the program is started with.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Main runs bundlegen and gives the exit code.
func Main(ctx context.Context, args []string, env Env) int {
	app := application(env)
	if len(args) > 2 && args[1] == "explain" && args[len(args)-1] != "--generate-bash-completion" {
		args = append(args[:2:2], flagsFirst(args[2:], app.Command("explain").Flags)...)
	}
	err := app.RunContext(ctx, args)
	var code exit
	var cancelled *localrun.CancelledError
	switch {
	case err == nil:
		return exitOK // also when it was to end: a loop's normal end
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &cancelled):
		fmt.Fprintln(env.Stderr, cancelled)
		return exitCancelled
	case ctx.Err() != nil:
		fmt.Fprintln(env.Stderr, "cancelled")
		return exitCancelled
	default:
		fmt.Fprintf(env.Stderr, "error: %s\n", strings.TrimRight(err.Error(), "\n"))
		return exitError
	}
}

func application(env Env) *cli.App {
	app := &cli.App{
		Name:                      "bundlegen",
		Usage:                     "turns a PI tag inventory into a load-balanced Databricks bundle, and deploys and runs it",
		Version:                   Version,
		Writer:                    env.Stdout,
		ErrWriter:                 env.Stderr,
		Reader:                    env.Stdin,
		Suggest:                   true,
		EnableBashCompletion:      true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // Main gives the exit code
		OnUsageError:              usageError,
		Description: `The usual way: init, then discover, plan, generate, and deploy -t prod.
run --local tries the emitted job on this machine first.

Exit codes: 0 ok, 1 error, 2 changes present (only with --detailed-exitcode),
3 partial success, 130 cancelled.`,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				var commands []string
				for _, command := range c.App.Commands {
					commands = append(commands, command.Name)
				}
				return fmt.Errorf("no command is called %q\nhint: %sbundlegen --help lists all", c.Args().First(), meant(c.Args().First(), commands))
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			initCommand(), discoverCommand(), planCommand(), compareCommand(), explainCommand(), calibrateCommand(), generateCommand(), validateCommand(),
			deployCommand(), runCommand(), destroyCommand(), wheelCommand(), completionCommand(),
		},
	}
	for _, c := range app.Commands {
		c.HideHelpCommand = true
		if c.Before == nil {
			c.Before = noArguments
		}
		if c.OnUsageError == nil {
			c.OnUsageError = usageError
		}
	}
	return app
}

// usageError says which flag is wrong, and what was meant where that can be told.
func usageError(c *cli.Context, err error, _ bool) error {
	name, flags := "bundlegen", c.App.Flags
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name, flags = name+" "+c.Command.Name, c.Command.Flags
	}
	unknown, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: ")
	if !ok {
		return fmt.Errorf("%w\nhint: %s --help", err, name)
	}
	var known []string
	for _, f := range flags {
		known = append(known, "--"+f.Names()[0])
	}
	unknown = "--" + strings.TrimLeft(unknown, "-")
	return fmt.Errorf("there is no flag %s\nhint: %s%s --help lists all", unknown, meant(unknown, known), name)
}

// meant begins a hint with the known name that is nearest to a wrong one.
func meant(wrong string, known []string) string {
	if near := nearest.Of(wrong, known); near != "" {
		return "did you mean " + near + "? "
	}
	return ""
}

// notAllowed refuses a flag's value. where says what allows just these.
func notAllowed(flag, value, where string, allowed []string) error {
	return fmt.Errorf("%s %s; allowed: %s\nhint: %s%s", flag, value, strings.Join(allowed, ", "), meant(value, allowed), where)
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("bundlegen %s takes no argument, and %q is one\nhint: flags come as --name value; bundlegen %s --help", c.Command.Name, c.Args().First(), c.Command.Name)
	}
	return nil
}

// Flags that several commands share.
var (
	configFlag = &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "pipeline.yml", Usage: "the pipeline, `FILE`"}
	regionFlag = &cli.StringFlag{Name: "region", Usage: "only the bundle of `REGION`; without it, those of all regions of the sites"}
	targetFlag = &cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "deployment `TARGET` of pipeline.yml, such as prod"}
)

// screen says what a stream can show.
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
