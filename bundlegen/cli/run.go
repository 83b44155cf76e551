package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "runs the job: on Databricks with -t, or here with --local",
		Flags: []cli.Flag{
			configFlag, targetFlag,
			&cli.BoolFlag{Name: "local", Usage: "run the emitted job on this machine"},
			&cli.StringFlag{Name: "engine", Value: localrun.Engines()[0], Usage: "where a local run's tables live: `ENGINE` duckdb, or spark: Delta on a Spark that is set up here, or the one of SPARK_REMOTE"},
			&cli.StringFlag{Name: "data", Value: "data", Usage: "the `FOLDER` of a local run's tables and staging"},
			&cli.StringFlag{Name: "until", Usage: "read up to this `INSTANT` exactly, such as 2026-01-31T12:00:00Z, instead of up to now less extract.settle"},
			&cli.StringFlag{Name: "tier", Usage: "the `TIER` whose job runs; without it, all of them in order"},
			&cli.DurationFlag{Name: "retry-wait", Value: localrun.DefaultRetryWait, Usage: "the most that a local run waits between two attempts; the job's own interval leaves time for a cluster to start"},
		},
		Action: func(c *cli.Context) error {
			cfg, err := config.Load(c.String("config"))
			if err != nil {
				return err
			}
			tiers, err := tiers(c, cfg)
			if err != nil {
				return err
			}
			if err := untilFlag(c); err != nil {
				return err
			}
			if err := existing(cfg); err != nil {
				return err
			}
			switch {
			case c.Bool("local") && c.String("target") != "":
				return errors.New("--local and -t exclude each other\nhint: --local runs here, -t TARGET on Databricks")
			case !c.Bool("local") && c.String("target") == "":
				return fmt.Errorf("neither --local nor -t\nhint: bundlegen run%[1]s --local runs it here, bundlegen run%[1]s -t %[2]s on Databricks",
					withConfig(c), cfg.Targets[len(cfg.Targets)-1].Name)
			case c.Bool("local"):
				return runLocal(c, cfg, tiers)
			default:
				for _, f := range []string{"data", "engine", "retry-wait"} {
					if c.IsSet(f) {
						return fmt.Errorf("--%s belongs to --local\nhint: give --local, or leave it out", f)
					}
				}
				return runRemote(c, cfg, tiers)
			}
		},
	}
}

func tiers(c *cli.Context, cfg *config.Pipeline) ([]string, error) {
	var names []string
	for _, t := range cfg.Tiers {
		names = append(names, t.Name)
	}
	want := c.String("tier")
	if want == "" {
		return names, nil
	}
	if !slices.Contains(names, want) {
		return nil, notAllowed("--tier", want, "the tiers are those of "+cfg.File, names)
	}
	return []string{want}, nil
}

func untilFlag(c *cli.Context) error {
	if !c.IsSet("until") {
		return nil
	}
	t, err := instant.Parse(c.String("until"))
	if err != nil {
		return fmt.Errorf("--until: %w\nhint: Z is UTC; an offset such as +01:00 may stand instead", err)
	}
	if t > instant.FromTime(time.Now().AddDate(1, 0, 0)) {
		return fmt.Errorf("--until %s is more than a year from now\nhint: what is landed up to there would not be read again", c.String("until"))
	}
	return nil
}

func runLocal(c *cli.Context, cfg *config.Pipeline, tiers []string) error {
	if !slices.Contains(localrun.Engines(), c.String("engine")) {
		return notAllowed("--engine", c.String("engine"), "duckdb needs nothing more; spark runs the bundle's wheel as Databricks does", localrun.Engines())
	}
	if err := config.CheckEnv(cfg); err != nil {
		return err
	}
	dir := cfg.BundleDir()
	tiers, err := emittedTiers(dir, tiers, c.IsSet("tier"))
	if err != nil {
		return err
	}
	data := cfg.Path(c.String("data"))
	options := localrun.Options{
		Bundle: dir, Pipeline: cfg.Name, Engine: c.String("engine"), Data: data, Tiers: tiers, Until: c.String("until"), RetryWait: c.Duration("retry-wait"), Getenv: os.LookupEnv,
		Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Terminal: screenOf(c.App.ErrWriter).terminal, Log: logger(c.App.ErrWriter),
	}
	outcome, err := localrun.Run(c.Context, options)
	if err != nil {
		return err
	}
	switch outcome {
	case localrun.OK:
		fmt.Fprintf(c.App.ErrWriter, "landed in %s\n", options.Tables())
		return nil
	case localrun.PartlyDone:
		return exit(exitPartial)
	default:
		return exit(exitError)
	}
}

// emittedTiers leaves out tiers that have no job because they have no tag,
// unless one was asked for by name.
func emittedTiers(dir string, tiers []string, named bool) ([]string, error) {
	if named {
		return tiers, nil
	}
	b, err := bundle.Read(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, tier := range tiers {
		if slices.ContainsFunc(b.Roots(), func(j bundle.Job) bool { return j.Tier == tier }) {
			out = append(out, tier)
		}
	}
	return out, nil
}

func runRemote(c *cli.Context, cfg *config.Pipeline, tiers []string) error {
	name, err := target(c, cfg)
	if err != nil {
		return err
	}
	b, err := bundle.Read(cfg.BundleDir())
	if err != nil {
		return err
	}
	params := map[string]string{}
	if until := c.String("until"); until != "" {
		params["until"] = until
	}
	worst := deploy.Succeeded
	for _, tier := range tiers {
		for _, j := range b.Roots() {
			if j.Tier != tier {
				continue
			}
			res, err := workspace(c).Run(c.Context, cfg.BundleDir(), name, j.Key, params)
			if err != nil {
				return err
			}
			if worst == deploy.Succeeded || res.Outcome == deploy.Failed {
				worst = res.Outcome
			}
		}
	}
	if worst != deploy.Succeeded {
		return exit(worst)
	}
	return nil
}
