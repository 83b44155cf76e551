package config

import (
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// Compute is what the tasks run on.
type Compute struct {
	Cloud              string // aws, azure, gcp; by default as the targets' hosts tell, else aws
	SparkVersion       string // 17.3.x-scala2.13
	NodeType           string // node_type: workers and driver of extraction clusters
	OrchestratorType   string `key:"orchestrator_node_type"` // orchestrator_node_type; node_type by default
	PolicyID           string
	CustomTags         map[string]string
	InstanceProfile    string // AWS: its ARN
	SingleCluster      bool
	Serverless         bool
	Photon             bool
	Layout             string // liquid (default) or zorder
	MaxConcurrentTasks int    // of the workspace; 1000
	Pool               Pool
}

// Pool is a warm instance pool. The zero value is none. Without ids it is one
// that the bundle makes.
type Pool struct {
	WorkerID string `key:"instance_pool_id"`        // instance_pool_id
	DriverID string `key:"driver_instance_pool_id"` // driver_instance_pool_id; only with instance_pool_id
	MinIdle  int    `key:",unset"`                  // machines kept warm in each of the two pools
}

// defaultSparkVersion is the newest long-term release of Databricks Runtime,
// supported until October 2028.
const defaultSparkVersion = "17.3.x-scala2.13"

// readCompute reads what the tasks run on. Without compute.cloud the targets'
// hosts tell; else it is AWS.
func readCompute(root *yamlread.Mapping, targets []Target) Compute {
	o := root.Mapping("compute")
	cloud := "aws"
	hosts := hostsOf(targets)
	for _, h := range hosts {
		if c := cloudOf(h.host); c != "" {
			cloud = c
			break
		}
	}
	cloud = o.OneOf("cloud", cloud, clouds...)
	spark := o.Text("spark_version", defaultSparkVersion, sparkRule)
	node := o.Text("node_type", defaultNodeTypes[cloud], nodeTypeRule)
	c := Compute{
		Cloud:              cloud,
		SparkVersion:       spark,
		NodeType:           node,
		OrchestratorType:   o.Text("orchestrator_node_type", node, nodeTypeRule),
		PolicyID:           o.Text("policy_id", "", idRule),
		CustomTags:         readCustomTags(o, cloud),
		InstanceProfile:    o.Text("instance_profile", "", profileRule),
		SingleCluster:      o.Bool("single_cluster"),
		Serverless:         o.Bool("serverless"),
		Photon:             o.Bool("photon") || strings.Contains(spark, "-photon-"),
		Layout:             o.OneOf("layout", "liquid", "liquid", "zorder"),
		MaxConcurrentTasks: o.Int("max_concurrent_tasks", 1000, 1, 100_000),
		Pool:               readPool(o.Mapping("pool")),
	}
	o.Done()
	checkSpark(o, c.SparkVersion)
	checkCompute(o, c)
	for _, h := range hosts {
		if other := cloudOf(h.host); other != "" && other != c.Cloud {
			at, hint := root.Node.Get(h.path...), "all targets of a pipeline are of one cloud: write another pipeline.yml for the other"
			if o.Has("cloud") {
				at, hint = o.At("cloud"), "write cloud: "+other+", or leave the key out"
			}
			o.Add(at, "compute.cloud is "+c.Cloud+", but target "+h.path[1]+" is a workspace of "+other, hint)
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

func readPool(o *yamlread.Mapping) Pool {
	p := Pool{
		WorkerID: o.Text("instance_pool_id", "", idRule),
		DriverID: o.Text("driver_instance_pool_id", "", idRule),
		MinIdle:  o.Int("min_idle", 0, 1, 10_000),
	}
	o.Done()
	if p.DriverID != "" && p.WorkerID == "" {
		o.Forbid("driver_instance_pool_id", "needs instance_pool_id, the workers' pool", "name both pools")
	}
	return p
}

// readCustomTags reads the tags of the machines, by the rules of their cloud. A
// cluster takes 45, one of which a single node has for itself.
func readCustomTags(parent *yamlread.Mapping, cloud string) map[string]string {
	o, r := parent.Mapping("custom_tags"), tagRules[cloud]
	entries := o.Entries(44)
	if len(entries) == 0 {
		return nil
	}
	tags := make(map[string]string, len(entries))
	for _, e := range entries {
		if !r.key.OK(e.Key) {
			o.AddProblem(e.Place(), diag.Problem{Value: e.Key, Text: o.Path + ": key " + yamlread.Quote(e.Key),
				Allowed: r.key.Allowed, Hint: r.key.Hint})
			continue
		}
		tags[e.Key] = o.Text(e.Key, "", r.value)
	}
	return tags
}

// checkSpark notes a Databricks Runtime that the wheel's launcher would refuse, after
// its cluster had started.
func checkSpark(o *yamlread.Mapping, version string) {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d.", &major, &minor); err != nil || major > 17 || major == 17 && minor >= 3 {
		return
	}
	o.Wrong(o.At("spark_version"), "spark_version", "Databricks Runtime 17.3 LTS or newer",
		"the tasks need Spark 4, which no older long-term release has; leave the key out for "+defaultSparkVersion)
}

// MaxJobTags is the most tags that Databricks takes on a job; a cluster takes more.
const MaxJobTags = 25

// checkCompute notes keys that contradict each other.
func checkCompute(o *yamlread.Mapping, c Compute) {
	if c.Serverless {
		const hint = "leave it out, or write serverless: false"
		for _, key := range []string{"pool", "node_type", "orchestrator_node_type", "spark_version", "policy_id", "instance_profile"} {
			if o.Has(key) {
				o.Forbid(key, "cannot be combined with serverless: true", hint)
			}
		}
		if c.SingleCluster {
			o.Forbid("single_cluster", "cannot be combined with serverless: true", hint)
		}
		if c.Photon {
			o.Forbid("photon", "cannot be combined with serverless: true", hint)
		}
		if len(c.CustomTags) > MaxJobTags {
			o.Forbid(
				"custom_tags",
				fmt.Sprintf("has %d tags: serverless compute has no machines to tag, and a job takes %d", len(c.CustomTags), MaxJobTags),
				"leave some out",
			)
		}
	}
	if c.Pool.WorkerID != "" {
		for _, key := range []string{"node_type", "orchestrator_node_type"} {
			if key == "orchestrator_node_type" && c.Pool.DriverID == "" {
				continue
			}
			o.Forbid(key, "cannot be combined with a pool, whose machines are of its own type", "leave it out")
		}
	}
	if c.InstanceProfile != "" && c.Cloud != "aws" {
		o.Forbid("instance_profile", "is of AWS, and compute.cloud is "+c.Cloud, "leave it out")
	}
}
