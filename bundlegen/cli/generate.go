package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/report"
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
		Usage: "writes the bundle into its folder",
		Flags: []cli.Flag{
			configFlag, regionFlag, rebalanceFlag,
			&cli.BoolFlag{Name: "check", Usage: "write nothing; exit with 1 if the folder is not up to date"},
			outputFlag("text or json", "text", "json"),
		},
		Action: func(c *cli.Context) error {
			if _, err := outputFormat(c, "what was written"); err != nil {
				return err
			}
			project, err := planned(c, workflow.Options{Rebalance: c.Bool("rebalance")})
			if err != nil {
				return err
			}
			all := project.Regions
			document := generated{Version: documentVersion, Check: c.Bool("check"), Same: true, Bundles: []generatedBundle{}}
			failed := workflow.Each(c.Context, all, func(p *workflow.Region) error { return generate(c, p, &document) })
			given, targets := withConfig(c)+withRegion(c), all[0].Config.Targets
			switch {
			case asJSON(c) && len(document.Bundles) == len(all):
				document.Notes, document.Next = notesOf(c), "bundlegen run"+given+" --local"
				if document.Check && !document.Same {
					document.Next = "bundlegen generate" + given
				}
				return errors.Join(failed, printJSON(c, document))
			case failed != nil || c.Bool("check"):
				return failed
			}
			fmt.Fprintf(c.App.Writer, "next: bundlegen run%s --local, or bundlegen deploy%s -t %s\n", given, given,
				targets[len(targets)-1].Name)
			return nil
		},
	}
}

// generate writes one bundle, or only checks it, and adds it to a document.
func generate(c *cli.Context, p *workflow.Region, into *generated) error {
	tree, differences, err := workflow.Render(p)
	if err != nil {
		return err
	}
	into.Same = into.Same && len(differences) == 0
	b := generatedBundle{
		Region: p.Name(), Folder: p.Dir(), Tags: p.Plan.Tags, Partitions: len(p.Plan.Partitions), Files: files(differences),
		Warnings: report.Warnings(p.Plan),
		Changes: changed{
			First: p.Changes.First, Settings: p.Changes.Settings, Added: p.Changes.Added, Removed: p.Changes.Removed,
			Moved: p.Changes.Moved, Renamed: p.Changes.Renamed, Edited: p.Changes.Edited,
		},
	}
	out := resultWriter(c)
	if c.Bool("check") {
		into.Bundles = append(into.Bundles, b)
		return check(c, out, p.Dir(), differences)
	}
	printNotes(c, tree.Notes())
	if err := tree.Write(p.Dir()); err != nil {
		return err
	}
	what := words.Plural(p.Plan.Tags, "tag") + " in " + words.Plural(len(p.Plan.Partitions), "partition")
	if len(differences) == 0 {
		fmt.Fprintf(out, "%s is up to date: %s\n", p.Dir(), what)
	} else {
		fmt.Fprintf(out, "%s: %s, %s written\n", p.Dir(), what, words.Plural(len(differences), "file"))
	}
	noteIgnored(c, p.Dir())
	if err := workflow.Wheel(c.Context, p, tell(c)); err != nil {
		if c.Context.Err() != nil {
			return err
		}
		// Not an error: only deploying needs it.
		fmt.Fprintf(c.App.ErrWriter, "no wheel was made: %s\n", text.Lines(err.Error()))
		b.NoWheel = diag.Problems(err)
	}
	into.Bundles = append(into.Bundles, b)
	return nil
}

// tell returns a function that prints what takes a while.
func tell(c *cli.Context) func(line string) {
	return func(line string) { fmt.Fprintln(c.App.ErrWriter, line) }
}

// check prints how a folder differs from what generate would write.
func check(c *cli.Context, out io.Writer, dir string, differences []bundle.Difference) error {
	if len(differences) == 0 {
		return nil
	}
	for i, d := range differences {
		if i == 20 {
			fmt.Fprintf(out, "and %d more\n", len(differences)-i)
			break
		}
		fmt.Fprintln(out, d)
	}
	return diag.WithHint(fmt.Errorf("%s differs from what pipeline.yml and the inventory give, in %s", dir,
		words.Plural(len(differences), "file")),
		"bundlegen generate%s%s", withConfig(c), withRegion(c))
}

func wheelCommand() *cli.Command {
	arches := []string{string(wheel.AMD64), string(wheel.ARM64)}
	return &cli.Command{
		Name:  "wheel",
		Usage: "makes the wheel that the tasks install",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "dist", Usage: "write it into `FOLDER`"},
			&choiceFlag{&cli.StringFlag{Name: "arch", Value: string(wheel.AMD64),
				Usage: "processor `ARCH` of the clusters: amd64 or arm64"}, fixed(arches...)},
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
