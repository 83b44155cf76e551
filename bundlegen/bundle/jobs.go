package bundle

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// MaxRequest is the size limit of a job on the wire, in bytes. Databricks accepts
// about 10 MB in a request to its Jobs API; the rest is for what the CLI adds.
const MaxRequest = 8 << 20

const (
	environmentKey = "default"
	environment4   = "4" // serverless environment version

	// retryOnFailure restarts a failed task of a continuous job while its siblings run;
	// the default leaves it dead until all of them end.
	retryOnFailure = "ON_FAILURE"

	// hourly is when the maintenance job starts: apart from what starts on the hour.
	hourly = "0 23 * * * ?"
)

// Names of the job's parameters. A parent hands them down to its children.
const (
	ParameterUntilMillis = "until_ms" // start of the job, ms since 1970
	ParameterUntil       = "until"    // an instant used as given; "" = from until_ms
	ParameterRunID       = "run_id"

	// ParameterLoopSeconds is a continuous job's: how long its tasks loop before the job
	// restarts; 0 = once.
	ParameterLoopSeconds = "loop_seconds"
)

// jobParameters are what a person may give a run, with their defaults.
func jobParameters() []parameter {
	return []parameter{
		{Name: ParameterUntilMillis, Default: "{{job.start_time.timestamp_ms}}"},
		{Name: ParameterUntil, Default: ""},
		{Name: ParameterRunID, Default: "{{job.run_id}}"},
	}
}

// partKey is the key of a job's K-th child, counted from 1.
func partKey(jobKey string, k int) string { return fmt.Sprintf("%s_part_%d", jobKey, k) }

// maintenanceKey is the key of the job that compacts and optimizes where no tier's
// job does, because the first tier is continuous.
func maintenanceKey(cfg *config.Pipeline) string { return cfg.Name + "_maintenance" }

// needsChildren reports whether a tier's partitions take more tasks than a job may have.
func needsChildren(partitions int) bool { return partitions+ownTasks > plan.MaxTasks }

// delegates reports whether any job runs children.
func delegates(p *plan.Plan) bool {
	count := map[string]int{}
	for _, part := range p.Partitions {
		if count[part.Tier]++; needsChildren(count[part.Tier]) {
			return true
		}
	}
	return false
}

// Jobs renders databricks-loadbalanced.yml: clusters, jobs, tasks. It refuses a job
// that is too large for the Jobs API.
func Jobs(cfg *config.Pipeline, p *plan.Plan) (File, error) {
	clusters, err := clusterVariables(cfg, p)
	if err != nil {
		return File{}, err
	}
	all, err := jobs(cfg, p)
	if err != nil {
		return File{}, err
	}
	specs := map[string]int{} // size of a cluster, by the reference to it
	for _, c := range clusters {
		text, err := encode(c.variable.Default)
		if err != nil {
			return File{}, err
		}
		specs["${var."+c.Name+"}"] = wireSize(text)
	}
	for i, e := range all {
		text, err := encode(e.Value)
		if err != nil {
			return File{}, err
		}
		if err := checkRequest(e.Key, e.Value.(*job), text, specs); err != nil {
			return File{}, err
		}
		all[i].Value = text
	}

	var y yamlFile
	y.comment("The jobs of %s: discovery, one extraction task for each partition, consolidation, validation.\n\n%s", cfg.Name, written)
	if len(clusters) > 0 {
		y.section(clusterComment(clusters), "variables", clusterEntries(clusters))
	}
	res := ordered{{"jobs", all}}
	if makesPools(cfg) {
		res = append(res, entry{"instance_pools", pools(cfg)})
	}
	y.section("", "resources", res)
	return y.file(JobsFile)
}

// checkRequest refuses a job that the Jobs API would not accept for its size. text is
// the job as it was rendered, where a cluster is a reference to its specification.
func checkRequest(key string, j *job, text encoded, specs map[string]int) error {
	size := wireSize(text)
	for _, c := range j.JobClusters {
		size += specs[c.NewCluster]
	}
	if size < MaxRequest {
		return nil
	}
	return diag.Problem{
		Text: fmt.Sprintf(
			"job %s: %.1f MB of settings for %d tasks on %d clusters",
			key,
			float64(size)/(1<<20),
			len(j.Tasks),
			len(j.JobClusters),
		),
		Allowed: fmt.Sprintf("less than %d MB, which is what the Jobs API takes in one request", MaxRequest>>20),
		Hint: "raise sizing.target_tags and sizing.max_tags for fewer partitions, write fewer or shorter compute.custom_tags," +
			" or use single_cluster or serverless",
	}
}

