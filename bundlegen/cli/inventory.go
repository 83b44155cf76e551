package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/discover"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

func initCommand() *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "writes a commented pipeline.yml, and a .gitignore; never overwrites one",
		Flags: []cli.Flag{configFlag, &cli.StringFlag{Name: "server", Usage: "the PI Web API's `URL`, with or without /piwebapi"}},
		Action: func(c *cli.Context) error {
			if !c.IsSet("server") {
				return diag.WithHint(errors.New("--server is missing"), "bundlegen init --server https://pi.example/piwebapi")
			}
			if _, err := config.NormalizeURL(c.String("server")); err != nil {
				return wrongServer(err)
			}
			path := c.String("config")
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return diag.WithHint(fmt.Errorf("%s is there already, and init never overwrites", path),
					"edit it, or give another name with -c")
			}
			if err != nil {
				return err
			}
			_, err = f.Write(config.Template(c.String("server")))
			if err := errors.Join(err, f.Close()); err != nil {
				return errors.Join(err, os.Remove(path))
			}
			ignore, notes := writeGitignore(path)
			printNotes(c, notes)
			if ignore != "" {
				ignore = " and " + ignore
			}
			fmt.Fprintf(c.App.Writer, "wrote %s%s\nnext: set the site's user and secret in %s, then bundlegen discover%s\n", path, ignore,
				path, withConfig(c))
			return nil
		},
	}
}

// wrongServer is an error about --server without its value, which may hold a password.
func wrongServer(err error) error {
	return diag.WithHint(fmt.Errorf("--server %w", err), "%s", diag.Hint(err))
}

// withConfig repeats -c in a next command if it was given, quoted for a shell.
func withConfig(c *cli.Context) string {
	if !c.IsSet("config") {
		return ""
	}
	return " -c " + quoted(c.String("config"))
}

// quoted quotes a word for a shell.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// plain is what needs no quotes.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:+-]+$`)

func discoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "discover",
		Usage: "lists every site's points in the inventory",
		Description: `The key sites[].points selects the points: all that the user may see, those that
match filters, or the rows of the inventory and no others. Tiers, rates and columns
of your own are kept. Rows whose points no longer exist are dropped, unless the
points are listed.`,
		Flags: []cli.Flag{configFlag, regionFlag, outputFlag("text or json", "text", "json")},
		Action: func(c *cli.Context) error {
			if _, err := outputFormat(c, "what was found"); err != nil {
				return err
			}
			project, err := load(c)
			if err != nil {
				return err
			}
			whole := project.Pipeline
			cfg := whole
			if c.String("region") != "" {
				cfg = project.Regions[0].Config // its sites, and so their secrets only
			}
			if err := config.CheckEnv(cfg); err != nil {
				return err
			}
			found, err := discoverPoints(c, whole, cfg)
			if err != nil {
				return err
			}
			next := "bundlegen plan" + withConfig(c)
			if asJSON(c) {
				return printJSON(c, discovered{
					Version: documentVersion, Inventory: whole.Inventory, Written: found.Written, Tags: len(found.Tags),
					Sites: bySite(whole, found.Tags),
					Added: found.Change.Added, Removed: found.Change.Removed, Renamed: found.Change.Renamed, Notes: notesOf(c), Next: next,
				})
			}
			fmt.Fprintf(c.App.Writer, "%s: %s of %s (+%s, -%s, %s renamed)\nnext: %s\n",
				whole.Inventory, words.Plural(len(found.Tags), "tag"), words.Plural(len(whole.Sites), "site"),
				words.Count(found.Change.Added), words.Count(found.Change.Removed), words.Count(found.Change.Renamed), next)
			return nil
		},
	}
}

// quietFor is the time between two lines of progress where there is no terminal.
const quietFor = 10 * time.Second

// discoverPoints asks the sites of cfg and shows the progress.
func discoverPoints(c *cli.Context, whole, cfg *config.Pipeline) (*workflow.Discovered, error) {
	screen := screenOf(c.App.ErrWriter)
	var mu sync.Mutex
	o := discover.Options{Getenv: os.LookupEnv, Log: logger(c.App.ErrWriter)}
	begun := time.Now()
	spoken := begun
	o.Progress = func(site string, points int) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case screen.terminal:
			fmt.Fprintf(c.App.ErrWriter, "\r%s: %s\033[K", text.Line(site), words.Plural(points, "point"))
		case time.Since(spoken) >= quietFor:
			spoken = time.Now()
			fmt.Fprintf(c.App.ErrWriter, "%7.1fs  %s: %s so far\n", time.Since(begun).Seconds(), text.Line(site),
				words.Plural(points, "point"))
		}
	}
	o.Trouble = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if screen.terminal {
			fmt.Fprint(c.App.ErrWriter, "\r\033[K")
		}
		spoken = time.Now()
		fmt.Fprintf(c.App.ErrWriter, "%7.1fs  %s\n", time.Since(begun).Seconds(), line)
	}
	found, notes, err := workflow.Discover(c.Context, whole, cfg, o)
	if screen.terminal {
		fmt.Fprint(c.App.ErrWriter, "\r\033[K")
	}
	printNotes(c, notes)
	return found, err
}

// notesKey is where an application keeps the notes that it printed.
const notesKey = "notes"

// notesOf returns the notes that a command has printed so far.
func notesOf(c *cli.Context) []string {
	notes, _ := c.App.Metadata[notesKey].([]string)
	return append([]string{}, notes...)
}

// printNotes prints notes, which need no action.
func printNotes(c *cli.Context, notes []string) {
	c.App.Metadata[notesKey] = append(notesOf(c), notes...)
	for _, n := range notes {
		fmt.Fprintf(c.App.ErrWriter, "note: %s\n", text.Line(n))
	}
}

// bySite counts the tags of each site.
func bySite(cfg *config.Pipeline, tags []inventory.Tag) []discoveredSite {
	counts := map[string]int{}
	for i := range tags {
		counts[tags[i].Site]++
	}
	out := make([]discoveredSite, len(cfg.Sites))
	for i, s := range cfg.Sites {
		out[i] = discoveredSite{s.Name, counts[s.Name]}
	}
	return out
}
