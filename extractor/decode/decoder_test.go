package decode_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

const forever = instant.Ticks(1 << 60)

// stream decodes a single stream's items and returns the rows.
func stream(t *testing.T, items string, numeric bool) []event {
	t.Helper()
	var b columns.Batch
	_, err := decode.New().Stream(strings.NewReader(`{"Items":[`+items+`]}`),
		batch.Stream{Index: 3, Numeric: numeric, After: -forever, Until: forever}, 0, &b)
	require.NoError(t, err)
	return rows(&b)
}

// What each kind of value becomes, one by one, in the words of the contract.
func TestValues(t *testing.T) {
	const text, number, state = columns.HasText, columns.HasValue, columns.HasText | columns.HasCode
	for value, want := range map[string]event{
		`42.5`:            {Flags: number, Bits: math.Float64bits(42.5)},
		`-0.0`:            {Flags: number, Bits: math.Float64bits(math.Copysign(0, -1))},
		`NaN`:             {Flags: number, Bits: floatBits(math.NaN())},
		`-Infinity`:       {Flags: number, Bits: math.Float64bits(math.Inf(-1))},
		`"NaN"`:           {Flags: number, Bits: floatBits(math.NaN())},
		`"-infinity"`:     {Flags: number, Bits: math.Float64bits(math.Inf(-1))},
		`"Infinity "`:     {Flags: text, Text: "Infinity "},
		`"42.5"`:          {Flags: text, Text: "42.5"},
		`""`:              {Flags: text},
		`"é\n\ud83d"`:     {Flags: text, Text: "é\n\uFFFD"},
		`null`:            {},
		`true`:            {Flags: text, Text: "true"},
		`[1, 2]`:          {Flags: text, Text: "[1, 2]"},
		`{"a": "\u00e9"}`: {Flags: text, Text: `{"a": "\u00e9"}`},
		`{"Name":"Shutdown","Value":254,"IsSystem":true}`: {Flags: state, Text: "Shutdown", Code: 254},
		`{"Value":-1,"Name":"Off"}`:                       {Flags: state, Text: "Off", Code: -1},
		`{"Name":"NaN","Value":1}`:                        {Flags: state, Text: "NaN", Code: 1},
		`{"Name":"Off","Value":1.5}`:                      {Flags: text, Text: `{"Name":"Off","Value":1.5}`},
		`{"Name":"Off","Value":4294967296}`:               {Flags: text, Text: `{"Name":"Off","Value":4294967296}`},
		`{"Name":"Off"}`:                                  {Flags: text, Text: `{"Name":"Off"}`},
		`{}`:                                              {Flags: text, Text: `{}`},
	} {
		want.Stream, want.Ticks, want.Flags = 3, 14552801370000000, want.Flags|columns.Good
		item := `{"Timestamp":"2016-02-12T12:28:57Z","Value":` + value + `,"Good":true}`
		// The second item goes the way of the learned shape where it can.
		assert.Equal(t, []event{want, want}, stream(t, item+","+item, true), value)
	}
	assert.Equal(t, "NaN", stream(t, `{"Timestamp":"2016-02-12T12:28:57Z","Value":"NaN"}`, false)[0].Text)
	assert.Equal(t, columns.HasValue, stream(t, `{"Timestamp":"2016-02-12T12:28:57Z","Value":NaN}`, false)[0].Flags)
}

