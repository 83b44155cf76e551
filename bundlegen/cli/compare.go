package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/report"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:  "compare",
		Usage: "compares the plan with other partition counts and kinds of compute, and recommends one",
		Flags: []cli.Flag{
			configFlag, regionFlag,
			outputFlag("text or json", "text", "json"),
			&cli.BoolFlag{Name: "all", Usage: "every number of partitions"},
		},
		Action: func(c *cli.Context) error {
			format, err := outputFormat(c, "the comparison")
			if err != nil {
				return err
			}
			all, err := makePlans(c)
			if err != nil {
				return err
			}
			if format == "json" {
				if err := oneRegion(all, "compare --output json"); err != nil {
					return err
				}
			}
			return inEach(c, all, func(p *planned) error { return p.compare(c, format) })
		},
	}
}

// compare prints what a plan is compared with.
func (p *planned) compare(c *cli.Context, format string) error {
	choices, err := p.choices()
	if err != nil {
		return err
	}
	tiers := make([]report.Comparison, len(choices))
	for i := range choices {
		tiers[i] = report.Comparison{Tier: p.plan.Tiers[i], Choices: choices[i]}
	}
	if format == "json" {
		return report.CompareJSON(c.App.Writer, p.plan, tiers)
	}
	s := screenOf(c.App.Writer)
	return report.CompareText(c.App.Writer, p.plan, tiers, report.Options{Width: s.width, Color: s.color, All: c.Bool("all")})
}
