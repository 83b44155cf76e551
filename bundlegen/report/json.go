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

// JSON writes a report for programs.
func JSON(w io.Writer, r Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r.document())
}

func (r Report) document() document {
	return document{Version: plan.Version, Plan: r.Plan, Changes: r.Changes, Next: r.Next}
}
