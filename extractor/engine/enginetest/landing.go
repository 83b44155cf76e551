package enginetest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// landsOnce: a batch is in bronze whole, once, under the number after the last;
// one that read nothing moves the watermarks all the same.
func landsOnce(l *lab) {
	l.standard()
	l.land(0, pin+second/2)
	empty := l.observe()
	require.Empty(l, empty.events)
	require.Equal(l, pin+second/2, empty.current[1])
	require.Len(l, empty.metrics, 1)

	// The bounds are exact to the tick: the event at 115.0000005 is the last one.
	a := l.attempt("a", 0, l.run(pin+15*second+5), 1, nil)
	st, folder := a.open()
	require.NotEmpty(l, st.Epoch)
	require.EqualValues(l, 1, st.Last)
	require.EqualValues(l, 2, folder.Number)
	require.Len(l, st.Tags, 2)
	for _, t := range st.Tags {
		require.Equal(l, pin+second/2, t.Watermark)
	}
	a.publish(folder, engine.Applied)
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 15*second + 5, 2: pin + 15*second + 5, 3: pin}))
	l.must(l.history.quiet(s))
	more, err := a.turn()
	l.must(err)
	require.False(l, more, "the run is caught up")
}

// windows: a tag that fails keeps its watermark, and its neighbours go on; what
// is too much for one batch is caught up in pieces, each tag from where it is.
func windows(l *lab) {
	l.standard()
	run := l.run(pin + 4*second)
	a := l.attempt("a", 0, run, 1, nil)
	a.refused = map[int64]bool{2: true}
	l.must(a.once())
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 4*second, 2: pin}))
	l.must(l.history.quiet(s))
	require.Equal(l, [][]string{{"tag 2", "no read access", run.ID, "0", num(pin), site}},
		l.query(l, "SELECT tag_name, error, run_id, CAST(partition_id AS STRING), CAST(watermark_ticks AS STRING), site FROM {monitoring}.tag_errors WHERE pipeline = '"+l.pipeline+"'"))
	last, err := a.LastAttempts(l.ctx, run.ID)
	l.must(err)
	require.Equal(l, map[int]string{0: batch.Partial}, last)

	a = l.attempt("b", 0, l.run(pin+7*second), 1, nil)
	a.window = 4 * second
	l.must(a.extract())
	s = l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 7*second, 2: pin + 7*second}))
	spans := map[span]bool{}
	for _, r := range s.rows {
		if r.number > 0 && r.point != 0 {
			spans[span{r.from, r.to, fmt.Sprint(r.point, " ", nickname(r.batch))}] = true
		}
	}
	require.Equal(l, map[span]bool{
		{pin, pin + 4*second, "1 a1"}: true, {pin + 4*second, pin + 7*second, "1 b1"}: true,
		{pin, pin + 4*second, "2 b1"}: true, {pin + 4*second, pin + 7*second, "2 b2"}: true,
	}, spans)
}
