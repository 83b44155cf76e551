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
			configFlag, targetFlag, regionFlag,
			&cli.BoolFlag{Name: "local", Usage: "run the emitted job on this machine"},
			&cli.StringFlag{Name: "engine", Value: localrun.Engines()[0], Usage: "where a local run's tables live: `ENGINE` duckdb, or spark: Delta on a Spark that is set up here, or the one of SPARK_REMOTE"},
			&cli.StringFlag{Name: "data", Value: "data", Usage: "the `FOLDER` of a local run's tables and staging"},
			&cli.StringFlag{Name: "until", Usage: "read up to this `INSTANT` exactly, such as 2026-01-31T12:00:00Z, instead of up to now less extract.settle"},
			&cli.StringFlag{Name: "tier", Usage: "the `TIER` whose job runs; without it, all of them in order. A continuous tier that is named here runs until Ctrl-C with --local, unless --until is given"},
			&cli.DurationFlag{Name: "retry-wait", Value: localrun.DefaultRetryWait, Usage: "the longest that a local run waits between two attempts; the job's own interval leaves time for a cluster to start"},
		},
		Action: func(c *cli.Context) error {
			cfg, parts, err := loadParts(c)
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
			for _, p := range parts {
				if err := existing(p.cfg); err != nil {
					return err
				}
			}
			switch {
			case c.Bool("local") && c.String("target") != "":
				return errors.New("--local and -t cannot be combined\nhint: --local runs here, -t TARGET on Databricks")
			case !c.Bool("local") && c.String("target") == "":
				return fmt.Errorf("neither --local nor -t\nhint: bundlegen run%[1]s --local runs it here, bundlegen run%[1]s -t %[2]s on Databricks",
					withConfig(c), cfg.Targets[len(cfg.Targets)-1].Name)
			case c.Bool("local"):
				return runLocal(c, parts, tiers)
			default:
				for _, f := range []string{"data", "engine", "retry-wait"} {
					if c.IsSet(f) {
						return fmt.Errorf("--%s belongs to --local\nhint: give --local, or leave it out", f)
					}
				}
				name, err := target(c, cfg)
				if err != nil {
					return err
				}
				return runRemote(c, parts, name, tiers)
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

// runLocal runs the jobs of all bundles here, one after the other, in one data
// folder. The worst outcome is the command's.
func runLocal(c *cli.Context, parts []part, tiers []string) error {
	if !slices.Contains(localrun.Engines(), c.String("engine")) {
		return notAllowed("--engine", c.String("engine"), "duckdb needs nothing more; spark runs the bundle's wheel as Databricks does", localrun.Engines())
	}
	worst := localrun.OK
	var tables string
	for _, p := range parts {
		// Before anything is read or sent: an edited sites.json would have the
		// password sent to whoever edited it.
		if err := unedited(p.dir()); err != nil {
			return err
		}
		if err := config.CheckEnv(p.cfg); err != nil {
			return err
		}
	}
	for _, p := range parts {
		tiers, err := emittedTiers(p.dir(), tiers, c.IsSet("tier"))
		if err != nil {
			return err
		}
		options := localrun.Options{
			Bundle: p.dir(), Pipeline: p.cfg.Key(), Engine: c.String("engine"), Data: p.cfg.Path(c.String("data")), Tiers: tiers, Until: c.String("until"), Endless: c.IsSet("tier") && !c.IsSet("until"), RetryWait: c.Duration("retry-wait"), Getenv: os.LookupEnv,
			Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Terminal: screenOf(c.App.ErrWriter).terminal, Log: logger(c.App.ErrWriter),
		}
		if p.region() != "" {
			fmt.Fprintf(c.App.Writer, "region %s\n", p.region())
		}
		outcome, err := localrun.Run(c.Context, options)
		if err != nil {
			return err
		}
		worst, tables = together(worst, outcome, p == parts[0]), options.Tables()
	}
	switch worst {
	case localrun.OK:
		fmt.Fprintf(c.App.ErrWriter, "landed in %s\n", tables)
		return nil
	case localrun.PartlyDone:
		return exit(exitPartial)
	default:
		return exit(exitError)
	}
}

// together gives the outcome of several bundles' runs: where something was landed
// and something was not, it is done in part.
func together(before, now localrun.Outcome, first bool) localrun.Outcome {
	if first || before == now {
		return now
	}
	return localrun.PartlyDone
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

// runRemote runs the jobs of all bundles on Databricks, one after the other. A
// region that cannot be run stops no other.
func runRemote(c *cli.Context, parts []part, name string, tiers []string) error {
	worst := deploy.Succeeded
	err := inEach(c, parts, func(p part) error {
		outcome, err := runJobs(c, p, name, tiers)
		if worst == deploy.Succeeded || outcome == deploy.Failed {
			worst = outcome
		}
		return err
	})
	if err != nil {
		return err
	}
	if worst != deploy.Succeeded {
		return exit(worst)
	}
	return nil
}

// runJobs runs the jobs of a bundle's tiers.
func runJobs(c *cli.Context, p part, name string, tiers []string) (deploy.Outcome, error) {
	b, err := bundle.Read(p.dir())
	if err != nil {
		return deploy.Failed, err
	}
	params := map[string]string{}
	if until := c.String("until"); until != "" {
		params["until"] = until
	}
	worst := deploy.Succeeded
	for _, tier := range tiers {
		for _, j := range b.Roots() {
			if j.Tier != tier || !j.Lands() {
				continue
			}
			if j.Continuous {
				params[bundle.ParameterLoopSeconds] = "0" // a run that somebody waits for ends
			} else {
				delete(params, bundle.ParameterLoopSeconds)
			}
			res, err := workspace(c).Run(c.Context, p.dir(), name, j.Key, params)
			if err != nil {
				return deploy.Failed, err
			}
			if worst == deploy.Succeeded || res.Outcome == deploy.Failed {
				worst = res.Outcome
			}
		}
	}
	return worst, nil
}
