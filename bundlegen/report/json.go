package report

import (
	"encoding/json"
	"io"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
)

// document is `plan --output json`. It only grows; its version is plan.Version.
type document struct {
	Version int           `json:"version"`
	Plan    *plan.Plan    `json:"plan"`
	Changes *plan.Changes `json:"changes"`
	Next    string        `json:"next"`
}

// documents is the same of a pipeline with a bundle for each region.
type documents struct {
	Version int              `json:"version"`
	Regions []regionDocument `json:"regions"`
	Next    string           `json:"next"`
}

type regionDocument struct {
	Region  string        `json:"region"`
	Plan    *plan.Plan    `json:"plan"`
	Changes *plan.Changes `json:"changes"`
}

// JSON writes a report for programs, or those of all regions as one document.
func JSON(w io.Writer, reports ...Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	last := reports[len(reports)-1]
	if last.Region == "" {
		return e.Encode(last.document())
	}
	all := documents{Version: plan.Version, Next: last.Next}
	for _, r := range reports {
		all.Regions = append(all.Regions, regionDocument{Region: r.Region, Plan: r.Plan, Changes: r.Changes})
	}
	return e.Encode(all)
}

func (r Report) document() document {
	return document{Version: plan.Version, Plan: r.Plan, Changes: r.Changes, Next: r.Next}
}
