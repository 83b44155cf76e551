package cli

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/report"
)

func compareCommand() *cli.Command {
	formats := []string{"text", "json"}
	return &cli.Command{
		Name:  "compare",
		Usage: "shows other numbers of partitions and kinds of compute beside the plan, and recommends",
		Flags: []cli.Flag{
			configFlag,
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "as `FORMAT` text or json"},
			&cli.BoolFlag{Name: "all", Usage: "every number of partitions"},
		},
		Action: func(c *cli.Context) error {
			format := c.String("output")
			if !slices.Contains(formats, format) {
				return notAllowed("--output", format, "without it, the comparison is printed as text", formats)
			}
			p, err := makePlan(c)
			if err != nil {
				return err
			}
			var tiers []report.Comparison
			for _, tier := range p.plan.Tiers {
				choices, err := p.plan.Choices(p.cfg, tier.Name)
				if err != nil {
					return err
				}
				tiers = append(tiers, report.Comparison{Tier: tier, Choices: choices})
			}
			if format == "json" {
				return report.CompareJSON(c.App.Writer, p.plan, tiers)
			}
			s := screenOf(c.App.Writer)
			return report.CompareText(c.App.Writer, p.plan, tiers, report.Options{Width: s.width, Color: s.color, All: c.Bool("all")})
		},
	}
}
