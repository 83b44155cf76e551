package task

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// A server's clock is followed where it may be right; else the Date of its answer
// is, where that may be right; else the job's start. It is never followed forwards.
func TestWhoseClockCounts(t *testing.T) {
	const settle = 30
	start := 1_767_268_800 * instant.Second
	for name, c := range map[string]struct {
		server  piwebapi.DataServer // connected unless said otherwise; times are of the start on
		off     bool
		until   instant.Ticks
		by      string
		doubted bool
	}{
		"a server that is behind":       {server: piwebapi.DataServer{ServerTime: -instant.Hour, Date: 1}, until: -instant.Hour, by: engine.ByServer},
		"a server that is ahead":        {server: piwebapi.DataServer{ServerTime: instant.Hour, Date: -1}, by: engine.ByJob},
		"almost a day behind":           {server: piwebapi.DataServer{ServerTime: 1 - instant.Day}, until: 1 - instant.Day, by: engine.ByServer},
		"a day behind":                  {server: piwebapi.DataServer{ServerTime: -instant.Day - 1, Date: -instant.Minute}, until: -instant.Minute, by: engine.ByHTTP, doubted: true},
		"a day ahead":                   {server: piwebapi.DataServer{ServerTime: instant.Day + 1, Date: -instant.Minute}, until: -instant.Minute, by: engine.ByHTTP, doubted: true},
		"year 1":                        {server: piwebapi.DataServer{ServerTime: -start - 62_135_596_800*instant.Second, Date: -start - 62_135_596_800*instant.Second}, by: engine.ByJob, doubted: true},
		"2001, by both of its clocks":   {server: piwebapi.DataServer{ServerTime: -25 * 365 * instant.Day, Date: -25 * 365 * instant.Day}, by: engine.ByJob, doubted: true},
		"2001, and no Date":             {server: piwebapi.DataServer{ServerTime: -25 * 365 * instant.Day, Date: -start}, by: engine.ByJob, doubted: true},
		"2099, by both of its clocks":   {server: piwebapi.DataServer{ServerTime: 73 * 365 * instant.Day, Date: 73 * 365 * instant.Day}, by: engine.ByJob, doubted: true},
		"not connected":                 {server: piwebapi.DataServer{ServerTime: -2 * instant.Hour, Date: -instant.Hour}, off: true, until: -instant.Hour, by: engine.ByHTTP, doubted: true},
		"not connected, a Date ahead":   {server: piwebapi.DataServer{ServerTime: -2 * instant.Hour, Date: instant.Hour}, off: true, by: engine.ByJob, doubted: true},
		"no time at all":                {server: piwebapi.DataServer{ServerTime: -start, Date: -start}, by: engine.ByJob},
		"no time, and a Date":           {server: piwebapi.DataServer{ServerTime: -start, Date: -instant.Hour}, until: -instant.Hour, by: engine.ByHTTP},
		"no time, and a Date of 2001":   {server: piwebapi.DataServer{ServerTime: -start, Date: -25 * 365 * instant.Day}, by: engine.ByJob},
		"no time, not connected either": {server: piwebapi.DataServer{ServerTime: -start, Date: -start}, off: true, by: engine.ByJob},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.ServerTime, c.server.Date, c.server.IsConnected = c.server.ServerTime+start, c.server.Date+start, !c.off
			for _, loop := range []bool{false, true} {
				a := &attempt{Env: Env{Now: func() time.Time { return start.Time() },
					Params: manifest.Parameters{UntilMillis: int64(start / instant.Millisecond), Settle: settle}}}
				if loop {
					a.Params.Task, a.Params.Every, a.Params.UntilMillis = manifest.TaskExtract, 5, 0 // the job began in 1970
				}
				m, err := a.moment(c.server)
				require.NoError(t, err)
				require.Equal(t, start+c.until-settle*instant.Second, m.until)
				require.Equal(t, c.by, m.by)
				require.Equal(t, c.doubted, m.doubt != "", m.doubt)
				if c.doubted {
					require.Contains(t, m.note("plant-a"), "the clock of site plant-a is not believed: ")
				}
			}

			// A repair, long after: the job's start is still what it was.
			late := &attempt{Env: Env{Now: func() time.Time { return (start + 400*instant.Day).Time() },
				Params: manifest.Parameters{UntilMillis: int64(start / instant.Millisecond)}}}
			m, err := late.moment(c.server)
			require.NoError(t, err)
			require.LessOrEqual(t, m.until, start)
			require.Greater(t, m.until, start-instant.Day)
		})
	}
}

// What a person names is used as it is, but no watermark is put before 1970, nor a
// day after now without being told.
func TestAnInstantOutOfBoundsIsRefused(t *testing.T) {
	now := 1_767_268_800 * instant.Second
	a := &attempt{Env: Env{Now: func() time.Time { return now.Time() }}}
	for text, ok := range map[string]bool{"2099-01-01T00:00:00Z": true, "1970-01-01T00:00:00Z": true, "1969-12-31T23:59:59Z": false,
		"0001-01-01T00:00:00Z": false} {
		a.Params.Until = text
		m, err := a.moment(piwebapi.DataServer{ServerTime: 5, IsConnected: false})
		require.Equal(t, ok, err == nil, text)
		require.Empty(t, m.doubt, "nobody asked for the server's clock")
		if !ok {
			require.ErrorContains(t, err, "which is not between 1970-01-01T00:00:00Z and ")
		}
	}
	a.Params.Until = ""
	for ms, ok := range map[int64]bool{int64((now + instant.Hour) / instant.Millisecond): true,
		int64((now + 2*instant.Day) / instant.Millisecond): false} {
		a.Params.UntilMillis = ms
		_, err := a.moment(piwebapi.DataServer{})
		require.Equal(t, ok, err == nil)
	}
}

func TestAPinIsNeverBefore1970(t *testing.T) {
	a := assign([]wanted{row(0, "x", 0)}, nil, listed(point(1, "X")), "plan", until+instant.Hour)
	require.Zero(t, a.change.Pins[0].At)
}

// A tag whose watermarks somebody deleted is pinned again, and keeps its owner.
func TestAssignPinsATagWithoutAWatermark(t *testing.T) {
	manifests, points := []wanted{row(1, "x", 0), row(2, "y", 1)}, listed(point(1, "x"), point(2, "y"))
	owners := owned(nil, assign(manifests, nil, points, "plan", backfill).change)
	owners[1].Unmarked = true
	again := assign(manifests, owners, points, "plan", backfill)
	require.Empty(t, again.change.Open)
	require.Empty(t, again.change.Close)
	require.Len(t, again.change.Pins, 1)
	require.Equal(t, int64(2), again.change.Pins[0].Key.PointID)
	require.Equal(t, until-backfill-1, again.change.Pins[0].At)
}
