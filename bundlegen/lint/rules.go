package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// keyShape is what the CLI can refer to by ${…}.
var keyShape = regexp.MustCompile(`^\p{L}+([-_]*[\p{L}\p{N}]+)*$`)

func (c *checker) keyName(p place) {
	if !keyShape.MatchString(p.key) {
		c.addKey(p, p.key, "is no key that can be referred to", "letters, digits, - and _, a letter first and no - or _ last", regenerate)
	}
}

// enum reports a value that is not one of a few. References are not looked into.
func (c *checker) enum(p place, allowed ...string) {
	if !p.exists() || strings.Contains(p.text(), "${") || slices.Contains(allowed, p.text()) {
		return
	}
	hint := regenerate
	for _, a := range allowed {
		if strings.EqualFold(a, p.text()) {
			hint = "write " + a
		}
	}
	c.add(p, "is not a value of "+p.key, strings.Join(allowed, ", "), hint)
}

// resources checks everything below resources, and the clusters in variables.
func (c *checker) resources() {
	for _, r := range c.order {
		switch {
		case strings.HasPrefix(r.path, "resources.jobs."):
			c.job(r)
		case strings.HasPrefix(r.path, "resources.instance_pools."):
			c.machine(r)
			c.cloud(r)
		case strings.HasPrefix(r.path, "resources.alerts."):
			c.alert(r)
		case strings.HasPrefix(r.path, "resources.dashboards."):
			c.dashboard(r)
		}
	}
	for _, v := range c.variables {
		if v.get("type").text() == "complex" {
			c.cluster(v.get("default"))
		}
	}
	c.jobCircles()
}

// targets checks what targets override.
func (c *checker) targets() {
	for _, t := range c.targetsAt {
		c.enum(t.get("mode"), "development", "production")
		for _, p := range t.get("permissions").items() {
			c.enum(p.get("level"), "CAN_VIEW", "CAN_RUN", "CAN_MANAGE")
		}
		for _, v := range t.get("variables").entries() {
			if _, known := c.variables[v.key]; !known {
				c.addKey(v, v.key, "the bundle has no such variable", "", regenerate)
			}
			c.cluster(v)
			c.cluster(v.get("default"))
		}
		for _, j := range t.get("resources").get("jobs").entries() {
			base, known := c.kinds["jobs"][j.key]
			if !known {
				c.addKey(j, j.key, "the bundle has no such job: the target would make one of it", "", regenerate)
				continue
			}
			c.triggers(j, base)
		}
		c.alertOverrides(t)
	}
}

// job checks one job.
func (c *checker) job(j place) {
	c.triggers(j, place{})
	for _, r := range j.get("health").get("rules").items() {
		c.enum(
			r.get("metric"),
			"RUN_DURATION_SECONDS",
			"STREAMING_BACKLOG_BYTES",
			"STREAMING_BACKLOG_RECORDS",
			"STREAMING_BACKLOG_SECONDS",
			"STREAMING_BACKLOG_FILES",
		)
		c.enum(r.get("op"), "GREATER_THAN")
	}
	clusters := c.unique(j.get("job_clusters"), "job_cluster_key")
	environments := c.unique(j.get("environments"), "environment_key")
	c.unique(j.get("parameters"), "name")
	for _, p := range j.get("job_clusters").items() {
		c.cluster(p.get("new_cluster"))
	}

	tasks := j.get("tasks").items()
	if len(tasks) == 0 {
		c.addKey(j, j.key, "the job has no tasks", "", regenerate)
	}
	if most := 1000; len(tasks) > most {
		c.addKey(
			j,
			fmt.Sprint(len(tasks)),
			"too many tasks",
			fmt.Sprintf("at most %d a job", most),
			"split the job: children run by run_job_task under one parent",
		)
	}
	keys := c.unique(j.get("tasks"), "task_key")
	for _, t := range tasks {
		c.task(t, keys)
		c.defined(t.get("job_cluster_key"), clusters, "job_clusters")
		c.defined(t.get("environment_key"), environments, "environments")
		c.cluster(t.get("new_cluster"))
	}
	c.taskCircle(tasks)
	c.requestSize(j)
}

