package workflow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Project is a pipeline.yml with the regions that a command is about.
type Project struct {
	Pipeline *config.Pipeline // of all regions
	Regions  []*Region        // one without a name where the sites have none
	LeftOver string           // after Plan: the folder of a bundle from before there were regions; "" = none
}

// Only keeps one region, which must be one of Pipeline.Regions.
func (p *Project) Only(region string) {
	p.Regions = []*Region{{Config: p.Pipeline.InRegion(region)}}
}

// Region is one bundle: its part of pipeline.yml and, after Plan, what is planned
// for it.
type Region struct {
	Config   *config.Pipeline
	Previous *plan.Previous // the existing bundle; nil = none
	Plan     *plan.Plan
	Changes  *plan.Changes
	jobs     bundle.File // rendered with the plan, which they may be too large for
}

// Name returns the region's name; "" where there is one bundle for all sites.
func (r *Region) Name() string { return r.Config.Region }

// Dir returns the bundle's folder.
func (r *Region) Dir() string { return r.Config.BundleDir() }

// Exists checks that a pipeline's bundle exists.
func Exists(cfg *config.Pipeline) error {
	if _, err := os.Stat(filepath.Join(cfg.BundleDir(), "databricks.yml")); errors.Is(err, fs.ErrNotExist) {
		return diag.WithHint(fmt.Errorf("there is no bundle in %s", cfg.BundleDir()), "bundlegen generate")
	}
	return bundle.Own(cfg.BundleDir())
}

// OwnWorkspaces refuses regions of a production target that would be deployed to
// whichever workspace the environment names.
func OwnWorkspaces(regions []*Region, target string) error {
	for _, r := range regions {
		for _, t := range r.Config.Targets {
			if t.Name == target && t.Production && t.Host == "" && len(r.Config.Elsewhere) > 0 {
				return diag.WithHint(fmt.Errorf("%s: targets.%s says no workspace for region %s; allowed: one for each region",
					r.Config.File, target, r.Name()),
					"targets: {%s: {regions: {%s: {host: https://…}}}}", target, r.Name())
			}
		}
	}
	return nil
}

// Choices returns how each tier of the plan could also run.
func (r *Region) Choices() ([][]plan.Choice, error) {
	var all [][]plan.Choice
	for _, tier := range r.Plan.Tiers {
		choices, err := r.Plan.Choices(r.Config, tier.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, choices)
	}
	return all, nil
}

// Each calls do for each region, also after it failed for another, so that a workspace
// that is down stops no other region. Errors name their region.
func Each(ctx context.Context, regions []*Region, do func(*Region) error) error {
	var all []error
	for _, r := range regions {
		err := do(r)
		if ctx.Err() != nil {
			return err
		}
		if err != nil && len(regions) > 1 {
			err = fmt.Errorf("region %s: %w", r.Name(), err)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// tagsOf returns the tags of a region's sites.
func tagsOf(r *Region, all []inventory.Tag) []inventory.Tag {
	if r.Name() == "" {
		return all
	}
	there := map[string]bool{}
	for _, s := range r.Config.Sites {
		there[s.Name] = true
	}
	var out []inventory.Tag
	for _, t := range all {
		if there[t.Site] {
			out = append(out, t)
		}
	}
	return out
}
