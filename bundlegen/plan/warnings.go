package plan

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Codes of warnings. They are stable.
const (
	WarnCadence       = "cadence"         // a run takes longer than its cadence
	WarnSingleCluster = "single-cluster"  // one cluster is cheaper and as fast
	WarnServer        = "pi-server"       // more partitions than the PI server serves
	WarnBudget        = "pi-budget"       // more partitions than the site's request budget
	WarnRateLimit     = "pi-rate-limit"   // sites together ask one server for more than it allows a client
	WarnBounds        = "partition-size"  // partitions outside the bounds
	WarnShare         = "partition-count" // tiers[].partitions cannot be met
	WarnWaves         = "waves"           // more extractions than the workspace runs at once
	WarnSpotDriver    = "spot-driver"     // a pool of spot workers gives the driver too
	WarnNodePrice     = "node-price"      // a node type that the price table does not know
	WarnPrices        = "prices"          // keys of prices that price nothing
	WarnRates         = "rates-assumed"   // tags of unknown rate
	WarnPointIDs      = "point-ids"       // tags without a point id
	WarnNoTags        = "no-tags"         // tiers and sites that no tag is of
	WarnSkew          = "skew"            // partitions have become uneven
	WarnHeavyTag      = "heavy-tag"       // a tag alone outweighs a partition
	WarnTimeout       = "task-timeout"    // a site's own timeout is too short for its extractions
)

// serverLimit is RateLimitMaxRequests, the requests a second that a PI Web API
// server allows one client address by default (reference, §2).
const serverLimit = 1000

// effect separates a piece of advice from what it brings.
const effect = " → "

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
		b.taskTimeout, b.budget, b.rateLimit, b.partitionSizes, b.partitionCount, b.skew, b.heavyTag, b.spotDriver, b.nodePrice, b.idlePrices, b.noTags, b.pointIDs, b.rates,
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
	message := fmt.Sprintf("%s takes %s, but the next is due after %s: ", b.tierWords(t, "A run", "A run of %s"), words.Span(f.Total), words.Span(interval))
	if every := int(math.Ceil(f.Total / interval)); every == 2 {
		message += "every second start is skipped."
	} else {
		message += fmt.Sprintf("%s of %s starts are skipped.", words.Count(every-1), words.Count(every))
	}
	if f.Startup > 0.4*f.Total {
		kind := "cold clusters"
		if tier.Compute.Pool || tier.Compute.Kind == ComputeServerless {
			kind = "machines"
		}
		message += fmt.Sprintf(" Starting %s takes %s of it.", kind, words.Span(f.Startup))
	}
	w := Warning{Code: WarnCadence, Message: message}
	for _, a := range b.alternatives(t) {
		w.Advice = append(w.Advice, a.change+effect+a.effect(f, interval))
	}
	return w, true
}

// period warns of loops that take longer than their period.
func (b *builder) period(t int) (Warning, bool) {
	tier, f := b.tiers[t], b.results[t]
	interval := tier.Cadence.Seconds()
	if f.Total <= interval || !tier.Continuous {
		return Warning{}, false
	}
	return Warning{Code: WarnCadence,
		Message: fmt.Sprintf("%s takes %s, and one is wanted every %s: each begins as soon as the last one ends.",
			b.tierWords(t, "A loop", "A loop of %s"), words.Span(f.Total), words.Span(interval)),
		Advice: []string{
			fmt.Sprintf("tiers.%s.every: %s%ssays what is planned", b.cfg.Tiers[t].Name, config.FormatDuration(time.Duration(math.Ceil(f.Total))*time.Second), effect),
			fmt.Sprintf("tiers.%s.partitions%smore partitions, where its PI servers bear them", b.cfg.Tiers[t].Name, effect),
		}}, true
}

// waves warns of more extractions than the workspace runs at once.
func (b *builder) waves(t int) (Warning, bool) {
	tier, most := b.tiers[t], b.cfg.Compute.MaxConcurrentTasks
	if tier.Waves < 2 {
		return Warning{}, false
	}
	advice := []string{fmt.Sprintf("compute.max_concurrent_tasks: %d%sone wave, if the workspace is allowed so many", tier.Partitions, effect)}
	if target := int(ceilTo(float64(tier.Tags)/float64(most), 100)); target <= mostTags {
		advice = append(advice, fmt.Sprintf("sizing.target_tags: %d, max_tags: %d%sone wave, with --rebalance", target, max(tier.MaxTags, target+target/5), effect))
	}
	return Warning{Code: WarnWaves,
		Message: fmt.Sprintf("%s extracts %s, and the workspace runs %s at once: they take %s, one after the other.",
			b.tierWords(t, "A run", "A run of %s"), words.Plural(tier.Partitions, "partition"), words.Plural(most, "task"), words.Plural(tier.Waves, "wave")),
		Advice: advice}, true
}

