package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/partition"
)

// balancing measures how long assigning a million tags takes, and how even a
// plant's partitions are, and how many tags move, as the plant changes.
func (b *bench) balancing() error {
	if err := b.assigning(); err != nil {
		return err
	}
	return b.churn()
}

// assigning measures the assignment alone, of a million tags of one site at once.
func (b *bench) assigning() error {
	const tags, partitions, tries = 1_000_000, 333, 3
	bounds := partition.Bounds{Min: 2000, Max: 5000}
	r := rand.New(rand.NewPCG(b.seed, 11))
	items := make([]partition.Item, tags)
	keys := make([]string, tags)
	for i, at := range r.Perm(tags) {
		items[i] = partition.Item{Key: fmt.Sprintf("P%03d.U%d.FIC-%07d.PV", at/5000, at%8, at), Weight: anyRate(r), Previous: -1}
		keys[i] = items[i].Key
	}
	b.title("1b. assigning %s tags of one site to %d partitions", thousands(tags), partitions)
	b.printf("%-36s %8s %8s %10s %10s %14s\n", "best of 3", "wall", "CPU", "memory", "allocated", "x sorting")
	row := func(what string, f func() error) (usage, error) {
		var best usage
		var bytes, count uint64
		for range tries {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			u, err := here(f)
			if err != nil {
				return best, err
			}
			runtime.ReadMemStats(&after)
			if best.wall == 0 || u.wall < best.wall {
				best, bytes, count = u, after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
			}
		}
		b.printf("%-36s %7.2fs %7.2fs %10s %10s", what, best.wall.Seconds(), best.cpu.Seconds(), mib(int64(bytes)), thousands(int64(count)))
		return best, nil
	}
	sorting, err := row("sorting their names", func() error { slices.Sort(slices.Clone(keys)); return nil })
	if err != nil {
		return err
	}
	b.printf(" %14s\n", "1.00")
	var last partition.Result
	assign := func(what string, opt partition.Options) error {
		u, err := row(what, func() (err error) {
			last, err = partition.Assign(items, partitions, bounds, opt)
			return err
		})
		if err == nil {
			ratio := u.wall.Seconds() / sorting.wall.Seconds()
			b.printf(" %14.2f\n", ratio)
			b.sum("assign 1,000,000 tags, "+what, "<= 1 s", fmt.Sprintf("%.2f s", u.wall.Seconds()), fmt.Sprintf("%.2f x sorting the names", ratio))
		}
		return err
	}
	if err := assign("first", partition.Options{}); err != nil {
		return err
	}
	for i := range items {
		items[i].Previous = last.Of[i]
		if i%newShare == 0 {
			items[i].Previous = -1
		}
	}
	if err := assign("again, 1% new", partition.Options{}); err != nil {
		return err
	}
	for i := range items {
		items[i].Weight = anyRate(r) // another plant, as far as balance goes
	}
	return assign("--rebalance", partition.Options{Rebalance: true})
}

// anyRate draws events an hour as plants have them: few tags bring most of the events.
func anyRate(r *rand.Rand) float64 {
	return max(1, min(36_000, math.Round(60*math.Exp(1.5*r.NormFloat64()))))
}

// A plant whose changes are planned.
const (
	changingTags       = 30_000
	changingPartitions = 10
	changingUnit       = 3000 // tags
	changingLeast      = 2000 // tags of a partition
)

