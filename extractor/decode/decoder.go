package decode

import (
	"fmt"
	"io"
	"math"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
)

// Decoder reads bodies one after the other, in memory that it keeps: a window
// of the body, not the body. It is not safe for concurrent use.
type Decoder struct {
	limits limits
	window window
	clock  clock
	shape  shape

	scratch []byte // an unescaped string

	// Of the call at hand:
	index         index
	after, until  int64  // the range that all its streams are asked for
	stream        stream // the stream that is being read
	maxEvents     int    // events that it may bring
	events, texts int    // what the batch held before
}

// limits are constants but for tests.
type limits struct {
	window int // bytes of a new window
	events int // that a call may bring
	texts  int // bytes of the different texts that a call may bring
}

// New makes a Decoder.
func New() *Decoder {
	d := &Decoder{limits: limits{firstWindow, maxEvents, maxTexts}}
	copy(d.clock.date[:], "1970-01-01")
	return d
}

// StreamSet reads the body of GET /streamsets/recorded to its end and appends
// its events to b, with the Index of their stream. maxCount is what the call asked
// for, of each stream; 0 when it named none. results has the length of streams and
// is overwritten; a stream that the body does not have is left as not Present.
// Streams come in any order; they are told by WebId, and where that is none of the
// call's (a server may answer with another kind of id) by Name or Path.
//
// Errors: *WebException for one that the body as a whole reports, *NotJSON,
// *FormatError (malformed; streams not asked for or given twice; items not in
// order of time), one around io.ErrUnexpectedEOF when the body breaks off, one
// around ErrTooLarge, or the reader's own. After an error the content of b from
// its former length on, and results, are of no use: the caller truncates b.
func (d *Decoder) StreamSet(r io.Reader, streams []batch.Stream, maxCount int, b *columns.Batch, results []Result) error {
	if len(results) != len(streams) {
		return fmt.Errorf("%d places for the results of %d streams", len(results), len(streams))
	}
	clear(results)
	d.index.set(streams)
	d.within(streams...)
	defer d.forget()
	if err := d.begin(r, maxCount*len(streams), b); err != nil {
		return err
	}
	items := false
	err := d.members(func(key []byte) error {
		if string(key) != "Items" {
			return d.reported(key)
		}
		if items {
			return d.window.fault(d.window.pos, errTwice)
		}
		items = true
		return d.elements(func() error { return d.oneOfSet(maxCount, b, results) })
	})
	if err != nil {
		return err
	}
	return d.end(items)
}

// Stream reads the body of GET /streams/{webId}/recorded, which is one stream's,
// to its end. It is otherwise as StreamSet is; all that the body reports as an
// error is the call's error.
func (d *Decoder) Stream(r io.Reader, s batch.Stream, maxCount int, b *columns.Batch) (Result, error) {
	d.within(s)
	defer d.forget()
	if err := d.begin(r, maxCount, b); err != nil {
		return Result{}, err
	}
	d.stream.reset(b)
	if err := d.members(func(key []byte) error {
		if string(key) == "Items" {
			return d.items(b)
		}
		return d.reported(key)
	}); err != nil {
		return Result{}, err
	}
	if d.stream.err != nil {
		return Result{}, d.stream.err
	}
	if err := d.end(d.stream.listed); err != nil {
		return Result{}, err
	}
	return d.settle(&s, maxCount, b), nil
}

// within notes the range that a call for all of the streams asks for.
func (d *Decoder) within(streams ...batch.Stream) {
	d.after, d.until = math.MaxInt64/2, math.MinInt64/2
	for i := range streams {
		d.after, d.until = min(d.after, int64(streams[i].After)), max(d.until, int64(streams[i].Until))
	}
}

// byteOrderMark is what some servers of the .NET family begin a body with.
const byteOrderMark = "\xef\xbb\xbf"

// begin opens a body and finds its opening brace. asked is how many events the
// call asked for at most; 0 when it named no number.
func (d *Decoder) begin(r io.Reader, asked int, b *columns.Batch) error {
	d.maxEvents = d.limits.events
	if asked > 0 {
		// A server that ignores maxCount is not followed far: a smaller range will do.
		d.maxEvents = min(d.maxEvents, asked+slackEvents)
	}
	w := &d.window
	w.open(r, d.limits.window)
	d.events, d.texts = b.Len(), b.Strings.Bytes()
	if err := w.more(); err != nil {
		return err
	}
	if at(w.buf[:w.end], 0, byteOrderMark) {
		w.pos = len(byteOrderMark)
	}
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c != '{' {
		return &NotJSON{Snippet: printable(w.buf[w.pos:min(w.end, w.pos+2*maxSnippet)])}
	}
	return nil
}

// end checks that the body had what it is for, and that nothing follows it.
func (d *Decoder) end(items bool) error {
	w := &d.window
	for {
		if w.pos = skipSpace(w.buf[:w.end], w.pos); w.pos < w.end {
			return w.fault(w.pos, errTrailing)
		}
		if w.err == io.EOF {
			break
		}
		if err := w.more(); err != nil && w.err != io.EOF {
			return err
		}
	}
	if !items {
		return w.fault(w.pos, errNoItems)
	}
	return nil
}

// forget lets go of what belongs to the caller.
func (d *Decoder) forget() {
	d.window.close()
	d.index.set(nil)
}

// reported steps over a member of the body that is no Items, and makes an error
// of one that reports it.
func (d *Decoder) reported(key []byte) error {
	e, err := d.complaint(key)
	if err == nil && e != nil {
		return e
	}
	return err
}

// complaint steps over the value at hand; if its key is one under which the
// server reports an error, that comes back.
func (d *Decoder) complaint(key []byte) (*WebException, error) {
	var read func([]byte) *WebException
	switch string(key) {
	case "WebException":
		read = exception
	case "Errors":
		read = failure
	}
	raw, err := d.value()
	if err != nil || read == nil {
		return nil, err
	}
	return read(raw), nil
}
