package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// part is the pipeline of one bundle.
type part struct{ cfg *config.Pipeline }

// dir is the bundle's folder.
func (p part) dir() string { return p.cfg.BundleDir() }

func (p part) region() string { return p.cfg.Region }

// loadParts reads pipeline.yml and gives the pipeline of each bundle that the
// command is about: one for each region of the sites, or the one that --region
// names; the pipeline itself where sites have no region.
func loadParts(c *cli.Context) (whole *config.Pipeline, parts []part, err error) {
	whole, err = config.Load(c.String("config"))
	if err != nil {
		return nil, nil, err
	}
	regions, want := whole.Regions(), c.String("region")
	switch {
	case want != "" && len(regions) == 0:
		return nil, nil, diag.WithHint(fmt.Errorf("--region %s, but no site of %s has a region", want, whole.File),
			"leave --region out, or write region at the sites")
	case want != "" && !slices.Contains(regions, want):
		return nil, nil, notAllowed(typed(c, "region"), want, "the regions are those of the sites of "+whole.File, regions)
	case want != "":
		regions = []string{want}
	case len(regions) == 0:
		return whole, []part{{whole}}, nil
	}
	for _, r := range regions {
		parts = append(parts, part{whole.InRegion(r)})
	}
	return whole, parts, nil
}

// earlier is the bundles that are there of a pipeline, by the folder that each has.
type earlier map[string]*plan.Previous

// readEarlier reads the bundles of a pipeline: of all its regions, and the one that
// it has, or had, without regions.
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

// of gives what the plan of a part is built on: its own bundle, and what the others
// say of sites that are new in it.
func (e earlier) of(p part) *plan.Previous {
	if p.region() == "" {
		return e[p.dir()]
	}
	var sites []string
	for _, s := range p.cfg.Sites {
		sites = append(sites, s.Name)
	}
	var others []*plan.Previous
	for _, dir := range slices.Sorted(maps.Keys(e)) {
		if dir != p.dir() {
			others = append(others, e[dir])
		}
	}
	return plan.Join(e[p.dir()], sites, others...)
}

// nextID gives the least id that no partition of any bundle has.
func (e earlier) nextID() int {
	next := 0
	for _, previous := range e {
		next = max(next, plan.NextID(previous))
	}
	return next
}

// tagsOf gives the tags of a part's sites.
func tagsOf(p part, all []inventory.Tag) []inventory.Tag {
	if p.region() == "" {
		return all
	}
	there := map[string]bool{}
	for _, s := range p.cfg.Sites {
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

// inEach does something for each bundle, also where it failed for another, so that
// a workspace that is down stops no other region. Errors say which region they are of.
func inEach[T interface{ region() string }](c *cli.Context, parts []T, do func(T) error) error {
	var all []error
	for _, p := range parts {
		err := do(p)
		if c.Context.Err() != nil {
			return err
		}
		if err != nil && len(parts) > 1 {
			err = fmt.Errorf("region %s: %w", p.region(), err)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// oneRegion refuses several bundles where a command is about one.
func oneRegion[T interface{ region() string }](parts []T, what string) error {
	if len(parts) == 1 {
		return nil
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.region())
	}
	return diag.WithHint(fmt.Errorf("%s is about one bundle, and there is one for each region: %s", what, strings.Join(names, ", ")),
		"--region %s", names[0])
}

// withRegion repeats --region in a next command where it was given.
func withRegion(c *cli.Context) string {
	if c.String("region") == "" {
		return ""
	}
	return " --region " + c.String("region")
}

// leftOver says of a bundle without regions that is still there beside those of
// regions: its jobs, if they are deployed, would take the tags back.
func leftOver(whole *config.Pipeline, e earlier) string {
	if len(whole.Regions()) == 0 || e[whole.BundleDir()] == nil {
		return ""
	}
	return strings.Join([]string{
		"! " + whole.BundleDir() + " is the bundle from before there were regions. Where it is deployed, its jobs and",
		"  those of the regions would take the tags from each other, though no event is lost.",
		"    databricks bundle destroy -t TARGET, in that folder; then delete it",
	}, "\n") + "\n"
}
