package forecast

import (
	"maps"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/suggest"
)

// Price is one row of the price table.
type Price struct {
	Key    string  `json:"key"` // cloud/what, and cloud/node type/what: the key of `prices` in pipeline.yml
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Date   string  `json:"date"` // when it was read, or from when it is remembered
	Source string  `json:"source"`
}

// Where the prices are from. All are list prices before any discount, in the
// region named; yours differ, and `prices` in pipeline.yml replaces each.
const (
	fromLakemeter = "Databricks Labs Lakemeter's price files: list price, premium tier"
	fromListPage  = "assumed: the cloud's public list price for Linux as commonly quoted, not fetched"
	fromSpot      = "assumed: 90-day spot averages of a few types in Lakemeter's files, as a share of on demand"
	fromUser      = "pipeline.yml, prices"
	noSource      = "assumed, no source: replace it"

	dateDBU  = "2026-04-10"
	dateList = "2025-12"
)

// listPrices is the price table. AWS is us-east-1, Azure is eastus, GCP is us-central1.
var listPrices = [...]Price{
	{"aws/jobs", 0.15, "USD per DBU", dateDBU, fromLakemeter},
	{"aws/serverless", 0.35, "USD per DBU", dateDBU, fromLakemeter},
	{"aws/photon", 2.9, "times the DBUs", dateDBU, fromLakemeter},
	{"aws/spot", 0.45, "share of on demand", "2025-11-30", fromSpot},
	{"aws/serverless/task", 4, "DBU per hour and task", dateList, noSource},
	{"azure/jobs", 0.30, "USD per DBU", dateDBU, fromLakemeter},
	{"azure/serverless", 0.45, "USD per DBU", dateDBU, fromLakemeter},
	{"azure/photon", 2.5, "times the DBUs", dateDBU, fromLakemeter},
	{"azure/spot", 0.27, "share of on demand", "2025-12-18", fromSpot},
	{"azure/serverless/task", 4, "DBU per hour and task", dateList, noSource},
	{"gcp/jobs", 0.15, "USD per DBU", dateDBU, fromLakemeter},
	{"gcp/serverless", 0.35, "USD per DBU", dateDBU, fromLakemeter},
	{"gcp/photon", 2.5, "times the DBUs", dateDBU, fromLakemeter},
	{"gcp/spot", 0.40, "share of on demand", dateList, "assumed: Google gives 60% off or more"},
	{"gcp/serverless/task", 4, "DBU per hour and task", dateList, noSource},
}

// node is a node type: USD per hour on demand, DBUs per hour, and virtual CPUs.
type node struct {
	usd, dbus float64
	cores     int
}

// nodes are the node types that the table knows, by cloud. DBUs and cores are
// from Lakemeter's files (dateDBU), USD are list prices (dateList, fromListPage).
var nodes = map[string]map[string]node{
	"aws": {
		"m5d.large": {0.113, 0.34, 2}, "m5d.xlarge": {0.226, 0.69, 4}, "m5d.2xlarge": {0.452, 1.37, 8},
		"m5.large": {0.096, 0.34, 2}, "m5.xlarge": {0.192, 0.69, 4},
		"m6i.xlarge": {0.192, 0.76, 4}, "m6id.large": {0.11865, 0.38, 2}, "m6id.xlarge": {0.2373, 0.76, 4},
		"m6id.2xlarge": {0.4746, 1.52, 8}, "m6gd.xlarge": {0.1808, 0.77, 4},
		"i3.xlarge": {0.312, 1.0, 4}, "c5d.xlarge": {0.192, 0.61, 4}, "r5d.xlarge": {0.288, 0.9, 4},
	},
	"azure": {
		"Standard_D4ds_v5": {0.226, 1.0, 4}, "Standard_D8ds_v5": {0.452, 2.0, 8}, "Standard_D4ds_v4": {0.226, 0.75, 4},
		"Standard_D4s_v3": {0.192, 0.75, 4}, "Standard_D4s_v5": {0.192, 1.0, 4}, "Standard_D4as_v5": {0.172, 1.0, 4},
		"Standard_DS3_v2": {0.229, 0.75, 4}, "Standard_F4s_v2": {0.169, 0.75, 4}, "Standard_E4ds_v5": {0.288, 1.5, 4},
	},
	"gcp": {
		"n2-standard-4": {0.1942, 0.72, 4}, "n2-standard-8": {0.3885, 1.44, 8}, "n2-highmem-4": {0.262, 0.96, 4},
		"n2d-standard-4": {0.169, 0.72, 4}, "n1-standard-4": {0.19, 0.71, 4}, "c2-standard-4": {0.2088, 0.72, 4},
	},
}

