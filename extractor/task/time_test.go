package task_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// A job that starts at noon reads up to noon, or up to what the server calls now
// where that is earlier, less the settle lag; it reports that the clocks differ.
func TestTheEarlierClockCounts(t *testing.T) {
	for name, ahead := range map[string]instant.Ticks{"a server that is ahead": 3 * instant.Minute,
		"a server that is behind": -3 * instant.Minute} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, simulator.Options{Tags: 3, Clock: func() instant.Ticks { return noon + ahead }})
			p.params.Until, p.params.UntilMillis, p.params.Settle = "", int64(noon/(instant.Second/1000)), 30
			result, err := p.run(manifest.TaskDiscover, nil)
			require.NoError(t, err)
			runs, err := p.lake.Engine("plant").Runs(t.Context(), "run-1")
			require.NoError(t, err)
			require.Len(t, runs, 1)
			assert.Equal(t, noon+min(ahead, 0)-30*instant.Second, runs[0].Until)
			assert.Contains(t, strings.Join(result.Notes, "\n"), "the clock of site plant-a is ")

			_, err = p.run(manifest.TaskExtract, nil)
			require.NoError(t, err)
			for tag, mark := range p.watermarks() {
				assert.Equal(t, runs[0].Until, mark, tag)
			}
		})
	}
}

// A task that has used up its time begins no further batch, reports it, and leaves
// the rest to the next run.
func TestATaskThatRunsOutOfTimeLeavesTheRest(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 2})
	var slow atomic.Bool
	p.through(func(*http.Request) {
		if slow.Load() {
			time.Sleep(time.Second)
		}
	})
	p.discover()
	slow.Store(true)
	p.params.TimeoutSecs = 1 // the first batch takes longer than 80% of it
	result, err := p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	assert.Equal(t, batch.Lagging, result.Status)
	assert.Contains(t, strings.Join(result.Notes, "\n"), "not caught up")
	first := noon - backfill - 1 + instant.Ticks(p.params.MaxWindow)*instant.Second
	for tag, mark := range p.watermarks() {
		assert.Equal(t, first, mark, tag)
	}

	slow.Store(false)
	p.params.TimeoutSecs = 0
	result, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	assert.Equal(t, batch.Succeeded, result.Status)
	p.compare()
}
