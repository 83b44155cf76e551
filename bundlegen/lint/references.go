package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/yamlread"
)

var (
	deployReference = regexp.MustCompile(`\$\{([^{}]*)\}`)
	runReference    = regexp.MustCompile(`\{\{([^{}]*)\}\}`)
	secretReference = regexp.MustCompile(`^secrets/[A-Za-z0-9_.@-]{1,128}/[A-Za-z0-9_.@-]{1,128}$`)
	taskReference   = regexp.MustCompile(
		`^tasks\.[A-Za-z0-9_-]+\.(run_id|result_state|error_code|execution_count|notebook_path|values\.[A-Za-z0-9_-]+)$`,
	)
	timeReference = regexp.MustCompile(
		`^(job\.start_time|job\.trigger\.time|backfill)\.(iso_weekday|is_weekday|iso_date|iso_datetime|year|month|day|hour|minute|second|timestamp_ms)$`,
	)
)

// runReferences are the dynamic values that a run knows under a fixed name.
var runReferences = []string{
	"job.id", "job.name", "job.run_id", "job.repair_count", "job.trigger.type", "job.trigger.file_arrival.location",
	"task.name", "task.run_id", "task.execution_count", "task.notebook_path", "workspace.id", "workspace.url",
}

// deployReferences are what a bundle knows without naming it.
var deployReferences = []string{
	"bundle.name", "bundle.target", "bundle.mode", "bundle.uuid", "bundle.environment",
	"bundle.git.branch", "bundle.git.commit", "bundle.git.origin_url",
	"workspace.host", "workspace.root_path", "workspace.file_path", "workspace.artifact_path", "workspace.state_path",
	"workspace.resource_path", "workspace.profile", "workspace.current_user.userName", "workspace.current_user.short_name",
	"workspace.current_user.domain_friendly_name", "workspace.current_user.id",
}

// references checks every reference in every file: a wrong one is passed on as
// plain text, and the task fails on it at night.
func (c *checker) references() {
	for _, d := range c.documents {
		c.walk(place{file: d.File, node: d.Tree}, nil)
	}
	for _, r := range c.order {
		if strings.HasPrefix(r.path, "resources.jobs.") {
			c.handedDown(r)
		}
	}
}

// walk visits all texts below p. parameters are those of the job that p is in.
func (c *checker) walk(p place, parameters []string) {
	switch p.node.Kind {
	case yamlread.Map:
		for _, e := range p.entries() {
			inner := parameters
			if p.path == "resources.jobs" || strings.HasSuffix(p.path, ".resources.jobs") {
				inner = c.parametersOf(e.key)
			}
			c.walk(e, inner)
		}
	case yamlread.List:
		for _, item := range p.items() {
			c.walk(item, parameters)
		}
	case yamlread.String:
		c.textReferences(p, parameters)
	}
}

// parametersOf lists a job's parameters. It is not nil.
func (c *checker) parametersOf(job string) []string {
	names := []string{}
	for _, p := range c.kinds["jobs"][job].get("parameters").items() {
		names = append(names, p.get("name").text())
	}
	return names
}

func (c *checker) textReferences(p place, parameters []string) {
	for _, m := range deployReference.FindAllStringSubmatch(p.text(), -1) {
		c.deployReference(p, m[1])
	}
	for _, m := range runReference.FindAllStringSubmatch(p.text(), -1) {
		c.runReference(p, strings.TrimSpace(m[1]), parameters)
	}
}

func (c *checker) deployReference(p place, name string) {
	if variable, ok := strings.CutPrefix(name, "var."); ok {
		variable, _, _ = strings.Cut(variable, ".")
		if _, known := c.variables[variable]; !known {
			c.add(p, "no variable is called "+variable, "", regenerate)
		}
		return
	}
	if resource, ok := strings.CutPrefix(name, "resources."); ok {
		parts := strings.SplitN(resource, ".", 3)
		if len(parts) < 3 {
			c.add(p, "${"+name+"} names no field of a resource", "${resources.KIND.KEY.FIELD}", regenerate)
		} else if _, known := c.kinds[parts[0]][parts[1]]; !known {
			c.add(p, "the bundle has no "+parts[0]+" called "+parts[1], "", regenerate)
		}
		return
	}
	if !slices.Contains(deployReferences, name) {
		c.add(p, "${"+name+"} is no reference that the CLI knows", "${var.…}, ${bundle.…}, ${workspace.…}, ${resources.…}", regenerate)
	}
}

// runReference checks a dynamic value. Outside of jobs and alerts there are only secrets.
func (c *checker) runReference(p place, name string, parameters []string) {
	if strings.HasPrefix(name, "secrets/") {
		if !secretReference.MatchString(name) {
			c.add(p, "is no secret", "{{secrets/SCOPE/KEY}}", "check the secret in pipeline.yml")
		}
		return
	}
	if isAlert(p) {
		if !slices.Contains(alertReferences, name) {
			c.add(p, "{{"+name+"}} is nothing that an alert knows", strings.Join(alertReferences, ", "), regenerate)
		}
		return
	}
	if parameters == nil {
		c.add(p, "{{"+name+"}} is known in jobs only", "{{secrets/SCOPE/KEY}}", regenerate)
		return
	}
	if parameter, ok := strings.CutPrefix(name, "job.parameters."); ok {
		if !slices.Contains(parameters, parameter) {
			c.add(p, "the job has no parameter "+parameter, strings.Join(parameters, ", "), regenerate)
		}
		return
	}
	if !slices.Contains(runReferences, name) && !taskReference.MatchString(name) && !timeReference.MatchString(name) {
		c.add(p, "{{"+name+"}} is no dynamic value", "{{job.…}}, {{task.…}}, {{tasks.…}}", regenerate)
	}
}

// handedDown checks that a job's children have the parameters that they are given.
func (c *checker) handedDown(j place) {
	for _, t := range j.get("tasks").items() {
		run := t.get("run_job_task")
		child, ok := jobReference(run.get("job_id").text())
		if !ok {
			continue
		}
		known := c.parametersOf(child)
		for _, p := range run.get("job_parameters").entries() {
			if !slices.Contains(known, p.key) {
				c.addKey(p, p.key, "job "+child+" has no such parameter", strings.Join(known, ", "), regenerate)
			}
		}
	}
}
