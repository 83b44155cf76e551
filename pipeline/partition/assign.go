package partition

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Options are the ways to assign.
type Options struct {
	// Rebalance evens out the weights at the price of moves. Without it an item
	// moves only where a bound would break, whatever the weights are.
	Rebalance bool
}

// Result is an assignment.
type Result struct {
	Of      []int     // Of[i] is the partition, 0 to n-1, of items[i]
	Counts  []int     // items of each partition
	Weights []float64 // sum of the weights of each partition
	Added   int       // items that had no previous partition
	Moved   int       // items whose previous partition is another one, or is none of 0 to n-1
	Bounds  Bounds    // that were kept: those asked for, or what fewer items permit
	Before  []int     // items that each partition had before any moved
}

// Reason is why an item moved from one partition to another.
type Reason int

// The reasons for moves.
const (
	AboveMax  Reason = iota // it left more items behind than a partition may have
	BelowMin                // the partition that it joined had fewer than it must have
	ForOthers               // it left so that others reach their minimum
)

// Reason returns why an item that was in partition from is in partition to. It holds for
// an assignment without Options.Rebalance.
func (r Result) Reason(from, to int) Reason {
	switch {
	case r.Before[from] > r.Bounds.Max:
		return AboveMax
	case r.Before[to] < r.Bounds.Min:
		return BelowMin
	}
	return ForOthers
}

// Skew returns the greatest weight of a partition over the mean; 1 is perfect, 0
// is nothing assigned.
func (r Result) Skew() float64 {
	var sum, greatest float64
	for _, w := range r.Weights {
		sum, greatest = sum+w, max(greatest, w)
	}
	if sum == 0 {
		return 0
	}
	return greatest * float64(len(r.Weights)) / sum
}

// Assign assigns every item to one of n partitions, all items being of one site and
// tier. The result depends on the items, not on their order.
//
//   - Each partition has from Min to Max items. Where there are fewer than
//     n x Min, the least is len(items)/n instead; more than n x Max is an error.
//   - An item stays in its previous partition unless a bound would break, and
//     then as few items move as can be: stability wins over balance, unless
//     Options.Rebalance says otherwise.
//   - New items, and those whose previous partition is not one of 0 to n-1, go
//     to the partition that is lightest at that moment, heavy ones first.
//   - When nothing was assigned before, weights come out even (to 2% where
//     single items permit it), and counts as even as that allows. Items permit it
//     where none weighs more than a fiftieth of a partition. Where some do, the
//     heaviest partition is within 2% of what they force on it, if there are at
//     least fifty items to a partition.
//
// It does no I/O and keeps nothing of its arguments; calls may run side by side.
func Assign(items []Item, n int, b Bounds, opt Options) (Result, error) {
	b, err := effective(items, n, b)
	if err != nil {
		return Result{}, err
	}
	w := newAssigner(items, n)
	before := slices.Clone(w.count)
	switch {
	case len(w.pool) == len(items):
		w.fresh(b)
	case opt.Rebalance:
		w.settle(b)
		w.rebalance(b)
	default:
		w.settle(b)
	}
	r := w.result()
	r.Bounds, r.Before = b, before
	return r, nil
}

// effective checks the arguments and returns the bounds that can be kept.
func effective(items []Item, n int, b Bounds) (Bounds, error) {
	switch {
	case n < 1 && len(items) > 0:
		return b, fmt.Errorf("%d tags and no partition for them", len(items))
	case n < 0:
		return b, fmt.Errorf("%d partitions: allowed is at least 0", n)
	case b.Min < 0 || b.Min > b.Max:
		return b, fmt.Errorf("%d to %d tags a partition: the minimum is above the maximum, or below 0", b.Min, b.Max)
	case n > 0 && (len(items)+n-1)/n > b.Max:
		return b, diag.WithHint(fmt.Errorf("%d tags do not fit %d partitions of at most %d tags", len(items), n, b.Max),
			"allow at least %d partitions, or more tags in each", (len(items)+b.Max-1)/max(b.Max, 1))
	case len(items) > math.MaxInt32:
		return b, errors.New("more than 2,147,483,647 tags in one assignment")
	}
	for i := range items {
		if w := items[i].Weight; !(w > 0 && w <= math.MaxFloat64) {
			return b, fmt.Errorf("tag %q has weight %v: allowed is a finite number above 0", items[i].Key, w)
		}
	}
	if n > 0 { // were all others full, the rest would be in one
		b.Min = max(min(b.Min, len(items)/n), len(items)-(n-1)*b.Max)
	}
	return b, nil
}
