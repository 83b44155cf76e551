package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:  "compare",
		Usage: "compares the plan with other partition counts and kinds of compute, and recommends one",
		Flags: []cli.Flag{
			configFlag, regionFlag,
			outputFlag("text or json", "text", "json"),
			&cli.BoolFlag{Name: "all", Usage: "show every number of partitions"},
		},
		Action: func(c *cli.Context) error {
			format, err := outputFormat(c, "the comparison")
			if err != nil {
				return err
			}
			project, err := planned(c, workflow.Options{})
			if err != nil {
				return err
			}
			all := project.Regions
			if format == "json" {
				if err := oneRegion(all, "compare --output json"); err != nil {
					return err
				}
			}
			return workflow.Each(c.Context, all, func(p *workflow.Region) error { return compare(c, p, format) })
		},
	}
}

// compare prints what a plan is compared with.
func compare(c *cli.Context, p *workflow.Region, format string) error {
	choices, err := p.Choices()
	if err != nil {
		return err
	}
	tiers := make([]report.Comparison, len(choices))
	for i := range choices {
		tiers[i] = report.Comparison{Tier: p.Plan.Tiers[i], Choices: choices[i]}
	}
	if format == "json" {
		return report.CompareJSON(c.App.Writer, p.Plan, tiers)
	}
	s := screenOf(c.App.Writer)
	return report.CompareText(c.App.Writer, p.Plan, tiers, report.Options{Width: s.width, Color: s.color, All: c.Bool("all")})
}
