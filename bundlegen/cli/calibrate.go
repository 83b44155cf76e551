package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/calibration"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/words"
)

func calibrateCommand() *cli.Command {
	return &cli.Command{
		Name:  "calibrate",
		Usage: "fits the forecast to past runs",
		Flags: []cli.Flag{
			configFlag, targetFlag, regionFlag,
			&cli.StringFlag{Name: "data", Usage: "the data `FOLDER` of local runs; by default data, if a local run has landed there"},
			&cli.StringFlag{Name: "metrics", Usage: "a CSV `FILE` with the rows of monitoring.pipeline_metrics and a header"},
			&cli.BoolFlag{Name: "rates", Usage: "with --data, also write each tag's measured events_per_hour into the inventory"},
		},
		Action: func(c *cli.Context) error {
			source, err := metricsSource(c)
			if err != nil {
				return err
			}
			// The assumptions to compare with are those without any calibration.
			project, err := planned(c, workflow.Options{Unmeasured: true})
			if err != nil {
				return err
			}
			all := project.Regions
			if err := oneRegion(all, "calibrate"); err != nil {
				return err
			}
			cfg := all[0].Config
			rows, err := source(c, cfg)
			if err != nil {
				return err
			}
			result, was, err := workflow.Calibrate(all[0], rows)
			if err != nil {
				return err
			}
			s := screenOf(c.App.Writer)
			err = report.CalibrationText(c.App.Writer, report.Measured{Result: result, File: workflow.CalibrationName(cfg), Was: was,
				Next: "bundlegen plan" + withConfig(c)}, report.Options{Width: s.width, Color: s.color})
			if err != nil || !c.Bool("rates") {
				return err
			}
			measured, changed, err := workflow.SetRates(c.Context, cfg, dataOf(c, cfg))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.App.Writer, "%s: events_per_hour of %s measured, %s changed\n", cfg.Inventory,
				words.Plural(measured, "tag"), words.Count(changed))
			return err
		},
	}
}

// rowsOf reads the metrics of a pipeline's runs.
type rowsOf func(*cli.Context, *config.Pipeline) ([]calibration.Row, error)

// sources are the flags that name metrics.
var sources = map[string]rowsOf{
	"data": rowsOfFolder,
	"metrics": func(c *cli.Context, cfg *config.Pipeline) ([]calibration.Row, error) {
		return workflow.ExportedMetrics(cfg.Path(c.String("metrics")))
	},
	"target": func(c *cli.Context, cfg *config.Pipeline) ([]calibration.Row, error) {
		name, err := target(c, cfg)
		if err != nil {
			return nil, err
		}
		return workflow.WorkspaceMetrics(c.Context, workspace(c), cfg, name)
	},
}

func rowsOfFolder(c *cli.Context, cfg *config.Pipeline) ([]calibration.Row, error) {
	return workflow.LocalMetrics(c.Context, cfg, dataOf(c, cfg))
}

// metricsSource returns the one source that the flags name.
func metricsSource(c *cli.Context) (rowsOf, error) {
	var named []rowsOf
	for flag, rows := range sources {
		if c.String(flag) != "" {
			named = append(named, rows)
		}
	}
	if len(named) == 0 {
		cfg, err := config.Load(c.String("config"))
		if err != nil {
			return nil, err
		}
		if dataOf(c, cfg) != "" {
			return rowsOfFolder, nil
		}
	}
	switch {
	case len(named) != 1:
		return nil, diag.WithHint(errors.New("give one of --data FOLDER, --metrics FILE and -t TARGET"),
			"local runs leave their history in data: bundlegen run%s --local", withConfig(c))
	case c.Bool("rates") && c.String("data") == "":
		return nil, diag.WithHint(fmt.Errorf("%s belongs to --data", commandline.Typed(c, "rates")),
			"only a data folder has the events at hand")
	}
	return named[0], nil
}
