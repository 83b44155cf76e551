// Package sizing decides how many partitions a site and tier get, how many
// workers a partition needs, and how a site's request budget is divided. It is
// pure: numbers in, numbers out.
package sizing

import "github.com/bundlegen/bundlegen/bundlegen/config"

// Workers of an extraction cluster that is not a single node (DESIGN.md, Walk 1).
const (
	MinWorkers = 2
	MaxWorkers = 4
)

// ForTier gives the rules that hold for a tier: its own, where it has any, else the general ones.
func ForTier(general config.Sizing, tier config.Tier) config.Sizing {
	if tier.Sizing != nil {
		return *tier.Sizing
	}
	return general
}

// Partitions says how many partitions hold tags tags of one site and tier.
// previous is how many there are (0 if none).
//
// Stability wins: the previous count is kept while all its partitions can stay
// within the bounds, and else changed by as little as the bounds allow, since
// each partition more or less moves tags. Without a previous count it is
// tags/target, rounded, within the bounds. Fewer tags than the minimum make one
// partition. Where no count satisfies both bounds, the maximum is kept and the
// minimum is not: a partition that is too small only costs money.
func Partitions(tags, previous int, rules config.Sizing) int {
	if tags <= 0 {
		return 0
	}
	fewest := max(1, ceilDiv(tags, max(1, rules.MaxTags)))
	most := max(fewest, tags/max(1, rules.MinTags))
	count := previous
	if previous <= 0 {
		target := max(1, rules.TargetTags)
		count = (tags + target/2) / target
	}
	return min(max(count, fewest), most)
}

// Workers gives the number of workers of a partition's cluster: one for each
// tagsPerWorker tags, 2 to 4; 0, a single node, for at most tagsPerWorker tags.
func Workers(tags, tagsPerWorker int) int {
	if tags <= tagsPerWorker {
		return 0
	}
	return min(max(ceilDiv(tags, max(1, tagsPerWorker)), MinWorkers), MaxWorkers)
}

// Shards gives the number of shards of a partition, each of at most tagsPerShard tags.
func Shards(tags, tagsPerShard int) int { return ceilDiv(tags, max(1, tagsPerShard)) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }
