package plan_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// emit writes what ReadPrevious reads of a bundle: the manifests and plan.json.
func emit(t require.TestingT, dir string, p *plan.Plan) {
	folder := filepath.Join(dir, manifest.Folder)
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, part := range p.Partitions {
		var b strings.Builder
		b.WriteString(inventory.Header + "\n")
		for _, m := range part.Members {
			rate := ""
			if m.EventsPerHour >= 0 {
				rate = strconv.FormatFloat(m.EventsPerHour, 'g', -1, 64)
			}
			fmt.Fprintf(&b, "%s,%q,%s,%s,%s,%s,%s,%s,%s,%t,%d\n", m.Site, m.Name, m.WebID, m.PointType, m.Units, m.DigitalSet,
				m.Descriptor, m.Tier, rate, m.Future, m.PointID)
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, manifest.FileName(part.ID)), []byte(b.String()), 0o644))
	}
	data, err := json.MarshalIndent(p, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, plan.File), data, 0o644))
}

// again reads back what a plan emits.
func again(t require.TestingT, dir string, p *plan.Plan) *plan.Previous {
	emit(t, dir, p)
	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	require.NotNil(t, prev)
	return prev
}

func TestNothingChanged(t *testing.T) {
	cfg := pipeline(2)
	list := slices.Concat(tags("a", 7000), tags("b", 300))
	list[3].Units, list[4].Descriptor, list[5].EventsPerHour, list[6].Future = "°C", "Füllstand", 12.5, true
	first := build(t, cfg, list, nil)
	prev := again(t, t.TempDir(), first)
	second := build(t, cfg, list, prev)
	changes := plan.Diff(prev, second)
	assert.True(t, changes.Empty(), "%+v", changes)
	assert.Equal(t, first.ID, second.ID)
	one, _ := json.Marshal(first)
	two, _ := json.Marshal(second)
	assert.Equal(t, string(one), string(two))
}

func TestNoEarlierBundle(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		prev, err := plan.ReadPrevious(dir)
		require.NoError(t, err)
		require.Nil(t, prev)
	}
	p := build(t, pipeline(1), tags("a", 6000), nil)
	changes := plan.Diff(nil, p)
	assert.True(t, changes.First)
	assert.False(t, changes.Empty())
	assert.Equal(t, 6000, changes.Added)
	assert.Len(t, changes.Partitions, 2)
	assert.Equal(t, plan.PartitionChange{Kind: plan.Add, ID: 0, Site: "a", Tier: "standard", After: 3000, Added: 3000}, changes.Partitions[0])
}

func TestChangesOfTags(t *testing.T) {
	cfg := pipeline(1)
	list := tags("a", 7000)
	first := build(t, cfg, list, nil)
	prev := again(t, t.TempDir(), first)
	at := where(first)

	list[10].Name = "renamed"                                   // same point id
	list[20].Units = "bar"                                      // edited
	list[30].PointID = 99999                                    // another point took the name over
	list[50].Name, list[51].Name = list[51].Name, list[50].Name // two swap their names
	list = append(list[:40], list[41:]...)                      // removed
	list = append(list, tags("a", 7001)[7000])                  // added
	list[0].PointID = 0                                         // id not known now: the name tells
	p := build(t, cfg, list, prev)
	c := plan.Diff(prev, p)

	assert.Equal(t, 2, c.Added, "the new one, and the one that took over a name")
	assert.Equal(t, 2, c.Removed)
	assert.Equal(t, 0, c.Moved)
	assert.Equal(t, 3, c.Renamed)
	assert.Equal(t, 1, c.Edited)
	now := where(p)
	assert.Equal(t, at["a/a.T000010"], now["a/renamed"], "a rename stays put")
	assert.Equal(t, at["a/a.T000050"], now["a/a.T000051"], "the point stays put, whatever it is called")
	for name, id := range now {
		if was, ok := at[name]; ok && name != "a/a.T000050" && name != "a/a.T000051" && name != "a/a.T000030" {
			require.Equal(t, was, id, name)
		}
	}
	assert.Contains(t, c.Tags, plan.TagChange{Kind: plan.Change, Site: "a", Tag: "renamed", Was: "a.T000010", From: at["a/a.T000010"], To: at["a/a.T000010"]})
	assert.Contains(t, c.Tags, plan.TagChange{Kind: plan.Remove, Site: "a", Tag: "a.T000040", From: at["a/a.T000040"], To: -1})
	assert.False(t, c.Settings)
}

