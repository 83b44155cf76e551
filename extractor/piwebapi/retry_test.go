package piwebapi_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Every request that failed and was sent again counts, and is told of as it
// happens, with the try that comes next; so is that the site works again.
func TestRetriesAreCountedAndTold(t *testing.T) {
	server := simulator.New(simulator.Options{Seed: 7, Tags: 60, MaxItemsPerCall: 500,
		Clock:  func() instant.Ticks { return epoch + 2*instant.Hour },
		Faults: simulator.Faults{HTMLEvery: 5, TooManyEvery: 7}})
	address, err := server.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	site := manifest.Site{Name: "plant-a", URL: address, Auth: manifest.Auth{Kind: "anonymous"},
		Retry: manifest.Retry{Attempts: 4, BackoffSeconds: 0.001, TimeoutSeconds: 10}}
	transport, err := auth.NewTransport(site, auth.Folder(""), func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	var mu sync.Mutex
	var told []piwebapi.Retry
	c, err := piwebapi.New(piwebapi.Options{Site: site, Limits: manifest.Limits{Connections: 3, ItemsPerCall: 500}, Transport: transport,
		Retrying: func(r piwebapi.Retry) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, r)
		}})
	require.NoError(t, err)
	defer c.Close()

	streams := streamsOf(server.Oracle(), simulator.Full)
	k := newTable(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, server.Oracle(), streams)
	_, err = c.DataServers(t.Context())
	require.NoError(t, err)

	stats := server.Stats()
	failed := stats.ByStatus[502] + stats.ByStatus[503] + stats.ByStatus[429]
	require.Greater(t, failed, int64(5))
	require.Equal(t, failed, c.Retries())
	require.Equal(t, stats.Requests, c.Requests())
	var again, counted int64
	for _, r := range told {
		require.Equal(t, "plant-a", r.Site)
		switch r.State {
		case "":
		case "429":
			require.Zero(t, r.Of, "no policy counts them")
			again++
		case "502", "503":
			if r.Of != 0 { // 0: a call that met the fault four times in a row goes on in parts
				require.Equal(t, 4, r.Of)
				require.GreaterOrEqual(t, r.Attempt, 2)
				require.LessOrEqual(t, r.Attempt, 4)
				counted++
			}
			again++
		default:
			t.Errorf("unexpected state %q", r.State)
		}
	}
	require.Equal(t, failed, again)
	require.Positive(t, counted)
	require.Empty(t, told[0].State, "the first answer of all")
	require.Empty(t, told[len(told)-1].State, "it works again")
}

// A person reads of a site's trouble once, of each change, and of its end.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n piwebapi.Notices
		down := piwebapi.Retry{Site: "plant-a", State: "503", Attempt: 2, Of: 4, Wait: 8 * time.Second}
		require.Empty(t, n.Line(piwebapi.Retry{Site: "plant-a"}), "a first answer is no news")
		require.Equal(t, "plant-a: 503, attempt 2 of 4, next in 8 s", n.Line(down))
		down.Attempt = 3
		require.Empty(t, n.Line(down), "the same state")
		require.Equal(t, []string{"plant-a (503)"}, n.Troubled())
		require.Equal(t, "plant-a: timeout, next attempt with less at once", n.Line(piwebapi.Retry{Site: "plant-a", State: "timeout"}))
		require.Equal(t, "b: 429, next attempt in 0.5 s", n.Line(piwebapi.Retry{Site: "b", State: "429", Wait: 500 * time.Millisecond}),
			"each site by itself")
		require.Equal(t, "plant-a: works again", n.Line(piwebapi.Retry{Site: "plant-a"}))
		require.Empty(t, n.Line(piwebapi.Retry{Site: "plant-a"}))
		require.Empty(t, n.Line(down), "a state that comes and goes")
		require.Equal(t, []string{"b (429)", "plant-a (503)"}, n.Troubled())
		require.Empty(t, n.Line(piwebapi.Retry{Site: "plant-a"}), "what was not said does not end")
		time.Sleep(2 * time.Minute)
		require.Equal(t, "plant-a: 503, attempt 3 of 4, next in 8 s", n.Line(down))
	})
}
