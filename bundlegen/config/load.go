package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
)

// maxFile is the largest pipeline.yml that is read, in bytes: thousands of
// sites take less.
const maxFile = 1 << 20

const day = 24 * time.Hour

// Load reads a pipeline.yml, checks it and fills in every default. It looks at
// no environment variable and at no other file. The error is a *diag.List: all
// that is wrong, in order of position, and never a secret that someone wrote
// into the file.
func Load(path string) (*Pipeline, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	p, err := read(data, path)
	if err != nil {
		return nil, err
	}
	p.Dir = filepath.Dir(path)
	return p, nil
}

func readFile(path string) ([]byte, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fileProblem(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileProblem(path, err)
	}
	if len(data) > maxFile {
		return nil, diag.Problem{File: path, Text: fmt.Sprintf("larger than %d MiB", maxFile>>20),
			Allowed: "a pipeline.yml of at most that", Hint: "tags belong into the inventory, a CSV"}
	}
	return data, nil
}

func fileProblem(path string, err error) error {
	p := diag.Problem{File: path, Text: err.Error(), Hint: "look at the file's permissions, or name another with -c"}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		p.Text = "cannot be read: " + pe.Err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		p.Text = "there is no such file"
		p.Hint = "`bundlegen init --server URL` writes one; -c names another"
	}
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		p.Text = "is a folder"
		p.Hint = "name the file: -c " + filepath.Join(path, "pipeline.yml")
	}
	return p
}

// read makes a Pipeline of a file's content.
func read(data []byte, file string) (*Pipeline, error) {
	ps := &problems{file: file}
	root := parse(data, ps)
	if root == nil || root.Kind != Map {
		if root != nil {
			ps.note(root, diag.Problem{Text: "the file is " + root.Kind.String(), Allowed: "a mapping that begins with version: 1", Hint: emptyHint})
		}
		return nil, ps.err()
	}
	o := &object{problems: ps, node: root}
	p := &Pipeline{File: file, Dir: "."}
	if !readVersion(o, p) {
		return nil, ps.err()
	}
	p.Name = o.need("name", nameRule)
	p.Catalog = o.need("catalog", catalogRule)
	p.Inventory = o.text("inventory", "inventory.csv", pathRule)
	p.Output = o.text("output", "bundles", outputRule)
	p.Targets = readTargets(o)
	p.Compute = readCompute(o, p.Targets)
	p.Sites = readSites(o, p.Compute.Cloud)
	p.places = placesOf(o, p.Sites)
	p.Sizing = readSizing(o.object("sizing"), Sizing{MinTags: 2000, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000})
	p.Tiers = readTiers(o, p.Sizing)
	checkContinuousCompute(o, p)
	checkTasks(o, p.Tiers)
	p.Extract = readExtract(o.object("extract"))
	p.Monitoring = readMonitoring(o.object("monitoring"))
	p.Prices = readPrices(o.object("prices"))
	p.Forecast = readForecast(o.object("forecast"))
	p.Calibration = o.text("calibration", "", calibrationRule)
	checkRegions(o, p)
	checkWarehouses(o, p)
	o.done()
	if err := ps.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// readVersion tells whether the file is of a version that this program reads.
// What else is wrong with one of another version would only mislead.
func readVersion(o *object, p *Pipeline) bool {
	n := o.take("version")
	if n == nil {
		o.missing("version", "write version: 1 as the first line")
		return true
	}
	switch v, ok := n.int(); {
	case ok && v > Version:
		o.note(n, diag.Problem{Value: fmt.Sprint(v), Text: fmt.Sprintf("version: %d is newer than this program", v),
			Allowed: fmt.Sprint(Version), Hint: "upgrade bundlegen"})
		return false
	case !ok || v != Version:
		o.wrong(n, "version", fmt.Sprint(Version), fmt.Sprintf("write version: %d", Version))
	}
	p.Version = Version
	return true
}

// readSizing reads how tags become partitions; what is absent is as in def.
func readSizing(o *object, def Sizing) Sizing {
	const most = 1_000_000
	before := len(o.list)
	s := Sizing{
		MinTags:       o.int("min_tags", def.MinTags, 1, most),
		TargetTags:    o.int("target_tags", def.TargetTags, 1, most),
		MaxTags:       o.int("max_tags", def.MaxTags, 1, most),
		TagsPerWorker: o.int("tags_per_worker", def.TagsPerWorker, 1, most),
	}
	o.done()
	if len(o.list) == before && (s.MinTags > s.TargetTags || s.TargetTags > s.MaxTags) {
		at := "target_tags"
		if !o.has(at) {
			at = "max_tags"
			if s.MinTags > s.TargetTags && o.has("min_tags") {
				at = "min_tags"
			}
		}
		o.note(o.at(at), diag.Problem{Text: fmt.Sprintf("%s: min_tags %d, target_tags %d, max_tags %d", o.path, s.MinTags, s.TargetTags, s.MaxTags),
			Allowed: "min_tags <= target_tags <= max_tags",
			Hint:    fmt.Sprintf("give all three; those left out are %d, %d and %d", def.MinTags, def.TargetTags, def.MaxTags)})
	}
	return s
}

func readExtract(o *object) Extract {
	defer o.done()
	return Extract{
		Backfill:  o.duration("backfill", time.Hour, 0, 36500*day),
		Settle:    o.duration("settle", 30*time.Second, 0, day),
		MaxWindow: o.duration("max_window", 6*time.Hour, time.Minute, 366*day),
		FailAbove: o.number("fail_above", 0.05, 0, 1),
	}
}

func readMonitoring(o *object) Monitoring {
	defer o.done()
	return Monitoring{
		Warehouse:       o.text("warehouse", "", idRule),
		Emails:          o.texts("emails", 100, emailRule),
		Webhooks:        o.texts("webhooks", 3, destinationRule), // as many as a job takes
		MinCompleteness: o.number("min_completeness", 0.99, 0, 1),
	}
}

// readPrices reads the prices that replace those of the program, by its keys.
func readPrices(o *object) map[string]float64 {
	entries := o.entries(1000)
	if len(entries) == 0 {
		return nil
	}
	prices := make(map[string]float64, len(entries))
	for _, e := range entries {
		if !priceRule.ok(e.Key) {
			o.noteAt(diag.Problem{Line: e.Line, Column: e.Column, Value: e.Key, Text: "prices: key " + quote(e.Key),
				Allowed: priceRule.allowed, Hint: priceRule.hint})
			continue
		}
		prices[e.Key] = o.number(e.Key, 0, 0, 1_000_000)
	}
	return prices
}

// readForecast reads the constants of the forecast that replace the program's.
func readForecast(o *object) map[string]float64 {
	defer o.done()
	values := map[string]float64{}
	for _, c := range constants.Defaults() {
		if v := o.number(c.Name, c.Value, c.Least, c.Most); o.node.Get(c.Name) != nil {
			values[c.Name] = v
		}
	}
	if len(values) == 0 {
		return nil
	}
	return values
}
