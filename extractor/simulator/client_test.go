package simulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/fixedseed"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	goleak.VerifyTestMain(m)
}

// noon is what the servers of these tests take for now.
const noon = 1_767_268_800 * instant.Second // 2026-01-01T12:00:00Z

func clock(t instant.Ticks) func() instant.Ticks { return func() instant.Ticks { return t } }

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(a.body, v), "%s", a.body)
}

// ask calls a server in process.
func ask(s http.Handler, method, path string, body string, header ...string) answer {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, simulator.Root+path, content)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

func get(s http.Handler, path string, args ...any) answer {
	return ask(s, http.MethodGet, fmt.Sprintf(path, args...), "")
}

// naive is the reference client: one stream at a time, encoding/json, nothing clever.
type naive struct {
	t testing.TB
	s http.Handler
}

// point is an item of the list of points.
type point struct {
	WebID                                                                           string `json:"WebId"`
	ID                                                                              int64  `json:"Id"`
	Name, Path, Descriptor, PointType, DigitalSetName, EngineeringUnits, PointClass string
	Future                                                                          bool
}

// points reads all points by paging.
func (n naive) points(pageSize int) []point {
	var servers struct {
		Items []struct {
			WebID string `json:"WebId"`
		}
	}
	get(n.s, "/dataservers").into(n.t, &servers)
	require.Len(n.t, servers.Items, 1)
	var all []point
	for {
		var page struct{ Items []point }
		get(n.s, "/dataservers/%s/points?startIndex=%d&maxCount=%d", servers.Items[0].WebID, len(all), pageSize).into(n.t, &page)
		all = append(all, page.Items...)
		if len(page.Items) < pageSize {
			return all
		}
	}
}

// timedValue is an event as the server prints it.
type timedValue struct {
	Timestamp                                  string
	Value                                      json.RawMessage
	Good, Questionable, Substituted, Annotated bool
	Errors                                     []struct{ FieldName string }
}

// recorded reads (after, until] of a point in pages, without loss: the next page
// begins at the last timestamp, whose events are read again.
func (n naive) recorded(p point, after, until instant.Ticks, pageSize int) []simulator.Event {
	var events []simulator.Event
	from, size := after, pageSize
	for {
		var page struct{ Items []timedValue }
		a := get(n.s, "/streams/%s/recorded?startTime=%s&endTime=%s&maxCount=%d", p.WebID, from, until, size)
		require.Equal(n.t, 200, a.status, "%s", a.body)
		a.into(n.t, &page)
		full := len(page.Items) == size
		last := from
		batch := make([]simulator.Event, 0, len(page.Items))
		for _, v := range page.Items {
			e := n.event(p, v)
			batch = append(batch, e)
			last = e.Ticks
		}
		for _, e := range batch {
			if e.Ticks > after && e.Ticks <= until && (!full || e.Ticks < last) {
				events = append(events, e)
			}
		}
		switch {
		case !full:
			return events
		case last == from || batch[0].Ticks == last: // a page of one timestamp: it takes a larger one
			size *= 2
		default:
			size = pageSize
		}
		// what is before the next page's start has been taken
		from = last
		after = max(after, last-1)
	}
}

// event reads one event, by the point's type.
func (n naive) event(p point, v timedValue) simulator.Event {
	at, err := instant.Parse(v.Timestamp)
	require.NoError(n.t, err)
	e := simulator.Event{Ticks: at, Good: v.Good, Questionable: v.Questionable, Substituted: v.Substituted, Annotated: v.Annotated}
	numeric := strings.HasPrefix(p.PointType, "Float") || strings.HasPrefix(p.PointType, "Int")
	text := string(v.Value)
	switch {
	case text == "null":
		require.NotEmpty(n.t, v.Errors)
	case text[0] == '{':
		var state struct {
			Name  string
			Value int32
		}
		require.NoError(n.t, json.Unmarshal(v.Value, &state))
		e.HasText, e.HasCode, e.Text, e.Code = true, true, state.Name, state.Value
	case text[0] == '"' && numeric:
		special := map[string]float64{`"NaN"`: math.NaN(), `"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1)}
		value, ok := special[text]
		require.True(n.t, ok, text)
		e.HasValue, e.Value = true, value
	case text[0] == '"':
		e.HasText = true
		require.NoError(n.t, json.Unmarshal(v.Value, &e.Text))
	default:
		require.True(n.t, numeric, "%s of a %s", text, p.PointType)
		e.HasValue = true
		require.NoError(n.t, json.Unmarshal(v.Value, &e.Value))
	}
	return e
}

// same compares events; NaN is equal to NaN.
func same(a, b simulator.Event) bool {
	x, y := math.Float64bits(a.Value), math.Float64bits(b.Value)
	if math.IsNaN(a.Value) && math.IsNaN(b.Value) {
		x, y = 0, 0
	}
	a.Value, b.Value = 0, 0
	return a == b && x == y
}

func requireSame(t testing.TB, want, got []simulator.Event, about string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.True(t, same(want[i], got[i]), "%s: event %d: want %+v, got %+v", about, i, want[i], got[i])
	}
	require.Equal(t, len(want), len(got), about)
}

// webIDs makes the query part webId=…&webId=…
func webIDs(tags ...simulator.Tag) string {
	q := make([]string, len(tags))
	for i, tag := range tags {
		q[i] = "webId=" + url.QueryEscape(tag.WebID)
	}
	return strings.Join(q, "&")
}
