package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/report/chart"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sample() chart.Chart {
	return chart.Chart{
		Width: 600, Height: 200, Limit: 300, MinX: 1, MaxX: 100, MaxY: 1000,
		Curves: []chart.Curve{
			{Ink: chart.Curve1, Points: []chart.Point{{X: 1, Y: 900}, {X: 10, Y: 400}, {X: 100, Y: 350}}, Dots: true},
			{Ink: chart.Curve2, Points: []chart.Point{{X: 10, Y: 500}}, Dots: true},
			{Ink: chart.Curve3},
		},
		X: []chart.Tick{{1, "1"}, {10, "10"}, {100, "100"}},
		Y: []chart.Tick{{0, "0"}, {500, "500 s"}, {1000, "<1000 s>"}},
	}
}

func TestDrawing(t *testing.T) {
	d, err := sample().Draw()
	require.NoError(t, err)
	again, err := sample().Draw()
	require.NoError(t, err)
	assert.Equal(t, d.Inner, again.Inner)

	decoder := xml.NewDecoder(strings.NewReader("<svg>" + d.Inner + "</svg>"))
	texts := []string{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "it is well-formed")
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			texts = append(texts, string(text))
		}
	}
	assert.ElementsMatch(t, []string{"1", "10", "100", "0", "500 s", "<1000 s>"}, texts)
	assert.NotRegexp(t, regexp.MustCompile(`#[0-9A-F]{6}`), d.Inner, "every colour is the page's")
	assert.NotContains(t, d.Inner, "font-family")
	for _, ink := range []chart.Ink{chart.Text, chart.Faint, chart.Limit, chart.Curve1, chart.Curve2} {
		assert.Contains(t, d.Inner, "var("+ink.Variable()+")")
	}
	assert.NotContains(t, d.Inner, chart.Curve3.Variable(), "a curve without points draws nothing")
}

// Where the page marks a point is where the drawing has its dot.
func TestAtIsWhereTheDotIs(t *testing.T) {
	d, err := sample().Draw()
	require.NoError(t, err)
	one, ten, hundred := d.At(chart.Point{X: 1, Y: 0}), d.At(chart.Point{X: 10, Y: 500}), d.At(chart.Point{X: 100, Y: 1000})
	assert.InDelta(t, ten.X-one.X, hundred.X-ten.X, 0.01, "logarithmic across")
	assert.InDelta(t, one.Y-ten.Y, ten.Y-hundred.Y, 0.01, "linear up")
	assert.Greater(t, one.Y, hundred.Y, "down is more, as in SVG")
	for _, p := range []chart.Point{one, hundred} {
		assert.True(t, p.X > 0 && p.X < 600 && p.Y > 0 && p.Y < 200, "%v", p)
	}
	assert.True(t, d.Top <= hundred.Y && one.Y <= d.Bottom)
}
