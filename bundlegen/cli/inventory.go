package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/localrun"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
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
			fmt.Fprintf(c.App.Writer, "wrote %s%s\nnext: set the site's user and secret in %s, then bundlegen discover%s\n", path, ignore, path, withConfig(c))
			return nil
		},
	}
}

// wrongServer says what is wrong with --server; its value may hold a password.
func wrongServer(err error) error {
	return diag.WithHint(fmt.Errorf("--server %w", err), "%s", diag.Hint(err))
}

// withConfig repeats -c in a next command where it was given, such that a shell takes it.
func withConfig(c *cli.Context) string {
	if !c.IsSet("config") {
		return ""
	}
	return " -c " + quoted(c.String("config"))
}

// quoted is a word such that a shell takes it.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// plain is what shells take without quotes.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:+-]+$`)

func discoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "discover",
		Usage: "lists every site's points in the inventory",
		Description: `Which points those are, sites[].points says: all that the user may see, those
that filters of PI select, or the rows that are listed and no others. Tiers, rates
and columns of your own are kept; rows that their server does not have any more
are dropped, unless they are listed.`,
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
			old, err := workflow.InventoryFile(whole, nil) // an empty tier stays empty
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := wantPoints(cfg, old); err != nil {
				return err
			}
			sources, err := sources(c, cfg)
			if err != nil {
				return err
			}
			found, err := discover(c, localrun.Discovery{Sources: sources, Old: old})
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return diag.WithHint(errors.New("no site has a point that this user may see; nothing was written"),
					"PI's own permissions on points decide what is listed")
			}
			return writeInventory(c, whole, append(found, elsewhere(cfg, old)...), old)
		},
	}
}

// wantPoints asks which points belong into the inventory where nobody said so and
// the rows that are there may be a selection: those that no discover has written.
func wantPoints(cfg *config.Pipeline, old *inventory.File) error {
	if old == nil {
		return checkListed(cfg, map[string]int{})
	}
	rows, discovered := map[string]int{}, map[string]bool{}
	for i := range old.Tags {
		t := &old.Tags[i]
		rows[t.Site]++
		discovered[t.Site] = discovered[t.Site] || t.WebID != "" || t.PointID != 0
	}
	var unsaid []config.Site
	for _, s := range cfg.Sites {
		if s.Points.Kind == "" && rows[s.Name] > 0 && !discovered[s.Name] {
			unsaid = append(unsaid, s)
		}
	}
	if len(unsaid) == 0 {
		return checkListed(cfg, rows)
	}
	var b strings.Builder
	for i, s := range unsaid {
		if i == maxAsked {
			fmt.Fprintf(&b, "and %s more\n", words.Plural(len(unsaid)-i, "site"))
			break
		}
		fmt.Fprintf(&b, "%s: site %s: %s has %s that discover did not write, and `points` is not said; nothing was written\n",
			cfg.Place(s.Name, "points"), s.Name, cfg.Inventory, words.Plural(rows[s.Name], "row"))
	}
	return diag.WithHint(errors.New(strings.TrimSuffix(b.String(), "\n")), "add one of these to the site:\n"+
		"  points: listed   keeps these rows and fills in what PI knows of them\n"+
		"  points: all      lists every point that its user may see, and drops rows that are none\n"+
		"  points: {include: [\"UNIT1.*\"], exclude: [\"*.TEST\"]}   lists those")
}

// maxAsked is how many sites are named that have to say something.
const maxAsked = 10

// checkListed refuses a list that is not there.
func checkListed(cfg *config.Pipeline, rows map[string]int) error {
	for _, s := range cfg.Sites {
		if s.Points.Kind == manifest.PointsListed && rows[s.Name] == 0 {
			return diag.WithHint(fmt.Errorf("%s: site %s: points: listed, and %s has no row of it; nothing was written", cfg.Place(s.Name, "points"), s.Name, cfg.Inventory),
				"write its rows into %s, the column tag is enough; or points: all, for every point that its user may see", cfg.Inventory)
		}
	}
	return nil
}

// elsewhere returns what an inventory, which may be nil, says of the sites of other
// regions than that of cfg: nobody asked these.
func elsewhere(cfg *config.Pipeline, old *inventory.File) []inventory.Tag {
	var tags []inventory.Tag
	if old == nil {
		return nil
	}
	for _, t := range old.Tags {
		if slices.Contains(cfg.Elsewhere, t.Site) {
			tags = append(tags, t)
		}
	}
	return tags
}

