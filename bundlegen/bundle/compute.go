package bundle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/internal/diag"
)

const (
	orchestratorCluster = "orchestrator_cluster" // complex variable, and with _key of it in job_clusters
	orchestratorKey     = "orchestrator"
	orchestratorWorkers = 1
	poolIdleMinutes     = 15
)

// clusterVariable is one cluster specification: a complex variable, so that one
// place changes all clusters made of it and a target can override it.
type clusterVariable struct {
	Name string
	variable
	Unset []config.SiteSecret // secrets that pipeline.yml gives no scope/key for
}

// clusterVariables lists the specifications that a plan needs: the
// orchestrator's, then one for each size and site. Serverless needs none.
func clusterVariables(cfg *config.Pipeline, p *plan.Plan) ([]clusterVariable, error) {
	if cfg.Compute.Serverless || len(p.Partitions) == 0 {
		return nil, nil
	}
	all := config.Secrets(cfg.Sites)
	if cfg.Compute.SingleCluster {
		workers := 0
		for _, part := range p.Partitions {
			workers = max(workers, part.Workers)
		}
		return []clusterVariable{extractionCluster(cfg, sharedCluster(p),
			"All tasks of a run: "+workersText(cfg, workers), workers, all), doctorCluster(cfg, p, all)}, nil
	}

	vars := []clusterVariable{orchestrator(cfg, all)}
	seen := map[string]plan.Partition{}
	for _, part := range p.Partitions {
		if part.Cluster == "" {
			return nil, fmt.Errorf("partition %d has no cluster", part.ID)
		}
		first, ok := seen[part.Cluster]
		if ok {
			if first.Site != part.Site || first.Workers != part.Workers {
				return nil, diag.WithHint(
					fmt.Errorf(
						"partitions %d (site %s) and %d (site %s) would share cluster %s, and with it their secrets",
						first.ID,
						first.Site,
						part.ID,
						part.Site,
						part.Cluster,
					),
					"rename one of the sites, so that their names differ in more than case, - and _",
				)
			}
			continue
		}
		seen[part.Cluster] = part
		site, err := siteByName(cfg, part.Site)
		if err != nil {
			return nil, err
		}
		vars = append(vars, extractionCluster(cfg, part.Cluster,
			fmt.Sprintf("Extraction from %s: %s", part.Site, workersText(cfg, part.Workers)), part.Workers, site.Secrets()))
	}
	slices.SortFunc(vars[1:], func(a, b clusterVariable) int { return strings.Compare(a.Name, b.Name) })
	return slices.Insert(vars, 1, doctorCluster(cfg, p, all)), nil
}

// sharedCluster is the name of the one specification of a single-cluster layout.
func sharedCluster(p *plan.Plan) string { return p.Partitions[0].Cluster }

// workersText says in words what extractionCluster makes.
func workersText(cfg *config.Pipeline, workers int) string {
	switch {
	case workers == 0:
		return "a single node on demand"
	case usesPool(cfg):
		return fmt.Sprintf("%d workers from a pool", workers)
	case workers == 1:
		return "1 spot worker that falls back to on demand, driver on demand"
	}
	return fmt.Sprintf("%d spot workers that fall back to on demand, driver on demand", workers)
}

// orchestrator is the cluster of discover, consolidate and validate: on demand,
// since losing it loses the run, and with the secrets of all sites.
func orchestrator(cfg *config.Pipeline, secrets []config.SiteSecret) clusterVariable {
	c := baseCluster(cfg, orchestratorWorkers, secrets)
	description := "Discovery, consolidation, validation: 1 worker on demand"
	if usesPool(cfg) {
		// The pool of drivers is on demand; the workers' pool is not.
		workers, drivers := poolIDs(cfg)
		c.Pool = cmp.Or(drivers, workers)
		description = "Discovery, consolidation, validation: 1 worker from the drivers' pool"
	} else {
		c.NodeType = cfg.Compute.OrchestratorType
		c.ElasticDisk = cfg.Compute.Cloud == "aws"
		c.cloudAttributes = cloudOf(cfg, onDemand)
	}
	return clusterSpec(orchestratorCluster, description, c, secrets)
}

// extractionCluster is a cluster of spot workers with the driver on demand; where
// there is no spot capacity, the workers are on demand too.
func extractionCluster(cfg *config.Pipeline, name, description string, workers int, secrets []config.SiteSecret) clusterVariable {
	c := baseCluster(cfg, workers, secrets)
	if usesPool(cfg) {
		c.Pool, c.DriverPool = poolIDs(cfg)
		if workers == 0 && c.DriverPool != "" {
			c.Pool, c.DriverPool = c.DriverPool, "" // the single node is the driver
		}
	} else {
		c.NodeType = cfg.Compute.NodeType
		c.ElasticDisk = cfg.Compute.Cloud == "aws"
		c.cloudAttributes = cloudOf(cfg, spotWithFallback)
	}
	return clusterSpec(name, description, c, secrets)
}

func clusterSpec(name, description string, c *cluster, secrets []config.SiteSecret) clusterVariable {
	return clusterVariable{
		Name:     name,
		variable: variable{Description: description, Type: "complex", Default: c},
		Unset:    unset(secrets),
	}
}

