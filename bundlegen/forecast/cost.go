package forecast

const hour = 3600.0

// orchestratorWorkers is the size of the orchestrator's cluster (DESIGN.md, Walk 1).
const orchestratorWorkers = 1

// cost returns the USD of one run: machines from the moment they are asked for,
// DBUs from the moment a cluster is ready. What is done again is paid again.
func (m Model) cost(j Job, prices Prices, f Forecast) float64 {
	c := j.Compute
	switch {
	case c.SingleCluster:
		return prices.cluster(c.Cloud, c.NodeType, c.Photon, j.SingleWorkers, true, f.Total, f.Total-f.Startup)
	case c.Serverless:
		tasks := f.Discover + f.Consolidate + f.Validate
		for i, p := range j.Partitions {
			tasks += m.expected(f.Partitions[i], j.spotWorkers(p))
		}
		return tasks / hour * prices.of(c.Cloud, "serverless/task") * prices.of(c.Cloud, "serverless")
	}
	orchestrator := c.OrchestratorType
	if orchestrator == "" {
		orchestrator = c.NodeType
	}
	start := m.extractionStart(j)
	usd := prices.cluster(c.Cloud, orchestrator, c.Photon, orchestratorWorkers, false, f.Total, f.Total-m.Startup(c))
	for i, p := range j.Partitions {
		seconds := m.expected(f.Partitions[i], j.spotWorkers(p))
		usd += prices.cluster(c.Cloud, c.NodeType, c.Photon, p.Workers, true, start+seconds, seconds)
	}
	return usd
}

// expected returns the seconds that a task takes with what of it is done again.
func (m Model) expected(seconds float64, workers int) float64 {
	return seconds + m.fails(seconds, workers)*m.again(seconds)
}

// idle returns the USD a month of the pools' idle machines: the machine only, no
// DBU. As many are kept in the pool of drivers, on demand, as in that of workers.
// What a run takes from the pool it pays for itself, so this errs to the dear side.
func (m Model) idle(j Job, prices Prices) float64 {
	pool := j.Compute.Pool
	if !j.First || j.Compute.Serverless || pool.MinIdle == 0 {
		return 0
	}
	share := prices.of(j.Compute.Cloud, "spot")
	if drivers := pool.WorkerID == "" || pool.DriverID != ""; drivers {
		share++
	}
	return float64(pool.MinIdle) * share * prices.node(j.Compute.Cloud, j.Compute.NodeType).usd * m.HoursPerMonth
}

// IdleCost returns the USD a month of the idle machines of the job's pools.
func (m Model) IdleCost(j Job, prices Prices) float64 {
	j.First = true
	return m.idle(j, prices)
}

// cluster returns the USD of a driver on demand and workers, up seconds long, ready seconds of it.
func (p Prices) cluster(cloud, nodeType string, photon bool, workers int, spot bool, up, ready float64) float64 {
	n := p.node(cloud, nodeType)
	share, dbus := 1.0, n.dbus
	if spot {
		share = p.of(cloud, "spot")
	}
	if photon {
		dbus *= p.of(cloud, "photon")
	}
	machines := n.usd * (1 + float64(workers)*share)
	return up/hour*machines + ready/hour*float64(1+workers)*dbus*p.of(cloud, "jobs")
}
