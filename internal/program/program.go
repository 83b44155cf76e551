package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// Exit codes that are the same in every program.
const (
	exitError     = 1
	exitCancelled = 130
)

// Run runs a program's work and ends the process with the exit code that it
// returns. The context ends with SIGINT, SIGTERM and SIGHUP; a second signal, and
// SIGQUIT (Ctrl-\, which would print stacks), ends the process at once. A SIGHUP
// that the process was started to ignore, as by nohup, is ignored. A panic ends it
// with an error (package crash). When what was written to stdout did not get
// there, the process ends with an error, even if the work succeeded.
func Run(work func(ctx context.Context, stdout *Output) int) {
	ctx, cancel := context.WithCancel(context.Background())
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, ends...)
	if os.Getenv("GOTRACEBACK") == "" { // else somebody wants to see the stacks
		quit := make(chan os.Signal, 1)
		signal.Notify(quit, syscall.SIGQUIT)
		go func() {
			defer crash.Exit()
			<-quit
			fmt.Fprintln(os.Stderr, "cancelled at once")
			os.Exit(exitCancelled)
		}()
	}
	go func() {
		defer crash.Exit()
		<-signals
		cancel()
		<-signals
		os.Exit(exitCancelled)
	}()
	stdout := &Output{file: os.Stdout}
	code := crash.Main(func() int { return work(ctx, stdout) })
	if err := stdout.close(); err != nil && code != exitCancelled {
		fmt.Fprintf(os.Stderr, "error: %v\n", diag.WithHint(fmt.Errorf("standard output: %w", err),
			"what was to be printed is not complete; free space there, or write elsewhere"))
		code = exitError
	}
	os.Exit(code)
}

// Output is a program's standard output, which remembers that it failed. It is
// safe for concurrent use.
type Output struct {
	file *os.File
	mu   sync.Mutex
	err  error
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil {
		o.fail(err)
	}
	return n, err
}

// Fd returns the file's descriptor, for whoever asks whether it is a terminal.
func (o *Output) Fd() uintptr { return o.file.Fd() }

// SyscallConn implements syscall.Conn, for whoever looks after the pipe that it may be.
func (o *Output) SyscallConn() (syscall.RawConn, error) { return o.file.SyscallConn() }

func (o *Output) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

// close closes the file, since a full disk may show only then, and
// returns the first of all errors.
func (o *Output) close() error {
	if err := o.file.Close(); err != nil {
		o.fail(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var path *os.PathError
	if errors.As(o.err, &path) {
		return path.Err // its path is always /dev/stdout
	}
	return o.err
}
