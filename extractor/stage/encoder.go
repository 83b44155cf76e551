package stage

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// step is the number of rows passed to a column at a time: their values stay in the
// processor's cache.
const step = 8192

// encoder writes row groups, column by column. Its buffers are reused for the next one.
type encoder struct {
	columns []func(file.ColumnChunkWriter, *rows) error // in the file's order

	// Of one step.
	int64s  []int64
	int32s  []int32
	float64 []float64
	levels  []int16

	// Of one row group.
	bitmap  []byte
	indices []int32
	days    days
	texts   textColumn
}

// newEncoder pairs every column of bronze with its writer.
func newEncoder(l *Labels) (*encoder, error) {
	e := &encoder{
		int64s: make([]int64, step), int32s: make([]int32, step), float64: make([]float64, step), levels: make([]int16, step),
	}
	ingested, _ := l.Ingested.Micros()
	by := map[string]func(file.ColumnChunkWriter, *rows) error{
		"tag_webid":            e.label(l.WebID),
		"tag_name":             e.label(l.Name),
		"site":                 e.constant(textOf(l.Site)),
		"timestamp":            e.timestamp,
		"timestamp_100ns":      e.rest,
		"value":                e.value,
		"value_text":           e.text,
		"value_code":           e.code,
		"quality_good":         e.flag(columns.Good),
		"quality_questionable": e.flag(columns.Questionable),
		"quality_substituted":  e.flag(columns.Substituted),
		"quality_annotated":    e.flag(columns.Annotated),
		"units":                e.label(l.Units),
		"batch_id":             e.constant(textOf(l.BatchID)),
		"ingestion_timestamp":  e.constant(int64Of(ingested)),
		"partition_date":       e.date,
		"pipeline":             e.constant(textOf(l.Pipeline)),
	}
	for _, c := range tables.Timeseries.Columns {
		write := by[c.Name]
		if write == nil {
			return nil, fmt.Errorf("column %s of %s: nothing writes it", c.Name, tables.Timeseries.Name)
		}
		e.columns = append(e.columns, write)
	}
	return e, nil
}

// rowGroup writes r. The caller closes the group.
func (e *encoder) rowGroup(group file.SerialRowGroupWriter, r *rows) error {
	for _, write := range e.columns {
		column, err := group.NextColumn()
		if err != nil {
			return err
		}
		if err := write(column, r); err != nil {
			return err
		}
	}
	return nil
}

// batchWriter is a column of fixed-size values.
type batchWriter[T any] interface {
	WriteBatch(values []T, definitionLevels, repetitionLevels []int16) (int64, error)
}

func typed[W any](column file.ColumnChunkWriter) (W, error) {
	w, ok := column.(W)
	if !ok {
		return w, fmt.Errorf("column %s: a %T does not take its values", column.Descr().Name(), column)
	}
	return w, nil
}

