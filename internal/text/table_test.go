package text

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTable(t *testing.T) {
	table := Table{
		Heads: []string{">id", "site", ">tags"}, Indent: 2, Width: 30, Elastic: 1,
		Rows: [][]string{{"0001", "Werk \x1b[31m Süd", "12"}, {"2", "a name that is far too long", "1,234"}},
	}
	assert.Equal(t, []string{
		"    id  site              tags",
		`  0001  Werk \x1b[31m …     12`,
		"     2  a name that is…  1,234",
	}, table.Lines(nil))
}

func TestTableCutsAndPaints(t *testing.T) {
	table := Table{Heads: []string{"a", "b"}, Width: 80, MaxCell: 4, Elastic: 1,
		Rows: [][]string{{"12345", ""}, {"1", strings.Repeat("x", 90)}}}
	lines := table.Lines(func(row, column int, cell string) string {
		if row == 1 && column == 0 {
			return "<" + cell + ">"
		}
		return cell
	})
	assert.Equal(t, []string{"a     b", "123…", "<1>     " + strings.Repeat("x", 73) + "…"}, lines)
}

func TestIndentedEscapesNoHTML(t *testing.T) {
	data, err := Indented(map[string]string{"q": "a < b & c"})
	assert.NoError(t, err)
	assert.Equal(t, "{\n  \"q\": \"a < b & c\"\n}\n", string(data))
}
