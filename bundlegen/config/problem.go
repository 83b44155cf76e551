package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// problems collects what is wrong with one file while it is read.
type problems struct {
	file string
	list []diag.Problem
}

// add notes a problem at n; a nil n means the file's beginning.
func (ps *problems) add(n *Node, text, hint string) {
	ps.note(n, diag.Problem{Text: text, Hint: hint})
}

// note notes a problem at n; a nil n means the file's beginning.
func (ps *problems) note(n *Node, p diag.Problem) {
	p.Line, p.Column = 1, 1
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	ps.noteAt(p)
}

func (ps *problems) addAt(line, column int, text, hint string) {
	ps.noteAt(diag.Problem{Line: line, Column: column, Text: text, Hint: hint})
}

// noteAt notes a problem that has its position.
func (ps *problems) noteAt(p diag.Problem) {
	p.File = ps.file
	ps.list = append(ps.list, p)
}

// err gives what was collected in order of position, or nil. A problem met
// twice (a value that an alias repeats) is told once.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b diag.Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return &diag.List{Problems: slices.Compact(ps.list)}
}

// quote gives a value as an error shows it: in quotes, escaped, and cut off
// when it is long.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		return strconv.Quote(string([]rune(s)[:most])) + "…"
	}
	return strconv.Quote(s)
}

// sensitive tells of a key below which nothing is ever shown: a person may
// have put the secret itself there.
func sensitive(key string) bool {
	switch strings.ToLower(key) {
	case "auth", "password", "passwd", "token", "keytab", "secret", "ca_secret", "credentials", "webhooks":
		return true
	}
	return false
}
