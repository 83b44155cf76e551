package partition_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/pipeline/partition"
)

// minGreatest is a weight that the heaviest partition cannot stay below,
// whoever assigns: what single items permit. It is the greatest of
//
//   - the mean;
//   - for each k, the lightest k+1 of the kn+1 heaviest items: with n
//     partitions, some k+1 of these share one;
//   - for each k, the mean of those partitions that hold the k heaviest items;
//
// the latter two with the lightest items of all as company, as far as the
// bounds on counts force it on them.
func minGreatest(items []partition.Item, n int, b partition.Bounds) float64 {
	w := make([]float64, len(items))
	for i := range items {
		w[i] = items[i].Weight
	}
	slices.Sort(w)
	light := sums(w)
	slices.Reverse(w)
	heavy := sums(w)
	company := func(k, partitions int) float64 { // of k items in so many partitions
		held := max(k, partitions*min(b.Min, len(w)/n), len(w)-(n-partitions)*b.Max)
		return light[held-k]
	}
	bound := heavy[len(w)] / float64(n)
	for k := 1; k*n < len(w); k++ {
		bound = max(bound, heavy[k*n+1]-heavy[k*n-k]+company(k+1, 1))
	}
	for k := 1; k <= min(n, len(w)); k++ {
		least := math.Inf(1)
		for j := 1; j <= k; j++ {
			least = min(least, (heavy[k]+company(k, j))/float64(j))
		}
		bound = max(bound, least)
	}
	return bound
}

// sums returns the sum of the first k weights at k.
func sums(w []float64) []float64 {
	out := make([]float64, len(w)+1)
	for i, x := range w {
		out[i+1] = out[i] + x
	}
	return out
}

// plant draws items of one kind of plant, and bounds that n partitions of them can keep.
func plant(t *rapid.T, fewest int) (items []partition.Item, n int, b partition.Bounds, kind string) {
	n = rapid.IntRange(1, 14).Draw(t, "partitions")
	count := n*rapid.IntRange(fewest, fewest+200).Draw(t, "items in each") + rapid.IntRange(0, n-1).Draw(t, "more")
	kind = rapid.SampledFrom(kinds).Draw(t, "kind")
	items = newItems(weights(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), kind, count))
	each := (count + n - 1) / n
	b.Max = rapid.OneOf(rapid.Just(each), rapid.IntRange(each, 2*each)).Draw(t, "max")
	b.Min = rapid.OneOf(rapid.Just(count/n), rapid.IntRange(0, each)).Draw(t, "min")
	return items, n, b, kind
}

// No partition of a first plan weighs more than 1.02 x the mean where no single
// item weighs more than a fiftieth of that, however tight the bounds on counts are.
func TestFirstPlanIsWithinTwoPercentOfTheMean(t *testing.T) {
	permitted := 0
	rapid.Check(t, func(t *rapid.T) {
		items, n, b, kind := plant(t, 50)
		r, err := partition.Assign(items, n, b, partition.Options{})
		require.NoError(t, err)
		if heaviest(items) <= sum(r.Weights)/float64(n)/50 {
			permitted++
			require.LessOrEqual(t, r.Skew(), 1.02, kind)
		}
	})
	require.Greater(t, permitted, 20, "too few plants to tell")
}

// Where single items are heavier, no more than 1.02 x what they permit, be it
// that one item is nearly all that a partition may weigh, or more.
func TestFirstPlanIsAsEvenAsItemsPermit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items, n, b, kind := plant(t, 50)
		r, err := partition.Assign(items, n, b, partition.Options{})
		require.NoError(t, err)
		check(t, items, n, b, r)
		require.LessOrEqual(t, slices.Max(r.Weights), 1.02*minGreatest(items, n, b)*(1+1e-9), kind)
	})
}
