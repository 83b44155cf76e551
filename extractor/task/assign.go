package task

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// listing is what a site reported of itself, or the error why not.
type listing struct {
	site   string
	points []piwebapi.Point
	states map[string]string // digital set -> JSON object of its states
	moment
	requests    int64
	retries     int64
	err         error
	lastPointID int64    // greatest id of an earlier run; 0 = this is the first
	notes       []string // what the list of points lacks
	incomplete  bool     // it lacks points that the server has
	unnamed     string   // why states have no names; "" if they have
	whole       bool     // points are all of the server's, not only those of the inventory
	choice      choice
}

// wanted is a tag of a manifest and the partition that it names.
type wanted struct {
	tag       inventory.Tag
	partition int
}

// assignment is what follows from manifests, present owners and listings: pure.
type assignment struct {
	change engine.Change
	fence  []int          // partitions that lose a tag, ascending
	joined int            // points newer than the bundle
	fresh  map[string]int // by site: points that the inventory should have and has not

	missing    []missing // tags of the manifests that their site does not have
	gone       []string  // those of them that an earlier run found there, by site and name
	unresolved []missing // the others, in the run's tier
}

// assign decides who owns which tag. A tag is PI's point: a rename keeps it,
// and a point created again under an old name is found by that name. A site that
// could not be reached keeps its owners.
func assign(manifests []wanted, owners []engine.Owner, sites []listing, planID string, backfill instant.Ticks) assignment {
	var a assignment
	a.change.PlanID = planID
	for i := range sites {
		if sites[i].err == nil {
			a.site(&sites[i], forSite(manifests, sites[i].site), ownersOf(owners, sites[i].site), backfill)
		}
	}
	if len(a.missing) > 0 {
		present := foundBy(owners)
		for i := range a.missing {
			a.missing[i].known = present.has(&a.missing[i].wanted)
		}
	}
	a.orphans(owners, manifests, sites)
	slices.Sort(a.fence)
	a.fence = slices.Compact(a.fence)
	return a
}

func forSite(manifests []wanted, site string) (out []wanted) {
	for _, w := range manifests {
		if w.tag.Site == site {
			out = append(out, w)
		}
	}
	return out
}

func ownersOf(owners []engine.Owner, site string) map[int64]engine.Owner {
	out := map[int64]engine.Owner{}
	for _, o := range owners {
		if o.Site == site {
			out[o.PointID] = o
		}
	}
	return out
}

func (a *assignment) site(l *listing, manifests []wanted, owners map[int64]engine.Owner, backfill instant.Ticks) {
	next := a.resolve(l, manifests, owners)
	a.join(l, manifests, owners, next)
	a.change.Sites = append(a.change.Sites, l.site)
	ids := make([]int64, 0, len(next))
	for id := range next {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		o := next[id]
		was, owned := owners[id]
		if !owned || was.Unmarked {
			// Never before 1970: PI's time begins there.
			a.change.Pins = append(a.change.Pins, engine.Pin{Key: o.Key(), WebID: o.WebID, Name: o.Name, Partition: o.Partition,
				At: max(0, l.until-backfill-1)})
		}
		if owned {
			keep := was
			keep.PlanID, keep.Unmarked = o.PlanID, false // a new plan alone changes no ownership
			if keep == o {
				continue
			}
			a.change.Close = append(a.change.Close, o.Key())
			if was.Partition != o.Partition {
				a.fence = append(a.fence, was.Partition)
			}
		}
		a.change.Open = append(a.change.Open, o)
	}
	for id, was := range owners {
		if _, still := next[id]; !still {
			a.change.Close = append(a.change.Close, was.Key())
			a.fence = append(a.fence, was.Partition)
		}
	}
	slices.SortFunc(a.change.Close, func(x, y engine.Key) int {
		return cmp.Or(strings.Compare(x.Site, y.Site), cmp.Compare(x.PointID, y.PointID))
	})
}

