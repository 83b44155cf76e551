package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/history"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "shows the last runs, how far each tier and site is behind, and what failed",
		Description: `Without -t, the status of local runs. With -t, that of a target: the SQL warehouse
of monitoring.warehouse reads the tables; without one, only the last runs are known.`,
		Flags: []cli.Flag{
			configFlag, targetFlag, regionFlag,
			&cli.StringFlag{Name: "data", Value: defaultData, Usage: "the data `FOLDER` of local runs"},
			outputFlag("text or json", "text", "json"),
		},
		Action: func(c *cli.Context) error {
			format, err := outputFormat(c, "the status")
			if err != nil {
				return err
			}
			if c.IsSet("data") && c.IsSet("target") {
				return diag.WithHint(fmt.Errorf("%s and %s cannot be combined", commandline.Typed(c, "data"),
					commandline.Typed(c, "target")),
					"a data folder is of local runs, -t TARGET of those on Databricks")
			}
			if c.IsSet("region") && !c.IsSet("target") {
				return diag.WithHint(fmt.Errorf("%s belongs to -t", commandline.Typed(c, "region")),
					"local runs of all regions land in one data folder")
			}
			all, failed := statuses(c)
			if len(all) == 0 {
				return failed
			}
			s := screenOf(c.App.Writer)
			if format == "json" {
				err = report.StatusJSON(c.App.Writer, all)
			} else {
				err = report.StatusText(c.App.Writer, all, report.Options{Width: s.width, Color: s.color})
			}
			if err != nil {
				return err
			}
			return failed // of a region whose workspace does not answer, when others do
		},
	}
}

// statuses asks how the pipeline of each bundle is.
func statuses(c *cli.Context) (all []*status.Status, err error) {
	if !c.IsSet("target") {
		whole, err := config.Load(c.String("config"))
		if err != nil {
			return nil, err
		}
		s, err := history.Status(c.Context, whole.Path(c.String("data")), whole.Key()) // of all regions
		if err != nil {
			return nil, err
		}
		return []*status.Status{s}, nil
	}
	parts, name, err := bundlesAndTarget(c)
	if err != nil {
		return nil, err
	}
	err = workflow.Each(c.Context, parts, func(p *workflow.Region) error {
		s, err := workflow.Status(c.Context, workspace(c), p, name)
		if noTables := (*workflow.NoTablesError)(nil); errors.As(err, &noTables) {
			err = diag.WithHint(err, "bundlegen run%s -t %s", withConfig(c)+withRegion(c), name)
		}
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	return all, err
}
