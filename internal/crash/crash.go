// Package crash is the one place where a program ends over a fault of its own: it
// names the place and how to report it, instead of printing a stack.
//
// Out of its reach is a panic in a goroutine that a library starts (of the databricks
// CLI, DuckDB's driver, net/http): no other goroutine can recover from it. So are the
// runtime's fatal errors, such as a map that two goroutines write, no memory left, and
// a fault in C. These end the program with exit code 2 and the runtime's own stack: a
// program cannot have less of that than the environment asks for, which is one stack
// where GOTRACEBACK is not set. net/http recovers from a panic in its own handlers, of
// which only the simulator has any.
package crash

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// exitError is what a program exits with that could not do what it was asked for.
const exitError = 1

// Main runs a program and returns its exit code: main's own, or 1 where main panics.
func Main(main func() int) (code int) {
	defer func() {
		if fault := recover(); fault != nil {
			report(os.Stderr, fault, places())
			code = exitError
		}
	}()
	return main()
}

// Exit ends the program where the goroutine that defers it panics: nothing else
// can catch that. Each goroutine defers it before it does anything, and behind what else it
// defers, so that nobody takes its work for done.
func Exit() {
	if fault := recover(); fault != nil {
		report(os.Stderr, fault, places())
		os.Exit(exitError)
	}
}

// report prints a fault. The value of a panic is shown only where it is
// the runtime's, which has numbers and types: others may hold what a server or a
// file said, and with it a secret.
func report(w io.Writer, fault any, at []string) {
	what := fmt.Sprintf("a panic with a value of type %T", fault)
	if known, ok := fault.(runtime.Error); ok {
		what = known.Error()
	}
	program := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	_, _ = fmt.Fprintf(w, "error: %s\n", diag.Hinted(fmt.Sprintf("a fault in %s itself: %s\nat: %s", program, what,
		strings.Join(at, " < ")),
		"this should not happen, whatever it was given: please report it, with the command and the two lines above,"+
			" which hold no data; what was landed or written before is whole"))
}

// maxPlaces is how many functions a report names.
const maxPlaces = 6

// places names the functions in which a panic happened, the innermost first. It is
// called by the function that recovers.
func places() []string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	var at []string
	panicked := false
	for len(at) < maxPlaces {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicked, at = true, nil
		case panicked && !strings.HasPrefix(frame.Function, "runtime."):
			at = append(at, fmt.Sprintf("%s (%s:%d)", path.Base(frame.Function), filepath.Base(frame.File), frame.Line))
		}
		if !more {
			break
		}
	}
	return at
}
