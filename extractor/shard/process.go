package shard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// RetryVariable is the environment variable that is 1 when Spark has started
// the shard before.
const RetryVariable = "PI_EXTRACTOR_RETRY"

// Run is a shard's process: it reads its Spec from stdin, reads its streams from
// PI, and writes them as an Arrow stream to stdout, which is never closed.
// Secrets are found by getenv. A nil error means that the stream is whole, also
// where the site failed: that is the closing's Failure. After any other it is of
// no use: the spec was bad, the pipe dead, the driver silent, or ctx ended.
func Run(ctx context.Context, stdin io.Reader, stdout io.Writer, getenv func(string) (string, bool), log *slog.Logger) error {
	return process{stdin: stdin, stdout: stdout, getenv: getenv, log: log,
		silence: Silence, respite: Respite, look: time.Second}.run(ctx)
}

type process struct {
	stdin  io.Reader
	stdout io.Writer
	getenv func(string) (string, bool)
	log    *slog.Logger

	silence, respite time.Duration
	look             time.Duration // how often the pipe is looked at
}

func (p process) run(ctx context.Context) error {
	spec, err := within(ctx, p.silence, func() (Spec, error) { return readSpec(p.stdin) })
	if err != nil {
		return fmt.Errorf("the shard's spec: %w", err)
	}
	if spec.Driver != "" {
		followed, stop, err := follow(ctx, spec.Driver, p.silence)
		if err != nil {
			return err
		}
		defer stop()
		ctx = followed
	}
	ctx, stop := p.watch(ctx)
	defer stop()
	if again, _ := p.getenv(RetryVariable); again == "1" {
		if err := sleep.For(ctx, p.respite); err != nil {
			return err
		}
	}
	// A pipe that nobody empties holds up whoever writes to it: the process does
	// not wait for that once it is to end.
	_, err = within(ctx, 0, func() (struct{}, error) { return struct{}{}, p.stream(ctx, &spec) })
	return err
}

// within gives what do gives, or an error when it takes longer, or the context
// ends and do does not. A timeout of 0 is none.
func within[T any](ctx context.Context, timeout time.Duration, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer crash.Exit()
		value, err := do()
		done <- result{value, err}
	}()
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	var end result
	select {
	case end = <-done:
	case <-late:
		end.err = fmt.Errorf("nothing came for %s", timeout)
	case <-ctx.Done():
		grace := time.NewTimer(time.Second)
		defer grace.Stop()
		select {
		case end = <-done:
		case <-grace.C:
			end.err = ctx.Err()
		}
	}
	if end.err != nil && ctx.Err() != nil {
		end.err = context.Cause(ctx) // what ended it tells more than how
	}
	return end.value, end.err
}

// errDeadPipe says that nobody reads the stream any more.
var errDeadPipe = errors.New("the pipe of standard output is dead: nobody reads the stream")

// watch gives a context that ends with errDeadPipe when stdout is a pipe that
// nobody reads any more: a shard whose site is slow might not write for long,
// and would not notice.
func (p process) watch(ctx context.Context) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer crash.Exit()
		for sleep.For(watched, p.look) == nil {
			if dead(p.stdout) {
				cancel(errDeadPipe)
			}
		}
	}()
	return watched, func() {
		cancel(context.Canceled)
		<-ended
	}
}

// stream reads the shard's streams into stdout.
func (p process) stream(ctx context.Context, spec *Spec) error {
	out, err := stage.NewArrowWriter(p.stdout, Labels(stage.Labels{}, spec.Streams))
	if err != nil {
		return err
	}
	closing := Closing{Shard: spec.Shard}
	client, err := p.connect(spec)
	if err != nil {
		closing.Streams, closing.Failure = unread(spec, err), err.Error()
	} else {
		defer client.Close()
		reading, err := Read(ctx, client, spec.Streams, out, Watch{})
		if err != nil {
			return err
		}
		closing.Events, closing.Requests, closing.Retries = reading.Events, reading.Requests, reading.Retries
		for _, o := range reading.Outcomes {
			closing.Streams = append(closing.Streams, Outcome{Through: o.To, Events: o.Events, Error: o.Error})
		}
		if reading.Failure != nil {
			closing.Failure = reading.Failure.Error()
		}
	}
	text, err := json.Marshal(closing)
	if err != nil {
		return err
	}
	return out.Close(string(text))
}

// unread are the outcomes of streams of which nothing was read.
func unread(spec *Spec, why error) []Outcome {
	out := make([]Outcome, len(spec.Streams))
	for i := range out {
		out[i] = Outcome{Through: spec.Streams[i].After, Error: why.Error()}
	}
	return out
}

// connect opens a client with the shard's share of the site's budget.
func (p process) connect(spec *Spec) (*piwebapi.Client, error) {
	site := spec.Site
	// The bundle's files are the driver's, which sends what they hold.
	files := func(name string) ([]byte, error) {
		switch {
		case name == site.TLS.CAFile && spec.CA != "":
			return []byte(spec.CA), nil
		case name == site.Auth.Krb5Conf && spec.Krb5Conf != "":
			return []byte(spec.Krb5Conf), nil
		}
		return nil, fmt.Errorf("the driver has not sent the file %q", name)
	}
	transport, err := auth.NewTransport(site, files, p.getenv)
	if err != nil {
		return nil, err
	}
	return piwebapi.New(piwebapi.Options{Site: site, Limits: bounded(site.Limits), Transport: transport, Logger: p.log, Access: piwebapi.NewAccess()})
}

// A shard holds so many events at once at most, in what connections are
// reading and in what waits to be written: about 100 bytes each when all are
// different texts. A call for less than leastItems would be a bad bargain.
const (
	mostHeld   = 1_000_000
	leastItems = 10_000
)

// bounded keeps the calls of many connections small enough for a worker's memory.
func bounded(l manifest.Limits) manifest.Limits {
	const waiting = 5 // batches that no connection is filling
	l.ItemsPerCall = min(l.ItemsPerCall, max(leastItems, mostHeld/(max(1, l.Connections)+waiting)))
	return l
}