// defaultCores are those of a node type that the table does not know.
const defaultCores = 4

// standIn is the node type whose price is used for one that the table does not know.
var standIn = map[string]string{"aws": "m5d.xlarge", "azure": "Standard_D4ds_v5", "gcp": "n2-standard-4"}

// Prices is the price table with what pipeline.yml replaces in it.
type Prices struct{ byKey map[string]Price }

// NewPrices returns the table with overrides (config.Pipeline.Prices) in place.
// Keys that the table does not have yet are added: that is how a node type is
// priced that it does not know, with CLOUD/TYPE (USD per hour) and CLOUD/TYPE/dbu.
func NewPrices(overrides map[string]float64) Prices {
	table := make(map[string]Price, len(listPrices)+2*32)
	for _, p := range listPrices {
		table[p.Key] = p
	}
	for cloud, types := range nodes {
		for name, n := range types {
			key := cloud + "/" + name
			table[key] = Price{key, n.usd, "USD per hour", dateList, fromListPage}
			table[key+"/dbu"] = Price{key + "/dbu", n.dbus, "DBU per hour", dateDBU, fromLakemeter}
		}
	}
	for key, value := range overrides {
		p := table[key]
		p.Key, p.Value, p.Date, p.Source = key, value, "", fromUser
		table[key] = p
	}
	return Prices{byKey: table}
}

// All returns the whole table in order of key.
func (p Prices) All() []Price {
	all := make([]Price, 0, len(p.byKey))
	for _, key := range slices.Sorted(maps.Keys(p.byKey)) {
		all = append(all, p.byKey[key])
	}
	return all
}

// Knows reports whether the table has a node type's price and DBUs.
func (p Prices) Knows(cloud, nodeType string) bool {
	_, usd := p.byKey[cloud+"/"+nodeType]
	_, dbus := p.byKey[cloud+"/"+nodeType+"/dbu"]
	return usd && dbus
}

// Idle lists keys of pipeline.yml that price nothing, in order: a key that the
// table does not have, unless it is one of the two that a further node type needs.
func (p Prices) Idle() []string {
	var keys []string
	for _, price := range p.All() {
		cloud, what, _ := strings.Cut(price.Key, "/")
		if own := price.Unit == ""; own && !p.Knows(cloud, strings.TrimSuffix(what, "/dbu")) {
			keys = append(keys, price.Key)
		}
	}
	return keys
}

// NearestKey returns the table's key that is most like another, for a hint; "" if none is.
func (p Prices) NearestKey(key string) string {
	var known []string
	for _, price := range p.All() {
		if price.Unit != "" {
			known = append(known, price.Key)
		}
	}
	return suggest.Nearest(key, known)
}

// StandIn names the node type whose prices are taken for one the table does not know.
func StandIn(cloud string) string { return standIn[cloud] }

func (p Prices) of(cloud, what string) float64 { return p.byKey[cloud+"/"+what].Value }

// node returns a node type's prices, or those of the cloud's stand-in.
func (p Prices) node(cloud, nodeType string) node {
	name := nodeType
	if !p.Knows(cloud, name) {
		name = standIn[cloud]
	}
	n := node{usd: p.of(cloud, name), dbus: p.of(cloud, name+"/dbu"), cores: defaultCores}
	if known, ok := nodes[cloud][name]; ok {
		n.cores = known.cores
	}
	return n
}

// Nearest returns the table's node type whose name is most like another's, for a hint; "" if none is.
func Nearest(cloud, nodeType string) string {
	return suggest.Nearest(nodeType, slices.Sorted(maps.Keys(nodes[cloud])))
}
