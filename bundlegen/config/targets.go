package config

import (
	"slices"
	"strings"
)

// readTargets reads where to deploy, in the file's order; dev and prod if the
// file names none. A target for production uses the tables as they are named.
// Any other prefixes the schemas with its own name, so that trying something
// out in the same catalog never touches production's tables.
func readTargets(parent *object) []Target {
	o := parent.object("targets")
	entries := o.entries(50)
	if len(entries) == 0 {
		return []Target{{Name: "dev", SchemaPrefix: "dev_"}, {Name: "prod", Production: true}}
	}
	names := map[string]string{}
	var targets []Target
	for _, e := range entries {
		if !nameRule.ok(e.Key) {
			o.addAt(e.Line, e.Column, "targets: name "+quote(e.Key)+"; allowed: "+nameRule.allowed, "for instance dev")
			continue
		}
		if first, ok := names[sameKey(e.Key)]; ok {
			o.addAt(e.Line, e.Column, "targets: "+quote(e.Key)+" differs from "+quote(first)+" only in case, - and _", "take a name that differs in more")
		}
		names[sameKey(e.Key)] = e.Key
		targets = append(targets, readTarget(o.object(e.Key), e.Key))
	}
	return targets
}

func readTarget(o *object, name string) Target {
	t := Target{
		Name:             name,
		Host:             o.url("host", normalizeHost),
		ServicePrincipal: o.text("service_principal", "", uuidRule),
		Catalog:          o.text("catalog", "", catalogRule),
		Regions:          readRegionTargets(o.object("regions")),
	}
	t.Production = name == "prod" || t.ServicePrincipal != "" ||
		slices.ContainsFunc(t.Regions, func(r RegionTarget) bool { return r.ServicePrincipal != "" })
	prefix := ""
	if !t.Production {
		prefix = strings.ToLower(strings.ReplaceAll(name, "-", "_")) + "_"
	}
	t.SchemaPrefix = o.text("schema_prefix", prefix, prefixRule)
	o.done()
	return t
}
