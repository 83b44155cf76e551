package bundle

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/bundle/source"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Bundle is what an emitted folder's YAML says about its jobs: what running them
// elsewhere than on Databricks takes. Texts are as written, with references to
// variables (${var.catalog}) and to the run ({{job.parameters.until}}); Resolve
// replaces the former. It is read-only.
type Bundle struct {
	Dir       string
	Name      string
	Variables map[string]string // defaults of the variables that are not complex
	Targets   []Target          // in the file's order
	Jobs      []Job             // in the file's order
}

// Target is a deployment target.
type Target struct {
	Name      string
	Default   bool
	Mode      string            // development or production
	Variables map[string]string // that are not complex
}

// Job is one job.
type Job struct {
	Key               string
	Name              string
	Tier              string // of its tasks' --tier; "" when they have none
	MaxConcurrentRuns int
	Continuous        bool // its tasks loop, and are started again when they fail
	Parameters        []Parameter
	Tasks             []Task
}

// Parameter is a job's parameter.
type Parameter struct{ Name, Default string }

// Task is one task: it runs an entry point of the wheel, or another job.
type Task struct {
	Key            string
	DependsOn      []string      // keys
	RunIf          string        // ALL_SUCCESS where the file says nothing
	MaxRetries     int           // -1 = without end
	RetryInterval  time.Duration // from the start of the attempt that failed
	RetryOnTimeout bool
	Timeout        time.Duration // 0 = none

	EntryPoint string   // discover, extract, consolidate, validate; "" when the task runs a job
	Args       []string // --name=value

	RunJob        string            // key of the job that the task runs; "" when it runs the wheel
	RunParameters map[string]string // what it hands down to that job
}

// document is the part of a bundle's YAML file that Read looks at.
type document struct {
	Bundle  header `yaml:"bundle"`
	Targets map[string]struct {
		Mode    string `yaml:"mode"`
		Default bool   `yaml:"default"`
	} `yaml:"targets"`
	Resources struct {
		Jobs map[string]job `yaml:"jobs"`
	} `yaml:"resources"`
}