// mostTags is the largest partition that is advised: more tags than that take a
// cluster's four workers longer than the start of another cluster.
const mostTags = 20_000

// tierWords gives a phrase that names the tier where there are several.
func (b *builder) tierWords(t int, only, of string) string {
	if len(b.cfg.Tiers) == 1 {
		return only
	}
	return fmt.Sprintf(of, b.cfg.Tiers[t].Name)
}

// alternative is another way to run a tier, and what it brings.
type alternative struct {
	change string
	result forecast.Forecast
	limit  float64 // seconds to the next run
}

func (a alternative) effect(now forecast.Forecast, interval float64) string {
	text := "run " + words.Clock(a.result.Total)
	if a.result.Total > a.limit {
		text += fmt.Sprintf(", still %s too long", words.Clock(a.result.Total-a.limit))
	}
	return text + ", " + difference(a.result.CostPerMonth-now.CostPerMonth)
}

// difference words a change of the monthly cost.
func difference(usd float64) string {
	switch {
	case math.Abs(usd) < 0.5:
		return "same cost"
	case usd > 0:
		return words.Dollars(usd) + " more a month"
	}
	return words.Dollars(-usd) + " less a month"
}

// alternatives gives what could be done about a cadence that does not hold:
// what makes it hold, cheapest first; if nothing but a longer one does, also
// the fastest of the rest.
func (b *builder) alternatives(t int) []alternative {
	job, tier := b.jobs[t], b.cfg.Tiers[t]
	interval := job.Interval
	var ways []alternative
	try := func(change string, j forecast.Job) {
		ways = append(ways, alternative{change, b.model.Run(j, b.prices), interval})
	}
	single := !job.Compute.SingleCluster && !job.Compute.Serverless && len(job.Partitions) <= SingleMaxTasks
	pool := !job.Compute.Serverless && job.Compute.Pool == (config.Pool{})
	if single {
		j := job
		j.Compute.SingleCluster = true
		try("compute.single_cluster: true", j)
	}
	if pool {
		j := withPool(job)
		try(fmt.Sprintf("compute.pool.min_idle: %d", j.Compute.Pool.MinIdle), j)
	}
	if single && pool {
		j := job
		j.Compute.SingleCluster = true
		j = withPool(j)
		try(fmt.Sprintf("single_cluster: true, pool.min_idle: %d", j.Compute.Pool.MinIdle), j)
	}
	if !job.Compute.Serverless {
		j := job
		j.Compute.Serverless, j.Compute.SingleCluster, j.Compute.Pool = true, false, config.Pool{}
		try("compute.serverless: true", j)
	}
	if !job.Compute.Serverless && len(job.Partitions) <= maxLoops {
		ways = append(ways, alternative{fmt.Sprintf("tiers.%s.continuous: true", tier.Name), b.model.Loop(job, b.prices), interval})
	}
	slices.SortStableFunc(ways, func(a, b alternative) int {
		return cmp.Compare(a.result.CostPerMonth, b.result.CostPerMonth)
	})
	holds := slices.DeleteFunc(slices.Clone(ways), func(a alternative) bool { return a.result.Total > interval })
	if len(holds) == 0 && len(ways) > 0 {
		holds = []alternative{slices.MinFunc(ways, func(a, b alternative) int {
			return cmp.Compare(a.result.Total, b.result.Total)
		})}
	}
	if len(holds) > 2 {
		holds = holds[:2]
	}
	if longer, ok := b.longerCadence(job, b.results[t].Total); ok {
		j := job
		j.RunsPerMonth *= j.Interval / longer.Seconds()
		j.Interval = longer.Seconds()
		a := alternative{fmt.Sprintf("tiers.%s.every: %s", tier.Name, config.FormatDuration(longer)), b.model.Run(j, b.prices), longer.Seconds()}
		holds = append(holds, a)
	}
	return holds
}

// longerCadence gives the shortest cadence that a cron expression can say and that holds.
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

