package cli

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:  "generate",
		Usage: "writes the bundle",
		Flags: []cli.Flag{configFlag, regionFlag, rebalanceFlag, &cli.BoolFlag{Name: "check", Usage: "write nothing; exit with 1 when what is there differs"}},
		Action: func(c *cli.Context) error {
			project, err := planned(c, workflow.Options{Rebalance: c.Bool("rebalance")})
			if err != nil {
				return err
			}
			all := project.Regions
			if err := workflow.Each(c.Context, all, func(p *workflow.Region) error { return generate(c, p) }); err != nil || c.Bool("check") {
				return err
			}
			given, targets := withConfig(c)+withRegion(c), all[0].Config.Targets
			fmt.Fprintf(c.App.Writer, "next: bundlegen run%s --local, or bundlegen deploy%s -t %s\n", given, given, targets[len(targets)-1].Name)
			return nil
		},
	}
}

// generate writes one bundle, or only checks it.
func generate(c *cli.Context, p *workflow.Region) error {
	tree, differences, err := workflow.Render(p)
	if err != nil {
		return err
	}
	if c.Bool("check") {
		return check(c, p.Dir(), differences)
	}
	printNotes(c, tree.Notes())
	if err := tree.Write(p.Dir()); err != nil {
		return err
	}
	what := words.Plural(p.Plan.Tags, "tag") + " in " + words.Plural(len(p.Plan.Partitions), "partition")
	if len(differences) == 0 {
		fmt.Fprintf(c.App.Writer, "%s is as it should be: %s\n", p.Dir(), what)
	} else {
		fmt.Fprintf(c.App.Writer, "%s: %s, %s written\n", p.Dir(), what, words.Plural(len(differences), "file"))
	}
	noteIgnored(c, p.Dir())
	if err := workflow.Wheel(c.Context, p, tell(c)); err != nil {
		if c.Context.Err() != nil {
			return err
		}
		// The folder is whole without it: deploying needs it, and says so.
		fmt.Fprintf(c.App.ErrWriter, "no wheel was made: %s\n", text.Lines(err.Error()))
	}
	return nil
}

// tell returns what tells a person of something that takes its time.
func tell(c *cli.Context) func(line string) {
	return func(line string) { fmt.Fprintln(c.App.ErrWriter, line) }
}

// check says how a folder differs from what generate would write.
func check(c *cli.Context, dir string, differences []bundle.Difference) error {
	if len(differences) == 0 {
		return nil
	}
	for i, d := range differences {
		if i == 20 {
			fmt.Fprintf(c.App.Writer, "and %d more\n", len(differences)-i)
			break
		}
		fmt.Fprintln(c.App.Writer, d)
	}
	return diag.WithHint(fmt.Errorf("%s differs from what pipeline.yml and the inventory give, in %s", dir, words.Plural(len(differences), "file")),
		"bundlegen generate%s%s", withConfig(c), withRegion(c))
}

func wheelCommand() *cli.Command {
	arches := []string{string(wheel.AMD64), string(wheel.ARM64)}
	return &cli.Command{
		Name:  "wheel",
		Usage: "makes the wheel that the tasks install",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "dist", Usage: "the `FOLDER` that it goes into"},
			&choiceFlag{&cli.StringFlag{Name: "arch", Value: string(wheel.AMD64), Usage: "processor of the clusters: `ARCH` amd64 or arm64"}, fixed(arches...)},
		},
		Action: func(c *cli.Context) error {
			arch := c.String("arch")
			if !slices.Contains(arches, arch) {
				return commandline.NotAllowed(commandline.Typed(c, "arch"), arch, "it is the processor of the clusters' nodes", arches)
			}
			// A link in a folder that somebody else has filled leads nowhere else.
			if out := c.String("out"); filepath.IsLocal(out) {
				return workflow.MakeWheel(c.Context, ".", out, wheel.Arch(arch), tell(c))
			}
			return workflow.MakeWheel(c.Context, c.String("out"), ".", wheel.Arch(arch), tell(c))
		},
	}
}
