package endtoend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// TestOneSiteDown takes one of two sites down: it fails its own tasks only, the
// run says so, and what was missed is landed once it is back.
func TestOneSiteDown(t *testing.T) {
	t.Parallel()
	p := newPlant(t, simulator.Options{Tags: 30})
	other := simulator.New(simulator.Options{Tags: 20, Seed: seed + 1, Clock: func() instant.Ticks { return instant.Ticks(p.clock.Load()) }})
	url, err := other.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	p.write("pipeline.yml", strings.Replace(p.text("pipeline.yml"), "sizing:", fmt.Sprintf(`  - name: plant-b
    url: %s
    auth: {kind: anonymous}
    retry: {attempts: 2, backoff: 1ms, timeout: 5s}
sizing:`, url), 1))
	p.plan()
	p.run(0, start)
	p.read(start)
	b := func() int64 { return p.scalar("SELECT count(*) FROM bronze.pi_timeseries WHERE site = 'plant-b'") }
	held := func(until instant.Ticks) (n int64) {
		for _, tag := range other.Oracle().Tags() {
			n += int64(other.Oracle().Count(tag.Index, start-instant.Hour-1, until))
		}
		return n
	}
	require.Equal(t, held(start), b())

	t.Log("a site that is down cannot even be listed")
	other.Down(true)
	now := start + instant.Hour
	out := p.run(3, now)
	require.Contains(t, out, "plant-b")
	require.Contains(t, out, "failed")
	p.read(now)
	require.Equal(t, held(start), b())
	p.compare()

	t.Log("it comes back, and what was missed is landed")
	other.Down(false)
	now += instant.Hour
	p.run(0, now)
	p.read(now)
	require.Equal(t, held(now), b())

	t.Log("all sites down: nothing can be done, and nothing is lost")
	other.Down(true)
	p.sim.Down(true)
	out = p.run(1, now+instant.Hour)
	require.Contains(t, out, "plant-a")
	other.Down(false)
	p.sim.Down(false)
	now += instant.Hour
	p.run(0, now)
	p.read(now)
	require.Equal(t, held(now), b())
	p.compare()
}