// withPool gives a job a pool that the bundle makes, with an idle machine for each that a run needs.
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
	speed := "as fast and cheaper"
	if single.Total < f.Total/b.model.AsFastWithin {
		speed = "faster and cheaper"
	}
	message := fmt.Sprintf("%s is %s than %s", b.tierWords(t, "One cluster", "For %s one cluster"), speed, words.Count(tier.Compute.Clusters+1))
	if site, useful := limited(b.model, job, f); site >= 0 {
		message += fmt.Sprintf(": the PI server limits reading, not the compute. %s is assumed to work on %s requests at once, which %s can keep busy.",
			b.cfg.Sites[site].Name, words.Number(b.model.Threads), words.Plural(useful, "partition"))
	} else {
		message += ": it starts once, where discovery and extraction on clusters of their own start two in series."
	}
	return Warning{Code: WarnSingleCluster, Message: message, Advice: []string{
		fmt.Sprintf("compute.single_cluster: true%srun %s, %s", effect, words.Clock(single.Total), difference(single.CostPerMonth-f.CostPerMonth)),
	}}, true
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
	return Warning{Code: WarnServer,
		Message: fmt.Sprintf("More than %s of %s read no faster: %s%s share its PI server, which is assumed to work on %s requests at once.",
			words.Plural(useful, "partition"), b.cfg.Sites[site].Name, words.Plural(n, "partition"), b.tierWords(t, "", " of %s"), words.Number(b.model.Threads)),
		Advice: []string{
			fmt.Sprintf("sizing.target_tags: %d, max_tags: %d%s%s", target, max(target, b.groups[t][site].rules.MaxTags), effect, "as fast with "+words.Plural(useful, "partition")),
		}}, true
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
	return Warning{Code: WarnBudget,
		Message: fmt.Sprintf("%s: more partitions (up to %s) than the site's request budget allows at once. Each gets one connection and one request/s, so together they ask for more than the budget.",
			words.List(over, 3), words.Count(worst)),
		Advice: []string{
			fmt.Sprintf("sites: limits: {connections: %d, requests_per_second: %d}%sif the PI server bears it", worst, worst, effect),
			"sizing: a higher target_tags" + effect + "fewer partitions",
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
	most := 0.0
	for host, rate := range total {
		if rate > serverLimit {
			over = append(over, host)
			most = max(most, rate)
		}
	}
	if len(over) == 0 {
		return Warning{}, false
	}
	slices.Sort(over)
	return Warning{Code: WarnRateLimit,
		Message: fmt.Sprintf("%s may be asked for %s requests/s. A PI Web API server allows one client address %s/s by default, and all clusters behind one NAT are one address.",
			words.List(over, 3), words.Number(most), words.Count(serverLimit)),
		Advice: []string{fmt.Sprintf("sites: limits: requests_per_second: 500%sleaves half of it to others", effect)}}, true
}

// partitionSizes warns of partitions outside the bounds, but for those that are
// too small because their site has too few tags, or because tiers[].partitions asks for so many.
func (b *builder) partitionSizes() (Warning, bool) {
	small, large, least, most := 0, 0, math.MaxInt, 0
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
				least, most = min(least, p.Tags), max(most, p.Tags)
				tier = b.cfg.Tiers[t].Name
			}
		}
	}
	if small+large == 0 {
		return Warning{}, false
	}
	what := fmt.Sprintf("%s below the minimum", words.Count(small))
	if large > 0 {
		what = fmt.Sprintf("%s above the maximum", words.Count(large))
		if small > 0 {
			what += fmt.Sprintf(" and %s below the minimum", words.Count(small))
		}
	}
	return Warning{Code: WarnBounds,
		Message: fmt.Sprintf("Partitions outside the bounds of sizing: %s (%s to %s, tier %s).", what, words.Count(least), words.Plural(most, "tag"), tier),
		Advice:  []string{"tiers: sizing, or tiers: partitions" + effect + "bounds and count that go together"}}, true
}

// partitionCount warns of a tiers[].partitions that its sites do not permit.
func (b *builder) partitionCount() (Warning, bool) {
	for t, tier := range b.cfg.Tiers {
		if got := b.tiers[t].Partitions; tier.Partitions > 0 && got != tier.Partitions && b.tiers[t].Tags > 0 {
			return Warning{Code: WarnShare,
				Message: fmt.Sprintf("Tier %s has %s, not %s: partitions never mix sites, and each of its %s needs one at least and no more than it has tags.",
					tier.Name, words.Plural(got, "partition"), words.Count(tier.Partitions), words.Plural(b.tiers[t].Sites, "site")),
				Advice: []string{fmt.Sprintf("tiers: partitions: %d%ssays what is planned", got, effect)}}, true
		}
	}
	return Warning{}, false
}

