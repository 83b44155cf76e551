package simulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
)

// What a real server refuses is refused, with bodies of its kind.
func TestStrictness(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 2, Tags: 20, Clock: clock(noon)})
	other := simulator.New(simulator.Options{Seed: 3, Tags: 20, Clock: clock(noon)})
	id, server := s.Oracle().Tags()[0].WebID, serverID(t, s)
	stranger := other.Oracle().Tags()[0].WebID
	for _, c := range []struct {
		status       int
		says         string
		method, path string
	}{
		{404, `{"Message":"No HTTP resource was found`, "GET", "/nothing"},
		{404, `{"Message":"No HTTP resource was found`, "GET", "/streams/" + id},
		{404, `{"Message":"No HTTP resource was found`, "GET", "/streamsets/" + id + "/recorded"},
		{400, `{"Errors":["Unknown or invalid WebID format: 'x'"]}`, "GET", "/streams/x/recorded"},
		{400, `Unknown or invalid WebID format`, "GET", "/points/F1DPxx"},
		{400, `Unknown or invalid WebID format`, "GET", "/points/F2" + id[2:]},
		{400, `Unknown or invalid WebID format`, "GET", "/points/I" + id[1:]},
		{400, `Unknown or invalid WebID format`, "GET", "/points/" + id[:33] + "!"},
		{400, `Unknown or invalid WebID format`, "GET", "/points/" + server},
		{400, `Unknown or invalid WebID format`, "GET", "/dataservers/" + id},
		{404, `was not found`, "GET", "/points/" + stranger},
		{404, `was not found`, "GET", "/dataservers/" + serverID(t, other) + "/points"},
		{404, `PI Point not found '21'.`, "GET", "/points/" + s.Oracle().WebID(20, simulator.IDOnly)},
		{404, `PI Point not found 'NOPE'.`, "GET", "/points?path=\\\\PISRV1\\NOPE"},
		{404, `PI Data Archive not found`, "GET", "/points?path=\\\\OTHER\\NOPE"},
		{400, `is not the path of a PI Point`, "GET", "/points?path=NOPE"},
		{400, `The parameter 'path' is required.`, "GET", "/points"},
		{400, `is required`, "GET", "/points/multiple"},
		{404, `PI Data Archive not found`, "GET", "/dataservers?name=OTHER"},
		{404, `PI Data Archive not found`, "GET", "/dataservers?path=\\\\PIServers[OTHER]"},
		{400, `'startIndex' is not a valid integer`, "GET", "/dataservers/" + server + "/points?startIndex=x"},
		{400, `'maxCount' may not be negative`, "GET", "/dataservers/" + server + "/points?maxCount=-1"},
		{400, `greater than the maximum allowed (150000).`, "GET", "/dataservers/" + server + "/points?maxCount=150001"},
		{400, `'webIdType' is not valid`, "GET", "/dataservers/" + server + "/points?webIdType=Short"},
		{400, `'startTime' is not a valid PI time`, "GET", "/streams/" + id + "/recorded?startTime=yesterday%20noon"},
		{400, `'startTime' is not a valid PI time`, "GET", "/streams/" + id + "/recorded?startTime=*-1x"},
		{400, `'startTime' is not a valid PI time`, "GET", "/streams/" + id + "/recorded?startTime=2026-13-01T00:00:00Z"},
		{400, `'endTime' is not a valid PI time`, "GET", "/streams/" + id + "/recorded?endTime=*--1h"},
		{400, `'endTime' is not a valid PI time`, "GET", "/streams/" + id + "/summary?endTime=soon"},
		{400, `'time' is not a valid PI time`, "GET", "/streams/" + id + "/value?time=soon"},
		{400, `'maxCount' is not a valid integer`, "GET", "/streams/" + id + "/recorded?maxCount=1e3"},
		{400, `greater than the maximum allowed (150000).`, "GET", "/streams/" + id + "/recorded?maxCount=150001"},
		{400, `greater than the maximum allowed (150000).`, "GET", fmt.Sprintf("/streamsets/recorded?webId=%s&webId=%s&maxCount=75001", id, id)},
		{400, `'desiredUnits' may not be given for PI Points`, "GET", "/streams/" + id + "/recorded?desiredUnits=degF"},
		{400, `'desiredUnits' may not be given for PI Points`, "GET", "/streamsets/value?desiredUnits=degF&webId=" + id},
		{400, `'boundaryType' is not valid`, "GET", "/streams/" + id + "/recorded?boundaryType=Around"},
		{501, `beyond this simulator`, "GET", "/streams/" + id + "/recorded?boundaryType=Outside"},
		{501, `beyond this simulator`, "GET", "/streams/" + id + "/recorded?filterExpression='.'>1"},
		{400, `At least one 'webId' is required.`, "GET", "/streamsets/recorded"},
		{400, `Unknown or invalid WebID format: 'x'`, "GET", "/streamsets/recorded?webId=" + id + "&webId=x"},
		{400, `'summaryType' is not valid`, "GET", "/streams/" + id + "/summary?summaryType=Sum"},
		{400, `'calculationBasis' is not valid`, "GET", "/streams/" + id + "/summary?calculationBasis=Events"},
		{400, `The query string is not valid`, "GET", "/streams/" + id + "/recorded?startTime=%zz"},
		{403, `Authorization has been denied`, "GET", "/system/versions"},
		{405, `does not support http method 'DELETE'`, "DELETE", "/system"},
		{405, `does not support http method 'GET'`, "GET", "/batch"},
		{405, `does not support http method 'PUT'`, "PUT", "/streamsets/summary"},
		{405, `does not support http method 'OPTIONS'`, "OPTIONS", "/system"},
		{405, `does not support http method 'POST'`, "POST", "/dataservers"},
		{404, `was not found`, "GET", "/enumerationsets/F1MSabc/enumerationvalues"},
		{400, `Unknown or invalid WebID format`, "GET", "/enumerationsets/x"},
		{403, `Writing is disabled`, "POST", "/streams/" + id + "/value"},
		{403, `Writing is disabled`, "DELETE", "/points/" + id},
		{400, `not a valid batch`, "POST", "/batch"},
	} {
		r := ask(s, c.method, c.path, "", "X-Requested-With", "test")
		require.Equal(t, c.status, r.status, "%s %s: %s", c.method, c.path, r.body)
		require.Contains(t, string(r.body), c.says, "%s %s", c.method, c.path)
		require.Contains(t, r.header.Get("Content-Type"), "application/json")
	}
	a := ask(s, http.MethodPost, "/batch", strings.Repeat(" ", 4<<20+1), "X-Requested-With", "test")
	require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
	// Unknown parameters are none of its business, nor is the case of names.
	require.Equal(t, 200, get(s, "/STREAMS/%s/Recorded?STARTTIME=*-1h&flavour=vanilla", id).status)
}

// Whoever POSTs to a stream set writes data: it is refused, and the alarm goes off.
func TestWriteAlarm(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 20})
	id := s.Oracle().Tags()[0].WebID
	require.Equal(t, 400, ask(s, "POST", "/streamsets/recorded?webId="+id, "[]").status, "without X-Requested-With")
	require.Equal(t, 403, ask(s, "POST", "/streamsets/recorded?webId="+id, "[]", "X-Requested-With", "x").status)
	a := ask(s, "POST", "/batch", fmt.Sprintf(`{"1":{"Method":"POST","Resource":"https://h/piwebapi/streamsets/value?webId=%s"}}`, id),
		"X-Requested-With", "x")
	require.Contains(t, string(a.body), `"Status":403`)
	require.EqualValues(t, 3, s.Stats().WriteAlarms)
	get(s, "/streamsets/recorded?webId=%s", id)
	require.EqualValues(t, 3, s.Stats().WriteAlarms)
	s.ResetStats()
	require.Zero(t, s.Stats().WriteAlarms)
}
