package plan

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/bundlegen/bundlegen/pipeline/partition"
)

// Options are the ways to plan.
type Options struct {
	// Rebalance sizes and balances from scratch, at the price of moved tags. Partitions
	// keep their ids as far as there are as many.
	Rebalance bool
	// FirstID is the least id that a new partition gets: ids below are those of a
	// pipeline's bundles in other regions.
	FirstID int
	// Calibration is what earlier runs have measured; nil = nothing.
	Calibration *Calibration
}

// Calibration is constants of the forecast that were measured.
type Calibration struct {
	File      string // as reports name it
	Constants map[string]constants.Override
}

// constants returns what a plan's forecasts rest on: what pipeline.yml says, else
// what was measured, else the defaults.
func (o Options) constants(cfg *config.Pipeline) []constants.Constant {
	own := constants.Of(cfg.Forecast, "pipeline.yml")
	if o.Calibration == nil {
		return constants.Resolve(own)
	}
	return constants.Resolve(o.Calibration.Constants, own)
}

// Build makes the plan: which tags go to which partition, on what compute, how
// long that takes, what it costs, and what an expert would warn about. prev is
// the earlier bundle, or nil.
//
// It is pure and uses all processors. tags are as inventory.Parse returns them with the
// pipeline's sites and tiers: each has its site and tier, and they are sorted by site and
// name, each once. Those of tier none stay out. The plan keeps no reference to tags, but
// their texts.
//
// Partition ids: a partition keeps its id as long as its site and tier have so
// many partitions; a new one gets the next number above all that the previous
// bundle has, so that one id's history does not continue with another site's
// tags. Without a previous bundle numbers run from 0 in order of tier and site.
func Build(cfg *config.Pipeline, tags []inventory.Tag, prev *Previous, opt Options) (*Plan, error) {
	g, err := bySite(cfg, tags)
	if err != nil {
		return nil, err
	}
	assumed := opt.constants(cfg)
	b := &builder{
		cfg:       cfg,
		grouped:   g,
		prev:      prev,
		opt:       opt,
		constants: assumed,
		model:     forecast.New(assumed),
		prices:    forecast.NewPrices(cfg.Prices),
	}
	b.findOrigins()
	b.countPartitions()
	b.numberPartitions()
	if err := b.assign(); err != nil {
		return nil, err
	}
	b.divideBudgets()
	if err := b.makeTiers(); err != nil {
		return nil, err
	}
	b.describeSites()
	p := &Plan{
		Version:     Version,
		Settings:    settingsID(cfg),
		Values:      cfg.Settings(),
		Name:        cfg.Name,
		Catalog:     cfg.Catalog,
		Tags:        len(b.tags),
		LeftOut:     len(b.left),
		Left:        b.left,
		Sites:       b.sites,
		Tiers:       withTags(b.tiers),
		Partitions:  b.partitions(),
		Warnings:    b.warnings(),
		Assumed:     b.assumed(),
		Pool:        b.pool(),
		Grants:      grants(cfg),
		previous:    prev,
		assumedRate: b.model.EventsPerHour,
	}
	p.Forecast = p.Tiers[0].Forecast
	p.ID = planID(p)
	return p, nil
}

// withTags leaves out tiers that no tag is of: there is nothing for a job to do.
func withTags(tiers []Tier) []Tier {
	return slices.DeleteFunc(slices.Clone(tiers), func(t Tier) bool { return t.Partitions == 0 })
}

// builder is a plan in the making. A group is the partitions of one tier and
// site; groups[tier][site].
type builder struct {
	*grouped
	cfg       *config.Pipeline
	prev      *Previous
	opt       Options
	constants []constants.Constant // what model is made of
	model     forecast.Model
	prices    forecast.Prices

	origins [][]origin // for each site, parallel to the tags of grouped.site
	groups  [][]group
	jobs    []forecast.Job
	results []forecast.Forecast
	sites   []Site
	tiers   []Tier
}

// group is one tier's part of one site.
type group struct {
	rules    config.Sizing
	previous []int       // indices into prev.Partitions, in order of id
	slots    []Partition // in order of id
	from     []int       // slots[i] was prev.Partitions[from[i]]; -1: new
	unknown  int         // tags of unknown rate
	heaviest partition.Item
	uneven   bool // moving tags would even the load out
}

func (b *builder) findOrigins() {
	b.groups = make([][]group, len(b.cfg.Tiers))
	for t := range b.groups {
		b.groups[t] = make([]group, len(b.cfg.Sites))
		for s := range b.groups[t] {
			b.groups[t][s].rules = sizing.ForTier(b.cfg.Sizing, b.cfg.Tiers[t])
		}
	}
	if b.prev != nil {
		names, tierNames := siteNames(b.cfg), tierNames(b.cfg)
		for i, p := range b.prev.Partitions {
			s := slices.Index(names, p.Site)
			if s < 0 {
				continue
			}
			if t := slices.Index(tierNames, p.Tier); t >= 0 {
				b.groups[t][s].previous = append(b.groups[t][s].previous, i)
			}
		}
	}
	b.origins = make([][]origin, len(b.cfg.Sites))
	_ = each(len(b.cfg.Sites), func(s int) error {
		tags, _ := b.site(s)
		b.origins[s] = match(tags, b.prev, b.prev.site(b.cfg.Sites[s].Name))
		return nil
	})
}

