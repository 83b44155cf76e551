package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/templates"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "shows the last runs, how far each tier and site is behind, and what failed",
		Description: `Without -t it is about local runs. With -t the tables are asked by the SQL
warehouse of monitoring.warehouse; where there is none, only the last runs are known.`,
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
				return diag.WithHint(fmt.Errorf("%s and %s cannot be combined", commandline.Typed(c, "data"), commandline.Typed(c, "target")),
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
		s, err := localrun.Status(c.Context, whole.Path(c.String("data")), whole.Key()) // of all regions
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
		s, err := askWorkspace(c, p, name)
		if err != nil {
			return err
		}
		s.Pipeline, s.Region = p.Config.Key()+"."+name, p.Name()
		all = append(all, s)
		return nil
	})
	return all, err
}

// askWorkspace asks the workspace of a target: its tables by a SQL warehouse, else its jobs.
func askWorkspace(c *cli.Context, p *workflow.Region, name string) (*status.Status, error) {
	var reader templates.Reader
	warehouse, now := "", time.Now()
	for _, t := range p.Config.Targets {
		if t.Name == name {
			warehouse = p.Config.WarehouseOf(t)
			reader = templates.Reader{Catalog: p.Config.CatalogOf(t), SchemaPrefix: t.SchemaPrefix, Pipelines: []string{p.Config.Key() + "." + name}, Sites: p.Config.OwnSites(), Now: status.Instant(now)}
		}
	}
	if warehouse == "" {
		return jobStatus(c, p, name, now)
	}
	queries, err := status.Queries(reader)
	if err != nil {
		return nil, err
	}
	statements := make([]string, len(queries))
	for i, q := range queries {
		statements[i] = q.SQL
	}
	rows, err := workspace(c).QueryAll(c.Context, p.Dir(), name, warehouse, statements)
	if err != nil {
		if strings.Contains(err.Error(), "TABLE_OR_VIEW_NOT_FOUND") || strings.Contains(err.Error(), "SCHEMA_NOT_FOUND") {
			err = diag.WithHint(fmt.Errorf("no run of target %s has made tables yet", name),
				"bundlegen run%s -t %s", withConfig(c)+withRegion(c), name)
		}
		return nil, err
	}
	answers := make([]status.Rows, len(rows))
	for i, r := range rows {
		answers[i] = status.Rows(r)
	}
	s, err := status.Read(queries, answers, now)
	if err != nil {
		return nil, err
	}
	s.Source = "target " + name + ", warehouse " + warehouse
	return s, nil
}

// mostRuns is how many runs are shown.
const mostRuns = 10

// jobStatus asks the workspace for the runs of the bundle's jobs, which is all that
// is known without a SQL warehouse.
func jobStatus(c *cli.Context, p *workflow.Region, name string, now time.Time) (*status.Status, error) {
	b, err := bundle.Read(p.Dir())
	if err != nil {
		return nil, err
	}
	tiers := map[string]string{}
	var keys []string
	for _, j := range b.Roots() {
		if j.Lands() {
			tiers[j.Key], keys = j.Tier, append(keys, j.Key)
		}
	}
	runs, err := workspace(c).Runs(c.Context, p.Dir(), name, keys, mostRuns)
	if err != nil {
		return nil, err
	}
	s, err := status.Read(nil, nil, now)
	if err != nil {
		return nil, err
	}
	s.Source, s.OnlyRuns = "target "+name, true
	for _, r := range runs {
		run := status.Run{ID: fmt.Sprint(r.RunID), Tier: tiers[r.JobKey], Started: r.Started, Outcome: outcomeOf(&r), URL: r.URL}
		if !r.Ended.IsZero() {
			run.Ended = &r.Ended
		}
		if run.Outcome == status.Failed {
			run.Error = r.Message
			if run.Error == "" {
				run.Error = r.State
			}
		}
		s.Runs = append(s.Runs, run)
	}
	return s, nil
}

// outcomeOf says how a run of a job ended, in the words of a status.
func outcomeOf(r *deploy.PastRun) string {
	switch {
	case r.Ended.IsZero():
		return status.UnderWay
	case r.Outcome == deploy.Succeeded:
		return status.Succeeded
	case r.Outcome == deploy.Partial:
		return status.Partly
	case r.State == "SKIPPED":
		return status.Skipped
	case r.State == "CANCELED":
		return status.Cancelled
	}
	return status.Failed
}
