package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Inventory reads the pipeline's inventory. notes is what a person should
// know of its header.
func Inventory(cfg *config.Pipeline) (tags []inventory.Tag, notes []string, err error) {
	var tiers []string
	for _, t := range cfg.Tiers {
		tiers = append(tiers, t.Name)
	}
	f, err := InventoryFile(cfg, append(tiers, manifest.TierNone))
	if err != nil {
		return nil, nil, err
	}
	for _, note := range f.Notes {
		notes = append(notes, cfg.Inventory+": "+note)
	}
	return f.Tags, notes, nil
}

// whoWrites returns the command that makes a missing inventory. No server has a name that ends
// in .example, which is reserved: discover has nobody to ask for the inventories of
// our examples, most of which are made and not committed.
func whoWrites(cfg *config.Pipeline) string {
	for _, s := range cfg.Sites {
		if u, err := url.Parse(s.URL); err != nil || !strings.HasSuffix(strings.ToLower(u.Hostname()), ".example") {
			return "bundlegen discover writes it"
		}
	}
	return "bundlegen discover writes it; that of an example in bundlegen's repository is made by make generate-examples"
}

// InventoryFile reads the inventory as tags of the given tiers; of any without one.
func InventoryFile(cfg *config.Pipeline, tiers []string) (*inventory.File, error) {
	path := cfg.InventoryPath()
	f, err := regular.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, diag.WithHint(fmt.Errorf("inventory: %w", err), "%s", whoWrites(cfg))
	case err != nil:
		var why *fs.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, diag.WithHint(fmt.Errorf("%s: inventory: %q: %w; allowed: a CSV file", cfg.File, cfg.Inventory, err),
			"name the file, such as inventory: inventory.csv; bundlegen discover writes it")
	}
	defer f.Close() // only read: closing cannot lose anything
	opt := inventory.Options{Tiers: tiers}
	if len(tiers) > 0 {
		opt.TierOf = cfg.TierOf()
	}
	for _, s := range cfg.Sites {
		opt.Sites = append(opt.Sites, s.Name)
	}
	return inventory.ReadFile(f, path, opt)
}
