package columns

import "slices"

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
// length. It is not safe for concurrent use: one owner passes it to the next. The zero
// value is ready to use.
type Batch struct {
	Stream  []int32   // the caller's index of the stream (a partition's tag)
	Ticks   []int64   // 100 ns since 1970-01-01Z
	Value   []float64 // where HasValue; may be NaN or infinite
	Text    []uint32  // where HasText: an id in Strings
	Code    []int32   // where HasCode: the state's number
	Flags   []uint8
	Strings Strings
}

// Len returns the number of events.
func (b *Batch) Len() int { return len(b.Ticks) }

// Size returns about how many bytes the batch takes in memory, whether used or not.
func (b *Batch) Size() int {
	return 4*cap(b.Stream) + 8*cap(b.Ticks) + 8*cap(b.Value) + 4*cap(b.Text) + 4*cap(b.Code) + cap(b.Flags) + b.Strings.held()
}

// Truncate drops all events from the n-th on: those of a call that broke off. Their
// texts stay in Strings.
func (b *Batch) Truncate(n int) {
	b.Stream, b.Ticks, b.Value = b.Stream[:n], b.Ticks[:n], b.Value[:n]
	b.Text, b.Code, b.Flags = b.Text[:n], b.Code[:n], b.Flags[:n]
}

// Delete drops the events i to j-1 and closes the gap.
// Their texts stay in Strings.
func (b *Batch) Delete(i, j int) {
	if i == j {
		return
	}
	b.Stream, b.Ticks, b.Value = slices.Delete(b.Stream, i, j), slices.Delete(b.Ticks, i, j), slices.Delete(b.Value, i, j)
	b.Text, b.Code, b.Flags = slices.Delete(b.Text, i, j), slices.Delete(b.Code, i, j), slices.Delete(b.Flags, i, j)
}

// Grow makes room for n more events, so that n Appends do not allocate.
func (b *Batch) Grow(n int) {
	b.Stream, b.Ticks, b.Value = slices.Grow(b.Stream, n), slices.Grow(b.Ticks, n), slices.Grow(b.Value, n)
	b.Text, b.Code, b.Flags = slices.Grow(b.Text, n), slices.Grow(b.Code, n), slices.Grow(b.Flags, n)
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
