package piwebapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
)

// points answers with pages of so many points, by their positions; odd ones are as given.
func points(total int, odd map[int]string, first func(start, count int) http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/dataservers") {
			fmt.Fprint(w, `{"Items":[{"Name":"PISRV1"}]}`)
			return
		}
		start, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
		count, _ := strconv.Atoi(r.URL.Query().Get("maxCount"))
		if first != nil {
			if h := first(start, count); h != nil {
				h(w, r)
				return
			}
		}
		var items []string
		for i := start; i < min(total, start+count); i++ {
			if text, is := odd[i]; is {
				items = append(items, text)
			} else {
				items = append(items, fmt.Sprintf(`{"WebId":"w%d","Id":%d,"Name":"TAG.%d","Descriptor":null,"EngineeringUnits":7}`, i, i+1, i))
			}
		}
		fmt.Fprintf(w, `{"Links":{},"Items":[%s]}`, strings.Join(items, ","))
	}
}

// A page that cannot be had is asked for again, smaller, until it can be; a point
// that cannot be listed is left out, and no other with it.
func TestPagesGetSmaller(t *testing.T) {
	const total = 2500
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	above := func(most int, then http.HandlerFunc) func(int, int) http.HandlerFunc {
		return func(_, count int) http.HandlerFunc {
			if count > most {
				return then
			}
			return nil
		}
	}
	within := func(at int, then http.HandlerFunc) func(int, int) http.HandlerFunc {
		return func(start, count int) http.HandlerFunc {
			if start <= at && at < start+count {
				return then
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		odd   map[int]string
		first func(start, count int) http.HandlerFunc
		left  []int
		why   string
	}{
		"a gateway's time is over":   {first: above(100, html(504))},
		"408":                        {first: above(7, html(408))},
		"out of memory":              {first: above(300, refuse(500, "Exception of type 'System.OutOfMemoryException' was thrown."))},
		"silence":                    {first: above(1000, silent)},
		"a cut body":                 {first: above(64, text(`{"Items":[{"WebId":"w`))},
		"one point fails its page":   {first: within(1234, refuse(500, "the point's attributes cannot be read")), left: []int{1234}, why: "attributes"},
		"one point may not be seen":  {first: within(0, refuse(403, "not for you")), left: []int{0}, why: "not for you"},
		"the last one":               {first: within(total-1, refuse(400, "odd")), left: []int{total - 1}, why: "odd"},
		"an Id that is no number":    {odd: map[int]string{3: `{"WebId":"w3","Id":"abc","Name":"TAG.3"}`}, left: []int{3}, why: `Id of "TAG.3"`},
		"a Name that is no text":     {odd: map[int]string{3: `{"WebId":"w3","Id":4,"Name":12}`}, left: []int{3}, why: "Name is 12"},
		"no name":                    {odd: map[int]string{3: `{"WebId":"w3","Id":4}`}, left: []int{3}, why: "Name is missing"},
		"Future that is no boolean":  {odd: map[int]string{3: `{"WebId":"w3","Id":4,"Name":"TAG.3","Future":"maybe"}`}, left: []int{3}, why: "Future"},
		"a point that is no object":  {odd: map[int]string{3: `[1]`, 4: `null`}, left: []int{3, 4}, why: "not an object"},
		"a point too large to fetch": {first: within(9, refuse(500, "too large")), left: []int{9}, why: "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeSite{override: points(total, c.odd, c.first)}
				cl := client(t, f, settings{})
				seen := map[int64]bool{}
				require.NoError(t, cl.Points(t.Context(), piwebapi.DataServer{WebID: "ds"}, func(points []piwebapi.Point) error {
					for _, p := range points {
						require.False(t, seen[p.ID], "twice")
						seen[p.ID] = true
					}
					return nil
				}))
				assert.Len(t, seen, total-len(c.left))
				for _, at := range c.left {
					assert.False(t, seen[int64(at+1)])
				}
				notes := strings.Join(cl.Notes(), "\n")
				switch len(c.left) {
				case 0:
					assert.Empty(t, notes)
				case 1:
					assert.Contains(t, notes, "plant-a: 1 point of the server's list is left out: the one at position "+strconv.Itoa(c.left[0])+": ")
				default:
					assert.Contains(t, notes, fmt.Sprintf("plant-a: %d points of the server's list are left out: ", len(c.left)))
				}
				assert.Contains(t, notes, c.why)
				assert.Less(t, f.all, 800)
			})
		})
	}
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		kind     piwebapi.Kind
		requests int
	}{
		"a site that went down":      {html(503), piwebapi.Server, 6},
		"lists that are always busy": {points(total, nil, func(start, _ int) http.HandlerFunc { return html(503) }), piwebapi.Server, 100},
		"nobody may see any":         {points(total, nil, func(start, _ int) http.HandlerFunc { return refuse(403, "not for you") }), piwebapi.Forbidden, 4},
		"no point can be listed":     {points(total, nil, func(start, _ int) http.HandlerFunc { return refuse(500, "broken") }), piwebapi.Server, 100},
		"points that are always new": {points(1<<30, nil, nil), piwebapi.TooLarge, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeSite{override: c.answer}
				err := client(t, f, settings{points: 60_000}).Points(t.Context(), piwebapi.DataServer{WebID: "ds"},
					func([]piwebapi.Point) error { return nil })
				assert.Equal(t, c.kind, asError(t, err).Kind)
				assert.LessOrEqual(t, f.all, c.requests)
			})
		})
	}
}

