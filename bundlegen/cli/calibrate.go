package cli

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/calibration"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/tables"
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
			// What is not measured is to be as it is without a calibration.
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
			result, was, err := measure(all[0], rows)
			if err != nil {
				return err
			}
			if err := writeCalibration(cfg, &result.Calibration); err != nil {
				return err
			}
			s := screenOf(c.App.Writer)
			err = report.CalibrationText(c.App.Writer, report.Measured{Result: result, File: workflow.CalibrationName(cfg), Was: was, Next: "bundlegen plan" + withConfig(c)}, report.Options{Width: s.width, Color: s.color})
			if err != nil || !c.Bool("rates") {
				return err
			}
			return writeRates(c, cfg)
		},
	}
}

// rowsOf reads the history of a pipeline.
type rowsOf func(*cli.Context, *config.Pipeline) ([]calibration.Row, error)

// metricsSource gives the one source that the flags name.
func metricsSource(c *cli.Context) (rowsOf, error) {
	var named []rowsOf
	for flag, rows := range map[string]rowsOf{"data": rowsOfFolder, "metrics": rowsOfCSV, "target": rowsOfWarehouse} {
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
		return nil, diag.WithHint(fmt.Errorf("%s belongs to --data", commandline.Typed(c, "rates")), "only a data folder has the events at hand")
	}
	return named[0], nil
}

func rowsOfFolder(c *cli.Context, cfg *config.Pipeline) ([]calibration.Row, error) {
	data := dataOf(c, cfg)
	records, err := localrun.Query(c.Context, data, calibration.Query(metricsTable("", ""), "epoch_us", cfg.Key()))
	if err != nil {
		return nil, err
	}
	return calibration.Parse(records, data)
}

func rowsOfCSV(c *cli.Context, cfg *config.Pipeline) (rows []calibration.Row, err error) {
	path := cfg.Path(c.String("metrics"))
	f, err := regular.Open(path)
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("--metrics: %w", err), "export monitoring.pipeline_metrics as CSV with its header")
	}
	defer f.Close() // only read: closing cannot lose anything
	return calibration.ReadCSV(f, path)
}

func rowsOfWarehouse(c *cli.Context, cfg *config.Pipeline) ([]calibration.Row, error) {
	name, err := target(c, cfg)
	if err != nil {
		return nil, err
	}
	var table, warehouse string
	for _, t := range cfg.Targets {
		if t.Name == name {
			table, warehouse = metricsTable(cfg.CatalogOf(t), t.SchemaPrefix), cfg.WarehouseOf(t)
		}
	}
	if warehouse == "" {
		return nil, diag.WithHint(fmt.Errorf("%s: monitoring.warehouse is missing, the SQL warehouse that reads the history", cfg.File),
			"`databricks warehouses list` lists their ids")
	}
	if err := workflow.Exists(cfg); err != nil {
		return nil, err
	}
	records, err := workspace(c).Query(c.Context, cfg.BundleDir(), name, warehouse, calibration.Query(table, "unix_micros", cfg.Key()+"."+name))
	if err != nil {
		return nil, err
	}
	return calibration.Parse(records, table)
}

// metricsTable gives the name of pipeline_metrics in SQL.
func metricsTable(catalog, schemaPrefix string) string {
	name := schemaPrefix + tables.Metrics.Schema + "." + tables.Metrics.Name
	if catalog != "" {
		name = "`" + catalog + "`." + name
	}
	return name
}

// measure compares a history with the plan that pipeline.yml and the inventory
// give now, and gives what plans have assumed so far beside.
func measure(p *workflow.Region, rows []calibration.Row) (*calibration.Result, []constants.Constant, error) {
	result, err := calibration.Measure(p.Plan, p.Config.Key(), rows)
	if errors.Is(err, calibration.ErrNothing) {
		return nil, nil, diag.WithHint(fmt.Errorf("%w; nothing was written", err),
			"run the job first, and give the history of this pipeline and inventory")
	}
	if err != nil {
		return nil, nil, err
	}
	was := p.Plan.Assumed.Constants
	if old, err := workflow.Calibration(p.Config); err == nil && old != nil {
		was = constants.Resolve(old.Constants, constants.Of(p.Config.Forecast, "pipeline.yml"))
	}
	return result, was, nil
}

func writeCalibration(cfg *config.Pipeline, c *calibration.Calibration) error {
	text, err := c.Encode()
	if err != nil {
		return err
	}
	path, _ := cfg.CalibrationPath()
	_, err = replaceFile(path, text)
	return err
}

// writeRates writes the tags' measured rates into the inventory.
func writeRates(c *cli.Context, cfg *config.Pipeline) error {
	measured, err := localrun.Query(c.Context, dataOf(c, cfg), calibration.RatesQuery(cfg.Key()))
	if err != nil {
		return err
	}
	f, err := workflow.InventoryFile(cfg, nil) // an empty tier stays empty
	if err != nil {
		return err
	}
	only := ""
	if len(cfg.Sites) == 1 {
		only = cfg.Sites[0].Name
	}
	changed, err := calibration.SetRates(f.Tags, measured, only)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := inventory.WriteFile(&text, f); err != nil {
		return err
	}
	if _, err := replaceFile(cfg.InventoryPath(), text.Bytes()); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: events_per_hour of %s measured, %s changed\n", cfg.Inventory, words.Plural(len(measured), "tag"), words.Count(changed))
	return nil
}
