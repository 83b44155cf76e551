package workflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Load reads pipeline.yml and cuts it into regions. Nothing is planned yet.
func Load(file string) (*Project, error) {
	whole, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	p := &Project{Pipeline: whole}
	for _, name := range whole.Regions() {
		p.Regions = append(p.Regions, &Region{Config: whole.InRegion(name)})
	}
	if len(p.Regions) == 0 {
		p.Regions = []*Region{{Config: whole}}
	}
	return p, nil
}

// Options are the ways to plan.
type Options struct {
	Rebalance  bool // from scratch; moves tags
	Unmeasured bool // as if nothing had been calibrated
}

// Plan plans each region on top of the bundles that are there: it fills in
// LeftOver and each region's Previous, Plan and Changes. notes is what a person
// should know of the inputs, also where planning fails after they were read.
func Plan(p *Project, o Options) (notes []string, err error) {
	tags, notes, err := Inventory(p.Pipeline)
	if err != nil {
		return nil, err
	}
	there, err := readEarlier(p.Pipeline)
	if err != nil {
		return notes, err
	}
	p.LeftOver = there.leftOver(p.Pipeline)
	options := plan.Options{Rebalance: o.Rebalance, FirstID: there.nextID()}
	if !o.Unmeasured {
		if options.Calibration, err = Calibration(p.Pipeline); err != nil {
			return notes, err
		}
	}
	for _, r := range p.Regions {
		if err := r.plan(tagsOf(r, tags), there.of(r), options); err != nil {
			return notes, err
		}
		for _, part := range r.Plan.Partitions {
			options.FirstID = max(options.FirstID, part.ID+1)
		}
	}
	return notes, nil
}

// plan plans one region.
func (r *Region) plan(tags []inventory.Tag, previous *plan.Previous, o plan.Options) (err error) {
	if r.Plan, err = plan.Build(r.Config, tags, previous, o); err != nil {
		return err
	}
	if r.jobs, err = bundle.Jobs(r.Config, r.Plan); err != nil {
		return fmt.Errorf("%s: %w", r.Config.File, err)
	}
	r.Previous, r.Changes = previous, plan.Diff(previous, r.Plan)
	return nil
}

// Render makes a planned region's bundle in memory and compares it with the folder.
func Render(r *Region) (*bundle.Tree, []bundle.Difference, error) {
	tree, err := bundle.Render(r.Config, r.Plan, r.jobs)
	if err != nil {
		return nil, nil, err
	}
	differences, err := tree.Compare(r.Dir())
	return tree, differences, err
}

// Write writes the bundles of planned regions with their wheels, for a deployment.
// Nothing is written if one of them was edited by hand. tell is called with what takes
// a while.
func Write(ctx context.Context, regions []*Region, tell func(line string)) error {
	trees := make([]*bundle.Tree, len(regions))
	for i, r := range regions {
		var err error
		if trees[i], err = bundle.Render(r.Config, r.Plan, r.jobs); err != nil {
			return err
		}
		if err := refuseEdited(trees[i], r.Dir()); err != nil {
			return err
		}
	}
	for i, r := range regions {
		if err := trees[i].Write(r.Dir()); err != nil {
			return err
		}
		if err := ensureWheel(ctx, r, tell); err != nil {
			return err
		}
	}
	return nil
}

// Lint makes the checks of a bundle that the databricks CLI does not. The error
// names all faults.
func Lint(r *Region) error {
	findings, err := lint.Check(r.Dir())
	if err != nil || len(findings) == 0 {
		return err
	}
	faults := make([]error, len(findings))
	for i, f := range findings {
		faults[i] = f
	}
	return fmt.Errorf("the bundle has %s:\n%w", words.Plural(len(findings), "fault"), errors.Join(faults...))
}

// Validate has the databricks CLI validate a bundle strictly.
func Validate(ctx context.Context, ws deploy.CLI, r *Region, target string) error {
	return ws.Validate(ctx, r.Dir(), target)
}

// Preview validates each bundle and asks its workspace what a deployment would
// change. A region whose workspace fails stops no other: the error is of those
// that failed, next to the Rollout of the rest.
func Preview(ctx context.Context, ws deploy.CLI, regions []*Region, target string) (*Rollout, error) {
	out := &Rollout{Changes: map[*Region]deploy.Changes{}, regions: regions, target: target}
	err := Each(ctx, regions, func(r *Region) error {
		if err := Validate(ctx, ws, r, target); err != nil {
			return err
		}
		changes, err := ws.Plan(ctx, r.Dir(), target)
		if err == nil {
			out.Changes[r] = changes
		}
		return err
	})
	return out, err
}

// Deploy deploys just what was previewed: a workspace or a bundle that has changed
// since is an error. approved lets the CLI make changes that lose data.
func Deploy(ctx context.Context, ws deploy.CLI, r *Rollout, approved bool) error {
	return Each(ctx, r.regions, func(region *Region) error {
		changes, ok := r.Changes[region]
		if !ok {
			return nil // its preview has failed with an error of its own
		}
		return ws.Deploy(ctx, region.Dir(), r.target, approved, &changes)
	})
}

// Rollout is what a deployment would change.
type Rollout struct {
	Changes map[*Region]deploy.Changes // of the regions whose preview succeeded
	regions []*Region                  // all that were previewed
	target  string
}

// Any reports whether anything would change.
func (r *Rollout) Any() bool {
	for _, c := range r.Changes {
		if c.Any() {
			return true
		}
	}
	return false
}
