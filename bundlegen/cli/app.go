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
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
	"github.com/bundlegen/bundlegen/internal/suggest"
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
	if last := len(args) - 1; last > 0 && args[last] == completeFlag {
		complete(env.Stdout, app, args[1:last])
		return exitOK
	}
	app.Metadata = map[string]any{typedKey: args[min(1, len(args)):]}
	args, err := arranged(args, app)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
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
	app := &cli.App{
		Name:                      "bundlegen",
		Usage:                     "turns a PI tag inventory into a load-balanced Databricks bundle, and deploys and runs it",
		Version:                   program.Version(),
		Writer:                    env.Stdout,
		ErrWriter:                 env.Stderr,
		Reader:                    env.Stdin,
		Suggest:                   true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // Main gives the exit code
		OnUsageError:              usageError,
		Flags:                     []cli.Flag{cli.HelpFlag}, // a command of this name keeps the parser from adding it
		Description: `The usual way: init, then discover, plan, generate, and deploy -t prod.
run --local tries the emitted job on this machine first.

Exit codes: 0 ok, 1 error, 2 changes present (only with --detailed-exitcode),
3 partial success, 130 cancelled.`,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return noCommand(c)
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			initCommand(), discoverCommand(), planCommand(), compareCommand(), explainCommand(), statusCommand(), calibrateCommand(), generateCommand(), validateCommand(),
			deployCommand(), runCommand(), destroyCommand(), wheelCommand(), completionCommand(), helpCommand(), versionCommand(), manCommand(),
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
		c.Before, c.Action = withProblems(c.Before), withProblems(c.Action)
	}
	return app
}

// noCommand refuses the first argument, which is the name of no command.
func noCommand(c *cli.Context) error {
	name := c.Args().First()
	return diag.WithHint(fmt.Errorf("no command is called %q", name), "%sbundlegen --help lists all", meant(name, commandNames(c.App)))
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "shows all commands, or what one of them does",
		ArgsUsage: "[COMMAND]",
		Before: func(c *cli.Context) error {
			if c.Args().Len() > 1 {
				return diag.WithHint(fmt.Errorf("help is about one command, and these are %d", c.Args().Len()),
					"bundlegen help %s", c.Args().First())
			}
			return nil
		},
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case name == "":
				return cli.ShowAppHelp(c)
			case c.App.Command(name) == nil:
				return noCommand(c)
			default:
				return c.App.RunContext(c.Context, []string{c.App.Name, name, "--help"})
			}
		},
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "prints the program's version",
		Action: func(c *cli.Context) error {
			cli.ShowVersion(c)
			return nil
		},
	}
}

// meant begins a hint with the known name that is nearest to a wrong one.
func meant(wrong string, known []string) string {
	if near := suggest.Nearest(wrong, known); near != "" {
		return suggest.DidYouMean(near) + " "
	}
	return ""
}

// notAllowed refuses a flag's value. where says what allows just these.
func notAllowed(flag, value, where string, allowed []string) error {
	return diag.WithHint(fmt.Errorf("%s %s; allowed: %s", flag, value, strings.Join(allowed, ", ")), "%s%s", meant(value, allowed), where)
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return diag.WithHint(fmt.Errorf("bundlegen %s takes no argument, and %q is one", c.Command.Name, c.Args().First()),
			"flags come as --name value; bundlegen %s --help", c.Command.Name)
	}
	return nil
}

// Flags that several commands share.
var (
	configFlag = &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "pipeline.yml", Usage: "the pipeline, `FILE`"}
	regionFlag = &choiceFlag{&cli.StringFlag{Name: "region", Usage: "only the bundle of `REGION`; without it, those of all regions of the sites"}, regionNames}
	targetFlag = &choiceFlag{&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "deployment `TARGET` of pipeline.yml, such as prod"}, targetNames}
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