func (e *encoder) timestamp(column file.ColumnChunkWriter, r *rows) error {
	w, err := typed[batchWriter[int64]](column)
	if err != nil {
		return err
	}
	for at := 0; at < r.Len(); at += step {
		ticks := r.Ticks[at:min(at+step, r.Len())]
		micros := e.int64s[:len(ticks)]
		for i, t := range ticks {
			micros[i], _ = instant.Ticks(t).Micros()
		}
		if _, err := w.WriteBatch(micros, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// date writes the day of each instant, in days since 1970-01-01.
func (e *encoder) date(column file.ColumnChunkWriter, r *rows) error {
	d := &e.days
	d.reset()
	indices := e.indicesFor(r)
	var of day
	last, at := int32(0), int32(-1) // a day, and its index
	for i, t := range r.Ticks {
		if day := of.of(t); day != last || at < 0 {
			last, at = day, d.index(day)
		}
		indices[i] = at
	}
	return writeDictionary(column, int32Of(d.values...), indices, nil, nil)
}

// days are the different days of a row group, in order of appearance.
type days struct {
	values []int32
	ids    map[int32]int32
}

func (d *days) reset() {
	if d.ids == nil {
		d.ids = make(map[int32]int32)
	}
	clear(d.ids)
	d.values = d.values[:0]
}

func (d *days) index(day int32) int32 {
	id, ok := d.ids[day]
	if !ok {
		id = int32(len(d.values))
		d.ids[day], d.values = id, append(d.values, day)
	}
	return id
}

// rest writes 0 to 9: each is its own index in the column's dictionary.
func (e *encoder) rest(column file.ColumnChunkWriter, r *rows) error {
	indices := e.indicesFor(r)
	for i, t := range r.Ticks {
		_, rest := instant.Ticks(t).Micros()
		indices[i] = int32(rest)
	}
	return writeDictionary(column, digits, indices, nil, nil)
}

func (e *encoder) value(column file.ColumnChunkWriter, r *rows) error {
	return some(e, column, r, columns.HasValue, r.Value, e.float64)
}

func (e *encoder) code(column file.ColumnChunkWriter, r *rows) error {
	return some(e, column, r, columns.HasCode, r.Code, e.int32s)
}

// some writes a column that has a value in the rows with a flag.
func some[T any](e *encoder, column file.ColumnChunkWriter, r *rows, flag uint8, values, dense []T) error {
	w, err := typed[batchWriter[T]](column)
	if err != nil {
		return err
	}
	for at := 0; at < r.Len(); at += step {
		to := min(at+step, r.Len())
		levels, n := e.levelsOf(r.Flags[at:to], flag)
		present := values[at:to]
		if n < len(present) {
			k := 0
			for i, v := range present {
				dense[k] = v // overwritten by the next one when this row has none
				k += int(levels[i])
			}
			present = dense[:n]
		}
		if _, err := w.WriteBatch(present, levels, nil); err != nil {
			return err
		}
	}
	return nil
}

// levelsOf returns 1 for every row with the flag and 0 for the others, and the number of
// ones. The levels are valid until the next call.
func (e *encoder) levelsOf(flags []uint8, flag uint8) (levels []int16, n int) {
	levels = e.levels[:len(flags)]
	for i, f := range flags {
		level := int16(0)
		if f&flag != 0 {
			level = 1
		}
		levels[i], n = level, n+int(level)
	}
	return levels, n
}

// flag returns the writer of a column of one of the flags.
func (e *encoder) flag(flag uint8) func(file.ColumnChunkWriter, *rows) error {
	return func(column file.ColumnChunkWriter, r *rows) error {
		w, err := typed[*file.BooleanColumnChunkWriter](column)
		if err != nil {
			return err
		}
		_, err = w.WriteBitmapBatch(e.bitmapOf(r.Flags, flag), 0, r.Len(), nil, nil)
		return err
	}
}

// bitmapOf returns a bit for every row: whether it has the flag. The bits are valid
// until the next call.
func (e *encoder) bitmapOf(flags []uint8, flag uint8) []byte {
	if e.bitmap == nil {
		e.bitmap = make([]byte, 0, (rowGroup+7)/8)
	}
	e.bitmap = bitmapOf(e.bitmap, flags, flag)
	return e.bitmap
}

// bitmapOf returns a bit for every row: whether it has the flag. It uses the
// memory of into where there is enough.
func bitmapOf(into []byte, flags []uint8, flag uint8) []byte {
	size := (len(flags) + 7) / 8
	into = slices.Grow(into[:0], size)[:size]
	shift := bits.TrailingZeros8(flag)
	for i := range len(flags) / 8 {
		into[i] = gather(binary.LittleEndian.Uint64(flags[8*i:]) >> shift)
	}
	if rest := len(flags) % 8; rest > 0 {
		var last [8]byte
		copy(last[:], flags[len(flags)-rest:])
		into[size-1] = gather(binary.LittleEndian.Uint64(last[:]) >> shift)
	}
	return into
}

// gather makes a byte of the lowest bits of eight bytes. The product adds byte i
// up at bit 56+i, and no two of its other terms there meet.
func gather(eight uint64) byte {
	return byte(eight & 0x0101010101010101 * 0x0102040810204080 >> 56)
}

// indicesFor returns room for an index per row, valid until the next call.
func (e *encoder) indicesFor(r *rows) []int32 {
	if cap(e.indices) < r.Len() {
		e.indices = make([]int32, max(r.Len(), min(rowGroup, 2*cap(e.indices))))
	}
	return e.indices[:r.Len()]
}
