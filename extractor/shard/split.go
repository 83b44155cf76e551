package shard

import (
	"cmp"
	"math"
	"slices"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Split divides streams into as few shards of at most most streams as there can
// be, whose weights are about equal. It gives the streams of each shard, by
// index, ascending. It is the same at any time: the heaviest goes first, to the
// lightest shard that has room.
func Split(streams []batch.Stream, most int) [][]int {
	if len(streams) == 0 {
		return nil
	}
	most = max(most, 1)
	weights := Weights(streams)
	order := make([]int, len(streams))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	shards, load := make([][]int, (len(streams)+most-1)/most), make([]float64, (len(streams)+most-1)/most)
	for _, i := range order {
		best := -1
		for s := range shards {
			if len(shards[s]) < most && (best < 0 || load[s] < load[best] || load[s] == load[best] && len(shards[s]) < len(shards[best])) {
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

// Weights gives the number of events that each stream is expected to have. One
// whose rate is unknown counts as the mean of the others, or as one an hour when
// none is known.
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

// Lanes is how many shards may read at once: each needs a connection of its own.
func Lanes(share manifest.Limits, shards int) int {
	return min(shards, max(1, share.Connections))
}

// Share divides a partition's share of its site's budget among lanes, of which
// there are no more than connections. What the lanes have is never more than
// the share, and nothing of it is left.
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
