package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
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
	assert.Contains(
		t,
		c.Tags,
		plan.TagChange{Kind: plan.Change, Site: "a", Tag: "renamed", Was: "a.T000010", From: at["a/a.T000010"], To: at["a/a.T000010"]},
	)
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

// A bundle of version 1, whose warnings are sentences, is an earlier bundle like any other.
func TestVersionOne(t *testing.T) {
	cfg, list := pipeline(1), tags("a", 4000)
	dir := t.TempDir()
	p := build(t, cfg, list, nil)
	now := again(t, dir, p)
	var record map[string]any
	data, err := os.ReadFile(filepath.Join(dir, plan.File))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &record))
	record["version"] = 1
	record["warnings"] = []any{
		map[string]any{"code": plan.WarnRates, "message": "4,000 tags of unknown rate.", "advice": []string{"inventory → balance"}},
	}
	data, err = json.Marshal(record)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, plan.File), data, 0o644))
	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	assert.Equal(t, now, prev)
	assert.True(t, plan.Diff(prev, build(t, cfg, list, prev)).Empty())
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
	assert.Equal(t, []plan.SettingChange{{Kind: plan.Change, Key: "extract.fail_above", Before: "0", After: "0.5"}}, c.Keys)
	assert.False(t, c.FirstRun())

	cfg.Extract.FailAbove, cfg.Extract.Backfill, cfg.Compute.Photon = 0, 48*time.Hour, true
	c = plan.Diff(prev, build(t, cfg, list, prev))
	assert.Equal(t, []plan.SettingChange{
		{Kind: plan.Add, Key: "compute.photon", After: "true"}, {Kind: plan.Change, Key: "extract.backfill", Before: "0s", After: "2d"},
	}, c.Keys)
	assert.True(t, c.FirstRun())

	prev.Values = nil // a bundle of a version that recorded none
	c = plan.Diff(prev, build(t, cfg, list, prev))
	assert.True(t, c.Settings)
	assert.Empty(t, c.Keys)
}

// TestFirstRun: what a first run reads grows with the range, takes as many runs as
// its timeout asks for, and none more where the timeout is long enough.
func TestFirstRun(t *testing.T) {
	cfg := pipeline(1)
	cfg.Extract = config.Extract{Backfill: time.Hour, MaxWindow: 6 * time.Hour}
	list := tags("a", 3000)
	hour := build(t, cfg, list, nil).Tiers[0].FirstRun
	assert.EqualValues(t, 3600, hour.BackSeconds)
	assert.EqualValues(t, 3000*180, hour.Events, "the assumed rate")
	assert.Equal(t, 1, hour.Runs)

	cfg.Extract.Backfill = 365 * 24 * time.Hour
	tier := build(t, cfg, list, nil).Tiers[0]
	year, f := tier.FirstRun, tier.Forecast
	assert.EqualValues(t, 365*24*3000*180, year.Events)
	assert.Greater(
		t,
		year.Seconds,
		365*4*(hour.Seconds-f.StartupSeconds-f.DiscoverSeconds-f.ConsolidateSeconds-f.ValidateSeconds),
		"as many batches as max_window asks for, each of more than an hour",
	)
	assert.Greater(t, year.Runs, 10)
	assert.Greater(t, year.CostUSD, 100*hour.CostUSD)

	cfg.Sites[0].Task.Timeout = 7 * 24 * time.Hour
	long := build(t, cfg, list, nil).Tiers[0].FirstRun
	assert.Equal(t, 1, long.Runs)
	assert.Equal(t, 7*24*3600, long.TimeoutSeconds)
	assert.Equal(t, year.Seconds, long.Seconds)
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
	c := plan.Diff(prev, stable)
	assert.Zero(t, c.Moved, "stability wins")
	assert.Equal(t, []plan.Balance{{Tier: "standard", Before: 1.9802, After: 1.9802}}, c.Balance, "3,000 x 1,000 of a mean of 3,000 x 505")
	assert.Contains(t, codes(stable), plan.WarnSkew)
	even, err := plan.Build(cfg, plantest.Inventory(cfg, list), prev, plan.Options{Rebalance: true})
	require.NoError(t, err)
	c = plan.Diff(prev, even)
	assert.Equal(t, []plan.Balance{{Tier: "standard", Before: 1.9802, After: c.Balance[0].After, Moved: c.Moved}}, c.Balance)
	assert.InDelta(t, 1, c.Balance[0].After, 0.01)
	assert.LessOrEqual(t, c.Moved, 3000, "half of both")
	assert.NotContains(t, codes(even), plan.WarnSkew)
	assert.InEpsilon(t, even.Partitions[0].Weight, even.Partitions[1].Weight, 0.05)
}

// Diff returns the same whether or not the plan was built on the very value it is compared with.
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
	const one = "partition-0001.csv"
	manifestFile := func(dir, name string) string { return filepath.Join(dir, manifest.Folder, name) }
	rewrite := func(file, old, new string) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text := strings.Replace(string(data), old, new, 1)
		if text == string(data) {
			return fmt.Errorf("%s has no %q", file, old)
		}
		return os.WriteFile(file, []byte(text), 0o644)
	}
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   []string // what comes after the bundle's folder, and parts of the rest
	}{
		"a manifest is cut off in its header": {func(dir string) error {
			return os.Truncate(manifestFile(dir, one), 5)
		}, []string{"partitions/partition-0001.csv:1:1: the earlier bundle is damaged: the file was cut off in this line", "hint: restore the folder"}},
		"a manifest is cut off in a row": {func(dir string) error {
			return os.Truncate(manifestFile(dir, one), int64(len(inventory.Header))+20)
		}, []string{"partitions/partition-0001.csv:2:1: the earlier bundle is damaged: the file was cut off in this line", "hint: restore the folder"}},
		"a manifest is cut off at the end of a row": {func(dir string) error {
			data, err := os.ReadFile(manifestFile(dir, one))
			if err != nil {
				return err
			}
			rows := strings.SplitAfter(string(data), "\n")
			return os.WriteFile(manifestFile(dir, one), []byte(strings.Join(rows[:100], "")), 0o644)
		}, []string{"partitions/partition-0001.csv: the earlier bundle is damaged: it has 99 tags, where plan.json says 3,500"}},
		"a manifest has no rows": {func(dir string) error {
			return os.WriteFile(manifestFile(dir, one), []byte(inventory.Header+"\n"), 0o644)
		}, []string{"partitions/partition-0001.csv:2:1: the earlier bundle is damaged: no tags"}},
		"a manifest is empty": {func(dir string) error {
			return os.Truncate(manifestFile(dir, one), 0)
		}, []string{"partitions/partition-0001.csv:1:1: the earlier bundle is damaged: the file was cut off in this line"}},
		"a manifest mixes tiers": {func(dir string) error {
			return os.WriteFile(manifestFile(dir, one), []byte("site,tag,tier\na,x,standard\na,y,bulk\n"), 0o644)
		}, []string{"partitions/partition-0001.csv: the earlier bundle is damaged: it mixes site a, tier standard with site a, tier bulk"}},
		"a row of a manifest is damaged": {func(dir string) error {
			return rewrite(manifestFile(dir, one), ",false,", ",maybe,")
		}, []string{`partitions/partition-0001.csv:2:30: the earlier bundle is damaged: future is "maybe"; allowed: true, false or nothing`}},
		"a manifest is gone": {func(dir string) error {
			return os.Remove(manifestFile(dir, one))
		}, []string{"partitions: the earlier bundle is damaged: partition-0001.csv is missing, which plan.json has", "hint: restore the folder"}},
		"all manifests are gone": {func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, manifest.Folder))
		}, []string{"partitions: the earlier bundle is damaged: partition-0000.csv is missing, which plan.json has"}},
		"a manifest too many": {func(dir string) error {
			return os.WriteFile(manifestFile(dir, "partition-0009.csv"), []byte("site,tag,tier\na,x,standard\n"), 0o644)
		}, []string{"plan.json: the earlier bundle is damaged: it does not have partition-0009.csv, which is there"}},
		"a manifest's number is not written as it is": {func(dir string) error {
			return os.Rename(manifestFile(dir, one), manifestFile(dir, "partition-1.csv"))
		}, []string{"partitions/partition-1.csv: the earlier bundle is damaged: a manifest is named like partition-0007.csv"}},
		"a manifest's number is none": {func(dir string) error {
			return os.Rename(manifestFile(dir, one), manifestFile(dir, "partition-one.csv"))
		}, []string{"partitions/partition-one.csv: the earlier bundle is damaged: a manifest is named like partition-0007.csv"}},
		"a tag is in two manifests": {func(dir string) error {
			data, err := os.ReadFile(manifestFile(dir, "partition-0000.csv"))
			if err != nil {
				return err
			}
			row := strings.SplitAfter(string(data), "\n")[5]
			other, err := os.ReadFile(manifestFile(dir, one))
			if err != nil {
				return err
			}
			rows := strings.SplitAfter(string(other), "\n")
			rows[9] = row // in the place of another: the number of tags is right
			return os.WriteFile(manifestFile(dir, one), []byte(strings.Join(rows, "")), 0o644)
		}, []string{"partitions/partition-0001.csv:10:1: the earlier bundle is damaged: site a has tag ", " twice, first in ", "partition-0000.csv:6\n",
			"hint: take the folder from one side of the merge as a whole"}},
		"a merge left a conflict in a manifest": {func(dir string) error {
			return rewrite(manifestFile(dir, one), "\n", "\n<<<<<<< HEAD\n")
		}, []string{"partitions/partition-0001.csv:2:1: the earlier bundle is damaged: a merge left a conflict here", "hint: take the folder from one side of the merge as a whole"}},
		"a merge left a conflict in plan.json": {func(dir string) error {
			return rewrite(filepath.Join(dir, plan.File), "\n", "\n<<<<<<< HEAD\n")
		}, []string{"plan.json:2:1: the earlier bundle is damaged: a merge left a conflict here"}},
		"plan.json is cut off": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, plan.File), 50)
		}, []string{"plan.json:3:33: the earlier bundle is damaged: unexpected end of JSON input"}},
		"plan.json is of another shape": {func(dir string) error {
			return rewrite(filepath.Join(dir, plan.File), `"partition_id": 1`, `"partition_id": "1"`)
		}, []string{"plan.json:", "the earlier bundle is damaged: key partitions.partition_id is of another type; allowed: int"}},
		"plan.json has no version": {func(dir string) error {
			return rewrite(filepath.Join(dir, plan.File), `"version": 2,`, "")
		}, []string{"plan.json: the earlier bundle is damaged: its version is 0; allowed: 1 to 2"}},
		"plan.json is gone": {func(dir string) error {
			return os.Remove(filepath.Join(dir, plan.File))
		}, []string{"plan.json: the earlier bundle is damaged: it is missing, and partition-0000.csv is there", "hint: restore the folder"}},
		"a newer program made it": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, plan.File), []byte(`{"version": 3, "plan_id": 7}`), 0o644)
		}, []string{"plan.json: version 3 was made by a newer bundlegen; allowed: up to 2\nhint: update bundlegen; nothing was changed"}},
		"a newer program made it, with a column more in its manifests": {func(dir string) error {
			return errors.Join(
				os.WriteFile(filepath.Join(dir, plan.File), []byte(`{"version": 3}`), 0o644),
				rewrite(manifestFile(dir, one), ",point_id\n", ",point_id,colour\n"))
		}, []string{"plan.json: version 3 was made by a newer bundlegen"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			emit(t, dir, build(t, pipeline(1), tags("a", 7000), nil))
			require.NoError(t, c.damage(dir))
			_, err := plan.ReadPrevious(dir)
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), dir+string(filepath.Separator)+c.want[0]), "%v", err)
			for _, text := range c.want[1:] {
				assert.Contains(t, err.Error(), text)
			}
			assert.Contains(t, err.Error(), "; nothing was changed")
		})
	}
}