// countPartitions decides how many partitions each group has.
func (b *builder) countPartitions() {
	survivors := b.survivors()
	for t, tier := range b.cfg.Tiers {
		counts := make([]int, len(b.cfg.Sites))
		previous := make([]int, len(b.cfg.Sites))
		for s := range counts {
			var kept []int
			if !b.opt.Rebalance {
				for _, p := range b.groups[t][s].previous {
					kept = append(kept, survivors[p])
				}
			}
			previous[s] = len(kept)
			counts[s] = sizing.Partitions(b.counts[t][s], kept, b.groups[t][s].rules)
		}
		if tier.Partitions > 0 {
			counts = sizing.Share(tier.Partitions, b.counts[t], previous, sizing.ForTier(b.cfg.Sizing, tier).MaxTags)
		}
		for s, n := range counts {
			b.groups[t][s].slots = make([]Partition, n)
		}
	}
}

// numberPartitions assigns each partition its id and its predecessor.
func (b *builder) numberPartitions() {
	next := b.opt.FirstID
	survivors := b.survivors()
	if b.prev != nil {
		for _, p := range b.prev.Partitions {
			next = max(next, p.ID+1)
		}
	}
	for t := range b.groups {
		for s := range b.groups[t] {
			c := &b.groups[t][s]
			kept := c.previous
			if len(kept) > len(c.slots) {
				// Those with the fewest tags left go, so that the fewest move; of equals, the newest.
				byTags := slices.Clone(kept)
				slices.SortStableFunc(byTags, func(a, b int) int { return survivors[b] - survivors[a] })
				kept = byTags[:len(c.slots)]
				slices.Sort(kept)
			}
			c.from = make([]int, len(c.slots))
			for i := range c.slots {
				if i < len(kept) {
					c.from[i] = kept[i]
					c.slots[i].ID = b.prev.Partitions[kept[i]].ID
					continue
				}
				c.from[i] = -1
				c.slots[i].ID = next
				next++
			}
		}
	}
}

// survivors counts for each previous partition the tags that are still in its site and tier.
func (b *builder) survivors() []int {
	if b.prev == nil {
		return nil
	}
	counts := make([]int, len(b.prev.Partitions))
	for s := range b.cfg.Sites {
		_, tiers := b.site(s)
		for i, o := range b.origins[s] {
			if o.part >= 0 && b.prev.Partitions[o.part].Tier == b.cfg.Tiers[tiers[i]].Name {
				counts[o.part]++
			}
		}
	}
	return counts
}

// assign assigns every tag to a partition, group by group.
func (b *builder) assign() error {
	return each(len(b.cfg.Tiers)*len(b.cfg.Sites), func(k int) error {
		t, s := k/len(b.cfg.Sites), k%len(b.cfg.Sites)
		if b.counts[t][s] == 0 {
			return nil
		}
		return b.assignGroup(t, s)
	})
}

func (b *builder) assignGroup(t, s int) error {
	c, site, tier := &b.groups[t][s], b.cfg.Sites[s].Name, b.cfg.Tiers[t].Name
	slotOf := make(map[int32]int, len(c.from))
	for i, from := range c.from {
		if from >= 0 {
			slotOf[int32(from)] = i
		}
	}
	tags, tiers := b.site(s)
	positions := make([]int32, 0, b.counts[t][s])
	items := make([]partition.Item, 0, b.counts[t][s])
	for i := range tags {
		tag := &tags[i]
		if int(tiers[i]) != t {
			continue
		}
		previous := -1
		if slot, ok := slotOf[b.origins[s][i].part]; ok {
			previous = slot
		}
		if tag.EventsPerHour < 0 {
			c.unknown++
		}
		item := partition.Item{Key: tag.Name, Weight: weight(tag, b.model.EventsPerHour), Previous: previous}
		if item.Weight > c.heaviest.Weight {
			c.heaviest = item
		}
		positions, items = append(positions, int32(i)), append(items, item)
	}
	limits := bounds(len(items), len(c.slots), c.rules)
	result, err := partition.Assign(items, len(c.slots), limits, partition.Options{Rebalance: b.opt.Rebalance})
	if err != nil {
		return fmt.Errorf("site %s, tier %s: %w", site, tier, err)
	}
	if c.uneven, err = canBeEvener(items, result, limits); err != nil {
		return err
	}
	moved := &moves{result: result, slots: map[int]int{}}
	for i := range c.slots {
		p := &c.slots[i]
		p.moves, moved.slots[p.ID] = moved, i
		p.Site, p.Tier, p.Tags = site, tier, result.Counts[i]
		p.Members = make([]inventory.Tag, 0, p.Tags)
		p.origins = make([]origin, 0, p.Tags)
		p.EventsPerHour = -1
	}
	for i, position := range positions {
		p := &c.slots[result.Of[i]]
		tag := tags[position]
		p.Members = append(p.Members, tag)
		p.origins = append(p.origins, b.origins[s][position])
		p.Weight += items[i].Weight
		if tag.EventsPerHour >= 0 {
			p.EventsPerHour = max(0, p.EventsPerHour) + tag.EventsPerHour
		}
	}
	moved.result.Of = nil // Members have it
	for i := range c.slots {
		c.slots[i].webIDs = webIDBytes(c.slots[i].Members)
	}
	b.size(c)
	return nil
}

