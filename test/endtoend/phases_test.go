package endtoend_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// phase is one stage of a pipeline's life: what is said in its one file.
type phase struct {
	name          string
	tags          int // of plant-a that the inventory has
	least, target int // of sizing
	tier, compute string
	region        string // of plant-a; "" = there are no regions
	partitions    int
}

var phases = []phase{
	{name: "poc", tags: 15, least: 5, target: 15, tier: "every: 15m", compute: "single_cluster: true", partitions: 1},
	{name: "pilot", tags: 60, least: 20, target: 30, tier: "every: 1h", compute: "single_cluster: true", partitions: 2},
	{name: "production", tags: 150, least: 10, target: 15, tier: "every: 5m", compute: "photon: false", partitions: 10},
	{name: "enterprise", tags: 150, least: 5, target: 10, tier: "every: 30m", compute: "photon: false", region: "us-east-1", partitions: 15},
}

const phaseYML = `version: 1
name: plant
catalog: main
sites:
  - name: plant-a
    url: %s
    %s
    auth: {kind: basic, username: svc_pi, password: {env: PI_PLANT_A_PASSWORD, secret: pi/plant-a}}
    limits: {requests_per_second: 400, connections: 20}
    retry: {attempts: 4, backoff: 20ms, timeout: 30s}
%ssizing: {min_tags: %d, target_tags: %d, max_tags: %d}
tiers: [{name: standard, %s}]
extract: {backfill: 1h}
compute: {%s}
`

// TestPhases takes a pipeline from a proof of concept to an enterprise in two
// regions, on one data folder, by numbers in one file: after each phase the whole
// table is what PI held, each event once.
func TestPhases(t *testing.T) {
	t.Parallel()
	p := newPlant(t, simulator.Options{Tags: 150})
	other := simulator.New(simulator.Options{Tags: 20, Seed: seed + 1, Clock: func() instant.Ticks { return instant.Ticks(p.clock.Load()) }})
	elsewhere, err := other.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	here := siteURL(t, p)
	now, began := start, instant.Ticks(0)
	for _, ph := range phases {
		t.Logf("%s: %d tags", ph.name, ph.tags)
		region, second := "", ""
		if ph.region != "" {
			region = "region: " + ph.region
			second = fmt.Sprintf("  - {name: plant-b, url: %s, region: eu-west-1, auth: {kind: anonymous}}\n", elsewhere)
		}
		p.write("pipeline.yml", fmt.Sprintf(phaseYML, here, region, second, ph.least, ph.target, 2*ph.target, ph.tier, ph.compute))
		p.bundlegen(0, "discover")
		left := p.keep(ph.tags)
		p.bundlegen(0, "generate", "--rebalance")
		for range 2 {
			now += instant.Hour
			p.run(0, now)
			p.read(now, left...)
			p.compare()
		}
		if ph.region != "" && began == 0 {
			began = now - instant.Hour // the first run of plant-b
		}
		require.EqualValues(
			t,
			ph.partitions,
			p.scalar("SELECT count(DISTINCT partition_id) FROM metadata.tag_partitions WHERE valid_to IS NULL AND site = 'plant-a'"),
		)
	}
	t.Log("the other region's site is there as well, and its partitions have ids of their own")
	var held int64
	for _, tag := range other.Oracle().Tags() {
		held += int64(other.Oracle().Count(tag.Index, began-instant.Hour-1, now))
	}
	require.Equal(t, held, p.scalar("SELECT count(*) FROM bronze.pi_timeseries WHERE site = 'plant-b'"))
	require.Zero(
		t,
		p.scalar(
			"SELECT count(*) FROM (SELECT partition_id FROM metadata.tag_partitions WHERE valid_to IS NULL GROUP BY ALL HAVING count(DISTINCT site) > 1)",
		),
	)
	require.Zero(t, p.scalar("SELECT count(*) FROM monitoring.completeness WHERE completeness < 1"))
	require.Zero(t, p.sim.Stats().WriteAlarms)
}

// siteURL returns the address that newPlant wrote.
func siteURL(t *testing.T, p *plant) string {
	_, rest, found := strings.Cut(p.text("pipeline.yml"), "url: ")
	require.True(t, found)
	url, _, _ := strings.Cut(rest, "\n")
	return url
}

// keep leaves so many tags of plant-a in the inventory, and gives the names of the others.
func (p *plant) keep(tags int) (left []string) {
	kept := 0
	p.editInventory(func(row map[string]string) bool {
		if row["site"] != "plant-a" {
			return true
		}
		if kept++; kept > tags {
			left = append(left, row["tag"])
			return false
		}
		return true
	})
	return left
}

// TestContinuousTier runs a continuous tier as a person would: until Ctrl-C, which
// is its normal end, and once where no tier is named.
func TestContinuousTier(t *testing.T) {
	t.Parallel()
	p := newPlant(t, simulator.Options{Tags: 60})
	p.write("pipeline.yml", strings.NewReplacer("- {name: standard, every: 1h}", "- {name: standard, every: 1s, continuous: true}",
		"extract: {backfill: 1h,", "extract: {backfill: 1h, settle: 0s,").Replace(p.text("pipeline.yml")))
	// Without --until the site's clock counts, which is believed within a day.
	now := instant.FromTime(time.Now().Add(-2 * time.Hour).Truncate(time.Hour))
	p.clock.Store(int64(now))
	p.plan()
	require.Contains(t, p.bundlegen(0, "run", "--local", "--retry-wait", "0s"), "extract_timeseries_partition_5 ok")
	p.read(now)
	p.compare()

	var out bytes.Buffer
	cmd := p.command(t.Context(), "run", "--local", "--tier", "standard")
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	for range 3 {
		now += 10 * instant.Minute
		p.clock.Store(int64(now))
		p.awaitLoops()
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait(), "Ctrl-C is a loop's normal end\n%s", &out)
	require.Contains(t, out.String(), " stopped\n")
	require.Contains(t, out.String(), "\n  landed ")
	require.NotContains(t, out.String(), "cancel")
	p.read(now)
	require.Greater(t, p.compare(), 1000)

	t.Log("with an instant it ends by itself")
	now += instant.Hour
	p.run(0, now, "--tier", "standard")
	p.read(now)
	p.compare()
}

// awaitLoops waits until every partition has begun two loops more, so that one of
// them has ended: each asks for the server's clock in the beginning.
func (p *plant) awaitLoops() {
	p.t.Helper()
	begun := p.sim.Stats().Requests
	require.Eventually(p.t, func() bool { return p.sim.Stats().Requests >= begun+int64(4*partitions) }, time.Minute, 20*time.Millisecond)
	quiet := slices.Repeat([]int64{-1}, 3)
	require.Eventually(p.t, func() bool { // and until what they asked for has been answered
		quiet = append(quiet[1:], p.sim.Stats().Requests)
		return quiet[2]-quiet[0] <= int64(2*partitions)
	}, time.Minute, 500*time.Millisecond)
}
