package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	_ "github.com/bundlegen/bundlegen/bundlegen/deploy/internal/cliversion" // the linked CLI knows its version
	"github.com/bundlegen/bundlegen/internal/diag"
)

const (
	// DefaultHello is how long a workspace may take for its first answer.
	DefaultHello = 30 * time.Second
	// DefaultPatience is how long a workspace may be silent later on. Together
	// with DefaultHello and the release of the lock it stays below 120 s.
	DefaultPatience = 75 * time.Second
	// DefaultPoll is how often Run asks how a run is doing.
	DefaultPoll = 10 * time.Second
)

// CLI runs the verbs of `databricks bundle` on emitted bundles. The zero value
// works and says nothing. dir is the folder that holds databricks.yml. One verb at
// a time: the CLI sets the process's default logger while it works.
//
// A verb that fails returns an *Error, which carries what the CLI said and what
// to do about it, or the context's error when ctx was cancelled.
type CLI struct {
	Stdout io.Writer // what the CLI prints as its result
	Stderr io.Writer // progress and warnings; never a secret

	Told *Told // what was told already; nil: each verb tells everything

	Hello    time.Duration // 0: DefaultHello
	Patience time.Duration // 0: DefaultPatience
	Poll     time.Duration // 0: DefaultPoll
}

// Validate checks the bundle strictly: a warning of the CLI is an error.
func (c CLI) Validate(ctx context.Context, dir, target string) error {
	s, err := c.open(ctx, verb{name: "validate", dir: dir, target: target, quiet: true})
	if err != nil {
		return err
	}
	text, err := s.execute("validate", "--strict")
	if err == nil && s.warnings > 0 {
		// The CLI counts only the warnings after loading, and the loading is ours.
		err = fmt.Errorf("%d warning(s) were found; warnings are not allowed in strict mode", s.warnings)
	}
	if err = s.close(err); err == nil {
		_, err = io.WriteString(out(c.Stdout), shown(string(text)))
	}
	return err
}

// Plan returns what Deploy would change, without changing anything.
func (c CLI) Plan(ctx context.Context, dir, target string) (Changes, error) {
	s, err := c.open(ctx, verb{name: "plan", dir: dir, target: target, quiet: true})
	if err != nil {
		return Changes{}, err
	}
	text, err := s.execute("plan", "--output", "json")
	var changes Changes
	if err == nil {
		changes, err = parseChanges(text)
	}
	return changes, s.close(err)
}

// Deploy uploads the bundle's files and applies its resources.
//
// With shown, what is applied is what was shown: the plan is made again, and
// when it differs from shown, nothing is changed and the error is
// ErrPlanChanged. (The CLI's own `deploy --plan FILE` is no help: it skips the
// build step, and so removes the deployed wheels without uploading the new
// ones.)
//
// Without autoApprove the CLI refuses changes that would lose data; an emitted
// bundle holds no schemas, tables or volumes, so those are dashboards only.
//
// Afterwards it removes wheels that no run can need anymore. That this fails is a
// note: the deployment has succeeded.
func (c CLI) Deploy(ctx context.Context, dir, target string, autoApprove bool, shown *Changes) error {
	if shown != nil {
		now, err := c.Plan(ctx, dir, target)
		if err != nil {
			return err
		}
		if !now.same(*shown) {
			return diag.WithHint(ErrPlanChanged, "look at the new plan, then deploy again")
		}
	}
	if err := c.change(ctx, "deploy", dir, target, autoApprove); err != nil {
		return err
	}
	if err := c.removeOldWheels(ctx, dir, target); err != nil {
		fmt.Fprintf(out(c.Stderr), "note: wheels of earlier deployments were not removed: %v\n", err)
	}
	return nil
}

// Destroy removes what Deploy has put into the workspace: jobs, dashboards,
// files. Data stays: no schema, table or volume is in a bundle. Without
// autoApprove it fails, since it does not ask: that is its caller's part.
func (c CLI) Destroy(ctx context.Context, dir, target string, autoApprove bool) error {
	return c.change(ctx, "destroy", dir, target, autoApprove)
}

// change runs one of the two verbs that change the workspace.
func (c CLI) change(ctx context.Context, name, dir, target string, autoApprove bool) error {
	s, err := c.open(ctx, verb{name: name, dir: dir, target: target})
	if err != nil {
		return err
	}
	args := []string{name}
	if autoApprove {
		args = append(args, "--auto-approve")
	}
	text, err := s.execute(args...)
	if err = s.close(err); err == nil {
		_, err = io.WriteString(out(c.Stdout), shown(string(text)))
	}
	return err
}

// Summary is what is deployed, as the CLI knows it.
type Summary struct {
	Bundle   string         // the bundle's name
	Target   string         // the target that was asked for
	Host     string         // the workspace's URL
	User     string         // who asks
	RootPath string         // the deployment's folder in the workspace
	Jobs     map[string]Job // by resource key: NAME_orchestrator, ...
}

// Job is one job of the bundle.
type Job struct {
	ID   string `json:"id"` // "" when it is not deployed
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Summary reads what is deployed on the target.
func (c CLI) Summary(ctx context.Context, dir, target string) (Summary, error) {
	s, err := c.open(ctx, verb{name: "summary", dir: dir, target: target, quiet: true})
	if err != nil {
		return Summary{}, err
	}
	sum, err := s.summary()
	return sum, s.close(err)
}

// summary runs `bundle summary` and reads the part of its JSON that is of use.
func (s *session) summary() (Summary, error) {
	text, err := s.execute("summary", "--output", "json", "--force-pull")
	if err != nil {
		return Summary{}, err
	}
	var doc struct {
		Bundle struct {
			Name   string `json:"name"`
			Target string `json:"target"`
		} `json:"bundle"`
		Workspace struct {
			RootPath    string `json:"root_path"`
			CurrentUser struct {
				UserName string `json:"userName"`
			} `json:"current_user"`
		} `json:"workspace"`
		Resources struct {
			Jobs map[string]Job `json:"jobs"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return Summary{}, fmt.Errorf("the CLI's summary is not the JSON it should be: %w", err)
	}
	return Summary{
		Bundle: doc.Bundle.Name, Target: doc.Bundle.Target, Host: s.client.Config.Host,
		User: doc.Workspace.CurrentUser.UserName, RootPath: doc.Workspace.RootPath,
		Jobs: doc.Resources.Jobs,
	}, nil
}

// out is w, or nowhere.
func out(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// orElse is d, or the default when d is not set.
func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
