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
	"github.com/bundlegen/bundlegen/bundlegen/report/words"
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
		return "", fmt.Errorf("-t is missing; allowed: %s\nhint: bundlegen %s%s -t %s", strings.Join(names, ", "), c.Command.Name, withConfig(c), names[len(names)-1])
	case !slices.Contains(names, name):
		return "", notAllowed("-t", name, "the targets are those of "+cfg.File, names)
	}
	return name, nil
}

// workspace gives the verbs on a workspace, which print where this command does.
func workspace(c *cli.Context) deploy.CLI {
	return deploy.CLI{Stdout: c.App.Writer, Stderr: c.App.ErrWriter}
}

// existing checks that a bundle is there to work on.
func existing(cfg *config.Pipeline) error {
	if _, err := os.Stat(filepath.Join(cfg.BundleDir(), "databricks.yml")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no bundle in %s\nhint: bundlegen generate", cfg.BundleDir())
	}
	return nil
}

// lintBundle makes the checks that the databricks CLI does not.
func lintBundle(dir string) error {
	findings, err := lint.Check(dir)
	if err != nil || len(findings) == 0 {
		return err
	}
	lines := make([]string, len(findings))
	for i, f := range findings {
		lines[i] = f.String()
	}
	return fmt.Errorf("the bundle has %s:\n%s", words.Plural(len(findings), "fault"), strings.Join(lines, "\n"))
}

func validateCommand() *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "lints the bundle, then has the databricks CLI validate it strictly",
		Flags: []cli.Flag{configFlag, targetFlag},
		Action: func(c *cli.Context) error {
			cfg, name, err := bundleAndTarget(c)
			if err != nil {
				return err
			}
			if err := lintBundle(cfg.BundleDir()); err != nil {
				return err
			}
			return workspace(c).Validate(c.Context, cfg.BundleDir(), name)
		},
	}
}

// bundleAndTarget reads the pipeline for a command that works on the emitted bundle.
func bundleAndTarget(c *cli.Context) (*config.Pipeline, string, error) {
	cfg, err := config.Load(c.String("config"))
	if err != nil {
		return nil, "", err
	}
	name, err := target(c, cfg)
	if err != nil {
		return nil, "", err
	}
	return cfg, name, existing(cfg)
}

func deployCommand() *cli.Command {
	return &cli.Command{
		Name:  "deploy",
		Usage: "generates, checks, shows what changes, and deploys",
		Flags: []cli.Flag{configFlag, targetFlag, &cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"}},
		Action: func(c *cli.Context) error {
			p, err := makePlan(c)
			if err != nil {
				return err
			}
			name, err := target(c, p.cfg)
			if err != nil {
				return err
			}
			tree, err := bundle.Render(p.cfg, p.plan)
			if err != nil {
				return err
			}
			if err := edited(tree, p.dir()); err != nil {
				return err
			}
			if err := tree.Write(p.dir()); err != nil {
				return err
			}
			if err := ensureWheel(p); err != nil {
				return err
			}
			if err := lintBundle(p.dir()); err != nil {
				return err
			}
			return apply(c, p, name)
		},
	}
}

// ensureWheel makes the wheel anew where it can, and else takes the one that is there.
func ensureWheel(p *planned) error {
	dist := filepath.Join(p.dir(), "dist")
	err := makeWheel(dist, archOf(p.cfg))
	if err == nil {
		return nil
	}
	if there, _ := filepath.Glob(filepath.Join(dist, "*.whl")); len(there) > 0 {
		return nil
	}
	return fmt.Errorf("the bundle has no wheel: %w", err)
}

// apply validates, shows what changes, asks, and deploys just that.
func apply(c *cli.Context, p *planned, name string) error {
	ws := workspace(c)
	if err := ws.Validate(c.Context, p.dir(), name); err != nil {
		return err
	}
	changes, err := ws.Plan(c.Context, p.dir(), name)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s, target %s: %s\n", p.cfg.Name, name, changes)
	if changes.Any() && !c.Bool("auto-approve") {
		if err := ask(c, "deploy"); err != nil {
			return err
		}
	}
	if err := ws.Deploy(c.Context, p.dir(), name, c.Bool("auto-approve"), &changes); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "next: bundlegen run%s -t %s\n", withConfig(c), name)
	return nil
}

// ask wants a yes from a person; where there is none to ask it says how to do without.
func ask(c *cli.Context, what string) error {
	in, ok := c.App.Reader.(*os.File)
	if !ok || !screenOf(in).terminal {
		return fmt.Errorf("there is no terminal to ask on, so nothing was changed\nhint: bundlegen %s%s -t %s --auto-approve", what, withConfig(c), c.String("target"))
	}
	fmt.Fprintf(c.App.ErrWriter, "%s? [y/N] ", what)
	answer := make(chan string, 1)
	go func() { // a read from a terminal cannot be interrupted: leave it behind
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
		Flags: []cli.Flag{configFlag, targetFlag, &cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"}},
		Action: func(c *cli.Context) error {
			cfg, name, err := bundleAndTarget(c)
			if err != nil {
				return err
			}
			if !c.Bool("auto-approve") {
				fmt.Fprintf(c.App.ErrWriter, "This removes the jobs and files of %s from target %s. Schemas and tables stay.\n", cfg.Name, name)
				if err := ask(c, "destroy"); err != nil {
					return err
				}
			}
			return workspace(c).Destroy(c.Context, cfg.BundleDir(), name, true)
		},
	}
}