// An error in the place of a value is never read as data.
func TestErrorsOfValues(t *testing.T) {
	for errs, want := range map[string]uint8{
		`"Errors":[]`:         columns.HasValue,
		`"Errors":null`:       columns.HasValue,
		`"WebException":null`: columns.HasValue,
		`"Errors":[{"FieldName":"Value","Message":["no"]}]`: 0,
		`"Errors":"no"`:                     0,
		`"WebException":{"StatusCode":500}`: 0,
	} {
		item := `{"Timestamp":"2016-02-12T12:28:57Z","Value":253,"Good":true,` + errs + `}`
		for _, e := range stream(t, item+","+item, true) {
			assert.Equal(t, want|columns.Good, e.Flags, errs)
			assert.Equal(t, "", e.Text)
		}
	}
	for value, none := range map[string]bool{
		`{"Errors":["Calc Failed"]}`:                                     true,
		`{"Errors":[{"FieldName":"Value","Message":["no"]}]}`:            true,
		`{ "WebException" : {"StatusCode":500} , "Errors":[] }`:          true,
		`{"Name":"Calc Failed","Value":249,"Errors":["Calc Failed"]}`:    true,
		`{"Name":"Calc Failed","Value":249,"Errors":[],"IsSystem":true}`: false,
		`{"Errors":null}`: false,
	} {
		item := `{"Timestamp":"2016-02-12T12:28:57Z","Value":` + value + `,"Good":false}`
		for _, e := range stream(t, item+","+item, true) {
			assert.Equal(t, none, e.Flags == 0, value)
			assert.Equal(t, none, e.Text == "" && e.Code == 0, value)
		}
	}
}

// An item with an error is an event of its instant; outside of all that was asked
// for, or at no instant at all, it is why the stream could not be read.
func TestErrorsBesideTheRange(t *testing.T) {
	const good = `{"Timestamp":"2026-01-01T00:00:02Z","Value":1,"Good":true}`
	from := 1_767_225_600 * instant.Second // 2026-01-01T00:00:00Z
	want := batch.Stream{Index: 3, Name: "A", After: from, Until: from + 10*instant.Second}
	for at, event := range map[string]bool{
		`"2026-01-01T00:00:05Z"`:         true,
		`"2026-01-01T00:00:10Z"`:         true,
		`"2026-01-01T00:00:10.00002Z"`:   false, // rounded, and dropped
		`"2026-01-01T00:00:00Z"`:         false,
		`"2025-12-31T23:59:59.9999847Z"`: false,
	} {
		for _, failed := range []string{`"Value":null,"Errors":["No Read Access"]`, `"Value":{"Errors":["No Read Access"]}`} {
			var b columns.Batch
			got, err := decode.New().Stream(strings.NewReader(`{"Items":[{"Timestamp":`+at+`,`+failed+`}]}`), want, 0, &b)
			require.NoError(t, err, at)
			require.Equal(t, event, got.Kept == 1, at)
		}
	}
	for _, at := range []string{`"1970-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.9999999Z"`,
		`"2025-12-31T23:00:00Z"`, `"2026-01-01T00:00:11Z"`, `""`, `null`} {
		for _, failed := range []string{`"Value":null,"Errors":["No Read Access"]`, `"Good":false,"Value":{"Errors":["No Read Access"]}`,
			`"WebException":{"StatusCode":403,"Errors":["No Read Access"]}`} {
			item := `{"Timestamp":` + at + `,` + failed + `}`
			for _, items := range []string{item, good + "," + item, item + "," + good} {
				var b columns.Batch
				_, err := decode.New().Stream(strings.NewReader(`{"Items":[`+items+`]}`), want, 0, &b)
				var e *decode.WebException
				require.ErrorAs(t, err, &e, items)
				require.Equal(t, []string{"No Read Access"}, e.Errors)

				other := want
				other.Index, other.Name = 4, "B"
				all, got, err := set(`{"Items":[{"Name":"A","Items":[`+items+`]},{"Name":"B","Items":[`+good+`]}]}`, 0, want, other)
				require.NoError(t, err, items)
				require.ErrorContains(t, got[0].Err, "No Read Access", items)
				require.NoError(t, got[1].Err, items)
				require.Len(t, all, 1, items)
			}
		}
	}

	// What another stream of the call is asked for may bring events that this one has landed.
	other := want
	other.Index, other.Name, other.After = 4, "B", from-instant.Hour
	_, got, err := set(`{"Items":[{"Name":"A","Items":[{"Timestamp":"2025-12-31T23:30:00Z","Value":null,"Errors":["Calc `+
		`Failed"]}]},{"Name":"B","Items":[]}]}`, 0, want, other)
	require.NoError(t, err)
	require.NoError(t, got[0].Err)
}

