package partition

import (
	"math"
	"math/bits"
)

// none is the partition of an item that waits in the pool.
const none = -1

// assigner is an assignment in the making. Weights are whole units here, not
// floats: their sums are exact, so that the order of the items, which differs
// from call to call, cannot tip a comparison.
type assigner struct {
	items []Item
	unit  []int64 // weight of each item
	of    []int32 // partition of each item, or none
	pool  []int32 // items that wait to be placed

	load  []int64 // sum of units of each partition
	count []int   // items of each partition
	total int64   // sum of units of all items
	most  int64   // the heaviest item's units
	scale int     // a weight is its units x 2^-scale
}

// newAssigner puts every item where it was, and the others into the pool.
func newAssigner(items []Item, n int) *assigner {
	w := &assigner{
		items: items,
		unit:  make([]int64, len(items)),
		of:    make([]int32, len(items)),
		load:  make([]int64, n),
		count: make([]int, n),
	}
	greatest := 0.0
	for i := range items {
		greatest = max(greatest, items[i].Weight)
	}
	// The greatest weight becomes just below 2^(62 - bits of the number of
	// items), so that the sum of all stays below 2^62.
	_, exponent := math.Frexp(greatest)
	w.scale = 62 - bits.Len(uint(len(items))) - exponent
	factor, second := math.Ldexp(1, w.scale/2), math.Ldexp(1, w.scale-w.scale/2) // one alone may overflow
	for i := range items {
		u := max(1, int64(items[i].Weight*factor*second))
		w.unit[i] = u
		w.total += u
		w.most = max(w.most, u)
		if p := items[i].Previous; p >= 0 && p < n {
			w.put(int32(i), p)
		} else {
			w.of[i] = none
			w.pool = append(w.pool, int32(i))
		}
	}
	return w
}

// put assigns the item to partition p.
func (w *assigner) put(i int32, p int) {
	w.of[i] = int32(p)
	w.load[p] += w.unit[i]
	w.count[p]++
}

// release takes the item from its partition into the pool.
func (w *assigner) release(i int32) {
	p := w.of[i]
	w.of[i] = none
	w.load[p] -= w.unit[i]
	w.count[p]--
	w.pool = append(w.pool, i)
}

// mean is what a partition would weigh if all weighed the same.
func (w *assigner) mean() int64 { return w.total / int64(max(1, len(w.load))) }

// fair is the least that the heaviest partition can weigh, whatever is done.
func (w *assigner) fair() int64 { return max(w.mean(), w.most) }

// heaviest is what the heaviest partition weighs.
func (w *assigner) heaviest() int64 {
	var h int64
	for _, l := range w.load {
		h = max(h, l)
	}
	return h
}

// even reports whether no partition is more than 2% heavier than it has to be.
func (w *assigner) even() bool { return w.heaviest() <= w.fair()+w.fair()/50 }

// place empties the pool: heavy items first, each to the partition with room
// that promises to be lightest. What a partition still lacks counts as so many
// of the lightest items: without that, one with a few heavy items would be
// filled up beyond all others in the end. Once no more items are left than
// partitions lack, only those that lack some take any, so that all end within
// the bounds. The pool has to hold at least what partitions lack, and to fit.
func (w *assigner) place(b Bounds) {
	if len(w.pool) == 0 {
		return
	}
	w.heavyFirst(w.pool)
	lacking := 0
	for _, c := range w.count {
		lacking += max(0, b.Min-c)
	}
	// One unit less, so that of equals the one with fewest items comes first.
	filler := w.unit[w.pool[len(w.pool)-1]] - 1
	promises := func(p int) int64 { return w.load[p] + filler*int64(max(0, b.Min-w.count[p])) }
	room, open := b.Max, w.below(b.Max, promises)
	for k, i := range w.pool {
		if len(w.pool)-k == lacking && room != b.Min {
			room, open = b.Min, w.below(b.Min, promises)
		}
		p := open.top()
		if w.count[p] < b.Min {
			lacking--
		}
		w.put(i, p)
		if w.count[p] < room {
			open.changeTop(promises(p))
		} else {
			open.dropTop()
		}
	}
	w.pool = w.pool[:0]
}

// below queues the partitions that have fewer than limit items by their key.
func (w *assigner) below(limit int, key func(p int) int64) *queue {
	q := &queue{}
	for p, c := range w.count {
		if c < limit {
			q.add(key(p), p)
		}
	}
	return q
}

// members lists the items of each partition; items in the pool are in none.
func (w *assigner) members() [][]int32 {
	all := make([][]int32, len(w.load))
	backing := make([]int32, 0, len(w.items))
	for p, c := range w.count {
		all[p] = backing[len(backing) : len(backing) : len(backing)+c]
		backing = backing[:len(backing)+c]
	}
	for i, p := range w.of {
		if p != none {
			all[p] = append(all[p], int32(i))
		}
	}
	return all
}

// result is the assignment as the caller sees it.
func (w *assigner) result() Result {
	r := Result{Of: make([]int, len(w.items)), Counts: w.count, Weights: make([]float64, len(w.load))}
	for i, p := range w.of {
		r.Of[i] = int(p)
		switch before := w.items[i].Previous; {
		case before < 0:
			r.Added++
		case before != int(p):
			r.Moved++
		}
	}
	for p, l := range w.load {
		r.Weights[p] = math.Ldexp(float64(l), -w.scale)
	}
	return r
}
