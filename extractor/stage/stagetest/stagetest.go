package stagetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// ErrTorn is the error of an Arrow stream without a closing row: nothing of it counts.
var ErrTorn = errors.New("the stream ends without its closing row")

// ReadArrow reads a stream of an ArrowWriter back. It passes the events to write in
// batches, which are valid during the call, and returns the closing row's text. With an
// error nothing that was passed on counts; it is ErrTorn if the stream ends too early
// between two messages. It identifies streams by the WebIDs of labels, all different.
func ReadArrow(r io.Reader, labels stage.Labels, write func(*columns.Batch) error) (closing string, err error) {
	in, err := ipc.NewReader(r)
	if err != nil {
		return "", fmt.Errorf("the stream's beginning: %w", err)
	}
	defer in.Release()
	want, err := schema()
	if err != nil {
		return "", err
	}
	if !in.Schema().Equal(want) {
		return "", fmt.Errorf("the stream has other columns: %s", in.Schema())
	}
	streams := make(map[string]int32, len(labels.WebID))
	for i, id := range labels.WebID {
		streams[id] = int32(i)
	}
	var b columns.Batch
	closed := false
	for in.Next() {
		if closed {
			return "", errors.New("the stream has rows behind its closing row")
		}
		rows := arrowBatch{record: in.RecordBatch(), streams: streams}
		b.Reset()
		if closing, closed, err = rows.read(&b); err != nil {
			return "", err
		}
		if b.Len() > 0 {
			if err := write(&b); err != nil {
				return "", err
			}
		}
	}
	switch err := in.Err(); {
	case err != nil && err != io.EOF:
		return "", fmt.Errorf("the stream broke off: %w", err)
	case !closed:
		return "", ErrTorn
	}
	return closing, nil
}

// schema returns the schema of a stream.
func schema() (*arrow.Schema, error) {
	var empty bytes.Buffer
	w, err := stage.NewArrowWriter(&empty, stage.Labels{})
	if err != nil {
		return nil, err
	}
	if err := w.Close(""); err != nil {
		return nil, err
	}
	r, err := ipc.NewReader(&empty)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return r.Schema(), nil
}

// arrowBatch is a record batch that is read.
type arrowBatch struct {
	record  arrow.RecordBatch
	streams map[string]int32
}

// read adds the rows to b. The closing row may only be the last one.
func (a *arrowBatch) read(b *columns.Batch) (closing string, closed bool, err error) {
	n := int(a.record.NumRows())
	closings := column[*array.String](a, "closing")
	if n > 0 && !closings.IsNull(n-1) {
		closing, closed, n = closings.Value(n-1), true, n-1
	}
	if closings.NullN() != n {
		return "", false, errors.New("the stream has a closing row before its last row")
	}
	ids, micros, rest := column[*array.String](a, "tag_webid"), column[*array.Timestamp](a, "timestamp"),
		column[*array.Int8](a, "timestamp_100ns")
	value, text, code := column[*array.Float64](a, "value"), column[*array.String](a, "value_text"), column[*array.Int32](a, "value_code")
	flags := map[uint8]*array.Boolean{
		columns.Good: column[*array.Boolean](a, "quality_good"), columns.Questionable: column[*array.Boolean](a, "quality_questionable"),
		columns.Substituted: column[*array.Boolean](a, "quality_substituted"), columns.Annotated: column[*array.Boolean](a, "quality_annotated"),
	}
	for i := range n {
		stream, known := a.streams[ids.Value(i)]
		if !known || ids.IsNull(i) || micros.IsNull(i) || rest.IsNull(i) {
			return "", false, fmt.Errorf("the stream has an event of an unknown tag, %q", ids.Value(i))
		}
		e := struct {
			value float64
			text  uint32
			code  int32
			flags uint8
		}{}
		for flag, set := range flags {
			if set.Value(i) {
				e.flags |= flag
			}
		}
		if value.IsValid(i) {
			e.value, e.flags = value.Value(i), e.flags|columns.HasValue
		}
		if text.IsValid(i) {
			e.text, e.flags = b.Strings.ID([]byte(text.Value(i))), e.flags|columns.HasText
		}
		if code.IsValid(i) {
			e.code, e.flags = code.Value(i), e.flags|columns.HasCode
		}
		b.Append(stream, int64(micros.Value(i))*10+int64(rest.Value(i)), e.value, e.text, e.code, e.flags)
	}
	return closing, closed, nil
}

// column returns a column of the schema that was checked.
func column[A arrow.Array](a *arrowBatch, name string) A {
	return a.record.Column(a.record.Schema().FieldIndices(name)[0]).(A)
}
