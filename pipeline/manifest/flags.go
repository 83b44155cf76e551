package manifest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Tasks lists the tasks that the emitted jobs run, in the order of a run.
func Tasks() []string { return []string{TaskDiscover, TaskExtract, TaskConsolidate, TaskValidate} }

// flag is one parameter as it stands on a task's command line: --name=value.
type flag struct {
	name     string
	tasks    []string // the tasks that use it; nil = all
	loop     bool     // an extraction that loops uses it, too
	optional bool     // may be left out: its field then keeps its zero value (attempt: 1)
	allowed  string   // what a value has to be, for people
	field    func(*Parameters) value
}

// value reads and writes one field of Parameters as text.
type value interface {
	text() string
	set(string) error // any error means: not what the flag allows
}

// flags is every flag, in the order in which Args writes them.
var flags = []flag{
	{name: "pipeline", allowed: "the pipeline's name", field: func(p *Parameters) value { return textOf(&p.Pipeline) }},
	{name: "catalog", allowed: "a catalog's name", field: func(p *Parameters) value { return textOf(&p.Catalog) }},
	{name: "schema-prefix", optional: true, allowed: "text before each schema's name; empty for none", field: func(p *Parameters) value { return optionalOf(&p.SchemaPrefix) }},
	{name: "bundle", allowed: "the bundle's root folder", field: func(p *Parameters) value { return textOf(&p.Bundle) }},
	{name: "tier", allowed: "a tier's name", field: func(p *Parameters) value { return textOf(&p.Tier) }},
	{name: "run-id", allowed: "the id of the job's run", field: func(p *Parameters) value { return textOf(&p.RunID) }},
	{name: "until-ms", optional: true, allowed: "milliseconds since 1970-01-01Z, a whole number of at least 0", field: func(p *Parameters) value {
		return integerOf(&p.UntilMillis, 0, math.MaxInt64/int64(instant.Millisecond))
	}},
	{name: "until", optional: true, allowed: "an instant such as 2026-01-31T12:00:00Z, or empty", field: func(p *Parameters) value { return (*instantText)(&p.Until) }},
	{name: "timeout-seconds", optional: true, allowed: "a whole number of at least 0; 0 = none", field: func(p *Parameters) value { return integerOf(&p.TimeoutSecs, 0, math.MaxInt32) }},
	{name: "attempt", optional: true, allowed: "a whole number of at least 1", field: func(p *Parameters) value { return integerOf(&p.Attempt, 1, math.MaxInt32) }},

	{name: "partition", tasks: only(TaskExtract), allowed: "a whole number of at least 0", field: func(p *Parameters) value { return integerOf(&p.Partition, 0, math.MaxInt32) }},
	{name: "site", tasks: only(TaskExtract), allowed: "a site's name", field: func(p *Parameters) value { return textOf(&p.Site) }},
	{name: "requests-per-second", tasks: only(TaskExtract), allowed: "a number above 0", field: func(p *Parameters) value { return positiveOf(&p.Limits.RequestsPerSecond) }},
	{name: "connections", tasks: only(TaskExtract), allowed: "a whole number of at least 1", field: func(p *Parameters) value { return integerOf(&p.Limits.Connections, 1, math.MaxInt32) }},
	{name: "items-per-call", tasks: only(TaskExtract), allowed: "a whole number of at least 1", field: func(p *Parameters) value { return integerOf(&p.Limits.ItemsPerCall, 1, math.MaxInt32) }},
	{name: "max-window-seconds", tasks: only(TaskExtract), allowed: "a number above 0", field: func(p *Parameters) value { return positiveOf(&p.MaxWindow) }},
	{name: "fail-above", tasks: only(TaskExtract), allowed: "a share from 0 to 1", field: func(p *Parameters) value { return shareOf(&p.FailAbove) }},
	{name: "tags-per-shard", tasks: only(TaskExtract), allowed: "a whole number of at least 1", field: func(p *Parameters) value { return integerOf(&p.TagsPerShard, 1, math.MaxInt32) }},
	{name: "shards", tasks: only(TaskExtract), optional: true, allowed: "executors or driver", field: func(p *Parameters) value { return (*place)(&p.Shards) }},

	{name: everyFlag, tasks: only(TaskExtract), optional: true, allowed: "a number of at least 0; 0 = no loop", field: func(p *Parameters) value { return secondsOf(&p.Every) }},
	{name: "loop-seconds", tasks: only(), loop: true, allowed: "a number of at least 0; 0 = once", field: func(p *Parameters) value { return secondsOf(&p.Loops) }},
	{name: "lead", tasks: only(), loop: true, allowed: "true or false", field: func(p *Parameters) value { return (*truth)(&p.Lead) }},

	{name: "backfill-seconds", tasks: only(TaskDiscover), loop: true, allowed: "a number of at least 0", field: func(p *Parameters) value { return secondsOf(&p.Backfill) }},
	{name: "settle-seconds", tasks: only(TaskDiscover), loop: true, allowed: "a number of at least 0", field: func(p *Parameters) value { return secondsOf(&p.Settle) }},

	{name: "maintenance", tasks: only(TaskConsolidate), allowed: "true or false", field: func(p *Parameters) value { return (*truth)(&p.Maintenance) }},
	{name: "layout", tasks: only(TaskDiscover, TaskConsolidate), loop: true, allowed: "liquid or zorder", field: func(p *Parameters) value { return (*layout)(&p.Layout) }},

	{name: "min-completeness", tasks: only(TaskValidate), allowed: "a share from 0 to 1", field: func(p *Parameters) value { return shareOf(&p.MinCompleteness) }},
	{name: "sample-tags", tasks: only(TaskValidate), allowed: "a whole number of at least 0; 0 = all", field: func(p *Parameters) value { return integerOf(&p.SampleTags, 0, math.MaxInt32) }},
}

