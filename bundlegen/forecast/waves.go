package forecast

// Waves is how many groups of extractions run one after the other, since a
// workspace runs compute.max_concurrent_tasks at once; 1 where that is not said.
func (j Job) Waves() int {
	most := j.Compute.MaxConcurrentTasks
	if most <= 0 {
		return 1
	}
	return max(1, (len(j.Partitions)+most-1)/most)
}

// inWaves makes one wave's forecast that of all of them: each has clusters of its
// own, which start when the tasks of the last wave end.
func (j Job) inWaves(f *Forecast, start float64) {
	if waves := float64(j.Waves()); !j.Compute.SingleCluster {
		f.Startup, f.Extract = f.Startup+(waves-1)*start, f.Extract*waves
	}
}
