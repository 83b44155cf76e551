package shard

import (
	"context"
	"errors"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/crash"
)

// Writer takes events: a stage.Writer or a stage.ArrowWriter. The batch is the
// caller's again when Write returns.
type Writer interface {
	Write(b *columns.Batch) error
}

// Watch observes a reading. Its functions are called from several goroutines and may
// be nil.
type Watch struct {
	Events func(n int)                       // n more events were read
	Done   func(stream int, o batch.Outcome) // a stream has ended
}

// Reading is what became of streams that were read.
type Reading struct {
	Outcomes []batch.Outcome // in the streams' order
	Events   int64           // written
	Files    []batch.File    // that were written, if the writer writes files
	Requests int64
	Retries  int64 // requests sent again
	// Failure is why the site could not be read to the end, nil if it was. Outcomes
	// are right either way.
	Failure error
}

// Read reads streams by a client into w: in a shard's process, and in a task
// without shards. One goroutine writes while others read, with few batches in
// between. The error is w's or the context's: what was written is of no use then,
// and only Requests of the reading is valid.
func Read(ctx context.Context, client *piwebapi.Client, streams []batch.Stream, w Writer, watch Watch) (Reading, error) {
	s := &sink{client: client, watch: watch, outcomes: make([]batch.Outcome, len(streams)),
		batches: make(chan *columns.Batch, 2), failed: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer crash.Exit()
		s.write(w)
	}()
	before, again := client.Requests(), client.Retries()
	failure := client.Recorded(ctx, streams, s)
	close(s.batches)
	<-s.done
	out := Reading{Outcomes: s.outcomes, Events: s.events, Failure: failure,
		Requests: client.Requests() - before, Retries: client.Retries() - again}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	return out, s.err
}

// sink takes what the client reads.
type sink struct {
	client   *piwebapi.Client
	watch    Watch
	outcomes []batch.Outcome
	batches  chan *columns.Batch
	failed   chan struct{} // closed when writing failed
	done     chan struct{} // closed when writing has ended
	events   int64         // written; valid after done, like err
	err      error
}

func (s *sink) write(w Writer) {
	defer close(s.done)
	for b := range s.batches {
		if s.err == nil {
			events := int64(b.Len())
			if s.err = w.Write(b); s.err != nil {
				close(s.failed)
			} else {
				s.events += events
			}
		}
		s.client.Free(b)
	}
}

// Events implements piwebapi.Sink.
func (s *sink) Events(ctx context.Context, b *columns.Batch) error {
	n := b.Len() // the writer owns b once it is sent
	select {
	case s.batches <- b:
	case <-s.failed:
		return errors.New("writing failed")
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.watch.Events != nil {
		s.watch.Events(n)
	}
	return nil
}

// Done implements piwebapi.Sink.
func (s *sink) Done(i int, o batch.Outcome, _ error) {
	s.outcomes[i] = o
	if s.watch.Done != nil {
		s.watch.Done(i, o)
	}
}