// An address that leads nowhere is told of at once, with what was tried.
func TestWrongAddresses(t *testing.T) {
	f := &fakeSite{override: html(404)}
	_, err := client(t, f, settings{}).DataServers(t.Context())
	assert.ErrorContains(t, err, "no PI Web API answers at https://pi.example/piwebapi")
	assert.ErrorContains(t, err, "hint: correct sites[].url")
	assert.NotContains(t, err.Error(), "deleted")
	assert.Equal(t, 1, f.all)
}

// ASP.NET puts the text of an exception into ExceptionMessage; Message is generic.
func TestExceptionMessage(t *testing.T) {
	body := `{"Message":"An error has occurred.","ExceptionMessage":"The user does not have the privilege to ` +
		`read.","ExceptionType":"System.Exception","StackTrace":"at X"}`
	f := &fakeSite{override: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, body)
	}}
	_, err := client(t, f, settings{}).DataServers(t.Context())
	assert.Equal(t, piwebapi.Forbidden, asError(t, err).Kind)
	assert.ErrorContains(t, err, "does not have the privilege to read")
	assert.Equal(t, 1, f.all, "it is not tried again")
}

// A server whose lists are well and whose data never comes, or comes no more, is given
// up after a few times the time that a request may take, whatever there is to read and
// on however many connections.
func TestSilentData(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	const timeout = 10 * time.Second
	for _, n := range []int{1, 4, 500, 3000} {
		for _, connections := range []int{1, 8, 32} {
			for _, answered := range []int{0, 1} {
				t.Run(fmt.Sprintf("%d tags, %d connections, %d answered", n, connections, answered), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f, streams := uniform(n)
						f.fault = func(call int, _ *http.Request, _ []string) http.HandlerFunc {
							if call <= answered {
								return nil
							}
							return silent
						}
						c := client(t, f, settings{timeout: timeout.Seconds(), connections: connections})
						k := newCatcher(c)
						began := time.Now()
						err := c.Recorded(t.Context(), streams, k)
						assert.LessOrEqual(t, time.Since(began), 37*timeout)
						if answered == 0 {
							assert.LessOrEqual(t, time.Since(began), 13*timeout)
						}
						if n > 1000 {
							assert.Equal(t, piwebapi.Timeout, asError(t, err).Kind)
						}
						k.verify(t, f, streams)
					})
				})
			}
		}
	}
}