// Read reads the bundle in dir. It does not judge: lint does.
func Read(dir string) (*Bundle, error) {
	root, err := source.Root(dir)
	if err != nil {
		return nil, err
	}
	includes, err := source.Includes(dir, root)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Dir: dir, Variables: map[string]string{}}
	documents := []source.Document{root}
	for _, include := range includes {
		for _, file := range include.Files {
			d, err := source.Parse(dir, file)
			if err != nil {
				return nil, err
			}
			documents = append(documents, d)
		}
	}
	for _, d := range documents {
		if err := b.add(d); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Job gives the job with a key.
func (b *Bundle) Job(key string) (Job, bool) {
	for _, j := range b.Jobs {
		if j.Key == key {
			return j, true
		}
	}
	return Job{}, false
}

// Roots lists the jobs that no other job runs, in the file's order: one a tier.
func (b *Bundle) Roots() []Job {
	child := map[string]bool{}
	for _, j := range b.Jobs {
		for _, t := range j.Tasks {
			child[t.RunJob] = true
		}
	}
	var roots []Job
	for _, j := range b.Jobs {
		if !child[j.Key] {
			roots = append(roots, j)
		}
	}
	return roots
}

// Lands reports whether the job is a tier's, which lands events, as against one that
// looks after the tables, or checks the cluster.
func (j Job) Lands() bool {
	for _, t := range j.Tasks {
		if t.EntryPoint != manifest.TaskConsolidate && t.EntryPoint != manifest.TaskDoctor {
			return true
		}
	}
	return false
}

// add takes over what one file says.
func (b *Bundle) add(d source.Document) error {
	var doc document
	file := filepath.Join(b.Dir, filepath.FromSlash(d.File))
	if err := d.Tree.Decode(file, &doc); err != nil {
		return diag.WithHint(err, "`bundlegen generate` rewrites the bundle")
	}
	if doc.Bundle.Name != "" {
		b.Name = doc.Bundle.Name
	}
	for _, e := range entries(d.Tree.Get("variables")) {
		if t := e.Value.Get("type"); t == nil || t.Text != "complex" {
			setScalar(b.Variables, e.Key, e.Value.Get("default"))
		}
	}
	for _, e := range entries(d.Tree.Get("targets")) {
		key := e.Key
		t := doc.Targets[key]
		out := Target{Name: key, Default: t.Default, Mode: t.Mode, Variables: map[string]string{}}
		for _, v := range entries(e.Value.Get("variables")) {
			value := v.Value
			if value.Kind == yamlread.Map {
				value = value.Get("default")
			}
			setScalar(out.Variables, v.Key, value)
		}
		b.Targets = append(b.Targets, out)
	}
	for _, e := range entries(d.Tree.Get("resources", "jobs")) {
		j, err := readJob(file, e.Key, doc.Resources.Jobs[e.Key], e.Value)
		if err != nil {
			return err
		}
		b.Jobs = append(b.Jobs, j)
	}
	return nil
}

// readJob returns one job; at is its tree.
func readJob(file, key string, j job, at *yamlread.Node) (Job, error) {
	out := Job{Key: key, Name: j.Name, MaxConcurrentRuns: j.MaxConcurrentRuns, Continuous: j.Continuous != nil}
	for _, p := range j.Parameters {
		out.Parameters = append(out.Parameters, Parameter(p))
	}
	for i, t := range j.Tasks {
		task, err := readTask(t)
		if err != nil {
			n := at.Get("tasks").Items[i]
			return out, diag.Problem{File: file, Line: n.Line, Column: n.Column,
				Text: fmt.Sprintf("task %q of job %s: %v", t.Key, key, err), Hint: "`bundlegen generate` rewrites the bundle"}
		}
		for _, arg := range task.Args {
			if tier, ok := strings.CutPrefix(arg, "--tier="); ok {
				out.Tier = tier
			}
		}
		out.Tasks = append(out.Tasks, task)
	}
	return out, nil
}

func readTask(t task) (Task, error) {
	out := Task{
		Key:            t.Key,
		RunIf:          "ALL_SUCCESS",
		MaxRetries:     t.MaxRetries,
		RetryInterval:  time.Duration(t.RetryAfterMilli) * time.Millisecond,
		RetryOnTimeout: t.RetryOnTimeout,
		Timeout:        time.Duration(t.TimeoutSeconds) * time.Second,
	}
	if t.RunIf != "" {
		out.RunIf = t.RunIf
	}
	for _, d := range t.DependsOn {
		out.DependsOn = append(out.DependsOn, d.Task)
	}
	switch {
	case t.PythonWheel != nil:
		out.EntryPoint, out.Args = t.PythonWheel.EntryPoint, t.PythonWheel.Parameters
	case t.RunJob != nil:
		key, ok := strings.CutPrefix(t.RunJob.JobID, "${resources.jobs.")
		key, end := strings.CutSuffix(key, ".id}")
		if !ok || !end {
			return out, fmt.Errorf("job_id %q is no job of this bundle; allowed: ${resources.jobs.KEY.id}", t.RunJob.JobID)
		}
		out.RunJob, out.RunParameters = key, t.RunJob.Parameters
	default:
		return out, fmt.Errorf("it has neither a python_wheel_task nor a run_job_task")
	}
	return out, nil
}

// entries returns the entries of a mapping, in the file's order; none of nil.
func entries(n *yamlread.Node) []yamlread.Entry {
	if n == nil {
		return nil
	}
	return n.Entries
}

// setScalar sets a variable to a plain value as it is written; other values are
// passed over.
func setScalar(variables map[string]string, name string, n *yamlread.Node) {
	if n == nil {
		return
	}
	switch n.Kind {
	case yamlread.String, yamlread.Bool, yamlread.Int, yamlread.Float:
		variables[name] = n.Text
	}
}

// variableReference is a reference that the CLI replaces when it deploys.
var variableReference = regexp.MustCompile(`\$\{([^{}]+)\}`)

// Resolve returns the bundle as target sees it: every ${…} in parameters and
// arguments is replaced. given holds values by the name of the reference, such
// as "var.pipeline" or "workspace.file_path", and wins over what the bundle
// says; ${bundle.name} and ${bundle.target} need none. With target "" no target's
// variables apply. A reference without a value is an error. {{…}} stays: it is
// known only when a job runs.
func (b *Bundle) Resolve(target string, given map[string]string) (*Bundle, error) {
	values := map[string]string{"bundle.name": b.Name, "bundle.target": target}
	for name, v := range b.Variables {
		values["var."+name] = v
	}
	if target != "" {
		i := slices.IndexFunc(b.Targets, func(t Target) bool { return t.Name == target })
		if i < 0 {
			var known []string
			for _, t := range b.Targets {
				known = append(known, t.Name)
			}
			return nil, diag.WithHint(fmt.Errorf("the bundle has no target %q; allowed: %s", target, strings.Join(known, ", ")),
				"targets stand in pipeline.yml")
		}
		for name, v := range b.Targets[i].Variables {
			values["var."+name] = v
		}
	}
	maps.Copy(values, given)

	r := resolver{values: values}
	out := *b
	out.Jobs = slices.Clone(b.Jobs)
	for i := range out.Jobs {
		j := &out.Jobs[i]
		j.Name = r.text(j.Name)
		j.Parameters = slices.Clone(j.Parameters)
		for k := range j.Parameters {
			j.Parameters[k].Default = r.text(j.Parameters[k].Default)
		}
		j.Tasks = slices.Clone(j.Tasks)
		for k := range j.Tasks {
			r.task(&j.Tasks[k])
		}
	}
	return &out, r.err
}

// resolver replaces references and keeps the first error.
type resolver struct {
	values map[string]string
	open   []string // references being replaced, to find circles
	err    error
}

func (r *resolver) task(t *Task) {
	args := make([]string, len(t.Args))
	for i, a := range t.Args {
		args[i] = r.text(a)
	}
	t.Args = args
	parameters := make(map[string]string, len(t.RunParameters))
	for name, v := range t.RunParameters {
		parameters[name] = r.text(v)
	}
	t.RunParameters = parameters
}

func (r *resolver) text(s string) string {
	if r.err != nil || !strings.Contains(s, "${") {
		return s
	}
	return variableReference.ReplaceAllStringFunc(s, func(ref string) string {
		name := ref[2 : len(ref)-1]
		value, ok := r.values[name]
		switch {
		case r.err != nil:
			return ref
		case !ok:
			r.err = diag.WithHint(fmt.Errorf("%s has no value", ref), "it is used in %q", s)
			return ref
		case slices.Contains(r.open, name):
			r.err = diag.WithHint(fmt.Errorf("%s refers to itself", ref), "%s", strings.Join(append(r.open, name), " -> "))
			return ref
		}
		r.open = append(r.open, name)
		defer func() { r.open = r.open[:len(r.open)-1] }()
		return r.text(value)
	})
}
