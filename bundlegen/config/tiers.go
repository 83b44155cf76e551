package config

import (
	"fmt"
	"regexp"
	"time"
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
		o.add(o.at("tiers"), "tiers: an empty list; allowed: at least one tier", "leave the key out for one tier, standard, every 5m")
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
	t := Tier{
		Name:       o.need("name", tierNameRule),
		Every:      o.duration("every", 0, minCadence, 7*day),
		Cron:       readCron(o),
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
	switch {
	case o.has("every") && o.has("cron"):
		o.refuse("cron", "and every exclude each other", "keep one of the two")
	case !o.has("every") && !o.has("cron"):
		o.add(o.node, o.path+" has neither every nor cron", "for instance every: 5m")
	}
	if _, ok := CronOf(t.Every); t.Every > 0 && !ok {
		below, above := NearestEvery(t.Every)
		hint := fmt.Sprintf("take %s or %s; or write cron", FormatDuration(below), FormatDuration(above))
		o.wrong(o.at("every"), "every", "what divides a minute, an hour or a day evenly, or 7d", hint)
	}
	return t
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
		o.add(o.at("name"), join(o.path, "name")+": "+quote(name)+" is there already; allowed: each name once", "take another name")
	default:
		o.add(o.at("name"), join(o.path, "name")+": "+quote(name)+" differs from "+quote(first)+" only in case, - and _", "take a name that differs in more: both become the same resource key")
	}
}
