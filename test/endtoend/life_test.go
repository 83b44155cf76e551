package endtoend_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// TestLifeOfAPlant follows one plant through what happens to plants, and holds
// the whole table against the oracle after each step.
func TestLifeOfAPlant(t *testing.T) {
	t.Run("duckdb", func(t *testing.T) {
		t.Parallel()
		lifeOf(t, plantOfLife(t, partitions), 9)
	})
	t.Run("spark", func(t *testing.T) {
		t.Parallel()
		p := plantOfLife(t, sparkPartitions)
		p.onSpark()
		lifeOf(t, p, 3)
	})
}

func plantOfLife(t *testing.T, partitions int) *plant {
	return newPlantOf(
		t,
		simulator.Options{Tags: 150, Quirks: []simulator.Quirk{simulator.PrintsAnnotated, simulator.OddNames, simulator.SpecialFloats}},
		partitions,
	)
}

var wholeLife = flag.Bool("whole-life", false, "follow the plant on Spark to its end, too: about ten minutes more")

// lifeOf is the life of a plant that is planned to more partitions in the end.
func lifeOf(t *testing.T, p *plant, more int) {
	part := p.engine == "spark" && !*wholeLife
	p.plan()
	now := start

	t.Log("the first run reads the backfill, the second up to the same instant nothing")
	p.run(0, now)
	p.read(now)
	first := p.compare()
	require.Greater(t, first, 5_000)
	p.run(0, now)
	require.Equal(t, first, p.compare())
	require.Zero(
		t,
		p.scalar("SELECT count(*) - count(DISTINCT (pipeline, site, point_id)) FROM checkpoints.tag_watermarks WHERE point_id IS NOT NULL"),
		"compacted",
	)

	t.Log("a tag without permission does not hurt its neighbours, and is caught up once it is healed")
	victim := p.sim.Oracle().Tags()[17].Name
	require.NoError(t, p.sim.FailTag(victim, simulator.FaultPermission))
	now += 40 * instant.Minute
	out := p.run(3, now)
	require.Contains(t, out, "partial")
	p.read(now, victim)
	p.compare()
	require.EqualValues(t, 1, p.scalar("SELECT count(DISTINCT tag_name) FROM monitoring.tag_errors"))
	require.NoError(t, p.sim.FailTag(victim, simulator.NoFault))
	now += 20 * instant.Minute
	p.run(0, now)
	p.read(now)
	p.compare()

	t.Log("tags are added on the server, renamed and removed; nobody regenerates")
	tags := p.sim.Oracle().Tags()
	p.sim.AddTags(5)
	require.NoError(t, p.sim.RenameTag(tags[3].Name, "renamed, and \"quoted\""))
	require.NoError(t, p.sim.RenameTag(tags[140].Name, "../../etc/passwd"))
	require.NoError(t, p.sim.RemoveTag(tags[100].Name))
	now += instant.Hour
	out = p.run(0, now)
	require.Contains(t, out, "5 tags are new on the server")
	p.read(now)
	p.compare()

	if part {
		return
	}

	t.Log("the inventory is listed anew, and a few tags change their tier")
	p.bundlegen(0, "discover")
	moved := 0
	p.editInventory(func(row map[string]string) bool {
		if moved < 30 && !strings.Contains(row["tag"], "renamed") {
			row["tier"], moved = "bulk", moved+1
		}
		return true
	})
	require.Contains(t, p.bundlegen(2, "plan", "--detailed-exitcode"), "30")
	p.bundlegen(0, "generate")
	now += instant.Hour
	p.run(0, now)
	p.read(now)
	p.compare()
	require.EqualValues(t, 30, p.scalar("SELECT count(*) FROM metadata.tag_partitions WHERE valid_to IS NULL AND tier = 'bulk'"))

	t.Log("fourteen hours of outage are caught up in windows")
	before := p.scalar("SELECT count(*) FROM monitoring.pipeline_metrics WHERE status = 'CATCHING_UP'")
	now += 14 * instant.Hour
	p.run(0, now)
	p.read(now)
	p.compare()
	require.Greater(t, p.scalar("SELECT count(*) FROM monitoring.pipeline_metrics WHERE status = 'CATCHING_UP'"), before)

	t.Log("another number of partitions moves tags between partitions")
	owners := p.owners()
	p.write(
		"pipeline.yml",
		strings.Replace(p.text("pipeline.yml"), "name: standard, every: 1h", fmt.Sprintf("name: standard, every: 1h, partitions: %d", more), 1),
	)
	p.bundlegen(0, "generate", "--rebalance")
	now += instant.Hour
	p.run(0, now)
	p.read(now)
	p.compare()
	changed := 0
	for id, partition := range p.owners() {
		if was, ok := owners[id]; ok && was != partition {
			changed++
		}
	}
	require.Greater(t, changed, 10)
	require.Zero(
		t,
		p.scalar(
			`SELECT count(*) FROM (SELECT site, point_id FROM metadata.tag_partitions WHERE valid_to IS NULL GROUP BY ALL HAVING count(*) > 1)`,
		),
	)

	t.Log("completeness was measured in each run that read something, and nothing was missing")
	require.Positive(t, p.scalar("SELECT count(*) FROM monitoring.completeness"))
	require.Zero(
		t,
		p.scalar(
			`SELECT count(*) FROM (SELECT run_id, partition_id FROM monitoring.pipeline_metrics WHERE task = 'extract' AND points_ingested > 0
EXCEPT SELECT run_id, partition_id FROM monitoring.completeness)`,
		),
	)
	require.Zero(t, p.scalar("SELECT count(*) FROM monitoring.completeness WHERE completeness < 1"))
	require.Zero(t, p.sim.Stats().WriteAlarms)
}

// TestEveryQuirk is a short life of a plant on servers that differ from one another
// in one quirk: a backfill, a tag without permission, one that is renamed and one
// that is removed, then an outage that is caught up in windows by other partitions.
func TestEveryQuirk(t *testing.T) {
	for _, q := range simulator.Quirks() {
		if q.Quirk == simulator.AuthLoop || q.Quirk == simulator.EchoesCredentials {
			continue // a server that lets nobody in has nothing to compare, and of one that prints secrets they are not landed
		}
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			o := simulator.Options{Tags: 40, MaxItemsPerCall: 4000, BurstSize: 1500}
			if q.Default {
				o.WithoutQuirks = []simulator.Quirk{q.Quirk}
			} else {
				o.Quirks = []simulator.Quirk{q.Quirk}
			}
			p := newPlantOf(t, o, 2)
			p.plan()
			left := p.leftOut()
			now := start
			p.run(0, now)
			p.read(now, left...)
			p.compare()

			tags := p.sim.Oracle().Tags()
			require.NoError(t, p.sim.FailTag(tags[5].Name, simulator.FaultPermission))
			require.NoError(t, p.sim.RenameTag(tags[3].Name, "renamed, and \"quoted\""))
			require.NoError(t, p.sim.RemoveTag(tags[20].Name))
			now += instant.Hour
			p.run(3, now)
			p.read(now, append(left, tags[5].Name)...)
			p.compare()

			require.NoError(t, p.sim.FailTag(tags[5].Name, simulator.NoFault))
			p.write(
				"pipeline.yml",
				strings.Replace(p.text("pipeline.yml"), "name: standard, every: 1h", "name: standard, every: 1h, partitions: 4", 1),
			)
			p.bundlegen(0, "discover")
			p.bundlegen(0, "generate", "--rebalance")
			now += 8 * instant.Hour
			p.run(0, now)
			p.read(now, p.leftOut()...)
			require.NotZero(t, p.compare())
		})
	}
}