func TestFlags(t *testing.T) {
	for flags, want := range map[string]uint8{
		`"Good":true,"Questionable":true,"Substituted":true,"Annotated":true`: columns.Good | columns.Questionable | columns.Substituted | columns.Annotated,
		`"Good":false,"Annotated":true`:                                       columns.Annotated,
		`"Good":"true"`:                                                       0,
		`"good":true`:                                                         0,
		`"Good":true,"Good":false`:                                            0,
	} {
		item := `{"Timestamp":"2016-02-12T12:28:57Z","Value":1,` + flags + `}`
		for _, e := range stream(t, item+","+item, true) {
			assert.Equal(t, want|columns.HasValue, e.Flags, flags)
		}
	}
}

// Flags that stand before the value are part of the shape, too.
func TestFlagsBeforeTheValue(t *testing.T) {
	const good, bad = `{"Timestamp":"2016-02-12T12:28:57Z","Good":true,"Value":1,"Annotated":`,
		`{"Timestamp":"2016-02-12T12:28:57Z","Good":false,"Value":1,"Annotated":`
	var flags []uint8
	for _, e := range stream(t, strings.Join([]string{good + "false}", bad + "true}", good + "true}", good + "true}", bad + "true}"}, ","),
		true) {
		flags = append(flags, e.Flags&^columns.HasValue)
	}
	assert.Equal(t, []uint8{columns.Good, columns.Annotated, columns.Good | columns.Annotated, columns.Good | columns.Annotated,
		columns.Annotated}, flags)
}

// The last of two duplicates wins, whatever was learned from other items.
func TestDuplicates(t *testing.T) {
	const once, twice = `{"Timestamp":"2016-02-12T12:28:57Z","Value":1}`,
		`{"Timestamp":"2016-02-12T12:28:57Z","Value":1,"Value":2,"Timestamp":"2016-02-12T12:28:58Z","Value":3}`
	events := stream(t, strings.Join([]string{once, once, twice, twice, twice}, ","), true)
	for i, want := range []float64{1, 1, 3, 3, 3} {
		assert.Equal(t, math.Float64bits(want), events[i].Bits)
	}
}

func set(body string, maxCount int, wants ...batch.Stream) ([]event, []decode.Result, error) {
	var b columns.Batch
	got := make([]decode.Result, len(wants))
	err := decode.New().StreamSet(strings.NewReader(body), wants, maxCount, &b, got)
	return rows(&b), got, err
}

func wants(names ...string) (all []batch.Stream) {
	for i, name := range names {
		all = append(all, batch.Stream{Index: int32(i), WebID: "id-" + name, Name: name, After: -forever, Until: forever})
	}
	return all
}

const oneItem = `"Items":[{"Timestamp":"1970-01-01T00:00:01Z","Value":1}]`

func TestStreamsAreToldByIdThenByName(t *testing.T) {
	for _, who := range []string{
		`"WebId":"id-B"`, `"WebId":"another kind","Name":"b"`, `"Name":"B"`, `"Path":"\\\\srv\\b"`,
		`"WebId":"id-\u0042","Name":"A"`,
	} {
		for _, body := range []string{"{" + who + "," + oneItem + "}", "{" + oneItem + "," + who + "}"} {
			events, got, err := set(`{"Items":[`+body+`]}`, 0, wants("A", "B")...)
			require.NoError(t, err, body)
			assert.Equal(t, []bool{false, true}, []bool{got[0].Present, got[1].Present})
			assert.Equal(t, int32(1), events[0].Stream)
		}
	}
	for _, who := range []string{`"WebId":"id-C"`, `"WebId":"","Name":""`, `"Name":"C"`, `"Path":"\\\\srv"`, `"WebId":null`} {
		_, _, err := set(`{"Items":[{`+who+`,`+oneItem+`}]}`, 0, wants("A", "B")...)
		assert.ErrorContains(t, err, "not asked for", who)
	}
	_, _, err := set(`{"Items":[{"Name":"a",`+oneItem+`},{"Name":"A",`+oneItem+`}]}`, 0, wants("A")...)
	assert.ErrorContains(t, err, "twice")
}

