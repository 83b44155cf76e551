package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/duration"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// makeTiers forecasts each tier's job and describes it.
func (b *builder) makeTiers() error {
	for t, tier := range b.cfg.Tiers {
		cron, cadence, runs, err := b.schedule(tier)
		if err != nil {
			return err
		}
		job, parts := b.job(t, cadence, runs)
		if b.cfg.Compute.SingleCluster && len(job.Partitions) > SingleMaxTasks {
			return diag.WithHint(
				fmt.Errorf(
					"%s: compute.single_cluster: tier %s has %d partitions; allowed: at most %d tasks on one cluster",
					b.cfg.File,
					tier.Name,
					len(job.Partitions),
					SingleMaxTasks,
				),
				"raise sizing.target_tags and sizing.max_tags, or leave out single_cluster",
			)
		}
		if tier.Continuous && len(parts) > MaxTasks {
			return diag.WithHint(
				fmt.Errorf(
					"%s: tier %s has %d partitions; allowed: at most %s in a continuous tier, whose job runs no others",
					b.cfg.File,
					tier.Name,
					len(parts),
					words.Count(MaxTasks),
				),
				"raise sizing.target_tags and sizing.max_tags, or leave continuous out",
			)
		}
		f, single := b.model.Run(job, b.prices), b.model.Single(job, b.prices)
		if tier.Continuous {
			f = b.model.Loop(job, b.prices)
			single = f // there is no start-up that one cluster would save
		}
		for i, p := range parts {
			p.Seconds = round(f.Partitions[i], 2)
			p.TimeoutSecs = b.model.TimeoutSeconds(f.Partitions[i])
			if own := b.cfg.Sites[job.Partitions[i].Site].Task.Timeout; own > 0 {
				p.TimeoutSecs = int(own.Seconds())
			}
			if tier.Continuous {
				p.TimeoutSecs = LoopSeconds + loopSlack
			}
		}
		b.jobs = append(b.jobs, job)
		b.results = append(b.results, f)
		d := Tier{
			Name:       tier.Name,
			JobKey:     jobKey(b.cfg, t),
			Every:      tier.Every,
			Cron:       cron,
			Continuous: tier.Continuous,
			Cadence:    cadence,
			Partitions: len(parts),
			Waves:      job.Waves(),
			Compute:    b.compute(job, parts),
			Forecast:   describe(f, single, cadence.Seconds()),
			FirstRun:   b.firstRun(tier, job, parts),
		}
		rules := sizing.ForTier(b.cfg.Sizing, tier)
		d.MinTags, d.MaxTags = rules.MinTags, rules.MaxTags
		for _, n := range b.counts[t] {
			d.Tags += n
			if n > 0 {
				d.Sites++
			}
		}
		b.tiers = append(b.tiers, d)
	}
	return nil
}

// firstRun forecasts a run of a tier's job that finds nothing landed.
func (b *builder) firstRun(tier config.Tier, job forecast.Job, parts []*Partition) FirstRun {
	back := b.cfg.Extract.Backfill.Seconds()
	f := b.model.First(job, b.prices, back, tier.Continuous)
	first := FirstRun{BackSeconds: back, Events: round(f.Events, 0), Seconds: round(f.Total, 2), Runs: 1, CostUSD: round(f.CostPerRun, 4)}
	for i, p := range parts {
		timeout := float64(p.TimeoutSecs)
		left := max(1, manifest.LastStart*timeout)
		if runs := int(math.Ceil(f.Partitions[i] / left)); runs > first.Runs || first.TimeoutSeconds == 0 {
			first.Runs, first.TimeoutSeconds = max(first.Runs, runs), p.TimeoutSecs
		}
	}
	return first
}

// jobKey names a tier's job: the first is the orchestrator.
func jobKey(cfg *config.Pipeline, tier int) string {
	key := cfg.Name + "_orchestrator"
	if tier > 0 {
		key += "_" + cfg.Tiers[tier].Name
	}
	return key
}

// schedule returns a tier's Quartz expression, the least time between two starts
// and the starts in a month.
func (b *builder) schedule(tier config.Tier) (cron string, cadence time.Duration, runs float64, err error) {
	month := time.Duration(b.model.HoursPerMonth * float64(time.Hour))
	if tier.Cron != "" {
		cadence = config.CadenceOf(tier.Cron)
		if cadence <= 0 {
			return "", 0, 0, diag.WithHint(fmt.Errorf("%s: tier %s: %q is not a Quartz expression", b.cfg.File, tier.Name, tier.Cron),
				"seconds minutes hours day-of-month month day-of-week, such as 0 0/5 * * * ?")
		}
		return tier.Cron, cadence, config.StartsPerMonth(tier.Cron), nil
	}
	if tier.Continuous {
		return "", tier.Every, float64(month) / float64(tier.Every), nil
	}
	cron, ok := config.CronOf(tier.Every)
	if !ok {
		return "", 0, 0, diag.WithHint(
			fmt.Errorf("%s: tier %s: every: %s divides neither a minute, an hour nor a day", b.cfg.File, tier.Name, duration.Format(tier.Every)),
			"write for instance 5m, 15m, 1h or 6h, or a cron expression",
		)
	}
	return cron, tier.Every, float64(month) / float64(tier.Every), nil
}

