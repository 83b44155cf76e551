package lakeview_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle/lakeview"
)

// The expected files are what Databricks' own dashboards export, key by key.
func TestWidgets(t *testing.T) {
	head := lakeview.Head{Name: "w", Title: "T", Dataset: "d"}
	for name, c := range map[string]struct {
		widget       lakeview.Widget
		fields, spec string
	}{
		"counter": {
			lakeview.Counter(head, lakeview.Column{Name: "n", Format: lakeview.Compact}, &lakeview.Alarm{Operator: ">", Bound: 0.5}),
			`[{"name": "n", "expression": "` + "`n`" + `"}]`,
			`{"version": 2, "widgetType": "counter", "encodings": {"value": {"fieldName": "n",
				"format": {"type": "number-plain", "abbreviation": "compact", "decimalPlaces": {"type": "max", "places": 2}},
				"style": {"rules": [{"condition": {"operand": {"type": "data-value", "value": "0.5"}, "operator": ">"},
					"color": {"themeColorType": "visualizationColors", "position": 4}}]}}},
				"frame": {"showTitle": true, "title": "T"}}`,
		},
		"line": {
			lakeview.Line(head, lakeview.Column{Name: "x", Title: "X"}, lakeview.Column{Name: "a", Title: "A"}, lakeview.Column{Name: "b"}),
			`[{"name": "x", "expression": "` + "`x`" + `"}, {"name": "a", "expression": "` + "`a`" + `"}, {"name": "b", "expression": "` + "`b`" + `"}]`,
			`{"version": 3, "widgetType": "line", "encodings": {
				"x": {"fieldName": "x", "scale": {"type": "categorical"}, "displayName": "X"},
				"y": {"scale": {"type": "quantitative"}, "fields": [{"fieldName": "a", "displayName": "A"}, {"fieldName": "b"}]}},
				"frame": {"showTitle": true, "title": "T"}}`,
		},
		"bars over time": {
			lakeview.BarBy(head, lakeview.Column{Name: "t"}, lakeview.Column{Name: "n", Format: lakeview.Percent}, lakeview.Column{Name: "by"}),
			`[{"name": "t", "expression": "` + "`t`" + `"}, {"name": "n", "expression": "` + "`n`" + `"}, {"name": "by", "expression": "` + "`by`" + `"}]`,
			`{"version": 3, "widgetType": "bar", "encodings": {
				"x": {"fieldName": "t", "scale": {"type": "temporal"}},
				"y": {"fieldName": "n", "scale": {"type": "quantitative"}, "format": {"type": "number-percent", "decimalPlaces": {"type": "max", "places": 2}}},
				"color": {"fieldName": "by", "scale": {"type": "categorical"}}},
				"frame": {"showTitle": true, "title": "T"}}`,
		},
		"table": {
			lakeview.Table(lakeview.Head{Name: "w", Title: "T", Description: "D", Dataset: "d"}, lakeview.Column{Name: "a", Title: "A"}),
			`[{"name": "a", "expression": "` + "`a`" + `"}]`,
			`{"version": 2, "widgetType": "table", "encodings": {"columns": [{"fieldName": "a", "displayName": "A"}]},
				"frame": {"showTitle": true, "title": "T", "showDescription": true, "description": "D"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := lakeview.Dashboard{
				Title:    "all",
				Datasets: []lakeview.Dataset{{Name: "d", Title: "data", Query: "SELECT 1\nWHERE 1 < 2;\n"}},
				Widgets:  []lakeview.Placed{{Widget: c.widget, X: 1, Y: 2, Width: 3, Height: 4}},
			}.JSON()
			require.NoError(t, err)
			require.JSONEq(t, `{"datasets": [{"name": "d", "displayName": "data", "queryLines": ["SELECT 1\n", "WHERE 1 < 2"]}],
				"pages": [{"name": "main", "displayName": "all", "pageType": "PAGE_TYPE_CANVAS", "layoutVersion": "GRID_V1", "layout": [{
					"widget": {"name": "w", "queries": [{"name": "main_query", "query": {"datasetName": "d", "fields": `+c.fields+`, "disaggregated": true}}], "spec": `+c.spec+`},
					"position": {"x": 1, "y": 2, "width": 3, "height": 4}}]}]}`, string(data))
			require.Contains(t, string(data), "1 < 2", "a query can be read in the file")
		})
	}
}
