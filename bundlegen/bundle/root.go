package bundle

import (
	"path"
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
)

// The files of a bundle that the databricks CLI reads.
const (
	RootFile = "databricks.yml"              // the only name besides bundle.yml that the CLI takes for a root
	JobsFile = "databricks-loadbalanced.yml" // included by it
)

// cliVersion returns the oldest CLI that deploys the bundle as it is meant: 1.3 was the
// first whose default engine is the direct one; 1.9 knows pools of a bundle; before 1.11
// webhooks showed as changed in every plan.
func cliVersion(cfg *config.Pipeline) string {
	switch {
	case len(cfg.Monitoring.Webhooks) > 0:
		return ">= 1.11.0"
	case makesPools(cfg):
		return ">= 1.9.0"
	}
	return ">= 1.3.0"
}

const written = "Written by `bundlegen generate`: change pipeline.yml, not this file."

// rootFile renders databricks.yml: what the bundle is called, what may be
// overridden, where it is deployed to.
func rootFile(cfg *config.Pipeline, p *plan.Plan, include []string) (File, error) {
	arch, err := Processor(cfg)
	if err != nil {
		return File{}, err
	}
	var y yamlFile
	y.comment("%s: PI tags to Delta tables.\n\n%s\nPlain `databricks bundle deploy -t TARGET` works on this folder too.", cfg.Name, written)
	y.section("", "bundle", header{Name: cfg.Name, Engine: "direct", CLIVersion: cliVersion(cfg)})
	includes, variables := []string{JobsFile}, ordered{
		{
			"pipeline",
			variable{Description: "part of every key in the tables: two deployments never share one", Default: rowKey(cfg, "${bundle.target}")},
		},
		{"catalog", variable{Description: "the catalog of all tables", Default: cfg.Catalog}},
		{"schema_prefix", variable{Description: "before bronze, metadata, checkpoints and monitoring", Default: ""}},
	}
	if watches(cfg) {
		includes = append(includes, MonitoringFile)
		variables = append(
			variables,
			entry{warehouseVariable, variable{Description: "the SQL warehouse that asks for alerts and dashboards", Default: warehouseOfMost(cfg)}},
		)
	}
	y.section("A run that began before a deploy still needs its wheel: `bundlegen deploy` removes those that are old.",
		"experimental", experimental{SkipArtifactCleanup: true})
	y.section("", "include", includes)
	y.section("What the tasks read is uploaded, whatever a .gitignore above this folder says.", "sync", syncFiles{include})
	y.section("", "variables", variables)
	y.section("The wheel carries the static pi-extractor. It is not committed: this makes it, or says what is missing.",
		"artifacts", map[string]artifact{wheel.Package: {
			Type: "whl", Path: ".", Build: buildCommand(arch), Files: []artifactFile{{Source: "dist/*.whl"}},
		}})
	y.section("", "targets", targets(cfg, p))
	return y.file(RootFile)
}

// included lists patterns for what the tasks and the resources read: files that the
// CLI would leave out where a .gitignore in any folder above the bundle names them.
// Each matches a file: one that matches none fails a strict validation.
func included(files []File) []string {
	patterns := []string{PlanFile}
	for _, f := range files {
		folder, name := path.Split(f.Path)
		if folder != "" {
			patterns = append(patterns, folder+"*"+path.Ext(name))
		} else if path.Ext(name) == ".json" {
			patterns = append(patterns, name)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// buildCommand passes when there is a wheel, else has bundlegen make one.
func buildCommand(arch wheel.Arch) string {
	return "ls dist/*.whl >/dev/null 2>&1" +
		" || bundlegen wheel --arch " + string(arch) + " -o dist" +
		" || { echo 'There is no wheel in dist/, and bundlegen did not make one: put bundlegen on the PATH, or a released wheel into dist/.'; exit 1; }"
}

// targets are the places that the bundle is deployed to, in pipeline.yml's order.
func targets(cfg *config.Pipeline, p *plan.Plan) ordered {
	var all ordered
	haveDefault := false
	for _, t := range cfg.Targets {
		out := target{Mode: "development", Variables: map[string]string{}}
		if t.Host != "" {
			out.Workspace = &workspace{Host: t.Host}
		}
		if t.Catalog != "" && t.Catalog != cfg.Catalog {
			out.Variables["catalog"] = t.Catalog
		}
		if w := cfg.WarehouseOf(t); w != warehouseOfMost(cfg) {
			out.Variables[warehouseVariable] = w
		}
		if t.SchemaPrefix != "" {
			out.Variables["schema_prefix"] = t.SchemaPrefix
		}
		if t.Production {
			production(&out, cfg, p)
		} else if !haveDefault {
			out.Default, haveDefault = true, true
		}
		if t.ServicePrincipal != "" {
			runAs(&out, cfg, p, t.ServicePrincipal)
		}
		all = append(all, entry{t.Name, out})
	}
	return all
}

// production says what sets a production target apart: its schedules and alerts
// run, its pools keep machines warm, and it is deployed under one path.
func production(out *target, cfg *config.Pipeline, p *plan.Plan) {
	out.Mode = "production"
	if out.Workspace == nil {
		out.Workspace = &workspace{}
	}
	out.Workspace.RootPath = "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}"
	out.Resources = &resources{Jobs: map[string]*job{}}
	for _, tier := range p.Tiers {
		if tier.Continuous {
			out.Resources.Jobs[tier.JobKey] = &job{Continuous: &continuous{PauseStatus: "UNPAUSED"}}
			continue
		}
		out.Resources.Jobs[tier.JobKey] = &job{Schedule: &schedule{PauseStatus: "UNPAUSED"}}
	}
	if watches(cfg) {
		out.Resources.Alerts = unpausedAlerts(cfg)
	}
	if p.Tiers[0].Continuous {
		out.Resources.Jobs[maintenanceKey(cfg)] = &job{Schedule: &schedule{PauseStatus: "UNPAUSED"}}
	}
	if makesPools(cfg) {
		workers, drivers := poolKeys(cfg)
		out.Resources.InstancePools = map[string]*instancePool{
			workers: {MinIdle: p.Pool.Workers},
			drivers: {MinIdle: p.Pool.Drivers},
		}
	}
}

// runAs has a service principal run the jobs. The level is the least that lets it
// do so: the CLI makes reading the files and attaching to the bundle's pools of
// CAN_VIEW; a parent job starts its children as the principal, which takes CAN_RUN,
// which gives no pools.
func runAs(out *target, cfg *config.Pipeline, p *plan.Plan, servicePrincipal string) {
	level := "CAN_VIEW"
	if delegates(p) {
		level = "CAN_RUN"
		if makesPools(cfg) {
			level = "CAN_MANAGE"
		}
	}
	out.RunAs = &principal{ServicePrincipal: servicePrincipal}
	out.Permissions = []permission{{ServicePrincipal: servicePrincipal, Level: level}}
}