// Ids become known at discovery: nothing moves, nothing is new.
func TestIDsThatBecomeKnown(t *testing.T) {
	cfg := pipeline(1)
	list := tags("a", 7000)
	for i := range list {
		list[i].PointID = 0
	}
	first := build(t, cfg, list, nil)
	prev := again(t, t.TempDir(), first)
	p := build(t, cfg, tags("a", 7000), prev)
	c := plan.Diff(prev, p)
	assert.Zero(t, c.Added+c.Removed+c.Moved+c.Renamed)
	assert.Equal(t, where(first), where(p))
}

// A tag that has no id does not get the place of one whose id went to another name.
func TestRenameWinsOverName(t *testing.T) {
	cfg := pipeline(1)
	list := []inventory.Tag{{Site: "a", Name: "x", PointID: 5, EventsPerHour: -1}}
	prev := again(t, t.TempDir(), build(t, cfg, list, nil))
	p := build(t, cfg, []inventory.Tag{{Site: "a", Name: "x", EventsPerHour: -1}, {Site: "a", Name: "y", PointID: 5, EventsPerHour: -1}}, prev)
	c := plan.Diff(prev, p)
	assert.Equal(t, 1, c.Renamed)
	assert.Equal(t, 1, c.Added)
	assert.Zero(t, c.Removed)
}

func TestPartitionIDs(t *testing.T) {
	cfg := pipeline(2)
	dir := t.TempDir()
	p := build(t, cfg, slices.Concat(tags("a", 9000), tags("b", 3000)), nil) // a: 0-2, b: 3
	prev := again(t, dir, p)

	grown := build(t, cfg, slices.Concat(tags("a", 16000), tags("b", 3000)), prev)
	var ids []int
	for _, part := range grown.Partitions {
		ids = append(ids, part.ID)
	}
	assert.Equal(t, []int{0, 1, 2, 3, 4}, ids)
	assert.Equal(t, "a", grown.Partitions[4].Site, "the new one has the next number")
	prev = again(t, dir, grown)

	shrunk := build(t, cfg, slices.Concat(tags("a", 2500), tags("b", 3000)), prev)
	require.Len(t, shrunk.Partitions, 2)
	c := plan.Diff(prev, shrunk)
	removed := 0
	for _, change := range c.Partitions {
		if change.Kind == plan.Remove {
			removed++
			assert.Zero(t, change.After)
		}
	}
	assert.Equal(t, 3, removed)

	// Site b goes, site c comes: it does not get b's number.
	three := pipeline(3)
	three.Sites = slices.Delete(three.Sites, 1, 2)
	other := build(t, three, slices.Concat(tags("a", 16000), tags("c", 3000)), prev)
	for _, part := range other.Partitions {
		if part.Site == "c" {
			assert.Equal(t, 5, part.ID)
		}
	}
}

func TestAnotherTierIsAnotherPartition(t *testing.T) {
	cfg := pipeline(1)
	cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: cfg.Tiers[0].Every})
	list := tags("a", 4000)
	prev := again(t, t.TempDir(), build(t, cfg, list, nil))
	list[7].Tier = "bulk"
	p := build(t, cfg, list, prev)
	c := plan.Diff(prev, p)
	assert.Equal(t, 1, c.Moved)
	assert.Zero(t, c.Added+c.Removed)
	assert.Equal(t, []plan.TagChange{{Kind: plan.Change, Site: "a", Tag: "a.T000007", From: 0, To: 1}}, c.Tags)
}

