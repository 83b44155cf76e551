package piwebapi_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// slowSink keeps each batch for a while, and counts what it holds at once.
type slowSink struct {
	*catcher
	shared *heldEvents
}

type heldEvents struct {
	mu        sync.Mutex
	now, most int
}

func (h *heldEvents) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += n
	h.most = max(h.most, h.now)
}

func (s *slowSink) Events(ctx context.Context, b *columns.Batch) error {
	n := b.Len()
	s.shared.add(n)
	time.Sleep(time.Second)
	s.shared.add(-n)
	return s.catcher.Events(ctx, b)
}

// Clients that share a Memory which is far too small for what they read at once read
// everything all the same, and hold little at a time.
func TestMemoryIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perStream, sites, streams = 20_000, 6, 6
		shared := &heldEvents{}
		memory := piwebapi.NewMemory(1)
		var all sync.WaitGroup
		for range sites {
			f, list := uniform(streams)
			for i := range list {
				f.events[id(i)] = regular(epoch, epoch+instant.Hour, instant.Hour/perStream)
			}
			s := settings{connections: 8, timeout: 3600, memory: memory}
			c := client(t, f, s)
			k := newCatcher(c)
			all.Go(func() {
				require.NoError(t, c.Recorded(t.Context(), list, &slowSink{k, shared}))
				k.verify(t, f, list)
			})
		}
		all.Wait()
		require.Zero(t, shared.now)
		require.LessOrEqual(t, shared.most, 4*120_000, "a call of each of four clients")
		require.Positive(t, shared.most)
	})
}

// Who waits for memory ends with its context.
func TestMemoryIsNotWaitedForInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := piwebapi.NewMemory(1)
		for i := range 5 { // the fifth has to wait
			f, list := uniform(1)
			f.events[id(0)] = regular(epoch, epoch+instant.Hour, instant.Hour/20_000)
			c := client(t, f, settings{memory: memory, timeout: 3600})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := c.Recorded(ctx, list, keeper{})
			if i < 4 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
	})
}

// keeper is a Sink that frees nothing.
type keeper struct{}

func (keeper) Events(context.Context, *columns.Batch) error { return nil }
func (keeper) Done(int, batch.Outcome, error)               {}
