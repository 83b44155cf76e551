package localrun

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// emitted is a bundle with what a local run puts in the place of a target.
type emitted struct{ *bundle.Bundle }

// load reads the emitted folder. Here the pipeline's key is its bare name, schemas
// have no prefix, and the catalog, where it is not "", is another one.
func load(dir, pipeline, catalog string) (emitted, error) {
	b, err := bundle.Read(dir)
	if err != nil {
		return emitted{}, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return emitted{}, err
	}
	here := map[string]string{"var.pipeline": pipeline, "var.schema_prefix": "", "workspace.file_path": abs}
	if catalog != "" {
		here["var.catalog"] = catalog
	}
	b, err = b.Resolve("", here)
	return emitted{b}, err
}

// ofTier returns the job that a tier's run begins with.
func (e emitted) ofTier(tier string) (bundle.Job, error) {
	var known []string
	for _, j := range e.Roots() {
		if !j.Lands() {
			continue
		}
		if j.Tier == tier {
			return j, nil
		}
		known = append(known, j.Tier)
	}
	return bundle.Job{}, diag.WithHint(fmt.Errorf("the bundle in %s has no job for tier %q; allowed: %s", e.Dir, tier,
		strings.Join(known, ", ")),
		"bundlegen generate")
}

// spec is a task of the emitted job with what an attempt needs.
type spec struct {
	bundle.Task
	params manifest.Parameters // as they are at the first attempt
	values map[string]string   // what the references in Args stand for, but for the attempt's own
}

// flatten returns the tasks of a job and of the jobs that it runs as one graph: a
// task that runs a job begins before that job's first tasks and ends after its
// last ones. values are the parent's, by the names of their references.
func (e emitted) flatten(job bundle.Job, values map[string]string) ([]*scheduled, graph, error) {
	f := &flattening{bundle: e}
	if _, err := f.job(job, values, nil, nil); err != nil {
		return nil, nil, err
	}
	return f.tasks, f.graph, nil
}

type flattening struct {
	bundle emitted
	tasks  []*scheduled
	graph  graph
}

// job adds a job's tasks after the tasks in after, and returns the indices of all of them.
func (f *flattening) job(job bundle.Job, values map[string]string, after []int, path []string) ([]int, error) {
	for _, p := range path {
		if p == job.Key {
			return nil, fmt.Errorf("job %s runs itself: %s", job.Key, strings.Join(append(path, job.Key), " -> "))
		}
	}
	// ends holds, for each task, what a task that depends on it has to wait for.
	ends := map[string][]int{}
	var all []int
	for _, t := range inOrder(job.Tasks) {
		depends := after
		for _, d := range t.DependsOn {
			depends = append(depends[:len(depends):len(depends)], ends[d]...)
		}
		added, err := f.task(job, t, values, depends, append(path, job.Key))
		if err != nil {
			return nil, err
		}
		ends[t.Key], all = added, append(all, added...)
	}
	if len(ends) != len(job.Tasks) {
		return nil, diag.WithHint(fmt.Errorf("job %s: its tasks wait for each other in a cycle, or for one that does not exist", job.Key),
			"bundlegen validate names it")
	}
	return all, nil
}

// inOrder sorts tasks topologically. Tasks of a cycle are left out.
func inOrder(tasks []bundle.Task) []bundle.Task {
	done, out := map[string]bool{}, make([]bundle.Task, 0, len(tasks))
	for grown := true; grown; {
		grown = false
		for _, t := range tasks {
			if done[t.Key] || !allDone(done, t.DependsOn) {
				continue
			}
			done[t.Key], grown, out = true, true, append(out, t)
		}
	}
	return out
}

func allDone(done map[string]bool, keys []string) bool {
	for _, k := range keys {
		if !done[k] {
			return false
		}
	}
	return true
}

func (f *flattening) task(job bundle.Job, t bundle.Task, values map[string]string, depends []int, path []string) ([]int, error) {
	if t.RunJob == "" {
		s := &scheduled{spec: spec{Task: t, values: values}}
		var err error
		if s.spec.params, err = s.spec.parse(1); err != nil {
			return nil, err
		}
		f.tasks = append(f.tasks, s)
		f.graph = append(f.graph, node{dependsOn: depends, runIf: t.RunIf})
		return []int{len(f.tasks) - 1}, nil
	}
	child, ok := f.bundle.Job(t.RunJob)
	if !ok {
		return nil, diag.WithHint(fmt.Errorf("task %s of job %s runs job %q, which the bundle does not have", t.Key, job.Key, t.RunJob),
			"bundlegen generate")
	}
	given := map[string]string{}
	for name, v := range t.RunParameters {
		var err error
		if given[name], err = resolve(v, values); err != nil {
			return nil, fmt.Errorf("task %s of job %s: %w", t.Key, job.Key, err)
		}
	}
	inner, err := bind(values, child, given)
	if err != nil {
		return nil, err
	}
	return f.job(child, inner, depends, path)
}

// bind returns the values with those of a job's parameters: the given one, else the default.
func bind(values map[string]string, job bundle.Job, given map[string]string) (map[string]string, error) {
	out := maps.Clone(values)
	for _, p := range job.Parameters {
		text, ok := given[p.Name]
		if !ok {
			text = p.Default
		}
		v, err := resolve(text, values)
		if err != nil {
			return nil, fmt.Errorf("job %s, parameter %s: %w", job.Key, p.Name, err)
		}
		out["job.parameters."+p.Name] = v
	}
	return out, nil
}

var reference = regexp.MustCompile(`\{\{\s*([a-zA-Z0-9_.]+)\s*\}\}`)

// resolve puts values in the place of dynamic references such as
// {{job.parameters.until_ms}}, as a run of the job would.
func resolve(text string, values map[string]string) (string, error) {
	var unknown []string
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := reference.FindStringSubmatch(ref)[1]
		value, ok := values[name]
		if !ok {
			unknown = append(unknown, ref)
		}
		return value
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("%q: a local run has no value for %s", text, strings.Join(unknown, ", "))
	}
	return out, nil
}