func TestSettings(t *testing.T) {
	cfg := pipeline(1)
	list := tags("a", 4000)
	prev := again(t, t.TempDir(), build(t, cfg, list, nil))
	cfg.Extract.FailAbove = 0.5
	c := plan.Diff(prev, build(t, cfg, list, prev))
	assert.True(t, c.Settings)
	assert.False(t, c.Empty())
	assert.Empty(t, c.Partitions)
}

func TestRebalance(t *testing.T) {
	cfg := pipeline(1)
	list := tags("a", 6000)
	first := build(t, cfg, list, nil)
	at := where(first)
	for i := range list { // all load is in one partition now
		list[i].EventsPerHour = 10
		if at["a/"+list[i].Name] == 0 {
			list[i].EventsPerHour = 1000
		}
	}
	prev := again(t, t.TempDir(), first)
	stable := build(t, cfg, list, prev)
	assert.Zero(t, plan.Diff(prev, stable).Moved, "stability wins")
	even, err := plan.Build(cfg, list, prev, plan.Options{Rebalance: true})
	require.NoError(t, err)
	assert.Positive(t, plan.Diff(prev, even).Moved)
	assert.InEpsilon(t, even.Partitions[0].Weight, even.Partitions[1].Weight, 0.05)
}

// Diff gives the same whether or not the plan was built on the very value it is compared with.
func TestDiffAgainstAnotherReading(t *testing.T) {
	cfg := pipeline(2)
	list := slices.Concat(tags("a", 7000), tags("b", 300))
	dir := t.TempDir()
	prev := again(t, dir, build(t, cfg, list, nil))
	list[10].Name, list[20].Units = "renamed", "bar"
	p := build(t, cfg, list[:7200], prev)
	other, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	assert.Equal(t, plan.Diff(prev, p), plan.Diff(other, p))
}

func TestDamagedBundles(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   []string
	}{
		"a manifest is cut off": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "partitions", "partition-0001.csv"), 5)
		}, []string{"partition-0001.csv", "damaged", "hint: restore the folder"}},
		"a manifest is empty": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "partitions", "partition-0001.csv"), []byte(inventory.Header+"\n"), 0o644)
		}, []string{"partition-0001.csv", "damaged"}},
		"a manifest mixes tiers": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "partitions", "partition-0001.csv"),
				[]byte("site,tag,tier\na,x,standard\na,y,bulk\n"), 0o644)
		}, []string{"partition-0001.csv", "mixes"}},
		"a manifest is gone": {func(dir string) error {
			return os.Remove(filepath.Join(dir, "partitions", "partition-0001.csv"))
		}, []string{"partition-0001.csv is missing", "hint: restore the folder"}},
		"a manifest too many": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "partitions", "partition-0009.csv"), []byte("site,tag,tier\na,x,standard\n"), 0o644)
		}, []string{"plan.json", "partition-0009.csv"}},
		"a manifest's name": {func(dir string) error {
			return os.Rename(filepath.Join(dir, "partitions", "partition-0001.csv"), filepath.Join(dir, "partitions", "partition-1.csv"))
		}, []string{"partition-1.csv", "named like partition-0007.csv"}},
		"plan.json is cut off": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "plan.json"), 50)
		}, []string{"plan.json", "damaged"}},
		"a newer program made it": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "plan.json"), []byte(`{"version": 2, "plan_id": 7}`), 0o644)
		}, []string{"plan.json", "version 2", "newer bundlegen", "hint: update"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			emit(t, dir, build(t, pipeline(1), tags("a", 7000), nil))
			require.NoError(t, c.damage(dir))
			_, err := plan.ReadPrevious(dir)
			require.Error(t, err)
			for _, text := range c.want {
				assert.Contains(t, err.Error(), text)
			}
		})
	}
}

