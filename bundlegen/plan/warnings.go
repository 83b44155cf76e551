package plan

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
	"github.com/bundlegen/bundlegen/internal/duration"
)

// serverLimit is RateLimitMaxRequests, the requests a second that a PI Web API
// server allows one client address by default (reference, §2).
const serverLimit = 1000

// warnings lists what an expert would point at, the most important first.
func (b *builder) warnings() []Warning {
	all := []Warning{} // an empty list in JSON, not null
	for t := range b.cfg.Tiers {
		if len(b.jobs[t].Partitions) == 0 {
			continue
		}
		if w, ok := b.cadence(t); ok {
			all = append(all, w)
		} else if w, ok := b.period(t); ok {
			all = append(all, w)
		}
		if w, ok := b.waves(t); ok {
			all = append(all, w)
		}
		if w, ok := b.singleCluster(t); ok {
			all = append(all, w)
		} else if w, ok := b.server(t); ok {
			all = append(all, w)
		}
	}
	for _, check := range []func() (Warning, bool){
		b.taskTimeout, b.budget, b.rateLimit, b.partitionSizes, b.partitionCount, b.skew, b.heavyTag, b.spotDriver, b.nodePrice,
		b.idlePrices, b.noTags, b.pointIDs, b.rates,
	} {
		if w, ok := check(); ok {
			all = append(all, w)
		}
	}
	return all
}

// cadence warns of a run that takes longer than the time to the next.
func (b *builder) cadence(t int) (Warning, bool) {
	tier, f := b.tiers[t], b.results[t]
	interval := tier.Cadence.Seconds()
	if f.Total <= interval || tier.Continuous {
		return Warning{}, false
	}
	return Warning{
		Code:  WarnCadence,
		Tiers: []string{tier.Name},
		Figures: Figures{
			Seconds:        round(f.Total, 2),
			AllowedSeconds: interval,
			StartupSeconds: round(f.Startup, 2),
		},
		Advice: b.alternatives(t),
	}, true
}

// period warns of loops that take longer than their period.
func (b *builder) period(t int) (Warning, bool) {
	tier, f := b.tiers[t], b.results[t]
	interval := tier.Cadence.Seconds()
	if f.Total <= interval || !tier.Continuous {
		return Warning{}, false
	}
	return Warning{Code: WarnCadence, Tiers: []string{tier.Name}, Figures: Figures{Seconds: round(f.Total, 2), AllowedSeconds: interval},
		Advice: []Advice{
			set(Effect{Kind: EffectPlanned}, "tiers."+tier.Name+".every", duration.Format(time.Duration(math.Ceil(f.Total))*time.Second)),
			set(Effect{Kind: EffectMorePartitions}, "tiers."+tier.Name+".partitions", ""),
		}}, true
}

// waves warns of more extractions than the workspace runs at once.
func (b *builder) waves(t int) (Warning, bool) {
	tier, atOnce := b.tiers[t], b.cfg.Compute.MaxConcurrentTasks
	if tier.Waves < 2 {
		return Warning{}, false
	}
	advice := []Advice{set(Effect{Kind: EffectOneWave}, "compute.max_concurrent_tasks", strconv.Itoa(tier.Partitions))}
	if target := int(ceilTo(float64(tier.Tags)/float64(atOnce), 100)); target <= maxTags {
		advice = append(advice, set(Effect{Kind: EffectOneWaveAnew},
			"sizing.target_tags", strconv.Itoa(target), "sizing.max_tags", strconv.Itoa(max(tier.MaxTags, target+target/5))))
	}
	return Warning{
		Code:    WarnWaves,
		Tiers:   []string{tier.Name},
		Figures: Figures{Partitions: tier.Partitions, Tasks: atOnce, Waves: tier.Waves},
		Advice:  advice,
	}, true
}

// maxTags is the largest partition that is advised: more tags than that take a
// cluster's four workers longer than the start of another cluster.
const maxTags = 20_000

