package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Report is what there is to show.
type Report struct {
	Plan    *plan.Plan
	Changes *plan.Changes
	Region  string          // whose bundle it is; "" = there is one for all sites
	Next    string          // the exact command that comes next; "" for none
	Choices [][]plan.Choice // how each tier of the plan could also run; for HTML, nil for none
}

// fact is a line of a tier's summary.
type fact struct{ label, text string }

// facts sums up a tier's job: everything that somebody would otherwise add up.
// The first run is among them if the changes make it news.
func facts(p *plan.Plan, t *plan.Tier, c *plan.Changes) []fact {
	parts := of(p, t)
	if len(parts) == 0 {
		return []fact{{"partitions", "none: no tag is of this tier"}}
	}
	list := []fact{
		{"partitions", sizes(t, parts)},
		{"compute", compute(t)},
		{"one run", run(t)},
		{"cost", cost(t)},
	}
	if t.Continuous {
		list[2], list[3] = fact{"one loop", oneLoop(t)}, fact{"cost", alwaysOn(t)}
	}
	if c != nil && c.FirstRun() && t.FirstRun.BackSeconds > 0 {
		list = append(list, fact{"first run", firstRun(t, c.First)})
	}
	if p.Pool != nil && t.Name == p.Tiers[0].Name {
		list = append(list, fact{"warm pool", pool(p.Pool)})
	}
	if t.Compute.Kind != plan.ComputeSingle && !t.Continuous {
		list = append(list, fact{"on 1 cluster", single(t)})
	}
	return append(list, fact{"PI server", server(p, t, parts)})
}

// of returns a tier's partitions.
func of(p *plan.Plan, t *plan.Tier) []*plan.Partition {
	var parts []*plan.Partition
	for i := range p.Partitions {
		if p.Partitions[i].Tier == t.Name {
			parts = append(parts, &p.Partitions[i])
		}
	}
	return parts
}

func sizes(t *plan.Tier, parts []*plan.Partition) string {
	least, most := parts[0].Tags, parts[0].Tags
	for _, p := range parts {
		least, most = min(least, p.Tags), max(most, p.Tags)
	}
	text := fmt.Sprintf("%s of %s", words.Count(len(parts)), between(words.Count(least), words.Plural(most, "tag")))
	if t.Waves > 1 {
		text += fmt.Sprintf(" in %s waves", words.Count(t.Waves))
	}
	if len(parts) == 1 {
		return text
	}
	return fmt.Sprintf("%s (%s-%s allowed), %s", text, words.Count(t.MinTags), words.Count(t.MaxTags), aboveMean(parts))
}

// between returns a range, or one value where both ends are the same.
func between(least, most string) string {
	if least == most || strings.HasPrefix(most, least+" ") {
		return most
	}
	return least + "-" + most
}

// aboveMean returns how far the greatest load is above the mean.
func aboveMean(parts []*plan.Partition) string {
	sum, greatest := 0.0, 0.0
	for _, p := range parts {
		sum, greatest = sum+p.Weight, max(greatest, p.Weight)
	}
	over := overMean(greatest * float64(len(parts)) / sum)
	if over == "0%" {
		return "equal load"
	}
	return "heaviest " + over + " over mean"
}

// overMean describes a skew: how far the greatest load is above the mean.
func overMean(skew float64) string {
	percent := 100 * (skew - 1)
	if percent < 0.05 {
		return "0%"
	}
	return words.Number(percent) + "%"
}

