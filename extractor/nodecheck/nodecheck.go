package nodecheck

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Finding is what one check found.
type Finding struct {
	Check   string         `json:"check"`             // node, site, heartbeat, reach, folder, listed
	Subject string         `json:"subject,omitempty"` // a site's name, a folder
	State   State          `json:"state"`
	Figures map[string]any `json:"figures,omitempty"` // what was measured, by its name
	Detail  string         `json:"detail,omitempty"`  // the operating system's or the site's own words
}

// State is what a finding means.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
)

// Node is what a check has of the process that it runs in.
type Node struct {
	Stdin  io.Reader
	Stdout io.Writer
	Getenv func(string) (string, bool) // where secrets are found
}

// checks are the checks by name, each with the arguments that it takes.
var checks = map[string]struct {
	arguments string
	run       func(ctx context.Context, n Node, args []string) error
}{
	"node":      {"", func(_ context.Context, n Node, _ []string) error { return n.tell(describe()) }},
	"sites":     {"[BUNDLE]", sites},
	"heartbeat": {"HOST", heartbeat},
	"reach":     {"ADDRESS", reach},
	"folder":    {"FOLDER", func(_ context.Context, n Node, args []string) error { return n.tell(tryFolder(args[0])) }},
	"listed":    {"FOLDER", listed},
}

// Run makes one check: args are its name and what it takes. A check that finds
// something wrong is no error; one that cannot be made is.
func Run(ctx context.Context, n Node, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	c, ok := checks[args[0]]
	if !ok {
		return diag.WithHint(
			fmt.Errorf("no check of a node is called %s", strconv.Quote(args[0])),
			"node, sites, heartbeat, reach, folder and listed are",
		)
	}
	given, takes := len(args)-1, len(strings.Fields(c.arguments))
	if given != takes && (given != 0 || !strings.HasPrefix(c.arguments, "[")) {
		return diag.WithHint(fmt.Errorf("the check %s takes %d arguments, and these are %d", args[0], takes, given),
			"pi-extractor doctor %s %s", args[0], c.arguments)
	}
	return c.run(ctx, n, args[1:])
}

// tell writes findings, each on a line.
func (n Node) tell(findings ...Finding) error {
	lines := json.NewEncoder(n.Stdout)
	lines.SetEscapeHTML(false)
	for _, f := range findings {
		if err := lines.Encode(f); err != nil {
			return err
		}
	}
	return nil
}