func (b *builder) spotDriver() (Warning, bool) {
	pool := b.cfg.Compute.Pool
	if pool.WorkerID == "" || pool.DriverID != "" {
		return Warning{}, false
	}
	return Warning{Code: WarnSpotDriver,
		Message: "Drivers come from the workers' pool. If that is a spot pool, losing a driver loses the whole attempt.",
		Advice:  []string{"compute.pool.driver_instance_pool_id" + effect + "a pool on demand for the drivers"}}, true
}

func (b *builder) nodePrice() (Warning, bool) {
	if b.cfg.Compute.Serverless {
		return Warning{}, false
	}
	cloud := b.cfg.Compute.Cloud
	for _, name := range []string{b.cfg.Compute.NodeType, b.cfg.Compute.OrchestratorType} {
		if name == "" || b.prices.Knows(cloud, name) {
			continue
		}
		message := fmt.Sprintf("The price table does not know %s: costs are those of %s", name, forecast.StandIn(cloud))
		switch near := forecast.Nearest(cloud, name); near {
		case "":
		case forecast.StandIn(cloud):
			message += ", the nearest that it knows"
		default:
			message += "; the nearest that it knows is " + near
		}
		return Warning{Code: WarnNodePrice, Message: message + ".",
			Advice: []string{fmt.Sprintf("prices: {%s/%s: USD, %s/%s/dbu: DBU}%severy hour, from your price list", cloud, name, cloud, name, effect)}}, true
	}
	return Warning{}, false
}

// idlePrices warns of a price that is given and used for nothing.
func (b *builder) idlePrices() (Warning, bool) {
	keys := b.prices.Idle()
	if len(keys) == 0 {
		return Warning{}, false
	}
	w := Warning{Code: WarnPrices, Message: fmt.Sprintf("prices: %s: the price table has no such key, and a further node type needs both CLOUD/TYPE and CLOUD/TYPE/dbu.", words.List(keys, 3))}
	for _, key := range keys[:min(3, len(keys))] {
		if near := b.prices.NearestKey(key); near != "" {
			w.Advice = append(w.Advice, fmt.Sprintf("prices: {%s: …}%sthe nearest to %s that the table has", near, effect, key))
		}
	}
	return w, true
}

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
	return Warning{Code: WarnPointIDs,
		Message: fmt.Sprintf("%s without a point id: if PI renames one, it looks like a tag removed and another added.", b.share(n)),
		Advice:  []string{"bundlegen discover" + effect + "asks the PI servers for the ids"}}, true
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
		if len(b.site(s)) == 0 {
			sites = append(sites, site.Name)
		}
	}
	var parts, advice []string
	if n := len(tiers); n > 0 {
		parts = append(parts, noTagsOf(tiers, "tier", "there is no job of it", "there are no jobs of them"))
		advice = append(advice, fmt.Sprintf("tiers.%s.match: [\"*.PV\"]%sgives it the tags without a tier that match; so does the inventory's column tier", tiers[0], effect))
	}
	if n := len(sites); n > 0 {
		parts = append(parts, noTagsOf(sites, "site", "it is not read", "they are not read"))
		advice = append(advice, "bundlegen discover"+effect+"asks the PI servers for their points")
	}
	return Warning{Code: WarnNoTags, Message: strings.Join(parts, " "), Advice: advice}, len(parts) > 0
}

// noTagsOf is the sentence about a few names of one kind.
func noTagsOf(names []string, kind, one, many string) string {
	const most = 5
	if len(names) == 1 {
		return fmt.Sprintf("No tag is of %s %s: %s.", kind, names[0], one)
	}
	shown := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		shown += " and " + words.Count(more) + " more"
	}
	return fmt.Sprintf("No tag is of the %ss %s: %s.", kind, shown, many)
}

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
	return Warning{Code: WarnRates,
		Message: fmt.Sprintf("%s of unknown rate: %s events/h each are assumed.", b.share(n), words.Number(b.model.EventsPerHour)),
		Advice:  []string{"inventory, column events_per_hour" + effect + "balance and forecast by real load"}}, true
}

// share words a part of all tags.
func (b *builder) share(n int) string {
	if n == len(b.tags) {
		return "All " + words.Plural(n, "tag")
	}
	return fmt.Sprintf("%s of %s", words.Count(n), words.Plural(len(b.tags), "tag"))
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