func TestErrorsInBodies(t *testing.T) {
	// Of the body as a whole.
	for body, want := range map[string]decode.WebException{
		`{"WebException":{"Errors":["[-10733] PINET: Timeout","x"],"StatusCode":500}}`: {StatusCode: 500, Errors: []string{"[-10733] PINET: Timeout", "x"}},
		`{"Links":{},"Errors":["gone"]}`:                                               {Errors: []string{"gone"}},
		`{"Errors":[{"FieldName":"a"}]}`:                                               {Errors: []string{`{"FieldName":"a"}`}},
		`{"WebException":"what"}`:                                                      {Errors: []string{`"what"`}},
		`{"Items":[{"WebException":{"StatusCode":502}}]}`:                              {StatusCode: 502},
		`{"Items":[{"Name":null,"Errors":["who?"],"Items":[]}]}`:                       {Errors: []string{"who?"}},
	} {
		_, _, err := set(body, 0, wants("A")...)
		var e *decode.WebException
		require.ErrorAs(t, err, &e, body)
		assert.Equal(t, want, *e, body)
		assert.NotEmpty(t, e.Error())
	}
	var b columns.Batch
	for _, body := range []string{`{"Items":[{"WebException":{"StatusCode":503}}]}`, `{"Items":[],"WebException":{"StatusCode":503}}`} {
		_, err := decode.New().Stream(strings.NewReader(body), batch.Stream{}, 0, &b)
		var e *decode.WebException
		require.ErrorAs(t, err, &e, body)
		assert.Equal(t, 503, e.StatusCode)
	}

	// Of one stream: its neighbours do not suffer, and none of its events stays.
	for _, failed := range []string{
		`"Errors":["no access"],` + oneItem,
		oneItem + `,"WebException":{"StatusCode":403,"Errors":["no access"]}`,
		`"Items":[{"Timestamp":"1970-01-01T00:00:01Z","Value":1},{"Errors":["no access"]}]`,
	} {
		events, got, err := set(`{"Items":[{"Name":"A",`+failed+`},{"Name":"B",`+oneItem+`}]}`, 0, wants("A", "B")...)
		require.NoError(t, err)
		require.ErrorContains(t, got[0].Err, "no access")
		assert.Equal(t, 0, got[0].Kept)
		require.NoError(t, got[1].Err)
		require.Len(t, events, 1)
		assert.Equal(t, int32(1), events[0].Stream)
	}
}

