package piwebapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// canned answers each stream set with the same events of each stream, at no cost.
type canned struct{ items []byte }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	var parts []io.Reader
	for i, id := range r.URL.Query()["webId"] {
		parts = append(parts, strings.NewReader(fmt.Sprintf(`%s{"WebId":%q,"Name":"n","Items":`, ",{"[:min(i, 1)], id)),
			bytes.NewReader(c.items), strings.NewReader("}"))
	}
	body := io.MultiReader(append([]io.Reader{strings.NewReader(`{"Items":[`)}, append(parts, strings.NewReader("]}"))...)...)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

// discard is a Sink that counts.
type discard struct {
	client *piwebapi.Client
	events atomic.Int64
}

func (d *discard) Events(_ context.Context, b *columns.Batch) error { d.client.Free(b); return nil }
func (d *discard) Done(_ int, o batch.Outcome, _ error)             { d.events.Add(o.Events) }

// BenchmarkRecorded is what an event costs here, from the answer's bytes to a
// batch in the sink: 1,000 tags with an event a second, one connection.
func BenchmarkRecorded(b *testing.B) {
	var items []string
	for _, t := range regular(epoch, epoch+instant.Hour, instant.Second) {
		items = append(items, fmt.Sprintf(`{"Timestamp":"%s","Value":%d.25,"UnitsAbbreviation":"","Good":true,"Questionable":false,`+
			`"Substituted":false,"Annotated":false}`, t, t%1000))
	}
	_, streams := uniform(1000)
	for i := range streams {
		streams[i].EventsPerHour = 3600
	}
	c := client(b, canned{[]byte("[" + strings.Join(items, ",") + "]")}, settings{connections: 1})
	b.ReportAllocs()
	for b.Loop() {
		sink := &discard{client: c}
		require.NoError(b, c.Recorded(b.Context(), streams, sink))
		require.EqualValues(b, 3_600_000, sink.events.Load())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3.6e6, "ns/event")
}

// BenchmarkPlan is the arithmetic alone, of 30,000 tags.
func BenchmarkPlan(b *testing.B) {
	f, streams := uniform(30_000)
	f.override = emptySet
	c := client(b, f, settings{connections: 10})
	for b.Loop() {
		require.NoError(b, c.Recorded(b.Context(), streams, &discard{client: c}))
	}
}