// triggers checks when a job runs. base is the job that a target's j overrides.
func (c *checker) triggers(j, base place) {
	c.quartz(j.get("schedule"), base.get("schedule"), jobCronKey)
	continuous := j.get("continuous")
	c.enum(continuous.get("pause_status"), "PAUSED", "UNPAUSED")
	c.enum(continuous.get("task_retry_mode"), "NEVER", "ON_FAILURE")
	isContinuous := continuous.exists() || base.get("continuous").exists()
	if schedule := j.get("schedule"); isContinuous && (schedule.exists() || base.get("schedule").exists()) {
		c.addKey(firstOf(continuous, schedule), j.key, "the job has both schedule and continuous", "one of them", "leave one of them out")
	}
	if !isContinuous {
		return
	}
	if !base.exists() && continuous.get("task_retry_mode").text() != "ON_FAILURE" {
		c.addKey(
			continuous,
			"",
			"has no task_retry_mode: a task that fails would stay dead beside the others",
			"ON_FAILURE",
			"write task_retry_mode: ON_FAILURE",
		)
	}
	for _, t := range slices.Concat(j.get("tasks").items(), base.get("tasks").items()) {
		if e := t.get("environment_key"); e.exists() {
			c.addKey(e, e.text(), "a continuous job's tasks loop, and serverless compute ends what runs for long", "job_cluster_key", regenerate)
		}
		if d := t.get("depends_on"); d.exists() {
			c.addKey(
				d,
				t.get("task_key").text(),
				"a continuous job's tasks cannot depend on each other",
				"",
				"leave depends_on out, or schedule the job",
			)
		}
		if r := t.get("max_retries"); r.exists() {
			c.addKey(
				r,
				r.text(),
				"a continuous job's tasks cannot have max_retries",
				"",
				"leave it out and set continuous.task_retry_mode: ON_FAILURE",
			)
		}
	}
}

func firstOf(places ...place) place {
	for _, p := range places {
		if p.exists() {
			return p
		}
	}
	return places[0]
}

const jobCronKey = "quartz_cron_expression"

// quartz checks a schedule whose cron expression stands under key. base is what
// a target's schedule s overrides.
func (c *checker) quartz(s, base place, key string) {
	if !s.exists() {
		return
	}
	c.enum(s.get("pause_status"), "PAUSED", "UNPAUSED")
	cron := s.get(key)
	switch {
	case !cron.exists() && !base.get(key).exists():
		c.addKey(s, "", "has no "+key, "", regenerate)
	case cron.exists() && !strings.Contains(cron.text(), "${"):
		if err := config.CheckCron(cron.text()); err != nil {
			c.add(cron, err.Error(), "", `every five minutes is "0 0/5 * * * ?", every night at three "0 0 3 * * ?"`)
		}
	}
	if !s.get("timezone_id").exists() && !base.get("timezone_id").exists() {
		c.addKey(s, "", "has no timezone_id", "", "write timezone_id: UTC")
	}
}

var runIf = []string{"ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"}

// taskKey is what the Jobs API takes as a task's key.
var taskKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// task checks one task; keys are those of its job.
func (c *checker) task(t place, keys map[string]place) {
	if key := t.get("task_key"); key.exists() && !taskKey.MatchString(key.text()) {
		c.add(key, "is no task key", "1 to 100 letters, digits, - and _", regenerate)
	}
	c.enum(t.get("run_if"), runIf...)
	for _, d := range t.get("depends_on").items() {
		key := d.get("task_key")
		if _, known := keys[key.text()]; !known {
			c.add(key, "no task of the job has this key", "", regenerate)
		}
	}
	if timeout := t.get("timeout_seconds"); !timeout.exists() {
		c.addKey(
			t,
			t.get("task_key").text(),
			"has no timeout_seconds: a task that hangs would never be retried",
			"a number of seconds above 0",
			"write timeout_seconds",
		)
	} else if timeout.text() == "0" {
		c.add(timeout, "is no timeout: a task that hangs would never be retried", "a number of seconds above 0", "write a longer timeout")
	}
}

