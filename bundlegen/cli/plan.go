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
)

// planned is a pipeline with its plan and what it changes: where plan,
// generate and deploy begin.
type planned struct {
	cfg      *config.Pipeline
	previous *plan.Previous // nil: there is no bundle
	plan     *plan.Plan
	changes  *plan.Changes
}

// dir is the bundle's folder.
func (p *planned) dir() string { return p.cfg.BundleDir() }

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

// makePlan reads the pipeline, its inventory and the bundle that is there, and plans.
func makePlan(c *cli.Context) (*planned, error) {
	tuneForPlanning()
	cfg, err := config.Load(c.String("config"))
	if err != nil {
		return nil, err
	}
	tags, err := loadInventory(cfg)
	if err != nil {
		return nil, err
	}
	previous, err := plan.ReadPrevious(cfg.BundleDir())
	if err != nil {
		return nil, err
	}
	measured, err := readCalibration(cfg)
	if err != nil {
		return nil, err
	}
	p, err := plan.Build(cfg, tags, previous, plan.Options{Rebalance: c.Bool("rebalance"), Calibration: measured})
	if err != nil {
		return nil, err
	}
	return &planned{cfg: cfg, previous: previous, plan: p, changes: plan.Diff(previous, p)}, nil
}

var rebalanceFlag = &cli.BoolFlag{Name: "rebalance", Usage: "even the load out anew, at the price of moved tags"}

// formats are what a plan can be printed as.
var formats = []string{"text", "json", "markdown", "html"}

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "previews partitions, compute, time, cost and changes; writes nothing",
		Flags: []cli.Flag{
			configFlag, rebalanceFlag,
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "as `FORMAT` text, json, markdown, or html: one page that works offline"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 when generate would change something"},
			&cli.BoolFlag{Name: "all", Usage: "list every partition and every changed tag"},
		},
		Action: func(c *cli.Context) error {
			format := c.String("output")
			if !slices.Contains(formats, format) {
				return notAllowed("--output", format, "without it, the plan is printed as text", formats)
			}
			p, err := makePlan(c)
			if err != nil {
				return err
			}
			r := report.Report{Plan: p.plan, Changes: p.changes, Next: p.next(c)}
			switch s := screenOf(c.App.Writer); format {
			case "json":
				err = report.JSON(c.App.Writer, r)
			case "markdown":
				err = report.Markdown(c.App.Writer, r)
			case "html":
				if r.Choices, err = p.choices(); err == nil {
					err = report.HTML(c.App.Writer, r)
				}
			default:
				err = report.Text(c.App.Writer, r, report.Options{Width: s.width, Color: s.color, All: c.Bool("all")})
			}
			if err != nil || !c.Bool("detailed-exitcode") {
				return err
			}
			return p.exitCode()
		},
	}
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

// exitCode is 2 when generate would write something: also what no tag shows,
// such as a newer program's template.
func (p *planned) exitCode() error {
	tree, err := bundle.Render(p.cfg, p.plan)
	if err != nil {
		return err
	}
	differences, err := tree.Compare(p.dir())
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return exit(exitChanges)
	}
	return nil
}

// next is the command that a person would give now.
func (p *planned) next(c *cli.Context) string {
	if p.changes.Empty() {
		return fmt.Sprintf("bundlegen deploy%s -t %s", withConfig(c), p.cfg.Targets[len(p.cfg.Targets)-1].Name)
	}
	next := "bundlegen generate" + withConfig(c)
	if c.Bool("rebalance") {
		next += " --rebalance"
	}
	return next
}
