package task

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// choice decides which points of a site belong into the inventory, and which of them
// are new: missing in the inventory.
type choice struct {
	adopt bool // new points join partitions; else they are counted

	kind     string // of manifest.Points
	selects  func(name string) bool
	ids      map[int64]bool  // of rows of tier none
	names    map[string]bool // of those, folded
	greatest int64           // id in the inventory; 0 if it has none
}

// choiceOf reads a site's choice; left are the rows of tier none.
func choiceOf(site manifest.Site, manifests []wanted, left []inventory.Tag) choice {
	c := choice{adopt: site.AdoptNew, kind: site.Points.Kind, selects: site.Points.Selects(), ids: map[int64]bool{}, names: map[string]bool{}}
	for i := range manifests {
		if t := &manifests[i].tag; t.Site == site.Name {
			c.greatest = max(c.greatest, t.PointID)
		}
	}
	for i := range left {
		if t := &left[i]; t.Site == site.Name {
			c.ids[t.PointID], c.names[fold(t.Name)] = t.PointID != 0, true
			c.greatest = max(c.greatest, t.PointID)
		}
	}
	return c
}

// has reports whether the inventory should have a point, judging by names and by rows
// of tier none.
func (c *choice) has(p *piwebapi.Point) bool {
	return c.kind != manifest.PointsListed && !c.ids[p.ID] && !c.names[fold(p.Name)] && (c.selects == nil || c.selects(p.Name))
}

// counts reports whether new points can be recognized. If the configuration does not
// say which points belong into the inventory, those are new that are younger than all
// points in it: PI counts its ids up, and an inventory may be a selection of the points
// that existed when it was made. An inventory without ids was made by hand.
func (c *choice) counts() bool {
	return c.kind != manifest.PointsListed && (c.kind != "" || c.greatest > 0)
}

// isNew reports whether a point without a row is new.
func (c *choice) isNew(p *piwebapi.Point) bool {
	return c.counts() && c.has(p) && (c.kind != "" || p.ID > c.greatest)
}

// joins reports whether a new point joins a partition in this run. If the configuration
// does not say which points belong into the inventory, it must also be younger than the
// last run's points: a person may have removed it.
func (c *choice) joins(p *piwebapi.Point, lastPointID int64) bool {
	if !c.adopt || !c.has(p) {
		return false
	}
	return c.kind != "" || lastPointID > 0 && p.ID > lastPointID
}

// find returns a site's points. Of a server that has far more than the inventory, only
// those of the inventory are looked up, unless new ones may join.
func (a *attempt) find(ctx context.Context, client *piwebapi.Client, server piwebapi.DataServer, site manifest.Site, l *listing,
	manifests []wanted) error {
	own := forSite(manifests, site.Name)
	points, whole, err := client.Find(ctx, server, piwebapi.Selection{
		Sources:  site.Points.PointSource,
		Whole:    site.AdoptNew,
		Count:    len(own),
		Wanted:   func() ([]piwebapi.Wanted, error) { return a.wanted(ctx, site.Name, own) },
		Progress: func(points int) { a.step("listing the points of %s: %d so far", site.Name, points) },
	})
	l.points, l.whole = points, whole
	return err
}

// wanted returns what is known of the tags that a site's tasks read.
func (a *attempt) wanted(ctx context.Context, site string, own []wanted) ([]piwebapi.Wanted, error) {
	out := make([]piwebapi.Wanted, 0, len(own))
	for i := range own {
		out = append(out, piwebapi.Wanted{WebID: own[i].tag.WebID, Name: strings.TrimSpace(own[i].tag.Name)})
	}
	owners, _, err := a.owners(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, o := range owners {
		if o.Site == site && o.Discovered {
			out = append(out, piwebapi.Wanted{WebID: o.WebID, Name: o.Name})
		}
	}
	return out, nil
}

// leftOut reads the rows of tier none, whose number is in the plan.
func (a *attempt) leftOut(want int) ([]inventory.Tag, error) {
	file := filepath.Join(a.Params.Bundle, manifest.Folder, manifest.LeftOutFile)
	if want == 0 {
		return nil, nil
	}
	tags, err := manifest.Load(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, diag.WithHint(fmt.Errorf("%s is missing, and plan.json has %d rows of tier none", file, want),
			"the bundle was deployed in part: deploy it again")
	case err != nil:
		return nil, err
	case len(tags) != want:
		return nil, diag.WithHint(fmt.Errorf("%s has %d rows, where plan.json says %d", file, len(tags), want),
			"the bundle was deployed in part: deploy it again")
	}
	return tags, nil
}

// newPoints returns a site's column new_points: how many points the inventory lacks;
// negative if that is unknown.
func (l *listing) newPoints(next *assignment) int {
	if !l.whole || !l.choice.counts() {
		return -1
	}
	return next.fresh[l.site]
}

// noteNew notes how many points the inventory lacks.
func (l *listing) noteNew(next *assignment) string {
	const hint = "bundlegen discover, then generate, adds %s; adopt_new: true at the site has runs do that"
	n := next.fresh[l.site]
	switch {
	case !l.whole && l.choice.counts():
		return fmt.Sprintf("%s has far more points than the inventory has tags: only these were asked for, and new points were not counted",
			l.site)
	case n == 1:
		return diag.Hinted(fmt.Sprintf("1 point on %s is not in the inventory", l.site), fmt.Sprintf(hint, "it"))
	case n > 1:
		return diag.Hinted(fmt.Sprintf("%d points on %s are not in the inventory", n, l.site), fmt.Sprintf(hint, "them"))
	}
	return ""
}

// nameable reports whether an inventory can hold a point. One that it cannot hold does
// not join, so that bundlegen discover and a run agree.
func nameable(p *piwebapi.Point) bool {
	return inventory.Check(&inventory.Tag{Name: p.Name, WebID: p.WebID, EventsPerHour: -1, PointID: p.ID}) == nil
}

// joining returns the points of a site that no manifest has and that join a partition,
// and counts those that do not.
func (a *assignment) joining(l *listing, owners, next map[int64]engine.Owner) []*piwebapi.Point {
	taken := make(map[string]bool, len(next))
	for _, o := range next {
		taken[inventory.Fold(o.Name)] = true
	}
	var all []*piwebapi.Point
	for i := range l.points {
		p := &l.points[i]
		if _, planned := next[p.ID]; planned || !nameable(p) || taken[inventory.Fold(p.Name)] {
			continue // as bundlegen discover leaves it out
		}
		was, owned := owners[p.ID]
		switch {
		case owned && was.Discovered && l.choice.has(p):
			all = append(all, p) // it has joined before and stays
		case owned:
		case l.choice.joins(p, l.lastPointID):
			all = append(all, p)
		case l.choice.isNew(p):
			if a.fresh == nil {
				a.fresh = map[string]int{}
			}
			a.fresh[l.site]++
		}
	}
	return all
}
