package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// Regions lists the regions of the sites, each once, in the file's order; none
// where there is one bundle for all sites.
func (p *Pipeline) Regions() []string {
	var all []string
	for _, s := range p.Sites {
		if s.Region != "" && !slices.Contains(all, s.Region) {
			all = append(all, s.Region)
		}
	}
	return all
}

// InRegion returns the pipeline of one region: its sites, the targets as they are
// there, and a name of its own, NAME_REGION, which its bundle and jobs have. The
// key of what it lands stays the same, and the ids of partitions are unique in all
// regions, so that a site that comes from the bundle of no region, or from another
// one's, goes on where it was.
func (p *Pipeline) InRegion(region string) *Pipeline {
	out := *p
	out.Name, out.Region = p.Name+"_"+region, region
	out.Sites, out.Elsewhere = nil, nil
	for _, s := range p.Sites {
		if s.Region == region {
			out.Sites = append(out.Sites, s)
		} else {
			out.Elsewhere = append(out.Elsewhere, s.Name)
		}
	}
	out.Targets = slices.Clone(p.Targets)
	for i := range out.Targets {
		out.Targets[i] = out.Targets[i].in(region)
	}
	return &out
}

// parts lists the pipelines of all regions; the pipeline itself where there are none.
func (p *Pipeline) parts() []*Pipeline {
	var all []*Pipeline
	for _, r := range p.Regions() {
		all = append(all, p.InRegion(r))
	}
	if len(all) == 0 {
		return []*Pipeline{p}
	}
	return all
}

// Key is part of every key in the tables: the name as the file says it, in every
// region.
func (p *Pipeline) Key() string {
	if p.Region == "" {
		return p.Name
	}
	return strings.TrimSuffix(p.Name, "_"+p.Region)
}

// OwnSites lists the names of the sites where rows under Key are of other regions,
// too; none where all are of these sites.
func (p *Pipeline) OwnSites() []string {
	if len(p.Elsewhere) == 0 {
		return nil
	}
	names := make([]string, len(p.Sites))
	for i, s := range p.Sites {
		names[i] = s.Name
	}
	return names
}

// in returns the target as it is in a region.
func (t Target) in(region string) Target {
	for _, r := range t.Regions {
		if r.Region == region {
			t.Host = cmp.Or(r.Host, t.Host)
			t.ServicePrincipal = cmp.Or(r.ServicePrincipal, t.ServicePrincipal)
			t.Catalog = cmp.Or(r.Catalog, t.Catalog)
			t.Warehouse = cmp.Or(r.Warehouse, t.Warehouse)
		}
	}
	t.Regions = nil
	return t
}

// readRegionTargets reads targets[].regions.
func readRegionTargets(o *yamlread.Mapping) []RegionTarget {
	var all []RegionTarget
	for _, e := range o.Entries(100) {
		r := o.Mapping(e.Key)
		all = append(all, RegionTarget{
			Region:           e.Key,
			Host:             readURL(r, "host", normalizeHost),
			ServicePrincipal: r.Text("service_principal", "", uuidRule),
			Catalog:          r.Text("catalog", "", catalogRule),
			Warehouse:        r.Text("warehouse", "", idRule),
		})
		r.Done()
	}
	return all
}

// checkRegions notes sites and targets that do not go together with regions.
func checkRegions(root *yamlread.Mapping, p *Pipeline) {
	regions := p.Regions()
	for i, n := range root.Items("sites") {
		if len(regions) > 0 && i < len(p.Sites) && p.Sites[i].Region == "" {
			root.Add(n, fmt.Sprintf("sites[%d] has no region, and others have; allowed: a region for each site, or for none", i),
				"write region: "+regions[0]+", or the one that the site's workspace is in")
		}
	}
	for _, t := range p.Targets {
		checkRegionTargets(root, t, regions, p.Monitoring)
	}
	if compute := root.Mapping("compute"); len(regions) > 1 {
		const hint = "leave it out, or write a pipeline.yml for each region"
		compute.Forbid("policy_id", "is of one workspace, and the sites are in several regions", hint)
		compute.Mapping(
			"pool",
		).Forbid(
			"instance_pool_id",
			"is of one workspace, and the sites are in several regions",
			hint+"; pool: {min_idle: N} makes a pool in each",
		)
	}
	checkServers(root, p.Sites)
}

func checkRegionTargets(root *yamlread.Mapping, t Target, regions []string, monitoring Monitoring) {
	at := root.Node.Get("targets", t.Name, "regions")
	hosts, warehouses := map[string]string{}, map[string]string{}
	for _, r := range t.Regions {
		e := at.Entry(r.Region)
		if !slices.Contains(regions, r.Region) {
			hint := suggest.Hint(r.Region, regions, "write region: "+r.Region+" at the sites that belong to it")
			root.Add(e.Place(), fmt.Sprintf("targets.%s.regions: no site is in region %s; allowed: %s", t.Name, yamlread.Quote(r.Region),
				cmp.Or(strings.Join(regions, ", "), "none, since no site has one")), hint)
		}
		if first, taken := hosts[r.Host]; taken && r.Host != "" {
			root.Add(
				e.Value.Get("host"),
				fmt.Sprintf("targets.%s.regions.%s.host is that of %s too; allowed: a workspace for each region", t.Name, r.Region, first),
				"a workspace is in one region",
			)
		}
		hosts[r.Host] = r.Region
		id := cmp.Or(r.Warehouse, t.Warehouse, monitoring.Warehouse)
		if first, taken := warehouses[id]; taken && id != "" && r.Host != "" {
			root.Add(
				e.Place(),
				fmt.Sprintf("targets.%s.regions.%s has the SQL warehouse of %s, %s; allowed: one of its own workspace", t.Name, r.Region, first, id),
				"write warehouse: ID there; `databricks warehouses list` lists the ids",
			)
		}
		warehouses[id] = r.Region
	}
}

// checkServers notes a PI server that would be read from two regions: two bundles
// would each take its whole request budget.
func checkServers(root *yamlread.Mapping, sites []Site) {
	type server struct{ url, data string }
	first := map[server]Site{}
	for i, n := range root.Items("sites") {
		if i >= len(sites) || sites[i].URL == "" {
			continue
		}
		s := sites[i]
		f, seen := first[server{s.URL, s.DataServer}]
		if seen && f.Region != s.Region && f.Name != s.Name {
			root.Add(
				n.Get("url"),
				fmt.Sprintf(
					"sites[%d].url: the server of site %s, which is in region %s, is in region %s here; allowed: one region for a site",
					i,
					f.Name,
					f.Region,
					s.Region,
				),
				"put both into one region",
			)
		}
		first[server{s.URL, s.DataServer}] = s
	}
}
