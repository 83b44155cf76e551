package manifest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Tasks lists the tasks that the emitted jobs run, in the order of a run.
func Tasks() []string { return []string{TaskDiscover, TaskExtract, TaskConsolidate, TaskValidate} }

// flag is one parameter of a task's command line: --name=value.
type flag struct {
	name     string
	value    value
	allowed  string   // the allowed values, for people
	tasks    []string // the tasks that use it
	loop     bool     // an extraction that loops uses it, too
	optional bool     // without it, the field keeps its zero value (attempt: 1)
}

// everyFlag makes an extraction loop.
const everyFlag = "every-seconds"

// flags returns every flag in the order of Args, bound to the fields of p.
func (p *Parameters) flags() []flag {
	const (
		number      = "a number of at least 0"
		positive    = "a number above 0"
		share       = "a share from 0 to 1"
		whole       = "a whole number of at least 0"
		count       = "a whole number of at least 1"
		trueOrFalse = "true or false"
		maxMillis   = math.MaxInt64 / int64(instant.Millisecond)
	)
	all, discover, extract := Tasks(), []string{TaskDiscover}, []string{TaskExtract}
	consolidate, validate := []string{TaskConsolidate}, []string{TaskValidate}
	return []flag{
		{name: "pipeline", value: textOf(&p.Pipeline), tasks: all, allowed: "the pipeline's name"},
		{name: "catalog", value: textOf(&p.Catalog), tasks: all, allowed: "a catalog's name"},
		{
			name:     "schema-prefix",
			value:    anyTextOf(&p.SchemaPrefix),
			tasks:    all,
			optional: true,
			allowed:  "text before each schema's name; empty for none",
		},
		{name: "bundle", value: textOf(&p.Bundle), tasks: all, allowed: "the bundle's root folder"},
		{name: "tier", value: textOf(&p.Tier), tasks: all, allowed: "a tier's name"},
		{name: "run-id", value: textOf(&p.RunID), tasks: all, allowed: "the id of the job's run"},
		{
			name:     "until-ms",
			value:    integerOf(&p.UntilMillis, 0, maxMillis),
			tasks:    all,
			optional: true,
			allowed:  "milliseconds since 1970-01-01Z, " + whole,
		},
		{name: "until", value: instantOf(&p.Until), tasks: all, optional: true, allowed: "an instant such as 2026-01-31T12:00:00Z, or empty"},
		{name: "timeout-seconds", value: integerOf(&p.TimeoutSecs, 0, math.MaxInt32), tasks: all, optional: true, allowed: whole + "; 0 = none"},
		{name: "attempt", value: integerOf(&p.Attempt, 1, math.MaxInt32), tasks: all, optional: true, allowed: count},

		{name: "partition", value: integerOf(&p.Partition, 0, math.MaxInt32), tasks: extract, allowed: whole},
		{name: "site", value: textOf(&p.Site), tasks: extract, allowed: "a site's name"},
		{name: "requests-per-second", value: positiveOf(&p.Limits.RequestsPerSecond), tasks: extract, allowed: positive},
		{name: "connections", value: integerOf(&p.Limits.Connections, 1, math.MaxInt32), tasks: extract, allowed: count},
		{name: "items-per-call", value: integerOf(&p.Limits.ItemsPerCall, 1, math.MaxInt32), tasks: extract, allowed: count},
		{name: "max-window-seconds", value: positiveOf(&p.MaxWindow), tasks: extract, allowed: positive},
		{name: "fail-above", value: shareOf(&p.FailAbove), tasks: extract, allowed: share},
		{name: "tags-per-shard", value: integerOf(&p.TagsPerShard, 1, math.MaxInt32), tasks: extract, allowed: count},
		{
			name:     "shards",
			value:    oneOf(&p.Shards, ShardsOnExecutors, ShardsOnDriver),
			tasks:    extract,
			optional: true,
			allowed:  "executors or driver",
		},

		{name: everyFlag, value: secondsOf(&p.Every), tasks: extract, optional: true, allowed: number + "; 0 = no loop"},
		{name: "loop-seconds", value: secondsOf(&p.Loops), loop: true, allowed: number + "; 0 = once"},
		{name: "lead", value: truthOf(&p.Lead), loop: true, allowed: trueOrFalse},

		{name: "backfill-seconds", value: secondsOf(&p.Backfill), tasks: discover, loop: true, allowed: number},
		{name: "settle-seconds", value: secondsOf(&p.Settle), tasks: discover, loop: true, allowed: number},

		{name: "maintenance", value: truthOf(&p.Maintenance), tasks: consolidate, allowed: trueOrFalse},
		{
			name:    "layout",
			value:   oneOf(&p.Layout, "liquid", "zorder"),
			tasks:   slices.Concat(discover, consolidate),
			loop:    true,
			allowed: "liquid or zorder",
		},

		{name: "min-completeness", value: shareOf(&p.MinCompleteness), tasks: validate, allowed: share},
		{name: "sample-tags", value: integerOf(&p.SampleTags, 0, math.MaxInt32), tasks: validate, allowed: whole + "; 0 = all"},
	}
}

func (f *flag) usedBy(p *Parameters) bool {
	return slices.Contains(f.tasks, p.Task) || f.loop && p.Loop()
}

// Loop reports whether the task is an extraction that loops.
func (p *Parameters) Loop() bool { return p.Task == TaskExtract && p.Every > 0 }

