package bundle

import (
	"fmt"
	"math"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/sizing"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	wheelGlob = "./dist/*.whl" // without a version, so that committed YAML does not change with it

	maxRetries     = 3 // of the orchestrator's tasks; those of extraction are as their site says
	retryInterval  = time.Minute
	sampleTags     = 100 // tags a partition that validate counts against PI
	ownTasks       = 3   // discover, consolidate, validate
	minTaskSeconds = 1800
	slackFactor    = 4 // how much slower than its forecast an orchestrator's task may be

	taskDiscover    = "discover_tags"
	taskConsolidate = "consolidate"
	taskValidate    = "validate"
	runIfAllDone    = "ALL_DONE"
)

// references are the task parameters that are known only when a job runs, or
// that a target may override.
var references = map[string]string{
	"pipeline":      "${var.pipeline}",
	"catalog":       "${var.catalog}",
	"schema-prefix": "${var.schema_prefix}",
	"bundle":        "${workspace.file_path}",
	"run-id":        "{{job.parameters." + ParameterRunID + "}}",
	"until-ms":      "{{job.parameters." + ParameterUntilMillis + "}}",
	"until":         "{{job.parameters." + ParameterUntil + "}}",
	"attempt":       "{{task.execution_count}}",
	"loop-seconds":  "{{job.parameters." + ParameterLoopSeconds + "}}",
}

// extractKey is the key of a partition's task.
func extractKey(partition int) string {
	return fmt.Sprintf("extract_timeseries_partition_%d", partition)
}

// clusterKey is the job_cluster_key of a partition's own cluster.
func clusterKey(partition int) string { return fmt.Sprintf("partition_%d", partition) }

func (b *jobBuilder) discover() task {
	return b.wheelTask(taskDiscover, orchestratorKey, manifest.Parameters{
		Task:        manifest.TaskDiscover,
		TimeoutSecs: b.ownTimeout(b.tier.Forecast.DiscoverSeconds),
		Backfill:    b.cfg.Extract.Backfill.Seconds(),
		Settle:      b.cfg.Extract.Settle.Seconds(),
		Layout:      b.cfg.Compute.Layout,
	})
}

// extraction makes a task for each partition. In a continuous tier each loops, and
// the first of each site's also discovers.
func (b *jobBuilder) extraction() ([]task, error) {
	perShard, err := b.tagsPerShard()
	if err != nil {
		return nil, err
	}
	led := map[string]bool{}
	tasks := make([]task, 0, len(b.partitions))
	for _, part := range b.partitions {
		if part.TimeoutSecs <= 0 {
			return nil, fmt.Errorf("partition %d has no timeout", part.ID)
		}
		site, err := siteByName(b.cfg, part.Site)
		if err != nil {
			return nil, err
		}
		p := manifest.Parameters{
			Task:         manifest.TaskExtract,
			TimeoutSecs:  part.TimeoutSecs,
			Partition:    part.ID,
			Site:         part.Site,
			Limits:       part.Limits,
			MaxWindow:    b.cfg.Extract.MaxWindow.Seconds(),
			FailAbove:    b.cfg.Extract.FailAbove,
			TagsPerShard: perShard,
			Shards:       shards(b.cfg),
		}
		retries, interval := site.Task.Retries(), site.Task.RetryInterval()
		if b.tier.Continuous {
			p.Every = b.tier.Every.Seconds()
			p.Lead = !led[part.Site]
			p.Backfill = b.cfg.Extract.Backfill.Seconds()
			p.Settle = b.cfg.Extract.Settle.Seconds()
			p.Layout = b.cfg.Compute.Layout
			led[part.Site] = true
			retries, interval = 0, 0 // a continuous job accepts neither: it restarts its tasks itself
		}
		t := b.wheelTask(extractKey(part.ID), clusterKey(part.ID), p)
		t.retried(retries, interval)
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// consolidate runs after all extractions, whatever became of them.
func (b *jobBuilder) consolidate(after []task) task {
	t := b.wheelTask(taskConsolidate, orchestratorKey, manifest.Parameters{
		Task:        manifest.TaskConsolidate,
		TimeoutSecs: b.ownTimeout(b.tier.Forecast.ConsolidateSeconds),
		Maintenance: b.first,
		Layout:      b.cfg.Compute.Layout,
	})
	t.RunIf = runIfAllDone
	for _, e := range after {
		t.DependsOn = append(t.DependsOn, dependency{e.Key})
	}
	if len(after) == 0 {
		t.DependsOn = []dependency{{taskDiscover}}
	}
	return t
}

// validate is the leaf: it fails when anything before it did, since a job whose
// leaf runs on ALL_DONE would end green otherwise.
func (b *jobBuilder) validate() task {
	t := b.wheelTask(taskValidate, orchestratorKey, manifest.Parameters{
		Task:            manifest.TaskValidate,
		TimeoutSecs:     b.ownTimeout(b.tier.Forecast.ConsolidateSeconds),
		MinCompleteness: b.cfg.Monitoring.MinCompleteness,
		SampleTags:      sampleTags,
	})
	t.RunIf = runIfAllDone
	t.DependsOn = []dependency{{taskConsolidate}}
	// It asks a failing site again by itself. Another attempt would find the same of
	// everything else: the extractions have ended.
	t.retried(0, 0)
	return t
}

// wheelTask makes a task that runs an entry point of the wheel.
func (b *jobBuilder) wheelTask(key, clusterKey string, p manifest.Parameters) task {
	p.Tier = b.tier.Name
	t := task{
		Key:            key,
		PythonWheel:    &pythonWheel{Package: wheel.Package, EntryPoint: p.Task, Parameters: p.Args(references)},
		TimeoutSeconds: p.TimeoutSecs + manifest.StartAllowance,
	}
	t.retried(maxRetries, retryInterval)
	if b.cfg.Compute.SingleCluster {
		clusterKey = orchestratorKey
	}
	t.runsOn(b.cfg, clusterKey)
	return t
}

// runsOn puts the task on a cluster of its job, or on serverless compute.
func (t *task) runsOn(cfg *config.Pipeline, clusterKey string) {
	if cfg.Compute.Serverless {
		t.Environment = environmentKey
		return
	}
	t.JobCluster = clusterKey
	t.Libraries = []library{{Wheel: wheelGlob}}
}

// retried sets how often the task is retried, and how long after the start of the
// failed attempt at the earliest; no retry needs no interval.
func (t *task) retried(times int, interval time.Duration) {
	t.MaxRetries, t.RetryAfterMilli, t.RetryOnTimeout = times, int(interval.Milliseconds()), times > 0
	if times == 0 {
		t.RetryAfterMilli = 0
	}
}

// ownTimeout is the timeout of one of the orchestrator's tasks, in seconds: so far
// from its forecast that only a task that hangs meets it.
func (b *jobBuilder) ownTimeout(forecast float64) int {
	return max(minTaskSeconds, wholeMinutes(slackFactor*forecast))
}

// shards is where an extraction's shards run: beside the driver on serverless
// compute, whose user code reaches the network from nowhere else.
func shards(cfg *config.Pipeline) string {
	if cfg.Compute.Serverless {
		return manifest.ShardsOnDriver
	}
	return manifest.ShardsOnExecutors
}

// tagsPerShard is one worker's share of a partition of this tier.
func (b *jobBuilder) tagsPerShard() (int, error) {
	for _, t := range b.cfg.Tiers {
		if t.Name == b.tier.Name {
			return sizing.ForTier(b.cfg.Sizing, t).TagsPerWorker, nil
		}
	}
	return 0, fmt.Errorf("the plan names tier %q, which pipeline.yml does not have", b.tier.Name)
}

// wholeMinutes rounds up, so that a tag more does not change what is deployed.
func wholeMinutes(seconds float64) int {
	const minute = int(time.Minute / time.Second)
	return int(math.Ceil(seconds/float64(minute))) * minute
}