// job describes a tier to the forecast, and lists its partitions in the same order.
func (b *builder) job(t int, cadence time.Duration, runs float64) (forecast.Job, []*Partition) {
	tags := 0
	for _, n := range b.counts[t] {
		tags += n
	}
	rules := sizing.ForTier(b.cfg.Sizing, b.cfg.Tiers[t])
	job := forecast.Job{
		Compute:       b.cfg.Compute,
		Interval:      cadence.Seconds(),
		MaxWindow:     b.cfg.Extract.MaxWindow.Seconds(),
		RunsPerMonth:  runs,
		SingleWorkers: sizing.Workers(tags, rules.TagsPerWorker),
		First:         t == b.firstTier(),
	}
	var parts []*Partition
	for s, site := range b.cfg.Sites {
		job.Sites = append(job.Sites, forecast.Site{
			Tags:              b.counts[t][s],
			Connections:       site.Limits.Connections,
			RequestsPerSecond: site.Limits.RequestsPerSecond,
		})
		slots := b.groups[t][s].slots
		for i := range slots {
			p := &slots[i]
			job.Partitions = append(job.Partitions, forecast.Partition{
				Site:              s,
				Tags:              p.Tags,
				EventsPerHour:     p.Weight,
				Workers:           p.Workers,
				Shards:            p.Shards,
				Connections:       p.Limits.Connections,
				RequestsPerSecond: p.Limits.RequestsPerSecond,
				ItemsPerCall:      p.Limits.ItemsPerCall,
				WebIDBytes:        p.webIDs,
			})
			parts = append(parts, p)
		}
	}
	return job, parts
}

// compute sums up what a run runs on, and gives a shared cluster's size to its partitions.
func (b *builder) compute(job forecast.Job, parts []*Partition) Compute {
	c := Compute{Kind: ComputeSeparate, Pool: b.cfg.Compute.Pool != (config.Pool{})}
	switch {
	case b.cfg.Compute.Serverless:
		return Compute{Kind: ComputeServerless}
	case len(parts) == 0:
		return c
	case b.cfg.Compute.SingleCluster:
		n := job.SingleWorkers
		for _, p := range parts {
			p.Workers = n
		}
		return Compute{Kind: ComputeSingle, Pool: c.Pool, Clusters: 1, Workers: n, Min: n, Max: n}
	}
	c.Clusters, c.Min = len(parts), parts[0].Workers
	for _, p := range parts {
		c.Workers += p.Workers
		c.Min, c.Max = min(c.Min, p.Workers), max(c.Max, p.Workers)
	}
	return c
}

// firstTier returns the first tier that has tags.
func (b *builder) firstTier() int {
	return slices.IndexFunc(b.counts, func(tags []int) bool { return slices.Max(tags) > 0 })
}

// pool returns what a warm pool keeps idle, and what that costs.
func (b *builder) pool() *Pool {
	pool := b.cfg.Compute.Pool
	if pool.MinIdle == 0 {
		return nil
	}
	p := &Pool{Workers: pool.MinIdle, CostPerMonth: round(b.model.IdleCost(b.jobs[b.firstTier()], b.prices), 2)}
	if pool.WorkerID == "" || pool.DriverID != "" {
		p.Drivers = pool.MinIdle
	}
	return p
}

// describe rounds a forecast, and that of the same job on one cluster, for a run every interval seconds.
func describe(f, single forecast.Forecast, interval float64) Forecast {
	return Forecast{
		StartupSeconds:     round(f.Startup, 2),
		DiscoverSeconds:    round(f.Discover, 2),
		ExtractSeconds:     round(f.Extract, 2),
		RetrySeconds:       round(f.Retry, 2),
		ConsolidateSeconds: round(f.Consolidate, 2),
		ValidateSeconds:    round(f.Validate, 2),
		TotalSeconds:       round(f.Total, 2),
		LeftSeconds:        round(interval-f.Total, 2),
		HealthSeconds:      int(ceilTo(f.Health, 60)), // whole minutes, so that it rarely changes
		CostPerRun:         round(f.CostPerRun, 4),
		CostPerMonth:       round(f.CostPerMonth, 2),
		SingleSeconds:      round(single.Total, 2),
		SingleCostPerRun:   round(single.CostPerRun, 4),
		SingleCostPerMonth: round(single.CostPerMonth, 2),
		EventsPerRun:       round(f.Events, 0),
		RunsPerMonth:       round(f.Runs, 2),
		Bottleneck:         f.Bottleneck,
	}
}

func ceilTo(x, multiple float64) float64 { return math.Ceil(x/multiple) * multiple }
