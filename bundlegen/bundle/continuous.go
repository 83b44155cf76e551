package bundle

import (
	"strconv"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// ParameterLoopSeconds is a continuous job's parameter: how long its tasks loop
// before the job begins anew; 0 = once.
const ParameterLoopSeconds = "loop_seconds"

// retryOnFailure starts a task of a continuous job again that has failed, beside its
// siblings; the default leaves it dead until all of them end.
const retryOnFailure = "ON_FAILURE"

// hourly is when the maintenance job starts: apart from what starts on the hour.
const hourly = "0 23 * * * ?"

// maintenanceKey is the key of the job that compacts and optimizes where no tier's
// job does, because the first tier is continuous.
func maintenanceKey(cfg *config.Pipeline) string { return cfg.Name + "_maintenance" }

// continuous makes the job of a continuous tier: a task a partition, each of which
// loops, and none of which waits for another.
func (b *jobBuilder) continuous() (ordered, error) {
	main := b.newJob(b.tier.JobKey, "Lands the events of all tags of tier "+b.tier.Name+", without an end")
	main.Continuous = &continuous{PauseStatus: "PAUSED", TaskRetryMode: retryOnFailure}
	main.Parameters = append(main.Parameters, parameter{Name: ParameterLoopSeconds, Default: strconv.Itoa(plan.LoopSeconds)})
	main.EmailNotifications, main.WebhookNotifications = b.failureNotifications()
	perShard, err := b.tagsPerShard()
	if err != nil {
		return nil, err
	}
	led := map[string]bool{}
	for _, part := range b.partitions {
		t := b.wheelTask(extractKey(part.ID), clusterKey(part.ID), manifest.Parameters{
			Task:         manifest.TaskExtract,
			TimeoutSecs:  part.TimeoutSecs,
			Partition:    part.ID,
			Site:         part.Site,
			Limits:       part.Limits,
			MaxWindow:    b.cfg.Extract.MaxWindow.Seconds(),
			FailAbove:    b.cfg.Extract.FailAbove,
			TagsPerShard: perShard,
			Shards:       b.shards(),
			Every:        b.tier.Every.Seconds(),
			Lead:         !led[part.Site],
			Backfill:     b.cfg.Extract.Backfill.Seconds(),
			Settle:       b.cfg.Extract.Settle.Seconds(),
			Layout:       b.cfg.Compute.Layout,
		})
		led[part.Site] = true
		// A continuous job takes none of these: it starts its tasks again itself.
		t.retried(0, 0)
		main.Tasks = append(main.Tasks, t)
	}
	main.JobClusters = b.jobClusters(main.Tasks)
	made := ordered{{b.tier.JobKey, main}}
	if b.first {
		made = append(made, entry{maintenanceKey(b.cfg), b.maintenance()})
	}
	return made, nil
}

// maintenance makes the job that looks after the tables of all tiers.
func (b *jobBuilder) maintenance() *job {
	j := b.newJob(maintenanceKey(b.cfg), "Compacts watermarks and lays out events for readers")
	j.Schedule = &schedule{Cron: hourly, Timezone: "UTC", PauseStatus: "PAUSED"}
	j.EmailNotifications, j.WebhookNotifications = b.failureNotifications()
	t := b.consolidate(nil)
	t.DependsOn, t.RunIf = nil, ""
	j.Tasks = []task{t}
	j.JobClusters = b.jobClusters(j.Tasks)
	return j
}

// failureNotifications tells of failures only: what has no end is never too slow.
func (b *jobBuilder) failureNotifications() (emails, webhooks *notifications) {
	emails, webhooks = b.notifications()
	for _, n := range []*notifications{emails, webhooks} {
		if n != nil {
			n.OnDuration = nil
		}
	}
	return emails, webhooks
}
