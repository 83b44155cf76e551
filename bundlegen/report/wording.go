package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Worded is a warning in words.
type Worded struct {
	Code    string         `json:"code"` // one of plan.Warn…
	Message string         `json:"message"`
	Advice  []WordedAdvice `json:"advice"`
}

// WordedAdvice is a piece of advice in words.
type WordedAdvice struct {
	Change string `json:"change"` // what to do: a line for pipeline.yml, a command
	Effect string `json:"effect"` // what that brings
}

// Warnings returns a plan's warnings in words, in their order.
func Warnings(p *plan.Plan) []Worded {
	all := make([]Worded, len(p.Warnings))
	for i, w := range p.Warnings {
		all[i] = Worded{Code: w.Code, Message: warning(p, w), Advice: make([]WordedAdvice, len(w.Advice))}
		for k, a := range w.Advice {
			all[i].Advice[k] = WordedAdvice{Change: adviceChange(a), Effect: adviceEffect(a.Effect)}
		}
	}
	return all
}

// warning returns the sentences of a warning.
func warning(p *plan.Plan, w plan.Warning) string {
	f := w.Figures
	switch w.Code {
	case plan.WarnCadence:
		return cadenceMissed(p, w)
	case plan.WarnWaves:
		return fmt.Sprintf("%s extracts %s, and the workspace runs %s at once: they take %s, one after the other.",
			ofTier(p, w, "A run", "A run of %s"), words.Plural(f.Partitions, "partition"), words.Plural(f.Tasks, "task"),
			words.Plural(f.Waves, "wave"))
	case plan.WarnSingleCluster:
		return oneIsEnough(p, w)
	case plan.WarnServer:
		return fmt.Sprintf("More than %s of %s read no faster: %s%s share its PI server, which is assumed to work on %s requests at once.",
			words.Plural(f.UsefulPartitions, "partition"), first(w.Sites), words.Plural(f.Partitions, "partition"),
			ofTier(p, w, "", " of %s"), words.Number(f.RequestsAtOnce))
	case plan.WarnBudget:
		return fmt.Sprintf("%s: more partitions (up to %s) than the site's request budget allows at once. "+
			"Each gets one connection and one request/s, so together they ask for more than the budget.", words.List(w.Sites, 3),
			words.Count(f.Partitions))
	case plan.WarnRateLimit:
		return fmt.Sprintf("%s may be asked for %s requests/s. A PI Web API server allows one client address %s/s by default, "+
			"and all clusters behind one NAT are one address.", words.List(w.Names, 3), words.Number(f.RequestsPerSecond),
			words.Number(f.AllowedPerSecond))
	case plan.WarnBounds:
		return fmt.Sprintf("Partitions outside the bounds of sizing: %s (%s to %s, tier %s).",
			outside(f), words.Count(f.MinTags), words.Plural(f.MaxTags, "tag"), first(w.Tiers))
	case plan.WarnShare:
		return fmt.Sprintf("Tier %s has %s, not %s: partitions never mix sites, and each of its %s needs one at least and no more than "+
			"it has tags.",
			first(w.Tiers), words.Plural(f.Partitions, "partition"), words.Count(f.WantedPartitions), words.Plural(f.Sites, "site"))
	case plan.WarnSpotDriver:
		return "Drivers come from the workers' pool. If that is a spot pool, losing a driver loses the whole attempt."
	case plan.WarnNodePrice:
		return fmt.Sprintf("The price table does not know %s: costs are those of %s%s.", first(w.Names), f.StandIn, nearest(f))
	case plan.WarnPrices:
		return fmt.Sprintf("prices: %s: the price table has no such key, and a further node type needs both CLOUD/TYPE and CLOUD/TYPE/dbu.",
			words.List(w.Names, 3))
	case plan.WarnPointIDs:
		return partOf(f, "lacks", "lack") + " a point id: if PI renames one, it looks like a tag removed and another added."
	case plan.WarnNoTags:
		return strings.TrimSpace(noTags(w.Tiers, "tier", "there is no job of it", "there are no jobs of them") + " " +
			noTags(w.Sites, "site", "it is not read", "they are not read"))
	case plan.WarnRates:
		return fmt.Sprintf("%s no known rate: %s events/h each are assumed.", partOf(f, "has", "have"), words.Number(f.EventsPerHour))
	case plan.WarnSkew:
		return fmt.Sprintf("The heaviest partition of %s is %s over the mean: tags stay where they are while the bounds hold.",
			first(w.Sites), overMean(f.TimesMean))
	case plan.WarnHeavyTag:
		return fmt.Sprintf("One tag of %s, %q, is expected to bring %s events/h, %s x the mean of a partition. A tag cannot be divided, "+
			"so its partition is slower than the others.",
			first(w.Sites), first(w.Names), words.Short(f.EventsPerHour), words.Number(f.TimesMean))
	case plan.WarnTimeout:
		return fmt.Sprintf("An extraction of %s takes %s, and its task.timeout ends it after %s: no attempt gets through.",
			first(w.Sites), words.Span(f.Seconds), words.Span(f.AllowedSeconds))
	}
	return w.Code // of a later version
}

