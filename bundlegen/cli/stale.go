package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

// warnStale warns of bundles that are not what pipeline.yml and the inventory
// would give now, as generate --check does, before they are run as they are. A
// clone that has a bundle and no inventory runs it, and there is nothing to
// compare it with; where another thing keeps from comparing, that is said.
func warnStale(c *cli.Context, whole *config.Pipeline, parts []part) {
	all, err := plansNow(whole, parts)
	defer debug.FreeOSMemory() // a plan may be large, and a run needs the memory
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, p := range all {
		var differences []bundle.Difference
		if _, differences, err = p.rendered(); err != nil {
			break
		}
		if len(differences) > 0 {
			said := fmt.Sprintf("%s differs from what pipeline.yml and the inventory give, in %s;\nit is run as it is\n%s",
				p.dir(), words.Plural(len(differences), "file"), firstDifference(differences))
			said = diag.Hinted(said, "bundlegen generate"+withConfig(c)+withRegion(c)+"; or --frozen, where that is meant")
			fmt.Fprintf(c.App.ErrWriter, "! %s\n", strings.ReplaceAll(said, "\n", "\n  "))
		}
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(c.App.ErrWriter, "! the bundle is run as it is: what pipeline.yml would give now cannot be told: %s\n", text.Line(first))
	}
}

// plansNow plans the bundles as generate would.
func plansNow(whole *config.Pipeline, parts []part) ([]*planned, error) {
	tags, _, err := loadInventory(whole)
	if err != nil {
		return nil, err
	}
	before, err := readEarlier(whole)
	if err != nil {
		return nil, err
	}
	calibration, err := readCalibration(whole)
	if err != nil {
		return nil, err
	}
	return planAll(parts, tags, before, plan.Options{Calibration: calibration})
}

// firstDifference names the first file that differs, and its first line that does.
// plan.json, which has the hashes of all others, stands back.
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
