package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "runs the job: on Databricks with -t, or here with --local",
		Flags: []cli.Flag{
			configFlag, targetFlag, regionFlag,
			&cli.BoolFlag{Name: "local", Usage: "run the job on this machine"},
			&choiceFlag{&cli.StringFlag{Name: "engine", Value: localrun.Engines()[0],
				Usage: "`ENGINE` of a local run: duckdb, or spark for Delta on a Spark that is set up here, or on that of SPARK_REMOTE"},
				fixed(localrun.Engines()...)},
			&cli.StringFlag{Name: "data", Value: defaultData, Usage: "the `FOLDER` of a local run's tables and staging"},
			&cli.StringFlag{Name: "until", Usage: "read up to exactly this `INSTANT`, such as 2026-01-31T12:00:00Z; by default up to now " +
				"minus extract.settle"},
			&choiceFlag{&cli.StringFlag{Name: "tier",
				Usage: "run only the job of `TIER`; by default those of all tiers, in order. With --local, the job of a continuous tier " +
					"then runs until Ctrl-C, unless --until is given"}, tierNames},
			&cli.DurationFlag{Name: "retry-wait", Value: localrun.DefaultRetryWait,
				Usage: "the longest `WAIT` of a local run between two attempts of a task"},
			&cli.BoolFlag{Name: "frozen", Usage: "run the bundle as it is, without a warning that pipeline.yml or the inventory has " +
				"changed"},
			outputFlag("text or json", "text", "json"),
		},
		Action: func(c *cli.Context) error {
			if err := here(c); err != nil {
				return err
			}
			if _, err := outputFormat(c, "what the run did"); err != nil {
				return err
			}
			project, err := load(c)
			if err != nil {
				return err
			}
			tiers, err := tiers(c, project.Pipeline)
			if err != nil {
				return err
			}
			if err := untilFlag(c); err != nil {
				return err
			}
			for _, p := range project.Regions {
				if err := workflow.Exists(p.Config); err != nil {
					return err
				}
			}
			if c.Bool("local") {
				return runLocal(c, project, tiers)
			}
			name, err := target(c, project.Pipeline)
			if err != nil {
				return err
			}
			return runRemote(c, project.Regions, name, tiers)
		},
	}
}

// here checks that the flags name one place to run, here or on Databricks, and belong
// to it, before anything is read.
func here(c *cli.Context) error {
	switch {
	case c.Bool("local") && c.IsSet("target"):
		return diag.WithHint(fmt.Errorf("%s and %s cannot be combined", commandline.Typed(c, "local"), commandline.Typed(c, "target")),
			"--local runs here, -t TARGET on Databricks")
	case c.Bool("local"):
		return nil
	case !c.IsSet("target"):
		name := "TARGET"
		if cfg, err := config.Load(c.String("config")); err == nil {
			name = cfg.Targets[len(cfg.Targets)-1].Name
		}
		return diag.WithHint(errors.New("neither --local nor -t"),
			"bundlegen run%[1]s --local runs it here, bundlegen run%[1]s -t %[2]s on Databricks", withConfig(c), name)
	}
	for _, f := range []string{"data", "engine", "retry-wait", "frozen"} {
		if c.IsSet(f) {
			return diag.WithHint(fmt.Errorf("%s belongs to --local", commandline.Typed(c, f)), "give --local, or leave it out")
		}
	}
	return nil
}

func asJSON(c *cli.Context) bool { return c.String("output") == "json" }

// printJSON prints a document as one indented JSON value.
func printJSON(c *cli.Context, document any) error { return report.WriteJSON(c.App.Writer, document) }

// tiers returns the tier that --tier names, else all of them.
func tiers(c *cli.Context, cfg *config.Pipeline) ([]string, error) {
	names, want := tierNames(cfg), c.String("tier")
	if want == "" {
		return names, nil
	}
	if !slices.Contains(names, want) {
		return nil, commandline.NotAllowed(commandline.Typed(c, "tier"), want, "the tiers are those of "+cfg.File, names)
	}
	return []string{want}, nil
}

