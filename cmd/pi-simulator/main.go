// Command pi-simulator serves a simulated PI Web API, and tells what is in it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

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

// report prints an error the way a user should see it and gives the exit code.
func report(stderr interface{ Write([]byte) (int, error) }, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitCancelled
	}
	fmt.Fprintf(stderr, "error: %s\n", text.Lines(err.Error()))
	var hinted *hintError
	if errors.As(err, &hinted) {
		fmt.Fprintf(stderr, "hint: %s\n", text.Lines(hinted.hint))
	}
	return exitError
}

// hintError is a user's error with what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

func hint(err error, format string, args ...any) error {
	return &hintError{err, fmt.Sprintf(format, args...)}
}

// badFlag says where flags are explained, unless err has a better hint already.
func badFlag(c *cli.Context, err error) error {
	var hinted *hintError
	if errors.As(err, &hinted) {
		return err
	}
	return hint(err, "see pi-simulator %s --help", c.Command.Name)
}
