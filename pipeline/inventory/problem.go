package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong in an inventory.
type Problem struct {
	Line   int    // from 1
	Column int    // from 1, in characters of the line
	Text   string // the value, and what is allowed
	Hint   string // what to do
	Again  []int  // lines further down that have the same problem, the first few
	More   int    // how many such lines there are beyond Again
}

// Error is all that is wrong in an inventory, as far as it is worth telling.
// Read and Parse return it (errors.As finds it) for whatever a person can mend.
type Error struct {
	File     string    // as it was given
	Problems []Problem // the first ones, in order of their place
	More     int       // how many there are beyond these
}

// maxShown is how many problems are told one by one, and maxAgain in how many
// further lines each is; the rest is counted.
const (
	maxShown = 10
	maxAgain = 5
)

// Error returns "file:line:column: text" for each problem, its hint on a line of its own.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s%s\nhint: %s", e.File, p.Line, p.Column, p.Text, p.again(), p.Hint)
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

// again says in which other lines the problem is.
func (p *Problem) again() string {
	if len(p.Again) == 0 {
		return ""
	}
	lines := make([]string, len(p.Again))
	for i, line := range p.Again {
		lines[i] = strconv.Itoa(line)
	}
	if n := len(p.Again) + p.More; n > 1 {
		more := ""
		if p.More > 0 {
			more = ", …"
		}
		return fmt.Sprintf(" (and in %d more lines: %s%s)", n, strings.Join(lines, ", "), more)
	}
	return " (and in line " + lines[0] + ")"
}

// columnAt returns the column, in characters from 1, of a line's byte.
func columnAt(line string, at int) int { return 1 + utf8.RuneCountInString(line[:at]) }

// quote shows a value in an error: in quotes, escaped, and cut where it is long.
// However long it is, no more of it is read than is shown.
func quote(s string) string {
	const most = 80
	n := 0
	for i := range s {
		if n == most {
			return strconv.Quote(s[:i]) + "…"
		}
		n++
	}
	return strconv.Quote(s)
}

// shown lists names in an error, not more than fit a few lines.
func shown(all []string) string {
	const most = 20
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
