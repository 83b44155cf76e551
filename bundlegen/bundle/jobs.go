package bundle

import (
	"fmt"
	"math"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// MaxTasks is the most tasks that Databricks takes in one job.
const MaxTasks = 1000

const (
	wheelGlob      = "./dist/*.whl" // without a version, so that committed YAML does not change with it
	environmentKey = "default"
	environment4   = "4" // serverless environment version

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

// Names of the job's parameters. A parent hands them down to its children.
const (
	ParameterUntilMillis = "until_ms" // start of the job, ms since 1970
	ParameterUntil       = "until"    // an instant used as given; "" = from until_ms
	ParameterRunID       = "run_id"
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

// jobParameters are what a person may give a run, and what they are otherwise.
func jobParameters() []parameter {
	return []parameter{
		{Name: ParameterUntilMillis, Default: "{{job.start_time.timestamp_ms}}"},
		{Name: ParameterUntil, Default: ""},
		{Name: ParameterRunID, Default: "{{job.run_id}}"},
	}
}

// extractKey is the key of a partition's task.
func extractKey(partition int) string {
	return fmt.Sprintf("extract_timeseries_partition_%d", partition)
}

// partKey is the key of a job's K-th child, counted from 1.
func partKey(jobKey string, k int) string { return fmt.Sprintf("%s_part_%d", jobKey, k) }

// tooMany says whether a tier's partitions take more tasks than a job may have.
func tooMany(partitions int) bool { return partitions+ownTasks > MaxTasks }

// delegates says whether any job runs children.
func delegates(p *plan.Plan) bool {
	count := map[string]int{}
	for _, part := range p.Partitions {
		if count[part.Tier]++; tooMany(count[part.Tier]) {
			return true
		}
	}
	return false
}

// jobs makes all jobs of a plan: one a tier, and its children where it has more
// tasks than a job may have; in the order of the tiers, children after their parent.
func jobs(cfg *config.Pipeline, p *plan.Plan) (ordered, error) {
	var all ordered
	for i, tier := range p.Tiers {
		b := jobBuilder{cfg: cfg, plan: p, tier: tier, first: i == 0}
		for _, part := range p.Partitions {
			if part.Tier == tier.Name {
				b.partitions = append(b.partitions, part)
			}
		}
		made, err := b.make()
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	if len(p.Partitions) > 0 {
		checks, err := doctor(cfg)
		if err != nil {
			return nil, err
		}
		all = append(all, entry{DoctorKey(cfg), checks})
	}
	taken := map[string]bool{}
	for _, e := range all {
		if taken[e.Key] {
			return nil, diag.WithHint(fmt.Errorf("two jobs would have the key %s", e.Key), "rename a tier")
		}
		taken[e.Key] = true
	}
	return all, nil
}

// jobBuilder makes the job of one tier.
type jobBuilder struct {
	cfg        *config.Pipeline
	plan       *plan.Plan
	tier       plan.Tier
	first      bool // the first tier's job looks after the tables of all
	partitions []plan.Partition
}

// make makes all jobs of the tier.
func (b *jobBuilder) make() (ordered, error) {
	if b.tier.Continuous {
		return b.continuous()
	}
	return b.jobs()
}

// jobs makes the tier's job, and its children.
func (b *jobBuilder) jobs() (ordered, error) {
	main := b.newJob(b.tier.JobKey, "Lands the events of all tags of tier "+b.tier.Name)
	main.Schedule = &schedule{Cron: b.tier.Cron, Timezone: "UTC", PauseStatus: "PAUSED"}
	main.Health = &health{Rules: []healthRule{{
		Metric: "RUN_DURATION_SECONDS", Op: "GREATER_THAN", Value: wholeMinutes(float64(b.tier.Forecast.HealthSeconds)),
	}}}
	main.EmailNotifications, main.WebhookNotifications = b.notifications()
	if main.EmailNotifications != nil || main.WebhookNotifications != nil {
		main.Mute = &mute{Skipped: true} // a start is skipped while a run is on, by intent: what is slow, the health rule tells
	}

	extraction, err := b.extraction()
	if err != nil {
		return nil, err
	}
	var children ordered
	if tooMany(len(extraction)) {
		extraction, children = b.delegate(extraction)
	}

	main.Tasks = append(main.Tasks, b.discover())
	for i := range extraction {
		extraction[i].DependsOn = []dependency{{taskDiscover}}
	}
	main.Tasks = append(main.Tasks, extraction...)
	main.Tasks = append(main.Tasks, b.consolidate(extraction), b.validate())
	main.JobClusters = b.jobClusters(main.Tasks)
	return append(ordered{{b.tier.JobKey, main}}, children...), nil
}

// delegate moves the extraction tasks into child jobs and gives the tasks that run these.
func (b *jobBuilder) delegate(extraction []task) (parents []task, children ordered) {
	for k := 1; len(extraction) > 0; k++ {
		n := min(MaxTasks, len(extraction))
		key := partKey(b.tier.JobKey, k)
		child := b.newJob(key, fmt.Sprintf("Part %d of %s, which runs it", k, b.tier.JobKey))
		child.Tasks, extraction = extraction[:n:n], extraction[n:]
		child.JobClusters = b.jobClusters(child.Tasks)
		children = append(children, entry{key, child})

		longest := 0
		for _, t := range child.Tasks {
			longest = max(longest, (t.MaxRetries+1)*t.TimeoutSeconds+t.MaxRetries*t.RetryAfterMilli/1000)
		}
		parents = append(parents, task{
			Key: fmt.Sprintf("part_%d", k),
			RunJob: &runJob{
				JobID: "${resources.jobs." + key + ".id}",
				Parameters: map[string]string{
					ParameterUntilMillis: references["until-ms"],
					ParameterUntil:       references["until"],
					ParameterRunID:       references["run-id"],
				},
			},
			// The child's tasks are retried on their own: time for all their
			// attempts, and no attempt of the whole again.
			TimeoutSeconds: longest,
		})
	}
	return parents, children
}

// newJob makes what every job has.
func (b *jobBuilder) newJob(key, description string) *job {
	j := &job{
		Name:              key,
		Description:       description,
		MaxConcurrentRuns: 1,
		Queue:             &queue{Enabled: false}, // a late run is skipped: the next one catches up
		Parameters:        jobParameters(),
	}
	if b.cfg.Compute.Serverless {
		j.Environments = []environment{{
			Key:  environmentKey,
			Spec: environmentSpec{Version: environment4, Dependencies: []string{wheelGlob}},
		}}
	}
	return j
}

// notifications tells the people and places that monitoring names of a failed
// and of a slow run.
func (b *jobBuilder) notifications() (emails, webhooks *notifications) {
	tell := func(whom []any) *notifications {
		if len(whom) == 0 {
			return nil
		}
		return &notifications{OnFailure: whom, OnDuration: whom}
	}
	var addresses, hooks []any
	for _, e := range b.cfg.Monitoring.Emails {
		addresses = append(addresses, e)
	}
	for _, id := range b.cfg.Monitoring.Webhooks {
		hooks = append(hooks, webhook{ID: id})
	}
	return tell(addresses), tell(hooks)
}

func (b *jobBuilder) discover() task {
	return b.wheelTask(taskDiscover, orchestratorKey, manifest.Parameters{
		Task:        manifest.TaskDiscover,
		TimeoutSecs: b.ownTimeout(b.tier.Forecast.DiscoverSeconds),
		Backfill:    b.cfg.Extract.Backfill.Seconds(),
		Settle:      b.cfg.Extract.Settle.Seconds(),
		Layout:      b.cfg.Compute.Layout,
	})
}

// extraction makes a task for each partition.
func (b *jobBuilder) extraction() ([]task, error) {
	perShard, err := b.tagsPerShard()
	if err != nil {
		return nil, err
	}
	tasks := make([]task, 0, len(b.partitions))
	for _, part := range b.partitions {
		if part.TimeoutSecs <= 0 {
			return nil, fmt.Errorf("partition %d has no timeout", part.ID)
		}
		site, err := siteByName(b.cfg, part.Site)
		if err != nil {
			return nil, err
		}
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
		})
		t.retried(site.Task.Retries(), site.Task.RetryInterval())
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
	// It asks a site that fails again by itself. What else it finds another attempt
	// finds, too: the extractions have ended.
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
	switch {
	case b.cfg.Compute.Serverless:
		t.Environment = environmentKey
		return t
	case b.cfg.Compute.SingleCluster:
		t.JobCluster = orchestratorKey
	default:
		t.JobCluster = clusterKey
	}
	t.Libraries = []library{{Wheel: wheelGlob}}
	return t
}

// retried says how often the task is tried again, and how long after the start of
// an attempt that failed at the earliest; no retry needs no interval.
func (t *task) retried(times int, interval time.Duration) {
	t.MaxRetries, t.RetryAfterMilli, t.RetryOnTimeout = times, int(interval.Milliseconds()), times > 0
	if times == 0 {
		t.RetryAfterMilli = 0
	}
}

// clusterKey is the job_cluster_key of a partition's own cluster.
func clusterKey(partition int) string { return fmt.Sprintf("partition_%d", partition) }

// jobClusters declares the clusters that tasks name: the orchestrator's, and one
// for each partition, so that losing one touches one partition only.
func (b *jobBuilder) jobClusters(tasks []task) []jobCluster {
	if b.cfg.Compute.Serverless {
		return nil
	}
	if b.cfg.Compute.SingleCluster {
		return []jobCluster{{Key: orchestratorKey, NewCluster: "${var." + sharedCluster(b.plan) + "}"}}
	}
	variables := map[string]string{orchestratorKey: orchestratorCluster}
	for _, part := range b.partitions {
		variables[clusterKey(part.ID)] = part.Cluster
	}
	var clusters []jobCluster
	declared := map[string]bool{}
	for _, t := range tasks {
		if t.JobCluster != "" && !declared[t.JobCluster] {
			declared[t.JobCluster] = true
			clusters = append(clusters, jobCluster{Key: t.JobCluster, NewCluster: "${var." + variables[t.JobCluster] + "}"})
		}
	}
	return clusters
}

// ownTimeout is the timeout of one of the orchestrator's tasks, in seconds: far
// enough from its forecast that only a task that hangs meets it.
func (b *jobBuilder) ownTimeout(forecast float64) int {
	return max(minTaskSeconds, wholeMinutes(slackFactor*forecast))
}

// shards says where an extraction's shards run: beside the driver on serverless
// compute, whose user code has no way out to the network from anywhere else.
func (b *jobBuilder) shards() string {
	if b.cfg.Compute.Serverless {
		return manifest.ShardsOnDriver
	}
	return manifest.ShardsOnExecutors
}

// tagsPerShard is one worker's share of a partition of this tier.
func (b *jobBuilder) tagsPerShard() (int, error) {
	for _, t := range b.cfg.Tiers {
		if t.Name != b.tier.Name {
			continue
		}
		if t.Sizing != nil {
			return t.Sizing.TagsPerWorker, nil
		}
		return b.cfg.Sizing.TagsPerWorker, nil
	}
	return 0, fmt.Errorf("the plan names tier %q, which pipeline.yml does not have", b.tier.Name)
}

// wholeMinutes rounds up, so that a tag more does not change what is deployed.
func wholeMinutes(seconds float64) int {
	const minute = int(time.Minute / time.Second)
	return int(math.Ceil(seconds/float64(minute))) * minute
}
