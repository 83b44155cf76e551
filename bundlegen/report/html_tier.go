package report

import (
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
)

// pageTier is a tier's part of a page.
type pageTier struct {
	Name, Line string
	Several    bool // tiers: each has its name above
	Tiles      []pageTile
	Facts      []pageFact
	Timeline   *pageTimeline
	Choices    *pageChoices
	Loads      *pageLoads
}

// pageTile is a figure that stands for the whole.
type pageTile struct {
	Label, Figure string
	Notes         []string
	Alarm         bool
}

type pageFact struct{ Label, Text string }

func newTier(p *plan.Plan, t *plan.Tier, c *plan.Changes, choices []plan.Choice) (pageTier, error) {
	view := pageTier{Name: clean(t.Name), Line: tierLine(t), Several: len(p.Tiers) > 1}
	for _, f := range facts(p, t, c) {
		view.Facts = append(view.Facts, pageFact{f.label, clean(f.text)})
	}
	parts := of(p, t)
	if len(parts) == 0 {
		return view, nil
	}
	view.Tiles = tiles(t, parts)
	view.Timeline = timeline(t, parts)
	view.Loads = loads(parts, len(p.Sites) > 1)
	var err error
	view.Choices, err = newChoices(t, choices)
	return view, err
}

func tiles(t *plan.Tier, parts []*plan.Partition) []pageTile {
	f, interval := t.Forecast, t.Cadence.Seconds()
	tile := func(label, figure string, notes ...string) pageTile {
		return pageTile{Label: label, Figure: figure, Notes: notes}
	}
	name, monthly := "One run", []string{words.Dollars(f.CostPerRun) + " a run, " + words.Plural(int(f.RunsPerMonth+0.5), "run"),
		"list prices"}
	if t.Continuous {
		name, monthly = "One loop", []string{"its clusters are always on", "list prices"}
	}
	run := tile(name, words.Span(f.TotalSeconds), spare(f.TotalSeconds, interval))
	run.Alarm = f.TotalSeconds > interval
	size, _, _ := strings.Cut(sizes(t, parts), " (")
	_, size, _ = strings.Cut(size, " of ")
	balance := "one task reads them"
	if len(parts) > 1 {
		balance = aboveMean(parts)
	}
	return []pageTile{
		run,
		tile("A month costs", words.Dollars(f.CostPerMonth), monthly...),
		tile("Partitions", words.Count(len(parts)), "of "+size, balance),
		tile(strings.Replace(name, "One", "A", 1)+" reads", words.Short(f.EventsPerRun)+" events", limits[f.Bottleneck]),
	}
}

// limits describes what limits a run.
var limits = map[string]string{
	forecast.LimitStartup:   "start-up takes longer than reading",
	forecast.LimitServer:    "the PI server is the limit",
	forecast.LimitPartition: "the heaviest partition is the limit",
}

// spare returns the part of the time to the next start that a run leaves.
func spare(total, interval float64) string {
	if total > interval {
		return fmt.Sprintf("%s longer than the %s to the next start", words.Span(total-interval), words.Span(interval))
	}
	return fmt.Sprintf("%[2]s to spare of the %[1]s to the next start", words.Span(interval), words.Span(interval-total))
}

// pageLoads is the table of partitions.
type pageLoads struct {
	Sites bool // several: each row names its own
	Rows  []pageLoad
}

type pageLoad struct {
	Skipped                                    string // words for partitions that are not shown
	ID, Tags                                   int
	Weight, Percent                            float64
	Label, Site, TagsText, WeightText, Seconds string
}

func loads(parts []*plan.Partition, sites bool) *pageLoads {
	greatest := 0.0
	for _, p := range parts {
		greatest = max(greatest, p.Weight)
	}
	view := &pageLoads{Sites: sites}
	for _, r := range rows(parts, loadRoom) {
		if r.part == nil {
			view.Rows = append(view.Rows, pageLoad{Skipped: r.skipped + "; plan --all lists them"})
			continue
		}
		p := r.part
		view.Rows = append(view.Rows, pageLoad{
			ID: p.ID, Tags: p.Tags, Weight: p.Weight, Percent: percent(p.Weight, greatest),
			Label: id(p.ID), Site: clean(p.Site), TagsText: words.Count(p.Tags), WeightText: words.Short(p.Weight),
			Seconds: words.Span(p.Seconds),
		})
	}
	return view
}
