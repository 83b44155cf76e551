package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:  "generate",
		Usage: "writes the bundle",
		Flags: []cli.Flag{configFlag, regionFlag, rebalanceFlag, &cli.BoolFlag{Name: "check", Usage: "write nothing; exit with 1 when what is there differs"}},
		Action: func(c *cli.Context) error {
			all, err := makePlans(c)
			if err != nil {
				return err
			}
			if err := inEach(c, all, func(p *planned) error { return generate(c, p) }); err != nil || c.Bool("check") {
				return err
			}
			given, targets := withConfig(c)+withRegion(c), all[0].cfg.Targets
			fmt.Fprintf(c.App.Writer, "next: bundlegen run%s --local, or bundlegen deploy%s -t %s\n", given, given, targets[len(targets)-1].Name)
			return nil
		},
	}
}

// generate writes one bundle, or only checks it.
func generate(c *cli.Context, p *planned) error {
	tree, differences, err := p.rendered()
	if err != nil {
		return err
	}
	if c.Bool("check") {
		return check(c, p.dir(), differences)
	}
	printNotes(c, tree.Notes())
	if err := tree.Write(p.dir()); err != nil {
		return err
	}
	what := words.Plural(p.plan.Tags, "tag") + " in " + words.Plural(len(p.plan.Partitions), "partition")
	if len(differences) == 0 {
		fmt.Fprintf(c.App.Writer, "%s is as it should be: %s\n", p.dir(), what)
	} else {
		fmt.Fprintf(c.App.Writer, "%s: %s, %s written\n", p.dir(), what, words.Plural(len(differences), "file"))
	}
	noteIgnored(c, p.dir())
	if err := makeWheel(c, p.dir(), distFolder, archOf(p.cfg)); err != nil {
		if c.Context.Err() != nil {
			return err
		}
		// The folder is whole without it: deploying needs it, and says so.
		fmt.Fprintf(c.App.ErrWriter, "no wheel was made: %s\n", text.Lines(err.Error()))
	}
	return nil
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
				return notAllowed(typed(c, "arch"), arch, "it is the processor of the clusters' nodes", arches)
			}
			// A link in a folder that somebody else has filled leads nowhere else.
			if out := c.String("out"); filepath.IsLocal(out) {
				return makeWheel(c, ".", out, wheel.Arch(arch))
			}
			return makeWheel(c, c.String("out"), ".", wheel.Arch(arch))
		},
	}
}

// archOf is the processor that the pipeline's clusters have.
func archOf(cfg *config.Pipeline) wheel.Arch {
	if cfg.Compute.Serverless {
		return wheel.AMD64
	}
	return wheel.ArchOf(cfg.Compute.NodeType)
}

// distFolder is where a bundle has its wheel.
const distFolder = "dist"

// makeWheel makes the wheel in a folder below another, unless it is there. No link
// below leads out of that.
func makeWheel(c *cli.Context, base, below string, arch wheel.Arch) (err error) {
	binary, err := wheel.Program(c.Context, arch, func(line string) { fmt.Fprintln(c.App.ErrWriter, line) })
	if err != nil {
		return err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var dist *os.Root
	if err = root.MkdirAll(below, 0o755); err == nil {
		dist, err = root.OpenRoot(below)
	}
	if err != nil {
		return diag.WithHint(fmt.Errorf("%s: %w", filepath.Join(base, below), err),
			"it is to be a folder, and no link that leads out of %s", base)
	}
	defer func() { err = errors.Join(err, dist.Close()) }()
	_, err = wheel.Ensure(dist, wheel.Options{Binary: binary, Arch: arch, Version: program.Version()})
	return err
}

// unedited refuses to run a bundle that somebody changed by hand: deploy would too.
func unedited(dir string) error {
	byHand, err := bundle.HandEdited(dir)
	if err != nil || len(byHand) == 0 {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s was edited by hand; nothing was run\n", dir)
	for i, e := range byHand {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more\n", len(byHand)-i)
			break
		}
		fmt.Fprintln(&b, e)
	}
	return diag.WithHint(errors.New(strings.TrimSuffix(b.String(), "\n")),
		"put the change into pipeline.yml, or undo it; bundlegen generate rewrites the folder")
}

// maxListed is how many files a refusal names.
const maxListed = 20

// edited refuses a bundle that somebody changed by hand, and shows how: which
// files, by the hashes of the last generate, and how they differ from what
// generate would write now.
func edited(tree *bundle.Tree, dir string) error {
	byHand, err := bundle.HandEdited(dir)
	if err != nil || len(byHand) == 0 {
		return err
	}
	now, err := tree.Compare(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s was edited by hand, and generate would undo it; nothing was changed\n", dir)
	for _, e := range byHand {
		fmt.Fprintln(&b, e)
		for _, d := range now {
			if d.Path == e.Path {
				b.WriteString(d.UnifiedByHand())
			}
		}
	}
	return diag.WithHint(errors.New(strings.TrimSuffix(b.String(), "\n")),
		"put the change into pipeline.yml, or undo it; bundlegen generate rewrites the folder")
}
