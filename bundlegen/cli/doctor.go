package cli

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
)

// examined is `doctor --output json`.
type examined struct {
	Version  int              `json:"version"`
	Green    bool             `json:"green"` // no check failed
	Findings []doctor.Finding `json:"findings"`
	Next     string           `json:"next"`
}

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "checks the sites from this machine, or a workspace, and names what will not work, with its cure",
		Description: `With -t it asks the target's workspace by its API, and starts nothing.

Without -t it checks each site from here: secrets, DNS, connection, certificate, who
answers, sign-in, rights, versions, clocks, limits. A wrong password is tried once, and
nothing is written to PI. doctor.json keeps the outcome: deploy to a production target
says how old it is.

Exit code 1 if a check failed.`,
		Flags: []cli.Flag{
			configFlag, targetFlag, regionFlag,
			&cli.StringSliceFlag{Name: "site", Usage: "check only the site `NAME`; may be repeated"},
			&cli.DurationFlag{Name: "timeout", Value: 10 * time.Second, Usage: "give one request this much `TIME`"},
			outputFlag("text or json", "text", "json"),
		},
		Action: func(c *cli.Context) error {
			if _, err := outputFormat(c, "what was found"); err != nil {
				return err
			}
			if c.IsSet("target") {
				return doctorOfTarget(c)
			}
			cfg, err := config.Load(c.String("config"))
			if err != nil {
				return err
			}
			sites, err := sitesNamed(c, cfg)
			if err != nil {
				return err
			}
			r, err := workflow.CheckSites(c.Context, cfg, sites, c.Duration("timeout"))
			if err != nil {
				return err
			}
			if len(sites) == len(cfg.Sites) {
				if err := workflow.RecordDoctor(cfg, r, time.Now()); err != nil {
					return err
				}
			}
			if err := printFindings(c, r); err != nil {
				return err
			}
			if r.Red() {
				return exit(exitError)
			}
			return nil
		},
	}
}

// printFindings prints a doctor's report.
func printFindings(c *cli.Context, r *doctor.Report) error {
	next := "bundlegen plan" + withConfig(c)
	if r.Red() {
		next = "bundlegen doctor" + withConfig(c)
	}
	if asJSON(c) {
		return printJSON(c, examined{Version: documentVersion, Green: !r.Red(), Findings: r.Findings, Next: next})
	}
	s := screenOf(c.App.Writer)
	return report.DoctorText(c.App.Writer, r, next, report.Options{Width: s.width, Color: s.color})
}

// sitesNamed returns the sites that --site names, else all.
func sitesNamed(c *cli.Context, cfg *config.Pipeline) ([]config.Site, error) {
	var all []string
	byName := map[string]config.Site{}
	for _, s := range cfg.Sites {
		all, byName[s.Name] = append(all, s.Name), s
	}
	var sites []config.Site
	for _, name := range c.StringSlice("site") {
		s, ok := byName[name]
		if !ok {
			return nil, commandline.NotAllowed(commandline.Typed(c, "site"), name, "the sites are those of "+cfg.File, all)
		}
		sites = append(sites, s)
	}
	if len(sites) == 0 {
		return cfg.Sites, nil
	}
	return sites, nil
}

// noteDoctor tells who deploys to production how old the last green doctor is.
func noteDoctor(c *cli.Context, cfg *config.Pipeline, target string) error {
	for _, t := range cfg.Targets {
		if t.Name != target || !t.Production {
			continue
		}
		note, err := workflow.DoctorNote(cfg, time.Now())
		if err != nil {
			return err
		}
		printNotes(c, []string{note})
	}
	return nil
}