// Args returns the arguments of p.Task as --name=value tokens: every flag that
// the task uses, always in the same order. A reference in refs replaces the value
// of the flag of that name: emitted jobs pass
// {"until-ms": "{{job.parameters.until_ms}}"}. References to flags that the task
// does not use are ignored, so that one map serves all tasks.
func (p Parameters) Args(refs map[string]string) []string {
	var args []string
	for _, f := range p.flags() {
		if !f.usedBy(&p) || f.name == everyFlag && p.Every == 0 {
			continue
		}
		text, ok := refs[f.name]
		if !ok {
			text = f.value.text()
		}
		args = append(args, "--"+f.name+"="+text)
	}
	return args
}

// Parse reads the arguments of a task, as Args writes them, in any order. It is
// strict: an unknown flag, one of another task, one given twice, a value that
// is not allowed and a missing flag are errors, and all of them are reported at
// once, but the missing ones only if no flag is unknown: a misspelt flag is mostly
// the missing one. That is why this is not flag.FlagSet, which stops at the first error, lets
// the last of two values win, and takes a value from the next argument. An empty
// --until= counts as absent; one of until and until-ms is required.
func Parse(task string, args []string) (Parameters, error) {
	p := Parameters{Task: task, Attempt: 1}
	if !slices.Contains(Tasks(), task) {
		return Parameters{}, unknown("task", task, Tasks())
	}
	flags := p.flags()
	var problems []error
	given, misspelt := map[string]bool{}, false
	for _, first := range []bool{true, false} { // whether there is a loop decides which flags are allowed
		for _, arg := range args {
			if strings.HasPrefix(arg, "--"+everyFlag+"=") != first {
				continue
			}
			known, err := p.parseArg(arg, flags, given)
			if err != nil {
				problems = append(problems, err)
			}
			misspelt = misspelt || !known
		}
	}
	if !misspelt {
		problems = append(problems, p.missing(flags, given)...)
	}
	if len(problems) > 0 {
		return Parameters{}, errors.Join(problems...)
	}
	return p, nil
}

// parseArg reads one token into p and marks its flag as given. It reports whether
// there is such a flag.
func (p *Parameters) parseArg(arg string, flags []flag, given map[string]bool) (known bool, err error) {
	rest, isFlag := strings.CutPrefix(arg, "--")
	name, text, hasValue := strings.Cut(rest, "=")
	if !isFlag {
		return false, diag.WithHint(fmt.Errorf("argument %s is not of the form --name=value", quote(arg)),
			"join a flag and its value by =, without a space")
	}
	i := slices.IndexFunc(flags, func(f flag) bool { return f.name == name })
	switch {
	case i < 0:
		return false, unknown("flag", "--"+name, p.flagNames(flags))
	case !flags[i].usedBy(p):
		owners := flags[i].tasks
		if flags[i].loop {
			owners = append(slices.Clone(owners), "an extract with --"+everyFlag)
		}
		return true, diag.WithHint(fmt.Errorf("flag --%s is not one of %s", name, p.Task), "it belongs to %s", strings.Join(owners, ", "))
	case !hasValue:
		return true, diag.WithHint(fmt.Errorf("flag --%s has no value; allowed: %s", name, flags[i].allowed), "write --%s=VALUE", name)
	case given[name]:
		return true, diag.WithHint(fmt.Errorf("flag --%s is there twice", name), "leave one of them out")
	}
	given[name] = true
	if !flags[i].value.set(text) {
		return true, diag.WithHint(fmt.Errorf("flag --%s: %s is not allowed", name, quote(text)), "allowed is %s", flags[i].allowed)
	}
	return true, nil
}

// missing reports the flags that the task needs and was not given.
func (p *Parameters) missing(flags []flag, given map[string]bool) []error {
	var problems []error
	for _, f := range flags {
		if f.usedBy(p) && !f.optional && !given[f.name] {
			problems = append(problems, diag.WithHint(fmt.Errorf("flag --%s is missing", f.name), "%s needs it: %s", p.Task, f.allowed))
		}
	}
	if !given["until-ms"] && p.Until == "" && !given["until"] {
		problems = append(problems, diag.WithHint(errors.New("flag --until-ms is missing"),
			"%s needs it, or --until with an instant", p.Task))
	} else if !given["until-ms"] && p.Until == "" {
		problems = append(problems, diag.WithHint(errors.New("flag --until is empty and --until-ms is missing"), "give one of them"))
	}
	return problems
}

// Usage lists the flags of a task and what each takes, one a line, for --help.
func Usage(task string) string {
	var b strings.Builder
	loop := Parameters{Task: task, Every: 1}
	for _, f := range loop.flags() {
		if !f.usedBy(&loop) {
			continue
		}
		note := ""
		switch {
		case f.optional:
			note = " (optional)"
		case !slices.Contains(f.tasks, task):
			note = " (with --" + everyFlag + ")"
		}
		fmt.Fprintf(&b, "   --%-20s %s%s\n", f.name+"=", f.allowed, note)
	}
	return b.String()
}

func (p *Parameters) flagNames(flags []flag) []string {
	var names []string
	for _, f := range flags {
		if f.usedBy(p) {
			names = append(names, "--"+f.name)
		}
	}
	return names
}

func unknown(what, name string, known []string) error {
	return diag.WithHint(fmt.Errorf("there is no %s %s", what, quote(name)), "%s",
		suggest.Hint(name, known, "allowed are "+strings.Join(known, ", ")))
}

// quote shows a value in an error: quoted, and cut where it is long.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
