package forecast

// Machines counts the machines of one run by the pool that they would come from:
// workers of extraction clusters, which may be spot, and all others, which stay
// on demand (drivers, single nodes, and the whole of the orchestrator).
func (j Job) Machines() (workers, others int) {
	switch {
	case j.Compute.Serverless:
		return 0, 0
	case j.Compute.SingleCluster:
		return j.SingleWorkers, 1
	}
	others = 1 + orchestratorWorkers
	for _, p := range j.Partitions {
		workers, others = workers+p.Workers, others+1
	}
	return workers, others
}

// Idle shares a pool's idle machines out between the pool of workers and that of
// drivers, as a run of the job needs them. Without a pool of drivers all are the
// workers'.
func (j Job) Idle() (workers, drivers int) {
	idle := j.Compute.Pool.MinIdle
	if j.Compute.Pool.WorkerID != "" && j.Compute.Pool.DriverID == "" {
		return idle, 0
	}
	w, d := j.Machines()
	if w+d == 0 {
		return 0, 0
	}
	drivers = (idle*d + w + d - 1) / (w + d) // a run cannot begin without one
	return idle - drivers, drivers
}

// IdleCost gives the USD a month of the job's idle machines: the machines only,
// no DBU. What a run takes from the pool it pays for itself, so this errs to the
// dear side.
func (m Model) IdleCost(j Job, prices Prices) float64 {
	n := prices.node(j.Compute.Cloud, j.Compute.NodeType)
	workers, drivers := j.Idle()
	return (float64(workers)*prices.of(j.Compute.Cloud, "spot") + float64(drivers)) * n.usd * m.HoursPerMonth
}

// idle gives the USD a month that the job pays for idle machines.
func (m Model) idle(j Job, prices Prices) float64 {
	if !j.First || !j.Compute.Pool.Used() {
		return 0
	}
	return m.IdleCost(j, prices)
}