// effectOf returns how a run's time and a month's cost change; the run takes so many seconds now.
func effectOf(now, then forecast.Forecast, interval float64) Effect {
	return Effect{
		Kind:         EffectRun,
		Seconds:      round(then.Total, 2),
		LateSeconds:  round(max(0, then.Total-interval), 2),
		CostPerMonth: round(then.CostPerMonth-now.CostPerMonth, 2),
	}
}

// alternative is another way to run a tier.
type alternative struct {
	settings []string // keys and values
	result   forecast.Forecast
	interval float64 // seconds to the next run
}

// alternatives returns what could be done about a cadence that does not hold:
// what makes it hold, cheapest first; if nothing but a longer one does, also
// the fastest of the rest.
func (b *builder) alternatives(t int) []Advice {
	job, tier, now := b.jobs[t], b.cfg.Tiers[t], b.results[t]
	var ways []alternative
	try := func(j forecast.Job, settings ...string) {
		ways = append(ways, alternative{settings, b.model.Run(j, b.prices), job.Interval})
	}
	single := !job.Compute.SingleCluster && !job.Compute.Serverless && len(job.Partitions) <= SingleMaxTasks
	pool := !job.Compute.Serverless && job.Compute.Pool == (config.Pool{})
	if single {
		j := job
		j.Compute.SingleCluster = true
		try(j, "compute.single_cluster", "true")
	}
	if pool {
		j := withPool(job)
		try(j, "compute.pool.min_idle", strconv.Itoa(j.Compute.Pool.MinIdle))
	}
	if single && pool {
		j := job
		j.Compute.SingleCluster = true
		j = withPool(j)
		try(j, "compute.single_cluster", "true", "compute.pool.min_idle", strconv.Itoa(j.Compute.Pool.MinIdle))
	}
	if !job.Compute.Serverless {
		j := job
		j.Compute.Serverless, j.Compute.SingleCluster, j.Compute.Pool = true, false, config.Pool{}
		try(j, "compute.serverless", "true")
	}
	if !job.Compute.Serverless && len(job.Partitions) <= MaxTasks {
		ways = append(ways, alternative{[]string{"tiers." + tier.Name + ".continuous", "true"}, b.model.Loop(job, b.prices), job.Interval})
	}
	slices.SortStableFunc(ways, func(a, b alternative) int { return cmp.Compare(a.result.CostPerMonth, b.result.CostPerMonth) })
	holds := slices.DeleteFunc(slices.Clone(ways), func(a alternative) bool { return a.result.Total > job.Interval })
	if len(holds) == 0 && len(ways) > 0 {
		holds = []alternative{slices.MinFunc(ways, func(a, b alternative) int { return cmp.Compare(a.result.Total, b.result.Total) })}
	}
	holds = holds[:min(2, len(holds))]
	if longer, ok := b.longerCadence(job, now.Total); ok {
		j := job
		j.RunsPerMonth *= j.Interval / longer.Seconds()
		j.Interval = longer.Seconds()
		holds = append(
			holds,
			alternative{[]string{"tiers." + tier.Name + ".every", duration.Format(longer)}, b.model.Run(j, b.prices), longer.Seconds()},
		)
	}
	var advice []Advice
	for _, a := range holds {
		advice = append(advice, set(effectOf(now, a.result, a.interval), a.settings...))
	}
	return advice
}

// longerCadence returns the shortest cadence that a cron expression can say and that holds.
func (b *builder) longerCadence(job forecast.Job, total float64) (time.Duration, bool) {
	for range 8 {
		_, longer := config.NearestEvery(time.Duration(math.Ceil(total)) * time.Second)
		if longer == 0 {
			return 0, false
		}
		j := job
		j.Interval = longer.Seconds()
		// More events come in during a longer cadence, so the run is longer too.
		if f := b.model.Run(j, b.prices); f.Total > longer.Seconds() {
			total = f.Total
			continue
		}
		return longer, true
	}
	return 0, false
}

