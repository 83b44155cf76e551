package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/calibration"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// earlier are the existing bundles of a pipeline, by folder.
type earlier map[string]*plan.Previous

// readEarlier reads the existing bundles of a pipeline: of all its regions, and the
// one without regions.
func readEarlier(whole *config.Pipeline) (earlier, error) {
	folders := []string{whole.BundleDir()}
	for _, r := range whole.Regions() {
		folders = append(folders, whole.InRegion(r).BundleDir())
	}
	all := earlier{}
	for _, dir := range folders {
		previous, err := plan.ReadPrevious(dir)
		if err != nil {
			return nil, err
		}
		all[dir] = previous
	}
	return all, nil
}

// of returns what the plan of a region is built on: its own bundle, and what the
// others hold about sites that are new in it.
func (e earlier) of(r *Region) *plan.Previous {
	if r.Name() == "" {
		return e[r.Dir()]
	}
	var sites []string
	for _, s := range r.Config.Sites {
		sites = append(sites, s.Name)
	}
	var others []*plan.Previous
	for _, dir := range slices.Sorted(maps.Keys(e)) {
		if dir != r.Dir() {
			others = append(others, e[dir])
		}
	}
	return plan.Join(e[r.Dir()], sites, others...)
}

// nextID returns the smallest id that no partition of any bundle has.
func (e earlier) nextID() int {
	next := 0
	for _, previous := range e {
		next = max(next, plan.NextID(previous))
	}
	return next
}

// leftOver returns the folder of a bundle from before there were regions; "" = none.
func (e earlier) leftOver(whole *config.Pipeline) string {
	if len(whole.Regions()) == 0 || e[whole.BundleDir()] == nil {
		return ""
	}
	return whole.BundleDir()
}

// Calibration reads the measured constants that a pipeline's plans rest on; nil
// where there are none, which is an error only if pipeline.yml names a file.
func Calibration(cfg *config.Pipeline) (*plan.Calibration, error) {
	path, named := cfg.CalibrationPath()
	c, err := calibration.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && named:
		return nil, diag.WithHint(fmt.Errorf("%s: calibration: %w", cfg.File, err),
			"bundlegen calibrate writes it; leave the key out until then")
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	name := CalibrationName(cfg)
	return &plan.Calibration{File: name, Constants: c.Overrides(name)}, nil
}

// CalibrationName is what reports call the file of measured constants.
func CalibrationName(cfg *config.Pipeline) string {
	if cfg.Calibration != "" {
		return cfg.Calibration
	}
	return config.CalibrationFile
}