// Wherever a file is cut off, what is left of it is not taken for the bundle.
func TestFilesCutOffAnywhere(t *testing.T) {
	dir := t.TempDir()
	emit(t, dir, build(t, pipeline(1), tags("a", 7000), nil))
	rapid.Check(t, func(t *rapid.T) {
		file := filepath.Join(dir, rapid.SampledFrom([]string{plan.File, filepath.Join(manifest.Folder, manifest.FileName(1))}).Draw(t, "file"))
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		require.NoError(t, os.WriteFile(file, data[:at], 0o644))
		_, err = plan.ReadPrevious(dir)
		require.ErrorContains(t, err, file)
		require.ErrorContains(t, err, "; nothing was changed")
		require.NoError(t, os.WriteFile(file, data, 0o644))
	})
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
	for _, c := range []struct{ want, got *plan.Previous }{
		{of("s", a0, b1, b2), plan.Join(nil, []string{"a", "b"}, of("s", b2, a0, b1, c5), of("t", a7))},
		{of("own", c5, a7), plan.Join(of("own", a7, c5), []string{"a", "c"}, of("s", a0))},
	} {
		assert.Equal(t, c.want.Settings, c.got.Settings)
		assert.Equal(t, c.want.Partitions, c.got.Partitions)
	}
	assert.Equal(t, 8, plan.NextID(of("s", a0, b1), nil, of("t", a7)))
	assert.Zero(t, plan.NextID(nil))
}

// What a link in the bundle leads to outside of it is neither read nor shown.
func TestLinksOutOfTheBundle(t *testing.T) {
	p := build(t, pipeline(1), tags("a", 6000), nil)
	for name, file := range map[string]string{"plan.json": plan.File, "a folder": manifest.Folder, "a manifest": filepath.Join(manifest.Folder, manifest.FileName(1))} {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
			emit(t, dir, p)
			require.NoError(t, os.Rename(filepath.Join(dir, file), elsewhere))
			require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, file)))
			_, err := plan.ReadPrevious(dir)
			require.ErrorContains(t, err, dir+": a link leads out of the folder: ")
			assert.ErrorContains(t, err, filepath.Join(dir, file))
			assert.ErrorContains(t, err, "\nhint: ")
		})
	}
	dir := t.TempDir()
	emit(t, dir, p)
	require.NoError(t, os.Rename(filepath.Join(dir, manifest.Folder), filepath.Join(dir, "there")))
	require.NoError(t, os.Symlink("there", filepath.Join(dir, manifest.Folder)))
	prev, err := plan.ReadPrevious(dir)
	require.NoError(t, err, "a link that stays in the folder is its owner's business")
	assert.Len(t, prev.Partitions, 2)
}
