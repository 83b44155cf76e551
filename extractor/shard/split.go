package shard

import (
	"cmp"
	"math"
	"slices"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Split divides streams into the fewest shards of at most limit streams, with about
// equal weights. It returns the indexes of each shard's streams, ascending. It is
// deterministic: the heaviest stream goes first, to the lightest shard with room.
func Split(streams []batch.Stream, limit int) [][]int {
	if len(streams) == 0 {
		return nil
	}
	limit = max(limit, 1)
	weights := Weights(streams)
	order := make([]int, len(streams))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	shards, load := make([][]int, (len(streams)+limit-1)/limit), make([]float64, (len(streams)+limit-1)/limit)
	for _, i := range order {
		best := -1
		for s := range shards {
			if len(shards[s]) < limit && (best < 0 || load[s] < load[best] || load[s] == load[best] && len(shards[s]) < len(shards[best])) {
				best = s
			}
		}
		shards[best], load[best] = append(shards[best], i), load[best]+weights[i]
	}
	for _, s := range shards {
		slices.Sort(s)
	}
	return shards
}

// Weights returns the number of events expected of each stream. An unknown rate
// counts as the mean of the others, or as one event an hour if none is known.
func Weights(streams []batch.Stream) []float64 {
	known, sum, n := 1.0, 0.0, 0
	for i := range streams {
		if rate := streams[i].EventsPerHour; usable(rate) {
			sum, n = sum+rate, n+1
		}
	}
	if n > 0 {
		known = sum / float64(n)
	}
	out := make([]float64, len(streams))
	for i := range streams {
		rate := streams[i].EventsPerHour
		if !usable(rate) {
			rate = known
		}
		out[i] = rate * float64(streams[i].Until-streams[i].After) / float64(instant.Hour)
	}
	return out
}

func usable(rate float64) bool { return rate >= 0 && !math.IsInf(rate, 0) }

// Lanes returns how many shards may read at once: each needs its own connection.
func Lanes(share manifest.Limits, shards int) int {
	return min(shards, max(1, share.Connections))
}

// Share divides a partition's share of its site's budget among lanes, which are no
// more than its connections. The sum of the result is exactly the share.
func Share(share manifest.Limits, lanes int) []manifest.Limits {
	out := make([]manifest.Limits, lanes)
	for i := range out {
		out[i] = share
		out[i].RequestsPerSecond = share.RequestsPerSecond / float64(lanes)
		out[i].Connections = max(1, share.Connections) / lanes
		if i < max(1, share.Connections)%lanes {
			out[i].Connections++
		}
	}
	return out
}
