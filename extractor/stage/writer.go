package stage

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// rowGroup is the number of rows of a row group: large enough to compress and
// to be read at full speed, small enough that ten writers fit into 512 MiB.
const rowGroup = 122_880

// maxTextBytes ends a row group early when its texts are large.
const maxTextBytes = 16 << 20

// Labels is what a writer knows of each stream, by the index in columns.Batch.Stream.
type Labels struct {
	WebID, Name, Units []string
	Site               string
	Pipeline           string
	BatchID            string
	Ingested           instant.Ticks
}

// Writer writes events to one Parquet file of a folder. It is not safe for
// concurrent use. Close makes what was written durable; without it the file is
// rubbish, and the folder has no marker to say otherwise.
type Writer struct {
	file    *os.File
	buf     *bufio.Writer
	parquet *pqarrow.FileWriter
	labels  Labels
	rows    columns.Batch // of the row group that is being filled
	remap   []uint32      // text ids of the batch that is being copied -> ids in rows.Strings
	encode  encoder
	events  int64
}

// Create opens file number n of the folder, which exists.
func (f Folder) CreateWriter(n int, labels Labels) (*Writer, error) {
	file, err := os.OpenFile(filepath.Join(f.Dir, fmt.Sprintf("data-%d.parquet", n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, buf: bufio.NewWriterSize(file, 256<<10), labels: labels}
	// The Parquet writer closes what it writes to if it can: give it the buffer, which it can't.
	w.parquet, err = pqarrow.NewFileWriter(schema, w.buf, properties(), pqarrow.NewArrowWriterProperties())
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

// Events is the number of events written.
func (w *Writer) Events() int64 { return w.events }

// Write adds the events of b, which is the caller's again when it returns.
func (w *Writer) Write(b *columns.Batch) error {
	w.remap = w.remap[:0]
	for range b.Strings.Len() {
		w.remap = append(w.remap, unmapped)
	}
	for at := 0; at < b.Len(); {
		n := min(b.Len()-at, rowGroup-w.rows.Len())
		w.copy(b, at, n)
		at += n
		if w.rows.Len() == rowGroup || w.rows.Strings.Bytes() > maxTextBytes {
			if err := w.flush(); err != nil {
				return err
			}
			for i := range w.remap { // the texts' ids were of the row group that is gone
				w.remap[i] = unmapped
			}
		}
	}
	w.events += int64(b.Len())
	return nil
}

const unmapped = ^uint32(0)

func (w *Writer) copy(b *columns.Batch, at, n int) {
	r := &w.rows
	r.Stream = append(r.Stream, b.Stream[at:at+n]...)
	r.Ticks = append(r.Ticks, b.Ticks[at:at+n]...)
	r.Value = append(r.Value, b.Value[at:at+n]...)
	r.Code = append(r.Code, b.Code[at:at+n]...)
	r.Flags = append(r.Flags, b.Flags[at:at+n]...)
	if len(w.remap) == 0 {
		r.Text = append(r.Text, b.Text[at:at+n]...)
		return
	}
	for i := at; i < at+n; i++ {
		id := uint32(0)
		if b.Flags[i]&columns.HasText != 0 {
			if id = w.remap[b.Text[i]]; id == unmapped {
				id = r.Strings.ID([]byte(b.Strings.Text(b.Text[i])))
				w.remap[b.Text[i]] = id
			}
		}
		r.Text = append(r.Text, id)
	}
}

func (w *Writer) flush() error {
	if w.rows.Len() == 0 {
		return nil
	}
	rec := w.encode.record(&w.rows, &w.labels)
	err := w.parquet.Write(rec)
	rec.Release()
	w.rows.Reset()
	return err
}

// Close writes what is left and makes the file durable.
func (w *Writer) Close() error {
	err := w.flush()
	err = errors.Join(err, w.parquet.Close(), w.buf.Flush())
	if err == nil {
		err = w.file.Sync()
	}
	return errors.Join(err, w.file.Close())
}

// encoder turns columns into an Arrow record without copying what is already
// laid out as Arrow wants it. Its buffers are used again for the next record.
type encoder struct {
	tag                        []int32 // index into the row group's tags
	local                      []int32 // stream -> index into the row group's tags, or -1
	streams                    []int32 // the row group's tags
	micros                     []int64
	rest                       []int8
	days                       []int32
	zeros                      []int32
	ingested                   []int64
	hasValue, hasText, hasCode []byte
	good, quest, subst, annot  []byte
}

func (e *encoder) record(b *columns.Batch, l *Labels) arrow.RecordBatch {
	n := b.Len()
	e.index(b, len(l.WebID))
	e.times(b, l)
	e.bits(b)
	texts := func(of []string) arrow.Array {
		bld := array.NewStringBuilder(memory.DefaultAllocator)
		defer bld.Release()
		for _, s := range e.streams {
			bld.Append(of[s])
		}
		return bld.NewArray()
	}
	one := func(s string) arrow.Array {
		bld := array.NewStringBuilder(memory.DefaultAllocator)
		defer bld.Release()
		bld.Append(s)
		return bld.NewArray()
	}
	dict := func(values arrow.Array, indices, valid []byte) arrow.Array {
		defer values.Release()
		d := array.NewData(arrow.PrimitiveTypes.Int32, n, []*memory.Buffer{bitmap(valid), memory.NewBufferBytes(indices)}, nil, nulls(valid), 0)
		defer d.Release()
		idx := array.NewInt32Data(d)
		defer idx.Release()
		return array.NewDictionaryArray(dictionary, idx, values)
	}
	plain := func(column string, data, valid []byte) arrow.Array {
		f, _ := schema.FieldsByName(column)
		d := array.NewData(f[0].Type, n, []*memory.Buffer{bitmap(valid), memory.NewBufferBytes(data)}, nil, nulls(valid), 0)
		defer d.Release()
		return array.MakeFromData(d)
	}
	tag, zeros := arrow.Int32Traits.CastToBytes(e.tag), arrow.Int32Traits.CastToBytes(e.zeros[:n])
	values := array.NewStringBuilder(memory.DefaultAllocator)
	for i := range b.Strings.Len() {
		values.Append(b.Strings.Text(uint32(i)))
	}
	if b.Strings.Len() == 0 {
		values.Append("") // what the null rows' index points at
	}
	text := values.NewArray()
	values.Release()
	cols := []arrow.Array{
		dict(texts(l.WebID), tag, nil),
		dict(texts(l.Name), tag, nil),
		dict(one(l.Site), zeros, nil),
		plain("timestamp", arrow.Int64Traits.CastToBytes(e.micros), nil),
		plain("timestamp_100ns", arrow.Int8Traits.CastToBytes(e.rest), nil),
		plain("value", arrow.Float64Traits.CastToBytes(b.Value), e.hasValue),
		dict(text, arrow.Uint32Traits.CastToBytes(b.Text), e.hasText),
		plain("value_code", arrow.Int32Traits.CastToBytes(b.Code), e.hasCode),
		plain("quality_good", e.good, nil),
		plain("quality_questionable", e.quest, nil),
		plain("quality_substituted", e.subst, nil),
		plain("quality_annotated", e.annot, nil),
		dict(texts(l.Units), tag, nil),
		dict(one(l.BatchID), zeros, nil),
		plain("ingestion_timestamp", arrow.Int64Traits.CastToBytes(e.ingested[:n]), nil),
		plain("partition_date", arrow.Int32Traits.CastToBytes(e.days), nil),
		dict(one(l.Pipeline), zeros, nil),
	}
	rec := array.NewRecordBatch(schema, cols, int64(n))
	for _, c := range cols {
		c.Release()
	}
	return rec
}

// index numbers the tags of the row group in order of appearance.
func (e *encoder) index(b *columns.Batch, streams int) {
	if e.local == nil {
		e.local = make([]int32, streams)
		for i := range e.local {
			e.local[i] = -1
		}
	}
	e.tag, e.streams = e.tag[:0], e.streams[:0]
	for _, s := range b.Stream {
		id := e.local[s]
		if id < 0 {
			id = int32(len(e.streams))
			e.local[s], e.streams = id, append(e.streams, s)
		}
		e.tag = append(e.tag, id)
	}
	for _, s := range e.streams {
		e.local[s] = -1
	}
}

func (e *encoder) times(b *columns.Batch, l *Labels) {
	e.micros, e.rest, e.days = e.micros[:0], e.rest[:0], e.days[:0]
	const day = int64(86_400_000_000)
	for _, t := range b.Ticks {
		us, rest := instant.Ticks(t).Micros()
		d := us / day
		if us%day < 0 {
			d--
		}
		e.micros, e.rest, e.days = append(e.micros, us), append(e.rest, rest), append(e.days, int32(d))
	}
	if e.zeros == nil {
		us, _ := l.Ingested.Micros()
		e.zeros, e.ingested = make([]int32, rowGroup), make([]int64, rowGroup)
		for i := range e.ingested {
			e.ingested[i] = us
		}
	}
}

// bits spreads the flags into bitmaps, eight rows at a time.
func (e *encoder) bits(b *columns.Batch) {
	size := (b.Len() + 7) / 8
	maps := [...]*[]byte{&e.good, &e.quest, &e.subst, &e.annot, &e.hasValue, &e.hasText, &e.hasCode}
	for _, m := range maps {
		*m = (*m)[:0]
	}
	for i := range size {
		var out [len(maps)]byte
		for j, f := range b.Flags[i*8 : min(i*8+8, b.Len())] {
			for k := range out {
				out[k] |= (f >> k & 1) << j
			}
		}
		for k, m := range maps {
			*m = append(*m, out[k])
		}
	}
}

// bitmap gives a validity bitmap as Arrow wants it; nil means that all rows are valid.
func bitmap(valid []byte) *memory.Buffer {
	if valid == nil {
		return nil
	}
	return memory.NewBufferBytes(valid)
}

func nulls(valid []byte) int {
	if valid == nil {
		return 0
	}
	return array.UnknownNullCount
}
