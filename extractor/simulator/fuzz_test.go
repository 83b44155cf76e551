package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
)

// maxAnswered is more than any answer of a server with a few tags takes, in bytes.
const maxAnswered = 32 << 20

// fuzzedServers are two servers: as one is by default, and with what may be read
// otherwise turned on.
func fuzzedServers() []*simulator.Server {
	o := simulator.Options{Tags: 6, Seed: 20261123, Clock: clock(noon), MaxItemsPerCall: 500}
	odd := o
	odd.Quirks = []simulator.Quirk{simulator.RequestTemplates, simulator.BatchMultiStatus, simulator.BatchCap, simulator.OddNames,
		simulator.ExceptionMessages}
	return []*simulator.Server{simulator.New(o), simulator.New(odd)}
}

// answered wants an answer that is whole.
func answered(t *testing.T, w *httptest.ResponseRecorder) {
	require.True(t, w.Code >= 200 && w.Code < 600, w.Code)
	require.Less(t, w.Body.Len(), maxAnswered)
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && w.Body.Len() > 0 {
		require.True(t, json.Valid(w.Body.Bytes()), "%s", w.Body)
	}
}

// FuzzBatch: whatever is posted as a batch, an answer comes.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"1":{"Method":"GET","Resource":"https://x/piwebapi/dataservers"}}`,
		`{"1":{"Method":"GET","Resource":"https://x/piwebapi/dataservers"},"2":{"Method":"GET","Resource":"{0}",` +
			`"Parameters":["$.1.Content.Items[0].Links.Points"],"ParentIds":["1"]}}`,
		`{"a":{"Method":"GET","Resource":"https://x/piwebapi/dataservers"},"b":{"Method":"GET",` +
			`"RequestTemplate":{"Resource":"{0}?maxCount=3"},"Parameters":["$.a.Content.Items[*].Links.Points"],"ParentIds":["a"]},` +
			`"c":{"Method":"GET","RequestTemplate":{"Resource":"https://x/piwebapi/streams/{0}/recorded?startTime=*-1h"},` +
			`"Parameters":["$.b.Content.Items[*].Content.Items[*].WebId"],"ParentIds":["b"]}}`,
		`{"1":{"ParentIds":["1"],"Resource":"x"}}`, `{"1":{"Method":"POST","Resource":"https://x/piwebapi/batch"}}`,
		`{"1":{"Resource":"{0}{1}{99999999999}","Parameters":["$"]}}`, `{}`, `[]`, ``,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	servers := fuzzedServers()
	f.Fuzz(func(t *testing.T, body []byte, odd bool) {
		server := servers[0]
		if odd {
			server = servers[1]
		}
		r := httptest.NewRequest(http.MethodPost, simulator.Root+"/batch", strings.NewReader(string(body)))
		r.Header.Set("X-Requested-With", "XMLHttpRequest")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		answered(t, w)
	})
}

// FuzzRequest: whatever a path and a query ask for, an answer comes.
func FuzzRequest(f *testing.F) {
	for _, server := range fuzzedServers()[:1] {
		id := server.Oracle().WebID(1, simulator.Full)
		for _, seed := range [][2]string{
			{"", ""}, {"/", ""}, {"/system", ""}, {"/dataservers", "selectedFields=Items.WebId;Items.Name"}, {"/dataservers/x/points", "startIndex=-1&maxCount=99999999999999999999"},
			{"/dataservers/" + server.Oracle().WebID(0, simulator.IDOnly) + "/enumerationsets", ""},
			{"/points", `path=\\PISRV1\SINUSOID`}, {"/points/multiple", "webId=" + id + "&webId=x&path="}, {"/points/" + id, "selectedFields=;;Items..X"},
			{"/streams/" + id + "/recorded", "startTime=*-1h&endTime=*&maxCount=5&boundaryType=Outside"}, {"/streams/" + id + "/recorded", "startTime=0001-01-01&endTime=9999-12-31T23:59:59.9999999Z"},
			{"/streamsets/recorded", "webId=" + id + "&startTime=*&endTime=*-9999999y&maxCount=0"}, {"/streamsets/recorded", "webId=" + id + "&startTime=y%2B8h&endTime=t-1d%2B3h"},
			{"/streamsets/summary", "webId=" + id + "&startTime=*-1h&summaryType=Count&summaryType=x&calculationBasis=EventWeighted&summaryDuration=1s"},
			{"/streams/" + id + "/summary", "startTime=*-99999mo"}, {"/streams/" + id + "/plot", "intervals=-5"}, {"/%zz/%2f", "%zz=%&=&&;"},
		} {
			f.Add(seed[0], seed[1], false)
			f.Add(seed[0], seed[1], true)
		}
	}
	servers := fuzzedServers()
	f.Fuzz(func(t *testing.T, path, query string, odd bool) {
		server := servers[0]
		if odd {
			server = servers[1]
		}
		r := httptest.NewRequest(http.MethodGet, simulator.Root, nil)
		r.URL = &url.URL{Path: simulator.Root + path, RawQuery: query}
		r.RequestURI = r.URL.RequestURI()
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		answered(t, w)
	})
}
