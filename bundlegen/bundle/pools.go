package bundle

import (
	"maps"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

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
	poolMachines(cfg, workers, drivers)
	return map[string]*instancePool{workersKey: workers, driversKey: drivers}
}
