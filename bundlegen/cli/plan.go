package cli

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// planned is the pipeline of one bundle with its plan and what it changes: where
// plan, generate and deploy begin.
type planned struct {
	part
	previous *plan.Previous // nil: there is no bundle
	plan     *plan.Plan
	changes  *plan.Changes
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

// makePlans reads the pipeline, its inventory, what was calibrated and the bundles
// that are there, and plans each bundle.
func makePlans(c *cli.Context) ([]*planned, error) { return makePlansWith(c, readCalibration) }

// makePlansWith plans each bundle on what measured gives of a pipeline.
func makePlansWith(c *cli.Context, measured func(*config.Pipeline) (*plan.Calibration, error)) ([]*planned, error) {
	whole, parts, err := loadParts(c)
	if err != nil {
		return nil, err
	}
	return plansOf(c, whole, parts, measured)
}

// plansOf plans the bundle of each part of a pipeline.
func plansOf(c *cli.Context, whole *config.Pipeline, parts []part, measured func(*config.Pipeline) (*plan.Calibration, error)) ([]*planned, error) {
	tuneForPlanning()
	tags, notes, err := loadInventory(whole)
	if err != nil {
		return nil, err
	}
	printNotes(c, notes)
	before, err := readEarlier(whole)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(c.App.ErrWriter, leftOver(whole, before))
	calibration, err := measured(whole)
	if err != nil {
		return nil, err
	}
	return planAll(parts, tags, before, plan.Options{Rebalance: c.Bool("rebalance"), Calibration: calibration})
}

// planAll plans each of the bundles on top of those that are there.
func planAll(parts []part, tags []inventory.Tag, before earlier, options plan.Options) ([]*planned, error) {
	options.FirstID = before.nextID()
	var all []*planned
	for _, part := range parts {
		p, err := makePlan(part, tagsOf(part, tags), before.of(part), options)
		if err != nil {
			return nil, err
		}
		for _, partition := range p.plan.Partitions {
			options.FirstID = max(options.FirstID, partition.ID+1)
		}
		all = append(all, p)
	}
	return all, nil
}

// makePlan plans one bundle on top of what was there before.
func makePlan(of part, tags []inventory.Tag, previous *plan.Previous, options plan.Options) (*planned, error) {
	p, err := plan.Build(of.cfg, tags, previous, options)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckRequests(of.cfg, p); err != nil {
		return nil, fmt.Errorf("%s: %w", of.cfg.File, err)
	}
	return &planned{part: of, previous: previous, plan: p, changes: plan.Diff(previous, p)}, nil
}

var rebalanceFlag = &cli.BoolFlag{Name: "rebalance", Usage: "rebalance from scratch; moves tags"}

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "previews partitions, compute, time, cost and changes; writes nothing",
		Flags: []cli.Flag{
			configFlag, regionFlag, rebalanceFlag,
			outputFlag("text, json, markdown, or html: one page that works offline", "text", "json", "markdown", "html"),
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 when generate would change something"},
			&cli.BoolFlag{Name: "all", Usage: "list every partition and every changed tag"},
		},
		Action: func(c *cli.Context) error {
			format, err := outputFormat(c, "the plan")
			if err != nil {
				return err
			}
			all, err := makePlans(c)
			if err != nil {
				return err
			}
			if err := show(c, format, all); err != nil || !c.Bool("detailed-exitcode") {
				return err
			}
			for _, p := range all {
				if err := p.exitCode(); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// show prints the plans of all bundles, one after the other; as JSON they are one
// document. The next command stands behind the last.
func show(c *cli.Context, format string, all []*planned) error {
	reports := make([]report.Report, len(all))
	for i, p := range all {
		reports[i] = report.Report{Plan: p.plan, Changes: p.changes, Region: p.cfg.Region}
	}
	reports[len(all)-1].Next = next(c, all)
	switch format {
	case "json":
		return report.JSON(c.App.Writer, reports...)
	case "html":
		return page(c, all, reports)
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprint(c.App.Writer, "\n")
		}
		var err error
		switch s := screenOf(c.App.Writer); format {
		case "markdown":
			err = report.Markdown(c.App.Writer, r)
		default:
			err = report.Text(c.App.Writer, r, report.Options{Width: s.width, Color: s.color, All: c.Bool("all")})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// page prints the plan of one bundle as a page.
func page(c *cli.Context, all []*planned, reports []report.Report) error {
	if err := oneRegion(all, "plan --output html"); err != nil {
		return err
	}
	var err error
	if reports[0].Choices, err = all[0].choices(); err != nil {
		return err
	}
	return report.HTML(c.App.Writer, reports[0])
}

// choices gives how each tier of the plan could also run.
func (p *planned) choices() ([][]plan.Choice, error) {
	var all [][]plan.Choice
	for _, tier := range p.plan.Tiers {
		choices, err := p.plan.Choices(p.cfg, tier.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, choices)
	}
	return all, nil
}

// rendered gives the bundle that the plan makes, and how what is there differs from it.
func (p *planned) rendered() (*bundle.Tree, []bundle.Difference, error) {
	tree, err := bundle.Render(p.cfg, p.plan)
	if err != nil {
		return nil, nil, err
	}
	differences, err := tree.Compare(p.dir())
	return tree, differences, err
}

// exitCode is 2 when generate would write something: also what no tag shows,
// such as a newer program's template.
func (p *planned) exitCode() error {
	_, differences, err := p.rendered()
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return exit(exitChanges)
	}
	return nil
}

// next is the command that a person would give now.
func next(c *cli.Context, all []*planned) string {
	if !slices.ContainsFunc(all, func(p *planned) bool { return !p.changes.Empty() }) {
		targets := all[0].cfg.Targets
		return fmt.Sprintf("bundlegen deploy%s%s -t %s", withConfig(c), withRegion(c), targets[len(targets)-1].Name)
	}
	next := "bundlegen generate" + withConfig(c) + withRegion(c)
	if c.Bool("rebalance") {
		next += " --rebalance"
	}
	return next
}
