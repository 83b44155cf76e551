package localrun

import (
	"fmt"
	"slices"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// State is what became of a task.
type State int

// The states of a task. Everything from Succeeded on is an end.
const (
	Waiting State = iota
	Running
	Succeeded
	Partial // counts as a success, as on Databricks
	Failed
	Skipped   // its run_if was not met, or what it depends on was skipped
	Cancelled // a person ended the run
	Stopped   // so, where it loops until then: its normal end
)

func (s State) String() string {
	return [...]string{"waiting", "running", "ok", "partial", "failed", "skipped", "cancelled", "stopped"}[s]
}

// atTheEnd is the state in words once its job has ended.
func (s State) atTheEnd() string {
	if s == Waiting {
		return "not begun"
	}
	return s.String()
}

func (s State) ended() bool { return s >= Succeeded }

// node is a task of the graph, as far as the order of tasks goes.
type node struct {
	dependsOn []int
	runIf     string // "" is ALL_SUCCESS
	state     State
}

// graph is the order of a job's tasks. It is not safe for concurrent use.
type graph []node

// ready gives the tasks that may start now, and marks those that never will as
// skipped; what follows from a skip is seen in the same call.
func (g graph) ready() []int {
	var out []int
	for changed := true; changed; {
		changed = false
		out = out[:0]
		for i := range g {
			if g[i].state != Waiting || !g.dependenciesEnded(i) {
				continue
			}
			if g.met(i) {
				out = append(out, i)
			} else {
				g[i].state, changed = Skipped, true
			}
		}
	}
	return out
}

func (g graph) dependenciesEnded(i int) bool {
	return !slices.ContainsFunc(g[i].dependsOn, func(d int) bool { return !g[d].state.ended() })
}

// met says whether run_if holds, by Databricks' rules.
func (g graph) met(i int) bool {
	count := map[State]int{}
	for _, d := range g[i].dependsOn {
		count[g[d].state]++
	}
	n := len(g[i].dependsOn)
	ok, failed, skipped := count[Succeeded]+count[Partial], count[Failed], count[Skipped]
	switch g[i].runIf {
	case "", "ALL_SUCCESS":
		return ok == n
	case "AT_LEAST_ONE_SUCCESS":
		return ok > 0
	case "NONE_FAILED":
		return failed == 0 && skipped < max(n, 1)
	case "AT_LEAST_ONE_FAILED":
		return failed > 0
	case "ALL_FAILED":
		return failed == n
	default: // ALL_DONE
		return true
	}
}

// stuck says why a graph that has nothing running cannot go on.
func (g graph) stuck(keys []string) error {
	for i := range g {
		if !g[i].state.ended() {
			return diag.WithHint(fmt.Errorf("task %q waits for itself: its dependencies form a circle", keys[i]), "bundlegen generate")
		}
	}
	return nil
}