// withPool returns a job a pool that the bundle makes, with an idle machine for each that a run needs.
func withPool(j forecast.Job) forecast.Job {
	j.Compute.Pool = config.Pool{MinIdle: j.Idle()}
	j.First = true // the idle machines are paid, whichever tier asks for them
	return j
}

// singleCluster warns of load balancing that brings nothing.
func (b *builder) singleCluster(t int) (Warning, bool) {
	job, f, tier := b.jobs[t], b.results[t], b.tiers[t]
	if tier.Compute.Kind != ComputeSeparate || tier.Continuous || len(job.Partitions) > SingleMaxTasks {
		return Warning{}, false
	}
	single := b.model.Single(job, b.prices)
	if single.Total > f.Total*b.model.AsFastWithin || single.CostPerRun >= f.CostPerRun {
		return Warning{}, false
	}
	w := Warning{Code: WarnSingleCluster, Tiers: []string{tier.Name}, Figures: Figures{Faster: single.Total < f.Total/b.model.AsFastWithin},
		Advice: []Advice{set(effectOf(f, single, math.Inf(1)), "compute.single_cluster", "true")}}
	if site, useful := limited(b.model, job, f); site >= 0 {
		w.Sites = []string{b.cfg.Sites[site].Name}
		w.Figures.RequestsAtOnce, w.Figures.UsefulPartitions = b.model.Threads, useful
	}
	return w, true
}

// limited finds the site whose PI server is what limits a job's reading most,
// and how many of its partitions would be as fast; -1 if none is.
func limited(m forecast.Model, job forecast.Job, f forecast.Forecast) (site, useful int) {
	site = -1
	connections := make([]int, len(job.Sites))
	partitions := make([]int, len(job.Sites))
	for _, p := range job.Partitions {
		connections[p.Site] += p.Connections
		partitions[p.Site]++
	}
	for s := range job.Sites {
		if partitions[s] < 2 || float64(connections[s]) <= m.Threads {
			continue
		}
		if site < 0 || f.ServerBound[s] > f.ServerBound[site] {
			site = s
			each := float64(connections[s]) / float64(partitions[s])
			useful = min(partitions[s]-1, int(math.Ceil(m.Threads/each)))
		}
	}
	return site, useful
}

// server warns of more partitions than the PI server serves.
func (b *builder) server(t int) (Warning, bool) {
	site, useful := limited(b.model, b.jobs[t], b.results[t])
	if site < 0 || b.results[t].Bottleneck != forecast.LimitServer {
		return Warning{}, false
	}
	n := len(b.groups[t][site].slots)
	target := int(ceilTo(float64(b.counts[t][site])/float64(max(1, useful)), 100))
	return Warning{Code: WarnServer, Tiers: []string{b.tiers[t].Name}, Sites: []string{b.cfg.Sites[site].Name},
		Figures: Figures{Partitions: n, UsefulPartitions: useful, RequestsAtOnce: b.model.Threads},
		Advice: []Advice{set(Effect{Kind: EffectAsFast, Partitions: useful},
			"sizing.target_tags", strconv.Itoa(target), "sizing.max_tags", strconv.Itoa(max(target, b.groups[t][site].rules.MaxTags)))}}, true
}

// budget warns of sites with more partitions than connections or requests a second.
func (b *builder) budget() (Warning, bool) {
	var over []string
	worst := 0
	for s, site := range b.cfg.Sites {
		if sizing.Exceeds(site.Limits, b.sites[s].Partitions) {
			over = append(over, site.Name)
			worst = max(worst, b.sites[s].Partitions)
		}
	}
	if len(over) == 0 {
		return Warning{}, false
	}
	return Warning{Code: WarnBudget, Sites: over, Figures: Figures{Partitions: worst},
		Advice: []Advice{
			set(
				Effect{Kind: EffectLargerBudget},
				"sites.limits.connections",
				strconv.Itoa(worst),
				"sites.limits.requests_per_second",
				strconv.Itoa(worst),
			),
			set(Effect{Kind: EffectFewerPartitions}, "sizing.target_tags", ""),
		}}, true
}

