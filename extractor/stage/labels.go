package stage

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// constant returns the writer of a column of one value, the only one in its dictionary.
func (e *encoder) constant(value arrow.Array) func(file.ColumnChunkWriter, *rows) error {
	return func(column file.ColumnChunkWriter, r *rows) error {
		indices := e.indicesFor(r)
		clear(indices)
		return writeDictionary(column, value, indices, nil, nil)
	}
}

// label returns the writer of a column with a text for each stream.
func (e *encoder) label(of []string) func(file.ColumnChunkWriter, *rows) error {
	l := newLabel(of)
	return func(column file.ColumnChunkWriter, r *rows) error {
		indices := e.indicesFor(r)
		return writeDictionary(column, l.index(r.Stream, indices), indices, nil, nil)
	}
}

// label is a text for each stream. Streams may share one.
type label struct {
	texts   []string // all different
	of      []int32  // stream -> index into texts
	seen    []int32  // index into texts -> index into the row group's dictionary, or -1
	order   []int32  // the row group's dictionary: indices into texts
	entries texts
}

func newLabel(of []string) *label {
	l := &label{of: make([]int32, len(of))}
	ids := make(map[string]int32)
	for stream, text := range of {
		id, ok := ids[text]
		if !ok {
			id = int32(len(l.texts))
			ids[text], l.texts, l.seen = id, append(l.texts, text), append(l.seen, -1)
		}
		l.of[stream] = id
	}
	return l
}

// index returns the texts of the row group's streams in order of appearance, and sets in
// indices the text of each row. The texts are valid until the next call.
func (l *label) index(streams, indices []int32) arrow.Array {
	l.entries.reset()
	l.order = l.order[:0]
	last, at := int32(-1), int32(0) // events come in runs of a stream
	for i, stream := range streams {
		if stream != last {
			last = stream
			id := l.of[stream]
			if at = l.seen[id]; at < 0 {
				at = int32(len(l.order))
				l.seen[id], l.order = at, append(l.order, id)
				l.entries.add(l.texts[id])
			}
		}
		indices[i] = at
	}
	for _, id := range l.order {
		l.seen[id] = -1
	}
	return l.entries.array()
}
