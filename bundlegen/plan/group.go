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

// grouped is the inventory in order of site and name, as indices: a million
// tags are sorted without copying one.
type grouped struct {
	tags   []inventory.Tag
	left   []inventory.Tag // rows of tier none, as they came
	tiers  int
	order  []int32 // indices into tags, by site, then name
	starts []int   // order[starts[s]:starts[s+1]] is site s
	tier   []uint16
	counts [][]int // counts[tier][site]: tags
}

// site gives the indices of a site's tags, by name.
func (g *grouped) site(s int) []int32 { return g.order[g.starts[s]:g.starts[s+1]] }

// group sorts the inventory by site and name. It refuses sites and tiers that
// pipeline.yml does not have, and names that a site has twice.
func group(cfg *config.Pipeline, tags []inventory.Tag) (*grouped, error) {
	tags, left := withoutNone(tags)
	switch {
	case len(tags) == 0 && len(left) > 0:
		return nil, diag.WithHint(fmt.Errorf("%s: every row has tier none, so there is nothing to plan", cfg.Inventory),
			"clear the tier of those that are to be extracted")
	case len(tags) == 0:
		return nil, diag.WithHint(fmt.Errorf("%s: no tags, so there is nothing to plan", cfg.Inventory),
			"`bundlegen discover` fills it from the PI servers")
	}
	g := &grouped{tags: tags, left: left, tiers: len(cfg.Tiers), tier: make([]uint16, len(tags))}
	g.counts = make([][]int, len(cfg.Tiers))
	for t := range g.counts {
		g.counts[t] = make([]int, len(cfg.Sites))
	}
	siteOf := make([]uint32, len(tags))
	sites, tiers := newLookup(len(cfg.Sites)), newLookup(len(cfg.Tiers))
	for i, s := range cfg.Sites {
		sites.add(s.Name, i)
	}
	for i, t := range cfg.Tiers {
		tiers.add(t.Name, i)
	}
	tierOf := cfg.TierOf()
	if len(cfg.Sites) == 1 {
		sites.add("", 0)
	}
	for i := range tags {
		s, ok := sites.find(tags[i].Site)
		if !ok {
			return nil, unknown(cfg, tags[i].Name, "site", tags[i].Site, siteNames(cfg))
		}
		name := tags[i].Tier
		if name == "" {
			name = tierOf(tags[i].Name)
		}
		t, ok := tiers.find(name)
		if !ok {
			return nil, unknown(cfg, tags[i].Name, "tier", tags[i].Tier, tierNames(cfg))
		}
		siteOf[i], g.tier[i] = uint32(s), uint16(t)
		g.counts[t][s]++
	}
	g.sortBySite(siteOf, len(cfg.Sites))
	return g, g.sortByName(cfg)
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

// sortBySite fills order and starts: a counting sort.
func (g *grouped) sortBySite(siteOf []uint32, sites int) {
	g.starts = make([]int, sites+1)
	for _, s := range siteOf {
		g.starts[s+1]++
	}
	for s := range sites {
		g.starts[s+1] += g.starts[s]
	}
	next := slices.Clone(g.starts)
	g.order = make([]int32, len(siteOf))
	for i, s := range siteOf {
		g.order[next[s]] = int32(i)
		next[s]++
	}
}

func (g *grouped) sortByName(cfg *config.Pipeline) error {
	return each(len(cfg.Sites), func(s int) error {
		order := g.site(s)
		slices.SortFunc(order, func(a, b int32) int { return strings.Compare(g.tags[a].Name, g.tags[b].Name) })
		for i := 1; i < len(order); i++ {
			if name := g.tags[order[i]].Name; name == g.tags[order[i-1]].Name {
				return diag.WithHint(fmt.Errorf("%s: site %s has tag %q twice", cfg.Inventory, cfg.Sites[s].Name, name),
					"a tag stands in one row, and so in one tier")
			}
		}
		return nil
	})
}

// lookup finds an index by name; inventories have long runs of one name, so the last answer is tried first.
type lookup struct {
	byName map[string]int
	last   string
	index  int
	ok     bool
}

func newLookup(n int) *lookup { return &lookup{byName: make(map[string]int, n+1)} }

func (l *lookup) add(name string, index int) { l.byName[name] = index }

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
	return diag.WithHint(fmt.Errorf("%s: tag %q: %s %q is not in %s; allowed: %s", cfg.Inventory, tag, what, name, cfg.File, strings.Join(shown, ", ")),
		"%s", hint)
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
// errors it returns that of the least index, so that the answer is the same each time.
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
