package piwebapi

import (
	"context"
	"io"
	"sync"

	"github.com/bundlegen/bundlegen/extractor/columns"
)

// Limits of the memory that calls for data hold.
const (
	heldBytes  = 128 << 20
	heldStep   = 256 << 10 // acquired at a time; a small call acquires nothing
	heldBeyond = 4         // calls that may exceed the limit, of different Clients
	idleBytes  = 32 << 20  // of batches that wait for a call
)

// Memory bounds what the calls for data of all Clients that share it hold: events
// from the moment they are read until the Sink has freed their batch. A call that
// needs more than is left reads no further until others are done. One call of each
// of a few Clients may exceed the limit, so that at least one always ends, and a
// large or slow answer of one site does not block the others for ever. All methods
// are safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	changed *sync.Cond
	free    int64             // below 0 while calls exceed the limit
	beyond  map[*Client]*hold // the calls that may exceed it
	idle    []*columns.Batch  // for reuse; they count as held
	waiting int64             // bytes of idle
}

// NewMemory returns a Memory of so many bytes; 0 is 128 MiB.
func NewMemory(bytes int64) *Memory {
	if bytes == 0 {
		bytes = heldBytes
	}
	m := &Memory{free: bytes, beyond: map[*Client]*hold{}}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// hold returns an empty batch for a call of a Client.
func (m *Memory) hold(of *Client) *hold {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := &hold{Memory: m, of: of}
	if len(m.idle) > 0 {
		h.batch, h.bytes = m.unidle()
	} else {
		h.batch = new(columns.Batch)
	}
	return h
}

// unidle takes an idle batch, and returns its size. m.mu is held.
func (m *Memory) unidle() (*columns.Batch, int64) {
	last := len(m.idle) - 1
	b := m.idle[last]
	m.idle[last], m.idle = nil, m.idle[:last]
	size := int64(b.Size())
	m.waiting -= size
	return b, size
}

// hold is what one call holds. It belongs to one goroutine at a time.
type hold struct {
	*Memory
	of    *Client
	batch *columns.Batch
	bytes int64
}

// grow waits until the call may hold that many bytes.
func (h *hold) grow(ctx context.Context, bytes int64) error {
	if bytes <= max(h.bytes, heldStep) {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	more := bytes + heldStep - h.bytes
	if !h.may(more) {
		defer context.AfterFunc(ctx, func() {
			h.mu.Lock()
			h.changed.Broadcast()
			h.mu.Unlock()
		})()
		for !h.may(more) {
			if err := ctx.Err(); err != nil {
				return err
			}
			h.changed.Wait()
		}
	}
	h.free, h.bytes = h.free-more, h.bytes+more
	return nil
}

// may reports whether the call may hold that much more. h.mu is held.
func (h *hold) may(more int64) bool {
	for more > h.free && len(h.idle) > 0 {
		_, size := h.unidle()
		h.free += size
	}
	switch {
	case more <= h.free || h.beyond[h.of] == h:
		return true
	case h.beyond[h.of] == nil && len(h.beyond) < heldBeyond:
		h.beyond[h.of] = h
		return true
	}
	return false
}

// release frees what the call holds, and keeps the batch for another call unless the
// Sink has kept it.
func (h *hold) release(kept bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free, h.bytes = h.free+h.bytes, 0
	if h.beyond[h.of] == h {
		delete(h.beyond, h.of)
	}
	h.changed.Broadcast()
	if kept {
		return
	}
	h.batch.Reset()
	if size := int64(h.batch.Size()); size <= min(h.free, idleBytes-h.waiting) {
		h.idle = append(h.idle, h.batch)
		h.free, h.waiting = h.free-size, h.waiting+size
	}
}

// metered is a body that is read only while there is memory for its events.
type metered struct {
	io.Reader
	ctx  context.Context
	hold *hold
}

func (m *metered) Read(p []byte) (int, error) {
	if err := m.hold.grow(m.ctx, int64(m.hold.batch.Size())); err != nil {
		return 0, err
	}
	return m.Reader.Read(p)
}
