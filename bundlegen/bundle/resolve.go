package bundle

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// variableReference is a reference that the CLI replaces when it deploys.
var variableReference = regexp.MustCompile(`\$\{([^{}]+)\}`)

// Resolve gives the bundle as target sees it: every ${…} in parameters and
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
