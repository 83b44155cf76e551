// Package chart draws curves as SVG for a page: sizes and texts are fixed when
// it is drawn, colours are the page's, as CSS variables, so that light and dark
// need one drawing. It is pure, and the only package that uses gonum/plot.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Ink is a colour by its meaning; the page defines its look.
type Ink int

// The inks: of texts, of lines in the background, of what is a limit, and of
// curves, from Curve1 on.
const (
	Text Ink = iota
	Faint
	Limit
	Curve1
	Curve2
	Curve3
	Curve4
	inks
)

// Variable is the CSS variable that holds the ink's colour: --ink-0 and so on.
func (i Ink) Variable() string { return fmt.Sprintf("--ink-%d", int(i)) }

// stand is the colour that stands for the ink until the drawing is done.
func (i Ink) stand() color.Color { return color.RGBA{R: 0xa0, G: 0x51, B: uint8(i), A: 0xff} }

// Point is a point of a curve.
type Point struct{ X, Y float64 }

// Curve is a line through points.
type Curve struct {
	Ink    Ink
	Points []Point // ascending X; X > 0
	Dots   bool    // a dot on each point
}

// Tick is a mark on an axis.
type Tick struct {
	At    float64
	Label string // "" for a mark without a text
}

// Chart is what is drawn: curves over a logarithmic axis, so that 1 to 10
// takes as much room as 10 to 100.
type Chart struct {
	Width, Height float64 // CSS pixels
	Curves        []Curve
	MinX, MaxX    float64 // the range of the axis across; 0 < MinX < MaxX
	MaxY          float64 // the top of the axis up, which begins at 0
	X, Y          []Tick
	Limit         float64 // a dashed line across at this height; 0 for none
}

// Drawing is a chart that is drawn.
type Drawing struct {
	// Inner is the content of an svg element with the viewBox 0 0 Width Height.
	Inner string
	x, y  func(float64) float64

	Top, Bottom float64 // of the area with the curves
}

// At returns where a point is, in the drawing's own units.
func (d Drawing) At(p Point) Point { return Point{d.x(p.X), d.y(p.Y)} }

const (
	textSize  = 12
	lineWidth = 2
	dotRadius = 2.5
	margin    = 10 // on the right and above: a text at an axis's end is wider than the axis
)

// Draw draws a chart. The same chart makes the same bytes.
func (c Chart) Draw() (Drawing, error) {
	p := c.plot()
	for _, curve := range c.Curves {
		if err := add(p, curve); err != nil {
			return Drawing{}, err
		}
	}
	if c.Limit > 0 {
		line, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: c.Limit}, {X: p.X.Max, Y: c.Limit}})
		if err != nil {
			return Drawing{}, err
		}
		line.LineStyle = draw.LineStyle{Color: Limit.stand(), Width: 1.5, Dashes: []vg.Length{5, 4}}
		p.Add(line)
	}
	canvas := vgsvg.New(vg.Length(c.Width), vg.Length(c.Height))
	whole := draw.Crop(draw.New(canvas), 0, -margin, 0, -margin)
	p.Draw(whole)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return Drawing{}, err
	}
	inside := p.DataCanvas(whole)
	x, y := p.Transforms(&inside)
	return Drawing{
		Inner:  inner(b.String()),
		x:      func(v float64) float64 { return float64(x(v)) },
		y:      func(v float64) float64 { return c.Height - float64(y(v)) },
		Top:    c.Height - float64(inside.Max.Y),
		Bottom: c.Height - float64(inside.Min.Y),
	}, nil
}

// plot returns the empty chart.
func (c Chart) plot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticker(c.X)
	p.Y.Tick.Marker = ticker(c.Y)
	p.X.Min, p.X.Max = c.MinX, c.MaxX
	p.Y.Min, p.Y.Max = 0, c.MaxY
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = Faint.stand(), Faint.stand()
		axis.LineStyle.Width, axis.Tick.LineStyle.Width, axis.Tick.Length = 1, 1, 4
		axis.Padding = 6
		axis.Tick.Label.Color = Text.stand()
		axis.Tick.Label.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: textSize}
		axis.Tick.Label.Handler = text.Plain{Fonts: font.DefaultCache}
	}
	p.Y.LineStyle.Width, p.Y.Tick.Length = 0, 0
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal = draw.LineStyle{Color: Faint.stand(), Width: 1}
	p.Add(grid)
	return p
}

func ticker(ticks []Tick) plot.ConstantTicks {
	var out plot.ConstantTicks
	for _, t := range ticks {
		out = append(out, plot.Tick{Value: t.At, Label: t.Label})
	}
	return out
}

func add(p *plot.Plot, c Curve) error {
	var points plotter.XYs
	for _, pt := range c.Points {
		points = append(points, plotter.XY(pt))
	}
	if len(points) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.LineStyle = draw.LineStyle{Color: c.Ink.stand(), Width: lineWidth}
	dots.GlyphStyle = draw.GlyphStyle{Color: c.Ink.stand(), Radius: dotRadius, Shape: draw.CircleGlyph{}}
	p.Add(line)
	if c.Dots {
		p.Add(dots)
	}
	return nil
}

// fonts is how the drawing names the font that it was measured with; the page has its own.
var fonts = regexp.MustCompile(`font-family:[^"]*?font-size:`)

// inner takes what is inside of the svg element, with the page's colours and font.
func inner(svg string) string {
	_, svg, _ = strings.Cut(svg, "<svg")
	_, svg, _ = strings.Cut(svg, ">")
	svg, _, _ = strings.Cut(svg, "</svg>")
	var pairs []string
	for i := range inks {
		r, g, b, _ := i.stand().RGBA()
		pairs = append(pairs, fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8), "var("+i.Variable()+")")
	}
	return strings.TrimSpace(fonts.ReplaceAllString(strings.NewReplacer(pairs...).Replace(svg), "font-size:"))
}
