package sizing

import (
	"container/heap"
	"math"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Group is the partitions of one site and tier. They are balanced, so they share equally.
type Group struct {
	Partitions int
	Tags       int
}

// Divide divides a site's request budget among all its partitions of all tiers,
// statically, since any of them may run at once: result[g] has one share for
// each partition of groups[g]. A group's part follows its tags and its
// partitions share it equally, so that a tag more or less changes no share of a
// site with one tier.
//
// Every partition gets at least one connection and one request a second. The
// shares therefore never add up to more than the budget, unless there are more
// partitions than connections, or than requests a second (Exceeds says so).
// ItemsPerCall is a limit on one call and is not divided.
func Divide(budget config.Limits, groups []Group) [][]manifest.Limits {
	rates := divideRate(budget.RequestsPerSecond, groups)
	connections := divideConnections(budget.Connections, groups)
	shares := make([][]manifest.Limits, len(groups))
	for g, group := range groups {
		shares[g] = make([]manifest.Limits, group.Partitions)
		for i := range shares[g] {
			shares[g][i] = manifest.Limits{
				RequestsPerSecond: rates[g],
				Connections:       connections[g][i],
				ItemsPerCall:      budget.ItemsPerCall,
			}
		}
	}
	return shares
}

// Exceeds reports whether so many partitions of a site exceed its budget even with the least share each.
func Exceeds(budget config.Limits, partitions int) bool {
	return partitions > budget.Connections || float64(partitions) > budget.RequestsPerSecond
}

// divideRate returns the requests a second of each partition of each group. Groups
// whose proportional share would be under 1 get 1; the others share what is left.
func divideRate(budget float64, groups []Group) []float64 {
	rates := make([]float64, len(groups))
	atFloor := make([]bool, len(groups))
	for {
		left, tags := budget, 0
		for g, group := range groups {
			if atFloor[g] {
				left -= float64(group.Partitions)
			} else {
				tags += group.Tags
			}
		}
		changed := false
		for g, group := range groups {
			switch {
			case group.Partitions == 0 || atFloor[g]:
				rates[g] = 1
			default:
				share := left * float64(group.Tags) / float64(max(1, tags)) / float64(group.Partitions)
				rates[g] = math.Floor(share*100) / 100 // a short number in YAML; never rounded up
				if share < 1 {
					atFloor[g], changed = true, true
				}
			}
		}
		if !changed {
			return rates
		}
	}
}

// divideConnections returns the connections of each partition of each group: one
// each, and the rest one by one to whoever has most tags a connection.
func divideConnections(budget int, groups []Group) [][]int {
	connections := make([][]int, len(groups))
	queue := make(neediest, 0)
	for g, group := range groups {
		connections[g] = make([]int, group.Partitions)
		for i := range connections[g] {
			connections[g][i] = 1
			budget--
			queue = append(queue, need{group: g, index: i, connections: 1,
				tags: float64(group.Tags) / float64(group.Partitions)})
		}
	}
	heap.Init(&queue)
	for ; budget > 0 && len(queue) > 0; budget-- {
		top := &queue[0]
		top.connections++
		connections[top.group][top.index] = top.connections
		heap.Fix(&queue, 0)
	}
	return connections
}

type need struct {
	group, index, connections int
	tags                      float64
}

// neediest is a heap with the most tags a connection on top; ties go in order.
type neediest []need

func (h neediest) Len() int { return len(h) }
func (h neediest) Less(i, j int) bool {
	a, b := h[i].tags*float64(h[j].connections), h[j].tags*float64(h[i].connections)
	if a != b {
		return a > b
	}
	if h[i].group != h[j].group {
		return h[i].group < h[j].group
	}
	return h[i].index < h[j].index
}
func (h neediest) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *neediest) Push(x any)   { *h = append(*h, x.(need)) }
func (h *neediest) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