// rateLimit warns of a PI server that refuses what its sites' budgets add up to.
func (b *builder) rateLimit() (Warning, bool) {
	total := map[string]float64{}
	for _, site := range b.cfg.Sites {
		if u, err := url.Parse(site.URL); err == nil {
			total[u.Host] += site.Limits.RequestsPerSecond
		}
	}
	var over []string
	largest := 0.0
	for host, rate := range total {
		if rate > serverLimit {
			over = append(over, host)
			largest = max(largest, rate)
		}
	}
	if len(over) == 0 {
		return Warning{}, false
	}
	slices.Sort(over)
	return Warning{Code: WarnRateLimit, Names: over, Figures: Figures{RequestsPerSecond: largest, AllowedPerSecond: serverLimit},
		Advice: []Advice{set(Effect{Kind: EffectRoom}, "sites.limits.requests_per_second", strconv.Itoa(serverLimit/2))}}, true
}

// partitionSizes warns of partitions outside the bounds, but for those that are
// too small because their site has too few tags, or because tiers[].partitions asks for so many.
func (b *builder) partitionSizes() (Warning, bool) {
	small, large, smallest, largest := 0, 0, math.MaxInt, 0
	tier := ""
	for t := range b.groups {
		for s := range b.groups[t] {
			c := &b.groups[t][s]
			for _, p := range c.slots {
				switch {
				case p.Tags > c.rules.MaxTags:
					large++
				case p.Tags < c.rules.MinTags && len(c.slots) > 1 && b.cfg.Tiers[t].Partitions == 0:
					small++
				default:
					continue
				}
				smallest, largest = min(smallest, p.Tags), max(largest, p.Tags)
				tier = b.cfg.Tiers[t].Name
			}
		}
	}
	if small+large == 0 {
		return Warning{}, false
	}
	return Warning{
		Code:    WarnBounds,
		Tiers:   []string{tier},
		Figures: Figures{TooSmall: small, TooLarge: large, MinTags: smallest, MaxTags: largest},
		Advice:  []Advice{set(Effect{Kind: EffectConsistent}, "tiers."+tier+".sizing", "", "tiers."+tier+".partitions", "")},
	}, true
}

// partitionCount warns of a tiers[].partitions that its sites do not permit.
func (b *builder) partitionCount() (Warning, bool) {
	for t, tier := range b.cfg.Tiers {
		if got := b.tiers[t].Partitions; tier.Partitions > 0 && got != tier.Partitions && b.tiers[t].Tags > 0 {
			return Warning{Code: WarnShare, Tiers: []string{tier.Name},
				Figures: Figures{Partitions: got, WantedPartitions: tier.Partitions, Sites: b.tiers[t].Sites},
				Advice:  []Advice{set(Effect{Kind: EffectPlanned}, "tiers."+tier.Name+".partitions", strconv.Itoa(got))}}, true
		}
	}
	return Warning{}, false
}

func (b *builder) spotDriver() (Warning, bool) {
	pool := b.cfg.Compute.Pool
	if pool.WorkerID == "" || pool.DriverID != "" {
		return Warning{}, false
	}
	return Warning{
		Code:   WarnSpotDriver,
		Advice: []Advice{set(Effect{Kind: EffectDriverPool}, "compute.pool.driver_instance_pool_id", "")},
	}, true
}