// unique reports keys of a list's items that are missing or there twice, and
// gives the items by key.
func (c *checker) unique(list place, key string) map[string]place {
	seen := map[string]place{}
	for _, item := range list.items() {
		k := item.get(key)
		if k.text() == "" {
			c.addKey(item, "", "has no "+key, "", regenerate)
			continue
		}
		if first, taken := seen[k.text()]; taken {
			c.add(k, fmt.Sprintf("is there twice: on line %d too", first.node.Line), "one of each "+key, "rename one of them")
			continue
		}
		seen[k.text()] = item
	}
	return seen
}

func (c *checker) defined(p place, known map[string]place, where string) {
	if _, ok := known[p.text()]; p.exists() && !ok {
		c.add(p, "is not one of the job's "+where, "", regenerate)
	}
}

// cluster checks a cluster specification.
func (c *checker) cluster(p place) {
	if !p.exists() || p.node.Kind != yamlread.Map {
		return
	}
	c.enum(
		p.get("data_security_mode"),
		"SINGLE_USER",
		"USER_ISOLATION",
		"NONE",
		"DATA_SECURITY_MODE_AUTO",
		"DATA_SECURITY_MODE_STANDARD",
		"DATA_SECURITY_MODE_DEDICATED",
	)
	c.enum(p.get("runtime_engine"), "STANDARD", "PHOTON")
	c.machine(p)
	c.cloud(p)
}

// machine keeps the types of a cluster's or pool's machines, for wheels.
func (c *checker) machine(p place) {
	for _, key := range []string{"node_type_id", "driver_node_type_id"} {
		if node := p.get(key); node.text() != "" && !strings.Contains(node.text(), "${") {
			c.machines = append(c.machines, node)
		}
	}
}

// cloud checks what differs between clouds, of a cluster or a pool.
func (c *checker) cloud(p place) {
	c.enum(p.get("aws_attributes").get("availability"), "SPOT", "ON_DEMAND", "SPOT_WITH_FALLBACK")
	c.enum(p.get("azure_attributes").get("availability"), "SPOT_AZURE", "ON_DEMAND_AZURE", "SPOT_WITH_FALLBACK_AZURE")
	gcp := p.get("gcp_attributes")
	for _, key := range []string{"availability", "gcp_availability"} {
		c.enum(gcp.get(key), "PREEMPTIBLE_GCP", "ON_DEMAND_GCP", "PREEMPTIBLE_WITH_FALLBACK_GCP")
	}
}

// maxRequest is how large a job may be on the wire: the limit is about 10 MB.
const maxRequest = 8 << 20

// requestSize reports a job that the Jobs API would refuse for its size.
func (c *checker) requestSize(j place) {
	if size := c.size(j.node, 0); size >= maxRequest {
		c.addKey(
			j,
			fmt.Sprintf("%.1f MB", float64(size)/(1<<20)),
			"the job is too large for one request",
			"less than 8 MB",
			"use fewer partitions, or fewer parameters",
		)
	}
}

// size estimates a value's length as JSON, references to complex variables filled in.
func (c *checker) size(n *yamlread.Node, depth int) int {
	const quotesAndComma = 3
	switch n.Kind {
	case yamlread.Map:
		total := 2
		for _, e := range n.Entries {
			total += len(e.Key) + quotesAndComma + c.size(e.Value, depth) + 1
		}
		return total
	case yamlread.List:
		total := 2
		for _, item := range n.Items {
			total += c.size(item, depth) + 1
		}
		return total
	}
	if name, ok := strings.CutPrefix(n.Text, "${var."); ok && depth < 3 {
		if v, known := c.variables[strings.TrimSuffix(name, "}")]; known && v.get("default").exists() {
			return c.size(v.get("default").node, depth+1)
		}
	}
	return len(n.Text) + quotesAndComma
}
