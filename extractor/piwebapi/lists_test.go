package piwebapi_test

import (
	"errors"
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
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Sat, 31 Jan 2026 12:00:00 GMT")
		fmt.Fprint(w, body)
	}
}

func TestDataServer(t *testing.T) {
	two := `{"Links":{},"Items":[{"WebId":"w1","Name":"PISRV1","IsConnected":true,"ServerTime":"2026-01-31T13:00:00.1234567Z"},` +
		`{"WebId":"w2","Name":"pi two"}]}`
	c := client(t, &fakeSite{override: text(two)}, settings{})

	ds, err := c.DataServer(t.Context(), "PI TWO")
	require.NoError(t, err)
	assert.Equal(t, piwebapi.DataServer{WebID: "w2", Name: "pi two", IsConnected: true, Date: epoch}, ds)
	ds, err = c.DataServer(t.Context(), "PISRV1")
	require.NoError(t, err)
	assert.Equal(t, epoch+instant.Hour+1234567, ds.ServerTime)
	assert.True(t, ds.IsConnected)

	for _, name := range []string{"", "other"} {
		_, err = c.DataServer(t.Context(), name)
		e := asError(t, err)
		assert.Equal(t, piwebapi.NotFound, e.Kind)
		assert.Contains(t, e.Error(), `"PISRV1", "pi two"`)
		assert.Contains(t, e.Error(), "\nhint: ")
	}
	_, err = client(t, &fakeSite{override: text(`{"Items":[]}`)}, settings{}).DataServer(t.Context(), "")
	assert.ErrorContains(t, err, "no data server")
}

// Servers that give less than was asked, the same for ever, or refuse large pages.
func TestPointsOfStrangeServers(t *testing.T) {
	const total = 2500
	page := func(start, n int) string {
		var items []string
		for i := start; i < min(total, start+n); i++ {
			items = append(items, fmt.Sprintf(`{"WebId":"w%d","Id":%d,"Name":"t%d"}`, i, i+1, i))
		}
		return `{"Links":{},"Items":[` + strings.Join(items, ",") + `]}`
	}
	number := func(r *http.Request, name string) int {
		n, err := strconv.Atoi(r.URL.Query().Get(name))
		require.NoError(t, err)
		return n
	}
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		want    int
		problem string
	}{
		"caps pages silently": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, page(number(r, "startIndex"), min(1000, number(r, "maxCount"))))
		}, total, ""},
		"refuses large pages": {func(w http.ResponseWriter, r *http.Request) {
			if number(r, "maxCount") > 700 {
				refuse(400, "maxCount is greater than the maximum allowed (700).")(w, r)
				return
			}
			fmt.Fprint(w, page(number(r, "startIndex"), number(r, "maxCount")))
		}, total, ""},
		"hides some of each page": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, page(number(r, "startIndex"), 10+number(r, "startIndex")%7))
		}, total, ""},
		"repeats itself": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page(0, 1000)) }, 1000, "repeats itself"},
		"an exception":   {text(`{"WebException":{"Errors":["[-10401] No Read Access"],"StatusCode":500}}`), 0, "No Read Access"},
		"a sign-in page": {html(200), 0, "not PI Web API"},
		"cut off":        {text(`{"Items":[{"WebId":"w1"`), 0, "truncated"},
		"another shape":  {text(`{"Items":{"a":1}}`), 0, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := client(t, &fakeSite{override: c.answer}, settings{})
				seen := map[int64]bool{}
				err := cl.Points(t.Context(), piwebapi.DataServer{WebID: "ds"}, func(points []piwebapi.Point) error {
					for _, p := range points {
						assert.False(t, seen[p.ID], "twice")
						seen[p.ID] = true
					}
					return nil
				})
				assert.Len(t, seen, c.want)
				if c.problem == "" {
					assert.NoError(t, err)
				} else {
					assert.ErrorContains(t, err, c.problem)
					_ = asError(t, err) // is one of the package's own
				}
			})
		})
	}
	t.Run("the caller has enough", func(t *testing.T) {
		enough := errors.New("enough")
		cl := client(t, &fakeSite{override: text(page(0, 10))}, settings{})
		assert.Equal(t, enough, cl.Points(t.Context(), piwebapi.DataServer{}, func([]piwebapi.Point) error { return enough }))
	})
}

// An older server has no /points/multiple; a link to values may lead elsewhere.
func TestOlderServer(t *testing.T) {
	var asked []string
	f := &fakeSite{override: func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host+r.URL.Path)
		switch r.URL.Path {
		case "/piwebapi/points":
			if path := r.URL.Query().Get("path"); path == `\\PISRV1\Straße, "1"` {
				fmt.Fprint(w, `{"WebId":"w1","Id":1,"Name":"Straße, \"1\""}`)
				return
			}
			refuse(404, "PI Point not found")(w, r)
		case "/piwebapi/dataservers/ds/enumerationsets":
			fmt.Fprint(w, `{"Items":[{"WebId":"e1","Name":"Modes","Links":{"Values":"https://inside.example/piwebapi/enumerationsets/e1/stolen"}}]}`)
		case "/piwebapi/enumerationsets/e1/enumerationvalues":
			fmt.Fprint(w, `{"Items":[{"Name":"Off","Value":0},{"Name":"On","Value":1}]}`)
		default:
			refuse(404, "No HTTP resource was found")(w, r)
		}
	}}
	c := client(t, f, settings{})
	ds := piwebapi.DataServer{WebID: "ds", Name: "PISRV1"}
	found, err := c.Lookup(t.Context(), ds, []piwebapi.Wanted{{Name: `Straße, "1"`}, {Name: "gone"}})
	require.NoError(t, err)
	assert.Equal(t, []piwebapi.Point{{WebID: "w1", ID: 1, Name: `Straße, "1"`}}, found)

	sets, err := c.DigitalSets(t.Context(), ds)
	require.NoError(t, err)
	assert.Equal(t, map[string][]piwebapi.State{"Modes": {{Name: "Off", Value: 0}, {Name: "On", Value: 1}}}, sets)
	for _, a := range asked {
		assert.Regexp(t, "^pi.example/piwebapi/", a)
	}
}

// A single request is tried again by the policy, and no more often.
func TestRetriesOfOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		kind     piwebapi.Kind
		requests int
	}{
		"proxy's 503":    {html(503), piwebapi.Server, 4},
		"exception":      {text(`{"WebException":{"Errors":["x"],"StatusCode":503}}`), piwebapi.Server, 4},
		"cut off":        {text(`{"Prod`), piwebapi.Truncated, 4},
		"wrong password": {refuse(401, "no"), piwebapi.Unauthorized, 1},
		"not there":      {refuse(404, "no"), piwebapi.NotFound, 1},
		"not PI":         {html(200), piwebapi.NotJSON, 1},
		"no answer":      {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, piwebapi.Timeout, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeSite{override: c.answer}
				_, err := client(t, f, settings{attempts: 4}).DataServers(t.Context())
				assert.Equal(t, c.kind, asError(t, err).Kind)
				assert.Equal(t, c.requests, f.all)
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := piwebapi.New(piwebapi.Options{Site: manifest.Site{URL: "pi.example"}, Transport: &fakeSite{}})
	assert.ErrorContains(t, err, "URL")
	_, err = piwebapi.New(piwebapi.Options{Site: manifest.Site{URL: "https://pi.example"}})
	assert.ErrorContains(t, err, "transport")
}
