package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/words"
)

// target gives the deployment target, which must be one of the pipeline's.
func target(c *cli.Context, cfg *config.Pipeline) (string, error) {
	var names []string
	for _, t := range cfg.Targets {
		names = append(names, t.Name)
	}
	name := c.String("target")
	switch {
	case name == "":
		return "", diag.WithHint(fmt.Errorf("-t is missing; allowed: %s", strings.Join(names, ", ")),
			"bundlegen %s%s -t %s", c.Command.Name, withConfig(c), names[len(names)-1])
	case !slices.Contains(names, name):
		return "", notAllowed(typed(c, "target"), name, "the targets are those of "+cfg.File, names)
	}
	return name, nil
}

// toldKey is where an application keeps what its verbs have told.
const toldKey = "told"

// workspace gives the verbs on a workspace, which print where this command does.
func workspace(c *cli.Context) deploy.CLI {
	told, ok := c.App.Metadata[toldKey].(*deploy.Told)
	if !ok {
		told = &deploy.Told{}
		c.App.Metadata[toldKey] = told
	}
	return deploy.CLI{Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Told: told}
}

// existing checks that a bundle is there to work on.
func existing(cfg *config.Pipeline) error {
	if _, err := os.Stat(filepath.Join(cfg.BundleDir(), "databricks.yml")); errors.Is(err, fs.ErrNotExist) {
		return diag.WithHint(fmt.Errorf("there is no bundle in %s", cfg.BundleDir()), "bundlegen generate")
	}
	return bundle.Own(cfg.BundleDir())
}

// lintBundle makes the checks that the databricks CLI does not.
func lintBundle(c *cli.Context, dir string) error {
	noteIgnored(c, dir)
	findings, err := lint.Check(dir)
	if err != nil || len(findings) == 0 {
		return err
	}
	faults := make([]error, len(findings))
	for i, f := range findings {
		faults[i] = f
	}
	return fmt.Errorf("the bundle has %s:\n%w", words.Plural(len(findings), "fault"), errors.Join(faults...))
}

// noteIgnored tells what of a bundle would be missing in a clone. It is a note, since
// some want it so: the tasks get these files all the same.
func noteIgnored(c *cli.Context, dir string) {
	var notes []string
	for _, i := range lint.IgnoredByGit(c.Context, dir) {
		notes = append(notes, dir+": "+i.String())
	}
	printNotes(c, notes)
}

func validateCommand() *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "lints the bundle, then has the databricks CLI validate it strictly",
		Flags: []cli.Flag{configFlag, targetFlag, regionFlag},
		Action: func(c *cli.Context) error {
			parts, name, err := bundlesAndTarget(c)
			if err != nil {
				return err
			}
			return inEach(c, parts, func(p part) error {
				if err := lintBundle(c, p.dir()); err != nil {
					return err
				}
				return workspace(c).Validate(c.Context, p.dir(), name)
			})
		},
	}
}

// bundlesAndTarget reads the pipeline for a command that works on emitted bundles.
func bundlesAndTarget(c *cli.Context) ([]part, string, error) {
	whole, parts, err := loadParts(c)
	if err != nil {
		return nil, "", err
	}
	name, err := target(c, whole)
	if err != nil {
		return nil, "", err
	}
	for _, p := range parts {
		if err := existing(p.cfg); err != nil {
			return nil, "", err
		}
	}
	return parts, name, nil
}

