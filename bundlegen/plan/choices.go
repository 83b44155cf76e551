package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
)

// Kinds of compute of a Choice, beside ComputeSeparate, ComputeSingle and ComputeServerless.
const (
	ChoiceSequential = "sequential" // one machine that asks for one tag after the other: what there is to better
	ChoicePool       = "pool"       // ComputeSeparate on machines of a warm pool
)

// Choice is one other way to run a tier's job, or the plan's own.
type Choice struct {
	Kind               string  `json:"kind"` // sequential, single, separate, pool, serverless
	Partitions         int     `json:"partitions"`
	StartupSeconds     float64 `json:"startup_seconds"`
	DiscoverSeconds    float64 `json:"discover_seconds"`
	ExtractSeconds     float64 `json:"extract_seconds"`
	ConsolidateSeconds float64 `json:"consolidate_seconds"`
	ValidateSeconds    float64 `json:"validate_seconds"`
	TotalSeconds       float64 `json:"total_seconds"`
	CostPerRun         float64 `json:"cost_per_run_usd"`
	CostPerMonth       float64 `json:"cost_per_month_usd"`
	// FreshnessSeconds is how old the newest event in the table may become: the
	// time between two runs that really start, a run, and extract.settle.
	FreshnessSeconds float64   `json:"freshness_seconds"`
	RunsPerMonth     float64   `json:"runs_per_month"` // that really start
	Limit            string    `json:"bottleneck"`     // what limits it: start-up, pi-server, partition
	Holds            bool      `json:"holds"`          // a run ends before the next is due
	Chosen           bool      `json:"chosen"`         // what the plan says
	Recommended      bool      `json:"recommended"`    // at most one of a tier's
	Change           []Setting `json:"change"`         // what pipeline.yml must say for it; empty for the plan's own and for sequential
	Warnings         []Warning `json:"warnings"`       // what an expert would hold against it; empty, not null, where there is nothing

	unfit bool // pipeline.yml cannot say it, or its partitions are out of bounds
}

// Choices returns the ways to run a tier's job: sequential, on a single cluster,
// then for each kind of compute by number of partitions. The plan's own kind has
// every number from the least that its sites permit to twice the plan's (above
// 64 in steps of about 3%), the other kinds a ladder of them. One choice is the
// plan's own, with the plan's figures; the others' partitions are modelled as
// equal shares of each site's tags, without assigning any. It is pure, and takes
// milliseconds. The error is a tier that the plan does not have.
func (p *Plan) Choices(cfg *config.Pipeline, tier string) ([]Choice, error) {
	c, err := p.chooser(cfg, tier)
	if err != nil {
		return nil, err
	}
	var all []Choice
	all = append(all, c.sequential())
	for _, kind := range []string{ComputeSingle, ComputeSeparate, ChoicePool, ComputeServerless} {
		for _, n := range c.counts(kind) {
			all = append(all, c.choice(kind, n))
		}
	}
	recommend(all, c.model.AsFastWithin)
	return all, nil
}

// chooser models a tier's job with other numbers of partitions.
type chooser struct {
	cfg    *config.Pipeline
	model  forecast.Model
	prices forecast.Prices
	tier   *Tier
	rules  config.Sizing
	kind   string // the plan's own
	first  bool

	runs   float64 // starts of the schedule a month
	sites  []forecast.Site
	tags   []int          // of the tier, by site
	weight []float64      // of the tier, by site
	webIDs []float64      // bytes that a tag takes of a URL, by site
	others []sizing.Group // of the other tiers' partitions, by site: they have a share of its budget
}

