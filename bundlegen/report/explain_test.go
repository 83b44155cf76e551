package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// explanations are one of each kind.
func explanations() []report.Explanation {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	second, until := day(2), day(9)
	moved := plan.Place{
		Site: "plant-a", Tag: "FIC-101.PV", Was: "FIC-1O1.PV", PointID: 7, Tier: "standard", Partition: 3, Before: 1,
		Reason: plan.ReasonAboveMax, Cause: plan.Cause{Tags: 5001, MinTags: 2000, MaxTags: 5000},
		Weight: 12.5, WeightFrom: plan.WeightRate, Rate: 12.5, PartitionTags: 3000, PartitionWeight: 540_000,
	}
	gone := plan.Place{Site: "plant-b", Tag: strings.Repeat("LONG ", 80), Tier: "bulk", Partition: -1, Before: 4,
		Reason: plan.ReasonRemoved}
	var many []report.Owned
	for i := range 15 {
		many = append(many, report.Owned{Partition: i, Tier: "standard", Name: "x", From: day(i + 1)})
	}
	return []report.Explanation{
		{Place: moved, History: &report.History{
			Owners: []report.Owned{
				{Partition: 0, Tier: "standard", Name: "FIC-1O1.PV", From: day(1), To: &second},
				{Partition: 1, Tier: "standard", Name: "FIC-101.PV", From: day(2)},
			},
			LandedUntil: &until, LastError: &report.LastError{Error: "no permission\x1b[31m", At: day(8), RunID: "run-1"},
		}},
		{Place: moved, History: &report.History{Owners: many, LandedUntil: &until, Pinned: true}},
		{Place: moved, History: &report.History{Owners: many[:1]}},
		{Place: gone},
	}
}

func TestGoldenExplanations(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.ExplainText(&b, explanations(), true, report.Options{}))
	golden(t, "explain.txt", b.Bytes())
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, uniseg.StringWidth(strings.TrimSuffix(line, "\n")), 80)
	}
	b.Reset()
	require.NoError(t, report.ExplainJSON(&b, explanations()[:1]))
	golden(t, "explain.json", b.Bytes())
	b.Reset()
	require.NoError(t, report.ExplainText(&b, explanations()[3:], false, report.Options{}))
	assert.Contains(t, b.String(), "--data FOLDER shows when it moved")
}

func TestExplanationWriteErrorsAreReturned(t *testing.T) {
	assert.Error(t, report.ExplainText(broken{}, explanations(), true, report.Options{}))
	assert.Error(t, report.ExplainJSON(broken{}, explanations()))
}
