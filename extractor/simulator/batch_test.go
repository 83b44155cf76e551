package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
)

// part is the answer to one request of a batch.
type part struct {
	Status  int
	Headers map[string]string
	Content json.RawMessage
}

func batch(t testing.TB, s *simulator.Server, body string, args ...any) map[string]part {
	t.Helper()
	a := ask(s, "POST", "/batch", fmt.Sprintf(body, args...), "X-Requested-With", "test")
	require.Contains(t, []int{200, 207}, a.status, "%s", a.body)
	var parts map[string]part
	a.into(t, &parts)
	return parts
}

func TestBatch(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 30, Clock: clock(noon)})
	name := s.Oracle().Tags()[4].Name
	parts := batch(t, s, `{
		"server": {"Method": "GET", "Resource": "https://elsewhere/piwebapi/dataservers?name=PISRV1"},
		"points": {"Method": "GET", "Resource": "{0}?maxCount=7", "Parameters": ["$.server.Content.Links.Points"], "ParentIds": ["server"]},
		"values": {"Method": "GET", "RequestTemplate": {"Resource": "https://x/piwebapi/streams/{0}/value?selectedFields=Timestamp"},
			"Parameters": ["$.points.Content.Items[*].WebId"], "ParentIds": ["points"]},
		"second": {"Method": "GET", "Resource": "https://x/piwebapi/points/{0}", "Parameters": ["$.points.Content.Items[4]['WebId']"], "ParentIds": ["points"]},
		"bad": {"Method": "GET", "Resource": "https://x/piwebapi/points/nope"},
		"orphan": {"Method": "GET", "Resource": "https://x/piwebapi/points/{0}", "Parameters": ["$.bad.Content.WebId"], "ParentIds": ["bad", "server"]},
		"grandchild": {"Method": "GET", "Resource": "https://x/piwebapi/system", "ParentIds": ["orphan"]},
		"lost": {"Method": "GET", "Resource": "https://x/piwebapi/points/{0}", "Parameters": ["$.server.Content.Nope"], "ParentIds": ["server"]},
		"many": {"Method": "GET", "Resource": "https://x/piwebapi/points/{0}", "Parameters": ["$.points.Content.Items[*].WebId"], "ParentIds": ["points"]},
		"relative": {"Method": "GET", "Resource": "/piwebapi/system"},
		"nowhere": {"Method": "GET", "Resource": "https://x/piwebapi/nowhere"},
		"nested": {"Method": "POST", "Resource": "https://x/piwebapi/batch"}
	}`)
	status := map[string]int{}
	for id, p := range parts {
		status[id] = p.Status
	}
	require.Equal(t, map[string]int{"server": 200, "points": 200, "values": 207, "second": 200, "bad": 400, "orphan": 409, "grandchild": 409,
		"lost": 400, "many": 400, "relative": 400, "nowhere": 404, "nested": 400}, status)
	require.Contains(t, parts["server"].Headers["Content-Type"], "json")
	require.Contains(t, string(parts["second"].Content), `"Name":`+jsonString(name))
	require.Contains(t, string(parts["bad"].Content), `{"Errors":[`)
	require.Contains(t, string(parts["nowhere"].Content), `{"Message":`)
	var text string
	require.NoError(t, json.Unmarshal(parts["orphan"].Content, &text), "a bare string")
	var values struct {
		Total int
		Items []part
	}
	require.NoError(t, json.Unmarshal(parts["values"].Content, &values))
	require.Equal(t, 7, values.Total)
	require.Len(t, values.Items, 7)
	for _, item := range values.Items {
		require.Equal(t, 200, item.Status)
		require.Contains(t, string(item.Content), `{"Timestamp":"`)
	}
	require.EqualValues(t, 7, s.Stats().ByEndpoint["stream-value"])
	require.EqualValues(t, 1, s.Stats().Requests)
}

func TestBatchRefusedAsAWhole(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 3})
	for says, body := range map[string]string{
		"not a valid batch":    `[1]`,
		"unknown parent 'b'":   `{"a":{"Method":"GET","Resource":"https://x/piwebapi/","ParentIds":["b"]}}`,
		"in a circle":          `{"a":{"Resource":"https://x/","ParentIds":["b"]},"b":{"Resource":"https://x/","ParentIds":["a"]}}`,
		"either a Resource":    `{"a":{"Method":"GET"}}`,
		"or a RequestTemplate": `{"a":{"Resource":"https://x/","RequestTemplate":{"Resource":"https://x/"}}}`,
	} {
		a := ask(s, "POST", "/batch", body, "X-Requested-With", "test")
		require.Equal(t, 400, a.status, body)
		require.Contains(t, string(a.body), says)
	}
}

func TestQuirksOfBatches(t *testing.T) {
	o := simulator.Options{Tags: 3}
	header := []string{"X-Requested-With", "test"}

	on, off := pair(o, simulator.BatchMultiStatus)
	family := `{"a":{"Method":"GET","Resource":"https://x/piwebapi/nope"},"b":{"Method":"GET","Resource":"https://x/piwebapi/",` +
		`"ParentIds":["a"]}}`
	a := ask(on, "POST", "/batch", family, header...)
	require.Equal(t, 207, a.status)
	require.Contains(t, string(a.body), `"Content":"The request was not executed`)
	a = ask(off, "POST", "/batch", family, header...)
	require.Equal(t, 200, a.status)
	require.Contains(t, string(a.body), `"Content":{"Errors":["The request was not executed`)

	on, off = pair(o, simulator.RequestTemplates)
	template := `{"a":{"Method":"GET","RequestTemplate":{"Resource":"https://x/piwebapi/system"}}}`
	require.Equal(t, 207, ask(on, "POST", "/batch", template, header...).status)
	require.Equal(t, 400, ask(off, "POST", "/batch", template, header...).status)

	on, off = pair(o, simulator.BatchCap)
	var many []string
	for i := range 501 {
		many = append(many, fmt.Sprintf(`"%d":{"Method":"GET","Resource":"https://x/piwebapi/system"}`, i))
	}
	crowd := "{" + strings.Join(many, ",") + "}"
	require.Equal(t, 400, ask(on, "POST", "/batch", crowd, header...).status)
	require.Equal(t, 207, ask(off, "POST", "/batch", crowd, header...).status)
}

// A fault of a tag inside a batch is that of its part.
func TestFaultsInsideABatch(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 30, Clock: clock(noon)})
	tags := s.Oracle().Tags()
	require.NoError(t, s.FailTag(tags[0].Name, simulator.FaultException))
	require.NoError(t, s.FailTag(tags[1].Name, simulator.FaultPermission))
	request := func(i int) string {
		return jsonString("https://x/piwebapi/streams/" + url.PathEscape(tags[i].WebID) + "/value")
	}
	parts := batch(t, s, `{"0":{"Method":"GET","Resource":%s},"1":{"Method":"GET","Resource":%s},"2":{"Method":"GET","Resource":%s}}`,
		request(0), request(1), request(2))
	require.Equal(t, []int{200, 500, 200}, []int{parts["0"].Status, parts["1"].Status, parts["2"].Status})
	require.Contains(t, string(parts["0"].Content), `{"WebException":{"Errors":[`)
}
