package cli

import (
	"io"
	"regexp"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// What discover, generate, validate and run print with --output json. A version stands
// for what its fields mean; fields are only ever added.
const documentVersion = 1

// discovered is `discover --output json`.
type discovered struct {
	Version   int              `json:"version"`
	Inventory string           `json:"inventory"` // its name in pipeline.yml
	Written   bool             `json:"written"`   // false: the file was so already
	Tags      int              `json:"tags"`
	Sites     []discoveredSite `json:"sites"`
	Added     int              `json:"added"`
	Removed   int              `json:"removed"`
	Renamed   int              `json:"renamed"`
	Notes     []string         `json:"notes"`
	Next      string           `json:"next"`
}

type discoveredSite struct {
	Site string `json:"site"`
	Tags int    `json:"tags"`
}

// generated is `generate --output json`, also with --check.
type generated struct {
	Version int               `json:"version"`
	Check   bool              `json:"check"`      // nothing was written: files are those that would be
	Same    bool              `json:"up_to_date"` // no file differs from what is to be
	Bundles []generatedBundle `json:"bundles"`    // one for each region
	Notes   []string          `json:"notes"`
	Next    string            `json:"next"`
}

type generatedBundle struct {
	Region     string          `json:"region,omitempty"`
	Folder     string          `json:"folder"`
	Tags       int             `json:"tags"`
	Partitions int             `json:"partitions"`
	Changes    changed         `json:"changes"` // since the bundle that was there
	Files      []generatedFile `json:"files"`   // that differ from what was there
	Warnings   []report.Worded `json:"warnings"`
	NoWheel    []diag.Problem  `json:"no_wheel,omitempty"` // why there is none; deploying needs one
}

// changed counts what a plan changes; plan --output json names each.
type changed struct {
	First    bool `json:"first"`
	Settings bool `json:"settings"`
	Added    int  `json:"added"`
	Removed  int  `json:"removed"`
	Moved    int  `json:"moved"`
	Renamed  int  `json:"renamed"`
	Edited   int  `json:"edited"`
}

type generatedFile struct {
	Path   string `json:"path"` // below the folder, with slashes
	Change string `json:"change"`
}

// files lists what generate writes, or would write.
func files(differences []bundle.Difference) []generatedFile {
	verbs := map[bundle.Kind]string{bundle.Missing: "added", bundle.Changed: "changed", bundle.Extra: "removed"}
	out := make([]generatedFile, len(differences))
	for i, d := range differences {
		out[i] = generatedFile{d.Path, verbs[d.Kind]}
	}
	return out
}

// validated is `validate --output json`. Findings are what is wrong, by our checks
// or by those of the databricks CLI.
type validated struct {
	Version int               `json:"version"`
	Target  string            `json:"target"`
	Valid   bool              `json:"valid"`
	Bundles []validatedBundle `json:"bundles"` // one for each region
	Notes   []string          `json:"notes"`
	Next    string            `json:"next,omitempty"` // if valid; else see the findings' hints
}

type validatedBundle struct {
	Region   string         `json:"region,omitempty"`
	Folder   string         `json:"folder"`
	Valid    bool           `json:"valid"`
	Findings []diag.Problem `json:"findings"`
}

// cliPlace is how the databricks CLI writes a place, on a line of its own.
var cliPlace = regexp.MustCompile(`(?m)^\s*in (\S+?):(\d+):(\d+)$`)

// findings returns an error piece by piece, with the place that the databricks CLI
// names where it names one.
func findings(err error) []diag.Problem {
	all := append([]diag.Problem{}, diag.Problems(err)...)
	for i, p := range all {
		m := cliPlace.FindStringSubmatch(p.Text)
		if p.File != "" || m == nil {
			continue
		}
		p.File = m[1]
		p.Line, _ = strconv.Atoi(m[2]) // digits, by the pattern
		p.Column, _ = strconv.Atoi(m[3])
		all[i] = p
	}
	return all
}

// resultWriter is where a command's text for people goes: nowhere when its result
// is a document.
func resultWriter(c *cli.Context) io.Writer {
	if asJSON(c) {
		return io.Discard
	}
	return c.App.Writer
}