// cadenceMissed describes a run, or a loop, that takes longer than the time to the next.
func cadenceMissed(p *plan.Plan, w plan.Warning) string {
	f, tier := w.Figures, tierOf(p, w)
	if tier != nil && tier.Continuous {
		return fmt.Sprintf("%s takes %s but should start every %s: each starts as soon as the last one ends.",
			ofTier(p, w, "A loop", "A loop of %s"), words.Span(f.Seconds), words.Span(f.AllowedSeconds))
	}
	text := fmt.Sprintf("%s takes %s, but the next is due after %s: %s.",
		ofTier(p, w, "A run", "A run of %s"), words.Span(f.Seconds), words.Span(f.AllowedSeconds), skipped(f.Seconds, f.AllowedSeconds))
	if f.StartupSeconds > 0.4*f.Seconds {
		kind := "cold clusters"
		if tier != nil && (tier.Compute.Pool || tier.Compute.Kind == plan.ComputeServerless) {
			kind = "machines"
		}
		text += fmt.Sprintf(" Starting %s takes %s of it.", kind, words.Span(f.StartupSeconds))
	}
	return text
}

// skipped describes how many starts find the last run still going on.
func skipped(seconds, interval float64) string {
	if every := int(math.Ceil(seconds / interval)); every != 2 {
		return fmt.Sprintf("%s of %s starts are skipped", words.Count(every-1), words.Count(every))
	}
	return "every second start is skipped"
}

// oneIsEnough describes load balancing that brings nothing.
func oneIsEnough(p *plan.Plan, w plan.Warning) string {
	clusters, speed := 0, "as fast and cheaper"
	if tier := tierOf(p, w); tier != nil {
		clusters = tier.Compute.Clusters + 1
	}
	if w.Figures.Faster {
		speed = "faster and cheaper"
	}
	text := fmt.Sprintf("%s is %s than %s: ", ofTier(p, w, "One cluster", "For %s one cluster"), speed, words.Count(clusters))
	if len(w.Sites) == 0 {
		return text + "it starts once; clusters for discovery and extraction start one after the other."
	}
	return text + fmt.Sprintf("the PI server limits reading, not the compute. %s is assumed to work on %s requests at once, which %s can "+
		"keep busy.",
		first(w.Sites), words.Number(w.Figures.RequestsAtOnce), words.Plural(w.Figures.UsefulPartitions, "partition"))
}

// outside describes how many partitions are too large and too small.
func outside(f plan.Figures) string {
	small, large := words.Count(f.TooSmall)+" below the minimum", words.Count(f.TooLarge)+" above the maximum"
	switch {
	case f.TooLarge == 0:
		return small
	case f.TooSmall == 0:
		return large
	}
	return large + " and " + small
}

// nearest describes the name that is most like an unknown one.
func nearest(f plan.Figures) string {
	switch f.Nearest {
	case "":
		return ""
	case f.StandIn:
		return ", the nearest that it knows"
	}
	return "; the nearest that it knows is " + f.Nearest
}

// noTags describes that no tag is of a few tiers or sites; "" for none.
func noTags(names []string, kind, one, many string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("No tag is of %s %s: %s.", kind, names[0], one)
	}
	const shown = 5
	text := strings.Join(names[:min(shown, len(names))], ", ")
	if left := len(names) - shown; left > 0 {
		text += " and " + words.Count(left) + " more"
	}
	return fmt.Sprintf("No tag is of the %ss %s: %s.", kind, text, many)
}

