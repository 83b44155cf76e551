package cli

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
)

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
			project, err := planned(c, workflow.Options{Rebalance: c.Bool("rebalance")})
			if err != nil {
				return err
			}
			all := project.Regions
			if err := show(c, format, all); err != nil || !c.Bool("detailed-exitcode") {
				return err
			}
			for _, p := range all {
				if err := changesExit(p); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// show prints the plans of all bundles, one after the other; as JSON they are one
// document. The next command stands behind the last.
func show(c *cli.Context, format string, all []*workflow.Region) error {
	reports := make([]report.Report, len(all))
	for i, p := range all {
		reports[i] = report.Report{Plan: p.Plan, Changes: p.Changes, Region: p.Config.Region}
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
func page(c *cli.Context, all []*workflow.Region, reports []report.Report) error {
	if err := oneRegion(all, "plan --output html"); err != nil {
		return err
	}
	var err error
	if reports[0].Choices, err = all[0].Choices(); err != nil {
		return err
	}
	return report.HTML(c.App.Writer, reports[0])
}

// changesExit is 2 when generate would write something: also what no tag shows,
// such as a newer program's template.
func changesExit(p *workflow.Region) error {
	_, differences, err := workflow.Render(p)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return exit(exitChanges)
	}
	return nil
}

// next returns the command to give now.
func next(c *cli.Context, all []*workflow.Region) string {
	if !slices.ContainsFunc(all, func(p *workflow.Region) bool { return !p.Changes.Empty() }) {
		targets := all[0].Config.Targets
		return fmt.Sprintf("bundlegen deploy%s%s -t %s", withConfig(c), withRegion(c), targets[len(targets)-1].Name)
	}
	next := "bundlegen generate" + withConfig(c) + withRegion(c)
	if c.Bool("rebalance") {
		next += " --rebalance"
	}
	return next
}
