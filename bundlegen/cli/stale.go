package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

// warnStale warns before a run of bundles that generate would change. A clone with a
// bundle and no inventory has nothing to compare with, and runs it without a warning;
// anything else that prevents comparing is a warning.
func warnStale(c *cli.Context, project *workflow.Project) {
	now := &workflow.Project{Pipeline: project.Pipeline} // planned, compared and forgotten
	for _, p := range project.Regions {
		now.Regions = append(now.Regions, &workflow.Region{Config: p.Config})
	}
	_, err := workflow.Plan(now, workflow.Options{})
	defer debug.FreeOSMemory() // a plan may be large, and a run needs the memory
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		now.Regions = nil
	}
	for _, p := range now.Regions {
		var differences []bundle.Difference
		if _, differences, err = workflow.Render(p); err != nil {
			break
		}
		if len(differences) > 0 {
			said := fmt.Sprintf("%s differs from what pipeline.yml and the inventory give, in %s;\nit is run as it is\n%s",
				p.Dir(), words.Plural(len(differences), "file"), firstDifference(differences))
			said = diag.Hinted(said, "bundlegen generate"+withConfig(c)+withRegion(c)+"; or --frozen, where that is meant")
			fmt.Fprintf(c.App.ErrWriter, "! %s\n", strings.ReplaceAll(said, "\n", "\n  "))
		}
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(c.App.ErrWriter, "! the bundle is run as it is, without a comparison with pipeline.yml: %s\n",
			text.Line(first))
	}
}

// firstDifference names the first file that differs, and its first line that does.
// plan.json, which has the hashes of all others, comes last.
func firstDifference(differences []bundle.Difference) string {
	first := differences[0]
	for _, d := range differences {
		if d.Path != bundle.PlanFile {
			first = d
			break
		}
	}
	out := "  " + first.String()
	if first.Kind != bundle.Changed {
		return out
	}
	var was, is string
	for _, line := range strings.Split(first.Unified(), "\n") {
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
		case was == "" && strings.HasPrefix(line, "-"):
			was = line
		case is == "" && strings.HasPrefix(line, "+"):
			is = line
		}
		if was != "" && is != "" {
			break
		}
	}
	for _, line := range []string{was, is} {
		if line != "" {
			out += "\n  " + line[:1] + " " + text.Line(strings.TrimSpace(line[1:]))
		}
	}
	return out
}
