package partition

import (
	"slices"
	"sort"
)

// fresh assigns as if nothing had been assigned before. It first tries to keep
// the counts within a tenth of each other, since counts cost workers, and uses
// the whole room between the bounds only where weights need it.
func (w *assigner) fresh(b Bounds) {
	each := len(w.items) / max(1, len(w.load))
	narrow := Bounds{Min: max(b.Min, each-each/10), Max: min(b.Max, each+each/10+1)}
	pool := w.pool
	w.place(narrow)
	if narrow == b || w.even() {
		return
	}
	first := *w
	w.of, w.load, w.count = make([]int32, len(w.of)), make([]int64, len(w.load)), make([]int, len(w.count))
	w.pool = pool
	w.place(b)
	if first.heaviest() <= w.heaviest() {
		*w = first
	}
}

// settle leaves every item where it was, but for as few as the bounds demand.
// Items have to leave a partition that holds more than Max; and where the pool
// and those together are fewer than what others lack, just as many more as are
// missing. No assignment within the bounds moves fewer.
func (w *assigner) settle(b Bounds) {
	give := make([]int, len(w.load)) // how many items each partition gives up
	missing := -len(w.pool)
	for p, c := range w.count {
		give[p] = max(0, c-b.Max)
		missing += max(0, b.Min-c) - give[p]
	}
	w.giveMore(give, missing, b.Min)
	if slices.Max(append(give, 0)) > 0 {
		for p, members := range w.members() {
			if give[p] > 0 {
				w.giveUp(members, give[p], w.load[p]-w.mean())
			}
		}
	}
	w.place(b)
}

// giveMore lets partitions that stay at or above least give up so many more
// items in all, always the one that is heaviest by then.
func (w *assigner) giveMore(give []int, more, least int) {
	if more <= 0 {
		return
	}
	// What is left of a partition, were all its items of one weight.
	left := func(p int) int64 { return w.load[p] / int64(w.count[p]) * int64(w.count[p]-give[p]) }
	givers := &queue{}
	for p, c := range w.count {
		if c-give[p] > least {
			givers.add(-left(p), p)
		}
	}
	for ; more > 0; more-- {
		p := givers.top()
		give[p]++
		if w.count[p]-give[p] > least {
			givers.changeTop(-left(p))
		} else {
			givers.dropTop()
		}
	}
}

// giveUp releases n of a partition's members: of those n that are neighbours
// when sorted by weight, the ones that together come nearest to weighing want.
func (w *assigner) giveUp(members []int32, n int, want int64) {
	w.heavyFirst(members)
	sums := make([]int64, len(members)+1)
	for k, i := range members {
		sums[k+1] = sums[k] + w.unit[i]
	}
	weight := func(start int) int64 { return sums[start+n] - sums[start] } // never grows with start
	last := len(members) - n
	start := sort.Search(last, func(s int) bool { return weight(s) <= want })
	if start > 0 && weight(start-1)-want < want-weight(start) {
		start--
	}
	for _, i := range members[start : start+n] {
		w.release(i)
	}
}

// rebalance evens out the weights of a settled assignment, and keeps as many
// items where they are as it can: partitions that are too heavy let go of their
// heaviest items that fit elsewhere, which are few, and again while that helps.
// Where it does not help enough, it starts afresh.
func (w *assigner) rebalance(b Bounds) {
	const rounds = 16 // each lets go of lighter items than the one before
	target := w.fair()
	for range rounds {
		if w.even() {
			return
		}
		before := w.copy()
		enough := target + target/100
		fits := enough - slices.Min(w.load) // a heavier item would make even the lightest partition too heavy
		for p, members := range w.members() {
			if w.load[p] > enough {
				w.lighten(members, p, target, enough, fits)
			}
		}
		w.place(b)
		if w.heaviest() >= before.heaviest() {
			*w = before
			break
		}
	}
	if w.even() {
		return
	}
	again := newAssigner(w.items, 0)
	again.load, again.count = make([]int64, len(w.load)), make([]int, len(w.count))
	again.fresh(b)
	if again.heaviest() < w.heaviest() {
		again.renumber()
		*w = *again
	}
}

// lighten releases the heaviest of p's members that weigh at most fits and
// leave at least target behind, until p weighs enough or less.
func (w *assigner) lighten(members []int32, p int, target, enough, fits int64) {
	w.heavyFirst(members)
	for _, i := range members {
		if w.load[p] <= enough {
			return
		}
		if w.unit[i] <= min(fits, w.load[p]-target) {
			w.release(i)
		}
	}
}

// copy returns an independent copy.
func (w *assigner) copy() assigner {
	c := *w
	c.of, c.load, c.count = slices.Clone(w.of), slices.Clone(w.load), slices.Clone(w.count)
	return c
}

// renumber swaps the partitions' numbers so that many items are in their
// previous one: the pairs of old and new that share most items come first.
func (w *assigner) renumber() {
	n := len(w.load)
	type pair struct{ old, new, shared int }
	shared := map[[2]int]int{}
	for i := range w.items {
		if old := w.items[i].Previous; old >= 0 && old < n {
			shared[[2]int{old, int(w.of[i])}]++
		}
	}
	pairs := make([]pair, 0, len(shared))
	for k, s := range shared {
		pairs = append(pairs, pair{k[0], k[1], s})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		switch {
		case a.shared != b.shared:
			return b.shared - a.shared
		case a.old != b.old:
			return a.old - b.old
		}
		return a.new - b.new
	})
	number, taken := slices.Repeat([]int{none}, n), make([]bool, n)
	for _, p := range pairs {
		if number[p.new] == none && !taken[p.old] {
			number[p.new], taken[p.old] = p.old, true
		}
	}
	free := 0
	load, count := make([]int64, n), make([]int, n)
	for p := range number {
		if number[p] == none {
			for taken[free] {
				free++
			}
			number[p], taken[free] = free, true
		}
		load[number[p]], count[number[p]] = w.load[p], w.count[p]
	}
	for i := range w.of {
		w.of[i] = int32(number[w.of[i]])
	}
	w.load, w.count = load, count
}
