package enginetest

import (
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// moves: a tag is PI's point: one that gets a partition of another tier, and
// comes back under another name and WebID, goes on where it was.
func moves(l *lab) {
	l.standard()
	l.land(0, pin+10*second)
	bulk := owner(2, 8)
	bulk.Tier = "bulk"
	l.must(l.discover("D2", nil).assign(bulk))
	l.land(8, pin+20*second)
	o := owner(2, 0)
	o.WebID, o.Name = "another kind of WebID", "another 'name'"
	l.must(l.discover("D3", nil).assign(o))
	l.land(0, pin+30*second)
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 30*second, 2: pin + 30*second, 3: pin}))
	l.must(l.history.quiet(s))
	e := l.plain()
	l.must(e.Compact(l.ctx))
	partitions, err := e.Unfinished(l.ctx)
	l.must(err)
	require.Empty(l, partitions, "all is done, fences too")
	require.Equal(l, [][]string{{"bronze", "W2", "tag 2", "20"}, {"bronze", o.WebID, o.Name, "10"}, {"current", o.WebID, o.Name, num(pin + 30*second)}}, l.query(l,
		"SELECT 'bronze' AS place, tag_webid AS web, tag_name, CAST(count(*) AS STRING) FROM {bronze}.pi_timeseries WHERE pipeline = '"+l.pipeline+"' AND tag_webid <> 'W1' GROUP BY tag_webid, tag_name "+
			"UNION ALL SELECT 'current', tag_webid, tag_name, CAST(watermark_ticks AS STRING) FROM {checkpoints}.current_watermarks WHERE pipeline = '"+l.pipeline+"' AND point_id = 2 ORDER BY place, web"))
}

// assignedThen: a run goes by the assignment that it was recorded with, and
// history is never re-attributed.
func assignedThen(l *lab) {
	l.standard()
	then, e := l.run(pin+5*second), l.plain()
	former, err := e.Former(l.ctx, site)
	l.must(err)
	require.Empty(l, former)
	l.must(l.discover("D2", nil).assign(owner(4, 1)))
	now := l.run(pin + 5*second)
	points := func(run engine.Run) (out []int64) {
		st, err := e.Open(l.ctx, 1, run)
		l.must(err)
		for _, t := range st.Tags {
			out = append(out, t.PointID)
		}
		return out
	}
	require.Equal(l, []int64{3}, points(then))
	require.Equal(l, []int64{3, 4}, points(now))
	l.must(l.discover("D3", nil).assign(owner(2, 1)))
	former, err = e.Former(l.ctx, site)
	l.must(err)
	require.Equal(l, []engine.Owner{{Site: site, PointID: 2, Name: "tag 2"}}, former)
	at := func(when instant.Ticks) map[int64]int {
		owners, changed, err := e.Owners(l.ctx, when)
		l.must(err)
		require.Equal(l, l.clock, changed)
		out := map[int64]int{}
		for _, o := range owners {
			out[o.PointID] = o.Partition
		}
		return out
	}
	require.Equal(l, map[int64]int{1: 0, 2: 0, 3: 1}, at(then.Assigned))
	require.Equal(l, map[int64]int{1: 0, 2: 0, 3: 1, 4: 1}, at(now.Assigned))
	require.Equal(l, map[int64]int{1: 0, 2: 1, 3: 1, 4: 1}, at(l.clock))
	require.Equal(l, at(l.clock), at(0))
}

// pinned: of two pins the earlier wins, and none counts beside a watermark.
func pinned(l *lab) {
	l.standard()
	e := l.plain()
	pins := func(pins ...engine.Pin) {
		_, seen, err := e.Owners(l.ctx, 0)
		l.must(err)
		l.must(e.Assign(l.ctx, engine.Change{At: seen + second, Seen: seen, Pins: pins}))
	}
	mark := func(partition int) instant.Ticks {
		st, err := e.Open(l.ctx, partition, l.run(0))
		l.must(err)
		require.Equal(l, st.Tags[0].Watermark, l.observe().current[st.Tags[0].PointID])
		return st.Tags[0].Watermark
	}
	pins(pinOf(1, 0, pin+50*second), pinOf(3, 1, pin-7*second))
	require.Equal(l, pin, mark(0))
	require.Equal(l, pin-7*second, mark(1))
	l.land(0, pin+4*second)
	l.observe()
	pins(pinOf(1, 0, pin-50*second), pinOf(1, 0, pin+50*second))
	require.Equal(l, pin+4*second, mark(0))
	l.must(e.Compact(l.ctx))
	require.Equal(l, pin+4*second, mark(0))
	require.Equal(l, pin-7*second, mark(1))
}

