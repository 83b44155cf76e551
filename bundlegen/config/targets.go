package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// Target is one deployment target.
type Target struct {
	Name             string
	Host             string         // "" = as the environment or the CLI's profile says
	ServicePrincipal string         // application id; "" = the deploying user
	Catalog          string         // "" = the pipeline's
	SchemaPrefix     string         // by default the target's name and _ ("dev_"), "" for production
	Warehouse        string         `json:",omitempty"` // id of the SQL warehouse there; "" = monitoring's
	Regions          []RegionTarget `json:",omitempty"` // in the file's order
	Production       bool           `key:"-"`           // prod, or any target with a service principal: its schedules run
}

// RegionTarget is what a target says otherwise for one region: a workspace is in
// one region. What is "" is as the target says.
type RegionTarget struct {
	Region           string
	Host             string
	ServicePrincipal string
	Catalog          string
	Warehouse        string `json:",omitempty"`
}

// readTargets reads where to deploy, in the file's order; dev and prod if the
// file names none. A target for production uses the tables as they are named.
// Any other prefixes the schemas with its own name, so that trying something
// out in the same catalog never touches production's tables.
func readTargets(parent *yamlread.Mapping) []Target {
	o := parent.Mapping("targets")
	entries := o.Entries(50)
	if len(entries) == 0 {
		return []Target{{Name: "dev", SchemaPrefix: "dev_"}, {Name: "prod", Production: true}}
	}
	names := map[string]string{}
	var targets []Target
	for _, e := range entries {
		if !nameRule.OK(e.Key) {
			o.AddProblem(e.Place(), diag.Problem{Value: e.Key, Text: "targets: name " + yamlread.Quote(e.Key),
				Allowed: nameRule.Allowed, Hint: "for instance dev"})
			continue
		}
		if first, ok := names[sameKey(e.Key)]; ok {
			o.Add(
				e.Place(),
				"targets: "+yamlread.Quote(e.Key)+" differs from "+yamlread.Quote(first)+" only in case, - and _",
				"take a name that differs in more",
			)
		}
		names[sameKey(e.Key)] = e.Key
		targets = append(targets, readTarget(o.Mapping(e.Key), e.Key))
	}
	return targets
}

// checkWarehouses notes a target that would be watched by no warehouse, or by that
// of another target: a bundle has alerts and a dashboard in all targets or in none.
func checkWarehouses(root *yamlread.Mapping, p *Pipeline) {
	with, without := "", ""
	for _, part := range p.parts() {
		for _, t := range part.Targets {
			if part.WarehouseOf(t) == "" {
				without = cmp.Or(without, t.Name)
			} else {
				with = cmp.Or(with, t.Name)
			}
		}
	}
	if with == "" || without == "" {
		return
	}
	if e := root.Node.Get("targets").Entry(without); e != nil {
		root.Add(
			e.Place(),
			fmt.Sprintf(
				"targets.%s has no SQL warehouse, and %s has one; allowed: one for each target, and for each of its regions, or for none",
				without,
				with,
			),
			"write warehouse: ID there, or monitoring.warehouse for all that have none of their own",
		)
	}
}

func readTarget(o *yamlread.Mapping, name string) Target {
	t := Target{
		Name:             name,
		Host:             readURL(o, "host", normalizeHost),
		ServicePrincipal: o.Text("service_principal", "", uuidRule),
		Catalog:          o.Text("catalog", "", catalogRule),
		Warehouse:        o.Text("warehouse", "", idRule),
		Regions:          readRegionTargets(o.Mapping("regions")),
	}
	t.Production = name == "prod" || t.ServicePrincipal != "" ||
		slices.ContainsFunc(t.Regions, func(r RegionTarget) bool { return r.ServicePrincipal != "" })
	prefix := ""
	if !t.Production {
		prefix = strings.ToLower(strings.ReplaceAll(name, "-", "_")) + "_"
	}
	t.SchemaPrefix = o.Text("schema_prefix", prefix, prefixRule)
	o.Done()
	return t
}
