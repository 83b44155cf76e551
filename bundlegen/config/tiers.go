package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// partJob is how the children of a job with too many tasks are named: a tier
// of such a name would give two jobs the same key.
var partJob = regexp.MustCompile(`\Apart_\d+\z`)

func readTiers(o *object, general Sizing) []Tier {
	items := o.items("tiers")
	if n := o.take("tiers"); n == nil || n.Kind != List {
		return []Tier{{Name: "standard", Every: 5 * time.Minute}}
	}
	if len(items) == 0 {
		o.note(o.at("tiers"), diag.Problem{Text: "tiers: an empty list", Allowed: "at least one tier",
			Hint: "leave the key out for one tier, standard, every 5m"})
	}
	var tiers []Tier
	names := map[string]string{}
	for i, n := range items {
		t := o.child(n, fmt.Sprintf("tiers[%d]", i), false)
		tier := readTier(t, general)
		unique(t, names, tier.Name)
		tiers = append(tiers, tier)
	}
	return tiers
}

func readTier(o *object, general Sizing) Tier {
	if o.node == nil {
		return Tier{}
	}
	continuous, least := o.bool("continuous"), minCadence
	if continuous {
		least = time.Second
	}
	t := Tier{
		Name:       o.need("name", tierNameRule),
		Every:      o.duration("every", 0, least, 7*day),
		Cron:       readCron(o),
		Continuous: continuous,
		Match:      o.texts("match", 1000, filterRule),
		Partitions: o.int("partitions", 0, 1, 100_000),
	}
	if s := o.object("sizing"); o.has("sizing") {
		own := readSizing(s, general)
		t.Sizing = &own
	}
	o.done()
	if partJob.MatchString(t.Name) {
		o.wrong(o.at("name"), "name", "any name but part_ and a number, which is how parts of a large job are named", "for instance standard")
	}
	if strings.EqualFold(t.Name, manifest.TierNone) {
		o.wrong(o.at("name"), "name", "any name but none, which in the inventory keeps a row out of extraction", "for instance standard")
	}
	switch {
	case o.has("every") && o.has("cron"):
		o.refuse("cron", "and every cannot be combined", "keep one of the two")
	case !o.has("every") && !o.has("cron"):
		o.add(o.node, o.path+" has neither every nor cron", "for instance every: 5m")
	}
	checkContinuous(o, t)
	if _, ok := CronOf(t.Every); t.Every > 0 && !ok && !t.Continuous {
		below, above := NearestEvery(t.Every)
		hint := fmt.Sprintf("take %s or %s; or write cron", FormatDuration(below), FormatDuration(above))
		o.wrong(o.at("every"), "every", "what divides a minute, an hour or a day evenly, or 7d", hint)
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

// leastScheduled is the shortest cadence of a tier whose job starts anew each time:
// no cluster starts in less.
const leastScheduled = time.Minute

// checkContinuous notes a cadence that only a continuous tier can have, and keys that
// contradict continuous.
func checkContinuous(o *object, t Tier) {
	switch {
	case t.Continuous:
		o.refuse("cron", "cannot be combined with continuous: true, which never restarts", "write every, the time from one loop to the next")
		if t.Every > 6*time.Hour {
			o.wrong(o.at("every"), "every", "at most 6h with continuous: true", "leave continuous out: a job that starts so rarely costs less")
		}
	case t.Every > 0 && t.Every < leastScheduled:
		o.wrong(o.at("every"), "every", "at least 1m for a job that starts again each time", "write continuous: true beside it: the tier's tasks then run without an end")
	case t.Cron != "" && CadenceOf(t.Cron) < leastScheduled:
		o.wrong(o.at("cron"), "cron", "at least 1m between two starts of a job", "write every and continuous: true instead")
	}
}

func readCron(o *object) string {
	expr := o.text("cron", "", rule{func(s string) bool { return isLine(s) && len(s) <= 200 },
		"a Quartz expression such as 0 0/5 * * * ?", "for instance 0 0/5 * * * ?"})
	if expr == "" {
		return ""
	}
	if err := CheckCron(expr); err != nil {
		o.add(o.at("cron"), fmt.Sprintf("%s: %s: %v", join(o.path, "cron"), quote(expr), err),
			"every five minutes is 0 0/5 * * * ?, at six on weekdays 0 0 6 ? * MON-FRI")
		return ""
	}
	return expr
}

// unique notes a name that is there already, or would be as a part of a key.
func unique(o *object, names map[string]string, name string) {
	if name == "" {
		return
	}
	first, ok := names[sameKey(name)]
	switch {
	case !ok:
		names[sameKey(name)] = name
	case first == name:
		o.note(o.at("name"), diag.Problem{Value: name, Text: join(o.path, "name") + ": " + quote(name) + " is there already",
			Allowed: "each name once", Hint: "take another name"})
	default:
		o.add(o.at("name"), join(o.path, "name")+": "+quote(name)+" differs from "+quote(first)+" only in case, - and _", "take a name that differs in more: both become the same resource key")
	}
}

// checkContinuousCompute notes a continuous tier on compute that does not bear one.
func checkContinuousCompute(root *object, p *Pipeline) {
	for i, n := range root.items("tiers") {
		if i < len(p.Tiers) && p.Tiers[i].Continuous && p.Compute.Serverless {
			root.addAt(n.entry("continuous").Line, n.entry("continuous").Column,
				fmt.Sprintf("tiers[%d].continuous cannot be combined with compute.serverless: tasks without an end are for clusters", i),
				"leave one of the two out")
		}
	}
}
