package piwebapi_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
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
				err := client(t, f, settings{points: 60_000}).Points(t.Context(), piwebapi.DataServer{WebID: "ds"}, func([]piwebapi.Point) error { return nil })
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

// What ASP.NET says of an exception is in ExceptionMessage, and its Message says nothing.
func TestExceptionMessage(t *testing.T) {
	body := `{"Message":"An error has occurred.","ExceptionMessage":"The user does not have the privilege to read.","ExceptionType":"System.Exception","StackTrace":"at X"}`
	f := &fakeSite{override: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, body)
	}}
	_, err := client(t, f, settings{}).DataServers(t.Context())
	assert.Equal(t, piwebapi.Forbidden, asError(t, err).Kind)
	assert.ErrorContains(t, err, "does not have the privilege to read")
	assert.Equal(t, 1, f.all, "it is not tried again")
}

// A server whose lists are well and whose data never comes is given up.
func TestSilentData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSite{events: map[string][]instant.Ticks{}}
		streams := make([]piwebapi.Stream, 500)
		for i := range streams {
			id := fmt.Sprintf("F1DP%d", i)
			f.events[id] = nil
			streams[i] = piwebapi.Stream{Index: int32(i), WebID: id, Until: instant.Hour, EventsPerHour: -1}
		}
		f.fault = func(int, *http.Request, []string) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		}
		c := client(t, f, settings{timeout: 1})
		k := newCatcher(c)
		err := c.Recorded(t.Context(), streams, k)
		assert.Equal(t, piwebapi.Timeout, asError(t, err).Kind)
		assert.Less(t, f.all, 100)
		assert.Len(t, k.done, len(streams), "each stream is done, once")
	})
}
