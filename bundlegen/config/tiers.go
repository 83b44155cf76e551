package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/duration"
	"github.com/bundlegen/bundlegen/internal/yamlread"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Sizing is how tags become partitions.
type Sizing struct {
	MinTags       int // 2000
	TargetTags    int // 3000
	MaxTags       int // 5000
	TagsPerWorker int // 1000
}

// Tier is a cadence class; one job each.
type Tier struct {
	Name       string
	Every      time.Duration `key:",unset"` // 0 when Cron is given
	Cron       string        // Quartz, 6 or 7 fields
	Sizing     *Sizing       // nil: the general one
	Continuous bool          `json:",omitempty"` // runs without an end: each partition is read again after Every
	Match      []string      `json:",omitempty"` // PI name filters: rows without a tier whose tag one matches are of this tier
	Partitions int           `key:",unset"`      // > 0: this many partitions for the tier, shared out among its sites by tags
}

// partJob is how the children of a job with too many tasks are named: a tier
// of such a name would give two jobs the same key.
var partJob = regexp.MustCompile(`\Apart_\d+\z`)

func readTiers(o *yamlread.Mapping, general Sizing) []Tier {
	items := o.Items("tiers")
	if n := o.Take("tiers"); n == nil || n.Kind != yamlread.List {
		return []Tier{{Name: "standard", Every: 5 * time.Minute}}
	}
	if len(items) == 0 {
		o.AddProblem(o.At("tiers"), diag.Problem{Text: "tiers: an empty list", Allowed: "at least one tier",
			Hint: "leave the key out for one tier, standard, every 5m"})
	}
	var tiers []Tier
	names := map[string]string{}
	for i, n := range items {
		t := o.Child(n, fmt.Sprintf("tiers[%d]", i), false)
		tier := readTier(t, general)
		unique(t, names, tier.Name)
		tiers = append(tiers, tier)
	}
	return tiers
}

func readTier(o *yamlread.Mapping, general Sizing) Tier {
	if o.Node == nil {
		return Tier{}
	}
	continuous, shortest := o.Bool("continuous"), minCadence
	if continuous {
		shortest = time.Second
	}
	t := Tier{
		Name:       o.Required("name", tierNameRule),
		Every:      o.Duration("every", 0, shortest, 7*day),
		Cron:       readCron(o),
		Continuous: continuous,
		Match:      o.Texts("match", 1000, filterRule),
		Partitions: o.Int("partitions", 0, 1, 100_000),
	}
	if s := o.Mapping("sizing"); o.Has("sizing") {
		own := readSizing(s, general)
		t.Sizing = &own
	}
	o.Done()
	if partJob.MatchString(t.Name) {
		o.Wrong(o.At("name"), "name", "any name but part_ and a number, which is how parts of a large job are named", "for instance standard")
	}
	if strings.EqualFold(t.Name, manifest.TierNone) {
		o.Wrong(o.At("name"), "name", "any name but none, which in the inventory keeps a row out of extraction", "for instance standard")
	}
	switch {
	case o.Has("every") && o.Has("cron"):
		o.Forbid("cron", "and every cannot be combined", "keep one of the two")
	case !o.Has("every") && !o.Has("cron"):
		o.Add(o.Node, o.Path+" has neither every nor cron", "for instance every: 5m")
	}
	checkContinuous(o, t)
	if _, ok := CronOf(t.Every); t.Every > 0 && !ok && !t.Continuous {
		below, above := NearestEvery(t.Every)
		hint := fmt.Sprintf("take %s or %s; or write cron", duration.Format(below), duration.Format(above))
		o.Wrong(o.At("every"), "every", "what divides a minute, an hour or a day evenly, or 7d", hint)
	}
	return t
}

// TierOf returns a function that gives a tag its tier whose row names none: the first
// tier with a pattern that matches, else the first of all. It may be called from
// several goroutines.
func (p *Pipeline) TierOf() func(tag string) string {
	var patterns []string
	var owner []int
	for i, t := range p.Tiers {
		for _, m := range t.Match {
			patterns, owner = append(patterns, m), append(owner, i)
		}
	}
	filter := inventory.NewFilter(patterns)
	return func(tag string) string {
		if i := filter.First(tag); i >= 0 {
			return p.Tiers[owner[i]].Name
		}
		return p.Tiers[0].Name
	}
}

// minScheduled is the shortest cadence of a tier whose job starts again each time:
// no cluster starts in less.
const minScheduled = time.Minute