// A few streams that never answer, amid many that do, are theirs alone to fail.
func TestSilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, streams := uniform(800)
		bad := []string{id(3), id(17), id(18), id(400), id(799)}
		f.fault = func(_ int, _ *http.Request, ids []string) http.HandlerFunc {
			if slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(bad, id) }) {
				return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			}
			return nil
		}
		c := client(t, f, settings{})
		k := newCatcher(c)
		require.NoError(t, c.Recorded(t.Context(), streams, k))
		k.verify(t, f, streams)
		assert.Equal(t, []int32{3, 17, 18, 400, 799}, k.failures())
	})
}

// Answers without an end are read no further than they were asked for, and the site is
// given up if there is no other.
func TestAnswersWithoutAnEnd(t *testing.T) {
	for name, body := range map[string]string{
		"events": `{"Timestamp":"2026-01-31T12:10:00Z","Value":1,"Good":true},`,
		"texts":  `{"Timestamp":"2026-01-31T12:10:00Z","Value":"` + strings.Repeat("x", 100_000) + `%d","Good":true},`,
		"blanks": strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			f, streams := uniform(4)
			var sent, calls int64
			endless := endlessTransport{next: f, path: "/recorded", sent: &sent, calls: &calls,
				head: `{"Items":[{"WebId":"` + id(0) + `","Name":"n","Items":[`, part: body}
			c := client(t, endless, settings{connections: 1, items: 10_000})
			k := newCatcher(c)
			e := asError(t, c.Recorded(t.Context(), streams, k))
			assert.Equal(t, piwebapi.TooLarge, e.Kind)
			assert.Contains(t, e.Message, "larger than this program accepts")
			k.verify(t, f, streams)
			assert.LessOrEqual(t, calls, int64(20))
			assert.LessOrEqual(t, sent/calls, int64(520<<20))
			if name == "events" {
				assert.LessOrEqual(t, sent/calls, int64(4<<20), "a few more than the 10,000 events that were asked for")
			}
		})
	}
}

// endlessTransport answers requests for a path by a body that does not end.
type endlessTransport struct {
	next        http.RoundTripper
	path        string
	head, part  string
	sent, calls *int64
}

func (e endlessTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, e.path) {
		return e.next.RoundTrip(r)
	}
	*e.calls++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: &endlessBody{e: e, rest: []byte(e.head)}}, nil
}

type endlessBody struct {
	e    endlessTransport
	rest []byte
	n    int
}

func (b *endlessBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		b.n++
		b.rest = []byte(strings.Replace(b.e.part, "%d", strconv.Itoa(b.n), 1))
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	*b.e.sent += int64(n)
	return n, nil
}

func (b *endlessBody) Close() error { return nil }

// Items that are not in order of time end their stream, clearly and at once; no event
// of it lands, and its neighbours are well.
func TestItemsOutOfOrder(t *testing.T) {
	f, streams := uniform(30)
	f.override = func(w http.ResponseWriter, r *http.Request) {
		ids := r.URL.Query()["webId"]
		switch {
		case strings.HasSuffix(r.URL.Path, "/dataservers"):
			fmt.Fprint(w, `{"Items":[{"Name":"PISRV1"}]}`)
		case len(ids) == 0 && strings.Contains(r.URL.Path, id(7)):
			fmt.Fprint(w, `{"Items":[{"Timestamp":"2026-01-31T12:02:00Z","Value":1,"Good":true},{"Timestamp":"2026-01-31T12:01:00Z",`+
				`"Value":2,"Good":true}]}`)
		case slices.Contains(ids, id(7)):
			fmt.Fprintf(w, `{"Items":[{"WebId":%q,"Name":"n","Items":[{"Timestamp":"2026-01-31T12:02:00Z","Value":1,"Good":true},`+
				`{"Timestamp":"2026-01-31T12:01:00Z","Value":2,"Good":true}]}]}`, id(7))
		default:
			f.recorded(w, r, ids)
		}
	}
	c := client(t, f, settings{})
	k := newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, f, streams)
	require.Equal(t, []int32{7}, k.failures())
	e := asError(t, k.done[7].Err)
	assert.Equal(t, piwebapi.Malformed, e.Kind)
	assert.Contains(t, e.Message, "not in order of time")
	assert.Less(t, f.all, 20)
}
