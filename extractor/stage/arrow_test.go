package stage_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/stage/stagetest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// streamed writes batches as a stream, from one Batch that is filled over and over.
func streamed(t require.TestingT, l stage.Labels, batches [][]event, closing string) []byte {
	var out bytes.Buffer
	w, err := stage.NewArrowWriter(&out, l)
	require.NoError(t, err)
	var b columns.Batch
	events := 0
	for _, batch := range batches {
		b.Reset()
		for _, e := range batch {
			e.addTo(&b)
		}
		require.NoError(t, w.Write(&b))
		events += len(batch)
	}
	b.Reset()
	event{text: "the batch is another's", flags: columns.HasText}.addTo(&b)
	require.NoError(t, w.Close(closing))
	require.EqualValues(t, events, w.Events())
	return out.Bytes()
}

// arrowRows reads a stream by the library alone. What is the same in every row
// is taken from l, since a stream does not have it.
func arrowRows(t require.TestingT, stream []byte, l *stage.Labels) (rows []row, closing string) {
	r, err := ipc.NewReader(bytes.NewReader(stream))
	require.NoError(t, err)
	defer r.Release()
	closed := false
	for r.Next() {
		rec := r.RecordBatch()
		text := func(column int) func(i int) string { return rec.Column(column).(*array.String).Value }
		truth := func(column int) func(i int) bool { return rec.Column(column).(*array.Boolean).Value }
		for i := range int(rec.NumRows()) {
			require.False(t, closed, "the closing row is the last one")
			nulls := 0
			for _, c := range rec.Columns() {
				if c.IsNull(i) {
					nulls++
				}
			}
			if closed = rec.Column(13).IsValid(i); closed {
				require.Equal(t, 13, nulls)
				closing = text(13)(i)
				continue
			}
			row := row{WebID: text(0)(i), Name: text(1)(i), Site: l.Site, Micros: int64(rec.Column(2).(*array.Timestamp).Value(i)),
				Rest: int(rec.Column(3).(*array.Int8).Value(i)),
				Good: truth(7)(i), Questionable: truth(8)(i), Substituted: truth(9)(i), Annotated: truth(10)(i),
				Units: text(11)(i), BatchID: l.BatchID, Ingested: l.Ingested.Time().UnixMicro(),
				Date: rec.Column(12).(*array.Date32).Value(i).ToTime().Format("2006-01-02"), Pipeline: l.Pipeline}
			filled := 1 // the closing is null
			if c := rec.Column(4).(*array.Float64); c.IsValid(i) {
				row.Value = sql.NullFloat64{Float64: c.Value(i), Valid: true}
			} else {
				filled++
			}
			if c := rec.Column(5); c.IsValid(i) {
				row.Text = sql.NullString{String: strings.Clone(text(5)(i)), Valid: true}
			} else {
				filled++
			}
			if c := rec.Column(6).(*array.Int32); c.IsValid(i) {
				row.Code = sql.NullInt32{Int32: c.Value(i), Valid: true}
			} else {
				filled++
			}
			require.Equal(t, filled, nulls, "no other column is null")
			rows = append(rows, row)
		}
	}
	require.NoError(t, r.Err())
	require.True(t, closed)
	return rows, closing
}

var anyText = rapid.OneOf(
	rapid.SampledFrom([]string{"", "Bad Input", "No Data", "\x00", "a\x00b", "Öl, \"heiß\"\n", "🔥", strings.Repeat("long ", 1000)}),
	rapid.String(),
)

// anyStreams draws labels of different streams, and events of them.
func anyStreams(t *rapid.T) (stage.Labels, [][]event) {
	l := stage.Labels{Site: anyText.Draw(t, "site"), Pipeline: anyText.Draw(t, "pipeline"), BatchID: anyText.Draw(t, "batch"),
		Ingested: instant.Ticks(rapid.Int64Range(0, 1<<55).Draw(t, "ingested"))}
	for i := range rapid.IntRange(1, 5).Draw(t, "streams") {
		l.WebID, l.Name, l.Units = append(l.WebID, fmt.Sprint(i, anyText.Draw(t, "web id"))), append(l.Name, anyText.Draw(t, "name")),
			append(l.Units, anyText.Draw(t, "units"))
	}
	one := rapid.Custom(func(t *rapid.T) event {
		return event{
			stream: rapid.Int32Range(0, int32(len(l.WebID)-1)).Draw(t, "stream"),
			ticks:  rapid.OneOf(rapid.Int64Range(-300_000_000_000_000_000, 950_000_000_000_000_000), rapid.Int64Range(-30, 30)).Draw(t, "ticks"),
			value: rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1),
				math.Copysign(0, -1)})).Draw(t, "value"),
			text:  anyText.Draw(t, "text"),
			code:  rapid.Int32().Draw(t, "code"),
			flags: rapid.Uint8Range(0, 127).Draw(t, "flags"),
		}
	})
	return l, rapid.SliceOfN(rapid.SliceOfN(one, 0, 30), 0, 4).Draw(t, "batches")
}

func wanted(l *stage.Labels, batches [][]event) (want []row) {
	for _, batch := range batches {
		for _, e := range batch {
			want = append(want, e.row(l))
		}
	}
	return want
}

func TestStreamHoldsTheEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, batches := anyStreams(t)
		closing := anyText.Draw(t, "closing")
		got, said := arrowRows(t, streamed(t, l, batches, closing), &l)
		sameRows(t, wanted(&l, batches), got)
		require.Equal(t, closing, said)
	})
}

// ReadArrow returns what was written, as events of the same streams.
func TestStreamIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, batches := anyStreams(t)
		stream := streamed(t, l, batches, "closing")
		var got []row
		closing, err := stagetest.ReadArrow(bytes.NewReader(stream), l, func(b *columns.Batch) error {
			for i := range b.Ticks {
				e := event{stream: b.Stream[i], ticks: b.Ticks[i], value: b.Value[i], code: b.Code[i], flags: b.Flags[i]}
				if e.flags&columns.HasText != 0 {
					e.text = b.Strings.Text(b.Text[i])
				}
				got = append(got, e.row(&l))
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, "closing", closing)
		sameRows(t, wanted(&l, batches), got)
	})
}

func TestStreamsTypesAreThoseThatSparkTakes(t *testing.T) {
	r, err := ipc.NewReader(bytes.NewReader(streamed(t, labels(), nil, "")))
	require.NoError(t, err)
	defer r.Release()
	var got []string
	for _, f := range r.Schema().Fields() {
		got = append(got, f.Name+" "+f.Type.String())
	}
	require.Equal(t, []string{"tag_webid utf8", "tag_name utf8", "timestamp timestamp[us, tz=UTC]", "timestamp_100ns int8",
		"value float64", "value_text utf8", "value_code int32",
		"quality_good bool", "quality_questionable bool", "quality_substituted bool", "quality_annotated bool", "units utf8",
		"partition_date date32", "closing utf8"}, got)
	require.Equal(t, "`tag_webid` STRING, `tag_name` STRING, `timestamp` TIMESTAMP, `timestamp_100ns` TINYINT, `value` DOUBLE, "+
		"`value_text` STRING, `value_code` INT, "+
		"`quality_good` BOOLEAN, `quality_questionable` BOOLEAN, `quality_substituted` BOOLEAN, `quality_annotated` BOOLEAN, `units` "+
		"STRING, `partition_date` DATE, `closing` STRING", stage.ArrowSchema())
}

func TestSelectGivesBronze(t *testing.T) {
	got := stage.ArrowSelect(stage.Labels{Site: "plant-a", Pipeline: `a'b\n${c}` + "\n🔥", BatchID: "6e3dbd4e-93ab",
		Ingested: 17_000_000_000_000_009})
	require.Equal(t, []string{"`tag_webid`", "`tag_name`", "'plant-a' AS `site`", "`timestamp`", "`timestamp_100ns`", "`value`",
		"`value_text`", "`value_code`",
		"`quality_good`", "`quality_questionable`", "`quality_substituted`", "`quality_annotated`", "`units`", "'6e3dbd4e-93ab' AS `batch_id`",
		"timestamp_micros(1700000000000000L) AS `ingestion_timestamp`", "`partition_date`",
		"CAST(X'6127625c6e247b637d0af09f94a5' AS STRING) AS `pipeline`", "`closing`"}, got)
}

// Record batches end by rows, and by bytes where names and texts are long.
func TestRecordBatchesAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		events, rows, bytes int
		text                func(i int) string
		name                string
	}{
		"numbers":     {50_000, 16 << 10, 4 << 20, nil, "short"},
		"long names":  {20_000, 16 << 10, 5 << 20, nil, strings.Repeat("🔥", 400)},
		"long texts":  {3_000, 16 << 10, 10 << 20, func(i int) string { return strings.Repeat(fmt.Sprint(i), 2000) }, "short"},
		"huge texts":  {9, 2, 22 << 20, func(i int) string { return strings.Repeat(fmt.Sprint(i), 10<<20) }, "short"},
		"mixed texts": {40_000, 16 << 10, 10 << 20, func(i int) string { return strings.Repeat("x", i%500) }, "short"},
	} {
		t.Run(name, func(t *testing.T) {
			l := stage.Labels{WebID: []string{"a", "b"}, Name: []string{c.name, c.name}, Units: []string{"", ""}}
			var batch []event
			for i := range c.events {
				e := event{stream: int32(i / 1000 % 2), ticks: int64(i), flags: columns.HasValue | columns.Good}
				if c.text != nil {
					e.text, e.flags = c.text(i), columns.HasText
				}
				batch = append(batch, e)
			}
			stream := streamed(t, l, [][]event{batch}, "")
			rows, _ := arrowRows(t, stream, &l)
			sameRows(t, wanted(&l, [][]event{batch}), rows)
			r, err := ipc.NewReader(bytes.NewReader(stream))
			require.NoError(t, err)
			defer r.Release()
			for r.Next() {
				rec, size := r.RecordBatch(), 0
				for _, column := range rec.Columns() {
					for _, b := range column.Data().Buffers() {
						if b != nil {
							size += b.Len()
						}
					}
				}
				require.LessOrEqual(t, int(rec.NumRows()), c.rows)
				require.LessOrEqual(t, size, c.bytes)
			}
		})
	}
}

