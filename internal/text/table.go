package text

import "strings"

// Table is rows below heads, in columns that are as wide as their widest cell.
// Control characters in cells are escaped.
type Table struct {
	Heads []string // one that begins with > is aligned to the right
	Rows  [][]string

	Indent  int
	Width   int // of a line
	MaxCell int // where a cell is cut; 0: nowhere
	Elastic int // the column that is cut further where lines would be wider than Width; never below its head or 12
}

// minElastic is the least width that is left of a cut column.
const minElastic = 12

// Lines returns the table's lines, without spaces at their ends. paint, which may be
// nil, colours a cell's text; row -1 is that of the heads.
func (t Table) Lines(paint func(row, column int, cell string) string) []string {
	heads, alignRight, widths := make([]string, len(t.Heads)), make([]bool, len(t.Heads)), make([]int, len(t.Heads))
	for i, head := range t.Heads {
		heads[i], alignRight[i] = strings.CutPrefix(head, ">")
	}
	var rows [][]string
	for _, row := range append([][]string{heads}, t.Rows...) {
		shown := make([]string, len(row))
		for i, cell := range row {
			shown[i] = Line(cell)
			if t.MaxCell > 0 && i != t.Elastic {
				shown[i] = Fit(shown[i], t.MaxCell)
			}
			widths[i] = max(widths[i], Width(shown[i]))
		}
		rows = append(rows, shown)
	}
	used := t.Indent + 2*(len(widths)-1)
	for i, w := range widths {
		if i != t.Elastic {
			used += w
		}
	}
	widths[t.Elastic] = min(widths[t.Elastic], max(t.Width-used, minElastic, Width(heads[t.Elastic])))
	lines := make([]string, len(rows))
	for n, row := range rows {
		line := strings.Repeat(" ", t.Indent)
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			cell = Fit(cell, widths[i])
			pad := strings.Repeat(" ", max(0, widths[i]-Width(cell)))
			if paint != nil && cell != "" {
				cell = paint(n-1, i, cell)
			}
			if alignRight[i] {
				line += pad + cell
			} else {
				line += cell + pad
			}
		}
		lines[n] = strings.TrimRight(line, " ")
	}
	return lines
}
