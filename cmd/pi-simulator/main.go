package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
	"github.com/bundlegen/bundlegen/internal/text"
)

func main() {
	program.Run(func(ctx context.Context, stdout *program.Output) int { return run(ctx, os.Args, stdout, os.Stderr) })
}

// Exit codes.
const (
	exitOK        = 0
	exitError     = 1
	exitCancelled = 130
)

// report prints an error for the user and returns the exit code.
func report(stderr interface{ Write([]byte) (int, error) }, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitCancelled
	}
	fmt.Fprintf(stderr, "error: %s\n", text.Lines(err.Error()))
	return exitError
}

// badFlag adds a hint to the help of the command, unless err has a better one.
func badFlag(c *cli.Context, err error) error {
	if diag.Hint(err) != "" {
		return err
	}
	return diag.WithHint(err, "see pi-simulator %s --help", c.Command.Name)
}
