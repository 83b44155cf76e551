package lint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/bundle/source"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// maxDashboard is the size of the largest dashboard that is read, in bytes: the
// platform takes none of more than 10 MB.
const maxDashboard = 16 << 20

// dashboard checks one dashboard: the CLI uploads what its file holds unread, and
// a widget that is wrong shows only that, to whoever looks.
func (c *checker) dashboard(d place) {
	c.warehouse(d)
	file := d.get("file_path")
	if !file.exists() && !d.get("serialized_dashboard").exists() {
		c.addKey(d, d.key, "has neither file_path nor serialized_dashboard", "", regenerate)
	}
	for _, name := range c.dashboardFiles(file) {
		data, err := source.Read(c.dir, name, maxDashboard)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.add(file, "there is no "+name, "", regenerate)
		case err != nil:
			c.add(file, err.Error(), "", "make it readable")
		default:
			c.dashboardFile(name, data)
		}
	}
}

// dashboardFiles lists the files that a path names, one for each target if it
// names the target. A path with other references is not looked into.
func (c *checker) dashboardFiles(p place) []string {
	var names []string
	for _, target := range c.targetsAt {
		name := strings.ReplaceAll(p.text(), "${bundle.target}", target.key)
		if name = path.Join(
			path.Dir(p.file),
			filepath.ToSlash(name),
		); p.text() != "" && !strings.Contains(name, "${") &&
			!slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// dashboardJSON is the part of a dashboard's file that is checked.
type dashboardJSON struct {
	Datasets []struct {
		Name  string   `json:"name"`
		Query string   `json:"query"`
		Lines []string `json:"queryLines"`
	} `json:"datasets"`
	Pages []struct {
		Layout []struct {
			Widget struct {
				Name    string `json:"name"`
				Queries []struct {
					Query struct {
						Dataset string `json:"datasetName"`
						Fields  []struct {
							Name string `json:"name"`
						} `json:"fields"`
					} `json:"query"`
				} `json:"queries"`
				Spec struct {
					Encodings any `json:"encodings"`
				} `json:"spec"`
			} `json:"widget"`
		} `json:"layout"`
	} `json:"pages"`
}

func (c *checker) dashboardFile(name string, data []byte) {
	report := func(where, value, message, allowed string) {
		c.findings = append(
			c.findings,
			diag.Problem{File: c.name(name), Value: value, Text: said(where, value, message), Allowed: allowed, Hint: regenerate},
		)
	}
	var d dashboardJSON
	if err := json.Unmarshal(data, &d); err != nil {
		report("", "", "is no dashboard: "+err.Error(), "")
		return
	}
	var datasets []string
	for i, s := range d.Datasets {
		where := fmt.Sprintf("datasets[%d]", i)
		if slices.Contains(datasets, s.Name) {
			report(where+".name", s.Name, "is there twice", "one of each name")
		}
		if strings.TrimSpace(s.Query+strings.Join(s.Lines, "")) == "" {
			report(where, s.Name, "has no query", "")
		}
		datasets = append(datasets, s.Name)
	}
	shown := map[string]bool{}
	for _, page := range d.Pages {
		for _, placed := range page.Layout {
			w := placed.Widget
			var fields []string
			for _, q := range w.Queries {
				shown[q.Query.Dataset] = true
				if !slices.Contains(datasets, q.Query.Dataset) {
					report("widget "+w.Name, q.Query.Dataset, "is no dataset of the dashboard", strings.Join(datasets, ", "))
				}
				for _, f := range q.Query.Fields {
					fields = append(fields, f.Name)
				}
			}
			for _, f := range fieldNames(w.Spec.Encodings) {
				if !slices.Contains(fields, f) {
					report("widget "+w.Name, f, "is drawn, and not asked for", strings.Join(fields, ", "))
				}
			}
		}
	}
	for i, s := range d.Datasets {
		if !shown[s.Name] {
			report(fmt.Sprintf("datasets[%d]", i), s.Name, "is shown by no widget", "")
		}
	}
}

// fieldNames lists what encodings draw, in order.
func fieldNames(encodings any) []string {
	var names []string
	switch e := encodings.(type) {
	case map[string]any:
		if name, ok := e["fieldName"].(string); ok {
			names = append(names, name)
		}
		for _, key := range slices.Sorted(maps.Keys(e)) {
			names = append(names, fieldNames(e[key])...)
		}
	case []any:
		for _, item := range e {
			names = append(names, fieldNames(item)...)
		}
	}
	return names
}
