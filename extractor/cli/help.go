package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// does describes each task in one line.
var does = map[string]string{
	manifest.TaskDiscover:    "claims the tables, recovers pending batches, assigns tags to partitions, records the run",
	manifest.TaskExtract:     "lands a partition's events up to the run's instant",
	manifest.TaskConsolidate: "compacts watermarks and optimizes bronze for readers",
	manifest.TaskValidate:    "compares what was landed with what PI counts",
}

// information returns the help or the version, if the command line asks for one, and
// "" if it runs a task. The layout is that of the other programs, whose flag parser
// the static binary does without.
func information(args []string, engines map[string]OpenEngine) (string, error) {
	name, rest := "help", args
	if len(args) > 0 {
		name, rest = args[0], args[1:]
	}
	switch {
	case name == "help" && len(rest) > 1:
		return "", diag.WithHint(fmt.Errorf("help is about one task, and these are %d", len(rest)), "pi-extractor help %s", rest[0])
	case name == "help" && len(rest) == 1 && rest[0] != "help" && rest[0] != "version":
		return helpOf(rest[0], engines)
	case slices.Contains([]string{"help", "--help", "-h"}, name):
		return help(engines), nil
	case slices.Contains([]string{"version", "--version", "-v"}, name):
		return fmt.Sprintf("pi-extractor version %s\n", program.Version()), nil
	case slices.Contains(rest, "--help"), slices.Contains(rest, "-h"):
		return helpOf(name, engines)
	case name == shardCommand && len(rest) == 0, name == manifest.TaskDoctor:
		return "", nil
	case name == "reconcile":
		return "", diag.WithHint(errors.New("reconcile is not part of this version"),
			"events that arrive or change late are not read again yet")
	case strings.HasPrefix(name, "-"):
		return "", diag.WithHint(fmt.Errorf("the first argument is a task, and %q is none", name),
			"pi-extractor TASK %s; pi-extractor --help lists the tasks", name)
	case !slices.Contains(manifest.Tasks(), name):
		return "", noTask(name)
	}
	return "", nil
}

// noTask returns the error for the name of no task.
func noTask(name string) error {
	known := append(manifest.Tasks(), manifest.TaskDoctor, "help", "version")
	return diag.WithHint(fmt.Errorf("no task is called %q", name), "%spi-extractor --help lists all", suggest.Lead(name, known))
}

// helpOf returns the help of a task: what it does and its parameters.
func helpOf(task string, engines map[string]OpenEngine) (string, error) {
	if !slices.Contains(manifest.Tasks(), task) {
		return "", noTask(task)
	}
	return fmt.Sprintf(`NAME:
   pi-extractor %[1]s - %[2]s

USAGE:
   pi-extractor %[1]s [--engine=ENGINE] [--data=FOLDER] --NAME=VALUE…

OPTIONS:
%[3]s   --engine=              engine that holds the tables: %[4]s (optional)
   --data=                folder of DuckDB's tables (optional)
   --help, -h             show help
`, task, does[task], manifest.Usage(task), names(engines)), nil
}

// help returns the help of the program.
func help(engines map[string]OpenEngine) string {
	var tasks strings.Builder
	for _, task := range manifest.Tasks() {
		fmt.Fprintf(&tasks, "   %-11s  %s\n", task, does[task])
	}
	return fmt.Sprintf(`NAME:
   pi-extractor - runs one task of a bundle's job: reads PI Web API and lands every event exactly once

USAGE:
   pi-extractor TASK [--engine=ENGINE] [--data=FOLDER] --NAME=VALUE…

VERSION:
   %s

DESCRIPTION:
   The parameters of a task are those that the generated job passes.
   bundlegen run --local runs all tasks of a job on this machine.
   Spark starts pi-extractor %s on a cluster's workers: it reads its work from
   standard input and writes an Arrow stream to standard output. The wheel's
   doctor starts pi-extractor %s CHECK, which writes its findings as JSON.

   Engines of this build: %s. DuckDB keeps its tables in the folder of --data.

   Exit codes: 0 ok, 1 error, 3 partial success, 130 cancelled.

COMMANDS:
%s   help         shows all tasks, or the parameters of one task
   version      prints the program's version

GLOBAL OPTIONS:
   --help, -h     show help
   --version, -v  print the version
`, program.Version(), shardCommand, manifest.TaskDoctor, names(engines), tasks.String())
}