func compute(t *plan.Tier) string {
	c := t.Compute
	spot := "spot worker"
	if c.Pool {
		spot = "pool worker"
	}
	switch {
	case c.Kind == plan.ComputeServerless:
		return "serverless, " + words.Plural(t.Partitions, "extraction task")
	case c.Kind == plan.ComputeSingle && c.Workers == 0:
		return "1 cluster for all tasks, a single node"
	case c.Kind == plan.ComputeSingle:
		return fmt.Sprintf("1 cluster for all tasks: 1 driver on demand, %s", words.Plural(c.Workers, spot))
	}
	machines, orchestrator := c.Workers+c.Clusters+2, ", 1 orchestrator"
	if t.Continuous {
		machines, orchestrator = c.Workers+c.Clusters, ""
	}
	text := words.Plural(c.Clusters, "single-node cluster")
	if c.Workers > 0 {
		text = fmt.Sprintf("%s in %s of %s", words.Plural(c.Workers, spot), words.Plural(c.Clusters, "cluster"),
			between(fmt.Sprint(c.Min), fmt.Sprint(c.Max)))
	}
	return fmt.Sprintf("%s%s: %s", text, orchestrator, words.Plural(machines, "machine"))
}

func run(t *plan.Tier) string {
	f := t.Forecast
	text := words.Span(f.TotalSeconds) + " = " + phaseTimes(f.StartupSeconds, f.DiscoverSeconds, f.ExtractSeconds, f.ConsolidateSeconds,
		f.ValidateSeconds)
	if f.LeftSeconds > 0 {
		text += "; " + words.Clock(f.LeftSeconds) + " left until the next"
	}
	return text
}

// The phases of a run, in order.
const (
	phaseStartup     = "start-up"
	phaseDiscover    = "discover"
	phaseExtract     = "extract"
	phaseConsolidate = "consolidate"
	phaseValidate    = "validate"
)

var phases = []string{phaseStartup, phaseDiscover, phaseExtract, phaseConsolidate, phaseValidate}

// phaseTimes describes how long each phase takes; seconds is parallel to phases.
func phaseTimes(seconds ...float64) string {
	var all []string
	for i, s := range seconds {
		all = append(all, phases[i]+" "+words.Clock(s))
	}
	return strings.Join(all, " · ")
}

func cost(t *plan.Tier) string {
	f := t.Forecast
	return fmt.Sprintf("%s a run, about %s a month (%s), list prices", words.Dollars(f.CostPerRun), words.Dollars(f.CostPerMonth),
		words.Plural(int(f.RunsPerMonth+0.5), "run"))
}

// firstRun describes what a run does that finds nothing landed, and whether its
// tasks' timeout holds. all is whether there is no earlier bundle.
func firstRun(t *plan.Tier, all bool) string {
	f := t.FirstRun
	text := fmt.Sprintf("%s back: %s events in %s, %s", words.Span(f.BackSeconds), words.Short(f.Events), words.Span(f.Seconds),
		words.Dollars(f.CostUSD))
	if f.Runs > 1 {
		text += fmt.Sprintf("; tasks time out after %s, so it takes %s", words.Span(float64(f.TimeoutSeconds)), words.Plural(f.Runs, "run"))
	} else {
		text += fmt.Sprintf("; the timeout of %s holds", words.Span(float64(f.TimeoutSeconds)))
	}
	if !all {
		text += "; tags that are landed already go on where they are"
	}
	return text
}

// oneLoop describes what a continuous tier's tasks do again and again.
func oneLoop(t *plan.Tier) string {
	period := max(t.Cadence.Seconds(), t.Forecast.TotalSeconds)
	every := words.Every(time.Duration(math.Round(period)) * time.Second)
	return fmt.Sprintf("%s, %s: an event is in the table after %s at most", words.Span(t.Forecast.TotalSeconds), every,
		words.Span(period+t.Forecast.TotalSeconds))
}

// alwaysOn describes the cost of clusters that never stop.
func alwaysOn(t *plan.Tier) string {
	return fmt.Sprintf("about %s a month, always on, list prices", words.Dollars(t.Forecast.CostPerMonth))
}

// pool describes what is kept warm, of the cost above.
func pool(p *plan.Pool) string {
	var machines []string
	if p.Workers > 0 {
		machines = append(machines, words.Plural(p.Workers, "worker"))
	}
	if p.Drivers > 0 {
		machines = append(machines, words.Plural(p.Drivers, "driver"))
	}
	return fmt.Sprintf("%s idle at least, %s of that a month", words.List(machines, 2), words.Dollars(p.CostPerMonth))
}

