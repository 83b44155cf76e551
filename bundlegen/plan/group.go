package plan

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"golang.org/x/sync/errgroup"
)

// grouped is the inventory by site and tier: ranges and numbers next to the tags, none of
// which is copied.
type grouped struct {
	tags   []inventory.Tag // by site, then name
	left   []inventory.Tag // rows of tier none
	starts []int           // tags[starts[s]:starts[s+1]] are those of site s
	tier   []uint16        // of each tag
	counts [][]int         // counts[tier][site]: tags
}

// site returns the tags of a site, by name, and the tier of each.
func (g *grouped) site(s int) (tags []inventory.Tag, tiers []uint16) {
	return g.tags[g.starts[s]:g.starts[s+1]], g.tier[g.starts[s]:g.starts[s+1]]
}

// bySite finds the site and tier of each tag. It refuses sites and tiers that
// pipeline.yml does not have, and tags that are not in the order of inventory.Parse.
func bySite(cfg *config.Pipeline, tags []inventory.Tag) (*grouped, error) {
	tags, left := withoutNone(tags)
	switch {
	case len(tags) == 0 && len(left) > 0:
		return nil, diag.WithHint(fmt.Errorf("%s: every row has tier none, so there is nothing to plan", cfg.Inventory),
			"clear the tier of those that are to be extracted")
	case len(tags) == 0:
		return nil, diag.WithHint(fmt.Errorf("%s: no tags, so there is nothing to plan", cfg.Inventory),
			"`bundlegen discover` fills it from the PI servers")
	}
	g := &grouped{tags: tags, left: left, starts: make([]int, len(cfg.Sites)+1), tier: make([]uint16, len(tags))}
	g.counts = make([][]int, len(cfg.Tiers))
	for t := range g.counts {
		g.counts[t] = make([]int, len(cfg.Sites))
	}
	sites, tiers := newLookup(siteNames(cfg)), newLookup(tierNames(cfg))
	last := 0
	for i := range tags {
		s, ok := sites.find(tags[i].Site)
		if !ok {
			return nil, unknown(cfg, tags[i].Name, "site", tags[i].Site, siteNames(cfg))
		}
		t, ok := tiers.find(tags[i].Tier)
		if !ok {
			return nil, unknown(cfg, tags[i].Name, "tier", tags[i].Tier, tierNames(cfg))
		}
		if s < last || i > 0 && s == last && tags[i].Name <= tags[i-1].Name {
			return nil, fmt.Errorf("%s: tag %q of site %s is out of order or there twice", cfg.Inventory, tags[i].Name, tags[i].Site)
		}
		g.tier[i], last = uint16(t), s
		g.counts[t][s]++
		g.starts[s+1] = i + 1
	}
	for s := range cfg.Sites {
		g.starts[s+1] = max(g.starts[s+1], g.starts[s]) // a site without tags
	}
	return g, nil
}

// withoutNone parts rows of tier none from the others; where there are none of them
// it copies nothing.
func withoutNone(tags []inventory.Tag) (rest, left []inventory.Tag) {
	none := func(t inventory.Tag) bool { return t.Tier == manifest.TierNone }
	if !slices.ContainsFunc(tags, none) {
		return tags, nil
	}
	for i := range tags {
		if none(tags[i]) {
			left = append(left, tags[i])
		} else {
			rest = append(rest, tags[i])
		}
	}
	return rest, left
}

// lookup finds an index by name. Inventories have long runs of one name, so the last
// answer is tried first.
type lookup struct {
	byName map[string]int
	last   string
	index  int
	ok     bool
}

func newLookup(names []string) *lookup {
	l := &lookup{byName: make(map[string]int, len(names))}
	for i, name := range names {
		l.byName[name] = i
	}
	return l
}

func (l *lookup) find(name string) (int, bool) {
	if !l.ok || name != l.last {
		l.index, l.ok = l.byName[name]
		l.last = name
	}
	return l.index, l.ok
}

func unknown(cfg *config.Pipeline, tag, what, name string, known []string) error {
	hint := suggest.Hint(name, known, "add it to "+cfg.File+", or correct the inventory")
	shown := known
	if len(shown) > 10 {
		shown = append(slices.Clone(known[:10]), "…")
	}
	return diag.WithHint(
		fmt.Errorf("%s: tag %q: %s %q is not in %s; allowed: %s", cfg.Inventory, tag, what, name, cfg.File, strings.Join(shown, ", ")),
		"%s", hint,
	)
}

func siteNames(cfg *config.Pipeline) []string {
	names := make([]string, len(cfg.Sites))
	for i, s := range cfg.Sites {
		names[i] = s.Name
	}
	return names
}

func tierNames(cfg *config.Pipeline) []string {
	names := make([]string, len(cfg.Tiers))
	for i, t := range cfg.Tiers {
		names[i] = t.Name
	}
	return names
}

// each calls f for 0 to n-1, as many at once as there are processors. Of several
// errors it returns that of the lowest index, so that the answer is the same each time.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		workers.Go(func() error {
			defer crash.Exit()
			errs[i] = f(i)
			return nil
		})
	}
	_ = workers.Wait() // the functions return nil: errors are in errs
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
