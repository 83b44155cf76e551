package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
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
	Unset []secretEnv // secrets that pipeline.yml gives no scope/key for
}

// clusterVariables lists the specifications that a plan needs: the
// orchestrator's, then one for each size and site. Serverless needs none.
func clusterVariables(cfg *config.Pipeline, p *plan.Plan) ([]clusterVariable, error) {
	all, err := secretsOfAll(cfg.Sites)
	if err != nil || cfg.Compute.Serverless || len(p.Partitions) == 0 {
		return nil, err
	}
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
				return nil, diag.WithHint(fmt.Errorf("partitions %d (site %s) and %d (site %s) would share cluster %s, and with it their secrets", first.ID, first.Site, part.ID, part.Site, part.Cluster),
					"rename one of the sites, so that their names differ in more than case, - and _")
			}
			continue
		}
		seen[part.Cluster] = part
		site, err := siteByName(cfg, part.Site)
		if err != nil {
			return nil, err
		}
		vars = append(vars, extractionCluster(cfg, part.Cluster,
			fmt.Sprintf("Extraction from %s: %s", part.Site, workersText(cfg, part.Workers)), part.Workers, secretsOf(site)))
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
func orchestrator(cfg *config.Pipeline, secrets []secretEnv) clusterVariable {
	c := baseCluster(cfg, orchestratorWorkers, secrets)
	if usesPool(cfg) {
		// The pool of drivers is on demand; the workers' pool is not.
		workers, drivers := poolIDs(cfg)
		c.Pool = drivers
		if drivers == "" {
			c.Pool = workers
		}
		return clusterVariable{Name: orchestratorCluster, variable: variable{
			Description: "Discovery, consolidation, validation: 1 worker from the drivers' pool", Type: "complex", Default: c,
		}, Unset: unset(secrets)}
	}
	c.NodeType = cfg.Compute.OrchestratorType
	onDemand(cfg, c)
	return clusterVariable{Name: orchestratorCluster, variable: variable{
		Description: "Discovery, consolidation, validation: 1 worker on demand", Type: "complex", Default: c,
	}, Unset: unset(secrets)}
}

// extractionCluster is a cluster of spot workers with the driver on demand;
// spot capacity that is not to be had becomes on demand.
func extractionCluster(cfg *config.Pipeline, name, description string, workers int, secrets []secretEnv) clusterVariable {
	c := baseCluster(cfg, workers, secrets)
	if usesPool(cfg) {
		c.Pool, c.DriverPool = poolIDs(cfg)
		if workers == 0 && c.DriverPool != "" {
			c.Pool, c.DriverPool = c.DriverPool, "" // the single node is the driver
		}
	} else {
		c.NodeType = cfg.Compute.NodeType
		spot(cfg, c)
	}
	return clusterVariable{
		Name:     name,
		variable: variable{Description: description, Type: "complex", Default: c},
		Unset:    unset(secrets),
	}
}

// baseCluster is what all clusters have in common. No worker means a single node.
func baseCluster(cfg *config.Pipeline, workers int, secrets []secretEnv) *cluster {
	c := &cluster{
		SparkVersion:     cfg.Compute.SparkVersion,
		Policy:           cfg.Compute.PolicyID,
		Workers:          workers,
		DataSecurityMode: "SINGLE_USER", // Unity Catalog from a job cluster
		RuntimeEngine:    "STANDARD",    // said, since what a policy or the workspace fills in is a change at each plan
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

func unset(secrets []secretEnv) []secretEnv {
	return slices.DeleteFunc(slices.Clone(secrets), func(s secretEnv) bool { return s.Secret != "" })
}

func siteByName(cfg *config.Pipeline, name string) (config.Site, error) {
	for _, s := range cfg.Sites {
		if s.Name == name {
			return s, nil
		}
	}
	return config.Site{}, fmt.Errorf("the plan names site %q, which pipeline.yml does not have", name)
}
