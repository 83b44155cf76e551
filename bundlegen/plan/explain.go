package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/bundlegen/bundlegen/pipeline/partition"
)

// Reasons for a tag's place. They are stable.
const (
	ReasonFirst    = "first-bundle"   // there was no bundle before
	ReasonKept     = "kept"           // it is where it was
	ReasonNew      = "new"            // it joined the lightest partition
	ReasonTier     = "tier-changed"   // its tier has other partitions
	ReasonGone     = "partition-gone" // its partition is not needed any more
	ReasonAboveMax = "above-most"     // its partition would have had too many tags
	ReasonBelowMin = "below-least"    // the partition that it joined would have had too few
	ReasonBounds   = "bounds"         // it moved so that all partitions of its site and tier keep their bounds
	ReasonRemoved  = "removed"        // it is not in the inventory any more
	ReasonNone     = "left-out"       // its row has tier none

	// Of tags that only a data folder knows:
	ReasonDiscovered = "discovered" // newer than the inventory: a run's discovery gave it a partition
	ReasonLeft       = "left"       // no partition owns it any more
)

// Place is where a plan has a tag, and why.
type Place struct {
	Site      string `json:"site"`
	Tag       string `json:"tag"`
	Was       string `json:"was,omitempty"` // its name in the last bundle, where that differs
	PointID   int64  `json:"point_id"`      // PI's own; 0: unknown
	Tier      string `json:"tier"`
	Partition int    `json:"partition_id"`          // -1: none any more
	Before    int    `json:"previous_partition_id"` // in the last bundle; -1: none
	Reason    string `json:"reason"`                // one of Reason…
	Cause     Cause  `json:"cause"`                 // figures of the reason

	Weight          float64 `json:"weight"`          // expected events an hour
	WeightFrom      string  `json:"weight_from"`     // where that figure is from, one of Weight…
	Rate            float64 `json:"events_per_hour"` // of the inventory; negative: unknown
	PartitionTags   int     `json:"partition_tags"`
	PartitionWeight float64 `json:"partition_weight"`
}

// Where a tag's weight is from. They are stable.
const (
	WeightAssumed = "assumed" // the inventory has no events_per_hour for it
	WeightMin     = "least"   // its events_per_hour is below the least that a tag weighs
	WeightRate    = "rate"    // its events_per_hour
)

// Cause is the figures of a reason; those that a reason does not have are 0 or "".
type Cause struct {
	Tier         string `json:"previous_tier,omitempty"`
	Tags         int    `json:"tags,omitempty"`          // that the partition in question would have had
	MinTags      int    `json:"min_tags,omitempty"`      // of a partition of its site and tier
	MaxTags      int    `json:"max_tags,omitempty"`      // of a partition of its site and tier
	NewPartition bool   `json:"new_partition,omitempty"` // the partition is as new as the tag
}

// Explain returns every place of the tags with a name, one for each site that has
// such a tag, in order of site; also of those that the plan takes out of the
// last bundle, prev (nil: there is none). Where no tag is called exactly so,
// names that differ only in case count, as they do for PI. A tag that was
// called so in the last bundle counts too. It is pure.
func (p *Plan) Explain(prev *Previous, name string) []Place {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		if places := p.explain(prev, func(tag string) bool { return same(tag, name) }); len(places) > 0 {
			return places
		}
	}
	return nil
}

// Names returns the names of all tags of the plan: what Explain knows.
func (p *Plan) Names() []string {
	names := make([]string, 0, p.Tags)
	for i := range p.Partitions {
		for k := range p.Partitions[i].Members {
			names = append(names, p.Partitions[i].Members[k].Name)
		}
	}
	for i := range p.Left {
		names = append(names, p.Left[i].Name)
	}
	return names
}

func (p *Plan) explain(prev *Previous, named func(string) bool) []Place {
	e := explainer{plan: p, prev: prev}
	if prev != nil {
		e.origins = p.originsIn(prev)
	}
	var places []Place
	for i := range p.Partitions {
		for k := range p.Partitions[i].Members {
			was := e.was(i, k)
			if named(p.Partitions[i].Members[k].Name) || was != nil && named(was.Name) {
				places = append(places, e.place(i, k))
			}
		}
	}
	places = append(places, e.leftOut(named)...)
	for _, r := range e.removed(named) {
		if !slices.ContainsFunc(places, func(p Place) bool { return p.Reason == ReasonNone && p.Site == r.Site && p.Tag == r.Tag }) {
			places = append(places, r)
		}
	}
	slices.SortStableFunc(places, func(a, b Place) int { return cmp.Compare(a.Site, b.Site) })
	return places
}