// baseCluster is what all clusters have in common. No worker means a single node.
func baseCluster(cfg *config.Pipeline, workers int, secrets []config.SiteSecret) *cluster {
	c := &cluster{
		SparkVersion:     cfg.Compute.SparkVersion,
		Policy:           cfg.Compute.PolicyID,
		Workers:          workers,
		DataSecurityMode: "SINGLE_USER", // Unity Catalog from a job cluster
		RuntimeEngine:    "STANDARD",    // explicit, since a value that a policy or the workspace fills in is a change at each plan
		SparkEnv:         sparkEnv(secrets),
		CustomTags:       maps.Clone(cfg.Compute.CustomTags),
	}
	if cfg.Compute.Photon {
		c.RuntimeEngine = "PHOTON"
	}
	if workers == 0 {
		c.SparkConf = map[string]string{
			"spark.databricks.cluster.profile": "singleNode",
			// Behind the comma: how often a task may fail. Without it Spark in one
			// process takes the first failure for the last.
			"spark.master": "local[*, 4]",
		}
		if c.CustomTags == nil {
			c.CustomTags = map[string]string{}
		}
		c.CustomTags["ResourceClass"] = "SingleNode"
	}
	if cfg.Compute.Cloud == "aws" && usesPool(cfg) && cfg.Compute.Pool.WorkerID != "" && cfg.Compute.InstanceProfile != "" {
		c.AWS = &awsAttributes{InstanceProfile: cfg.Compute.InstanceProfile}
	}
	return c
}

func unset(secrets []config.SiteSecret) []config.SiteSecret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s config.SiteSecret) bool { return s.Secret.Secret != "" })
}

func siteByName(cfg *config.Pipeline, name string) (config.Site, error) {
	for _, s := range cfg.Sites {
		if s.Name == name {
			return s, nil
		}
	}
	return config.Site{}, fmt.Errorf("the plan names site %q, which pipeline.yml does not have", name)
}

// usesPool says whether clusters take their machines from a pool: one that is
// there already (its id is given), or one that the bundle makes (min_idle alone).
func usesPool(cfg *config.Pipeline) bool {
	return !cfg.Compute.Serverless && cfg.Compute.Pool != (config.Pool{})
}

// makesPools says whether the pools are resources of the bundle.
func makesPools(cfg *config.Pipeline) bool {
	return usesPool(cfg) && cfg.Compute.Pool.WorkerID == ""
}

func poolKeys(cfg *config.Pipeline) (workers, drivers string) {
	return cfg.Name + "_workers", cfg.Name + "_drivers"
}

// poolIDs gives the ids of the workers' and the drivers' pool; the latter may be "".
func poolIDs(cfg *config.Pipeline) (workers, drivers string) {
	if !makesPools(cfg) {
		return cfg.Compute.Pool.WorkerID, cfg.Compute.Pool.DriverID
	}
	w, d := poolKeys(cfg)
	return "${resources.instance_pools." + w + ".id}", "${resources.instance_pools." + d + ".id}"
}

// pools makes the bundle's own pools: spot machines for the workers, machines on
// demand for the drivers. They hold nothing that could be lost. Idle machines
// cost money, so that only a production target keeps some.
func pools(cfg *config.Pipeline) map[string]*instancePool {
	workersKey, driversKey := poolKeys(cfg)
	pool := func(name string) *instancePool {
		return &instancePool{
			Name: name, NodeType: cfg.Compute.NodeType, IdleMinutes: poolIdleMinutes, ElasticDisk: true,
			CustomTags: maps.Clone(cfg.Compute.CustomTags), PreloadedSparks: []string{cfg.Compute.SparkVersion},
		}
	}
	workers, drivers := pool(workersKey), pool(driversKey)
	workers.cloudAttributes, drivers.cloudAttributes = cloudOf(cfg, poolSpot), cloudOf(cfg, poolOnDemand)
	return map[string]*instancePool{workersKey: workers, driversKey: drivers}
}

// Processor returns the kind of processor that the bundle's wheel is made for: that of
// the configured machines, which all have to be of one kind, since every task
// installs the same wheel. Machines of a pool that is there already are taken for
// AMD64.
func Processor(cfg *config.Pipeline) (wheel.Arch, error) {
	if cfg.Compute.Serverless {
		return wheel.AMD64, nil
	}
	nodes := wheel.ArchOf(cfg.Compute.NodeType)
	if usesPool(cfg) || cfg.Compute.SingleCluster {
		return nodes, nil // there is no other machine
	}
	if orchestrator := wheel.ArchOf(cfg.Compute.OrchestratorType); orchestrator != nodes {
		return "", diag.WithHint(
			fmt.Errorf("compute.node_type %s has %s processors, compute.orchestrator_node_type %s has %s: one wheel cannot serve both",
				cfg.Compute.NodeType, nodes, cfg.Compute.OrchestratorType, orchestrator),
			"leave orchestrator_node_type out, or choose one with %s processors",
			nodes,
		)
	}
	return nodes, nil
}

// clusterComment tells how to change clusters, and which secrets have no place yet.
func clusterComment(clusters []clusterVariable) string {
	var b strings.Builder
	b.WriteString(
		"One specification for each size and site: a cluster holds the secrets of its own site only.\nA target may override any of them.",
	)
	told := map[config.SiteSecret]bool{}
	for _, c := range clusters {
		for _, s := range c.Unset {
			if !told[s] {
				told[s] = true
				fmt.Fprintf(&b, "\n%s is not here: %s of site %s has no `secret: scope/key` in pipeline.yml.", s.Secret.Env, s.Key, s.Site)
			}
		}
	}
	return b.String()
}

func clusterEntries(clusters []clusterVariable) ordered {
	var all ordered
	for _, c := range clusters {
		all = append(all, entry{c.Name, c.variable})
	}
	return all
}
