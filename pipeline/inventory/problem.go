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
}

// Error is all that is wrong in an inventory, as far as it is worth telling.
// Read and Parse return it (errors.As finds it) for whatever a person can mend.
type Error struct {
	File     string    // as it was given
	Problems []Problem // the first ones, in order of their place
	More     int       // how many there are beyond these
}

// maxShown is how many problems are told one by one; the rest is counted.
const maxShown = 10

// Error gives "file:line:column: text" for each problem, its hint on a line of its own.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s\nhint: %s", e.File, p.Line, p.Column, p.Text, p.Hint)
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

// columnAt gives the column, in characters from 1, of a line's byte.
func columnAt(line string, at int) int { return 1 + utf8.RuneCountInString(line[:at]) }

// quote shows a value in an error: in quotes, escaped, and cut where it is long.
func quote(s string) string {
	const most = 80
	cut := ""
	if utf8.RuneCountInString(s) > most {
		s, cut = string([]rune(s)[:most]), "…"
	}
	return strconv.Quote(s) + cut
}

// shown lists names in an error, not more than fit a few lines.
func shown(all []string) string {
	const most = 20
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
