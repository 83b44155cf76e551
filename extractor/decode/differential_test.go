package decode_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
)

// run decodes a body behind something that is in the batch already.
func run(d *decode.Decoder, body io.Reader, single bool, g generated) result {
	var b columns.Batch
	b.Append(-1, 0, 0, b.Strings.ID([]byte("before")), 0, columns.HasText)
	got := make([]decode.Result, len(g.wants))
	var err error
	if single {
		got[0], err = d.Stream(body, g.wants[0], g.maxCount, &b)
	} else {
		err = d.StreamSet(body, g.wants, g.maxCount, &b, got)
	}
	if err != nil {
		return result{Err: errAny}
	}
	for i := range got {
		got[i].Err = anyError(got[i].Err)
	}
	return result{Events: rows(&b)[1:], Got: got}
}

// same compares the result of the decoder with the reference, over several readers
// and windows, with one Decoder: it has learned shapes from other bodies.
func same(t require.TestingT, d []*decode.Decoder, g generated, single bool) result {
	want := refSet(g.body, g.wants, g.maxCount)
	if single {
		g.wants = g.wants[:1]
		want = refStream(g.body, g.wants[0], g.maxCount)
	}
	if len(want.Events) == 0 {
		want.Events = nil
	}
	for i, r := range []io.Reader{
		bytes.NewReader(g.body),
		iotest.OneByteReader(bytes.NewReader(g.body)),
		iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(g.body))),
	} {
		have := run(d[i%len(d)], r, single, g)
		if len(have.Events) == 0 {
			have.Events = nil
		}
		require.Equal(t, want, have, "body: %q", g.body)
	}
	return want
}

func decoders(t *rapid.T) []*decode.Decoder {
	return []*decode.Decoder{decode.New(), decode.NewWindow(rapid.IntRange(8, 600).Draw(t, "window")), decode.NewWindow(64)}
}

func TestStreamSetIsWhatEncodingJSONSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decoders(t)
		for range 2 {
			require.NoError(t, same(t, d, drawSet(t), false).Err)
		}
	})
}

func TestStreamIsWhatEncodingJSONSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawStream(t)
		if want := same(t, decoders(t), g, true); !bytes.Contains(g.body, []byte("Errors")) { // one beside the range is the stream's
			require.NoError(t, want.Err)
		}
	})
}

// A body that is broken is refused just when encoding/json refuses it or its
// meaning is lost; one that still has a meaning has the same for both.
func TestMutatedBodies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawSet(t)
		g.body = mutate(t, g.body)
		same(t, decoders(t), g, false)
	})
}

func FuzzStreamSet(f *testing.F) {
	for _, body := range seeds {
		f.Add([]byte(body), uint8(0), uint8(64), false)
		f.Add([]byte(body), uint8(2), uint8(8), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, maxCount, window uint8, numeric bool) {
		g := generated{body: body, maxCount: int(maxCount), wants: []batch.Stream{
			{Index: 7, WebID: "F1DPa", Name: "Sinusoid", Numeric: numeric, After: 14552933370000000, Until: 1 << 60},
			{Index: 8, WebID: "F1DPb", Name: "CDT158", Numeric: numeric, After: -1 << 60, Until: 17000000000000000},
		}}
		d := []*decode.Decoder{decode.New(), decode.NewWindow(int(window)&^7 + 8)}
		same(t, d, g, false)
		same(t, d, g, true)
	})
}

// seeds are bodies of every kind, right and wrong.
var seeds = []string{
	`{"Links":{},"Items":[{"WebId":"F1DPa","Name":"SINUSOID","Path":"\\\\PISRV1\\SINUSOID",` +
		`"Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":40.787605285644531,"UnitsAbbreviation":"","Good":true,"Questionable":false,` +
		`"Substituted":false,"Annotated":false},{"Timestamp":"2016-02-12T12:28:57.1234567Z","Value":-3,"UnitsAbbreviation":"","Good":true,` +
		`"Questionable":false,"Substituted":false,"Annotated":false}],"UnitsAbbreviation":"","Links":{}}]}`,
	`{"Items":[{"Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":{"Name":"Shutdown","Value":254,"IsSystem":true},"Good":false},` +
		`{"Timestamp":"2016-02-12T12:28:58Z","Value":{"Value":1,"Name":"Open"},"Good":true}],"Name":"cdt158"}]}`,
	`{"Items":[{"Items":[{"Value":"NaN","Timestamp":"2016-02-12T12:28:57.5Z"},{"Value":NaN,"Timestamp":"2016-02-12T12:28:57.5Z"},` +
		`{"Value":"\ud83d\ude00 \ud83d","Timestamp":"2016-02-12T12:28:57.5Z"}],"WebId":"F1DPb"}]}`,
	`{"Items":[{"WebId":"F1DPa","Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":null,"Good":true,"Errors":[{"FieldName":"Value",` +
		`"Message":["no"]}]}]},{"WebId":"F1DPb","Errors":["no access"]}]}`,
	`{"Items":[{"Timestamp":"2016-02-12T12:28:57Z","Value":1.5},{"Timestamp":"2016-02-12T12:28:58Z","Value":2.5},` +
		`{"Timestamp":"2016-02-12T12:28:59Z","Value":-1e-7},{"Timestamp":"2016-02-12T14:28:59+02:00","Value":[1,{"a":true}]}]}`,
	`{"WebException":{"Errors":["boom"],"StatusCode":500}}`,
	`{"Errors":["Unknown or invalid WebID format: 'x'"]}`,
	`<html><body>502 Bad Gateway</body></html>`,
	"\xef\xbb\xbf{ \"Items\" : [ ] }\r\n",
	`{"Items":[]}x`, `{"Items":null}`, `{}`, ``, `[]`, `{"Items":[{"WebId":"F1DPc","Items":[]}]}`,
}
