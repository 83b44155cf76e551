package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// target returns the deployment target, which must be one of the pipeline's.
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
		return "", commandline.NotAllowed(commandline.Typed(c, "target"), name, "the targets are those of "+cfg.File, names)
	}
	return name, nil
}

// toldKey is where an application keeps what it has printed already.
const toldKey = "told"

// workspace returns the databricks CLI, which prints where this command does.
func workspace(c *cli.Context) deploy.CLI {
	told, ok := c.App.Metadata[toldKey].(*deploy.Told)
	if !ok {
		told = &deploy.Told{}
		c.App.Metadata[toldKey] = told
	}
	return deploy.CLI{Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Told: told}
}

// lintBundle makes the checks that the databricks CLI does not, and notes what git
// ignores.
func lintBundle(c *cli.Context, r *workflow.Region) error {
	noteIgnored(c, r.Dir())
	return workflow.Lint(r)
}

// noteIgnored prints which of a bundle's files git ignores: a clone would lack them,
// which some intend. Tasks get these files all the same.
func noteIgnored(c *cli.Context, dir string) {
	var notes []string
	for _, i := range lint.IgnoredByGit(c.Context, dir, c.String("config")) {
		notes = append(notes, dir+": "+i.String())
	}
	printNotes(c, notes)
}

func validateCommand() *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "lints the bundle, then has the databricks CLI validate it strictly",
		Flags: []cli.Flag{configFlag, targetFlag, regionFlag, outputFlag("text or json", "text", "json")},
		Action: func(c *cli.Context) error {
			if _, err := outputFormat(c, "what was found"); err != nil {
				return err
			}
			parts, name, err := bundlesAndTarget(c)
			if err != nil {
				return err
			}
			ws := workspace(c)
			ws.Stdout = resultWriter(c)
			document := validated{Version: documentVersion, Target: name, Valid: true, Bundles: []validatedBundle{}}
			failed := workflow.Each(c.Context, parts, func(p *workflow.Region) error {
				err := lintBundle(c, p)
				if err == nil {
					err = workflow.Validate(c.Context, ws, p, name)
				}
				document.Valid = document.Valid && err == nil
				document.Bundles = append(document.Bundles, validatedBundle{p.Name(), p.Dir(), err == nil, findings(err)})
				return err
			})
			if !asJSON(c) || c.Err() != nil {
				return failed
			}
			if document.Notes = notesOf(c); document.Valid {
				document.Next = fmt.Sprintf("bundlegen deploy%s%s -t %s", withConfig(c), withRegion(c), name)
			}
			return errors.Join(failed, printJSON(c, document))
		},
	}
}

// bundlesAndTarget reads the pipeline for a command that works on emitted bundles.
func bundlesAndTarget(c *cli.Context) ([]*workflow.Region, string, error) {
	p, err := load(c)
	if err != nil {
		return nil, "", err
	}
	name, err := target(c, p.Pipeline)
	if err != nil {
		return nil, "", err
	}
	for _, r := range p.Regions {
		if err := workflow.Exists(r.Config); err != nil {
			return nil, "", err
		}
	}
	return p.Regions, name, nil
}

func deployCommand() *cli.Command {
	return &cli.Command{
		Name:  "deploy",
		Usage: "generates, checks, shows what changes, and deploys",
		Flags: []cli.Flag{configFlag, targetFlag, regionFlag, &cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"}},
		Action: func(c *cli.Context) error {
			p, err := load(c)
			if err != nil {
				return err
			}
			name, err := target(c, p.Pipeline)
			if err != nil {
				return err
			}
			if err := planRegions(c, p, workflow.Options{}); err != nil {
				return err
			}
			if err := workflow.OwnWorkspaces(p.Regions, name); err != nil {
				return err
			}
			if err := workflow.Write(c.Context, p.Regions, tell(c)); err != nil {
				return err
			}
			for _, r := range p.Regions {
				if err := lintBundle(c, r); err != nil {
					return err
				}
			}
			if err := noteDoctor(c, p.Pipeline, name); err != nil {
				return err
			}
			return rollOut(c, p.Regions, name)
		},
	}
}

// rollOut shows what changes everywhere, asks once, and deploys just that. A region
// whose workspace fails stops no other.
func rollOut(c *cli.Context, regions []*workflow.Region, name string) error {
	ws, approved := workspace(c), c.Bool("auto-approve")
	out, failed := workflow.Preview(c.Context, ws, regions, name)
	for _, r := range regions {
		if changes, ok := out.Changes[r]; ok {
			fmt.Fprintf(c.App.Writer, "%s, target %s: %s\n", r.Config.Name, name, changes)
		}
	}
	if len(out.Changes) == 0 || c.Context.Err() != nil {
		return failed
	}
	if out.Any() && !approved {
		if err := ask(c, "deploy"); err != nil {
			return errors.Join(failed, err)
		}
	}
	if failed = errors.Join(failed, workflow.Deploy(c.Context, ws, out, approved)); failed != nil {
		return failed
	}
	fmt.Fprintf(c.App.Writer, "next: bundlegen run%s%s -t %s\n", withConfig(c), withRegion(c), name)
	return nil
}

// ask asks for approval; without a terminal it returns an error that names --auto-approve.
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
					names = append(names, p.Config.Name)
				}
				fmt.Fprintf(c.App.ErrWriter, "This removes the jobs and files of %s from target %s. Schemas and tables stay.\n",
					strings.Join(names, ", "), name)
				if err := ask(c, "destroy"); err != nil {
					return err
				}
			}
			return workflow.Each(c.Context, parts, func(p *workflow.Region) error {
				return workspace(c).Destroy(c.Context, p.Dir(), name,
					true)
			})
		},
	}
}