// single is the same job on one cluster, to compare with.
func single(t *plan.Tier) string {
	f := t.Forecast
	text := fmt.Sprintf("%s, %s a run, about %s a month", words.Span(f.SingleSeconds), words.Dollars(f.SingleCostPerRun),
		words.Dollars(f.SingleCostPerMonth))
	if t.Partitions > plan.SingleMaxTasks {
		text += fmt.Sprintf(", if it could run more than %d tasks", plan.SingleMaxTasks)
	}
	return text
}

func server(p *plan.Plan, t *plan.Tier, parts []*plan.Partition) string {
	connections, least, most := 0, parts[0].Limits.Connections, 0
	for _, part := range parts {
		connections += part.Limits.Connections
		least, most = min(least, part.Limits.Connections), max(most, part.Limits.Connections)
	}
	text := words.Short(t.Forecast.EventsPerRun) + " events"
	if len(p.Tiers) > 1 {
		text += " a run"
	} else {
		calls := 0.0
		for i := range p.Sites {
			calls += p.Sites[i].Calls
		}
		text += " in " + words.Plural(int(calls+0.5), "call")
	}
	if len(p.Sites) == 1 {
		text += fmt.Sprintf(", %s of %s", words.Count(connections), words.Plural(p.Sites[0].Limits.Connections, "connection"))
		if len(parts) > 1 {
			text += ", " + between(fmt.Sprint(least), fmt.Sprint(most)) + " a partition"
		}
		return text
	}
	return text + ", " + between(fmt.Sprint(least), words.Plural(most, "connection")) + " a partition"
}

// cadence returns how often a tier runs.
func cadence(t *plan.Tier) string {
	switch {
	case t.Every == 0:
		return "cron " + t.Cron
	case t.Continuous:
		return "continuous, " + words.Every(t.Every)
	}
	return words.Every(t.Every)
}

// headline is the answer in one line: what is planned, in tags, sites, tiers and partitions.
func headline(p *plan.Plan) []string {
	site := words.Plural(len(p.Sites), "site")
	if len(p.Sites) == 1 {
		site = p.Sites[0].Name
	}
	tags := words.Plural(p.Tags, "tag")
	if p.LeftOut > 0 {
		tags += ", " + words.Count(p.LeftOut) + " left out (tier none)"
	}
	parts := []string{tags, site}
	if len(p.Tiers) == 1 {
		parts = append(parts, cadence(&p.Tiers[0]))
	} else {
		parts = append(parts, words.Plural(len(p.Tiers), "tier"))
	}
	return append(parts, words.Plural(len(p.Partitions), "partition"))
}

// tierLine is a tier's headline, where there are several.
func tierLine(t *plan.Tier) string {
	return strings.Join([]string{words.Plural(t.Tags, "tag"), words.Plural(t.Sites, "site"), cadence(t),
		words.Plural(t.Partitions, "partition")}, " · ")
}

// basis returns what the figures are based on.
func basis(p *plan.Plan) string {
	constant := map[string]float64{}
	for _, a := range p.Assumed.Constants {
		constant[a.Name] = a.Value
	}
	start := fmt.Sprintf("%s a cold start", words.Clock(constant["startup_classic"]+constant["install_cluster"]))
	if len(p.Tiers) > 0 && p.Tiers[0].Compute.Kind == plan.ComputeServerless {
		start = fmt.Sprintf("%s a start", words.Span(constant["startup_serverless"]+constant["install_serverless"]))
	} else if len(p.Tiers) > 0 && p.Tiers[0].Compute.Pool {
		start = fmt.Sprintf("%s a start from the pool", words.Span(constant["startup_pool"]+constant["install_cluster"]))
	}
	text := fmt.Sprintf("%s; PI %s s a call + %s ms a tag, %s at once",
		start, words.Number(constant["pi_request"]), words.Number(1000*constant["pi_tag"]), words.Number(constant["pi_threads"]))
	if p.Assumed.Calibration != "" {
		text += "; measured values from " + p.Assumed.Calibration
	}
	return text
}

