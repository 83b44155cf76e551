package plan

import "github.com/bundlegen/bundlegen/pipeline/partition"

// Balance is how evenly a tier's load is spread, before and after, and how many
// tags move for it. Skew is the weight of the heaviest partition over the mean of
// its site's partitions, of the site where that is greatest; 1 is even.
type Balance struct {
	Tier   string  `json:"tier"`
	Before float64 `json:"skew_before"` // where tags were, at today's rates; 0: there was nothing
	After  float64 `json:"skew_after"`
	Moved  int     `json:"moved"` // tags in another partition than before
}

// balance compares the load of each tier's partitions with that of the earlier
// ones. origins[i][k] is where member k of partition i was in prev, which may be nil.
func (p *Plan) balance(prev *Previous, origins [][]origin) []Balance {
	all := make([]Balance, len(p.Tiers))
	for t := range all {
		all[t].Tier = p.Tiers[t].Name
		after := map[string][]float64{}
		for i := range p.Partitions {
			part := &p.Partitions[i]
			if part.Tier == all[t].Tier {
				after[part.Site] = append(after[part.Site], part.Weight)
			}
		}
		all[t].After = worstSkew(after)
		if prev != nil {
			all[t].Before, all[t].Moved = p.balanceBefore(prev, origins, all[t].Tier)
		}
	}
	return all
}

// balanceBefore returns the skew of a tier's earlier partitions with the tags that
// are still of that tier, at today's rates, and how many of the tier's tags move.
func (p *Plan) balanceBefore(prev *Previous, origins [][]origin, tier string) (skew float64, moved int) {
	loads := make([]float64, len(prev.Partitions))
	for i := range p.Partitions {
		part := &p.Partitions[i]
		if part.Tier != tier {
			continue
		}
		for k, o := range origins[i] {
			if o.part < 0 {
				continue
			}
			was := &prev.Partitions[o.part]
			if was.Tier == tier {
				loads[o.part] += weight(&part.Members[k], p.assumedRate)
			}
			if was.ID != part.ID {
				moved++
			}
		}
	}
	before := map[string][]float64{}
	for i, was := range prev.Partitions {
		if was.Tier == tier {
			before[was.Site] = append(before[was.Site], loads[i])
		}
	}
	return worstSkew(before), moved
}

// worstSkew returns the greatest skew of all sites' loads.
func worstSkew(sites map[string][]float64) float64 {
	worst := 0.0
	for _, loads := range sites {
		worst = max(worst, partition.Result{Weights: loads}.Skew())
	}
	return round(worst, 4)
}

// uneven is the skew from which on a plan asks whether it could be better.
const uneven = 1.1

// canBeEvener reports whether moving items of an assignment would at least halve
// what its heaviest partition is above the mean. It depends on the assignment
// alone, not on how it came about: planning again says the same.
func canBeEvener(items []partition.Item, r partition.Result, b partition.Bounds) (bool, error) {
	skew := r.Skew()
	if skew <= uneven {
		return false, nil
	}
	there := make([]partition.Item, len(items))
	for i := range items {
		there[i] = items[i]
		there[i].Previous = r.Of[i]
	}
	better, err := partition.Assign(there, len(r.Counts), b, partition.Options{Rebalance: true})
	return err == nil && better.Skew()-1 <= (skew-1)/2, err
}

// skew warns of partitions that have become uneven, since tags stay where they are.
func (b *builder) skew() (Warning, bool) {
	var worst *group
	site, above := 0, 0.0
	for t := range b.groups {
		for s := range b.groups[t] {
			c := &b.groups[t][s]
			if over := c.greatest()/c.mean() - 1; c.uneven && over > above {
				worst, site, above = c, s, over
			}
		}
	}
	if worst == nil {
		return Warning{}, false
	}
	return Warning{Code: WarnSkew, Sites: []string{b.cfg.Sites[site].Name}, Figures: Figures{TimesMean: round(1+above, 4)},
		Advice: []Advice{run("bundlegen plan --rebalance", EffectShow)}}, true
}

// heavyTag warns of a tag that alone outweighs what a partition should: most often its rate is wrong.
func (b *builder) heavyTag() (Warning, bool) {
	var worst *group
	site, times := 0, 1.02
	for t := range b.groups {
		for s := range b.groups[t] {
			c := &b.groups[t][s]
			if over := c.heaviest.Weight / c.mean(); len(c.slots) > 1 && over > times {
				worst, site, times = c, s, over
			}
		}
	}
	if worst == nil {
		return Warning{}, false
	}
	return Warning{
		Code:  WarnHeavyTag,
		Sites: []string{b.cfg.Sites[site].Name},
		Names: []string{worst.heaviest.Key},
		Figures: Figures{
			EventsPerHour: worst.heaviest.Weight,
			TimesMean:     round(times, 4),
		},
		Advice: []Advice{fill("events_per_hour", EffectCheckRate)},
	}, true
}

// mean is what the group's partitions weigh on average, greatest what the heaviest weighs.
func (c *group) mean() float64 {
	sum := 0.0
	for i := range c.slots {
		sum += c.slots[i].Weight
	}
	return sum / float64(max(1, len(c.slots)))
}

func (c *group) greatest() float64 {
	largest := 0.0
	for i := range c.slots {
		largest = max(largest, c.slots[i].Weight)
	}
	return largest
}
