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

// does says what each task does, in one line.
var does = map[string]string{
	manifest.TaskDiscover:    "claims the tables, recovers, assigns tags to partitions, records the run",
	manifest.TaskExtract:     "lands a partition's events up to the run's instant",
	manifest.TaskConsolidate: "compacts watermarks and lays out bronze for readers",
	manifest.TaskValidate:    "compares what was landed with what PI counts",
}

// information returns what a command line that runs no task asks for: help or the
// version; "" where it runs one. The layout is that of the other programs, whose
// parser of flags the static program does without.
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
	case name == shardCommand && len(rest) == 0:
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

// noTask refuses the name of no task.
func noTask(name string) error {
	known := append(manifest.Tasks(), "help", "version")
	return diag.WithHint(fmt.Errorf("no task is called %q", name), "%spi-extractor --help lists all", suggest.Lead(name, known))
}

// helpOf says what a task does and which parameters it has.
func helpOf(task string, engines map[string]OpenEngine) (string, error) {
	if !slices.Contains(manifest.Tasks(), task) {
		return "", noTask(task)
	}
	return fmt.Sprintf(`NAME:
   pi-extractor %[1]s - %[2]s

USAGE:
   pi-extractor %[1]s [--engine=ENGINE] [--data=FOLDER] --NAME=VALUE…

OPTIONS:
%[3]s   --engine=              where the tables are: %[4]s (optional)
   --data=                DuckDB's folder (optional)
   --help, -h             show help
`, task, does[task], manifest.Usage(task), names(engines)), nil
}

// help says what the program does.
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
   The parameters of a task are those that the emitted job gives it.
   bundlegen run --local runs all tasks of a job on this machine.
   On a cluster's workers Spark starts pi-extractor %s, which reads its work from
   standard input and writes an Arrow stream to standard output.

   Engines of this build: %s. DuckDB's tables are in the folder of --data.

   Exit codes: 0 ok, 1 error, 3 partial success, 130 cancelled.

COMMANDS:
%s   help         shows all tasks, or the parameters of one
   version      prints the program's version

GLOBAL OPTIONS:
   --help, -h     show help
   --version, -v  print the version
`, program.Version(), shardCommand, names(engines), tasks.String())
}