// nodePrice warns of a node type whose price is not known.
func (b *builder) nodePrice() (Warning, bool) {
	if b.cfg.Compute.Serverless {
		return Warning{}, false
	}
	cloud := b.cfg.Compute.Cloud
	for _, name := range []string{b.cfg.Compute.NodeType, b.cfg.Compute.OrchestratorType} {
		if name == "" || b.prices.Knows(cloud, name) {
			continue
		}
		w := Warning{
			Code:    WarnNodePrice,
			Names:   []string{name},
			Figures: Figures{StandIn: forecast.StandIn(cloud), Nearest: forecast.Nearest(cloud, name)},
		}
		key := "prices." + cloud + "/" + name
		w.Advice = []Advice{set(Effect{Kind: EffectOwnPrice}, key, "<USD an hour>", key+"/dbu", "<DBU an hour>")}
		return w, true
	}
	return Warning{}, false
}

// idlePrices warns of a price that is given and used for nothing.
func (b *builder) idlePrices() (Warning, bool) {
	keys := b.prices.Idle()
	if len(keys) == 0 {
		return Warning{}, false
	}
	w := Warning{Code: WarnPrices, Names: keys}
	for _, key := range keys[:min(3, len(keys))] {
		if near := b.prices.NearestKey(key); near != "" {
			w.Advice = append(w.Advice, set(Effect{Kind: EffectNearestKey, Of: key}, "prices."+near, ""))
		}
	}
	return w, true
}

// pointIDs warns of tags without a point id.
func (b *builder) pointIDs() (Warning, bool) {
	n := 0
	for i := range b.tags {
		if b.tags[i].PointID == 0 {
			n++
		}
	}
	if n == 0 {
		return Warning{}, false
	}
	return Warning{
		Code:    WarnPointIDs,
		Figures: Figures{Tags: n, AllTags: len(b.tags)},
		Advice:  []Advice{run("bundlegen discover", EffectPointIDs)},
	}, true
}

// noTags warns of tiers and sites that no tag is of: nothing is made of them.
func (b *builder) noTags() (Warning, bool) {
	var tiers, sites []string
	for t, tier := range b.cfg.Tiers {
		if slices.Max(b.counts[t]) == 0 {
			tiers = append(tiers, tier.Name)
		}
	}
	for s, site := range b.cfg.Sites {
		if tags, _ := b.site(s); len(tags) == 0 {
			sites = append(sites, site.Name)
		}
	}
	w := Warning{Code: WarnNoTags, Tiers: tiers, Sites: sites}
	if len(tiers) > 0 {
		w.Advice = append(w.Advice, set(Effect{Kind: EffectMatch}, "tiers."+tiers[0]+".match", `["*.PV"]`))
	}
	if len(sites) > 0 {
		w.Advice = append(w.Advice, run("bundlegen discover", EffectPoints))
	}
	return w, len(w.Advice) > 0
}

// rates warns of tags of unknown rate.
func (b *builder) rates() (Warning, bool) {
	n := 0
	for t := range b.groups {
		for s := range b.groups[t] {
			n += b.groups[t][s].unknown
		}
	}
	if n == 0 {
		return Warning{}, false
	}
	return Warning{Code: WarnRates, Figures: Figures{Tags: n, AllTags: len(b.tags), EventsPerHour: b.model.EventsPerHour},
		Advice: []Advice{fill("events_per_hour", EffectRealLoad)}}, true
}

// assumed lists the constants and prices that the forecasts rest on.
func (b *builder) assumed() Assumed {
	c := b.cfg.Compute
	a := Assumed{Constants: b.constants}
	if b.opt.Calibration != nil {
		a.Calibration = b.opt.Calibration.File
	}
	wanted := []string{"jobs", "serverless", "serverless/task", "photon", "spot",
		c.NodeType, c.NodeType + "/dbu", c.OrchestratorType, c.OrchestratorType + "/dbu"}
	for _, p := range b.prices.All() {
		if slices.ContainsFunc(wanted, func(what string) bool { return p.Key == c.Cloud+"/"+what }) {
			a.Prices = append(a.Prices, p)
		}
	}
	return a
}
