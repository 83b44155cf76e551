package report

import (
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report/chart"
)

// kind is how a report names and draws a kind of compute.
type kind struct {
	name   string // of plan
	column string // in a table
	phrase string // in a sentence
	title  string // above a choice, after its number of partitions; "" for a choice without them
	lane   string // of a timeline, for the tasks around the extraction
	ink    chart.Ink
}

// kinds are in the order in which a page shows them.
var kinds = []kind{
	{plan.ComputeSeparate, "clusters", "clusters of their own", " on clusters of their own", "orchestrator", chart.Curve1},
	{plan.ChoicePool, "warm pool", "a warm pool", " on clusters of their own, from a warm pool", "orchestrator", chart.Curve2},
	{plan.ComputeServerless, "serverless", "serverless compute", ", serverless", "tasks", chart.Curve3},
	{plan.ComputeSingle, "1 cluster", "one cluster", " on one cluster", "one cluster", chart.Curve4},
	{plan.ChoiceSequential, "one by one", "one machine", "", "", chart.Text},
}

// kindOf returns the kind of that name.
func kindOf(name string) kind {
	return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })]
}
