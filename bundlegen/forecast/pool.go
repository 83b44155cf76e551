package forecast

// IdleCost gives the USD a month of the idle machines of the job's pools.
func (m Model) IdleCost(j Job, prices Prices) float64 {
	j.First = true
	return m.idle(j, prices)
}