func untilFlag(c *cli.Context) error {
	if !c.IsSet("until") {
		return nil
	}
	t, err := instant.Parse(c.String("until"))
	if err != nil {
		return diag.WithHint(fmt.Errorf("%s: %w", commandline.Typed(c, "until"), err),
			"Z is UTC; an offset such as +01:00 may stand instead")
	}
	if t > instant.FromTime(time.Now().AddDate(1, 0, 0)) {
		return diag.WithHint(fmt.Errorf("%s %s is more than a year from now", commandline.Typed(c, "until"), c.String("until")),
			"what is landed up to there would not be read again")
	}
	return nil
}

// localDocument is what run --local --output json prints. Fields are only ever added.
type localDocument struct {
	Version  int                `json:"version"`
	Outcome  outcome.Outcome    `json:"outcome"`
	ExitCode int                `json:"exit_code"`
	Bundles  []localrun.Summary `json:"bundles"` // one for each region
	Next     string             `json:"next"`
}

// runLocal runs the jobs of all bundles here, one after the other, in one data
// folder. The worst outcome is the command's.
func runLocal(c *cli.Context, project *workflow.Project, tiers []string) error {
	if !slices.Contains(localrun.Engines(), c.String("engine")) {
		return commandline.NotAllowed(commandline.Typed(c, "engine"), c.String("engine"),
			"duckdb needs nothing more; spark runs the bundle's wheel as Databricks does", localrun.Engines())
	}
	for _, p := range project.Regions {
		// Before anything is read or sent: an edited sites.json would have the
		// password sent to whoever edited it.
		if err := workflow.Unedited(p.Dir()); err != nil {
			return err
		}
		if err := config.CheckEnv(p.Config); err != nil {
			return err
		}
	}
	if !c.Bool("frozen") {
		warnStale(c, project)
	}
	document := localDocument{Version: documentVersion, Bundles: []localrun.Summary{}}
	var outcomes []outcome.Outcome
	out := resultWriter(c)
	for _, p := range project.Regions {
		if !c.IsSet("tier") {
			var err error
			if tiers, err = p.TiersWithJobs(tierNames(project.Pipeline)); err != nil {
				return err
			}
		}
		if p.Name() != "" {
			fmt.Fprintf(out, "region %s\n", p.Name())
		}
		terminal := screenOf(c.App.ErrWriter)
		sum, err := localrun.Run(c.Context, localrun.Options{
			Bundle: p.Dir(), Pipeline: p.Config.Key(), Engine: c.String("engine"), Data: p.Config.Path(c.String("data")),
			Tiers: tiers, Until: c.String("until"), Endless: c.IsSet("tier") && !c.IsSet("until"),
			RetryWait: c.Duration("retry-wait"), Getenv: os.LookupEnv,
			Stdout: out, Stderr: c.App.ErrWriter, Terminal: terminal.terminal, Size: func() (int, int) { return sizeOf(c.App.ErrWriter) },
		})
		if err != nil {
			return err
		}
		sum.Region = p.Name()
		sum.Text(out)
		outcomes = append(outcomes, sum.Outcome)
		document.Bundles = append(document.Bundles, sum)
		if sum.Outcome == outcome.Cancelled {
			break
		}
	}
	document.Outcome = outcome.Across(outcomes...)
	document.Next = nextOfRun(c, project.Pipeline, document.Outcome)
	failed := document.end(c)
	if asJSON(c) {
		if err := printJSON(c, document); err != nil {
			return err
		}
	}
	return failed
}

// end prints how it ended, and returns what decides the exit code.
func (d *localDocument) end(c *cli.Context) error {
	d.ExitCode = exitCodes[d.Outcome]
	if d.Outcome == outcome.Cancelled {
		cancelled := &localrun.CancelledError{}
		for _, b := range d.Bundles {
			cancelled.Landed, cancelled.Read = cancelled.Landed+b.Events, cancelled.Read+b.Read
		}
		return cancelled
	}
	if !asJSON(c) {
		fmt.Fprintf(c.App.Writer, "next: %s\n", d.Next)
	}
	if d.Outcome == outcome.OK {
		fmt.Fprintf(c.App.ErrWriter, "landed in %s\n", d.Bundles[len(d.Bundles)-1].Tables)
		return nil
	}
	return exit(d.ExitCode)
}

