package shard

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Each stream is in one shard, no shard has too many, there are as few as can
// be, and one that has room is lighter than another by one stream at most.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		streams := make([]batch.Stream, rapid.IntRange(0, 200).Draw(t, "streams"))
		for i := range streams {
			streams[i].EventsPerHour = rapid.SampledFrom([]float64{-1, 0, 1, 60, 3600, 1e5, math.NaN(), math.Inf(1)}).Draw(t, "rate")
			streams[i].Until = instant.Ticks(rapid.Int64Range(0, int64(instant.Day)).Draw(t, "length"))
		}
		most := rapid.IntRange(1, 50).Draw(t, "most")
		shards := Split(streams, most)
		require.Equal(t, shards, Split(streams, most))
		require.Len(t, shards, (len(streams)+most-1)/most)
		all := slices.Concat(shards...)
		slices.Sort(all)
		for i := range streams {
			require.Equal(t, i, all[i])
		}
		require.Len(t, all, len(streams))
		weights, load := Weights(streams), make([]float64, len(shards))
		for s, shard := range shards {
			require.LessOrEqual(t, len(shard), most)
			require.True(t, slices.IsSorted(shard))
			for _, i := range shard {
				require.False(t, math.IsNaN(weights[i]) || math.IsInf(weights[i], 0) || weights[i] < 0)
				load[s] += weights[i]
			}
		}
		for s := range shards {
			if len(shards[s]) < most {
				for other := range shards {
					require.LessOrEqual(t, load[other], load[s]+slices.Max(weights)+1e-6*load[other])
				}
			}
		}
	})
}

func TestSplitIsByWeight(t *testing.T) {
	rates := []float64{100, 1, 1, 1, 97, 2}
	streams := make([]batch.Stream, len(rates))
	for i, r := range rates {
		streams[i] = batch.Stream{EventsPerHour: r, Until: instant.Hour}
	}
	require.Equal(t, [][]int{{0, 2, 3}, {1, 4, 5}}, Split(streams, 3))
	streams[0].EventsPerHour = -1
	require.InDelta(t, 20.4, Weights(streams)[0], 1e-9, "unknown: as the others")
	streams[0].Until = 10 * instant.Hour
	require.InDelta(t, 204, Weights(streams)[0], 1e-9)
	require.Equal(t, []float64{2}, Weights([]batch.Stream{{EventsPerHour: -1, Until: 2 * instant.Hour}}))
}

// What the lanes have together is the share, and each can work.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := manifest.Limits{
			RequestsPerSecond: rapid.Float64Range(0.01, 1000).Draw(t, "requests"),
			Connections:       rapid.IntRange(0, 64).Draw(t, "connections"),
			ItemsPerCall:      rapid.IntRange(1, 150_000).Draw(t, "items"),
		}
		shards := rapid.IntRange(1, 100).Draw(t, "shards")
		lanes := Lanes(share, shards)
		require.LessOrEqual(t, lanes, shards)
		require.Positive(t, lanes)
		requests, connections := 0.0, 0
		for _, lane := range Share(share, lanes) {
			require.Positive(t, lane.Connections)
			require.Equal(t, share.ItemsPerCall, lane.ItemsPerCall)
			requests, connections = requests+lane.RequestsPerSecond, connections+lane.Connections
		}
		require.InEpsilon(t, share.RequestsPerSecond, requests, 1e-9)
		require.Equal(t, max(1, share.Connections), connections)
	})
}