func deployCommand() *cli.Command {
	return &cli.Command{
		Name:  "deploy",
		Usage: "generates, checks, shows what changes, and deploys",
		Flags: []cli.Flag{configFlag, targetFlag, regionFlag, &cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"}},
		Action: func(c *cli.Context) error {
			whole, parts, err := loadParts(c)
			if err != nil {
				return err
			}
			name, err := target(c, whole)
			if err != nil {
				return err
			}
			all, err := plansOf(c, whole, parts, readCalibration)
			if err != nil {
				return err
			}
			if err := ownWorkspaces(all, name); err != nil {
				return err
			}
			if err := prepare(c, all); err != nil {
				return err
			}
			return apply(c, all, name)
		},
	}
}

// ownWorkspaces refuses regions of a production target that would be deployed to
// whichever workspace the environment names.
func ownWorkspaces(all []*planned, name string) error {
	for _, p := range all {
		for _, t := range p.cfg.Targets {
			if t.Name == name && t.Production && t.Host == "" && len(p.cfg.Elsewhere) > 0 {
				return diag.WithHint(fmt.Errorf("%s: targets.%s says no workspace for region %s; allowed: one for each region", p.cfg.File, name, p.region()),
					"targets: {%s: {regions: {%s: {host: https://…}}}}", name, p.region())
			}
		}
	}
	return nil
}

// prepare writes the bundles for a deployment. It changes nothing where one of them
// was edited by hand.
func prepare(c *cli.Context, all []*planned) error {
	trees := make([]*bundle.Tree, len(all))
	for i, p := range all {
		var err error
		if trees[i], err = bundle.Render(p.cfg, p.plan); err != nil {
			return err
		}
		if err := edited(trees[i], p.dir()); err != nil {
			return err
		}
	}
	for i, p := range all {
		if err := trees[i].Write(p.dir()); err != nil {
			return err
		}
		if err := ensureWheel(c, p); err != nil {
			return err
		}
		if err := lintBundle(c, p.dir()); err != nil {
			return err
		}
	}
	return nil
}

// ensureWheel makes the wheel anew where it can, and else takes the one that is there.
func ensureWheel(c *cli.Context, p *planned) error {
	dist := filepath.Join(p.dir(), distFolder)
	err := makeWheel(c, p.dir(), distFolder, archOf(p.cfg))
	if err == nil || c.Context.Err() != nil {
		return err
	}
	entries, _ := os.ReadDir(dist) // why the wheel could not be made tells more
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) == ".whl" }) {
		return nil
	}
	return fmt.Errorf("the bundle has no wheel: %w", err)
}

// apply validates, shows what changes everywhere, asks once, and deploys just that.
// A region whose workspace fails stops no other.
func apply(c *cli.Context, all []*planned, name string) error {
	ws := workspace(c)
	changes := map[*planned]deploy.Changes{}
	some := false
	failed := inEach(c, all, func(p *planned) error {
		if err := ws.Validate(c.Context, p.dir(), name); err != nil {
			return err
		}
		shown, err := ws.Plan(c.Context, p.dir(), name)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s, target %s: %s\n", p.cfg.Name, name, shown)
		changes[p], some = shown, some || shown.Any()
		return nil
	})
	if len(changes) == 0 || c.Context.Err() != nil {
		return failed
	}
	if some && !c.Bool("auto-approve") {
		if err := ask(c, "deploy"); err != nil {
			return errors.Join(failed, err)
		}
	}
	failed = errors.Join(failed, inEach(c, all, func(p *planned) error {
		shown, ok := changes[p]
		if !ok {
			return nil // it has failed, and says so
		}
		return ws.Deploy(c.Context, p.dir(), name, c.Bool("auto-approve"), &shown)
	}))
	if failed != nil {
		return failed
	}
	fmt.Fprintf(c.App.Writer, "next: bundlegen run%s%s -t %s\n", withConfig(c), withRegion(c), name)
	return nil
}

// ask wants a yes from a person; where there is none to ask it says how to do without.
func ask(c *cli.Context, what string) error {
	in, ok := c.App.Reader.(*os.File)
	if !ok || !screenOf(in).terminal {
		return diag.WithHint(errors.New("there is no terminal to ask on, so nothing was changed"),
			"bundlegen %s%s%s -t %s --auto-approve", what, withConfig(c), withRegion(c), c.String("target"))
	}
	fmt.Fprintf(c.App.ErrWriter, "%s? [y/N] ", what)
	answer := make(chan string, 1)
	go func() { // a read from a terminal cannot be interrupted: leave it behind
		defer crash.Exit()
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return errors.New("nothing was changed")
	case <-c.Context.Done():
		return c.Context.Err()
	}
}

func destroyCommand() *cli.Command {
	return &cli.Command{
		Name:  "destroy",
		Usage: "removes the deployment, never data",
		Flags: []cli.Flag{configFlag, targetFlag, regionFlag, &cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"}},
		Action: func(c *cli.Context) error {
			parts, name, err := bundlesAndTarget(c)
			if err != nil {
				return err
			}
			if !c.Bool("auto-approve") {
				var names []string
				for _, p := range parts {
					names = append(names, p.cfg.Name)
				}
				fmt.Fprintf(c.App.ErrWriter, "This removes the jobs and files of %s from target %s. Schemas and tables stay.\n", strings.Join(names, ", "), name)
				if err := ask(c, "destroy"); err != nil {
					return err
				}
			}
			return inEach(c, parts, func(p part) error { return workspace(c).Destroy(c.Context, p.dir(), name, true) })
		},
	}
}
