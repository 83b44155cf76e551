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
	"github.com/bundlegen/bundlegen/internal/yamlread"
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

const emptyHint = "`bundlegen init --server URL` writes a commented pipeline.yml"

// read makes a Pipeline of a file's content.
func read(data []byte, file string) (*Pipeline, error) {
	o := yamlread.Read(data, file, "a mapping that begins with version: 1", emptyHint)
	if o.Node == nil {
		return nil, o.Err()
	}
	p := &Pipeline{File: file, Dir: "."}
	if !readVersion(o, p) {
		return nil, o.Err()
	}
	p.Name = o.Required("name", nameRule)
	p.Catalog = o.Required("catalog", catalogRule)
	p.Inventory = o.Text("inventory", "inventory.csv", pathRule)
	p.Output = o.Text("output", "bundles", outputRule)
	p.Targets = readTargets(o)
	p.Compute = readCompute(o, p.Targets)
	p.Sites = readSites(o, p.Compute.Cloud)
	p.places = placesOf(o, p.Sites)
	p.Sizing = readSizing(o.Mapping("sizing"), Sizing{MinTags: 2000, TargetTags: 3000, MaxTags: 5000, TagsPerWorker: 1000})
	p.Tiers = readTiers(o, p.Sizing)
	checkContinuousCompute(o, p)
	checkTasks(o, p.Tiers)
	p.Extract = readExtract(o.Mapping("extract"))
	p.Monitoring = readMonitoring(o.Mapping("monitoring"))
	p.Prices = readPrices(o.Mapping("prices"))
	p.Forecast = readForecast(o.Mapping("forecast"))
	p.Calibration = o.Text("calibration", "", calibrationRule)
	checkRegions(o, p)
	checkWarehouses(o, p)
	o.Done()
	if err := o.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// readVersion tells whether the file is of a version that this program reads.
// What else is wrong with one of another version would only mislead.
func readVersion(o *yamlread.Mapping, p *Pipeline) bool {
	n := o.Take("version")
	if n == nil {
		o.Missing("version", "write version: 1 as the first line")
		return true
	}
	switch v, ok := n.Int(); {
	case ok && v > Version:
		o.AddProblem(n, diag.Problem{Value: fmt.Sprint(v), Text: fmt.Sprintf("version: %d is newer than this program", v),
			Allowed: fmt.Sprint(Version), Hint: "upgrade bundlegen"})
		return false
	case !ok || v != Version:
		o.Wrong(n, "version", fmt.Sprint(Version), fmt.Sprintf("write version: %d", Version))
	}
	p.Version = Version
	return true
}

// readSizing reads how tags become partitions; what is absent is as in def.
func readSizing(o *yamlread.Mapping, def Sizing) Sizing {
	const most = 1_000_000
	before := o.Count()
	s := Sizing{
		MinTags:       o.Int("min_tags", def.MinTags, 1, most),
		TargetTags:    o.Int("target_tags", def.TargetTags, 1, most),
		MaxTags:       o.Int("max_tags", def.MaxTags, 1, most),
		TagsPerWorker: o.Int("tags_per_worker", def.TagsPerWorker, 1, most),
	}
	o.Done()
	if o.Count() == before && (s.MinTags > s.TargetTags || s.TargetTags > s.MaxTags) {
		at := "target_tags"
		if !o.Has(at) {
			at = "max_tags"
			if s.MinTags > s.TargetTags && o.Has("min_tags") {
				at = "min_tags"
			}
		}
		o.AddProblem(o.At(at), diag.Problem{Text: fmt.Sprintf("%s: min_tags %d, target_tags %d, max_tags %d", o.Path, s.MinTags, s.TargetTags, s.MaxTags),
			Allowed: "min_tags <= target_tags <= max_tags",
			Hint:    fmt.Sprintf("give all three; those left out are %d, %d and %d", def.MinTags, def.TargetTags, def.MaxTags)})
	}
	return s
}

func readExtract(o *yamlread.Mapping) Extract {
	defer o.Done()
	return Extract{
		Backfill:  o.Duration("backfill", time.Hour, 0, 36500*day),
		Settle:    o.Duration("settle", 30*time.Second, 0, day),
		MaxWindow: o.Duration("max_window", 6*time.Hour, time.Minute, 366*day),
		FailAbove: o.Number("fail_above", 0.05, 0, 1),
	}
}

func readMonitoring(o *yamlread.Mapping) Monitoring {
	defer o.Done()
	return Monitoring{
		Warehouse:       o.Text("warehouse", "", idRule),
		Emails:          o.Texts("emails", 100, emailRule),
		Webhooks:        o.Texts("webhooks", 3, destinationRule), // as many as a job takes
		MinCompleteness: o.Number("min_completeness", 0.99, 0, 1),
	}
}

// readPrices reads the prices that replace those of the program, by its keys.
func readPrices(o *yamlread.Mapping) map[string]float64 {
	entries := o.Entries(1000)
	if len(entries) == 0 {
		return nil
	}
	prices := make(map[string]float64, len(entries))
	for _, e := range entries {
		if !priceRule.OK(e.Key) {
			o.AddProblem(e.Place(), diag.Problem{Value: e.Key, Text: "prices: key " + yamlread.Quote(e.Key),
				Allowed: priceRule.Allowed, Hint: priceRule.Hint})
			continue
		}
		prices[e.Key] = o.Number(e.Key, 0, 0, 1_000_000)
	}
	return prices
}

// readForecast reads the constants of the forecast that replace the program's.
func readForecast(o *yamlread.Mapping) map[string]float64 {
	defer o.Done()
	values := map[string]float64{}
	for _, c := range constants.Defaults() {
		if v := o.Number(c.Name, c.Value, c.Least, c.Most); o.Node.Get(c.Name) != nil {
			values[c.Name] = v
		}
	}
	if len(values) == 0 {
		return nil
	}
	return values
}
