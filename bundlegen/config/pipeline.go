package config

import (
	"cmp"
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

// Version is the version of pipeline.yml that this program reads and writes.
const Version = 1

// CalibrationFile is the file of measured constants beside pipeline.yml, unless
// `calibration` names another.
const CalibrationFile = "calibration.json"

// Pipeline is a pipeline.yml with all defaults filled in.
type Pipeline struct {
	Version    int    `key:"-"`
	Name       string // letters, digits, _ and -: job names and resource keys are made of it
	Catalog    string
	Inventory  string `key:"-"` // as written: relative to Dir
	Output     string `key:"-"` // folder of emitted bundles, as written: relative to Dir; the bundle is Output/Name
	Sites      []Site
	Sizing     Sizing
	Tiers      []Tier // at least one; the first is the default tier
	Extract    Extract
	Compute    Compute
	Targets    []Target // in the file's order; dev and prod if the file names none
	Monitoring Monitoring
	Prices     map[string]float64 `key:"-"` // overrides, by the key of the price table: cloud/what, cloud/node type, cloud/node type/dbu

	Forecast    map[string]float64 `json:",omitempty"` // overrides of the forecast's constants, by their names
	Calibration string             `json:"-" key:"-"`  // measured constants, as written: relative to Dir; "" = CalibrationFile, if it is there

	Region    string   `json:",omitempty"`                              // the one that InRegion has cut out; "" = all
	Elsewhere []string `json:",omitempty" key:"sites of other regions"` // names of the sites of other regions, where Region is set

	File string `key:"-"` // pipeline.yml itself, as given on the command line
	Dir  string `key:"-"` // its folder: what relative paths are relative to

	places map[string]string // see Place
}

// Extract is how events are read.
type Extract struct {
	Backfill  time.Duration // 1h: where a tag without a watermark starts
	Settle    time.Duration // 30s: how long the newest events are left alone
	MaxWindow time.Duration // 6h: the most of a tag that one batch reads
	FailAbove float64       // 0.05
}

// Monitoring is who is told, and by what.
type Monitoring struct {
	Warehouse       string // id of the SQL warehouse that asks for alerts and the dashboard, unless a target has its own; "" = none of both
	Emails          []string
	Webhooks        []string // notification destination ids
	MinCompleteness float64  // 0.99: validate fails below it
}

// Path returns a path of the file as seen from the working directory.
func (p *Pipeline) Path(written string) string {
	if filepath.IsAbs(written) {
		return written
	}
	return filepath.Join(p.Dir, written)
}

// Place returns where pipeline.yml names a file of a site, as file:line:column; key
// is tls.ca_file or auth.krb5_conf. Without that key it is the file alone. Key points
// is the site itself.
func (p *Pipeline) Place(site, key string) string {
	if place := p.places[site+" "+key]; place != "" {
		return place
	}
	return p.File
}

// InventoryPath returns the inventory's path as seen from the working directory.
func (p *Pipeline) InventoryPath() string { return p.Path(p.Inventory) }

// CalibrationPath returns the path of the measured constants as seen from the
// working directory. It need not be there unless pipeline.yml names it.
func (p *Pipeline) CalibrationPath() (path string, named bool) {
	if p.Calibration == "" {
		return p.Path(CalibrationFile), false
	}
	return p.Path(p.Calibration), true
}

// BundleDir returns the emitted bundle's folder as seen from the working directory.
func (p *Pipeline) BundleDir() string { return filepath.Join(p.Path(p.Output), p.Name) }

// CatalogOf returns the catalog that a target's tables are in.
func (p *Pipeline) CatalogOf(t Target) string { return cmp.Or(t.Catalog, p.Catalog) }

// WarehouseOf returns the id of the SQL warehouse that reads a target's tables; ""
// where there is none.
func (p *Pipeline) WarehouseOf(t Target) string { return cmp.Or(t.Warehouse, p.Monitoring.Warehouse) }

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
	return readPipeline(yamlread.Read(data, file, "a mapping that begins with version: 1", emptyHint))
}

func readPipeline(o *yamlread.Mapping) (*Pipeline, error) {
	if o.Node == nil {
		return nil, o.Err()
	}
	p := &Pipeline{File: o.File, Dir: "."}
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

// readVersion reports whether the file is of a version that this program reads.
// What else is wrong with one of another version would only mislead.
func readVersion(o *yamlread.Mapping, p *Pipeline) bool {
	o.Note("version", yamlread.Key{Type: yamlread.TypeInt, Allowed: fmt.Sprint(Version), Min: Version, Max: Version, Required: true})
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
		if v := o.Number(c.Name, c.Value, c.Min, c.Max); o.Node.Get(c.Name) != nil {
			values[c.Name] = v
		}
	}
	if len(values) == 0 {
		return nil
	}
	return values
}
