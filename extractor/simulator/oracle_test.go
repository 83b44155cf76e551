package simulator_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// What is served, read in pages of various sizes by a naive client, is what the oracle
// has, for every tag of a small server: types, states, duplicates, bursts, future
// points.
func TestServedIsWhatTheOracleSays(t *testing.T) {
	for _, quirks := range [][]simulator.Quirk{nil, {simulator.Float32Shortest, simulator.OmitIsSystem}} {
		s := simulator.New(simulator.Options{Seed: 7, Tags: 230, Clock: clock(noon), Quirks: quirks, EventsPerHour: 40})
		oracle := s.Oracle()
		client := naive{t, s}
		points := client.points(100)
		tags := oracle.Tags()
		require.Len(t, points, len(tags))
		after, until := noon-3*instant.Hour-1, noon-instant.Minute
		seen := map[string]int{}
		for i, p := range points {
			tag := tags[i]
			require.Equal(t, simulator.Tag{Index: i, PointID: p.ID, Name: p.Name, WebID: p.WebID, PointType: tag.PointType,
				Units: p.EngineeringUnits, DigitalSet: p.DigitalSetName, Descriptor: p.Descriptor, Future: p.Future,
				EventsPerHour: tag.EventsPerHour}, tag)
			require.Equal(t, tag.PointType.String(), p.PointType)
			size := []int{7, 100, 1000, 5000}[i%4]
			want := oracle.Events(i, after, until)
			requireSame(t, want, client.recorded(p, after, until, size), fmt.Sprintf("%s %q in pages of %d", p.PointType, p.Name, size))
			require.Equal(t, len(want), oracle.Count(i, after, until))
			seen[p.PointType] += len(want)
		}
		require.Len(t, seen, 9, "every type")
		for typ, n := range seen {
			require.Positive(t, n, typ)
		}
	}
}

// The archive is a pure function: however a range is cut into pieces, their
// events together are those of the range.
func TestArchiveIsPure(t *testing.T) {
	oracle := simulator.NewOracle(simulator.Options{Seed: 3, Tags: 1000})
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.IntRange(0, 999).Draw(t, "index")
		after := noon - instant.Ticks(rapid.Int64Range(0, int64(2*instant.Hour)).Draw(t, "back"))
		length := instant.Ticks(rapid.Int64Range(0, int64(instant.Hour)).Draw(t, "length"))
		wholeRange := oracle.Events(index, after, after+length)
		var pieces []simulator.Event
		for from := after; from < after+length; {
			to := min(from+1+instant.Ticks(rapid.Int64Range(0, int64(length)/2+1).Draw(t, "piece")), after+length)
			pieces = append(pieces, oracle.Events(index, from, to)...)
			from = to
		}
		if len(wholeRange) != len(pieces) {
			t.Fatalf("%d events in one, %d in pieces", len(wholeRange), len(pieces))
		}
		for i, e := range wholeRange {
			if !same(e, pieces[i]) {
				t.Fatalf("event %d: %+v in one, %+v in pieces", i, e, pieces[i])
			}
			if e.Ticks <= after || e.Ticks > after+length || i > 0 && e.Ticks < wholeRange[i-1].Ticks {
				t.Fatalf("event %d at %s is out of order or range", i, e.Ticks)
			}
		}
	})
}
