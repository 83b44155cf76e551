package shard

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
)

// trailers makes specs and what their shards may say of them.
func trailers(t *rapid.T) (specs []Spec, said []Trailer, rows int64) {
	for i := range rapid.IntRange(1, 6).Draw(t, "shards") {
		s, c := Spec{Shard: i}, Trailer{Shard: i, Requests: rapid.Int64Range(0, 9).Draw(t, "requests")}
		for range rapid.IntRange(1, 4).Draw(t, "streams") {
			stream := batch.Stream{Name: "tag", After: 1000, Until: 2000}
			o := Outcome{Through: stream.Until, Events: rapid.Int64Range(0, 1e6).Draw(t, "events")}
			if rapid.Bool().Draw(t, "failed") {
				o.Through, o.Error = 1500, "no permission"
			}
			s.Streams, c.Streams, c.Events = append(s.Streams, stream), append(c.Streams, o), c.Events+o.Events
		}
		specs, said, rows = append(specs, s), append(said, c), rows+c.Events
	}
	return specs, said, rows
}

func texts(t require.TestingT, said []Trailer) []string {
	out := make([]string, len(said))
	for i, c := range said {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		out[i] = string(text)
	}
	return out
}

func TestCompleteReturnsTheTrailersInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		specs, said, rows := trailers(t)
		mixed := texts(t, said)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got, err := Complete(specs, mixed, rows)
		require.NoError(t, err)
		require.Equal(t, said, got)
	})
}

// Anything that is missing or more than it should be is an error.
func TestCompleteRefuses(t *testing.T) {
	breaks := map[string]func(t *rapid.T, said *[]Trailer, rows *int64){
		"a trailer is missing": func(_ *rapid.T, said *[]Trailer, _ *int64) { *said = (*said)[1:] },
		"a shard without events is missing": func(_ *rapid.T, said *[]Trailer, rows *int64) {
			*rows -= (*said)[0].Events
			*said = (*said)[1:]
		},
		"a trailer is there twice": func(_ *rapid.T, said *[]Trailer, _ *int64) { *said = append(*said, (*said)[0]) },
		"a trailer of no shard":    func(_ *rapid.T, said *[]Trailer, _ *int64) { *said = append(*said, Trailer{Shard: 99}) },
		"rows are missing":         func(t *rapid.T, _ *[]Trailer, rows *int64) { *rows -= rapid.Int64Range(1, 1e9).Draw(t, "missing") },
		"rows are too many":        func(t *rapid.T, _ *[]Trailer, rows *int64) { *rows += rapid.Int64Range(1, 1e9).Draw(t, "more") },
		"a stream is missing":      func(_ *rapid.T, said *[]Trailer, _ *int64) { (*said)[0].Streams = (*said)[0].Streams[1:] },
		"a stream has other events": func(_ *rapid.T, said *[]Trailer, _ *int64) {
			(*said)[0].Streams[0].Events++
		},
		"read too far":   func(_ *rapid.T, said *[]Trailer, _ *int64) { (*said)[0].Streams[0].Through = 2001 },
		"read backwards": func(_ *rapid.T, said *[]Trailer, _ *int64) { (*said)[0].Streams[0].Through = 999 },
		"ended early without reason": func(_ *rapid.T, said *[]Trailer, _ *int64) {
			(*said)[0].Streams[0] = Outcome{Through: 1999, Events: (*said)[0].Streams[0].Events}
		},
	}
	for name, spoil := range breaks {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				specs, said, rows := trailers(t)
				spoil(t, &said, &rows)
				_, err := Complete(specs, texts(t, said), rows)
				require.Error(t, err)
			})
		})
	}
	for _, text := range []string{"", "{", "null x", `{"shard":0,"events":0,"requests":0,"streams":[],"more":1}`, "[]", `{"shard":0}{}`} {
		_, err := Complete([]Spec{{Streams: []batch.Stream{{}}}}, []string{text}, 0)
		require.Error(t, err, text)
	}
}
