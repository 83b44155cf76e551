package report

import (
	"io"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/text"
)

// document is `plan --output json`. It only grows; its version is plan.Version.
type document struct {
	Version int           `json:"version"`
	Plan    *plan.Plan    `json:"plan"`
	Changes *plan.Changes `json:"changes"`
	Worded  []Worded      `json:"warnings"` // the plan's, in words
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
	Worded  []Worded      `json:"warnings"`
}

// JSON writes a report for programs, or those of all regions as one document.
func JSON(w io.Writer, reports ...Report) error {
	last := reports[len(reports)-1]
	if last.Region == "" {
		return WriteJSON(w, last.document())
	}
	all := documents{Version: plan.Version, Next: last.Next}
	for _, r := range reports {
		all.Regions = append(all.Regions, regionDocument{Region: r.Region, Plan: r.Plan, Changes: r.Changes, Worded: Warnings(r.Plan)})
	}
	return WriteJSON(w, all)
}

// WriteJSON writes a document for programs, and for the terminal that it may be
// read on.
func WriteJSON(w io.Writer, document any) error {
	data, err := text.Indented(document)
	if err != nil {
		return err
	}
	_, err = w.Write(text.JSON(data))
	return err
}

func (r Report) document() document {
	return document{Version: plan.Version, Plan: r.Plan, Changes: r.Changes, Worded: Warnings(r.Plan), Next: r.Next}
}
