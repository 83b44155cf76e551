package decode

import (
	"bytes"
	"fmt"
	"math"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// stream is the state of the stream that is being read.
type stream struct {
	webID, name, path []byte
	start             int   // its first event in the batch
	last              int64 // ticks of its last item so far
	listed            bool  // its Items have been read
	specials          bool  // it has a text that a numeric point means as a number
	err               error // what the body reports of it
}

func (s *stream) reset(b *columns.Batch) {
	*s = stream{webID: s.webID[:0], name: s.name[:0], path: s.path[:0], start: b.Len(), last: math.MinInt64}
}

// oneOfSet reads one element of a stream set. Its name may come after its events, so
// these are appended first and attributed afterwards.
func (d *Decoder) oneOfSet(maxCount int, b *columns.Batch, results []Result) error {
	s := &d.stream
	s.reset(b)
	err := d.members(func(key []byte) (err error) {
		switch string(key) {
		case "Items":
			return d.items(b)
		case "WebId":
			s.webID, err = d.text(s.webID[:0])
		case "Name":
			s.name, err = d.text(s.name[:0])
		case "Path":
			s.path, err = d.text(s.path[:0])
		default:
			var e *WebException
			if e, err = d.complaint(key); e != nil {
				s.err = e
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if s.err != nil && len(s.webID)+len(s.name)+len(s.path) == 0 {
		return s.err
	}
	i, err := d.index.find(s.webID, s.name, s.path)
	if err != nil {
		return d.window.fault(d.window.pos, err)
	}
	if results[i].Present {
		return d.window.fault(d.window.pos, errTwice)
	}
	results[i] = d.settle(&d.index.streams[i], maxCount, b)
	return nil
}

// settle attributes the events of the current stream to the stream of the request, and
// drops those out of its range. Since events are in order of time, these are some of
// the first and some of the last.
func (d *Decoder) settle(asked *batch.Stream, maxCount int, b *columns.Batch) Result {
	s := &d.stream
	result := Result{Present: true, Items: b.Len() - s.start, Err: s.err}
	if result.Items > 0 {
		result.First, result.Last = instant.Ticks(b.Ticks[s.start]), instant.Ticks(s.last)
	}
	if result.Err != nil {
		b.Truncate(s.start)
		return result
	}
	result.Full = maxCount > 0 && result.Items >= maxCount && result.Last <= asked.Until
	until := asked.Until
	if result.Full {
		until = min(until, result.Last-1)
	}
	from, to := s.start, b.Len()
	for to > from && b.Ticks[to-1] > int64(until) {
		to--
	}
	for from < to && b.Ticks[from] <= int64(asked.After) {
		from++
	}
	b.Truncate(to)
	b.Delete(s.start, from)
	result.Kept = to - from

	stream := b.Stream[s.start:]
	for i := range stream {
		stream[i] = asked.Index
	}
	if asked.Numeric && s.specials {
		numbersOfTexts(b, s.start)
	}
	return result
}

// numbersOfTexts makes numbers of the texts "NaN", "Infinity" and "-Infinity".
func numbersOfTexts(b *columns.Batch, from int) {
	for i := from; i < b.Len(); i++ {
		if b.Flags[i]&(columns.HasText|columns.HasCode) != columns.HasText {
			continue
		}
		if f, ok := special([]byte(b.Strings.Text(b.Text[i]))); ok {
			b.Flags[i] ^= columns.HasValue | columns.HasText
			b.Value[i], b.Text[i] = f, 0
		}
	}
}

// items appends the events of the current array, not attributed yet.
func (d *Decoder) items(b *columns.Batch) error {
	s := &d.stream
	if s.listed {
		return d.window.fault(d.window.pos, errTwice)
	}
	s.listed = true
	more, err := d.array()
	if err != nil {
		return err
	}
	for more {
		if done, err := d.alike(b); done || err != nil {
			return err
		}
		if err := d.other(b); err != nil {
			return err
		}
		if more, err = d.comma(']', errArray); err != nil {
			return err
		}
	}
	return nil
}

// alike appends the items from here on that have the shape of earlier ones.
// done means that the array ended with them. Otherwise the window is at the next
// item, which has another shape, or of which the window has only a part.
func (d *Decoder) alike(b *columns.Batch) (done bool, err error) {
	w, s := &d.window, &d.shape
	data, p := w.buf[:w.end], w.pos
	if s.known == 0 || !bytes.HasPrefix(data[p:], s.head) {
		return false, nil
	}
	for recent, more := 0, true; more; {
		ticks, q := d.clock.parse(data, p+len(s.head))
		if q == 0 || !bytes.HasPrefix(data[q:], s.mid) {
			break
		}
		v, q := d.plainValue(data, q+len(s.mid), &b.Strings)
		if q == 0 {
			break
		}
		var next int
		if recent, next, more = s.follow(data, q, recent); next == 0 {
			break
		}
		if ticks < d.stream.last {
			return false, w.fault(p, errOrder)
		}
		d.stream.last = ticks
		b.Append(0, ticks, v.number, v.text, v.code, s.tails[recent].flags|v.kind)
		if p = next; more {
			p -= len(s.head)
		}
		w.pos, done = p, !more
	}
	return done, nil
}

// other appends the item at hand, whatever its shape, and learns that.
func (d *Decoder) other(b *columns.Batch) error {
	w := &d.window
	var it item
	var end int
	for {
		var err error
		if it, end, err = d.readItem(w.buf[:w.end], w.pos); err == nil {
			break
		}
		if err != errShort {
			return w.fault(end, err)
		}
		if err := w.more(); err != nil {
			return err
		}
	}
	data := w.buf[:w.end]
	d.blame(data, &it)
	failed := it.failed(data)
	ticks, err := d.ticksOf(data, &it)
	if failed && (err != nil || d.outside(ticks)) {
		d.stream.err = reported(it.exception.of(data), it.errors.of(data))
		w.pos = end
		return nil
	}
	if err != nil {
		return w.fault(w.pos, err)
	}
	if ticks < d.stream.last {
		return w.fault(w.pos, errOrder)
	}
	var v value
	if !failed {
		if v, err = d.valueOf(data, it.value, &b.Strings); err != nil {
			return w.fault(it.value.from, err)
		}
		d.shape.learn(data, w.pos, end, &it)
	}
	b.Append(0, ticks, v.number, v.text, v.code, it.flags|v.kind)
	d.stream.last = ticks
	w.pos = end
	return d.bounded(b)
}

// roundedBy is more than a server rounds the ends of a range by.
const roundedBy = int64(instant.Millisecond)

// outside reports whether an instant is outside the range of the call. An error there, or
// without a time, is not an event of the stream: it is why the stream could not be
// read, such as "No Read Access" in 1970.
func (d *Decoder) outside(ticks int64) bool {
	return ticks+roundedBy < d.after || ticks-roundedBy > d.until
}

// bounded checks that the call is still within the decoder's limits. Since a new window
// always begins with an item read by the generic path, it is called often enough.
func (d *Decoder) bounded(b *columns.Batch) error {
	if b.Len()-d.events > d.maxEvents {
		return fmt.Errorf("a body of more than %d events is %w", d.maxEvents, ErrTooLarge)
	}
	if b.Strings.Bytes()-d.texts > d.limits.texts {
		return fmt.Errorf("a body with more than %d bytes of different texts is %w", d.limits.texts, ErrTooLarge)
	}
	return nil
}
