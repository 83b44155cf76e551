// Package columns holds events column by column, in memory that is used again.
package columns

// Flags of an event. Value kinds: a number has HasValue; a string or a
// timestamp value has HasText; a digital or system state has HasText and
// HasCode; an event whose value is an error has none of the three.
const (
	Good uint8 = 1 << iota
	Questionable
	Substituted
	Annotated
	HasValue
	HasText
	HasCode
)

// Batch is a run of events of one or more streams. All slices have the same
// length. It is not safe for concurrent use; whoever is handed a Batch owns it
// until it calls Reset or gives it back.
type Batch struct {
	Stream  []int32   // the caller's index of the stream (a partition's tag)
	Ticks   []int64   // 100 ns since 1970-01-01Z
	Value   []float64 // where HasValue; may be NaN or infinite
	Text    []uint32  // where HasText: an id in Strings
	Code    []int32   // where HasCode: the state's number
	Flags   []uint8
	Strings Strings
}

// Len is the number of events.
func (b *Batch) Len() int { return len(b.Ticks) }

// Truncate drops all events from the n-th on: what a call that broke off had appended.
func (b *Batch) Truncate(n int) {
	b.Stream, b.Ticks, b.Value = b.Stream[:n], b.Ticks[:n], b.Value[:n]
	b.Text, b.Code, b.Flags = b.Text[:n], b.Code[:n], b.Flags[:n]
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Truncate(0)
	b.Strings.Reset()
}

// Append adds one event.
func (b *Batch) Append(stream int32, ticks int64, value float64, text uint32, code int32, flags uint8) {
	b.Stream = append(b.Stream, stream)
	b.Ticks = append(b.Ticks, ticks)
	b.Value = append(b.Value, value)
	b.Text = append(b.Text, text)
	b.Code = append(b.Code, code)
	b.Flags = append(b.Flags, flags)
}

// Strings interns texts: equal texts of a batch have one id. The zero value is ready.
type Strings struct {
	ids  map[string]uint32
	text []string
	size int
}

// ID gives the id of s, making one when it is new. s is copied then, and only then.
func (t *Strings) ID(s []byte) uint32 {
	if id, ok := t.ids[string(s)]; ok {
		return id
	}
	if t.ids == nil {
		t.ids = make(map[string]uint32)
	}
	id := uint32(len(t.text))
	c := string(s)
	t.ids[c], t.text, t.size = id, append(t.text, c), t.size+len(c)
	return id
}

// Text gives the text of an id.
func (t *Strings) Text(id uint32) string { return t.text[id] }

// Len is the number of different texts.
func (t *Strings) Len() int { return len(t.text) }

// Bytes is the size of all texts together.
func (t *Strings) Bytes() int { return t.size }

// Reset forgets all texts.
func (t *Strings) Reset() {
	clear(t.ids)
	clear(t.text)
	t.text, t.size = t.text[:0], 0
}