// A stream that was cut is none, wherever it was cut; only the last 8 bytes,
// which mark the end, add nothing to the closing row.
func TestTornStreams(t *testing.T) {
	l := labels()
	var batches [][]event
	for i := range 5 {
		var batch []event
		for j := range 9_000 {
			batch = append(batch, event{stream: int32(j / 10), ticks: int64(i*9000 + j), value: 1, flags: columns.HasValue})
		}
		batches = append(batches, batch)
	}
	stream := streamed(t, l, batches, "closing")
	read := func(to int) (rows int, err error) {
		_, err = stagetest.ReadArrow(bytes.NewReader(stream[:to]), l, func(b *columns.Batch) error { rows += b.Len(); return nil })
		return rows, err
	}
	boundaries := messages(t, stream)
	require.Len(t, boundaries, 6, "schema, three record batches, the closing row, the end")
	for i, at := range boundaries {
		rows, err := read(at)
		switch {
		case i >= len(boundaries)-2:
			require.NoError(t, err)
			require.Equal(t, 45_000, rows)
		default:
			require.ErrorIs(t, err, stagetest.ErrTorn)
		}
	}

	t.Log("cut at any byte")
	small := streamed(t, l, [][]event{batches[0][:50]}, "closing")
	whole := messages(t, small)[2]
	for at := range whole {
		_, err := stagetest.ReadArrow(bytes.NewReader(small[:at]), l, func(*columns.Batch) error { return nil })
		require.Error(t, err, "cut at %d of %d", at, whole)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		_, err := read(r.IntN(boundaries[len(boundaries)-2]))
		require.Error(t, err)
	}
}

// messages returns where each message of a stream ends.
func messages(t *testing.T, stream []byte) []int {
	in := &counted{r: bytes.NewReader(stream)}
	r := ipc.NewMessageReader(in)
	defer r.Release()
	var ends []int
	for {
		_, err := r.Message()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		ends = append(ends, in.n)
	}
	require.Equal(t, len(stream), in.n)
	return append(ends, len(stream))
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestForeignStreamsAreRefused(t *testing.T) {
	l := labels()
	none := func(*columns.Batch) error { return nil }
	stream := streamed(t, l, [][]event{{{flags: columns.HasValue}}}, "closing")
	_, err := stagetest.ReadArrow(bytes.NewReader(stream), stage.Labels{WebID: []string{"another"}}, none)
	require.ErrorContains(t, err, "unknown tag")
	_, err = stagetest.ReadArrow(strings.NewReader(""), l, none)
	require.ErrorContains(t, err, "the stream's beginning")
	var other bytes.Buffer
	w := ipc.NewWriter(&other, ipc.WithSchema(arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.PrimitiveTypes.Int32}}, nil)))
	require.NoError(t, w.Close())
	_, err = stagetest.ReadArrow(&other, l, none)
	require.ErrorContains(t, err, "other columns")
	_, err = stagetest.ReadArrow(bytes.NewReader(stream), l, func(*columns.Batch) error { return io.ErrShortWrite })
	require.ErrorIs(t, err, io.ErrShortWrite)
}

// A dead pipe is an error of the write that meets it, and of all that follow.
func TestStreamToADeadPipe(t *testing.T) {
	r, out := io.Pipe()
	require.NoError(t, r.Close())
	w, err := stage.NewArrowWriter(out, labels())
	require.NoError(t, err)
	var b columns.Batch
	for i := range 20_000 {
		appendNumber(&b, rand.New(rand.NewPCG(1, 2)), i)
	}
	require.ErrorIs(t, w.Write(&b), io.ErrClosedPipe)
	require.ErrorIs(t, w.Close("closing"), io.ErrClosedPipe)
	require.Zero(t, w.Events())
}

func TestWritingAStreamDoesNotAllocateByRow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, kind := range kinds {
		var b columns.Batch
		for i := range 16 << 10 {
			kind.append(&b, r, i)
		}
		w, err := stage.NewArrowWriter(io.Discard, labels())
		require.NoError(t, err)
		require.Less(t, testing.AllocsPerRun(20, func() { require.NoError(t, w.Write(&b)) }), 300.0, kind.name)
	}
}

func BenchmarkArrow(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			const batches, rows = 50, 10_000
			in := make([]columns.Batch, batches)
			for i := range batches * rows {
				kind.append(&in[i/rows], r, i)
			}
			b.ReportAllocs()
			events, before, size := int64(0), processorTime(b), &sized{}
			for b.Loop() {
				w, err := stage.NewArrowWriter(size, labels())
				require.NoError(b, err)
				for j := range in {
					require.NoError(b, w.Write(&in[j]))
				}
				require.NoError(b, w.Close("{}"))
				events += w.Events()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
			b.ReportMetric(float64(processorTime(b)-before)/float64(events), "cpu-ns/event")
			b.ReportMetric(float64(size.n)/float64(events), "B/event")
		})
	}
}

type sized struct{ n int64 }

func (s *sized) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}