// weight is the events an hour that a tag is expected to bring, of which so many
// are assumed where its rate is unknown. One without events weighs 1: it costs
// its share of a request all the same.
func weight(tag *inventory.Tag, assumed float64) float64 {
	if tag.EventsPerHour < 0 {
		return assumed
	}
	return max(1, tag.EventsPerHour)
}

// webIDBytes returns the bytes that a tag takes of a URL, on average over those
// whose WebIDs are known: its WebID and the name of the parameter. 0 if none is.
func webIDBytes(tags []inventory.Tag) float64 {
	total, known := 0, 0
	for i := range tags {
		if n := len(tags[i].WebID); n > 0 {
			total, known = total+len("&webId=")+n, known+1
		}
	}
	return float64(total) / float64(max(1, known))
}

// bounds returns the bounds that an assignment of tags to n partitions can keep:
// the rules' where they hold on average, and else some room around the average,
// so that a tag more or less moves nothing.
func bounds(tags, n int, rules config.Sizing) partition.Bounds {
	b := partition.Bounds{Min: rules.MinTags, Max: rules.MaxTags}
	if tags < n*b.Min {
		b.Min = max(1, tags/n/2)
	}
	if tags > n*b.Max {
		b.Max = (tags+n-1)/n + tags/n/10
	}
	return b
}

// size fills in what follows from a partition's tags.
func (b *builder) size(c *group) {
	for i := range c.slots {
		p := &c.slots[i]
		p.Weight = round(p.Weight, 3)
		p.EventsPerHour = round(p.EventsPerHour, 3)
		p.Shards = sizing.Shards(p.Tags, c.rules.TagsPerWorker)
		switch {
		case b.cfg.Compute.Serverless: // no clusters
		case b.cfg.Compute.SingleCluster:
			p.Cluster = "single_cluster"
		default:
			p.Workers = sizing.Workers(p.Tags, c.rules.TagsPerWorker)
			p.Cluster = clusterName(p.Site, p.Workers)
		}
	}
}

// clusterName names the complex variable with a cluster's spec: one for each
// size and site, since a cluster holds its own site's secrets only.
func clusterName(site string, workers int) string {
	size := "single_node"
	if workers > 0 {
		size = fmt.Sprintf("%d_workers", workers)
	}
	return "extraction_" + strings.ToLower(strings.ReplaceAll(site, "-", "_")) + "_" + size
}

func (b *builder) divideBudgets() {
	for s, site := range b.cfg.Sites {
		shares := make([]sizing.Group, len(b.cfg.Tiers))
		for t := range b.cfg.Tiers {
			shares[t] = sizing.Group{Partitions: len(b.groups[t][s].slots), Tags: b.counts[t][s]}
		}
		for t, limits := range sizing.Divide(site.Limits, shares) {
			for i := range limits {
				b.groups[t][s].slots[i].Limits = limits[i]
			}
		}
	}
}

// partitions returns all partitions in order of id.
func (b *builder) partitions() []Partition {
	var all []Partition
	for t := range b.groups {
		for s := range b.groups[t] {
			all = append(all, b.groups[t][s].slots...)
		}
	}
	slices.SortFunc(all, func(a, b Partition) int { return a.ID - b.ID })
	return all
}

func (b *builder) describeSites() {
	for s, site := range b.cfg.Sites {
		d := Site{Name: site.Name, Limits: manifest.Limits{
			RequestsPerSecond: site.Limits.RequestsPerSecond,
			Connections:       site.Limits.Connections,
			ItemsPerCall:      site.Limits.ItemsPerCall,
		}}
		d.Used.ItemsPerCall = d.Limits.ItemsPerCall
		for t := range b.groups {
			d.Tags += b.counts[t][s]
			d.Partitions += len(b.groups[t][s].slots)
			for _, p := range b.groups[t][s].slots {
				d.Used.RequestsPerSecond += p.Limits.RequestsPerSecond
				d.Used.Connections += p.Limits.Connections
			}
			d.Calls += b.results[t].Calls[s]
			d.Bound += b.results[t].ServerBound[s]
		}
		d.Used.RequestsPerSecond, d.Bound = round(d.Used.RequestsPerSecond, 2), round(d.Bound, 2)
		b.sites = append(b.sites, d)
	}
}

// round rounds to so many decimals: what is written is short, and does not
// depend on how a processor fuses its multiplications.
func round(x float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(x*p) / p
}
