package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report/chart"
	"github.com/bundlegen/bundlegen/internal/words"
)

// pageChoices is how a tier's job could also run: what the slider shows. Each
// choice is in the page; the script only selects the visible one.
type pageChoices struct {
	Tier    string
	Kinds   []pageKind
	Panels  []pageChoice
	Drawing []pageDrawing
}

// pageKind is a kind of compute.
type pageKind struct {
	Name, Label string
	Ink         chart.Ink
	Chosen      bool
	Curve       bool // it has a curve, or a dot, in the drawings
}

// pageChoice is one number of partitions on one kind of compute.
type pageChoice struct {
	Kind, Title, Tag string // Tag: the plan, recommended
	Phases           string
	Change           string // the setting of pipeline.yml; "" for none
	Partitions       int
	Chosen, Late     bool
	Spans            []pageSpan
	Due              []float64
	Figures          []pageFigure
	Warnings         []string
}

type pageFigure struct{ Label, Text, Note string }

// newChoices is nil where there is nothing to choose from: also of a continuous
// tier, whose loops are not comparable with runs.
func newChoices(t *plan.Tier, choices []plan.Choice) (*pageChoices, error) {
	if t.Continuous {
		return nil, nil
	}
	at := slices.IndexFunc(choices, func(c plan.Choice) bool { return c.Chosen })
	if at < 0 {
		return nil, nil
	}
	chosen := &choices[at]
	view := &pageChoices{Tier: clean(t.Name)}
	for _, kind := range kinds {
		if !slices.ContainsFunc(choices, func(c plan.Choice) bool { return c.Kind == kind.name }) {
			continue
		}
		view.Kinds = append(view.Kinds, pageKind{
			Name: kind.name, Label: kind.column, Ink: kind.ink, Chosen: kind.name == chosen.Kind, Curve: kind.name != plan.ChoiceSequential,
		})
		for i := range choices {
			if choices[i].Kind == kind.name {
				view.Panels = append(view.Panels, panel(&choices[i], chosen, t.Cadence.Seconds()))
			}
		}
	}
	var err error
	view.Drawing, err = drawings(view, choices, t.Cadence.Seconds())
	return view, err
}

func panel(c, chosen *plan.Choice, interval float64) pageChoice {
	view := pageChoice{
		Kind: c.Kind, Title: choiceTitle(c), Partitions: c.Partitions, Chosen: c.Chosen, Late: !c.Holds,
		Change: clean(settingsLine(c.Change)), Warnings: []string{},
	}
	switch {
	case c.Chosen && c.Recommended:
		view.Tag = "the plan, recommended"
	case c.Chosen:
		view.Tag = "the plan"
	case c.Recommended:
		view.Tag = "recommended"
	}
	whole, at := c.TotalSeconds*1.02, 0.0
	if interval <= 3*c.TotalSeconds {
		whole = max(whole, interval*1.02)
	}
	var list []span
	lasting := []float64{c.StartupSeconds, c.DiscoverSeconds, c.ExtractSeconds, c.ConsolidateSeconds, c.ValidateSeconds}
	view.Phases = phaseTimes(lasting...)
	for i, seconds := range lasting {
		list = append(list, span{phases[i], at, seconds})
		at += seconds
	}
	view.Spans = spans(list, whole)
	if whole/interval <= mostDue {
		for due := interval; due <= whole; due += interval {
			view.Due = append(view.Due, percent(due, whole))
		}
	}
	view.Figures = []pageFigure{
		{"one run", words.Span(c.TotalSeconds), spare(c.TotalSeconds, interval)},
		{"a run costs", words.Dollars(c.CostPerRun), words.Plural(int(c.RunsPerMonth+0.5), "run") + " a month"},
		{"a month costs", words.Dollars(c.CostPerMonth), versus(c, chosen)},
		{"newest event", words.Span(c.FreshnessSeconds) + " old", "at the most"},
		{"reading", words.Span(c.ExtractSeconds), limits[c.Limit]},
	}
	for _, w := range c.Warnings {
		view.Warnings = append(view.Warnings, clean(choiceWarning(w)))
	}
	return view
}

// versus compares a choice's monthly cost with the plan's.
func versus(c, chosen *plan.Choice) string {
	switch more := c.CostPerMonth - chosen.CostPerMonth; {
	case c.Chosen:
		return "list prices"
	case math.Abs(more) < 0.5:
		return "as the plan"
	case more > 0:
		return words.Dollars(more) + " more than the plan"
	default:
		return words.Dollars(-more) + " less than the plan"
	}
}

func choiceTitle(c *plan.Choice) string {
	if c.Kind == plan.ChoiceSequential {
		return "One machine, one tag at a time"
	}
	return words.Plural(c.Partitions, "partition") + kindOf(c.Kind).title
}

// pageDrawing is one set of curves, for a wide or a narrow page.
type pageDrawing struct {
	Class, Title, Label string
	Width, Height       float64
	Top, Bottom         float64
	Inner               template.HTML
	Dots                []pageDot
	LimitNote           string
}

// pageDot is a place in a drawing that stands for a choice.
type pageDot struct {
	Kind, Title string
	Partitions  int
	Chosen      bool
	X, Y        float64
}