// quietFor is how long discover says nothing in a pipe while pages come.
const quietFor = 10 * time.Second

// discover asks the sites, and shows how far they are and what was left out.
func discover(c *cli.Context, d localrun.Discovery) ([]inventory.Tag, error) {
	tell := screenOf(c.App.ErrWriter)
	var mu sync.Mutex
	d.Getenv, d.Log = os.LookupEnv, logger(c.App.ErrWriter)
	begun := time.Now()
	spoken := begun
	d.Progress = func(site string, points int) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case tell.terminal:
			fmt.Fprintf(c.App.ErrWriter, "\r%s: %s\033[K", text.Line(site), words.Plural(points, "point"))
		case time.Since(spoken) >= quietFor:
			spoken = time.Now()
			fmt.Fprintf(c.App.ErrWriter, "%7.1fs  %s: %s so far\n", time.Since(begun).Seconds(), text.Line(site), words.Plural(points, "point"))
		}
	}
	d.Trouble = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if tell.terminal {
			fmt.Fprint(c.App.ErrWriter, "\r\033[K")
		}
		spoken = time.Now()
		fmt.Fprintf(c.App.ErrWriter, "%7.1fs  %s\n", time.Since(begun).Seconds(), line)
	}
	found, notes, err := localrun.Discover(c.Context, d)
	if tell.terminal {
		fmt.Fprint(c.App.ErrWriter, "\r\033[K")
	}
	printNotes(c, notes)
	return found, err
}

// sources returns the sites with their certificates and Kerberos configurations as
// a bundle would have them: there may be none yet.
func sources(c *cli.Context, cfg *config.Pipeline) ([]localrun.Source, error) {
	var out []localrun.Source
	for _, s := range cfg.Sites {
		site, files, notes, err := bundle.Site(cfg, s)
		if err != nil {
			return nil, err
		}
		printNotes(c, notes)
		out = append(out, localrun.Source{Site: site, Files: func(name string) ([]byte, error) {
			for _, f := range files {
				if f.Path == name {
					return f.Data, nil
				}
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}})
	}
	return out, nil
}

// notesKey is where an application keeps the notes that it printed.
const notesKey = "notes"

// notesOf returns the notes that a command has printed so far.
func notesOf(c *cli.Context) []string {
	notes, _ := c.App.Metadata[notesKey].([]string)
	return append([]string{}, notes...)
}

// printNotes tells what a person should know and need not do anything about.
func printNotes(c *cli.Context, notes []string) {
	c.App.Metadata[notesKey] = append(notesOf(c), notes...)
	for _, n := range notes {
		fmt.Fprintf(c.App.ErrWriter, "note: %s\n", text.Line(n))
	}
}

// writeInventory writes what was found, with what the old inventory, which may be
// nil, says beside.
func writeInventory(c *cli.Context, cfg *config.Pipeline, found []inventory.Tag, old *inventory.File) error {
	path := cfg.InventoryPath()
	file, change := inventory.Merge(found, old)
	var buf bytes.Buffer
	if err := inventory.WriteFile(&buf, file); err != nil {
		return err
	}
	written, err := replaceFile(path, buf.Bytes())
	if err != nil {
		return err
	}
	next := "bundlegen plan" + withConfig(c)
	if asJSON(c) {
		return printJSON(c, discovered{
			Version: documentVersion, Inventory: cfg.Inventory, Written: written, Tags: len(found), Sites: bySite(cfg, found),
			Added: change.Added, Removed: change.Removed, Renamed: change.Renamed, Notes: notesOf(c), Next: next,
		})
	}
	fmt.Fprintf(c.App.Writer, "%s: %s of %s (+%s, -%s, %s renamed)\nnext: %s\n",
		cfg.Inventory, words.Plural(len(found), "tag"), words.Plural(len(cfg.Sites), "site"),
		words.Count(change.Added), words.Count(change.Removed), words.Count(change.Renamed), next)
	return nil
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

// replaceFile puts data in a file's place at once: a reader sees the old or the new.
// It reports whether the file had to be written: it may be so already.
func replaceFile(path string, data []byte) (written bool, err error) {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".inventory-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return false, err
	}
	return true, os.Rename(f.Name(), path)
}
