package bundle

import (
	"cmp"
	"fmt"
	"path"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
)

// MonitoringFile holds the alerts and the dashboard, where pipeline.yml names a
// SQL warehouse that asks their queries. It is included by RootFile.
const MonitoringFile = "databricks-monitoring.yml"

const warehouseVariable = "warehouse"

// watches says whether the bundle has alerts and a dashboard.
func watches(cfg *config.Pipeline) bool { return warehouseOfMost(cfg) != "" }

// warehouseOfMost is the warehouse of all targets that say nothing else; "" = there
// is none. Where each target has its own, it is the first one's.
func warehouseOfMost(cfg *config.Pipeline) string {
	id := cfg.Monitoring.Warehouse
	for _, t := range cfg.Targets {
		id = cmp.Or(id, t.Warehouse)
	}
	return id
}

// rowKey is what the rows of a target carry as their pipeline; target may be a
// reference. It is the same in every region, unlike the bundle's name: where regions
// share a catalog, their rows are told apart by their sites.
func rowKey(cfg *config.Pipeline, target string) string { return cfg.Key() + "." + target }

// rowKeys are what the rows of the pipeline carry, here and on all targets.
func rowKeys(cfg *config.Pipeline) []string {
	keys := []string{cfg.Key()}
	for _, t := range cfg.Targets {
		keys = append(keys, rowKey(cfg, t.Name))
	}
	return keys
}

// monitoringFiles renders the alerts, and a dashboard for each target. A tag
// more changes neither, unless a forecast crosses a minute by it.
func monitoringFiles(cfg *config.Pipeline, p *plan.Plan) ([]File, error) {
	if !watches(cfg) {
		return nil, nil
	}
	alerts, err := alerts(cfg, p)
	if err != nil {
		return nil, err
	}
	var y yamlFile
	y.comment("What watches %s: alerts, and the dashboard of each target in %s/.\n\n%s", cfg.Name, dashboardFolder, written)
	y.section("", "resources", ordered{
		{"alerts", alerts},
		{"dashboards", ordered{{dashboardKey(cfg), dashboardResource(cfg)}}},
	})
	resources, err := y.file(MonitoringFile)
	if err != nil {
		return nil, err
	}
	files := []File{resources}
	for _, t := range cfg.Targets {
		data, err := dashboard(cfg, p, t)
		if err != nil {
			return nil, fmt.Errorf("the dashboard of target %s: %w", t.Name, err)
		}
		files = append(files, File{Path: path.Join(dashboardFolder, t.Name+dashboardSuffix), Data: data})
	}
	return files, nil
}
