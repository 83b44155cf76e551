package sizing

// Share gives each site its part of a tier's fixed number of partitions
// (tiers[].partitions). tags[i] is how many tags site i has in the tier and
// previous[i] how many partitions.
//
// Every site with tags gets at least one, and none more than it has tags, so
// the sum is not total where total is out of that range. The previous shares
// change by no more than that and the total ask for, since each partition more
// or less moves tags: one more goes where the tags a partition are most, one
// less goes where they will be fewest, and a site whose partitions would exceed
// maxTags gets one from a site that can spare it. Ties go to the first site.
func Share(total int, tags, previous []int, maxTags int) []int {
	s := shares{tags: tags, of: make([]int, len(tags))}
	for i, n := range tags {
		s.of[i] = min(max(previous[i], 1), n)
		total -= s.of[i]
	}
	for ; total > 0; total-- {
		i := s.fullest()
		if i < 0 {
			return s.of
		}
		s.of[i]++
	}
	for ; total < 0; total++ {
		i := s.emptiest()
		if i < 0 {
			return s.of
		}
		s.of[i]--
	}
	for {
		to, from := s.fullest(), s.emptiest()
		if to < 0 || from < 0 || to == from || tags[to] <= s.of[to]*maxTags || tags[from] > (s.of[from]-1)*maxTags {
			return s.of
		}
		s.of[to]++
		s.of[from]--
	}
}

// shares is a number of partitions for each site.
type shares struct{ tags, of []int }

// fullest is the site with the most tags a partition of those that can have one more; -1: none.
func (s shares) fullest() int {
	best := -1
	for i, n := range s.tags {
		if s.of[i] < n && (best < 0 || n*s.of[best] > s.tags[best]*s.of[i]) {
			best = i
		}
	}
	return best
}

// emptiest is the site with the fewest tags a partition once it has one less,
// of those that can do with one less; -1: none.
func (s shares) emptiest() int {
	best := -1
	for i, n := range s.tags {
		if s.of[i] > 1 && (best < 0 || n*(s.of[best]-1) < s.tags[best]*(s.of[i]-1)) {
			best = i
		}
	}
	return best
}
