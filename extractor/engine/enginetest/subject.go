package enginetest

import (
	"testing"

	"github.com/bundlegen/bundlegen/extractor/engine"
)

// Process is who uses an engine: one attempt of a task.
type Process struct {
	Pipeline string
	RunID    string
	Attempt  int          // 1, 2, 3 …
	Steps    engine.Steps // nil: nobody is told
}

// Subject is a lake under test: the tables of any number of pipelines, and
// their staging folders. The suite calls it from one goroutine at a time, and
// another Subject beside it; the engines that it gives are used from several.
type Subject interface {
	// Engine gives the engine of a process. The suite closes it.
	//
	// The hook is called before each durable step, with no lock held that another
	// engine of the lake may want: the suite stops one engine there and lets others
	// go on. Within one call of a method the hook's calls come one after the other.
	// An error of the hook is the process's death: the method takes no further step.
	Engine(t testing.TB, p Process) engine.Engine

	// Reopen stands for a crash of every process: what was not durable is gone,
	// and no writer is alive. Engines that were given before are of no more use.
	Reopen(t testing.TB)

	// Fresh gives another lake, new and without tables, that goes away with t. It
	// may share whatever is dear to start (a session, a warehouse).
	Fresh(t testing.TB) Subject

	// Query runs one SELECT and gives its rows, every value as text, null as "".
	Query(t testing.TB, query string) [][]string

	// Exec changes tables behind the engines' backs, as an operator might.
	Exec(t testing.TB, statement string)

	// Schema gives the qualified and quoted name of one of tables.Schemas.
	Schema(name string) string

	// Micros is the SQL function that gives a TIMESTAMP's microseconds since 1970.
	Micros() string

	// Schedules says how many schedules of each interleaving the suite may run.
	Schedules() int

	// Rounds says how often partitions land side by side.
	Rounds() int
}
