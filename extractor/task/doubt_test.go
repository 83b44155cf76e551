package task_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// yearOne is what some servers call now until they reach their archive.
const yearOne = -62_135_596_800 * instant.Second

// runsAt makes the job of p start at noon, by this machine's clock.
func (p *plant) runsAt(at instant.Ticks) {
	p.now = func() time.Time { return at.Time() }
	p.params.Until, p.params.UntilMillis = "", int64(at/instant.Millisecond)
}

// A server whose clock is wrong moves no watermark: the run reports it, lands what
// there is up to the job's start, and the next one goes on when the server is well.
func TestAClockThatIsWrongIsNotFollowed(t *testing.T) {
	var shown atomic.Int64
	for name, wrong := range map[string]instant.Ticks{"year 1": yearOne, "2001": noon - 25*365*instant.Day, "2099": noon +
		73*365*instant.Day} {
		t.Run(name, func(t *testing.T) {
			shown.Store(int64(wrong))
			p := newPlant(t, simulator.Options{Tags: 20, ServerTime: func() instant.Ticks { return instant.Ticks(shown.Load()) }})
			p.runsAt(noon - 30*instant.Minute)
			result, err := p.run(manifest.TaskDiscover, nil)
			require.NoError(t, err)
			require.Contains(t, strings.Join(result.Notes, "\n"), "the clock of site plant-a is not believed: the PI Data Archive's clock shows "+wrong.String())
			runs, err := p.lake.Engine("plant").Runs(t.Context(), "run-1")
			require.NoError(t, err)
			require.Equal(t, noon-30*instant.Minute, runs[0].Until)
			require.Equal(t, engine.ByJob, runs[0].UntilBy)
			require.Contains(t, runs[0].Doubt, wrong.String())
			_, err = p.run(manifest.TaskExtract, nil)
			require.NoError(t, err)

			shown.Store(int64(noon))
			p.runsAt(noon)
			p.params.RunID, p.params.Backfill = "run-2", 60
			p.discover()
			_, err = p.run(manifest.TaskExtract, nil)
			require.NoError(t, err)
			for tag, mark := range p.watermarks() {
				require.Equal(t, noon, mark, tag)
			}
			first := map[string]instant.Ticks{}
			rows, err := p.lake.DB().Query(`SELECT tag_name, min(watermark_ticks) FROM checkpoints.tag_watermarks WHERE point_id IS NOT NULL ` +
				`GROUP BY ALL`)
			require.NoError(t, err)
			defer rows.Close()
			for rows.Next() {
				var tag string
				var at instant.Ticks
				require.NoError(t, rows.Scan(&tag, &at))
				first[tag] = at
			}
			for tag, at := range first {
				require.Equal(t, noon-30*instant.Minute-backfill-1, at, tag)
			}
		})
	}
}

// A continuous tier does not follow a wrong clock either, nor one that goes wrong.
func TestALoopDoesNotFollowAWrongClock(t *testing.T) {
	var shown, now atomic.Int64
	shown.Store(int64(yearOne))
	now.Store(int64(noon))
	p := newPlant(t, simulator.Options{Tags: 10, WithoutQuirks: []simulator.Quirk{simulator.OddNames},
		Clock:      func() instant.Ticks { return instant.Ticks(now.Load()) },
		ServerTime: func() instant.Ticks { return instant.Ticks(shown.Load()) }})
	p.now = func() time.Time { return instant.Ticks(now.Load()).Time() }
	c := &continuous{plant: p, ends: make(chan ending, 1)}
	params := p.params
	params.Task, params.Lead, params.Every, params.Loops, params.Layout = manifest.TaskExtract, true, 0.02, 3600, "liquid"
	params.Until, params.UntilMillis = "", time.Now().UnixMilli()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		result, err := task.Run(ctx, task.Env{Engine: p.lake.Engine("plant"), Params: params, Getenv: p.getenv, Now: p.now})
		c.ends <- ending{result, err}
	}()
	land := func(at instant.Ticks) {
		now.Store(int64(at))
		c.clock.Store(int64(at))
		c.landedUpTo(at, 10)
	}
	land(noon)
	shown.Store(int64(noon + instant.Minute))
	land(noon + instant.Minute)
	shown.Store(int64(noon - 25*365*instant.Day))
	land(noon + 2*instant.Minute)
	stop := errors.New("stop")
	cancel(stop)
	require.ErrorIs(t, (<-c.ends).err, stop)
	p.compare()
}

