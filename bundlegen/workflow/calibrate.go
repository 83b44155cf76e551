package workflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/bundlegen/bundlegen/bundlegen/calibration"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/bundlegen/history"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// LocalMetrics reads the metrics of a pipeline's runs from a data folder.
func LocalMetrics(ctx context.Context, cfg *config.Pipeline, data string) ([]calibration.Row, error) {
	records, err := history.Query(ctx, data, calibration.Query(metricsTable("", ""), "epoch_us", cfg.Key()))
	if err != nil {
		return nil, err
	}
	return calibration.Parse(records, data)
}

// ExportedMetrics reads metrics from a CSV file.
func ExportedMetrics(path string) ([]calibration.Row, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("--metrics: %w", err), "export monitoring.pipeline_metrics as CSV with its header")
	}
	defer f.Close() // only read: closing cannot lose anything
	return calibration.ReadCSV(f, path)
}

// WorkspaceMetrics reads the metrics of a target's runs through its SQL warehouse.
func WorkspaceMetrics(ctx context.Context, ws deploy.CLI, cfg *config.Pipeline, target string) ([]calibration.Row, error) {
	var table, warehouse string
	for _, t := range cfg.Targets {
		if t.Name == target {
			table, warehouse = metricsTable(cfg.CatalogOf(t), t.SchemaPrefix), cfg.WarehouseOf(t)
		}
	}
	if warehouse == "" {
		return nil, diag.WithHint(fmt.Errorf("%s: monitoring.warehouse is missing, the SQL warehouse that reads the history", cfg.File),
			"`databricks warehouses list` lists their ids")
	}
	if err := Exists(cfg); err != nil {
		return nil, err
	}
	records, err := ws.Query(ctx, cfg.BundleDir(), target, warehouse, calibration.Query(table, "unix_micros", cfg.Key()+"."+target))
	if err != nil {
		return nil, err
	}
	return calibration.Parse(records, table)
}

// metricsTable returns the name of pipeline_metrics in SQL.
func metricsTable(catalog, schemaPrefix string) string {
	name := schemaPrefix + tables.Metrics.Schema + "." + tables.Metrics.Name
	if catalog != "" {
		name = "`" + catalog + "`." + name
	}
	return name
}

// Calibrate compares metrics with a region that was planned Unmeasured, and writes
// the constants that it measures. assumed are the constants of plans so far.
func Calibrate(r *Region, rows []calibration.Row) (result *calibration.Result, assumed []constants.Constant, err error) {
	result, err = calibration.Measure(r.Plan, r.Config.Key(), rows)
	if errors.Is(err, calibration.ErrNothing) {
		return nil, nil, diag.WithHint(fmt.Errorf("%w; nothing was written", err),
			"run the job first, and give the history of this pipeline and inventory")
	}
	if err != nil {
		return nil, nil, err
	}
	assumed = r.Plan.Assumed.Constants
	if old, err := Calibration(r.Config); err == nil && old != nil {
		assumed = constants.Resolve(old.Constants, constants.Of(r.Config.Forecast, "pipeline.yml"))
	}
	encoded, err := result.Calibration.Encode()
	if err != nil {
		return nil, nil, err
	}
	path, _ := r.Config.CalibrationPath()
	_, err = replaceFile(path, encoded)
	return result, assumed, err
}

// SetRates writes the rates that a data folder's events show into the inventory. It
// returns of how many tags they are, and how many of these have changed.
func SetRates(ctx context.Context, cfg *config.Pipeline, data string) (measured, changed int, err error) {
	rates, err := history.Query(ctx, data, calibration.RatesQuery(cfg.Key()))
	if err != nil {
		return 0, 0, err
	}
	file, err := InventoryFile(cfg, nil) // an empty tier stays empty
	if err != nil {
		return 0, 0, err
	}
	onlySite := ""
	if len(cfg.Sites) == 1 {
		onlySite = cfg.Sites[0].Name
	}
	if changed, err = calibration.SetRates(file.Tags, rates, onlySite); err != nil {
		return 0, 0, err
	}
	_, err = writeInventory(cfg, file)
	return len(rates), changed, err
}