// churn prints what becomes of a plan as the plant changes: each row is one
// change of the plant that was generated for.
func (b *bench) churn() error {
	dir, err := b.folder("balance")
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(b.seed, 12))
	base := make([]inventory.Tag, changingTags)
	for i := range base {
		base[i] = changingTag(r, i, i/changingUnit)
	}
	if err := writePlant(dir, base, changingPartitions); err != nil {
		return err
	}
	first, err := b.planned(dir)
	if err != nil {
		return err
	}
	if _, err := child(b.ctx, dir, b.program("bundlegen"), "generate"); err != nil {
		return err
	}
	fewest := first.Plan.Partitions[0].Tags
	for _, p := range first.Plan.Partitions {
		fewest = min(fewest, p.Tags)
	}
	b.title("1c. balance of %s tags in %d partitions as the plant changes", thousands(changingTags), changingPartitions)
	b.printf("%-42s %7s %7s %7s %8s %9s %9s\n", "a tenth of the rates unknown", "new", "gone", "moved", "has to", "max/mean", "before")
	print := func(what string, d planDocument, hasTo int) {
		least, balance := thousands(hasTo), d.Changes.Balance[0]
		if hasTo < 0 {
			least = ""
		}
		b.printf(
			"%-42s %7s %7s %7s %8s %9.4f %9.4f\n",
			what,
			thousands(d.Changes.Added),
			thousands(d.Changes.Removed),
			thousands(d.Changes.Moved),
			least,
			balance.After,
			balance.Before,
		)
	}
	print("first plan", first, 0)

	more, fewer := slices.Clone(base), slices.Clone(base)
	for i := range changingTags / newShare {
		more = append(more, changingTag(r, changingTags+i, r.IntN(changingPartitions)))
	}
	r.Shuffle(len(fewer), func(i, k int) { fewer[i], fewer[k] = fewer[k], fewer[i] })
	fewer = fewer[changingTags/newShare:]
	unit, busy := slices.Clone(base), slices.Clone(base)
	for i := range changingUnit {
		unit = append(unit, changingTag(r, changingTags+i, changingPartitions))
		busy[i].EventsPerHour *= 10
	}
	for _, c := range []struct {
		what       string
		tags       []inventory.Tag
		partitions int
		hasTo      int // tags move; negative: as many as evening out takes
		flags      []string
	}{
		{"1% new tags", more, changingPartitions, 0, nil},
		{"1% of the tags gone", fewer, changingPartitions, 0, nil},
		{"11 partitions instead of 10", base, changingPartitions + 1, changingLeast, nil},
		{"9 partitions instead of 10", base, changingPartitions - 1, fewest, nil},
		{"a unit of 3,000 tags more", unit, changingPartitions, 0, nil},
		{"  and --rebalance", unit, changingPartitions, -1, []string{"--rebalance"}},
		{"a unit 10 x as busy", busy, changingPartitions, 0, nil},
		{"  and --rebalance", busy, changingPartitions, -1, []string{"--rebalance"}},
	} {
		if err := writePlant(dir, c.tags, c.partitions); err != nil {
			return err
		}
		d, err := b.planned(dir, c.flags...)
		if err != nil {
			return err
		}
		print(c.what, d, c.hasTo)
		if c.hasTo >= 0 {
			b.sum("moved by "+c.what, "1.1 x least", thousands(d.Changes.Moved), "least "+thousands(c.hasTo))
		}
	}
	b.sum("greatest partition of a first plan", "<= 1.02", fmt.Sprintf("%.4f", first.Changes.Balance[0].After), "x the mean")
	return nil
}

// changingTag makes a tag of a unit, of known rate mostly.
func changingTag(r *rand.Rand, i, unit int) inventory.Tag {
	tag := inventory.Tag{Name: fmt.Sprintf("U%02d.FIC-%06d.PV", unit, i), PointID: int64(i + 1), EventsPerHour: anyRate(r)}
	if i%10 == 0 {
		tag.EventsPerHour = -1
	}
	return tag
}

// writePlant writes an inventory and a pipeline.yml of one site with so many partitions.
func writePlant(dir string, tags []inventory.Tag, partitions int) error {
	var y strings.Builder
	y.WriteString("version: 1\nname: plant\ncatalog: main\ninventory: inventory.csv\nsites:\n")
	y.WriteString("  - {name: plant-a, url: \"https://pi.example.com/piwebapi\", auth: {kind: anonymous}}\n")
	fmt.Fprintf(
		&y,
		"sizing: {min_tags: %d, target_tags: 3000, max_tags: 5000}\ntiers:\n  - {name: standard, every: 1h, partitions: %d}\n",
		changingLeast,
		partitions,
	)
	if err := os.WriteFile(filepath.Join(dir, "pipeline.yml"), []byte(y.String()), 0o600); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "inventory.csv"))
	if err != nil {
		return err
	}
	return errors.Join(inventory.Write(f, tags), f.Close())
}

// planDocument is the part of `plan --output json` that is printed here.
type planDocument struct {
	Plan struct {
		Partitions []struct {
			Tags int `json:"tags"`
		} `json:"partitions"`
	} `json:"plan"`
	Changes struct {
		Added   int `json:"added"`
		Removed int `json:"removed"`
		Moved   int `json:"moved"`
		Balance []struct {
			Before float64 `json:"skew_before"`
			After  float64 `json:"skew_after"`
		} `json:"balance"`
	} `json:"changes"`
}

// planned runs `bundlegen plan` in a folder.
func (b *bench) planned(dir string, flags ...string) (d planDocument, err error) {
	u, err := child(b.ctx, dir, b.program("bundlegen"), append([]string{"plan", "--output", "json"}, flags...)...)
	if err != nil {
		return d, err
	}
	err = json.NewDecoder(strings.NewReader(u.stdout)).Decode(&d)
	return d, err
}
