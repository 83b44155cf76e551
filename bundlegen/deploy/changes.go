package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Changes is what a deployment would change, read from `bundle plan -o json`.
type Changes struct {
	Add       int      `json:"add"`
	Change    int      `json:"change"`
	Delete    int      `json:"delete"`
	Unchanged int      `json:"unchanged"`
	Actions   []Action `json:"actions"` // what changes, by resource; empty when nothing does

	state string               // which deployment state the plan was made from
	plan  map[string]planEntry // by resource, what same compares
}

// Action is one resource's change.
type Action struct {
	Kind     string `json:"kind"`     // create, update, resize, recreate or delete
	Resource string `json:"resource"` // jobs.osipi_connector_orchestrator, dashboards.x, ...
}

// Any reports whether a deployment would change a resource. It may upload files
// even when it does not.
func (c Changes) Any() bool { return c.Add+c.Change+c.Delete > 0 }

// String is the summary line, worded as the CLI words it.
func (c Changes) String() string {
	return fmt.Sprintf("%d to add, %d to change, %d to delete, %d unchanged", c.Add, c.Change, c.Delete, c.Unchanged)
}

// same reports whether both would do the same to the same deployment.
func (c Changes) same(d Changes) bool {
	return c.state == d.state && maps.Equal(c.plan, d.plan)
}

// planEntry is one resource's part of a plan. Its remote state is left out: what
// matters of it shows in the action.
type planEntry struct{ id, action, newState string }

// parseChanges reads the CLI's plan, format version 2.
func parseChanges(text []byte) (Changes, error) {
	var doc struct {
		Lineage string `json:"lineage"`
		Serial  int    `json:"serial"`
		Plan    map[string]struct {
			ID       string          `json:"id"`
			Action   string          `json:"action"`
			NewState json.RawMessage `json:"new_state"`
		} `json:"plan"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return Changes{}, fmt.Errorf("the CLI's plan is not the JSON it should be: %w", err)
	}
	c := Changes{
		state: fmt.Sprintf("%s #%d", doc.Lineage, doc.Serial),
		plan:  make(map[string]planEntry, len(doc.Plan)),
	}
	for _, key := range slices.Sorted(maps.Keys(doc.Plan)) {
		entry := doc.Plan[key]
		var state bytes.Buffer
		if len(entry.NewState) > 0 {
			if err := json.Compact(&state, entry.NewState); err != nil {
				return Changes{}, fmt.Errorf("the CLI's plan for %s: %w", key, err)
			}
		}
		c.plan[key] = planEntry{entry.ID, entry.Action, state.String()}
		if err := c.count(strings.TrimPrefix(key, "resources."), entry.Action); err != nil {
			return Changes{}, err
		}
	}
	return c, nil
}

// count adds one resource's action to the sums, as `bundle plan` does: a
// recreated resource is both deleted and added.
func (c *Changes) count(resource, action string) error {
	kind, _, _ := strings.Cut(action, "_") // update_id is an update
	switch kind {
	case "create":
		c.Add++
	case "update", "resize":
		c.Change++
	case "delete":
		c.Delete++
	case "recreate":
		c.Add++
		c.Delete++
	case "skip", "":
		c.Unchanged++
		return nil
	default:
		return fmt.Errorf("the CLI's plan has an action %q for %s that is not known here", action, resource)
	}
	c.Actions = append(c.Actions, Action{Kind: kind, Resource: resource})
	return nil
}