func TestABundleWithoutPlanIsFine(t *testing.T) {
	dir := t.TempDir()
	emit(t, dir, build(t, pipeline(1), tags("a", 7000), nil))
	require.NoError(t, os.Remove(filepath.Join(dir, plan.File)))
	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	assert.Len(t, prev.Partitions, 2)
}

// Whatever is added and removed: tags that stay in their site and tier move
// only if a bound would break, ids of partitions are never given to another
// site or tier, and the changes account for every tag.
func TestSeriesOfPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := pipeline(2)
		cfg.Sizing = config.Sizing{MinTags: 20, TargetTags: 30, MaxTags: 50, TagsPerWorker: 10}
		cfg.Tiers = append(cfg.Tiers, config.Tier{Name: "bulk", Every: cfg.Tiers[0].Every})
		dir, err := os.MkdirTemp("", "plan")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		var prev *plan.Previous
		before := map[string]int{}
		for range 3 {
			list := slices.Concat(randomTags(t, "a"), randomTags(t, "b"))
			drop := rapid.IntRange(0, 20).Draw(t, "drop")
			list = slices.DeleteFunc(list, func(tag inventory.Tag) bool { return int(tag.PointID)%23 == drop })
			if len(list) == 0 {
				list = tags("a", 1)
			}
			p := build(t, cfg, list, prev)
			c := plan.Diff(prev, p)
			now := where(p)
			added, removed, moved := 0, 0, 0
			for name, id := range now {
				if was, ok := before[name]; !ok {
					added++
				} else if was != id {
					moved++
				}
			}
			for name := range before {
				if _, ok := now[name]; !ok {
					removed++
				}
			}
			if c.Added != added || c.Removed != removed || c.Moved != moved {
				t.Fatalf("changes say +%d -%d ~%d, it is +%d -%d ~%d", c.Added, c.Removed, c.Moved, added, removed, moved)
			}
			sum := 0
			for _, change := range c.Partitions {
				if change.After != change.Before+change.Added-change.Removed+change.In-change.Out {
					t.Fatalf("%+v does not add up", change)
				}
				sum += change.Added
			}
			if sum != added {
				t.Fatalf("partitions gain %d tags, %d are new", sum, added)
			}
			if prev != nil {
				for _, part := range p.Partitions {
					for _, q := range prev.Partitions {
						if q.ID == part.ID && (q.Site != part.Site || q.Tier != part.Tier) {
							t.Fatalf("partition %d went from %s/%s to %s/%s", q.ID, q.Site, q.Tier, part.Site, part.Tier)
						}
					}
				}
			}
			prev, before = again(t, dir, p), now
		}
	})
}

// A site that comes along from another bundle keeps its partitions, unless its own
// bundle knows it already; of two others that know it, the first does.
func TestJoin(t *testing.T) {
	of := func(settings string, parts ...plan.PreviousPartition) *plan.Previous {
		return &plan.Previous{Settings: settings, Partitions: parts}
	}
	a0 := plan.PreviousPartition{ID: 0, Site: "a", Tags: []plan.PreviousTag{{Name: "x"}}}
	a7 := plan.PreviousPartition{ID: 7, Site: "a"}
	b1, b2 := plan.PreviousPartition{ID: 1, Site: "b"}, plan.PreviousPartition{ID: 2, Site: "b"}
	c5 := plan.PreviousPartition{ID: 5, Site: "c"}

	assert.Nil(t, plan.Join(nil, []string{"a"}, nil, nil))
	assert.Nil(t, plan.Join(nil, []string{"z"}, of("s", a0)))
	assert.Equal(t, of("s", a0, b1, b2), plan.Join(nil, []string{"a", "b"}, of("s", b2, a0, b1, c5), of("t", a7)))
	assert.Equal(t, of("own", c5, a7), plan.Join(of("own", a7, c5), []string{"a", "c"}, of("s", a0)))
	assert.Equal(t, 8, plan.NextID(of("s", a0, b1), nil, of("t", a7)))
	assert.Zero(t, plan.NextID(nil))
}
