package cli

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/history"
	"github.com/bundlegen/bundlegen/internal/commandline"
)

// choiceFlag is a flag whose values can be listed, for completion.
type choiceFlag struct {
	*cli.StringFlag
	values func(*config.Pipeline) []string // of a pipeline, which is nil where it cannot be read
}

// fixed returns values that do not depend on the pipeline.
func fixed(values ...string) func(*config.Pipeline) []string {
	return func(*config.Pipeline) []string { return values }
}

// outputFlag is --output with the given formats, the default first.
func outputFlag(usage string, formats ...string) cli.Flag {
	return &choiceFlag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: formats[0], Usage: "print as `FORMAT`: " + usage},
		fixed(formats...),
	}
}

// outputFormat returns the format that --output names; what is printed as the
// default where it is not given.
func outputFormat(c *cli.Context, what string) (string, error) {
	format := c.String("output")
	for _, f := range c.Command.Flags {
		choice, ok := f.(*choiceFlag)
		if ok && choice.Name == "output" && !slices.Contains(choice.values(nil), format) {
			return "", commandline.NotAllowed(commandline.Typed(c, "output"), format,
				fmt.Sprintf("without it, %s is printed as %s", what, choice.Value), choice.values(nil))
		}
	}
	return format, nil
}

// defaultData is the folder that local runs land in.
const defaultData = "data"

// dataOf returns the data folder that --data names, else the one that local runs
// land in where one has; "" where there is none.
func dataOf(c *cli.Context, cfg *config.Pipeline) string {
	if c.IsSet("data") {
		return cfg.Path(c.String("data"))
	}
	if folder := cfg.Path(defaultData); history.Exists(folder) {
		return folder
	}
	return ""
}

func targetNames(p *config.Pipeline) []string {
	return named(p, func(p *config.Pipeline) []config.Target { return p.Targets }, func(t config.Target) string { return t.Name })
}

func tierNames(p *config.Pipeline) []string {
	return named(p, func(p *config.Pipeline) []config.Tier { return p.Tiers }, func(t config.Tier) string { return t.Name })
}

func regionNames(p *config.Pipeline) []string {
	return named(p, (*config.Pipeline).Regions, func(r string) string { return r })
}

// named lists the names of a part of a pipeline; none where there is no pipeline.
func named[T any](p *config.Pipeline, part func(*config.Pipeline) []T, name func(T) string) []string {
	if p == nil {
		return nil
	}
	var names []string
	for _, t := range part(p) {
		names = append(names, name(t))
	}
	return names
}
