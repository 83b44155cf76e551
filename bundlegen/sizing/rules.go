package sizing

import (
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// Workers of an extraction cluster that is not a single node (DESIGN.md, Walk 1).
const (
	MinWorkers = 2
	MaxWorkers = 4
)

// ForTier returns the rules that hold for a tier: its own, where it has any, else the general ones.
func ForTier(general config.Sizing, tier config.Tier) config.Sizing {
	if tier.Sizing != nil {
		return *tier.Sizing
	}
	return general
}

// Partitions returns how many partitions hold tags tags of one site and tier. kept
// is how many of these each earlier partition has; none, when nothing was there
// or nothing is to be kept.
//
// Stability wins: of the counts that the bounds allow it is the one with which
// the fewest tags have to move (see moves), and of equals the one nearest to the
// earlier count. So the count stays while all partitions can stay within the
// bounds, and a partition that lost nearly all its tags gives up the rest rather
// than being filled with those of others. Without earlier partitions it is
// tags/target, rounded, within the bounds. Fewer tags than the minimum make one
// partition. Where no count satisfies both bounds, the maximum is kept and the
// minimum is not: a partition that is too small only costs money.
func Partitions(tags int, kept []int, rules config.Sizing) int {
	if tags <= 0 {
		return 0
	}
	fewest := max(1, ceilDiv(tags, max(1, rules.MaxTags)))
	most := max(fewest, tags/max(1, rules.MinTags))
	if len(kept) == 0 {
		target := max(1, rules.TargetTags)
		return min(max((tags+target/2)/target, fewest), most)
	}
	// More partitions than there were, or than has to be, only have to be filled.
	count := min(max(len(kept), fewest), most)
	moved := moves(tags, kept, rules)
	for n := count - 1; n >= fewest; n-- {
		if moved(n) < moved(count) {
			count = n
		}
	}
	return count
}

// moves returns how many tags have to move when tags tags, of which kept are in
// earlier partitions, come to be in n partitions. The smallest are given up.
// Their tags move; so do those beyond the maximum of a partition that stays; and
// where partitions lack more than new tags and these can fill, so do as many of
// the others' as are missing.
func moves(tags int, kept []int, rules config.Sizing) func(n int) int {
	sorted := slices.Clone(kept)
	slices.SortFunc(sorted, func(a, b int) int { return b - a })
	total, beyond, lacking := make([]int, len(sorted)+1), make([]int, len(sorted)+1), make([]int, len(sorted)+1)
	for i, n := range sorted { // sums over the first i+1
		total[i+1] = total[i] + n
		beyond[i+1] = beyond[i] + max(0, n-rules.MaxTags)
		lacking[i+1] = lacking[i] + max(0, rules.MinTags-n)
	}
	return func(n int) int {
		stay := min(n, len(sorted))
		given := total[len(sorted)] - total[stay]
		lack := lacking[stay] + (n-stay)*rules.MinTags
		return given + max(beyond[stay], lack-(tags-total[stay]))
	}
}

// Workers returns the number of workers of a partition's cluster: one for each
// tagsPerWorker tags, 2 to 4; 0, a single node, for at most tagsPerWorker tags.
func Workers(tags, tagsPerWorker int) int {
	if tags <= tagsPerWorker {
		return 0
	}
	return min(max(ceilDiv(tags, max(1, tagsPerWorker)), MinWorkers), MaxWorkers)
}

// Shards returns the number of shards of a partition, each of at most tagsPerShard tags.
func Shards(tags, tagsPerShard int) int { return ceilDiv(tags, max(1, tagsPerShard)) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }
