package decode

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// window is the part of a body that is in memory. What is read from it stays in place
// until more is called.
type window struct {
	body io.Reader
	buf  []byte
	pos  int   // the next byte to read
	end  int   // behind the last byte that is there
	gone int64 // bytes of the body before buf[0]
	err  error // with which the body ended: io.EOF if it is complete
}

// firstWindow fits a processor's second-level cache together with the columns.
const firstWindow = 128 << 10

// open begins a new body.
func (w *window) open(body io.Reader, size int) {
	if len(w.buf) < size || len(w.buf) > 8*size { // a giant of an earlier body is not kept
		w.buf = make([]byte, size)
	}
	*w = window{body: body, buf: w.buf}
}

// close forgets the body, so that the decoder does not keep it alive.
func (w *window) close() { w.body = nil }

// more reads on, keeping what is not consumed yet, until the buffer is full: what the
// decoder sees does not depend on how the network cut the body. At the end of the body
// it returns why it ended.
func (w *window) more() error {
	if w.err != nil {
		return w.broken()
	}
	rest := w.end - w.pos
	if w.pos == 0 && rest == len(w.buf) {
		if len(w.buf) >= maxPiece {
			return fmt.Errorf("a piece of the body at byte %d is %w (%d bytes)", w.gone, ErrTooLarge, maxPiece)
		}
		w.buf = append(w.buf, make([]byte, min(len(w.buf), maxPiece-len(w.buf)))...)
	} else {
		copy(w.buf, w.buf[w.pos:w.end])
		w.gone += int64(w.pos)
		w.pos, w.end = 0, rest
	}
	for idle := 0; w.end < len(w.buf) && w.err == nil; {
		n, err := w.body.Read(w.buf[w.end:])
		w.end, w.err = w.end+n, err
		if n > 0 {
			idle = 0
		} else if idle++; idle >= 100 && err == nil {
			w.err = io.ErrNoProgress
		}
	}
	if w.end == rest {
		return w.broken()
	}
	return nil
}

// broken returns the error of a body that ends too early.
func (w *window) broken() error {
	cause := w.err
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the body breaks off after %d bytes: %w", w.gone+int64(w.end), cause)
}

// fault returns the error with a reason and a position in buf.
func (w *window) fault(at int, reason error) error {
	return &FormatError{Offset: w.gone + int64(at), Reason: reason.Error(), Lasting: slices.Contains(lasting, reason)}
}
