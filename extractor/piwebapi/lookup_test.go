package piwebapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func wantedOf(points ...piwebapi.Point) func() ([]piwebapi.Wanted, error) {
	return func() (all []piwebapi.Wanted, err error) {
		for _, p := range points {
			all = append(all, piwebapi.Wanted{WebID: p.WebID, Name: p.Name})
		}
		return all, nil
	}
}

// A server that has far more points than are wanted is asked for those alone; one
// that has not is listed.
func TestFind(t *testing.T) {
	server, c := connect(t, simulator.Options{Tags: 21_000, WebIDType: simulator.IDOnly}, manifest.Limits{Connections: 4})
	ctx := t.Context()
	ds, err := c.DataServer(ctx, "")
	require.NoError(t, err)
	var all []piwebapi.Point
	require.NoError(t, c.Points(ctx, ds, func(page []piwebapi.Point) error { all = append(all, page...); return nil }))
	find := func(s piwebapi.Selection) ([]piwebapi.Point, bool, int) {
		before, most := server.Stats().Requests, 0
		s.Progress = func(n int) { most = max(most, n) }
		points, whole, err := c.Find(ctx, ds, s)
		require.NoError(t, err)
		t.Logf("%d requests, %d points listed", server.Stats().Requests-before, most)
		return points, whole, most
	}
	renamed := all[17]
	require.NoError(t, server.RenameTag(renamed.Name, "a new name"))
	renamed.Name = "a new name"
	gone := all[19]
	require.NoError(t, server.RemoveTag(gone.Name))

	points, whole, listed := find(piwebapi.Selection{Count: 4, Wanted: wantedOf(all[3], all[17], gone, piwebapi.Point{Name: all[8].Name})})
	assert.False(t, whole)
	assert.ElementsMatch(t, []piwebapi.Point{all[3], renamed, all[8]}, points)
	assert.LessOrEqual(t, listed, 30_000)
	points, whole, _ = find(piwebapi.Selection{Count: 4, Whole: true, Wanted: wantedOf()})
	assert.True(t, whole)
	assert.Len(t, points, 20_999)
	points, whole, _ = find(piwebapi.Selection{Count: 2_100, Wanted: wantedOf()})
	assert.True(t, whole, "it has not that many more")
	assert.Len(t, points, 20_999)

	t.Log("by point source: those that are wanted beside are there, too")
	points, whole, _ = find(piwebapi.Selection{Count: 2, Whole: true, Sources: []string{"lab"}, Wanted: wantedOf(all[0], all[2])})
	assert.True(t, whole)
	assert.Len(t, points, 7_001)
	assert.Contains(t, points, all[0])
	points, _, _ = find(piwebapi.Selection{Whole: true, Sources: []string{"LAB", "opc"}, Wanted: wantedOf()})
	assert.Len(t, points, 14_000)
}

// A server that passes over a filter by source would have all its points taken for
// those of that source.
func TestAServerThatDoesNotFilterBySource(t *testing.T) {
	_, c := connect(t, simulator.Options{Tags: 30, Quirks: []simulator.Quirk{simulator.NoSourceFilter}}, manifest.Limits{Connections: 4})
	ds, err := c.DataServer(t.Context(), "")
	require.NoError(t, err)
	_, _, err = c.Find(t.Context(), ds, piwebapi.Selection{Sources: []string{"OPC"}, Wanted: wantedOf(), Progress: func(int) {}})
	require.ErrorContains(t, err, "it does not filter points by their source")
}

// What one answer lacks is asked for again by itself: a server that is not well for
// one point is not one that has no such point, and a WebID of another data server
// is not one of this.
func TestLookupTellsAbsenceFromTrouble(t *testing.T) {
	f := &fakeSite{override: func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.URL.Path == "/piwebapi/points/multiple":
			fmt.Fprint(w, `{"Items":[{"Identifier":"w1","Object":{"WebId":"w1","Id":1,"Name":"one","Path":"\\\\pisrv1\\one"}},`+
				`{"Identifier":"w2","Object":{"WebId":"w2","Id":2,"Name":"two","Path":"\\\\OTHER\\two"}},`+
				`{"Identifier":"w3","Exception":{"Errors":["PINET: Timeout on PI RPC"]}}]}`)
		case strings.HasSuffix(r.URL.Path, "/points/w3"):
			refuse(500, "PINET: Timeout on PI RPC")(w, r)
		case q.Has("path"), strings.Contains(r.URL.Path, "/points/"):
			refuse(404, "PI Point not found")(w, r)
		}
	}}
	c := client(t, f, settings{attempts: 1})
	ds := piwebapi.DataServer{WebID: "ds", Name: "PISRV1"}
	found, err := c.Lookup(t.Context(), ds, []piwebapi.Wanted{{WebID: "w1", Name: "one"}, {WebID: "w2", Name: "two"}})
	require.NoError(t, err)
	require.Equal(t, []piwebapi.Point{{WebID: "w1", ID: 1, Name: "one"}}, found)
	require.False(t, c.Incomplete())
	found, err = c.Lookup(t.Context(), ds, []piwebapi.Wanted{{WebID: "w1", Name: "one"}, {WebID: "w3", Name: "three"}})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.True(t, c.Incomplete())
	require.Contains(t, strings.Join(c.Notes(), "\n"), "PINET: Timeout on PI RPC")
}