// raced: an assignment that was made from an older one changes nothing.
func raced(l *lab) {
	l.standard()
	e := l.plain()
	_, seen, err := e.Owners(l.ctx, 0)
	l.must(err)
	l.must(l.discover("D2", nil).assign(owner(2, 1)))
	before, changed, err := e.Owners(l.ctx, 0)
	l.must(err)
	late := engine.Change{At: changed + second, Seen: seen, Close: []engine.Key{key(1)}, Open: []engine.Owner{owner(1, 5), owner(9, 0)}, Pins: []engine.Pin{pinOf(9, 0, pin)}}
	require.ErrorIs(l, e.Assign(l.ctx, late), engine.ErrRaced)
	owners, again, err := e.Owners(l.ctx, 0)
	l.must(err)
	require.Equal(l, before, owners)
	require.Equal(l, changed, again)

	// The one that is made anew goes through; the same one once more changes
	// nothing, and an engine may or may not know it again.
	late.Seen = changed
	l.name(owner(9, 0))
	l.must(e.Fence(l.ctx, 0, engine.Run{ID: "late", Assigned: late.At}))
	l.must(e.Assign(l.ctx, late))
	if err := e.Assign(l.ctx, late); err != nil {
		require.ErrorIs(l, err, engine.ErrRaced)
	}
	owners, _, err = e.Owners(l.ctx, 0)
	l.must(err)
	require.Len(l, owners, 4)
}

// recordedOnce: what a run reads is recorded once, for every task, attempt and
// repair of it.
func recordedOnce(l *lab) {
	e := l.plain()
	r := engine.Run{ID: "7", Site: site, Tier: "standard", Until: 5, Assigned: 50, LastPointID: 3, Skew: -2, PlanID: "x", NewPoints: 37, UntilBy: engine.ByHTTP, Doubt: "it's 0001", Unresolved: 2}
	far := engine.Run{ID: "7", Site: "plant-b", Tier: "standard", Until: 4, Assigned: 50, PlanID: "x", NewPoints: -1}
	l.must(e.RecordRuns(l.ctx, []engine.Run{r}))
	again := r
	again.Until, again.Assigned = 6, 60
	l.must(e.RecordRuns(l.ctx, []engine.Run{again, far}))
	got, err := e.Runs(l.ctx, "7")
	l.must(err)
	require.Equal(l, []engine.Run{r, far}, got)
	later := r
	later.ID, later.Assigned = "8", 70
	l.must(e.RecordRuns(l.ctx, []engine.Run{later}))
	got, err = e.Runs(l.ctx, "")
	l.must(err)
	require.Equal(l, []engine.Run{later, far}, got)
	got, err = e.Runs(l.ctx, "9")
	l.must(err)
	require.Empty(l, got)

	never := func(partition int, name string) engine.TagError {
		return engine.TagError{RunID: "7", Partition: partition, Site: site, Name: name, Error: "there is no '" + name + "'"}
	}
	other := never(4, "z")
	other.PointID, other.WebID, other.Watermark = 5, "W5", 9
	l.must(e.RecordTagErrors(l.ctx, []engine.TagError{never(4, "b"), never(4, "a"), never(4, "b"), never(5, "c"), other}))
	lost, err := e.Unresolved(l.ctx, "7", 4)
	l.must(err)
	require.Equal(l, []engine.TagError{never(4, "a"), never(4, "b")}, lost)
	lost, err = e.Unresolved(l.ctx, "8", 4)
	l.must(err)
	require.Empty(l, lost)
}

// described: metadata.tags becomes what the sites that were reached say.
func described(l *lab) {
	e := l.plain()
	tag := func(point int64, of string) engine.Tag {
		return engine.Tag{PointID: point, WebID: "W", Name: "it's \\ \"x\"", Site: of, PointType: "Digital", DigitalSet: "S", DigitalStates: `{"0":"Off"}`}
	}
	renamed := tag(2, site)
	renamed.Name, renamed.Future = "new", true
	for i, c := range []engine.Change{
		{Sites: []string{site, "plant-b"}, Tags: []engine.Tag{tag(1, site), tag(2, site), tag(1, "plant-b")}},
		{Sites: []string{site}, Tags: []engine.Tag{renamed}},
	} {
		c.At = instant.Ticks(i+1) * second
		l.must(e.Assign(l.ctx, c))
	}
	require.Equal(l, [][]string{
		{site, "1", tag(1, site).Name, `{"0":"Off"}`, "", "false", "true"},
		{site, "2", "new", `{"0":"Off"}`, "", "true", "false"},
		{"plant-b", "1", tag(1, site).Name, `{"0":"Off"}`, "", "false", "false"},
	}, l.query(l, "SELECT site, CAST(point_id AS STRING), tag_name, digital_states, descriptor, CAST(future AS STRING), CAST(removed_at IS NOT NULL AS STRING) FROM {metadata}.tags WHERE pipeline = '"+
		l.pipeline+"' ORDER BY site, point_id"))
}
