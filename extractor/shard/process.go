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

// RetryVariable is the environment variable that is 1 if Spark has started the
// shard before.
const RetryVariable = "PI_EXTRACTOR_RETRY"

// Run is a shard's process: it reads its Spec from stdin, reads its streams from
// PI, and writes them as an Arrow stream to stdout, which is never closed.
// Secrets are read by getenv. A nil error means that the stream is whole, even if
// the site failed: that is the trailer's Failure. After any other error the stream
// is of no use: the spec was bad, the pipe dead, the driver lost, or ctx ended.
func Run(ctx context.Context, stdin io.Reader, stdout io.Writer, getenv func(string) (string, bool), log *slog.Logger) error {
	return process{stdin: stdin, stdout: stdout, getenv: getenv, log: log,
		heartbeatTimeout: HeartbeatTimeout, gracePeriod: GracePeriod, look: time.Second}.run(ctx)
}

type process struct {
	stdin  io.Reader
	stdout io.Writer
	getenv func(string) (string, bool)
	log    *slog.Logger

	heartbeatTimeout, gracePeriod time.Duration
	look                          time.Duration // how often the pipe is looked at
}

func (p process) run(ctx context.Context) error {
	spec, err := within(ctx, p.heartbeatTimeout, func() (Spec, error) { return readSpec(p.stdin) })
	if err != nil {
		return fmt.Errorf("the shard's spec: %w", err)
	}
	if spec.Driver != "" {
		followed, stop, err := follow(ctx, spec.Driver, p.heartbeatTimeout)
		if err != nil {
			return err
		}
		defer stop()
		ctx = followed
	}
	ctx, stop := p.watch(ctx)
	defer stop()
	if again, _ := p.getenv(RetryVariable); again == "1" {
		if err := sleep.For(ctx, p.gracePeriod); err != nil {
			return err
		}
	}
	// A write to a pipe that nobody reads blocks: the process does not wait for it
	// once it is to end.
	_, err = within(ctx, 0, func() (struct{}, error) { return struct{}{}, p.stream(ctx, &spec) })
	return err
}

// within returns what do returns, or an error if do takes longer than the timeout, or
// has not returned a second after the context ended. A timeout of 0 is none.
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
		end.err = context.Cause(ctx) // the cause explains more
	}
	return end.value, end.err
}

// errDeadPipe is why a shard ends whose stream nobody reads any more.
var errDeadPipe = errors.New("the pipe of standard output is dead: nobody reads the stream")

// watch returns a context that ends with errDeadPipe when stdout is a pipe that
// nobody reads any more: a shard with a slow site may not write for a long time,
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
	trailer := Trailer{Shard: spec.Shard}
	client, err := p.connect(spec)
	if err != nil {
		trailer.Streams, trailer.Failure = unread(spec, err), err.Error()
	} else {
		defer client.Close()
		reading, err := Read(ctx, client, spec.Streams, out, Watch{})
		if err != nil {
			return err
		}
		trailer.Events, trailer.Requests, trailer.Retries = reading.Events, reading.Requests, reading.Retries
		for _, o := range reading.Outcomes {
			trailer.Streams = append(trailer.Streams, Outcome{Through: o.To, Events: o.Events, Error: o.Error})
		}
		if reading.Failure != nil {
			trailer.Failure = reading.Failure.Error()
		}
	}
	text, err := json.Marshal(trailer)
	if err != nil {
		return err
	}
	return out.Close(string(text))
}

// unread returns the outcomes of streams of which nothing was read.
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
	// The bundle's files are on the driver, which sends their contents.
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
	return piwebapi.New(piwebapi.Options{Site: site, Limits: bounded(site.Limits), Transport: transport, Logger: p.log,
		Access: piwebapi.NewAccess()})
}

// maxHeld bounds the events that a shard holds at once, being read or waiting to be
// written: about 100 bytes each if all are different texts. A call for fewer than
// minItems costs more than it brings.
const (
	maxHeld  = 1_000_000
	minItems = 10_000
)

// bounded keeps the calls of many connections small enough for a worker's memory.
func bounded(l manifest.Limits) manifest.Limits {
	const waiting = 5 // batches that no connection is filling
	l.ItemsPerCall = min(l.ItemsPerCall, max(minItems, maxHeld/(max(1, l.Connections)+waiting)))
	return l
}
