package yamlread

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Problems collects what is wrong with one file while it is read.
type Problems struct {
	File   string // as the user named it
	list   []diag.Problem
	record func(Key)
}

// Add notes a problem at n; nil is the beginning of the file.
func (ps *Problems) Add(n *Node, text, hint string) {
	ps.AddProblem(n, diag.Problem{Text: text, Hint: hint})
}

// AddProblem notes a problem whose file and position are those of n; nil is the
// beginning of the file.
func (ps *Problems) AddProblem(n *Node, p diag.Problem) {
	p.File, p.Line, p.Column = ps.File, 1, 1
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	ps.list = append(ps.list, p)
}

// addAt notes a problem where there is no node.
func (ps *Problems) addAt(line, column int, text, hint string) {
	ps.Add(&Node{Line: line, Column: column}, text, hint)
}

// Count returns how many problems there are so far.
func (ps *Problems) Count() int { return len(ps.list) }

// Err returns the problems as a *diag.List, in order of position, or nil. A problem
// met twice (a value that an alias repeats) is in it once.
func (ps *Problems) Err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b diag.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &diag.List{Problems: slices.Compact(ps.list)}
}

// Quote returns a value as an error shows it: in quotes, escaped, and cut off when
// it is long.
func Quote(s string) string {
	const maxShown = 60
	if utf8.RuneCountInString(s) > maxShown {
		return strconv.Quote(string([]rune(s)[:maxShown])) + "…"
	}
	return strconv.Quote(s)
}

// sensitive reports whether nothing below a key is ever shown: a person may have
// put the secret itself there.
func sensitive(key string) bool {
	switch strings.ToLower(key) {
	case "auth", "password", "passwd", "token", "keytab", "secret", "ca_secret", "credentials", "webhooks":
		return true
	}
	return false
}
