package decode

// NewWindow makes a Decoder with a window of another size, so that tests can put
// a window's end anywhere.
func NewWindow(size int) *Decoder {
	d := New()
	d.limits.window = size
	return d
}

// NewBounded makes a Decoder that takes no more than so much in a call.
func NewBounded(events, texts int) *Decoder {
	d := NewWindow(1 << 10)
	d.limits.events, d.limits.texts = events, texts
	return d
}

// The parts that are tested alone, beside what they are equivalent to.
var (
	Number    = number
	Unquote   = unquote
	Printable = printable
)

// Timestamp reads a timestamp as the decoder does: with a clock that has read
// another one before.
func Timestamp(before, text string) (int64, bool) {
	c := New().clock
	c.timestamp([]byte(before))
	return c.timestamp([]byte(text))
}

// QuickTimestamp reads a timestamp without falling back on package instant.
func QuickTimestamp(text string) (ticks int64, ok bool) {
	c := New().clock
	ticks, next := c.parse(append([]byte(text), make([]byte, 28)...), 0)
	return ticks, next > 0 && next == len(text)
}

// Limits, for tests of what is beyond them.
const (
	MaxPiece = maxPiece
	MaxDepth = maxDepth
)
