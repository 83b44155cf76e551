package lint

import (
	"slices"
	"strings"
)

// taskCircle reports tasks that wait for each other.
func (c *checker) taskCircle(tasks []place) {
	after := map[string][]string{}
	at := map[string]place{}
	var order []string
	for _, t := range tasks {
		key := t.get("task_key").text()
		if _, twice := at[key]; !twice {
			order = append(order, key)
		}
		at[key] = t
		for _, d := range t.get("depends_on").items() {
			after[key] = append(after[key], d.get("task_key").text())
		}
	}
	if circle := findCircle(order, after); circle != nil {
		c.addKey(
			at[circle[0]].get("depends_on"),
			strings.Join(circle, " -> "),
			"the tasks wait for each other",
			"",
			"leave one of the dependencies out",
		)
	}
}

// jobCircles reports jobs that run each other without end.
func (c *checker) jobCircles() {
	after := map[string][]string{}
	var order []string
	for _, r := range c.order {
		key, isJob := strings.CutPrefix(r.path, "resources.jobs.")
		if !isJob {
			continue
		}
		order = append(order, key)
		for _, t := range r.get("tasks").items() {
			if child, ok := jobReference(t.get("run_job_task").get("job_id").text()); ok {
				after[key] = append(after[key], child)
			}
		}
	}
	if circle := findCircle(order, after); circle != nil {
		c.addKey(c.kinds["jobs"][circle[0]], strings.Join(circle, " -> "), "the jobs run each other without end", "", regenerate)
	}
}

// jobReference gives the key in ${resources.jobs.KEY.id}.
func jobReference(s string) (key string, ok bool) {
	s, ok = strings.CutPrefix(s, "${resources.jobs.")
	s, end := strings.CutSuffix(s, ".id}")
	return s, ok && end
}

// findCircle gives the first circle in a graph, its first node once more at the
// end; nil if there is none. It does not recurse: a chain may be long.
func findCircle(order []string, after map[string][]string) []string {
	const open, done = 1, 2
	state := map[string]int{}
	for _, start := range order {
		if state[start] != 0 {
			continue
		}
		path, next := []string{start}, []int{0}
		state[start] = open
		for len(path) > 0 {
			last := len(path) - 1
			node := path[last]
			if next[last] == len(after[node]) {
				state[node] = done
				path, next = path[:last], next[:last]
				continue
			}
			to := after[node][next[last]]
			next[last]++
			switch state[to] {
			case open:
				return append(path[slices.Index(path, to):], to)
			case 0:
				state[to] = open
				path, next = append(path, to), append(next, 0)
			}
		}
	}
	return nil
}
