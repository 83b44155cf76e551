package forecast

// Loop forecasts a loop of a continuous job: its clusters are up all the time, so
// that there is neither start-up nor discovery nor consolidation in it. A loop that
// takes longer than its interval begins the next at once, with the events that have
// come in meanwhile.
func (m Model) Loop(j Job, prices Prices) Forecast {
	window := j.Interval
	var f Forecast
	for range 5 {
		f = Forecast{}
		server := m.extract(j, prices, window, &f)
		f.Bottleneck = LimitPartition
		if server {
			f.Bottleneck = LimitServer
		}
		if f.Extract <= window {
			break
		}
		window = f.Extract
	}
	f.Total = f.Extract
	f.Runs = m.HoursPerMonth * hour / window
	f.CostPerMonth = m.alwaysOn(j, prices) + m.idle(j, prices)
	f.CostPerRun = m.alwaysOn(j, prices) / f.Runs
	return f
}

// alwaysOn returns the USD a month of a job's extraction clusters.
func (m Model) alwaysOn(j Job, prices Prices) float64 {
	c, seconds := j.Compute, m.HoursPerMonth*hour
	if c.SingleCluster {
		return prices.cluster(c.Cloud, c.NodeType, c.Photon, j.SingleWorkers, true, seconds, seconds)
	}
	usd := 0.0
	for _, p := range j.Partitions {
		usd += prices.cluster(c.Cloud, c.NodeType, c.Photon, p.Workers, true, seconds, seconds)
	}
	return usd
}
