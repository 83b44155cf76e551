package config

import (
	"net/url"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// defaultSparkVersion is the newest long-term release of Databricks Runtime,
// supported until October 2028.
const defaultSparkVersion = "17.3.x-scala2.13"

// defaultNodeTypes are general-purpose machines of 4 cores and 16 GB with a
// local disk, for what is staged before it is published.
var defaultNodeTypes = map[string]string{
	"aws":   "m5d.xlarge",
	"azure": "Standard_D4ds_v5",
	"gcp":   "n2-standard-4",
}

// workspaceDomains are where each cloud's workspaces are.
var workspaceDomains = []struct{ suffix, cloud string }{
	{".gcp.databricks.com", "gcp"},
	{".azuredatabricks.net", "azure"},
	{".databricks.azure.us", "azure"},
	{".databricks.azure.cn", "azure"},
	{".cloud.databricks.com", "aws"},
	{".cloud.databricks.us", "aws"},
}

// cloudOf gives the cloud of a workspace's address, "" if that does not tell.
func cloudOf(host string) string {
	u, err := url.Parse(host)
	if err != nil {
		return ""
	}
	for _, d := range workspaceDomains {
		if strings.HasSuffix(u.Hostname(), d.suffix) {
			return d.cloud
		}
	}
	return ""
}

// readCompute reads what the tasks run on. Without compute.cloud the targets'
// hosts tell; else it is AWS.
func readCompute(root *object, targets []Target) Compute {
	o := root.object("compute")
	cloud := "aws"
	hosts := hostsOf(targets)
	for _, h := range hosts {
		if c := cloudOf(h.host); c != "" {
			cloud = c
			break
		}
	}
	cloud = o.oneOf("cloud", cloud, "aws", "azure", "gcp")
	spark := o.text("spark_version", defaultSparkVersion, sparkRule)
	node := o.text("node_type", defaultNodeTypes[cloud], nodeTypeRule)
	c := Compute{
		Cloud:              cloud,
		SparkVersion:       spark,
		NodeType:           node,
		OrchestratorType:   o.text("orchestrator_node_type", node, nodeTypeRule),
		PolicyID:           o.text("policy_id", "", idRule),
		CustomTags:         readCustomTags(o, cloud),
		InstanceProfile:    o.text("instance_profile", "", profileRule),
		SingleCluster:      o.bool("single_cluster"),
		Serverless:         o.bool("serverless"),
		Photon:             o.bool("photon") || strings.Contains(spark, "-photon-"),
		Layout:             o.oneOf("layout", "liquid", "liquid", "zorder"),
		MaxConcurrentTasks: o.int("max_concurrent_tasks", 1000, 1, 100_000),
		Pool:               readPool(o.object("pool")),
	}
	o.done()
	checkCompute(o, c)
	for _, h := range hosts {
		if other := cloudOf(h.host); other != "" && other != c.Cloud {
			at, hint := root.node.Get(h.path...), "all targets of a pipeline are of one cloud: write another pipeline.yml for the other"
			if o.has("cloud") {
				at, hint = o.at("cloud"), "write cloud: "+other+", or leave the key out"
			}
			o.add(at, "compute.cloud is "+c.Cloud+", but target "+h.path[1]+" is a workspace of "+other, hint)
			break
		}
	}
	return c
}

// hostAt is a workspace's address and where it stands.
type hostAt struct {
	host string
	path []string
}

// hostsOf lists the workspaces of all targets and of their regions.
func hostsOf(targets []Target) []hostAt {
	var all []hostAt
	for _, t := range targets {
		all = append(all, hostAt{t.Host, []string{"targets", t.Name, "host"}})
		for _, r := range t.Regions {
			all = append(all, hostAt{r.Host, []string{"targets", t.Name, "regions", r.Region, "host"}})
		}
	}
	return all
}

func readPool(o *object) Pool {
	p := Pool{
		WorkerID: o.text("instance_pool_id", "", idRule),
		DriverID: o.text("driver_instance_pool_id", "", idRule),
		MinIdle:  o.int("min_idle", 0, 1, 10_000),
	}
	o.done()
	if p.DriverID != "" && p.WorkerID == "" {
		o.refuse("driver_instance_pool_id", "needs instance_pool_id, the workers' pool", "name both pools")
	}
	return p
}

// readCustomTags reads the tags of the machines, by the rules of their cloud. A
// cluster takes 45, one of which a single node has for itself.
func readCustomTags(parent *object, cloud string) map[string]string {
	o, r := parent.object("custom_tags"), tagRules[cloud]
	entries := o.entries(44)
	if len(entries) == 0 {
		return nil
	}
	tags := make(map[string]string, len(entries))
	for _, e := range entries {
		if !r.key.ok(e.Key) {
			o.noteAt(diag.Problem{Line: e.Line, Column: e.Column, Value: e.Key, Text: o.path + ": key " + quote(e.Key),
				Allowed: r.key.allowed, Hint: r.key.hint})
			continue
		}
		tags[e.Key] = o.text(e.Key, "", r.value)
	}
	return tags
}

// checkCompute notes keys that contradict each other.
func checkCompute(o *object, c Compute) {
	if c.Serverless {
		const hint = "leave it out, or write serverless: false"
		for _, key := range []string{"pool", "node_type", "orchestrator_node_type", "spark_version", "policy_id", "instance_profile"} {
			if o.has(key) {
				o.refuse(key, "cannot be combined with serverless: true", hint)
			}
		}
		if c.SingleCluster {
			o.refuse("single_cluster", "cannot be combined with serverless: true", hint)
		}
		if c.Photon {
			o.refuse("photon", "cannot be combined with serverless: true", hint)
		}
	}
	if c.Pool.WorkerID != "" {
		for _, key := range []string{"node_type", "orchestrator_node_type"} {
			if key == "orchestrator_node_type" && c.Pool.DriverID == "" {
				continue
			}
			o.refuse(key, "cannot be combined with a pool, whose machines are of its own type", "leave it out")
		}
	}
	if c.InstanceProfile != "" && c.Cloud != "aws" {
		o.refuse("instance_profile", "is of AWS, and compute.cloud is "+c.Cloud, "leave it out")
	}
}
