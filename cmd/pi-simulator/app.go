package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/program"
)

// run is the whole program but for signals: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := commandline.Prepare(&cli.App{
		Name:  "pi-simulator",
		Usage: "serves a simulated PI Web API for tests, benchmarks and demos",
		Description: "The archive is a pure function of seed, tag and time: nothing is stored, and a\n" +
			"million tags cost nothing. The same flags produce the same events, so\n" +
			"'pi-simulator oracle' prints exactly what 'pi-simulator serve' serves.\n\n" +
			"Exit codes: 0 ok (also when serve is ended by SIGINT or SIGTERM), 1 error,\n" +
			"130 cancelled (oracle).",
		Version:              program.Version(),
		Commands:             []*cli.Command{serveCommand(), oracleCommand(), quirksCommand()},
		Writer:               stdout,
		ErrWriter:            stderr,
		EnableBashCompletion: true,
	})
	return report(stderr, commandline.Run(ctx, app, args))
}

// quirksCommand lists the quirks.
func quirksCommand() *cli.Command {
	return &cli.Command{
		Name:  "quirks",
		Usage: "lists the quirks: name, whether on by default, what it does",
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
