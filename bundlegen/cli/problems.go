package cli

import (
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// failure is what a command with --output json prints on stdout when it fails:
// its error piece by piece, which stderr has as text.
type failure struct {
	Version  int            `json:"version"`
	Problems []diag.Problem `json:"problems"`
}

// withProblems adds that document to a command. A command that has printed a
// document of its own by then prints no second one.
func withProblems(action func(*cli.Context) error) func(*cli.Context) error {
	return func(c *cli.Context) error {
		if !asJSON(c) {
			return action(c)
		}
		stdout := &counted{Writer: c.App.Writer}
		c.App.Writer = stdout
		err := action(c)
		if err == nil || stdout.written > 0 || noProblem(c, err) {
			return err
		}
		if notPrinted := printJSON(c, failure{documentVersion, diag.Problems(err)}); notPrinted != nil {
			return errors.Join(err, notPrinted)
		}
		return err
	}
}

// noProblem reports whether a command ended with an exit code that needs no message, or
// because it was cancelled.
func noProblem(c *cli.Context, err error) bool {
	var code exit
	var cancelled *localrun.CancelledError
	return errors.As(err, &code) || errors.As(err, &cancelled) || c.Err() != nil
}

// counted is a writer that knows how much was written.
type counted struct {
	io.Writer
	written int
}

func (w *counted) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.written += n
	return n, err
}
