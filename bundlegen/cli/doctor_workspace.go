package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	bundleconfig "github.com/databricks/cli/bundle/config"
	"github.com/databricks/databricks-sdk-go"
	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	wscheck "github.com/bundlegen/bundlegen/bundlegen/doctor/workspace"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/text"
)

// examinedTarget is `doctor -t TARGET --output json`. Fields are only ever added.
type examinedTarget struct {
	Version int              `json:"version"`
	Target  string           `json:"target"`
	Green   bool             `json:"green"`   // no check failed
	Bundles []examinedBundle `json:"bundles"` // one for each region
	Next    string           `json:"next"`
}

type examinedBundle struct {
	Region   string           `json:"region,omitempty"`
	Findings []doctor.Finding `json:"findings"`
}

// doctorOfTarget asks the workspaces of a target what would keep the bundles from running.
func doctorOfTarget(c *cli.Context) error {
	parts, name, err := bundlesAndTarget(c)
	if err != nil {
		return err
	}
	var all doctor.Report
	document := examinedTarget{Version: documentVersion, Target: name, Bundles: []examinedBundle{}}
	failed := workflow.Each(c.Context, parts, func(p *workflow.Region) error {
		found, err := lookAtWorkspace(c, p, name)
		all.Add(found...)
		document.Bundles = append(document.Bundles, examinedBundle{Region: p.Name(), Findings: found})
		showFindings(c, p.Name(), found)
		return err
	})
	document.Green, document.Next = failed == nil && !all.Red(), fmt.Sprintf("bundlegen deploy%s%s -t %s", withConfig(c), withRegion(c), name)
	if !document.Green {
		document.Next = fmt.Sprintf("bundlegen doctor%s%s -t %s", withConfig(c), withRegion(c), name)
	}
	if asJSON(c) {
		failed = errors.Join(failed, printJSON(c, document))
	} else {
		fmt.Fprintf(c.App.Writer, "next: %s\n", document.Next)
	}
	if failed == nil && all.Red() {
		return exit(exitError)
	}
	return failed
}

// lookAtWorkspace asks a target's workspace.
func lookAtWorkspace(c *cli.Context, p *workflow.Region, name string) ([]doctor.Finding, error) {
	found := []doctor.Finding{}
	look := func(ctx context.Context, client *databricks.WorkspaceClient, resolved func() (*bundleconfig.Root, error)) error {
		found = wscheck.Check(ctx, client, func() (wscheck.Needs, error) {
			root, err := resolved()
			if err != nil {
				return wscheck.Needs{}, err
			}
			return wscheck.NeedsOf(root, p.Config.Compute.Cloud)
		})
		return context.Cause(ctx)
	}
	err := workspace(c).Inspect(c.Context, p.Dir(), name, look)
	return found, err
}

// marks stand before a finding.
var marks = map[doctor.State]string{doctor.OK: "ok", doctor.Warn: "WARN", doctor.Fail: "FAIL", doctor.Skipped: "skipped"}

// showFindings prints a line for each finding, and its cure below it: commands to
// paste, which nothing may wrap.
func showFindings(c *cli.Context, region string, found []doctor.Finding) {
	out := resultWriter(c)
	if region != "" {
		fmt.Fprintf(out, "region %s\n", region)
	}
	for _, f := range found {
		line := fmt.Sprintf("%-8s%-18s %s", marks[f.State], f.Check, text.Line(f.What))
		if f.Subject != "" {
			line += " (" + text.Line(f.Subject) + ")"
		}
		if f.Detail != "" {
			line += "; " + text.Line(f.Detail)
		}
		fmt.Fprintln(out, line)
		for cure := range strings.Lines(f.Cure) {
			fmt.Fprintf(out, "        -> %s\n", text.Line(strings.TrimRight(cure, "\n")))
		}
	}
}
