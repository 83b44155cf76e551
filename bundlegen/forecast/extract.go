package forecast

import "math"

// reading is what a partition asks of its PI server.
type reading struct {
	batches float64 // that the window is read in, one after the other
	calls   float64 // of one batch
	work    float64 // seconds of the server's threads that they take
	alone   float64 // seconds of one batch, if no other partition asked
}

// read returns what partition p reads in a window, in seconds.
func (m Model) read(j Job, p Partition, window float64) reading {
	r := reading{batches: 1}
	if j.MaxWindow > 0 {
		r.batches = max(1, math.Ceil(window/j.MaxWindow))
	}
	r.calls, r.work = m.requests(p, p.EventsPerHour*window/3600/r.batches)
	if r.calls == 0 {
		return r
	}
	call, connections := r.work/r.calls, max(1, float64(p.Connections))
	r.alone = max(
		math.Ceil(r.calls/connections)*call,
		max(0, r.calls-connections)/max(1, p.RequestsPerSecond)+call,
	)
	return r
}

// requests returns the calls that a partition needs for its events, and the
// seconds of a server's thread that they take. Calls are as wide as the URL and
// the server's limit of items allow, in equal parts for as many of its
// connections as have enough to do.
func (m Model) requests(p Partition, events float64) (calls, work float64) {
	tags := float64(p.Tags)
	if tags == 0 {
		return 0, 0
	}
	perTag, limit := events/tags, max(1, float64(p.ItemsPerCall))
	pages := max(1, math.Ceil(perTag/limit))
	width := m.TagsPerCall
	if p.WebIDBytes > 0 {
		width = math.Floor(m.URLBytes / p.WebIDBytes)
	}
	width = max(1, min(width, math.Floor(limit/(perTag*m.Headroom+m.Spare))))
	fewest, connections := math.Ceil(tags/width), max(1, float64(p.Connections))
	calls = max(fewest, min(math.Ceil(fewest/connections)*connections, math.Floor(tags/m.MinWidth)))
	calls *= pages
	return calls, calls*m.Request + tags*pages*m.Tag
}

// load is what all partitions of a job ask of one site.
type load struct{ batches, calls, work, events float64 }

// bound returns the least seconds that a site's server takes for a load.
func (m Model) bound(l load, site Site) float64 {
	if l.calls == 0 {
		return 0
	}
	return max(
		l.batches*math.Ceil(l.calls/m.Threads)*l.work/l.calls,
		l.events/m.ValuesPerSecond,
		l.batches*max(0, l.calls-float64(site.Connections))/max(1, site.RequestsPerSecond),
	) * (1 + m.RetryShare)
}

// extract fills in what concerns extraction and reports whether a PI server limits it.
func (m Model) extract(j Job, prices Prices, window float64, f *Forecast) (server bool) {
	alone := make([]float64, len(j.Partitions))
	loads := make([]load, len(j.Sites))
	for i, p := range j.Partitions {
		r, events := m.read(j, p, window), p.EventsPerHour*window/3600
		alone[i] = r.batches * r.alone * (1 + m.RetryShare)
		l := &loads[p.Site]
		l.batches, l.calls, l.work, l.events = r.batches, l.calls+r.calls, l.work+r.work, l.events+events
		f.Events += events
	}
	f.ServerBound, f.Calls = make([]float64, len(j.Sites)), make([]float64, len(j.Sites))
	for s, site := range j.Sites {
		f.ServerBound[s], f.Calls[s] = m.bound(loads[s], site), loads[s].batches*loads[s].calls
	}
	cores := float64(prices.node(j.Compute.Cloud, j.Compute.NodeType).cores)
	f.Partitions = make([]float64, len(j.Partitions))
	for i, p := range j.Partitions {
		machines := float64(max(1, p.Workers))
		if j.Compute.Serverless {
			machines = 1 // its executors cannot reach the PI server: the shards run beside the driver
		}
		f.Partitions[i] = m.Request + max(alone[i], f.ServerBound[p.Site]) +
			m.land(loads[p.Site].batches, p.EventsPerHour*window/3600, cores*machines)
		if f.Partitions[i] > f.Extract {
			f.Extract, server = f.Partitions[i], f.ServerBound[p.Site] > alone[i]
		}
	}
	switch {
	case j.serial:
		server = m.extractSerial(j, alone, loads, cores, f)
	case j.Compute.SingleCluster:
		server = m.extractSingle(j, alone, loads, cores, f)
	}
	f.Retry = m.retry(j, f)
	f.Extract += f.Retry
	return server
}

// extractSingle is extraction with all shards on one cluster, one a core.
func (m Model) extractSingle(j Job, alone []float64, loads []load, cores float64, f *Forecast) (server bool) {
	cores *= float64(max(1, j.SingleWorkers))
	longest, queued, bound, batches := 0.0, 0.0, 0.0, 1.0
	for i, p := range j.Partitions {
		longest = max(longest, alone[i])
		queued += alone[i] * float64(p.Shards) / cores
	}
	for s, b := range f.ServerBound {
		bound, batches = max(bound, b), max(batches, loads[s].batches)
	}
	rounds := math.Ceil(float64(len(j.Partitions)) / m.SideBySide)
	f.Extract = m.Request + max(longest, queued, bound) + m.land(batches, f.Events, cores) +
		max(0, rounds-1)*batches*m.Statements*m.Statement
	return bound >= max(longest, queued)
}

// extractSerial is extraction of one site after the other, a call at a time.
func (m Model) extractSerial(j Job, alone []float64, loads []load, cores float64, f *Forecast) (server bool) {
	f.Extract = 0
	for _, seconds := range alone {
		f.Extract += seconds
	}
	for _, l := range loads {
		f.Extract += m.land(l.batches, l.events, cores)
	}
	return false
}

// land returns the seconds from responses to rows in bronze.
func (m Model) land(batches, events, cores float64) float64 {
	return batches*m.Statements*m.Statement + events*(m.StagePerEvent/cores+m.AppendPerEvent)
}

// fails returns the probability that an attempt of a task which takes so many
// seconds on so many spot workers has to be made again, or a part of it.
func (m Model) fails(seconds float64, workers int) float64 {
	survives := math.Exp(-m.SpotLosses * float64(workers) * seconds / 3600)
	return 1 - (1-m.TaskFailures)*survives
}

// again returns the seconds that are lost when an attempt fails: on average half of it.
func (m Model) again(seconds float64) float64 { return m.RetryWait + seconds/2 }

// retry returns the expected seconds by which failures lengthen the extraction:
// any task that fails makes all that is behind it wait.
func (m Model) retry(j Job, f *Forecast) float64 {
	none := 1.0
	for i, p := range j.Partitions {
		none *= 1 - m.fails(f.Partitions[i], j.spotWorkers(p))
	}
	if j.Compute.SingleCluster {
		none *= math.Exp(-m.SpotLosses * float64(j.SingleWorkers) * f.Extract / 3600)
	}
	return (1 - none) * m.again(f.Extract)
}

// spotWorkers is the number of spot machines that only this partition's task is on.
func (j Job) spotWorkers(p Partition) int {
	if j.Compute.Serverless || j.Compute.SingleCluster {
		return 0
	}
	return p.Workers
}
