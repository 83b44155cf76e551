package task

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func point(id int64, name string) piwebapi.Point {
	return piwebapi.Point{ID: id, Name: name, WebID: fmt.Sprint("W", id), PointType: "Float32"}
}

func row(id int64, name string, partition int) wanted {
	return wanted{inventory.Tag{Site: "a", Name: name, PointID: id, Tier: "standard", EventsPerHour: -1}, partition}
}

const backfill = instant.Hour

var until = 1000 * instant.Hour

func listed(points ...piwebapi.Point) []listing {
	return []listing{{site: "a", points: points, moment: moment{until: until}}}
}

// owned returns what the engine would hold after a change.
func owned(before []engine.Owner, c engine.Change) []engine.Owner {
	closed := map[engine.Key]bool{}
	for _, k := range c.Close {
		closed[k] = true
	}
	var out []engine.Owner
	for _, o := range before {
		if !closed[o.Key()] {
			out = append(out, o)
		}
	}
	return append(out, c.Open...)
}

func TestAssignFirst(t *testing.T) {
	a := assign([]wanted{row(0, "x", 0), row(0, "Y", 1)}, nil, listed(point(1, "X"), point(2, "y"), point(3, "not chosen")), "plan", backfill)
	require.Len(t, a.change.Open, 2, "an inventory may be a selection")
	require.Equal(t, "X", a.change.Open[0].Name, "names are the server's")
	require.Equal(t, 1, a.change.Open[1].Partition)
	require.Equal(t, until-backfill-1, a.change.Pins[0].At)
	require.Empty(t, a.fence)
	require.Len(t, a.change.Tags, 2)
}

func TestAssignAgainChangesNothing(t *testing.T) {
	manifests, points := []wanted{row(1, "x", 0), row(2, "y", 1)}, listed(point(1, "x"), point(2, "y"))
	first := assign(manifests, nil, points, "plan", backfill)
	again := assign(manifests, owned(nil, first.change), points, "another plan", backfill)
	require.Empty(t, again.change.Close)
	require.Empty(t, again.change.Open)
	require.Empty(t, again.change.Pins)
	require.Empty(t, again.fence)
}

func TestAssignMove(t *testing.T) {
	points := listed(point(1, "x"), point(2, "y"))
	before := owned(nil, assign([]wanted{row(1, "x", 0), row(2, "y", 1)}, nil, points, "p", backfill).change)
	a := assign([]wanted{row(1, "x", 7), row(2, "y", 1)}, before, points, "p", backfill)
	require.Equal(t, []engine.Key{{Site: "a", PointID: 1}}, a.change.Close)
	require.Equal(t, 7, a.change.Open[0].Partition)
	require.Equal(t, []int{0}, a.fence, "who loses a tag is fenced")
	require.Empty(t, a.change.Pins, "a moved tag goes on from its watermark")
}

func TestAssignRenameAndRecreate(t *testing.T) {
	manifests := []wanted{row(1, "x", 0), row(2, "y", 0)}
	before := owned(nil, assign(manifests, nil, listed(point(1, "x"), point(2, "y")), "p", backfill).change)
	a := assign(manifests, before, listed(point(1, "x renamed"), point(9, "y")), "p", backfill)
	require.Equal(t, "x renamed", a.change.Open[0].Name)
	require.EqualValues(t, 9, a.change.Open[1].PointID, "a point made anew is found by its name")
	require.Len(t, a.change.Pins, 1)
	require.Len(t, a.change.Close, 2)
	require.Equal(t, []int{0}, a.fence, "for the point that is gone; a rename needs none")
}

func TestAssignGoneAndDropped(t *testing.T) {
	points := listed(point(1, "x"), point(2, "y"), point(3, "z"))
	before := owned(nil, assign([]wanted{row(1, "x", 0), row(2, "y", 1), row(3, "z", 2)}, nil, points, "p", backfill).change)
	a := assign([]wanted{row(1, "x", 0), row(2, "y", 1)}, before, listed(point(1, "x"), point(3, "z")), "p", backfill)
	require.Len(t, a.missing, 1)
	require.True(t, a.missing[0].known)
	require.Equal(t, "y", a.missing[0].tag.Name)
	require.Len(t, a.change.Close, 2, "y is gone from the server, z from the bundle")
	require.Equal(t, []int{1, 2}, a.fence)
}

func TestAssignJoins(t *testing.T) {
	manifests := []wanted{row(1, "x", 0), row(2, "y", 0), row(3, "z", 1)}
	l := listed(point(1, "x"), point(2, "y"), point(3, "z"), point(4, "never chosen"), point(5, "new"))
	l[0].lastPointID, l[0].choice.adopt = 4, true
	a := assign(manifests, nil, l, "p", backfill)
	require.Equal(t, 1, a.joined)
	joined := a.change.Open[3]
	require.Equal(t, "new", joined.Name)
	require.True(t, joined.Discovered)
	require.Equal(t, 1, joined.Partition, "the lightest")

	t.Log("it stays where it is until the bundle has it or the server has it no more")
	before := owned(nil, a.change)
	l[0].lastPointID = 5
	require.Empty(t, assign(manifests, before, l, "p", backfill).change.Close)
	planned := assign(append(manifests, row(5, "new", 0)), before, l, "p", backfill)
	require.Equal(t, []int{1}, planned.fence)
	require.False(t, planned.change.Open[0].Discovered)
	gone := assign(manifests, before, listed(l[0].points[:4]...), "p", backfill)
	require.Equal(t, []engine.Key{{Site: "a", PointID: 5}}, gone.change.Close)
}