// everyFlag makes an extraction loop.
const everyFlag = "every-seconds"

// only lists the tasks that use a flag. It is not nil.
func only(tasks ...string) []string { return append([]string{}, tasks...) }

func (f *flag) usedBy(p *Parameters) bool {
	return f.tasks == nil || slices.Contains(f.tasks, p.Task) || f.loop && p.Loop()
}

// Loop says whether the task is an extraction that loops.
func (p *Parameters) Loop() bool { return p.Task == TaskExtract && p.Every > 0 }

// Args gives the arguments of p.Task as --name=value tokens: every flag that
// the task uses, always in the same order. A reference in refs replaces the
// value of the flag of that name, as it is: emitted jobs say
// {"until-ms": "{{job.parameters.until_ms}}"} there. References of flags that
// the task does not use are left aside, so that one map serves all tasks.
func (p Parameters) Args(refs map[string]string) []string {
	var args []string
	for i := range flags {
		f := &flags[i]
		if !f.usedBy(&p) || f.name == everyFlag && p.Every == 0 {
			continue
		}
		text, ok := refs[f.name]
		if !ok {
			text = f.field(&p).text()
		}
		args = append(args, "--"+f.name+"="+text)
	}
	return args
}

// Parse reads the arguments of a task, as Args writes them, in any order. It is
// strict: an unknown flag, one of another task, one given twice, a value that
// is not allowed and a missing flag are errors, and all of them are reported at
// once. An empty --until= is as good as none; one of until and until-ms has to
// be there.
func Parse(task string, args []string) (Parameters, error) {
	p := Parameters{Task: task, Attempt: 1}
	if !slices.Contains(Tasks(), task) {
		return Parameters{}, unknown("task", task, Tasks())
	}
	var problems []error
	given := map[string]bool{}
	for _, arg := range loopFirst(args) {
		if err := p.parseArg(arg, given); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, p.missing(given)...)
	if len(problems) > 0 {
		return Parameters{}, errors.Join(problems...)
	}
	return p, nil
}

// loopFirst gives the arguments in an order in which the one that says whether
// there is a loop comes before those that only a loop has.
func loopFirst(args []string) []string {
	sorted := slices.Clone(args)
	slices.SortStableFunc(sorted, func(a, b string) int {
		return boolToInt(strings.HasPrefix(b, "--"+everyFlag+"=")) - boolToInt(strings.HasPrefix(a, "--"+everyFlag+"="))
	})
	return sorted
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// parseArg reads one token into p and marks its flag as given.
func (p *Parameters) parseArg(arg string, given map[string]bool) error {
	rest, isFlag := strings.CutPrefix(arg, "--")
	name, text, hasValue := strings.Cut(rest, "=")
	if !isFlag {
		return fmt.Errorf("argument %s is not of the form --name=value\nhint: join a flag and its value by =, without a space", quote(arg))
	}
	i := slices.IndexFunc(flags, func(f flag) bool { return f.name == name })
	switch {
	case i < 0:
		return unknown("flag", "--"+name, flagNames(p))
	case !flags[i].usedBy(p):
		owners := flags[i].tasks
		if flags[i].loop {
			owners = append(only(owners...), "an extract with --"+everyFlag)
		}
		return fmt.Errorf("flag --%s is not one of %s\nhint: it belongs to %s", name, p.Task, strings.Join(owners, ", "))
	case !hasValue:
		return fmt.Errorf("flag --%s has no value; allowed: %s\nhint: write --%s=VALUE", name, flags[i].allowed, name)
	case given[name]:
		return fmt.Errorf("flag --%s is there twice\nhint: leave one of them out", name)
	}
	given[name] = true
	if err := flags[i].field(p).set(text); err != nil {
		return fmt.Errorf("flag --%s: %s is not allowed\nhint: allowed is %s", name, quote(text), flags[i].allowed)
	}
	return nil
}

// missing reports the flags that the task needs and was not given.
func (p *Parameters) missing(given map[string]bool) []error {
	var problems []error
	for i := range flags {
		f := &flags[i]
		if f.usedBy(p) && !f.optional && !given[f.name] {
			problems = append(problems, fmt.Errorf("flag --%s is missing\nhint: %s needs it: %s", f.name, p.Task, f.allowed))
		}
	}
	if !given["until-ms"] && p.Until == "" && !given["until"] {
		problems = append(problems, fmt.Errorf("flag --until-ms is missing\nhint: %s needs it, or --until with an instant", p.Task))
	} else if !given["until-ms"] && p.Until == "" {
		problems = append(problems, errors.New("flag --until is empty and --until-ms is missing\nhint: give one of them"))
	}
	return problems
}

// Usage lists the flags of a task and what each takes, one a line, for --help.
func Usage(task string) string {
	var b strings.Builder
	for i := range flags {
		f := &flags[i]
		p := Parameters{Task: task, Every: 1}
		if !f.usedBy(&p) {
			continue
		}
		note := ""
		switch p.Every = 0; {
		case f.optional:
			note = " (optional)"
		case !f.usedBy(&p):
			note = " (with --" + everyFlag + ")"
		}
		fmt.Fprintf(&b, "  --%-20s %s%s\n", f.name+"=", f.allowed, note)
	}
	return b.String()
}

func flagNames(p *Parameters) []string {
	var names []string
	for i := range flags {
		if flags[i].usedBy(p) {
			names = append(names, "--"+flags[i].name)
		}
	}
	return names
}

func unknown(what, name string, known []string) error {
	hint := suggest.Hint(name, known, "known are "+strings.Join(known, ", "))
	return fmt.Errorf("unknown %s %s\nhint: %s", what, quote(name), hint)
}

// quote shows a value in an error: quoted, and cut where it is long.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
