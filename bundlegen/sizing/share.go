package sizing

import "container/heap"

// Share gives each site its part of a tier's fixed number of partitions
// (tiers[].partitions). tags[i] is how many tags site i has in the tier and
// previous[i] how many partitions.
//
// Every site with tags gets at least one, and none more than it has tags, so
// the sum is not total where total is out of that range. Beyond that, each
// partition goes where the tags a partition are most. The previous shares are
// kept while they add up to the total and no partition would exceed maxTags.
func Share(total int, tags, previous []int, maxTags int) []int {
	if keeps(total, tags, previous, maxTags) {
		return append([]int(nil), previous...)
	}
	shares := make([]int, len(tags))
	queue := make(fullest, 0, len(tags))
	for i, n := range tags {
		if n > 0 {
			shares[i] = 1
			total--
			queue = append(queue, share{site: i, tags: n, partitions: 1})
		}
	}
	heap.Init(&queue)
	for ; total > 0 && len(queue) > 0; total-- {
		top := &queue[0]
		if top.partitions >= top.tags {
			break // the fullest has one tag a partition: so have all others
		}
		top.partitions++
		shares[top.site] = top.partitions
		heap.Fix(&queue, 0)
	}
	return shares
}

func keeps(total int, tags, previous []int, maxTags int) bool {
	sum := 0
	for i, n := range tags {
		before := previous[i]
		if (n > 0) != (before > 0) || before > n || n > before*maxTags {
			return false
		}
		sum += before
	}
	return sum == total
}

type share struct{ site, tags, partitions int }

// fullest is a heap with the most tags a partition on top; ties go to the first site.
type fullest []share

func (h fullest) Len() int { return len(h) }
func (h fullest) Less(i, j int) bool {
	// tags/partitions compared without division.
	a, b := h[i].tags*h[j].partitions, h[j].tags*h[i].partitions
	return a > b || a == b && h[i].site < h[j].site
}
func (h fullest) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *fullest) Push(x any)   { *h = append(*h, x.(share)) }
func (h *fullest) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