// partOf describes a part of all tags and the verb that follows, which agrees with it.
func partOf(f plan.Figures, one, many string) string {
	if f.Tags == 1 {
		many = one
	}
	if f.Tags == f.AllTags && f.Tags > 1 {
		return "All " + words.Count(f.Tags) + " tags " + many
	}
	return fmt.Sprintf("%s of %s %s", words.Count(f.Tags), words.Plural(f.AllTags, "tag"), many)
}

// tierOf returns the tier that a warning is about; nil: it is about none, or
// about one that the plan leaves out.
func tierOf(p *plan.Plan, w plan.Warning) *plan.Tier {
	for i := range p.Tiers {
		if p.Tiers[i].Name == first(w.Tiers) {
			return &p.Tiers[i]
		}
	}
	return nil
}

// ofTier returns a phrase that names a warning's tier where there are several.
func ofTier(p *plan.Plan, w plan.Warning, only, of string) string {
	if len(p.Tiers) == 1 {
		return only
	}
	return fmt.Sprintf(of, first(w.Tiers))
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// adviceChange describes the change of a piece of advice.
func adviceChange(a plan.Advice) string {
	switch {
	case a.Command != "":
		return a.Command
	case a.Column != "":
		return "inventory, column " + a.Column
	}
	return settingsLine(a.Settings)
}

// settingsLine writes settings on one line, each by its path: tiers.fast.every: 5m.
// What a key has in common with the one before is not said again.
func settingsLine(list []plan.Setting) string {
	var all []string
	parent := ""
	for _, s := range list {
		at := strings.LastIndexByte(s.Key, '.') + 1
		if strings.HasPrefix(s.Key, "prices.") { // a node type has dots, too
			at = len("prices.")
		}
		key := strings.TrimPrefix(s.Key, parent)
		switch {
		case s.Without:
			key = strings.TrimSuffix(s.Key[:at], ".") + " without " + s.Key[at:]
		case s.Value != "":
			key += ": " + s.Value
		}
		all = append(all, key)
		parent = s.Key[:at]
	}
	return strings.Join(all, ", ")
}

// adviceEffect describes the effect of a piece of advice.
func adviceEffect(e plan.Effect) string {
	switch e.Kind {
	case plan.EffectRun:
		text := "run " + words.Clock(e.Seconds)
		if e.LateSeconds > 0 {
			text += fmt.Sprintf(", still %s too long", words.Clock(e.LateSeconds))
		}
		return text + ", " + costChange(e.CostPerMonth)
	case plan.EffectAsFast:
		return "as fast with " + words.Plural(e.Partitions, "partition")
	case plan.EffectNearestKey:
		return "the nearest to " + e.Of + " that the table has"
	}
	return effects[e.Kind]
}

// effects describes the effects that have no figures.
var effects = map[string]string{
	plan.EffectPlanned:         "states what is planned",
	plan.EffectMorePartitions:  "more partitions, if the PI servers keep up",
	plan.EffectFewerPartitions: "fewer partitions, if it is higher",
	plan.EffectOneWave:         "one wave, if the workspace is allowed so many",
	plan.EffectOneWaveAnew:     "one wave, with --rebalance",
	plan.EffectLargerBudget:    "if the PI server can take the load",
	plan.EffectRoom:            "leaves half of it to others",
	plan.EffectConsistent:      "consistent bounds and count",
	plan.EffectDriverPool:      "a pool on demand for the drivers",
	plan.EffectOwnPrice:        "costs from your own price list",
	plan.EffectMatch:           "gives it the tags without a tier that match; so does the inventory's column tier",
	plan.EffectPoints:          "asks the PI servers for their points",
	plan.EffectPointIDs:        "asks the PI servers for the ids",
	plan.EffectRealLoad:        "balance and forecast by real load",
	plan.EffectShow:            "shows what evening out moves",
	plan.EffectCheckRate:       "check the rate of that tag",
	plan.EffectDefault:         "the default",
}

// costChange describes a change of the monthly cost.
func costChange(usd float64) string {
	switch {
	case math.Abs(usd) < 0.5:
		return "same cost"
	case usd > 0:
		return words.Dollars(usd) + " more a month"
	}
	return words.Dollars(-usd) + " less a month"
}

// choiceWarning describes the objection to a choice.
func choiceWarning(w plan.Warning) string {
	f := w.Figures
	switch w.Code {
	case plan.WarnCadence:
		return fmt.Sprintf("A run takes %s longer than its cadence: %s.", words.Span(f.Seconds-f.AllowedSeconds),
			skipped(f.Seconds, f.AllowedSeconds))
	case plan.WarnBounds:
		if f.MaxTags > f.AllowedTags {
			return fmt.Sprintf("Partitions of %s are above sizing.max_tags, %s.", words.Plural(f.MaxTags, "tag"),
				words.Count(f.AllowedTags))
		}
		return fmt.Sprintf("Partitions of %s are below sizing.min_tags, %s.", words.Plural(f.MinTags, "tag"), words.Count(f.AllowedTags))
	case plan.WarnBudget:
		return first(w.Sites) + " has more partitions than its request budget allows at once."
	case plan.WarnServer:
		return fmt.Sprintf("More than %s of %s read no faster: its PI server is the limit.", words.Plural(f.UsefulPartitions, "partition"),
			first(w.Sites))
	case plan.WarnTasks:
		return "One cluster runs " + strconv.Itoa(f.Tasks) + " tasks at most."
	}
	return w.Code // of a later version
}

// why describes the reason for a tag's place.
func why(p *plan.Place) string {
	group, c := fmt.Sprintf("%s, tier %s", p.Site, p.Tier), p.Cause
	switch p.Reason {
	case plan.ReasonFirst:
		return fmt.Sprintf("This is the first bundle: the tags of %s were shared out so that loads come out even.", group)
	case plan.ReasonNew:
		if c.NewPartition {
			return "It is new, and so is its partition."
		}
		return fmt.Sprintf("It is new since the last bundle: it joined the partition of %s that was lightest at that moment.", group)
	case plan.ReasonKept:
		return "It was here in the last bundle, and no limit requires a move."
	case plan.ReasonTier:
		return fmt.Sprintf("Its tier was %s: it left %s for the partition of tier %s that was lightest at that moment.", c.Tier,
			id(p.Before), p.Tier)
	case plan.ReasonGone:
		return fmt.Sprintf("Its partition %s is gone: the tags of %s fill fewer partitions than before.", id(p.Before), group)
	case plan.ReasonAboveMax:
		return fmt.Sprintf("Partition %s, where it was, would have %s; at most %s are allowed.", id(p.Before), words.Plural(c.Tags, "tag"),
			words.Count(c.MaxTags))
	case plan.ReasonBelowMin:
		return fmt.Sprintf("With only its earlier tags, partition %s would have %s; at least %s are required.", id(p.Partition),
			words.Count(c.Tags), words.Count(c.MinTags))
	case plan.ReasonBounds:
		return fmt.Sprintf("It left %s so that every partition of %s keeps from %s to %s.", id(p.Before), group, words.Count(c.MinTags),
			words.Plural(c.MaxTags, "tag"))
	case plan.ReasonRemoved:
		if p.Before < 0 {
			return "It is no longer in the inventory: the first run after the next generate drops it."
		}
		return fmt.Sprintf("It is no longer in the inventory: the next generate removes it from %s.", id(p.Before))
	case plan.ReasonNone:
		return "Its row in the inventory has tier none, which keeps it out of extraction."
	case plan.ReasonDiscovered:
		return "It is newer than the inventory: discovery found it on the server and gave it to the lightest partition. bundlegen " +
			"discover lists it."
	case plan.ReasonLeft:
		return "It is not in the pipeline any more; what was landed of it stays."
	}
	return p.Reason // of a later version
}

// weightFrom describes where a tag's weight is from.
func weightFrom(p *plan.Place) string {
	switch p.WeightFrom {
	case plan.WeightAssumed:
		return "assumed: the inventory has no events_per_hour for it"
	case plan.WeightMin:
		return "the least there is: events_per_hour in the inventory is " + words.Number(p.Rate)
	}
	return "events_per_hour in the inventory"
}
