package stage

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// A record batch of a stream ends at a number of rows, or of bytes of text: large enough
// that its fixed cost is negligible, small enough for a processor's cache.
const (
	arrowRows  = 16 << 10
	arrowBytes = 4 << 20
)

// ArrowWriter writes events as an Arrow stream, for Spark's mapInArrow: the columns of
// bronze that differ by row, and a last one, closing. It is null except in the very last
// row, which Close writes and in which all other columns are null: a stream without that
// row is torn, even if it ends between two messages.
//
// It is not safe for concurrent use. It holds one record batch in memory.
type ArrowWriter struct {
	buf    *bufio.Writer
	ipc    *ipc.Writer
	schema *arrow.Schema
	// columns make each column of the buffered rows, in the stream's order.
	columns []func(arrow.DataType) arrow.Array
	events  int64
	err     error // the first one: nothing is written after it

	// The buffered rows, column by column, in Arrow's layout.
	webID, name, units repeated
	text, empty        texts
	micros             []int64
	rest               []int8
	days               []int32
	day                day
	value              []float64
	code               []int32
	flags              []uint8
	bitmaps            [8][]byte // by the number of the flag's bit
}

// NewArrowWriter begins a stream to w. It uses the labels by stream; the others are
// ArrowSelect's. Nothing is written yet, and w is never closed.
func NewArrowWriter(w io.Writer, labels Labels) (*ArrowWriter, error) {
	schema, err := arrowSchema()
	if err != nil {
		return nil, err
	}
	a := &ArrowWriter{buf: bufio.NewWriterSize(w, 64<<10), schema: schema,
		webID: repeated{of: labels.WebID}, name: repeated{of: labels.Name}, units: repeated{of: labels.Units}}
	a.ipc = ipc.NewWriter(a.buf, ipc.WithSchema(schema), ipc.WithAllocator(new(recycler)))
	by := map[string]func(arrow.DataType) arrow.Array{
		"tag_webid":       a.webID.array,
		"tag_name":        a.name.array,
		"timestamp":       func(t arrow.DataType) arrow.Array { return a.all(t, arrow.Int64Traits.CastToBytes(a.micros)) },
		"timestamp_100ns": func(t arrow.DataType) arrow.Array { return a.all(t, arrow.Int8Traits.CastToBytes(a.rest)) },
		"value": func(t arrow.DataType) arrow.Array {
			return a.some(t, columns.HasValue, arrow.Float64Traits.CastToBytes(a.value))
		},
		"value_text": func(t arrow.DataType) arrow.Array {
			return a.some(t, columns.HasText, arrow.Int32Traits.CastToBytes(a.text.offsets), a.text.bytes)
		},
		"value_code": func(t arrow.DataType) arrow.Array {
			return a.some(t, columns.HasCode, arrow.Int32Traits.CastToBytes(a.code))
		},
		"quality_good":         func(t arrow.DataType) arrow.Array { return a.all(t, a.bitmap(columns.Good)) },
		"quality_questionable": func(t arrow.DataType) arrow.Array { return a.all(t, a.bitmap(columns.Questionable)) },
		"quality_substituted":  func(t arrow.DataType) arrow.Array { return a.all(t, a.bitmap(columns.Substituted)) },
		"quality_annotated":    func(t arrow.DataType) arrow.Array { return a.all(t, a.bitmap(columns.Annotated)) },
		"units":                a.units.array,
		"partition_date":       func(t arrow.DataType) arrow.Array { return a.all(t, arrow.Int32Traits.CastToBytes(a.days)) },
		closingColumn:          a.open,
	}
	for _, f := range schema.Fields() {
		column := by[f.Name]
		if column == nil {
			return nil, fmt.Errorf("column %s of the stream: nothing writes it", f.Name)
		}
		a.columns = append(a.columns, column)
	}
	return a, nil
}

// Events returns the number of events written.
func (a *ArrowWriter) Events() int64 { return a.events }

// Write adds the events of b. It does not keep b. After an error the stream is lost.
func (a *ArrowWriter) Write(b *columns.Batch) error {
	for at := 0; at < b.Len() && a.err == nil; {
		at = a.run(b, at)
		if a.rows() >= arrowRows || a.bytes() >= arrowBytes {
			a.err = a.flush()
		}
	}
	if a.err == nil {
		a.events += int64(b.Len())
	}
	return a.err
}

// Close ends the stream with the closing row. Without it the stream is torn.
func (a *ArrowWriter) Close(closing string) error {
	if a.err == nil {
		a.err = errors.Join(a.flush(), a.close(closing))
	}
	return a.err
}

func (a *ArrowWriter) rows() int { return len(a.micros) }

func (a *ArrowWriter) bytes() int {
	return len(a.webID.texts.bytes) + len(a.name.texts.bytes) + len(a.units.texts.bytes) + len(a.text.bytes)
}

