package lakeview

import (
	"strings"

	"github.com/bundlegen/bundlegen/internal/text"
)

// Columns is how many columns the grid of a canvas has.
const Columns = 12

// Dashboard is a dashboard of one page.
type Dashboard struct {
	Title    string
	Datasets []Dataset
	Widgets  []Placed
}

// Dataset is a query that widgets show.
type Dataset struct {
	Name  string // what widgets call it: letters, digits, _ and -
	Title string
	Query string // one statement; a ; at its end is left out, for widgets ask it as a part of their own query
}

// Placed is a widget and its place on the grid: the column from 0, the row from
// 0, and how many of both it takes.
type Placed struct {
	Widget              Widget
	X, Y, Width, Height int
}

// Widget is one part of a canvas. Counter, Line, LineBy, BarBy and Table make them.
type Widget struct {
	name, dataset string
	columns       []string
	spec          spec
}

// JSON gives the file. The same dashboard gives the same bytes.
func (d Dashboard) JSON() ([]byte, error) {
	out := file{Pages: []page{{Name: "main", Title: d.Title, Type: "PAGE_TYPE_CANVAS", Layout: "GRID_V1"}}}
	for _, s := range d.Datasets {
		query := strings.TrimSuffix(strings.TrimRight(s.Query, "\n"), ";")
		out.Datasets = append(out.Datasets, dataset{Name: s.Name, Title: s.Title, Lines: strings.SplitAfter(query, "\n")})
	}
	for _, p := range d.Widgets {
		out.Pages[0].Placed = append(out.Pages[0].Placed, placed{p.Widget.json(), position{p.X, p.Y, p.Width, p.Height}})
	}
	return text.Indented(out)
}

// json gives a widget as it is written.
func (w Widget) json() widget {
	q := query{Dataset: w.dataset, AsItIs: true}
	for _, c := range w.columns {
		q.Fields = append(q.Fields, field{Name: c, Expression: "`" + c + "`"})
	}
	return widget{Name: w.name, Queries: []named{{"main_query", q}}, Spec: w.spec}
}

// The file, key by key in the order in which it is written.

type file struct {
	Datasets []dataset `json:"datasets"`
	Pages    []page    `json:"pages"`
}

type dataset struct {
	Name  string   `json:"name"`
	Title string   `json:"displayName"`
	Lines []string `json:"queryLines"`
}

type page struct {
	Name   string   `json:"name"`
	Title  string   `json:"displayName"`
	Type   string   `json:"pageType"`
	Layout string   `json:"layoutVersion"`
	Placed []placed `json:"layout"`
}

type placed struct {
	Widget   widget   `json:"widget"`
	Position position `json:"position"`
}

type position struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

type widget struct {
	Name    string  `json:"name"`
	Queries []named `json:"queries"`
	Spec    spec    `json:"spec"`
}

type named struct {
	Name  string `json:"name"`
	Query query  `json:"query"`
}

type query struct {
	Dataset string  `json:"datasetName"`
	Fields  []field `json:"fields"`
	AsItIs  bool    `json:"disaggregated"`
}

type field struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

type spec struct {
	Version   int       `json:"version"`
	Type      string    `json:"widgetType"`
	Encodings encodings `json:"encodings"`
	Frame     frame     `json:"frame"`
}

type frame struct {
	ShowTitle       bool   `json:"showTitle"`
	Title           string `json:"title"`
	ShowDescription bool   `json:"showDescription,omitempty"`
	Description     string `json:"description,omitempty"`
}

type encodings struct {
	Value   *encoding  `json:"value,omitempty"`   // of a counter
	X       *encoding  `json:"x,omitempty"`       // of a chart
	Y       *encoding  `json:"y,omitempty"`       // of a chart
	Color   *encoding  `json:"color,omitempty"`   // of a chart
	Columns []encoding `json:"columns,omitempty"` // of a table
}

type encoding struct {
	Column string     `json:"fieldName,omitempty"`
	Scale  *scale     `json:"scale,omitempty"`
	Fields []encoding `json:"fields,omitempty"` // several columns on one axis
	Title  string     `json:"displayName,omitempty"`
	Format *Format    `json:"format,omitempty"`
	Style  *style     `json:"style,omitempty"`
}

type scale struct {
	Type string `json:"type"`
}

type style struct {
	Rules []rule `json:"rules"`
}

type rule struct {
	Condition condition `json:"condition"`
	Color     color     `json:"color"`
}

type condition struct {
	Operand  operand `json:"operand"`
	Operator string  `json:"operator"`
}

type operand struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type color struct {
	Type     string `json:"themeColorType"`
	Position int    `json:"position"`
}
