package enginetest

import (
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// landsOnce: a batch is in bronze whole, once, under the number after the last.
func landsOnce(l *lab) {
	l.standard()
	run := l.run(pin + 10*second)
	a := l.attempt("a", 0, run, 1, nil)
	st, folder := a.open()
	require.NotEmpty(l, st.Epoch)
	require.EqualValues(l, 0, st.Last)
	require.EqualValues(l, 1, folder.Number)
	require.Len(l, st.Tags, 2)
	for _, t := range st.Tags {
		require.Equal(l, pin, t.Watermark)
	}
	before := l.observe()
	require.Empty(l, before.events)
	require.Equal(l, pin, before.current[1])
	a.publish(folder, engine.Applied)
	l.expect(map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second, 3: pin})

	// The bounds are exact to the tick: an event at 105.0000005 is after 105.
	l.land(0, pin+15*second)
	l.land(0, pin+15*second+5)
	l.land(1, pin+15*second+4)
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 15*second + 5, 2: pin + 15*second + 5, 3: pin + 15*second + 4}))
	l.must(l.history.quiet(s))
	st, err := a.Open(l.ctx, 0, run)
	l.must(err)
	require.EqualValues(l, 3, st.Last)
	require.Equal(l, pin+15*second+5, st.Tags[0].Watermark)
	l.land(0, pin+15*second+5)
	require.Equal(l, s.String(), l.observe().String(), "a run that has nothing to read changes nothing")
}

// windows: what is too much for one batch is caught up in pieces, each tag from
// where it is.
func windows(l *lab) {
	l.standard()
	a := l.attempt("a", 0, l.run(pin+4*second), 1, nil)
	a.refused = map[int64]bool{2: true}
	l.must(a.extract())
	a = l.attempt("b", 0, l.run(pin+10*second), 1, nil)
	a.window = 4 * second
	l.must(a.extract())
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 10*second, 2: pin + 10*second}))
	spans := map[span]bool{}
	for _, r := range s.rows {
		if r.point == 2 && r.number > 0 {
			spans[span{r.from, r.to, nickname(r.batch)}] = true
		}
	}
	require.Equal(l, map[span]bool{{pin, pin + 4*second, "b1"}: true, {pin + 4*second, pin + 8*second, "b2"}: true, {pin + 8*second, pin + 10*second, "b3"}: true}, spans)
}

// noEvents: a batch that read nothing moves the watermarks all the same.
func noEvents(l *lab) {
	l.standard()
	l.land(0, pin+second/2)
	s := l.observe()
	require.Empty(l, s.events)
	require.Equal(l, pin+second/2, s.current[1])
	require.Len(l, s.metrics, 1)
	l.land(0, pin+3*second)
	l.expect(map[int64]instant.Ticks{1: pin + 3*second, 2: pin + 3*second})
}

// failedTag: a tag that fails keeps its watermark, and its neighbours go on.
func failedTag(l *lab) {
	l.standard()
	run := l.run(pin + 3*second)
	a := l.attempt("a", 0, run, 1, nil)
	a.refused = map[int64]bool{2: true}
	l.must(a.extract())
	s := l.observe()
	l.must(l.history.landed(s, map[int64]instant.Ticks{1: pin + 3*second, 2: pin}))
	l.must(l.history.quiet(s))
	require.Equal(l, [][]string{{"tag 2", "no read access", run.ID, "0", num(pin), site}},
		l.query(l, "SELECT tag_name, error, run_id, CAST(partition_id AS STRING), CAST(watermark_ticks AS STRING), site FROM {monitoring}.tag_errors WHERE pipeline = '"+l.pipeline+"'"))
	last, err := a.LastAttempts(l.ctx, run.ID)
	l.must(err)
	require.Equal(l, map[int]string{0: batch.Partial}, last)

	l.land(0, pin+5*second)
	l.expect(map[int64]instant.Ticks{1: pin + 5*second, 2: pin + 5*second})
}