func (p *Plan) chooser(cfg *config.Pipeline, tier string) (*chooser, error) {
	t := slices.IndexFunc(p.Tiers, func(t Tier) bool { return t.Name == tier })
	in := slices.IndexFunc(cfg.Tiers, func(t config.Tier) bool { return t.Name == tier })
	if t < 0 || in < 0 {
		return nil, fmt.Errorf("tier %q has no tag, or is none of %s", tier, cfg.File)
	}
	n := len(cfg.Sites)
	c := &chooser{
		cfg: cfg, model: forecast.New(p.Assumed.Constants), prices: forecast.NewPrices(cfg.Prices), tier: &p.Tiers[t], first: in == 0,
		rules: sizing.ForTier(cfg.Sizing, cfg.Tiers[in]), kind: kindOf(p.Tiers[t].Compute),
		tags: make([]int, n), weight: make([]float64, n), webIDs: make([]float64, n), others: make([]sizing.Group, n),
	}
	c.runs = scheduled(c.model, p.Tiers[t])
	for s, site := range cfg.Sites {
		for i := range p.Partitions {
			switch part := &p.Partitions[i]; {
			case part.Site != site.Name:
			case part.Tier == tier:
				c.tags[s] += part.Tags
				c.weight[s] += part.Weight
				c.webIDs[s] = max(c.webIDs[s], part.webIDs)
			default:
				c.others[s].Partitions++
				c.others[s].Tags += part.Tags
			}
		}
		c.sites = append(
			c.sites,
			forecast.Site{Tags: c.tags[s], Connections: site.Limits.Connections, RequestsPerSecond: site.Limits.RequestsPerSecond},
		)
	}
	return c, nil
}

// kindOf returns the kind of choice that a tier's compute is.
func kindOf(c Compute) string {
	if c.Kind == ComputeSeparate && c.Pool {
		return ChoicePool
	}
	return c.Kind
}

// scheduled returns the starts of a tier's schedule in a month.
func scheduled(m forecast.Model, t Tier) float64 {
	if t.Every > 0 {
		return m.HoursPerMonth * 3600 / t.Every.Seconds()
	}
	return config.StartsPerMonth(t.Cron)
}

// ladder is the numbers of partitions that every kind of compute is tried with.
var ladder = []int{1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120}

// everyCount is up to where the plan's own kind has each number of partitions.
const everyCount = 64

