package enginetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
)

// mended: what Mend says to do about watermarks out of bounds works as it stands.
// Tags that nothing was read of lose them, and are pinned again; a tag that is
// ahead goes back to its last event. Others stay as they are.
func mended(l *lab) {
	l.standard()
	l.land(0, pin+10*second)
	bounds := batch.Bounds{Last: pin + 1000*second}
	const marks = "{checkpoints}.tag_watermarks"
	of := func(point string) string { return " WHERE pipeline = '" + l.pipeline + "' AND point_id = " + point }
	l.exec(l, "UPDATE "+marks+" SET watermark_ticks = "+num(bounds.Last+5)+of("1")+" AND batch_seq > 0")
	l.exec(l, "UPDATE "+marks+" SET watermark_ticks = "+num(bounds.Last+9)+", from_ticks = "+num(bounds.Last+7)+of("2"))
	l.exec(l, "DELETE FROM {bronze}.pi_timeseries WHERE pipeline = '"+l.pipeline+"' AND tag_webid = 'W2'")
	l.exec(l, "UPDATE "+marks+" SET watermark_ticks = -621355968000000000, from_ticks = -621355968000000000"+of("3"))

	e := l.plain()
	bad := 0
	for _, partition := range []int{0, 1} {
		st, err := e.Open(l.ctx, partition, l.run(pin+20*second))
		l.must(err)
		bad += len(bounds.Outside(st.Tags))
	}
	require.Equal(l, 3, bad)

	text := e.Mend(site, bounds, true, true)
	_, text, _ = strings.Cut(text, ":\n")
	text, last, _ := strings.Cut(text, ";\nthen run ")
	require.NotEmpty(l, last)
	for _, statement := range strings.Split(text, ";\n") {
		l.Exec(l, statement)
	}
	events := eventsOf(pin, pin+10*second)
	require.Equal(l, [][]string{{"1", num(events[len(events)-1]), num(pin)}},
		l.query(l, "SELECT point_id, watermark_ticks, from_ticks FROM "+marks+" WHERE pipeline = '"+l.pipeline+"' AND point_id IS NOT NULL AND NOT (batch_seq = 0 AND point_id = 1) ORDER BY 1"))

	owners, _, err := e.Owners(l.ctx, 0)
	l.must(err)
	require.Len(l, owners, 3)
	c := engine.Change{At: l.clock + second, Seen: l.clock}
	for _, o := range owners {
		require.Equal(l, o.PointID != 1, o.Unmarked)
		if o.Unmarked {
			c.Pins = append(c.Pins, pinOf(o.PointID, o.Partition, pin+15*second))
		}
	}
	l.must(e.Assign(l.ctx, c))
	for partition, want := range [][]batch.Tag{{{PointID: 1, Watermark: events[len(events)-1]}, {PointID: 2, Watermark: pin + 15*second}}, {{PointID: 3, Watermark: pin + 15*second}}} {
		st, err := e.Open(l.ctx, partition, l.run(pin+20*second))
		l.must(err)
		require.Len(l, st.Tags, len(want))
		for i, tag := range st.Tags {
			require.Equal(l, want[i], batch.Tag{PointID: tag.PointID, Watermark: tag.Watermark})
		}
	}

	// A whole folder of an older version that would move a watermark out of bounds goes.
	l.exec(l, "UPDATE "+marks+" SET watermark_ticks = "+num(-10*second)+of("3"))
	_, folder := l.attempt("P", 1, l.run(pin+20*second), 1, nil).open()
	l.reopen()
	l.must(l.plain().Recover(l.ctx, 1))
	require.NoDirExists(l, folder.Dir)
	require.Zero(l, l.count(l, "SELECT CAST(count(*) AS STRING) FROM "+marks+of("3")+" AND batch_seq > 0"))
}