// drawings returns time and cost over the number of partitions, each drawn wide
// and narrow: texts in a drawing that is scaled down cannot be read.
func drawings(view *pageChoices, choices []plan.Choice, interval float64) ([]pageDrawing, error) {
	time := curves{
		title: "One run", label: "Time of one run over the number of partitions",
		value: func(c *plan.Choice) float64 { return c.TotalSeconds }, text: words.Span, step: tickStep, tick: tickText, limit: interval,
	}
	cost := curves{
		title: "Cost a month", label: "Cost a month over the number of partitions",
		value: func(c *plan.Choice) float64 { return c.CostPerMonth }, text: words.Dollars, step: decimalStep,
		tick: func(at, _ float64) string { return words.Dollars(at) },
	}
	var out []pageDrawing
	for _, c := range []curves{time, cost} {
		for _, size := range []struct {
			class         string
			width, height float64
		}{{"wide", 470, 230}, {"narrow", 330, 200}} {
			d, err := c.draw(view, choices, size.width, size.height)
			if err != nil {
				return nil, err
			}
			d.Class = size.class
			out = append(out, d)
		}
	}
	return out, nil
}

// curves is what is drawn over the number of partitions.
type curves struct {
	title, label string
	value        func(*plan.Choice) float64
	text         func(float64) string
	step         func(float64) float64
	tick         func(at, step float64) string
	limit        float64
}

// denseAt is how many points make a curve on which dots only blur.
const denseAt = 24

func (v curves) draw(view *pageChoices, choices []plan.Choice, width, height float64) (pageDrawing, error) {
	drawn := slices.DeleteFunc(slices.Clone(choices), func(c plan.Choice) bool { return c.Kind == plan.ChoiceSequential })
	c := chart.Chart{Width: width, Height: height, MinX: math.Inf(1)}
	greatest := 0.0
	for i := range drawn {
		n := float64(drawn[i].Partitions)
		c.MinX, c.MaxX, greatest = min(c.MinX, n), max(c.MaxX, n), max(greatest, v.value(&drawn[i]))
	}
	c.MaxX = max(c.MaxX, 2*c.MinX)
	if v.limit <= 1.5*greatest {
		c.Limit = v.limit
	}
	for _, kind := range view.Kinds {
		curve := chart.Curve{Ink: kind.Ink}
		for i := range drawn {
			if drawn[i].Kind == kind.Name {
				curve.Points = append(curve.Points, chart.Point{X: float64(drawn[i].Partitions), Y: v.value(&drawn[i])})
			}
		}
		curve.Dots = len(curve.Points) < denseAt
		c.Curves = append(c.Curves, curve)
	}
	step := v.step(max(greatest, c.Limit))
	c.MaxY = step * math.Ceil(max(greatest, c.Limit)/step)
	for at := 0.0; at <= c.MaxY; at += step {
		c.Y = append(c.Y, chart.Tick{At: at, Label: v.tick(at, step)})
	}
	c.X = countTicks(c.MinX, c.MaxX)
	drawing, err := c.Draw()
	if err != nil {
		return pageDrawing{}, err
	}
	d := pageDrawing{
		Title: v.title, Label: v.label, Width: width, Height: height, Top: round1(drawing.Top), Bottom: round1(drawing.Bottom),
		Inner: template.HTML(drawing.Inner), // numbers, and texts that chart escapes
	}
	if c.Limit > 0 {
		d.LimitNote = "dashed: the next start is due, after " + words.Span(c.Limit)
	}
	for i := range drawn {
		at := drawing.At(chart.Point{X: float64(drawn[i].Partitions), Y: v.value(&drawn[i])})
		d.Dots = append(d.Dots, pageDot{
			Kind: drawn[i].Kind, Partitions: drawn[i].Partitions, Chosen: drawn[i].Chosen, X: round1(at.X), Y: round1(at.Y),
			Title: choiceTitle(&drawn[i]) + ": " + strings.ToLower(v.title) + " " + v.text(v.value(&drawn[i])),
		})
	}
	return d, nil
}

func round1(x float64) float64 { return math.Round(10*x) / 10 }

// countTicks marks an axis of numbers of partitions: 1, 2, 5, 10 … and within
// less than a decade every number, or every tenth.
func countTicks(least, most float64) []chart.Tick {
	leading := []float64{1, 2, 5}
	if most < 10*least {
		leading = []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}
	}
	var ticks []chart.Tick
	for power := 1.0; power <= most; power *= 10 {
		for _, digit := range leading {
			if n := digit * power; n >= least && n <= most {
				ticks = append(ticks, chart.Tick{At: n, Label: words.Count(int(n))})
			}
		}
	}
	return ticks
}

// decimalStep returns 1, 2 or 5 times a power of ten that makes at most five steps of a length.
func decimalStep(length float64) float64 {
	if length <= 0 {
		return 1
	}
	power := math.Pow10(int(math.Floor(math.Log10(length / 5))))
	for _, m := range []float64{1, 2, 5} {
		if length <= 5*m*power {
			return m * power
		}
	}
	return 10 * power
}

// InkName returns the CSS variable of a kind's curve.
func (k pageKind) InkName() string { return fmt.Sprintf("ink-%d", k.Ink) }
