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
