package stage

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/bundlegen/bundlegen/extractor/columns"
)

// maxDictionary is the size of the largest dictionary of value_text, in bytes: readers
// hold it in memory as a whole.
const maxDictionary = 1 << 20

// sample is the number of texts after which it is known whether texts repeat.
const sample = 1024

// textColumn is the memory of value_text.
type textColumn struct {
	ids     map[string]int32
	of      []int32 // index into rows.texts -> index into the dictionary
	entries texts
	levels  []int16
	values  []parquet.ByteArray
}

// text writes value_text: with a dictionary if texts repeat, as names of states do, else
// one after the other.
func (e *encoder) text(column file.ColumnChunkWriter, r *rows) error {
	t := &e.texts
	if r.texted == 0 || !t.index(r) {
		column.FallbackToPlain()
		return t.plain(column, r)
	}
	indices := e.indicesFor(r)
	t.levels = t.levels[:0]
	for i, f := range r.Flags {
		index, level := int32(0), int16(0)
		if f&columns.HasText != 0 {
			index, level = t.of[r.Text[i]], 1
		}
		indices[i], t.levels = index, append(t.levels, level)
	}
	var valid []byte
	if r.texted < r.Len() {
		valid = e.bitmapOf(r.Flags, columns.HasText)
	}
	return writeDictionary(column, t.entries.array(), indices, t.levels, valid)
}

// index makes the row group's dictionary, and reports whether it is worth having one.
func (t *textColumn) index(r *rows) bool {
	if t.ids == nil {
		t.ids = make(map[string]int32)
	}
	clear(t.ids)
	t.entries.reset()
	t.of = t.of[:0]
	for i, text := range r.texts {
		if i == sample && len(r.texts) > r.texted/2 && len(t.ids) > sample/2 {
			return false
		}
		id, ok := t.ids[text]
		if !ok {
			id = int32(len(t.ids))
			t.ids[text] = id
			if t.entries.add(text); len(t.entries.bytes) > maxDictionary {
				return false
			}
		}
		t.of = append(t.of, id)
	}
	return len(t.ids) <= (r.texted+1)/2
}

// plain writes the texts one after the other.
func (t *textColumn) plain(column file.ColumnChunkWriter, r *rows) error {
	w, err := typed[*file.ByteArrayColumnChunkWriter](column)
	if err != nil {
		return err
	}
	t.levels, t.values = t.levels[:0], t.values[:0]
	size := 0
	for i, f := range r.Flags {
		level := int16(0)
		if f&columns.HasText != 0 {
			text := r.texts[r.Text[i]]
			level, size = 1, size+len(text)
			t.values = append(t.values, unsafe.Slice(unsafe.StringData(text), len(text))) // only read
		}
		t.levels = append(t.levels, level)
		if len(t.levels) == step || size >= pageSize || i+1 == r.Len() {
			if _, err := w.WriteBatch(t.values, t.levels, nil); err != nil {
				return err
			}
			clear(t.values) // so that they can be collected
			t.levels, t.values, size = t.levels[:0], t.values[:0], 0
		}
	}
	return nil
}
