package stage

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// writeDictionary writes a column of few values: the values, all different, and
// the index of its value for every row. Rows without a value have level 0 and no
// bit in valid; both are nil when there are none.
func writeDictionary(column file.ColumnChunkWriter, values arrow.Array, indices []int32, levels []int16, valid []byte) error {
	dictionary, ok := column.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error })
	if !ok {
		return fmt.Errorf("column %s: a %T takes no dictionary", column.Descr().Name(), column.CurrentEncoder())
	}
	if err := dictionary.PutDictionary(values); err != nil {
		return err
	}
	var bitmap *memory.Buffer
	nulls := 0
	if valid != nil {
		bitmap, nulls = memory.NewBufferBytes(valid), array.UnknownNullCount
	}
	data := array.NewData(arrow.PrimitiveTypes.Int32, len(indices),
		[]*memory.Buffer{bitmap, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(indices))}, nil, nulls, 0)
	defer data.Release()
	rows := array.NewInt32Data(data)
	defer rows.Release()
	if err := column.WriteDictIndices(rows, levels, nil); err != nil {
		return err
	}
	// Indices carry no statistics of the values, so they are made here.
	if statistics, ok := column.PageStatistics().(*metadata.ByteArrayStatistics); ok && statistics != nil {
		return statistics.UpdateFromArrow(values, true)
	}
	return nil
}

// digits is the dictionary of the possible digit beyond microseconds.
var digits = int32Of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)

func int32Of(values ...int32) arrow.Array {
	return array.NewInt32Data(array.NewData(arrow.PrimitiveTypes.Int32, len(values),
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(values))}, nil, 0, 0))
}

func int64Of(values ...int64) arrow.Array {
	return array.NewInt64Data(array.NewData(arrow.PrimitiveTypes.Int64, len(values),
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(values))}, nil, 0, 0))
}

func textOf(text string) arrow.Array {
	var d texts
	d.add(text)
	return d.array()
}

// texts holds texts in Arrow's layout, in memory that is reused.
type texts struct {
	offsets []int32
	bytes   []byte
}

func (t *texts) reset() { t.offsets, t.bytes = t.offsets[:0], t.bytes[:0] }

func (t *texts) add(text string) {
	if len(t.offsets) == 0 {
		t.offsets = append(t.offsets, 0)
	}
	t.bytes = append(t.bytes, text...)
	t.offsets = append(t.offsets, int32(len(t.bytes)))
}

// repeat adds a text n times.
func (t *texts) repeat(text string, n int) {
	if len(t.offsets) == 0 {
		t.offsets = append(t.offsets, 0)
	}
	at := len(t.bytes)
	t.bytes = slices.Grow(t.bytes, n*len(text))[:at+n*len(text)]
	// Each copy doubles the length.
	for all, done := t.bytes[at:], copy(t.bytes[at:], text); done < len(all); {
		done += copy(all[done:], all[:done])
	}
	t.offsets = slices.Grow(t.offsets, n)
	for range n {
		at += len(text)
		t.offsets = append(t.offsets, int32(at))
	}
}

// array returns the texts, at least one, until the next reset.
func (t *texts) array() arrow.Array {
	data := array.NewData(arrow.BinaryTypes.String, len(t.offsets)-1,
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(t.offsets)), memory.NewBufferBytes(t.bytes)}, nil, 0, 0)
	defer data.Release()
	return array.NewStringData(data)
}
