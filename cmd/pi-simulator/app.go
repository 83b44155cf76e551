package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
)

// run is the whole program but for signals: it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:  "pi-simulator",
		Usage: "a PI Web API server for tests, benchmarks and demos",
		Description: "The archive is a pure function of seed, tag and time: nothing is stored, and a\n" +
			"million tags cost nothing. The same flags give the same events, so that\n" +
			"'pi-simulator oracle' tells exactly what 'pi-simulator serve' holds.\n\n" +
			"Exit codes: 0 ok (also when serve is ended by SIGINT or SIGTERM), 1 error,\n" +
			"130 cancelled (oracle).",
		Version:                   program.Version(),
		Commands:                  []*cli.Command{serveCommand(), oracleCommand(), quirksCommand()},
		Writer:                    stdout,
		ErrWriter:                 stderr,
		Suggest:                   true,
		DisableSliceFlagSeparator: true,
		EnableBashCompletion:      true,
		HideHelpCommand:           true,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return diag.WithHint(fmt.Errorf("there is no command %q", c.Args().First()), "commands: serve, oracle, quirks; see pi-simulator --help")
			}
			return cli.ShowAppHelp(c)
		},
	}
	return report(stderr, app.RunContext(ctx, args))
}

func usageError(c *cli.Context, err error, _ bool) error {
	return diag.WithHint(err, "see %s --help", strings.TrimSpace(c.App.Name+" "+commandName(c)))
}

func commandName(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == c.App.Name {
		return ""
	}
	return c.Command.Name
}

// quirksCommand lists the quirks.
func quirksCommand() *cli.Command {
	return &cli.Command{
		Name:         "quirks",
		Usage:        "lists the quirks: name, whether on by default, what it does",
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			for _, q := range simulator.Quirks() {
				state := "off"
				if q.Default {
					state = "on"
				}
				if _, err := fmt.Fprintf(c.App.Writer, "%-26s %-4s %s\n", q.Name, state, q.Doc); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