func TestBodiesThatAreNoJSON(t *testing.T) {
	for _, body := range []string{"<!DOCTYPE html>\r\n<html>502 Bad Gateway</html>", "  Service Unavailable", "[]", `"text"`, "null",
		"\xef\xbb\xbf<html>"} {
		_, _, err := set(body, 0)
		var e *decode.NotJSON
		require.ErrorAs(t, err, &e, body)
		assert.Contains(t, body, e.Snippet[:2])
	}
	for body, reason := range map[string]string{
		`{"Items":[]} {}`:                      "follows",
		`{"Items":[]}` + "\x00":                "follows",
		`{}`:                                   "no Items",
		`{"Items":{}}`:                         "array",
		`{"Items":[1]}`:                        "object",
		`{"Items":[{"Name":"A","Items":[1]}]}`: "object",
		`{"Items":[],"Items":[]}`:              "twice",
		`{"Items":[{"Name":"A","Items":[],"Items":[]}]}`:                                                                                   "twice",
		`{"Items":[{"Name":"A","Items":[{"Value":1}]}]}`:                                                                                   "without a timestamp",
		`{"Items":[{"Name":"A","Items":[{"Timestamp":null}]}]}`:                                                                            "timestamp",
		`{"Items":[{"Name":"A","Items":[{"Timestamp":"2016-02-30T00:00:00Z"}]}]}`:                                                          "timestamp",
		`{"Items":[{"Name":"A","Items":[{"Timestamp":"2016-02-03T00:00:00Z","Value":1e999}]}]}`:                                            "range",
		`{"Items":[{"Name":"A","Items":[{"Timestamp":"2016-02-03T00:00:00Z"},{"Timestamp":"2016-02-02T00:00:00Z"}]}]}`:                     "order",
		`{"Items":[{"Name":"A","Items":[{"Timestamp":"2016-02-03T00:00:00Z","Value":1},{"Timestamp":"2016-02-02T00:00:00Z","Value":1}]}]}`: "order",
		`{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `,"Items":[]}`:                                                     "deep",
		`{"Items":[],}`:          "key",
		`{"Items":[],"a":truth}`: "value",
		"{\"a\":\"\n\"}":         "control",
		`{"a":"\x"}`:             "escape",
		`{"a" 1}`:                "colon",
		`{"a":1 "b"}`:            "comma",
	} {
		_, _, err := set(body, 0, wants("A")...)
		var e *decode.FormatError
		require.ErrorAs(t, err, &e, body)
		assert.Contains(t, e.Error(), reason, body)
	}
}

// Cut anywhere, a body is told from a whole one, and from a malformed one.
func TestTruncationAtEveryByte(t *testing.T) {
	for _, window := range []int{8, 100, 1 << 16} {
		d := decode.NewWindow(window)
		for _, body := range seeds[:5] {
			for n := range len(body) {
				var b columns.Batch
				all := wants("Sinusoid", "CDT158")
				all[0].WebID, all[1].WebID = "F1DPa", "F1DPb"
				err := d.StreamSet(strings.NewReader(body[:n]), all, 0, &b, make([]decode.Result, 2))
				var malformed *decode.FormatError
				if errors.As(err, &malformed) { // the fifth is not a stream set
					require.Equal(t, seeds[4], body)
					continue
				}
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", body[:n])
				_, _, err = decode.SummaryCounts(strings.NewReader(body[:n]), all)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", body[:n])
			}
		}
	}
}

// An error of the network stays what it was, wherever it strikes.
func TestReaderErrors(t *testing.T) {
	boom := errors.New("connection reset")
	for n := range len(seeds[0]) + 1 {
		var b columns.Batch
		r := io.MultiReader(strings.NewReader(seeds[0][:n]), iotest.ErrReader(boom))
		err := decode.NewWindow(64).StreamSet(r, wants("Sinusoid"), 0, &b, make([]decode.Result, 1))
		require.ErrorIs(t, err, boom)
		r = io.MultiReader(strings.NewReader(seeds[0][:n]), iotest.ErrReader(boom))
		_, _, err = decode.SummaryCounts(r, wants("Sinusoid"))
		require.ErrorIs(t, err, boom)
	}
	var b columns.Batch
	_, err := decode.New().Stream(idle{}, batch.Stream{}, 0, &b)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// A reader may give nothing now and then.
func TestReaderThatDawdles(t *testing.T) {
	var b columns.Batch
	r := &dawdling{body: iotest.OneByteReader(strings.NewReader(seeds[0]))}
	all := wants("Sinusoid")
	require.NoError(t, decode.New().StreamSet(r, all, 0, &b, make([]decode.Result, 1)))
	assert.Equal(t, 2, b.Len())
}

type dawdling struct {
	body  io.Reader
	reads int
}

func (d *dawdling) Read(p []byte) (int, error) {
	if d.reads++; d.reads%2 == 0 {
		return 0, nil
	}
	return d.body.Read(p)
}

// A fault is named by its place in the body, not in the window.
func TestOffsetOfAFault(t *testing.T) {
	body := strings.TrimSuffix(seeds[0], "}") + "!"
	for _, window := range []int{8, 64, 1 << 16} {
		var b columns.Batch
		err := decode.NewWindow(window).StreamSet(strings.NewReader(body), wants("Sinusoid"), 0, &b, make([]decode.Result, 1))
		var e *decode.FormatError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, int64(len(body)-1), e.Offset)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// What a hostile server sends is refused before it fills the memory.
func TestGiants(t *testing.T) {
	endless := func(begin, again string) io.Reader {
		return io.MultiReader(strings.NewReader(begin), &repeat{text: again})
	}
	for _, body := range []io.Reader{
		endless(`{"a":"`, "xxxxxxxxxxxxxxxx"),
		endless(`{"Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":"`, "xxxxxxxxxxxxxxxx"),
		endless(`{"Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":`, "1111111111111111"),
		endless(`{"Links":[`, "{},"),
	} {
		var b columns.Batch
		_, err := decode.New().Stream(body, batch.Stream{}, 0, &b)
		require.ErrorIs(t, err, decode.ErrTooLarge)
	}
	_, _, err := decode.SummaryCounts(endless("", " "), nil)
	require.ErrorIs(t, err, decode.ErrTooLarge)

	for _, d := range []*decode.Decoder{decode.NewBounded(1000, 1<<30), decode.NewBounded(1<<30, 1000)} {
		var items bytes.Buffer
		writeItems(&items, kinds[6], 0, 2000)
		var b columns.Batch
		_, err := d.Stream(strings.NewReader(`{"Items":[`+items.String()+`]}`), batch.Stream{}, 0, &b)
		require.ErrorIs(t, err, decode.ErrTooLarge)
		require.Less(t, b.Len(), 1100) // found out in time
	}

	// A large text that is allowed comes through, and the next body after it.
	d := decode.NewWindow(64)
	large := strings.Repeat("0123456789abcdef", decode.MaxPiece/16-64)
	var b columns.Batch
	for _, text := range []string{large, "small"} {
		b.Reset()
		_, err := d.Stream(strings.NewReader(`{"Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":"`+text+`"}]}`),
			batch.Stream{After: -forever, Until: forever}, 0, &b)
		require.NoError(t, err)
		require.True(t, text == b.Strings.Text(b.Text[0]))
	}
}