// moves is how the tags of one site and tier were assigned.
type moves struct {
	result partition.Result
	slots  map[int]int // where in result a partition's id is
}

// explainer finds out why tags are where they are.
type explainer struct {
	plan    *Plan
	prev    *Previous
	origins [][]origin // of each member of each partition; nil without prev
}

func (e *explainer) origin(part, member int) origin {
	if e.origins == nil {
		return nowhere
	}
	return e.origins[part][member]
}

// was returns what the last bundle says of a tag; nil: nothing.
func (e *explainer) was(part, member int) *PreviousTag {
	o := e.origin(part, member)
	if o.part < 0 {
		return nil
	}
	return &e.prev.Partitions[o.part].Tags[o.tag]
}

func (e *explainer) place(i, k int) Place {
	part, tag := &e.plan.Partitions[i], &e.plan.Partitions[i].Members[k]
	place := Place{
		Site: part.Site, Tag: tag.Name, PointID: tag.PointID, Tier: part.Tier, Partition: part.ID, Before: -1,
		PartitionTags: part.Tags, PartitionWeight: part.Weight,
	}
	place.Weight, place.WeightFrom = e.weight(tag)
	if was := e.was(i, k); was != nil {
		place.Before = e.prev.Partitions[e.origin(i, k).part].ID
		if was.Name != tag.Name {
			place.Was = was.Name
		}
	}
	place.Rate = tag.EventsPerHour
	place.Reason, place.Cause = e.why(part, e.origin(i, k))
	return place
}

// weight returns a tag's weight and where that is from.
func (e *explainer) weight(tag *inventory.Tag) (w float64, from string) {
	w = weight(tag, e.plan.assumedRate)
	switch rate := tag.EventsPerHour; {
	case rate < 0:
		return w, WeightAssumed
	case rate < w:
		return w, WeightMin
	}
	return w, WeightRate
}

// why returns the reason for a tag's being in a partition.
func (e *explainer) why(part *Partition, o origin) (reason string, c Cause) {
	if e.prev == nil {
		return ReasonFirst, c
	}
	if o.part < 0 {
		c.NewPartition = !slices.ContainsFunc(e.prev.Partitions, func(q PreviousPartition) bool { return q.ID == part.ID })
		return ReasonNew, c
	}
	from := &e.prev.Partitions[o.part]
	switch {
	case from.ID == part.ID:
		return ReasonKept, c
	case from.Tier != part.Tier:
		return ReasonTier, Cause{Tier: from.Tier}
	}
	g := part.moves
	left, ok := g.slots[from.ID]
	if !ok {
		return ReasonGone, c
	}
	c = Cause{MinTags: g.result.Bounds.Min, MaxTags: g.result.Bounds.Max}
	joined := g.slots[part.ID]
	switch g.result.Reason(left, joined) {
	case partition.AboveMax:
		c.Tags = g.result.Before[left]
		return ReasonAboveMax, c
	case partition.BelowMin:
		c.Tags = g.result.Before[joined]
		return ReasonBelowMin, c
	}
	return ReasonBounds, c
}

// leftOut returns the places of tags whose rows have tier none.
func (e *explainer) leftOut(named func(string) bool) []Place {
	var places []Place
	for i := range e.plan.Left {
		t := &e.plan.Left[i]
		if !named(t.Name) {
			continue
		}
		place := Place{Site: t.Site, Tag: t.Name, PointID: t.PointID, Tier: manifest.TierNone, Partition: -1, Before: -1,
			Reason: ReasonNone, Rate: t.EventsPerHour}
		place.Weight, place.WeightFrom = e.weight(t)
		for _, r := range e.removed(named) {
			if r.Site == t.Site && r.Tag == t.Name {
				place.Before = r.Before
			}
		}
		places = append(places, place)
	}
	return places
}

// removed returns the places of tags that the plan takes out.
func (e *explainer) removed(named func(string) bool) []Place {
	if e.prev == nil {
		return nil
	}
	kept := map[origin]bool{}
	for _, list := range e.origins {
		for _, o := range list {
			kept[o] = true
		}
	}
	var places []Place
	for i := range e.prev.Partitions {
		q := &e.prev.Partitions[i]
		for k := range q.Tags {
			if !named(q.Tags[k].Name) || kept[origin{int32(i), int32(k)}] {
				continue
			}
			places = append(places, Place{
				Site: q.Site, Tag: q.Tags[k].Name, PointID: q.Tags[k].PointID, Tier: q.Tier, Partition: -1, Before: q.ID,
				Reason: ReasonRemoved,
			})
		}
	}
	return places
}
