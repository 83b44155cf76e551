package simulator

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// spillAt is how many bytes of a body are held before they are sent.
const spillAt = 64 << 10

// cutting is a way to cut a body off.
type cutting uint8

const (
	whole    cutting = iota
	cutClean         // the transfer ends as if that were all
	cutHard          // the connection breaks
)

// body is an answer: handlers append to buf and spill now and then. Without a writer it
// is kept in memory (a part of a batch). Not safe for concurrent use.
type body struct {
	w      http.ResponseWriter
	zip    *gzip.Writer
	buf    []byte
	status int
	cut    cutting
	sent   bool // the header and something of the body
	dead   bool // nobody reads what follows
	events int64
}

var (
	buffers = sync.Pool{New: func() any { b := make([]byte, 0, spillAt+16<<10); return &b }}
	zips    = sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a legal one
		return z
	}}
)

// spill sends what is buffered once it is enough. It reports false if the client is
// gone.
func (b *body) spill() bool {
	if len(b.buf) >= spillAt && b.w != nil {
		b.flush()
	}
	return !b.dead
}

// flush sends what is buffered.
func (b *body) flush() {
	if b.dead {
		b.buf = b.buf[:0]
		return
	}
	if !b.sent {
		b.w.WriteHeader(b.status)
		b.sent = true
	}
	out := b.buf
	if b.cut != whole {
		out, b.dead = out[:len(out)/2], true
	}
	var err error
	if b.zip != nil {
		_, err = b.zip.Write(out)
	} else {
		_, err = b.w.Write(out)
	}
	if err != nil {
		b.dead = true
	}
	b.buf = b.buf[:0]
}

// finish sends the rest. A body that is to be cut off breaks the connection here.
func (b *body) finish() {
	if !b.sent && b.zip == nil && b.cut == whole {
		b.w.Header().Set("Content-Length", strconv.Itoa(len(b.buf)))
	}
	b.flush()
	switch {
	case b.cut == cutHard:
		if f, ok := b.w.(http.Flusher); ok {
			if b.zip != nil {
				_ = b.zip.Flush() // a disconnected client is not an error
			}
			f.Flush()
		}
		panic(http.ErrAbortHandler) // net/http's way to break a connection off
	case b.cut == cutClean && b.zip != nil:
		_ = b.zip.Flush()
	case b.zip != nil:
		_ = b.zip.Close()
	}
}

// newBody returns a body for a writer; free it afterwards.
func newBody(w http.ResponseWriter, compressed bool) *body {
	b := &body{w: w, status: http.StatusOK, buf: (*buffers.Get().(*[]byte))[:0]}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if compressed {
		h.Set("Content-Encoding", "gzip")
		h.Set("Vary", "Accept-Encoding")
		b.zip = zips.Get().(*gzip.Writer)
		b.zip.Reset(w)
	}
	return b
}

// free makes the memory available to other bodies.
func (b *body) free() {
	if b.zip != nil {
		zips.Put(b.zip)
		b.zip = nil
	}
	if cap(b.buf) <= 4*spillAt {
		buf := b.buf[:0]
		buffers.Put(&buf)
	}
	b.buf = nil
}