// wireSize returns about the length of a YAML text as JSON: a line is a key and a
// value, whose indentation JSON does not have, but quotes and commas.
func wireSize(text encoded) int {
	const punctuation = 4
	size := 0
	for line := range bytes.Lines(text) {
		size += len(bytes.TrimSpace(line)) + punctuation
	}
	return size
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
		build := b.scheduled
		if tier.Continuous {
			build = b.continuous
		}
		made, err := build()
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	if len(p.Partitions) > 0 {
		all = append(all, entry{DoctorKey(cfg), doctor(cfg)})
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

// scheduled makes the tier's job, and its children.
func (b *jobBuilder) scheduled() (ordered, error) {
	main := b.newJob(b.tier.JobKey, "Lands the events of all tags of tier "+b.tier.Name)
	main.Schedule = &schedule{Cron: b.tier.Cron, Timezone: "UTC", PauseStatus: "PAUSED"}
	main.Health = &health{Rules: []healthRule{{
		Metric: "RUN_DURATION_SECONDS", Op: "GREATER_THAN", Value: wholeMinutes(float64(b.tier.Forecast.HealthSeconds)),
	}}}
	main.EmailNotifications, main.WebhookNotifications = b.notifications(true)
	if main.EmailNotifications != nil || main.WebhookNotifications != nil {
		// A start during a run is skipped on purpose; the health rule reports a slow run.
		main.NotificationSettings = &notificationSettings{NoAlertForSkipped: true}
	}

	extraction, err := b.extraction()
	if err != nil {
		return nil, err
	}
	var children ordered
	if needsChildren(len(extraction)) {
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

// continuous makes the job of a continuous tier: a task a partition, each of which
// loops, and none of which waits for another.
func (b *jobBuilder) continuous() (ordered, error) {
	main := b.newJob(b.tier.JobKey, "Lands the events of all tags of tier "+b.tier.Name+", without an end")
	main.Continuous = &continuous{PauseStatus: "PAUSED", TaskRetryMode: retryOnFailure}
	main.Parameters = append(main.Parameters, parameter{Name: ParameterLoopSeconds, Default: strconv.Itoa(plan.LoopSeconds)})
	main.EmailNotifications, main.WebhookNotifications = b.notifications(false) // what has no end is never too slow
	var err error
	if main.Tasks, err = b.extraction(); err != nil {
		return nil, err
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
	j.EmailNotifications, j.WebhookNotifications = b.notifications(false)
	t := b.consolidate(nil)
	t.DependsOn, t.RunIf = nil, ""
	j.Tasks = []task{t}
	j.JobClusters = b.jobClusters(j.Tasks)
	return j
}

// delegate moves the extraction tasks into child jobs and returns the tasks that run these.
func (b *jobBuilder) delegate(extraction []task) (parents []task, children ordered) {
	for k := 1; len(extraction) > 0; k++ {
		n := min(plan.MaxTasks, len(extraction))
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
			// attempts, and no second attempt of the whole.
			TimeoutSeconds: longest,
		})
	}
	return parents, children
}

// newJob makes what every job has.
func (b *jobBuilder) newJob(key, description string) *job {
	return &job{
		Name:              key,
		Description:       description,
		Tags:              jobTags(b.cfg),
		MaxConcurrentRuns: 1,
		Queue:             &queue{Enabled: false}, // a late run is skipped: the next one catches up
		Parameters:        jobParameters(),
		Environments:      environments(b.cfg),
	}
}

// jobTags are the tags by which a job's cost can be found, on serverless compute too,
// which has no machines to tag. More than a job takes are on its clusters alone.
func jobTags(cfg *config.Pipeline) map[string]string {
	if len(cfg.Compute.CustomTags) > config.MaxJobTags {
		return nil
	}
	return cfg.Compute.CustomTags
}

// environments are the serverless ones of a job; none on clusters.
func environments(cfg *config.Pipeline) []environment {
	if !cfg.Compute.Serverless {
		return nil
	}
	return []environment{{
		Key:  environmentKey,
		Spec: environmentSpec{Version: environment4, Dependencies: []string{wheelGlob}},
	}}
}

// notifications tells the people and places in monitoring of a failed run and, if
// asked for, of a slow one.
func (b *jobBuilder) notifications(slow bool) (emails, webhooks *notifications) {
	tell := func(recipients []any) *notifications {
		switch {
		case len(recipients) == 0:
			return nil
		case slow:
			return &notifications{OnFailure: recipients, OnDuration: recipients}
		}
		return &notifications{OnFailure: recipients}
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