// run takes events of one stream from at on, at least one and as many as there is room
// for, and returns the position after them. Events come in runs of a stream.
func (a *ArrowWriter) run(b *columns.Batch, at int) int {
	stream := b.Stream[at]
	width := len(a.webID.of[stream]) + len(a.name.of[stream]) + len(a.units.of[stream])
	room := arrowBytes - a.bytes()
	most := min(arrowRows-a.rows(), max(1, room/max(1, width)))
	to := at + 1
	for to < b.Len() && to-at < most && b.Stream[to] == stream {
		to++
	}
	to = a.texts(b, at, to, room-width)

	a.webID.add(stream, to-at)
	a.name.add(stream, to-at)
	a.units.add(stream, to-at)
	for _, t := range b.Ticks[at:to] {
		micros, rest := instant.Ticks(t).Micros()
		a.micros, a.rest, a.days = append(a.micros, micros), append(a.rest, rest), append(a.days, a.day.of(t))
	}
	a.value = append(a.value, b.Value[at:to]...)
	a.code = append(a.code, b.Code[at:to]...)
	a.flags = append(a.flags, b.Flags[at:to]...)
	return to
}

// texts takes value_text of the events from at up to to, at least of the first and as
// many as there is room for, and returns the position after them.
func (a *ArrowWriter) texts(b *columns.Batch, at, to, room int) int {
	if b.Strings.Len() == 0 {
		a.text.repeat("", to-at)
		return to
	}
	for i := at; i < to; i++ {
		text := ""
		if b.Flags[i]&columns.HasText != 0 {
			text = b.Strings.Text(b.Text[i])
		}
		if room -= len(text); room < 0 && i > at {
			return i
		}
		a.text.add(text)
	}
	return to
}

// flush writes the buffered rows as a record batch.
func (a *ArrowWriter) flush() error {
	n := a.rows()
	if n == 0 {
		return nil
	}
	made := make([]arrow.Array, len(a.columns))
	for i, column := range a.columns {
		made[i] = column(a.schema.Field(i).Type)
	}
	err := a.write(made, n)
	for _, t := range []*texts{&a.webID.texts, &a.name.texts, &a.units.texts, &a.text} {
		if t.reset(); cap(t.bytes) > 2*arrowBytes {
			t.bytes = nil // one event had a text larger than a record batch should be
		}
	}
	a.micros, a.rest, a.days = a.micros[:0], a.rest[:0], a.days[:0]
	a.value, a.code, a.flags = a.value[:0], a.code[:0], a.flags[:0]
	return err
}

// close writes the closing row and the end of the stream.
func (a *ArrowWriter) close(closing string) error {
	last := len(a.schema.Fields()) - 1
	row := make([]arrow.Array, last+1)
	for i, f := range a.schema.Fields()[:last] {
		row[i] = nulls(f.Type, 1)
	}
	row[last] = textOf(closing)
	return errors.Join(a.write(row, 1), a.ipc.Close(), a.buf.Flush())
}

func (a *ArrowWriter) write(row []arrow.Array, rows int) error {
	record := array.NewRecordBatch(a.schema, row, int64(rows))
	defer record.Release()
	return a.ipc.Write(record)
}

// all makes a column that has a value in every row.
func (a *ArrowWriter) all(t arrow.DataType, values []byte) arrow.Array {
	return arrayOf(t, a.rows(), 0, nil, values)
}

// some makes a column that has a value in the rows with a flag.
func (a *ArrowWriter) some(t arrow.DataType, flag uint8, values ...[]byte) arrow.Array {
	valid := a.bitmap(flag)
	missing := a.rows()
	for _, b := range valid {
		missing -= bits.OnesCount8(b)
	}
	return arrayOf(t, a.rows(), missing, append([][]byte{valid}, values...)...)
}

// never is a flag that no event has.
const never uint8 = 1 << 7

// open makes the closing column of the rows before the last.
func (a *ArrowWriter) open(t arrow.DataType) arrow.Array {
	a.empty.reset()
	a.empty.repeat("", a.rows())
	return a.some(t, never, arrow.Int32Traits.CastToBytes(a.empty.offsets), nil)
}

// bitmap returns a bit for every row: whether it has the flag.
func (a *ArrowWriter) bitmap(flag uint8) []byte {
	b := &a.bitmaps[bits.TrailingZeros8(flag)]
	*b = bitmapOf(*b, a.flags, flag)
	return *b
}

// arrayOf makes an array of its buffers' bytes, which stay where they are.
func arrayOf(t arrow.DataType, rows, nulls int, buffers ...[]byte) arrow.Array {
	wrapped := make([]*memory.Buffer, len(buffers))
	for i, b := range buffers {
		if i > 0 || b != nil { // the first is of nulls: none, when every row has a value
			wrapped[i] = memory.NewBufferBytes(b)
		}
	}
	return array.MakeFromData(array.NewData(t, rows, wrapped, nil, nulls, 0))
}

func nulls(t arrow.DataType, rows int) arrow.Array {
	return array.MakeArrayOfNull(memory.DefaultAllocator, t, rows)
}

// repeated is a column with a text for each stream.
type repeated struct {
	of    []string
	texts texts
}

func (r *repeated) add(stream int32, rows int) { r.texts.repeat(r.of[stream], rows) }

func (r *repeated) array(arrow.DataType) arrow.Array { return r.texts.array() }

// day finds the day of an instant: mostly the day of the event before.
type day struct {
	from, to int64 // ticks
	number   int32 // days since 1970-01-01
}

func (d *day) of(ticks int64) int32 {
	if ticks < d.from || ticks >= d.to {
		d.find(ticks)
	}
	return d.number
}

func (d *day) find(ticks int64) {
	number := ticks / int64(instant.Day)
	if ticks%int64(instant.Day) < 0 {
		number--
	}
	d.number, d.from, d.to = int32(number), number*int64(instant.Day), (number+1)*int64(instant.Day)
}