// resolve finds each manifest's tag among the site's points. Where the server could
// not list some of them, a tag that an earlier run found stays as it was.
func (a *assignment) resolve(l *listing, manifests []wanted, owners map[int64]engine.Owner) map[int64]engine.Owner {
	byID, byName := make(map[int64]*piwebapi.Point, len(l.points)), make(map[string]*piwebapi.Point, len(l.points))
	for i := range l.points {
		p := &l.points[i]
		byID[p.ID], byName[fold(p.Name)] = p, p
	}
	var former former
	if l.incomplete {
		former = formerOf(owners)
	}
	next := make(map[int64]engine.Owner, len(manifests))
	for _, w := range manifests {
		p := byID[w.tag.PointID]
		if p == nil {
			p = byName[fold(w.tag.Name)]
		}
		if p == nil && l.incomplete {
			if was, found := former.find(&w.tag); found {
				p = &piwebapi.Point{ID: was.PointID, WebID: was.WebID, Name: was.Name, PointType: was.PointType, Units: was.Units,
					Descriptor: w.tag.Descriptor, DigitalSet: w.tag.DigitalSet, Future: w.tag.Future}
			}
		}
		if p == nil {
			a.missing = append(a.missing, missing{wanted: w})
			continue
		}
		if _, twice := next[p.ID]; twice {
			continue // two rows of one point, which was renamed after the inventory was made
		}
		next[p.ID] = owner(l.site, p, w.tag.Tier, w.partition, a.change.PlanID, w.tag.EventsPerHour)
		a.describe(l, p)
	}
	return next
}

// former holds a site's owners, by point and by name.
type former struct {
	byID   map[int64]engine.Owner
	byName map[string]int64
}

func formerOf(owners map[int64]engine.Owner) former {
	f := former{owners, make(map[string]int64, len(owners))}
	for id, o := range owners {
		f.byName[fold(o.Name)] = id
	}
	return f
}

// find looks a tag up by its point, or else by its name.
func (f former) find(tag *inventory.Tag) (engine.Owner, bool) {
	was, found := f.byID[tag.PointID]
	if !found {
		was, found = f.byID[f.byName[fold(tag.Name)]]
	}
	return was, found
}

func owner(site string, p *piwebapi.Point, tier string, partition int, planID string, rate float64) engine.Owner {
	return engine.Owner{PointID: p.ID, WebID: p.WebID, Name: p.Name, Site: site, Tier: tier, Partition: partition, PlanID: planID,
		PointType: p.PointType, Units: p.Units, EventsPerHour: max(rate, -1)}
}

func (a *assignment) describe(l *listing, p *piwebapi.Point) {
	a.change.Tags = append(a.change.Tags, engine.Tag{PointID: p.ID, WebID: p.WebID, Name: p.Name, Site: l.site, PointType: p.PointType,
		Units: p.Units, Descriptor: p.Descriptor, DigitalSet: p.DigitalSet, DigitalStates: l.states[p.DigitalSet], Future: p.Future})
}

// join assigns the points that no manifest has, and that may join, to the lightest
// partition of their site, in the site's first tier.
func (a *assignment) join(l *listing, manifests []wanted, owners map[int64]engine.Owner, next map[int64]engine.Owner) {
	if len(manifests) == 0 {
		return
	}
	first := manifests[0]
	for _, w := range manifests {
		if w.partition < first.partition {
			first = w
		}
	}
	load := map[int]int{}
	for _, w := range manifests {
		if w.tag.Tier == first.tag.Tier {
			load[w.partition] += 0
		}
	}
	for _, o := range next {
		if _, counts := load[o.Partition]; counts {
			load[o.Partition]++
		}
	}
	joining := a.joining(l, owners, next)
	slices.SortFunc(joining, func(x, y *piwebapi.Point) int { return cmp.Compare(x.ID, y.ID) })
	for _, p := range joining {
		partition, tier := lightest(load), first.tag.Tier
		if was, owned := owners[p.ID]; owned {
			if _, there := load[was.Partition]; there {
				partition, tier = was.Partition, was.Tier
			}
		} else {
			a.joined++
		}
		o := owner(l.site, p, tier, partition, a.change.PlanID, -1)
		o.Discovered = true
		next[p.ID] = o
		load[partition]++
		a.describe(l, p)
	}
}

func lightest(load map[int]int) int {
	best := -1
	for p, n := range load {
		if best < 0 || n < load[best] || n == load[best] && p < best {
			best = p
		}
	}
	return best
}

// orphans closes the ownerships of sites that the bundle no longer has.
func (a *assignment) orphans(owners []engine.Owner, manifests []wanted, sites []listing) {
	known := map[string]bool{}
	for i := range sites {
		known[sites[i].site] = true
	}
	for _, w := range manifests {
		known[w.tag.Site] = true
	}
	for _, o := range owners {
		if !known[o.Site] {
			a.change.Close = append(a.change.Close, o.Key())
			a.fence = append(a.fence, o.Partition)
		}
	}
}
