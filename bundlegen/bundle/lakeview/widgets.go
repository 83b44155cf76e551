package lakeview

import "strconv"

// Format is how a number is shown.
type Format struct {
	Type         string   `json:"type"`
	Abbreviation string   `json:"abbreviation,omitempty"`
	Decimals     decimals `json:"decimalPlaces"`
}

type decimals struct {
	Type   string `json:"type"`
	Places int    `json:"places"`
}

// The formats in use: 1.2M; 99.87% of a share from 0 to 1.
var (
	Compact = &Format{Type: "number-plain", Abbreviation: "compact", Decimals: decimals{"max", 2}}
	Percent = &Format{Type: "number-percent", Decimals: decimals{"max", 2}}
)

// Column is a column of a dataset and how it is shown.
type Column struct {
	Name   string
	Title  string
	Format *Format // nil = as it is
}

// What kinds of values an axis has.
const (
	temporal     = "temporal"
	categorical  = "categorical"
	quantitative = "quantitative"
)

// Head is what every widget has.
type Head struct {
	Name        string // letters, digits, _ and -
	Title       string
	Description string // "" = none
	Dataset     string
}

// Alarm turns a counter red while its value and Bound compare by Operator, > or <.
type Alarm struct {
	Operator string
	Bound    float64
}

// red is the fourth of the colors that the default theme draws charts in.
var red = color{"visualizationColors", 4}

// Counter shows one number of a dataset of one row; without an alarm it never turns red.
func Counter(h Head, value Column, alarm *Alarm) Widget {
	e := encode(value)
	if alarm != nil {
		e.Style = &style{Rules: []rule{{
			Condition: condition{operand{"data-value", strconv.FormatFloat(alarm.Bound, 'f', -1, 64)}, alarm.Operator},
			Color:     red,
		}}}
	}
	return h.widget(2, "counter", encodings{Value: &e}, value)
}

// Line shows columns of numbers over the values of x in their order, a line for
// each. A column that is the same in every row is drawn as a limit.
func Line(h Head, x Column, lines ...Column) Widget {
	y := encoding{Scale: &scale{quantitative}}
	for _, c := range lines {
		y.Fields = append(y.Fields, encode(c))
	}
	return h.widget(3, "line", encodings{X: onAxis(x, categorical), Y: &y}, append([]Column{x}, lines...)...)
}

// LineBy shows a column of numbers over time, a line for each value of another column.
func LineBy(h Head, time, value, by Column) Widget { return h.overTime("line", time, value, by) }

// BarBy shows a column of numbers over time, stacked by the values of another column.
func BarBy(h Head, time, value, by Column) Widget { return h.overTime("bar", time, value, by) }

func (h Head) overTime(kind string, time, value, by Column) Widget {
	return h.widget(
		3,
		kind,
		encodings{X: onAxis(time, temporal), Y: onAxis(value, quantitative), Color: onAxis(by, categorical)},
		time,
		value,
		by,
	)
}

// Table shows rows.
func Table(h Head, columns ...Column) Widget {
	var e encodings
	for _, c := range columns {
		e.Columns = append(e.Columns, encode(c))
	}
	return h.widget(2, "table", e, columns...)
}

func (h Head) widget(version int, kind string, e encodings, columns ...Column) Widget {
	w := Widget{name: h.Name, dataset: h.Dataset, spec: spec{
		Version: version, Type: kind, Encodings: e,
		Frame: frame{ShowTitle: true, Title: h.Title, ShowDescription: h.Description != "", Description: h.Description},
	}}
	for _, c := range columns {
		w.columns = append(w.columns, c.Name)
	}
	return w
}

func encode(c Column) encoding { return encoding{Column: c.Name, Title: c.Title, Format: c.Format} }

func onAxis(c Column, kind string) *encoding {
	e := encode(c)
	e.Scale = &scale{kind}
	return &e
}
