package simulator_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// sound reports whether a call gets a whole answer without an error of any kind.
func sound(s http.Handler, path string) (ok bool) {
	defer func() {
		if recover() != nil { // the connection was broken off
			ok = false
		}
	}()
	a := get(s, "%s", path)
	var body map[string]json.RawMessage
	if a.status >= 400 || json.Unmarshal(a.body, &body) != nil {
		return false
	}
	_, hidden := body["WebException"]
	return !hidden
}

// Each kind of fault strikes every n-th call, and no other.
func TestFaults(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 60, Clock: clock(noon)})
	defer s.Close()
	busy := tag(t, s, lively)
	path := "/streams/" + busy.WebID + "/recorded"
	require.True(t, sound(s, path))
	for name, f := range map[string]simulator.Faults{
		"cut": {CutEvery: 3}, "exception": {WebExceptionEvery: 3}, "html": {HTMLEvery: 3}, "429": {TooManyEvery: 3},
	} {
		s.SetFaults(f)
		var got []bool
		for range 6 {
			got = append(got, sound(s, path))
		}
		require.Equal(t, []bool{true, true, false, true, true, false}, got, name)
	}
	s.SetFaults(simulator.Faults{HTMLEvery: 1})
	statuses := map[int]bool{}
	for range 4 {
		a := get(s, "%s", path)
		statuses[a.status] = true
		require.Contains(t, string(a.body), "<html>")
		require.Contains(t, a.header.Get("Content-Type"), "text/html")
	}
	require.Equal(t, map[int]bool{502: true, 503: true}, statuses)
	s.SetFaults(simulator.Faults{})
	s.Throttle(2)
	require.Equal(t, []bool{false, false, true}, []bool{sound(s, path), sound(s, path), sound(s, path)})
	s.Down(true)
	require.False(t, sound(s, path))
	s.Down(false)
	require.True(t, sound(s, path))
}

func TestFailingTags(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 60, Clock: clock(noon)})
	busy := tag(t, s, lively)
	for fault, status := range map[simulator.TagFault]int{
		simulator.FaultPermission: 500, simulator.FaultTimeout: 500, simulator.FaultNotFound: 404, simulator.FaultException: 200,
	} {
		require.NoError(t, s.FailTag(busy.Name, fault))
		a := get(s, "/streams/%s/recorded", busy.WebID)
		require.Equal(t, status, a.status)
		require.Equal(t, fault == simulator.FaultException, json.Valid(a.body) && string(a.body[:16]) == `{"WebException":`)
	}
	require.NoError(t, s.FailTag(busy.Name, simulator.NoFault))
	require.Equal(t, 200, get(s, "/streams/%s/recorded", busy.WebID).status)
	require.ErrorContains(t, s.FailTag("nope", simulator.FaultHang), `there is no tag "nope"`)
}

// A call that hangs ends when its client gives up, and when the server closes.
func TestHanging(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 60, Clock: clock(noon)})
	busy := tag(t, s, lively)
	require.NoError(t, s.FailTag(busy.Name, simulator.FaultHang))
	path := simulator.Root + "/streams/" + busy.WebID + "/recorded"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil).WithContext(ctx))
	require.Error(t, ctx.Err(), "it came back before the client gave up")

	require.NoError(t, s.FailTag(busy.Name, simulator.NoFault))
	s.SetFaults(simulator.Faults{HangEvery: 1})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}()
	select {
	case <-done:
		require.Fail(t, "it did not hang")
	case <-time.After(20 * time.Millisecond):
	}
	require.NoError(t, s.Close())
	<-done
}

func TestTagsChangeAtRunTime(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 2, Tags: 100, Clock: clock(noon)})
	oracle := s.Oracle()
	client := naive{t, s}
	before := oracle.Tags()
	window := func(index int) []simulator.Event { return oracle.Events(index, noon-2*instant.Hour, noon) }

	renamed := before[12]
	require.NoError(t, s.RenameTag(renamed.Name, "A new, \"better\" name"))
	require.NoError(t, s.RemoveTag(before[40].Name))
	require.NoError(t, s.RemoveTag(before[0].Name))
	require.Equal(t, 100, s.AddTags(5))
	require.ErrorContains(t, s.RenameTag(before[1].Name, "a NEW, \"better\" name"), "already")
	require.ErrorContains(t, s.RemoveTag(before[40].Name), "there is no tag")

	points := client.points(10)
	require.Len(t, points, 103)
	for i, tag := range oracle.Tags() {
		require.Equal(t, tag.Name, points[i].Name)
		require.Equal(t, tag.WebID, points[i].WebID)
		require.Equal(t, tag.PointID, points[i].ID)
		require.NotContains(t, []int64{1, 41}, points[i].ID)
		if tag.Index == 12 || tag.Index >= 100 {
			requireSame(t, window(tag.Index), client.recorded(points[i], noon-2*instant.Hour, noon, 100), tag.Name)
		}
	}
	// A renamed tag: its point id stays, and so do ids made of it; a path does not.
	now, found := oracle.Find(`a new, "better" name`)
	require.True(t, found)
	require.Equal(t, renamed.PointID, now.PointID)
	require.NotEqual(t, renamed.WebID, now.WebID)
	require.Equal(t, 200, get(s, "/points/%s", renamed.WebID).status)
	require.Equal(t, 200, get(s, "/points/%s", oracle.WebID(12, simulator.IDOnly)).status)
	require.Equal(t, 200, get(s, "/points/%s", oracle.WebID(12, simulator.PathOnly)).status)
	old := simulator.NewOracle(simulator.Options{Seed: 2, Tags: 100})
	require.Equal(t, 404, get(s, "/points/%s", old.WebID(12, simulator.PathOnly)).status)
	for _, kind := range []simulator.WebIDType{simulator.Full, simulator.IDOnly, simulator.PathOnly} {
		require.Equal(t, 404, get(s, "/points/%s", old.WebID(40, kind)).status)
	}
	// And back.
	require.NoError(t, s.RenameTag(now.Name, renamed.Name))
	require.Equal(t, 200, get(s, "/points/%s", old.WebID(12, simulator.PathOnly)).status)
}
