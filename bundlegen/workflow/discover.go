package workflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/discover"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Discovered is the inventory after Discover.
type Discovered struct {
	Tags    []inventory.Tag
	Change  inventory.Merged // against the one before
	Written bool             // false: the file did not change
}

// Discover asks the sites of cfg, which is whole or one of its regions, for their
// points and writes the inventory. Tags of other regions' sites stay as they are.
// notes is what a person should know, also where there is an error.
func Discover(ctx context.Context, whole, cfg *config.Pipeline, o discover.Options) (_ *Discovered, notes []string, err error) {
	old, err := InventoryFile(whole, nil) // an empty tier stays empty
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err := wantPoints(cfg, old); err != nil {
		return nil, nil, err
	}
	o.Old = old
	if o.Sources, notes, err = sources(cfg); err != nil {
		return nil, notes, err
	}
	found, more, err := discover.Points(ctx, o)
	notes = append(notes, more...)
	if err != nil {
		return nil, notes, err
	}
	if len(found) == 0 {
		return nil, notes, diag.WithHint(errors.New("no site has a point that this user may see; nothing was written"),
			"PI's own permissions on points decide what is listed")
	}
	out := &Discovered{Tags: append(found, elsewhere(cfg, old)...)}
	file, change := inventory.Merge(out.Tags, old)
	out.Change = change
	out.Written, err = writeInventory(whole, file)
	return out, notes, err
}

func writeInventory(cfg *config.Pipeline, file *inventory.File) (written bool, err error) {
	var text bytes.Buffer
	if err := inventory.WriteFile(&text, file); err != nil {
		return false, err
	}
	return replaceFile(cfg.InventoryPath(), text.Bytes())
}

// wantPoints returns an error for sites without the key points whose rows may be a
// selection, since no discover has written them.
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

// maxAsked is how many of these sites the error names.
const maxAsked = 10

// checkListed returns an error for a site whose points are listed and whose list is empty.
func checkListed(cfg *config.Pipeline, rows map[string]int) error {
	for _, s := range cfg.Sites {
		if s.Points.Kind == manifest.PointsListed && rows[s.Name] == 0 {
			return diag.WithHint(fmt.Errorf("%s: site %s: points: listed, and %s has no row of it; nothing was written",
				cfg.Place(s.Name, "points"), s.Name, cfg.Inventory),
				"write its rows into %s, the column tag is enough; or points: all, for every point that its user may see", cfg.Inventory)
		}
	}
	return nil
}

// elsewhere returns the tags of an inventory, which may be nil, of sites in other
// regions than that of cfg.
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

// sources returns the sites with the certificates and Kerberos configurations that
// their bundle would have.
func sources(cfg *config.Pipeline) (out []discover.Source, notes []string, err error) {
	for _, s := range cfg.Sites {
		site, files, n, err := bundle.Site(cfg, s)
		if err != nil {
			return nil, notes, err
		}
		notes = append(notes, n...)
		out = append(out, discover.Source{Site: site, Files: func(name string) ([]byte, error) {
			for _, f := range files {
				if f.Path == name {
					return f.Data, nil
				}
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}})
	}
	return out, notes, nil
}

// replaceFile replaces a file atomically. It reports whether its content changed.
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