// id returns a partition's number as in its manifest's name.
func id(n int) string { return fmt.Sprintf("%04d", n) }

// row is a line of the load table, or what stands for several.
type row struct {
	part    *plan.Partition
	skipped string
}

// room is how many partitions are shown before their list is shortened, and how
// many of the heaviest and the lightest are shown then.
type room struct{ all, heaviest, lightest int }

var (
	screenRoom = room{all: 12, heaviest: 4, lightest: 2}
	noLimit    = room{all: math.MaxInt}
)

// rows chooses the partitions to show: all in order of id, or the extremes by load.
func rows(parts []*plan.Partition, within room) []row {
	if len(parts) <= within.all {
		out := make([]row, len(parts))
		for i, p := range parts {
			out[i] = row{part: p}
		}
		return out
	}
	sorted := slices.Clone(parts)
	slices.SortStableFunc(sorted, func(a, b *plan.Partition) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return a.ID - b.ID
	})
	var out []row
	for _, p := range sorted[:within.heaviest] {
		out = append(out, row{part: p})
	}
	rest := sorted[within.heaviest : len(sorted)-within.lightest]
	most, least := rest[0].Weight, rest[len(rest)-1].Weight
	text := fmt.Sprintf("… %s more", words.Count(len(rest)))
	if low, high := words.Short(least), words.Short(most); low == high {
		text += fmt.Sprintf(" of %s events/h", high)
	} else {
		text += fmt.Sprintf(" of %s to %s events/h", low, high)
	}
	out = append(out, row{skipped: text})
	for _, p := range sorted[len(sorted)-within.lightest:] {
		out = append(out, row{part: p})
	}
	return out
}

// change is a line of the list of changes.
type change struct{ kind, what, where string }

// fewTags is how many changed tags are listed one by one without being asked.
const fewTags = 8

// changes describes the differences, collapsed.
func changes(c *plan.Changes, maxSettings int) []change {
	if c.First {
		return []change{{plan.Add, words.Plural(c.Added, "tag"), "in " + words.Plural(len(c.Partitions), "new partition") +
			", the first bundle"}}
	}
	var out []change
	for _, kind := range []string{plan.Add, plan.Remove} {
		var ids []string
		for _, p := range c.Partitions {
			if p.Kind == kind {
				ids = append(ids, id(p.ID))
			}
		}
		if len(ids) > 0 {
			out = append(out, change{kind, words.Plural(len(ids), "partition"), strings.Join(ids[:min(8, len(ids))], ", ") +
				more(len(ids)-8)})
		}
	}
	tags := func(kind string, n int, doing, preposition string, count func(p plan.PartitionChange) int) {
		if n == 0 {
			return
		}
		var where []string
		for _, p := range c.Partitions {
			if k := count(p); k > 0 {
				where = append(where, fmt.Sprintf("%s %s %s", words.Count(k), preposition, id(p.ID)))
			}
		}
		what := strings.TrimSpace(words.Plural(n, "tag") + " " + doing)
		if len(where) == 1 {
			where[0] = preposition + " " + strings.TrimPrefix(where[0], fmt.Sprintf("%s %s ", words.Count(n), preposition))
		}
		out = append(out, change{kind, what, places(where)})
	}
	tags(plan.Add, c.Added, "", "to", func(p plan.PartitionChange) int { return p.Added })
	tags(plan.Remove, c.Removed, "", "from", func(p plan.PartitionChange) int { return p.Removed })
	tags(plan.Change, c.Moved, "moved", "to", func(p plan.PartitionChange) int { return p.In })
	tags(plan.Change, c.Renamed, "renamed", "in", func(p plan.PartitionChange) int { return p.Renamed })
	tags(plan.Change, c.Edited, "edited", "in", func(p plan.PartitionChange) int { return p.Edited })
	out = append(out, balance(c.Balance)...)
	return append(out, settings(c, maxSettings)...)
}

