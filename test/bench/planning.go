package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// The inventory that is planned.
const (
	plannedSites = 200
	plannedTags  = 5000 // of each site
	newShare     = 100  // one new tag for so many
)

// planning measures plan and generate of a million tags: for the first time,
// and with a bundle that is there and 1% of new tags at random places.
func (b *bench) planning() error {
	dir, err := b.folder("plan")
	if err != nil {
		return err
	}
	tags := manyTags(rand.New(rand.NewPCG(b.seed, 1)))
	if err := writeMillion(dir, tags); err != nil {
		return err
	}
	read, err := here(func() error { return readCSV(filepath.Join(dir, "inventory.csv")) })
	if err != nil {
		return err
	}
	b.title("1. plan and generate of %s tags of %d sites", thousands(len(tags)), plannedSites)
	b.printf("%-36s %8s %8s %10s %14s\n", "", "wall", "CPU", "memory", "x encoding/csv")
	b.printf("%-36s %7.2fs %7.2fs %10s %14s\n", "reading the CSV by encoding/csv", read.wall.Seconds(), read.cpu.Seconds(), "", "1.00")

	first, err := b.planAndGenerate(dir, "first", read)
	if err != nil {
		return err
	}
	// The inventory of later is as a later discovery leaves it: another order, and new tags among the old.
	more := len(tags) / newShare
	r := rand.New(rand.NewPCG(b.seed, 2))
	for i := range more {
		at := r.IntN(len(tags))
		tags = append(
			tags,
			inventory.Tag{
				Site:          tags[at].Site,
				Name:          fmt.Sprintf("%s.NEW%d", tags[at].Name, i),
				WebID:         webID(len(tags)),
				PointType:     "Float32",
				EventsPerHour: -1,
				PointID:       int64(len(tags) + 1),
			},
		)
	}
	r.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	if err := writeMillion(dir, tags); err != nil {
		return err
	}
	moved, added, err := b.moved(dir)
	if err != nil {
		return err
	}
	if added != more {
		return fmt.Errorf("%d tags are new, and the plan says %d", more, added)
	}
	again, err := b.planAndGenerate(dir, "again, 1% new", read)
	if err != nil {
		return err
	}
	b.printf("tags that the %s new ones moved: %s\n", thousands(added), thousands(moved))
	sum := func(u [2]usage) float64 { return (u[0].wall + u[1].wall).Seconds() }
	ratio := func(u [2]usage) float64 { return sum(u) / read.wall.Seconds() }
	rss := max(first[0].rss, first[1].rss, again[0].rss, again[1].rss)
	b.sum(
		"plan + generate, 1,000,000 tags, first",
		"<= 3 s",
		fmt.Sprintf("%.2f s", sum(first)),
		fmt.Sprintf("%.1f x encoding/csv", ratio(first)),
	)
	b.sum("plan + generate, again with 1% new", "<= 3 s", fmt.Sprintf("%.2f s", sum(again)), fmt.Sprintf("%.1f x encoding/csv", ratio(again)))
	b.sum("  most memory", "<= 1 GiB", mib(rss), fmt.Sprintf("%.2f of it", float64(rss)/(1<<30)))
	b.sum("  tags moved by the new ones", "0", thousands(moved), "")
	return nil
}

func (b *bench) planAndGenerate(dir, when string, read usage) (out [2]usage, err error) {
	for i, command := range []string{"plan", "generate"} {
		if out[i], err = child(b.ctx, dir, b.program("bundlegen"), command); err != nil {
			return out, err
		}
		u := out[i]
		b.printf(
			"%-36s %7.2fs %7.2fs %10s %14.2f\n",
			command+", "+when,
			u.wall.Seconds(),
			u.cpu.Seconds(),
			mib(u.rss),
			u.wall.Seconds()/read.wall.Seconds(),
		)
	}
	return out, nil
}

// moved asks the plan how many tags change their partition, and how many are new.
func (b *bench) moved(dir string) (moved, added int, err error) {
	d, err := b.planned(dir)
	return d.Changes.Moved, d.Changes.Added, err
}

// manyTags makes an inventory as discovery leaves it, in no order.
func manyTags(r *rand.Rand) []inventory.Tag {
	types := []string{"Float32", "Float32", "Float64", "Int32", "Digital", "String"}
	units := []string{"bar", "degC", "t/h", "%", ""}
	tags := make([]inventory.Tag, 0, plannedSites*plannedTags)
	for s := range plannedSites {
		for range plannedTags {
			i := len(tags)
			tags = append(tags, inventory.Tag{
				Site: siteName(s), Name: fmt.Sprintf("P%03d.U%d.FIC-%07d.PV", s, i%8, i), WebID: webID(i), PointType: types[r.IntN(len(types))],
				Units: units[r.IntN(len(units))], Descriptor: "Signal at boiler feed", EventsPerHour: float64(r.IntN(720)), PointID: int64(i + 1),
			})
		}
	}
	r.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	return tags
}

func siteName(n int) string { return fmt.Sprintf("plant-%03d", n) }

func webID(n int) string { return fmt.Sprintf("I1DPzlaXHN41WJdaw4mjDDsDYw%08X", n) }

// writeMillion writes the inventory and a pipeline.yml with its sites.
func writeMillion(dir string, tags []inventory.Tag) error {
	var y strings.Builder
	y.WriteString("version: 1\nname: million\ncatalog: main\ninventory: inventory.csv\nsites:\n")
	for s := range plannedSites {
		fmt.Fprintf(
			&y,
			"  - {name: %s, url: \"https://pi-%d.example.com/piwebapi\", auth: {kind: basic, username: svc, password: {env: PI_PASSWORD_%d, secret: pi/p%d}}}\n",
			siteName(s),
			s,
			s,
			s,
		)
	}
	y.WriteString("tiers:\n  - {name: standard, every: 1h}\n")
	if err := os.WriteFile(filepath.Join(dir, "pipeline.yml"), []byte(y.String()), 0o600); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "inventory.csv"))
	if err != nil {
		return err
	}
	return errors.Join(inventory.Write(f, slices.Clone(tags)), f.Close())
}

// readCSV reads a file by the standard library, keeping nothing: the yardstick.
func readCSV(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	for {
		if _, err := r.Read(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
