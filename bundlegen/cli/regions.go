package cli

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// load reads pipeline.yml and its regions: all of them, or the one that --region names.
func load(c *cli.Context) (*workflow.Project, error) {
	p, err := workflow.Load(c.String("config"))
	if err != nil {
		return nil, err
	}
	regions, want := p.Pipeline.Regions(), c.String("region")
	switch {
	case want == "":
	case len(regions) == 0:
		return nil, diag.WithHint(fmt.Errorf("--region %s, but no site of %s has a region", want, p.Pipeline.File),
			"leave --region out, or write region at the sites")
	case !slices.Contains(regions, want):
		return nil, commandline.NotAllowed(commandline.Typed(c, "region"), want, "the regions are those of the sites of "+p.Pipeline.File,
			regions)
	default:
		p.Only(want)
	}
	return p, nil
}

// planned reads the pipeline and plans each of its regions.
func planned(c *cli.Context, o workflow.Options) (*workflow.Project, error) {
	p, err := load(c)
	if err != nil {
		return nil, err
	}
	return p, planRegions(c, p, o)
}

// planRegions plans each region and prints notes.
func planRegions(c *cli.Context, p *workflow.Project, o workflow.Options) error {
	tuneForPlanning()
	notes, err := workflow.Plan(p, o)
	printNotes(c, notes)
	if p.LeftOver != "" {
		fmt.Fprint(c.App.ErrWriter, leftOver(p.LeftOver))
	}
	return err
}

// Planning a million tags allocates much and keeps most of it: collecting half
// as often saves a tenth of the time, and the limit keeps the process below 1 GiB.
const (
	planningGC     = 200       // percent
	planningMemory = 850 << 20 // bytes, from which on memory is collected eagerly
)

// tuneForPlanning sets the garbage collector for a command that plans, unless
// the environment does.
func tuneForPlanning() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(planningGC)
		debug.SetMemoryLimit(planningMemory)
	}
}

// oneRegion is an error where a command is about one bundle and there are several.
func oneRegion(parts []*workflow.Region, what string) error {
	if len(parts) == 1 {
		return nil
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.Name())
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

// leftOver is the warning about a bundle from before there were regions: its jobs, if
// deployed, would take the tags back.
func leftOver(dir string) string {
	return strings.Join([]string{
		"! " + dir + " is the bundle from before there were regions. Where it is deployed, its jobs and",
		"  those of the regions would take the tags from each other, though no event is lost.",
		"    databricks bundle destroy -t TARGET, in that folder; then delete it",
	}, "\n") + "\n"
}
