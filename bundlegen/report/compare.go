package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/fatih/color"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Comparison is a tier's job and the other ways to run it.
type Comparison struct {
	Tier    plan.Tier
	Choices []plan.Choice // of plan.Choices
}

// comparedTier is a tier in `compare --output json`.
type comparedTier struct {
	Tier           string        `json:"tier"`
	CadenceSeconds float64       `json:"cadence_seconds"`
	Recommendation string        `json:"recommendation"`
	Choices        []plan.Choice `json:"choices"`
}

// CompareJSON writes comparisons for programs: every choice of every tier. It
// only grows; its version is plan.Version.
func CompareJSON(w io.Writer, p *plan.Plan, tiers []Comparison) error {
	document := struct {
		Version int            `json:"version"`
		Name    string         `json:"name"`
		PlanID  string         `json:"plan_id"`
		Tiers   []comparedTier `json:"tiers"`
	}{plan.Version, p.Name, p.ID, []comparedTier{}}
	for _, c := range tiers {
		document.Tiers = append(document.Tiers, comparedTier{c.Tier.Name, c.Tier.Cadence.Seconds(), Recommendation(c), c.Choices})
	}
	return WriteJSON(w, document)
}

// CompareText writes comparisons for a terminal: a row for each choice that
// tells something (with Options.All, for each), then the recommendation.
func CompareText(w io.Writer, p *plan.Plan, tiers []Comparison, o Options) error {
	t := newTerminal(w, o)
	t.head(p)
	for _, c := range tiers {
		t.line("")
		if len(tiers) > 1 {
			name := fit(clean(c.Tier.Name), t.width/2)
			t.labelled(0, name, width(name)+3, tierLine(&c.Tier), t.strong)
			t.line("")
		}
		t.comparison(c)
		t.line("")
		t.labelled(0, "→", 2, clean(Recommendation(c)), t.green)
	}
	t.line("")
	t.labelled(2, "assumed", 14, basis(p), t.faint)
	return t.out.Flush()
}

// compared are the columns of a comparison, with heads as table takes them.
var compared = []struct {
	head string
	cell func(plan.Choice) string
}{
	{"", mark},
	{"on", func(c plan.Choice) string { return kindOf(c.Kind).column }},
	{">parts", func(c plan.Choice) string { return words.Count(c.Partitions) }},
	{">one run", func(c plan.Choice) string { return words.Clock(c.TotalSeconds) }},
	{">a run", func(c plan.Choice) string { return words.Dollars(c.CostPerRun) }},
	{">a month", func(c plan.Choice) string { return words.Dollars(c.CostPerMonth) }},
	{">fresh", func(c plan.Choice) string { return words.Clock(c.FreshnessSeconds) }},
	{"limit", func(c plan.Choice) string { return c.Limit }},
	{"holds", func(c plan.Choice) string { return map[bool]string{true: "yes", false: "no"}[c.Holds] }},
}

// Marks of the plan's own choice and of the recommended one.
const (
	planMark = "•"
	bestMark = "★"
)

func mark(c plan.Choice) (marks string) {
	if c.Chosen {
		marks = planMark
	}
	if c.Recommended {
		marks += bestMark
	}
	return marks
}

// looping is what a continuous tier's own choice is on: clusters that stay up.
const looping = "loops"

// comparison writes the table of a tier.
func (t *terminal) comparison(c Comparison) {
	var heads []string
	for _, column := range compared {
		heads = append(heads, column.head)
	}
	list := visible(c, t.all)
	rows := make([][]cell, len(list))
	for i, choice := range list {
		var paint *color.Color
		switch {
		case choice.Recommended:
			paint = t.green
		case choice.Chosen:
			paint = t.strong
		}
		for _, column := range compared {
			rows[i] = append(rows[i], cell{column.cell(choice), paint})
		}
		if c.Tier.Continuous && choice.Chosen {
			rows[i][1].text = looping
		}
	}
	t.table(heads, rows)
	legend := "  " + planMark + " the plan   " + bestMark + " recommended"
	if !t.all && len(list) < len(c.Choices) {
		legend += "   (--all lists every number of partitions)"
	}
	t.line(t.faint.Sprint(legend))
}

// visible returns the choices to show: the plan's own kind of compute by the steps of
// plan.Ladder, the other kinds with the plan's number of partitions.
func visible(c Comparison, all bool) []plan.Choice {
	own := ""
	for _, choice := range c.Choices {
		if choice.Chosen {
			own = choice.Kind
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Choices), func(choice plan.Choice) bool {
		switch {
		case all || choice.Chosen || choice.Recommended || choice.Kind == plan.ChoiceSequential:
			return false
		case choice.Partitions == c.Tier.Partitions:
			return false
		}
		return choice.Kind != own || !plan.Ladder(choice.Partitions)
	})
}

// Recommendation returns what an expert would choose, in a sentence or two.
func Recommendation(c Comparison) string {
	chosen, best := find(c.Choices, func(c plan.Choice) bool { return c.Chosen }),
		find(c.Choices, func(c plan.Choice) bool { return c.Recommended })
	cadence := words.Span(c.Tier.Cadence.Seconds())
	switch {
	case best == nil || chosen == nil:
		return "None of these fits the bounds of sizing: raise sizing.max_tags, or set tiers.partitions."
	case !best.Holds && best == chosen:
		return fmt.Sprintf("Nothing holds a cadence of %s, and nothing is fresher than the plan: its newest event is up to %s old.",
			cadence, words.Span(best.FreshnessSeconds))
	case !best.Holds:
		return fmt.Sprintf("Nothing holds a cadence of %s. The freshest is %s: the newest event is up to %s old, with the plan up to %s. "+
			"%s.",
			cadence, named(best), words.Span(best.FreshnessSeconds), words.Span(chosen.FreshnessSeconds), settingsLine(best.Change))
	case best == chosen:
		return fmt.Sprintf("Keep the plan: nothing that holds a cadence of %s is cheaper without being slower.", cadence)
	case best.Kind == plan.ComputeSingle:
		return fmt.Sprintf("Do not load-balance this: one cluster takes %s instead of %s, and costs %s. %s.",
			words.Span(best.TotalSeconds), words.Span(chosen.TotalSeconds), costs(best, chosen), settingsLine(best.Change))
	}
	text := fmt.Sprintf("Take %s: a run takes %s instead of %s, and it costs %s.", named(best), words.Span(best.TotalSeconds),
		words.Span(chosen.TotalSeconds), costs(best, chosen))
	if !chosen.Holds {
		text += fmt.Sprintf(" It holds the cadence of %s, which the plan misses by %s.", cadence,
			words.Span(chosen.TotalSeconds-c.Tier.Cadence.Seconds()))
	}
	return text + " " + settingsLine(best.Change) + "."
}

func find(list []plan.Choice, is func(plan.Choice) bool) *plan.Choice {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return &list[i]
	}
	return nil
}

// named names a choice in a sentence.
func named(c *plan.Choice) string {
	return kindOf(c.Kind).phrase + " with " + words.Plural(c.Partitions, "partition")
}

// costs describes what a choice costs a month compared with another.
func costs(c, than *plan.Choice) string {
	switch d := c.CostPerMonth - than.CostPerMonth; {
	case d < -0.5:
		return words.Dollars(-d) + " less a month"
	case d > 0.5:
		return words.Dollars(d) + " more a month"
	}
	return "the same"
}
