package inventory

import (
	"fmt"
	"slices"
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

// report notes a problem. Of those with the same kind only the first is told, and
// the others counted; "" is the same as no other.
func (r *reader) report(p diag.Problem, kind string) {
	if i, again := r.same[kind]; again && kind != "" {
		first := &r.problems[i]
		if len(first.again) < maxAgain {
			first.again = append(first.again, p.Line)
		} else {
			first.more++
		}
		return
	}
	if len(r.problems) == maxShown {
		r.more++
		return
	}
	if r.same == nil {
		r.same = map[string]int{}
	}
	r.same[kind] = len(r.problems)
	p.File = r.file
	r.problems = append(r.problems, problem{Problem: p})
}

// err is what was reported, in order of place.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	list := &diag.List{Problems: make([]diag.Problem, len(r.problems)), More: r.more}
	for i := range r.problems {
		list.Problems[i] = r.problems[i].Problem
		list.Problems[i].Also = r.problems[i].also()
	}
	return list
}

// reportEncoding reports where data stops being UTF-8.
func (r *reader) reportEncoding(data string) {
	hint := "save it as UTF-8 (in Excel: CSV UTF-8)"
	if strings.HasPrefix(data, "\xff\xfe") || strings.HasPrefix(data, "\xfe\xff") {
		r.report(diag.Problem{Line: 1, Column: 1, Text: "the file is UTF-16; allowed is UTF-8", Hint: hint}, "")
		return
	}
	at := 0
	for {
		c, size := utf8.DecodeRuneInString(data[at:])
		if c == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	start := strings.LastIndexByte(data[:at], '\n') + 1
	r.report(diag.Problem{Line: 1 + strings.Count(data[:at], "\n"), Column: columnAt(data[start:], at-start),
		Text: fmt.Sprintf("byte 0x%02X is not UTF-8", data[at]), Hint: hint}, "")
}