// How many changed settings a report names.
const (
	screenSettings = 12
	longSettings   = 100
)

// settings describes the changed settings of pipeline.yml, at most so many
// keys. A site, tier or target that came or went is one line.
func settings(c *plan.Changes, most int) []change {
	if !c.Settings {
		return nil
	}
	if len(c.Keys) == 0 {
		return []change{{plan.Change, "settings", "pipeline.yml says something else than before, in what the last bundle does not record"}}
	}
	whole := wholeElements(c.Keys)
	var out []change
	said := map[string]bool{}
	left := 0
	for _, k := range c.Keys {
		line := change{k.Kind, "settings", ""}
		switch element := elementOf(k.Key); {
		case whole[element] && said[element]:
			continue
		case whole[element]:
			line.where, said[element] = element, true
		case k.Kind == plan.Add:
			line.where = k.Key + ": " + k.After
		case k.Kind == plan.Remove:
			line.where = k.Key + ", was " + k.Before
		default:
			line.where = k.Key + ": " + k.Before + " → " + k.After
		}
		if len(out) == most {
			left++
			continue
		}
		out = append(out, line)
	}
	if left > 0 {
		out = append(out, change{plan.Change, "settings", words.Plural(left, "more key") + "; plan --output json names all"})
	}
	return out
}

// elementOf returns the element of a list that a key is of, such as sites[plant-a]; "" = none.
func elementOf(key string) string {
	at := strings.IndexByte(key, ']')
	if at < 0 {
		return ""
	}
	return key[:at+1]
}

// wholeElements finds the elements that came or went as a whole: their names did.
func wholeElements(keys []plan.SettingChange) map[string]bool {
	whole := map[string]bool{}
	for _, k := range keys {
		if element := elementOf(k.Key); element != "" && k.Key == element+".name" && k.Kind != plan.Change {
			whole[element] = true
		}
	}
	return whole
}

// balance describes what became of the tiers' balance: what moved tags bought, or
// what others left behind, from a percent of the mean on.
func balance(tiers []plan.Balance) []change {
	var out []change
	for _, b := range tiers {
		if b.Before == 0 || b.Moved == 0 && math.Abs(b.After-b.Before) < 0.01 {
			continue
		}
		text := fmt.Sprintf("heaviest %s over mean before, %s after", overMean(b.Before), overMean(b.After))
		if len(tiers) > 1 {
			text = b.Tier + ": " + text
		}
		out = append(out, change{plan.Change, "balance", text})
	}
	return out
}

// more returns how many things are not listed.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %s more", words.Count(n))
}

// places lists what happens in which partition, the first three of them.
func places(where []string) string {
	const most = 3
	if len(where) <= most+1 {
		return words.List(where, most+1)
	}
	return strings.Join(where[:most], ", ") + " and " + words.Plural(len(where)-most, "other partition")
}

// tagLine describes the change of one tag, but for its name.
func tagLine(t plan.TagChange) string {
	switch t.Kind {
	case plan.Add:
		return "to " + id(t.To)
	case plan.Remove:
		return "from " + id(t.From)
	}
	var what []string
	if t.From != t.To {
		what = append(what, id(t.From)+" to "+id(t.To))
	}
	if t.Was != "" {
		what = append(what, "was "+t.Was)
	}
	if t.Edited {
		what = append(what, "edited in "+id(t.To))
	}
	return strings.Join(what, ", ")
}

// grantLines returns a statement in lines that are short enough for a screen.
func grantLines(sql string) []string {
	sql = strings.Replace(sql, " ON CATALOG ", "\n  ON CATALOG ", 1)
	return strings.Split(strings.Replace(sql, " TO ", "\n  TO ", 1), "\n")
}