// Which points that no manifest has join, and which are counted, follows from the site's
// points in pipeline.yml.
func TestNewPoints(t *testing.T) {
	manifests := []wanted{row(1, "unit1.a", 0), row(2, "unit1.b", 0)}
	none := []inventory.Tag{{Site: "a", Name: "UNIT1.NONE", PointID: 7}, {Site: "a", Name: "unit1.c"}}
	points := []piwebapi.Point{point(1, "unit1.a"), point(2, "unit1.b"), point(5, "unit1.old"), point(7, "unit1.none"), point(8, "Unit1.C"),
		point(9, "unit1.new"), point(10, "unit2.new"), point(11, "unit1.test"), point(12, "tab\tin it"), point(13, "UNIT1.A")}
	filtered := manifest.Points{Kind: manifest.PointsFiltered, Include: []string{"unit1.*"}, Exclude: []string{"*.TEST"}}
	for name, c := range map[string]struct {
		points manifest.Points
		last   int64
		joined []string // with adopt_new
		fresh  int      // without; negative: not counted
	}{
		"nobody said":           {manifest.Points{}, 9, []string{"unit2.new", "unit1.test"}, 3},
		"nor is there a run":    {manifest.Points{}, 0, nil, 3},
		"all":                   {manifest.Points{Kind: manifest.PointsAll}, 0, []string{"unit1.old", "unit1.new", "unit2.new", "unit1.test"}, 4},
		"filters":               {filtered, 9, []string{"unit1.old", "unit1.new"}, 2},
		"those that are listed": {manifest.Points{Kind: manifest.PointsListed}, 9, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, adopt := range []bool{false, true} {
				l := listed(points...)
				l[0].lastPointID, l[0].whole = c.last, true
				l[0].choice = choiceOf(manifest.Site{Name: "a", Points: c.points, AdoptNew: adopt}, manifests, none)
				a := assign(manifests, nil, l, "p", backfill)
				var joined []string
				for _, o := range a.change.Open {
					if o.Discovered {
						joined = append(joined, o.Name)
					}
				}
				if adopt {
					require.Equal(t, c.joined, joined)
					continue
				}
				require.Empty(t, joined)
				require.Equal(t, c.fresh, l[0].newPoints(&a))
				l[0].whole = false
				require.Equal(t, -1, l[0].newPoints(&a))
			}
		})
	}

	t.Log("an inventory without ids was made by hand: nothing is new to it")
	byHand := []wanted{row(0, "unit1.a", 0)}
	l := listed(points...)
	l[0].whole, l[0].choice = true, choiceOf(manifest.Site{Name: "a"}, byHand, nil)
	a := assign(byHand, nil, l, "p", backfill)
	require.Equal(t, -1, l[0].newPoints(&a))
	require.Empty(t, l[0].noteNew(&a))

	t.Log("one that has joined leaves once its row has tier none")
	l = listed(points...)
	l[0].whole, l[0].lastPointID, l[0].choice = true, 8, choiceOf(manifest.Site{Name: "a", AdoptNew: true}, manifests, nil)
	before := owned(nil, assign(manifests, nil, l, "p", backfill).change)
	l[0].choice = choiceOf(manifest.Site{Name: "a"}, manifests, nil)
	require.Empty(t, assign(manifests, before, l, "p", backfill).change.Close, "it stays without adopt_new")
	l[0].choice = choiceOf(manifest.Site{Name: "a"}, manifests, []inventory.Tag{{Site: "a", Name: "unit1.new", PointID: 9}})
	left := assign(manifests, before, l, "p", backfill)
	require.Equal(t, []engine.Key{{Site: "a", PointID: 9}}, left.change.Close)
	require.Equal(t, []int{0}, left.fence)
}

func TestAssignKeepsASiteThatIsDown(t *testing.T) {
	manifests := []wanted{row(1, "x", 0)}
	before := owned(nil, assign(manifests, nil, listed(point(1, "x")), "p", backfill).change)
	down := []listing{{site: "a", err: errors.New("down")}}
	require.Empty(t, assign(manifests, before, down, "p", backfill).change.Close)

	t.Log("a site that the bundle does not have any more is given up")
	a := assign(nil, before, nil, "p", backfill)
	require.Len(t, a.change.Close, 1)
	require.Equal(t, []int{0}, a.fence)
}

// A list that lacks points proves nothing about the tags that are not in it: those that an
// earlier run found stay where they are, and go where the plan puts them.
func TestAssignFromAnIncompleteList(t *testing.T) {
	manifests := []wanted{row(1, "x", 0), row(2, "y", 0), row(0, "z", 1)}
	first := assign(manifests, nil, listed(point(1, "x"), point(2, "y"), point(3, "Z")), "plan", backfill)
	owners := owned(nil, first.change)

	partial := listed(point(1, "x"))
	partial[0].incomplete = true
	again := assign(manifests, owners, partial, "plan", backfill)
	require.Empty(t, again.change.Close)
	require.Empty(t, again.change.Open)
	require.Empty(t, again.missing)
	require.Len(t, again.change.Tags, 3, "metadata.tags keeps them")

	manifests[1].partition, manifests[2].partition = 1, 0
	moved := assign(manifests, owners, partial, "another plan", backfill)
	require.Len(t, moved.change.Close, 2)
	require.Equal(t, []int{0, 1}, moved.fence)
	require.ElementsMatch(t, []int{1, 0}, []int{moved.change.Open[0].Partition, moved.change.Open[1].Partition})

	require.Len(t, assign(manifests, owners, listed(point(1, "x")), "plan", backfill).missing, 2, "a whole list tells")
}