// Watermarks that an older version put into year 0, or into the future, stop the
// partition with what to do about them; after that everything is landed once.
func TestAPoisonedPipelineIsMended(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 20, WithoutQuirks: []simulator.Quirk{simulator.OddNames}})
	p.runsAt(noon - 30*instant.Minute)
	p.params.Backfill = 1800 // from noon - backfill on
	p.discover()
	exec := func(statement string) {
		_, err := p.lake.DB().Exec(statement)
		require.NoError(t, err, statement)
	}
	p.params.Task = manifest.TaskExtract
	exec("UPDATE checkpoints.tag_watermarks SET watermark_ticks = -621672192000000000, from_ticks = -621672192000000000 WHERE point_id <= 12")
	_, err := p.run(manifest.TaskExtract, nil)
	var poisoned *engine.OutOfBounds
	require.ErrorAs(t, err, &poisoned)
	require.ErrorIs(t, err, task.ErrFailed)
	require.Len(t, poisoned.Tags, 12)
	require.ErrorContains(t, err, `partition 0 of site "plant-a": the watermarks of 12 of its tags are not between `+
		`1970-01-01T00:00:00Z and 2026-01-02T11:30:00Z: `)
	require.ErrorContains(t, err, `at 0000-01-01T00:00:00Z, `)
	require.ErrorContains(t, err, " and 2 more\n")
	mend := func(text string) {
		_, text, _ = strings.Cut(text, ":\n")
		text, _, found := strings.Cut(text, ";\nthen run again")
		require.True(t, found)
		for _, statement := range strings.Split(text, ";\n") {
			exec(statement)
		}
	}
	require.Equal(t, 1, strings.Count(poisoned.Mend, ";\n"))
	mend(poisoned.Mend)
	p.params.RunID = "run-2"
	p.discover()
	_, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)

	t.Log("a person names an instant far ahead by mistake")
	p.params.RunID, p.params.Until = "run-3", (noon + 5*instant.Day).String()
	p.params.MaxWindow = 0
	p.discover()
	result, err := p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	require.Equal(t, batch.Succeeded, result.Status)
	p.params.MaxWindow = 2000
	p.runsAt(noon)
	p.params.RunID = "run-4"
	p.discover()
	_, err = p.run(manifest.TaskExtract, nil)
	require.ErrorAs(t, err, &poisoned)
	require.Len(t, poisoned.Tags, 20)
	mend(poisoned.Mend)
	p.runsAt(noon + instant.Hour)
	p.params.RunID = "run-5"
	p.discover()
	_, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	for tag, mark := range p.watermarks() { // one that has forecasts is a little ahead
		require.GreaterOrEqual(t, mark, noon+instant.Hour, tag)
	}
	p.compare()
}

// A tag that the account may not read, and which a server shows by an item of
// 1970, is a tag that failed: it is read from where it was once that is allowed.
func TestATagOfWhichAnItemSaysThatItIsNotReadable(t *testing.T) {
	ways(t, simulator.Options{Tags: 30, Quirks: []simulator.Quirk{simulator.NoAccessItems}}, func(t *testing.T, p *plant, runner *cluster) {
		victims := []string{p.server.Oracle().Tags()[3].Name, p.server.Oracle().Tags()[17].Name}
		for _, name := range victims {
			require.NoError(t, p.server.FailTag(name, simulator.FaultPermission))
		}
		result, err := p.run(manifest.TaskExtract, runner)
		require.NoError(t, err)
		require.Equal(t, batch.Partial, result.Status)
		require.Equal(t, 2, result.Failed)
		for _, name := range victims {
			require.Equal(t, noon-backfill-1, p.watermarks()[name])
			require.NoError(t, p.server.FailTag(name, simulator.NoFault))
		}
		var said int
		require.NoError(t, p.lake.DB().QueryRow(`SELECT count(*) FROM monitoring.tag_errors WHERE error LIKE '%No Read Access%'`).Scan(&said))
		require.Equal(t, 2, said)

		result, err = p.run(manifest.TaskExtract, runner)
		require.NoError(t, err)
		require.Equal(t, batch.Succeeded, result.Status)
		require.Positive(t, p.compare())
	})
}

// An error in the place of a value lands without a value, a text or a code.
func TestErrorsInThePlaceOfValues(t *testing.T) {
	ways(t, simulator.Options{Tags: 60, Quirks: []simulator.Quirk{simulator.ValueErrorObjects}},
		func(t *testing.T, p *plant, runner *cluster) {
			_, err := p.run(manifest.TaskExtract, runner)
			require.NoError(t, err)
			require.Positive(t, p.compare())
			var errs int
			require.NoError(t, p.lake.DB().QueryRow(`SELECT count(*) FROM bronze.pi_timeseries WHERE value IS NULL AND value_text IS NULL AND `+
				`value_code IS NULL`).Scan(&errs))
			require.Positive(t, errs)
		})
}
