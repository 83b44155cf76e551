package stage

import "github.com/bundlegen/bundlegen/extractor/columns"

// maxTextBytes ends a row group early when its texts are large: it bounds what a
// writer holds of them.
const maxTextBytes = 2 << 20

// rows holds the events of a row group that is being filled. The zero value is ready.
type rows struct {
	columns.Batch // Text holds indices into texts; Strings is not used
	// texts are those of the batches, by reference. A text is listed once for each
	// batch that has it: whether it is worth looking for equal ones is decided once
	// all are known.
	texts     []string
	textBytes int
	texted    int      // rows with a text
	local     []uint32 // of the batch that is being added: an id in its Strings -> an index into texts, or unseen
}

const unseen = ^uint32(0)

// add takes events of b from at on, as many as there is room for, and returns their number.
func (r *rows) add(b *columns.Batch, at int) int {
	to := min(b.Len(), at+rowGroup-r.Len())
	if room := cap(r.Ticks); r.Len()+to-at > room && room > 0 {
		// There are many batches: growing bit by bit would copy each row five times.
		r.Grow(min(rowGroup, 8*room) - r.Len())
	}
	if b.Strings.Len() > 0 {
		to = r.addTexts(b, at, to)
	} else {
		r.Text = append(r.Text, b.Text[at:to]...)
	}
	r.Stream = append(r.Stream, b.Stream[at:to]...)
	r.Ticks = append(r.Ticks, b.Ticks[at:to]...)
	r.Value = append(r.Value, b.Value[at:to]...)
	r.Code = append(r.Code, b.Code[at:to]...)
	r.Flags = append(r.Flags, b.Flags[at:to]...)
	return to - at
}

// addTexts takes the texts of the events from at up to to, and returns the position up to
// which there was room.
func (r *rows) addTexts(b *columns.Batch, at, to int) int {
	for len(r.local) < b.Strings.Len() {
		r.local = append(r.local, unseen)
	}
	for i := at; i < to; i++ {
		if b.Flags[i]&columns.HasText == 0 {
			r.Text = append(r.Text, 0)
			continue
		}
		id := r.local[b.Text[i]]
		if id == unseen {
			id = uint32(len(r.texts))
			text := b.Strings.Text(b.Text[i])
			r.texts, r.textBytes = append(r.texts, text), r.textBytes+len(text)
			r.local[b.Text[i]] = id
		}
		r.Text = append(r.Text, id)
		r.texted++
		if r.textBytes >= maxTextBytes {
			return i + 1
		}
	}
	return to
}

// full reports whether the row group is to be written.
func (r *rows) full() bool { return r.Len() == rowGroup || r.textBytes >= maxTextBytes }

// forget ends the batch that was added: the ids of the next one are others.
func (r *rows) forget() { r.local = r.local[:0] }

// reset empties the row group and keeps its memory.
func (r *rows) reset() {
	r.Truncate(0)
	clear(r.texts) // so that they can be collected
	r.texts, r.textBytes, r.texted = r.texts[:0], 0, 0
	r.forget()
}