type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at%len(r.text)]
		r.at++
	}
	return len(p), nil
}

func TestOutcomesNeedAPlaceEach(t *testing.T) {
	var b columns.Batch
	err := decode.New().StreamSet(strings.NewReader(`{"Items":[]}`), wants("A"), 0, &b, nil)
	require.Error(t, err)
}

// In the steady state a body is decoded without an allocation, whatever is in it.
func TestNoAllocationAnEvent(t *testing.T) {
	var body bytes.Buffer
	var all []batch.Stream
	body.WriteString(`{"Links":{},"Items":[`)
	for i, kind := range kinds {
		if i > 0 {
			body.WriteByte(',')
		}
		all = append(all, batch.Stream{Index: int32(i), WebID: kind.name, Numeric: true, After: -forever, Until: forever})
		fmt.Fprintf(&body, `{"WebId":%q,"Name":"Tag %d","Items":[`, kind.name, i)
		writeItems(&body, kind, i, 500)
		body.WriteString(`],"UnitsAbbreviation":"","Links":{}}`)
	}
	body.WriteString(`]}`)
	d, r, got := decode.New(), bytes.NewReader(body.Bytes()), make([]decode.Result, len(all))
	var b columns.Batch
	events := 0
	round := func() {
		b.Truncate(0) // its texts are known then: a new text is copied once
		r.Reset(body.Bytes())
		if err := d.StreamSet(r, all, 1000, &b, got); err != nil {
			t.Fatal(err)
		}
		events = b.Len()
	}
	allocations := testing.AllocsPerRun(10, round)
	assert.Equal(t, 500*len(kinds), events)
	assert.Zero(t, allocations)
}