// checkContinuous notes a cadence that only a continuous tier can have, and keys that
// contradict continuous.
func checkContinuous(o *yamlread.Mapping, t Tier) {
	switch {
	case t.Continuous:
		o.Forbid("cron", "cannot be combined with continuous: true, which never restarts", "write every, the time from one loop to the next")
		if t.Every > 6*time.Hour {
			o.Wrong(o.At("every"), "every", "at most 6h with continuous: true", "leave continuous out: a job that starts so rarely costs less")
		}
	case t.Every > 0 && t.Every < minScheduled:
		o.Wrong(
			o.At("every"),
			"every",
			"at least 1m for a job that starts again each time",
			"write continuous: true beside it: the tier's tasks then run without an end",
		)
	case t.Cron != "" && CadenceOf(t.Cron) < minScheduled:
		o.Wrong(o.At("cron"), "cron", "at least 1m between two starts of a job", "write every and continuous: true instead")
	}
}

func readCron(o *yamlread.Mapping) string {
	expr := o.Text("cron", "", rule(func(s string) bool { return isLine(s) && len(s) <= 200 },
		"a Quartz expression such as 0 0/5 * * * ?", "for instance 0 0/5 * * * ?"))
	if expr == "" {
		return ""
	}
	if err := CheckCron(expr); err != nil {
		o.Add(o.At("cron"), fmt.Sprintf("%s: %s: %v", yamlread.Join(o.Path, "cron"), yamlread.Quote(expr), err),
			"every five minutes is 0 0/5 * * * ?, at six on weekdays 0 0 6 ? * MON-FRI")
		return ""
	}
	return expr
}

// unique notes a name that is taken already, also if it differs only as keys do not.
func unique(o *yamlread.Mapping, names map[string]string, name string) {
	if name == "" {
		return
	}
	first, ok := names[sameKey(name)]
	switch {
	case !ok:
		names[sameKey(name)] = name
	case first == name:
		o.AddProblem(
			o.At("name"),
			diag.Problem{Value: name, Text: yamlread.Join(o.Path, "name") + ": " + yamlread.Quote(name) + " is there already",
				Allowed: "each name once", Hint: "take another name"},
		)
	default:
		o.Add(
			o.At("name"),
			yamlread.Join(o.Path, "name")+": "+yamlread.Quote(name)+" differs from "+yamlread.Quote(first)+" only in case, - and _",
			"take a name that differs in more: both become the same resource key",
		)
	}
}

// checkContinuousCompute notes a continuous tier on compute that does not bear one.
func checkContinuousCompute(root *yamlread.Mapping, p *Pipeline) {
	for i, n := range root.Items("tiers") {
		if i < len(p.Tiers) && p.Tiers[i].Continuous && p.Compute.Serverless {
			root.Add(n.Entry("continuous").Place(),
				fmt.Sprintf("tiers[%d].continuous cannot be combined with compute.serverless: tasks without an end are for clusters", i),
				"leave one of the two out")
		}
	}
}

// readSizing reads how tags become partitions; what is absent is as in def.
func readSizing(o *yamlread.Mapping, def Sizing) Sizing {
	const limit = 1_000_000
	before := o.Count()
	s := Sizing{
		MinTags:       o.Int("min_tags", def.MinTags, 1, limit),
		TargetTags:    o.Int("target_tags", def.TargetTags, 1, limit),
		MaxTags:       o.Int("max_tags", def.MaxTags, 1, limit),
		TagsPerWorker: o.Int("tags_per_worker", def.TagsPerWorker, 1, limit),
	}
	o.Done()
	if o.Count() == before && (s.MinTags > s.TargetTags || s.TargetTags > s.MaxTags) {
		at := "target_tags"
		if !o.Has(at) {
			at = "max_tags"
			if s.MinTags > s.TargetTags && o.Has("min_tags") {
				at = "min_tags"
			}
		}
		o.AddProblem(
			o.At(at),
			diag.Problem{Text: fmt.Sprintf("%s: min_tags %d, target_tags %d, max_tags %d", o.Path, s.MinTags, s.TargetTags, s.MaxTags),
				Allowed: "min_tags <= target_tags <= max_tags",
				Hint:    fmt.Sprintf("give all three; those left out are %d, %d and %d", def.MinTags, def.TargetTags, def.MaxTags)},
		)
	}
	return s
}