// nextOfRun returns the command to give after a local run.
func nextOfRun(c *cli.Context, whole *config.Pipeline, ended outcome.Outcome) string {
	given := withConfig(c) + withRegion(c)
	if ended == outcome.OK {
		return fmt.Sprintf("bundlegen deploy%s -t %s", given, whole.Targets[len(whole.Targets)-1].Name)
	}
	for _, name := range []string{"engine", "data", "until", "tier", "retry-wait"} {
		if c.IsSet(name) {
			given += " --" + name + " " + quoted(fmt.Sprint(c.Value(name)))
		}
	}
	return "bundlegen run" + given + " --local"
}

// remoteDocument is what run -t --output json prints. Fields are only ever added.
type remoteDocument struct {
	Version  int         `json:"version"`
	Outcome  string      `json:"outcome"`
	ExitCode int         `json:"exit_code"`
	Runs     []remoteRun `json:"runs"` // those that have ended
}

// remoteRun is a run of one job on Databricks.
type remoteRun struct {
	Region string `json:"region,omitempty"`
	Job    string `json:"job"`
	Code   int    `json:"outcome"` // as an exit code
	deploy.RunResult
}

// inWords are the outcomes of runs on Databricks.
var inWords = map[outcome.Outcome]string{outcome.OK: "succeeded", outcome.Partial: "succeeded with failures", outcome.Failed: "failed"}

// runRemote runs the jobs of all bundles on Databricks, one after the other. A
// region that cannot be run stops no other.
func runRemote(c *cli.Context, regions []*workflow.Region, target string, tiers []string) error {
	document := remoteDocument{Version: documentVersion, Runs: []remoteRun{}}
	worst := outcome.OK
	err := workflow.Each(c.Context, regions, func(r *workflow.Region) error {
		return workflow.Run(c.Context, workspace(c), r, target, c.String("until"), tiers, func(job string, result deploy.RunResult) {
			worst = outcome.Worse(worst, result.Outcome)
			run := remoteRun{Region: r.Name(), Job: job, Code: exitCodes[result.Outcome], RunResult: result}
			document.Runs = append(document.Runs, run)
			showRun(resultWriter(c), run)
		})
	})
	if err != nil {
		worst = outcome.Failed
	}
	if asJSON(c) && len(document.Runs) > 0 {
		document.Outcome, document.ExitCode = inWords[worst], exitCodes[worst]
		if err := printJSON(c, document); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if worst != outcome.OK {
		return exit(exitCodes[worst])
	}
	return nil
}

const (
	maxFailedTasks = 10 // that a run's end names; the run's page has all
	maxErrorLines  = 6  // of each
)

// showRun prints how a run on Databricks ended, and why tasks failed.
func showRun(w io.Writer, run remoteRun) {
	fmt.Fprintf(w, "%s %s in %s: %s\n", run.Job, inWords[run.Outcome], words.Span(run.Duration.Seconds()), text.Line(run.URL))
	if run.Outcome != outcome.OK && run.Message != "" {
		indent(w, "  ", run.Message)
	}
	shown, more := 0, 0
	for _, t := range run.Tasks {
		switch {
		case !t.Failed():
			continue
		case shown == maxFailedTasks:
			more++
			continue
		}
		shown++
		fmt.Fprintf(w, "  %s: %s at attempt %d, %s\n", text.Line(t.Key), text.Line(t.State), t.Attempts, text.Line(t.URL))
		indent(w, "    ", t.Error)
	}
	if more > 0 {
		fmt.Fprintf(w, "  and %s more, see the run's page\n", words.Plural(more, "failed task"))
	}
}

// indent writes the first lines of a text that comes from elsewhere.
func indent(w io.Writer, by, said string) {
	lines := strings.Split(strings.TrimSpace(text.Lines(said)), "\n")
	for i, line := range lines {
		if i == maxErrorLines {
			fmt.Fprintf(w, "%s…\n", by)
			return
		}
		if line != "" {
			fmt.Fprintf(w, "%s%s\n", by, strings.TrimRight(line, " "))
		}
	}
}
