package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// problem is one thing that is wrong in an inventory, and the lines that have it too.
type problem struct {
	diag.Problem
	again []int // lines further down that have the same problem, the first few
	more  int   // how many such lines there are beyond again
}

// maxShown is how many problems are reported one by one, and maxAgain for how many
// further lines each is; the rest is counted.
const (
	maxShown = 10
	maxAgain = 5
)

// also names the other lines that have the problem.
func (p *problem) also() string {
	switch n := len(p.again) + p.more; n {
	case 0:
		return ""
	case 1:
		return "and in line " + strconv.Itoa(p.again[0])
	default:
		lines := make([]string, len(p.again))
		for i, line := range p.again {
			lines[i] = strconv.Itoa(line)
		}
		if p.more > 0 {
			lines = append(lines, "…")
		}
		return fmt.Sprintf("and in %d more lines: %s", n, strings.Join(lines, ", "))
	}
}

// columnAt returns the column, in characters from 1, of a line's byte.
func columnAt(line string, at int) int { return 1 + utf8.RuneCountInString(line[:at]) }

// quote shows a value in an error: in quotes, escaped, and cut where it is long.
func quote(s string) string {
	if shown := clip(s); shown != s {
		return strconv.Quote(shown) + "…"
	}
	return strconv.Quote(s)
}

// clip cuts a value where it is longer than an error shows. However long it is, no
// more of it is read than is shown.
func clip(s string) string {
	const most = 80
	n := 0
	for i := range s {
		if n == most {
			return s[:i]
		}
		n++
	}
	return s
}

// shown lists names in an error, not more than fit a few lines.
func shown(all []string) string {
	const most = 20
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
