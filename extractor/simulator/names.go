package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// Every generated name holds the point's index in decimal, so that a name leads
// back to its index without a table: see indexesIn.

var (
	kinds = [...]string{"FIC", "TIC", "PIC", "LIC", "AI", "XV", "JI", "SIC"}

	// oddNames are legal though unusual; %d is the index.
	oddNames = [...]string{
		`Flow, "main", unit %d`,
		`../../etc/passwd-%d`,
		`Température four №%d °C`,
		`🔥 burner %d 😀`,
		longName,
		`two  spaces  %d`,
		`100%% of #%d &x=y+z?w`,
		`'single' ;semi; %d`,
		`=SUM(A1:A%d)`,
		`日本語タグ %d`,
		`<b>%d</b>&amp;`,
		`{"json":[%d]}`,
		`NaN %d`,
	}
)

// longName stands for a name of 400 characters.
const longName = "LONG-%d-"

// oddName returns which odd name the point with this index has, if any: one in
// five among the first 65, so that a small server has them all, then 1 in 997.
func oddName(index int) (pattern string, odd bool) {
	switch {
	case index < 5*len(oddNames) && index%5 == 3:
		return oddNames[index/5], true
	case index >= 5*len(oddNames) && index%997 == 3:
		return oddNames[index/997%len(oddNames)], true
	}
	return "", false
}

// baseName returns the name of a point before any renaming.
func baseName(index int, odd bool) string {
	if odd {
		if pattern, ok := oddName(index); ok {
			name := fmt.Sprintf(pattern, index)
			if pattern == longName {
				name += strings.Repeat("abcdefghij", 40)[:400-len(name)]
			}
			return name
		}
	}
	b := make([]byte, 0, 32)
	b = append(b, "PLANT"...)
	b = appendPadded(b, uint64(index/5000%100), 2)
	b = append(b, '.', 'U')
	b = strconv.AppendUint(b, uint64(index/100%50), 10)
	b = append(b, '.')
	b = append(b, kinds[index%len(kinds)]...)
	b = append(b, '-')
	b = appendPadded(b, uint64(index), 7)
	return string(append(b, ".PV"...))
}

// indexesIn returns the numbers in a name, last first: one of them is the index of a
// generated name.
func indexesIn(name string) []int {
	var list []int
	for end := len(name); end > 0; {
		if name[end-1] < '0' || name[end-1] > '9' {
			end--
			continue
		}
		start := end
		for start > 0 && name[start-1] >= '0' && name[start-1] <= '9' {
			start--
		}
		if n, err := strconv.Atoi(name[start:end]); err == nil {
			list = append(list, n)
		}
		end = start
	}
	return list
}