// counts returns the numbers of partitions that a kind is tried with, in order.
func (c *chooser) counts(kind string) []int {
	own := c.tier.Partitions
	fewest, most := 0, 0
	for _, n := range c.tags {
		fewest += min(n, 1)
		most += n
	}
	top := min(most, max(2*own, 10))
	list := []int{own}
	switch kind {
	case c.kind:
		for n := fewest; n <= top; n += max(1, n/everyCount*2) {
			list = append(list, n)
		}
		list = append(list, top)
	case ComputeSingle:
		return list
	}
	for _, n := range ladder {
		if n >= fewest && n <= top {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (c *chooser) sequential() Choice {
	job := c.job(ComputeSingle, c.tier.Partitions)
	return c.describe(ChoiceSequential, job, c.model.Sequential(job, c.prices))
}

func (c *chooser) choice(kind string, n int) Choice {
	job := c.job(kind, n)
	return c.describe(kind, job, c.model.Run(job, c.prices))
}

// job is the tier's job on a kind of compute, in n partitions of equal shares of their sites.
func (c *chooser) job(kind string, n int) forecast.Job {
	total := 0
	for _, tags := range c.tags {
		total += tags
	}
	job := forecast.Job{
		Compute:       c.compute(kind),
		Sites:         c.sites,
		Interval:      c.tier.Cadence.Seconds(),
		MaxWindow:     c.cfg.Extract.MaxWindow.Seconds(),
		RunsPerMonth:  c.runs,
		SingleWorkers: sizing.Workers(total, c.rules.TagsPerWorker),
		First:         c.first,
	}
	for s, shares := range sizing.Share(n, c.tags, make([]int, len(c.tags)), c.rules.MaxTags) {
		if shares == 0 {
			continue
		}
		limits := sizing.Divide(c.cfg.Sites[s].Limits, []sizing.Group{{Partitions: shares, Tags: c.tags[s]}, c.others[s]})[0]
		for i := range shares {
			tags := c.tags[s]*(i+1)/shares - c.tags[s]*i/shares
			job.Partitions = append(job.Partitions, forecast.Partition{
				Site: s, Tags: tags, EventsPerHour: c.weight[s] * float64(tags) / float64(c.tags[s]),
				Workers: sizing.Workers(tags, c.rules.TagsPerWorker), Shards: sizing.Shards(tags, c.rules.TagsPerWorker),
				Connections: limits[i].Connections, RequestsPerSecond: limits[i].RequestsPerSecond, ItemsPerCall: limits[i].ItemsPerCall,
				WebIDBytes: c.webIDs[s],
			})
		}
	}
	if kind == ChoicePool && c.kind != ChoicePool {
		job = withPool(job)
	}
	return job
}

// compute returns pipeline.yml's compute turned into another kind.
func (c *chooser) compute(kind string) config.Compute {
	compute := c.cfg.Compute
	if kind == c.kind {
		return compute
	}
	compute.SingleCluster, compute.Serverless, compute.Pool = kind == ComputeSingle, kind == ComputeServerless, config.Pool{}
	return compute
}

func (c *chooser) describe(kind string, job forecast.Job, f forecast.Forecast) Choice {
	d := describe(f, forecast.Forecast{}, job.Interval)
	chosen := kind == c.kind && len(job.Partitions) == c.tier.Partitions
	if chosen {
		d = c.tier.Forecast // of the tags as they are really assigned
	}
	choice := Choice{
		Kind: kind, Partitions: len(job.Partitions),
		StartupSeconds: d.StartupSeconds, DiscoverSeconds: d.DiscoverSeconds, ExtractSeconds: d.ExtractSeconds,
		ConsolidateSeconds: d.ConsolidateSeconds, ValidateSeconds: d.ValidateSeconds, TotalSeconds: d.TotalSeconds,
		CostPerRun: d.CostPerRun, CostPerMonth: d.CostPerMonth, RunsPerMonth: d.RunsPerMonth, Limit: d.Bottleneck,
		Holds: d.TotalSeconds <= job.Interval, Chosen: chosen,
		Change: c.change(kind, job), Warnings: c.warnings(kind, job, f), unfit: c.unfit(kind, job),
	}
	if kind == ChoiceSequential {
		choice.Partitions = 1
	}
	skips := max(1, math.Ceil(d.TotalSeconds/job.Interval))
	choice.FreshnessSeconds = round(skips*job.Interval+d.TotalSeconds+c.cfg.Extract.Settle.Seconds(), 2)
	return choice
}

// change returns what pipeline.yml must say for a choice.
func (c *chooser) change(kind string, job forecast.Job) []Setting {
	settings := []Setting{}
	if kind != c.kind {
		switch kind {
		case ChoiceSequential:
			return settings
		case ComputeSingle:
			settings = append(settings, Setting{Key: "compute.single_cluster", Value: "true"})
		case ComputeServerless:
			settings = append(settings, Setting{Key: "compute.serverless", Value: "true"})
		case ChoicePool:
			settings = append(settings, Setting{Key: "compute.pool.min_idle", Value: strconv.Itoa(job.Compute.Pool.MinIdle)})
		case ComputeSeparate:
			own := map[string]string{ComputeSingle: "single_cluster", ComputeServerless: "serverless", ChoicePool: "pool"}[c.kind]
			settings = append(settings, Setting{Key: "compute." + own, Without: true})
		}
	}
	if n := len(job.Partitions); n != c.tier.Partitions {
		settings = append(settings, Setting{Key: "tiers." + c.tier.Name + ".partitions", Value: strconv.Itoa(n)})
	}
	return settings
}

// Ladder reports whether a number of partitions is one that every kind of compute is tried with.
func Ladder(partitions int) bool { return slices.Contains(ladder, partitions) }

// unfit reports whether a choice is no more than a comparison.
func (c *chooser) unfit(kind string, job forecast.Job) bool {
	tooLarge := slices.ContainsFunc(job.Partitions, func(p forecast.Partition) bool { return p.Tags > c.rules.MaxTags })
	return kind == ChoiceSequential || kind == ComputeSingle && len(job.Partitions) > SingleMaxTasks ||
		tooLarge && len(job.Partitions) != c.tier.Partitions
}

// warnings returns what an expert would hold against a choice.
func (c *chooser) warnings(kind string, job forecast.Job, f forecast.Forecast) []Warning {
	list := []Warning{}
	add := func(code string, figures Figures, sites ...string) {
		list = append(list, Warning{Code: code, Sites: sites, Figures: figures})
	}
	if f.Total > job.Interval {
		add(WarnCadence, Figures{Seconds: round(f.Total, 2), AllowedSeconds: job.Interval})
	}
	if kind == ChoiceSequential {
		return list
	}
	smallest, largest := math.MaxInt, 0
	partitions := make([]int, len(job.Sites))
	for _, p := range job.Partitions {
		smallest, largest = min(smallest, p.Tags), max(largest, p.Tags)
		partitions[p.Site]++
	}
	if largest > c.rules.MaxTags {
		add(WarnBounds, Figures{MaxTags: largest, AllowedTags: c.rules.MaxTags})
	}
	if smallest < c.rules.MinTags && len(job.Partitions) > len(c.sites) {
		add(WarnBounds, Figures{MinTags: smallest, AllowedTags: c.rules.MinTags})
	}
	for s, n := range partitions {
		if site := c.cfg.Sites[s]; sizing.Exceeds(site.Limits, n+c.others[s].Partitions) {
			add(WarnBudget, Figures{Partitions: n + c.others[s].Partitions}, site.Name)
			break
		}
	}
	if site, useful := limited(c.model, job, f); site >= 0 && f.Bottleneck == forecast.LimitServer && partitions[site] > useful {
		add(WarnServer, Figures{Partitions: partitions[site], UsefulPartitions: useful}, c.cfg.Sites[site].Name)
	}
	if kind == ComputeSingle && len(job.Partitions) > SingleMaxTasks {
		add(WarnTasks, Figures{Partitions: len(job.Partitions), Tasks: SingleMaxTasks})
	}
	return list
}

// recommend marks the choice that an expert would take: of those that hold the
// cadence the cheapest, and of several that cost about the same the fastest,
// then the one with the fewest partitions. Where none holds the cadence, it is
// the one whose table is the freshest.
func recommend(all []Choice, about float64) {
	candidates := slices.DeleteFunc(pointers(all), func(c *Choice) bool { return c.unfit })
	if len(candidates) == 0 {
		return
	}
	holding := slices.DeleteFunc(slices.Clone(candidates), func(c *Choice) bool { return !c.Holds })
	if len(holding) == 0 {
		best := slices.MinFunc(candidates, func(a, b *Choice) int {
			return cmp.Or(cmp.Compare(a.FreshnessSeconds, b.FreshnessSeconds), cmp.Compare(a.CostPerMonth, b.CostPerMonth))
		})
		best.Recommended = true
		return
	}
	cheapest := slices.MinFunc(holding, func(a, b *Choice) int { return cmp.Compare(a.CostPerMonth, b.CostPerMonth) })
	best := slices.MinFunc(holding, func(a, b *Choice) int {
		dear := func(c *Choice) int {
			if c.CostPerMonth > about*cheapest.CostPerMonth {
				return 1
			}
			return 0
		}
		return cmp.Or(dear(a)-dear(b), cmp.Compare(a.TotalSeconds, b.TotalSeconds), a.Partitions-b.Partitions)
	})
	best.Recommended = true
}

func pointers(all []Choice) []*Choice {
	out := make([]*Choice, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}
