package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong in a file that a person wrote.
type Problem struct {
	File   string // as it was given
	Line   int    // from 1; 0 when no place in the file is meant
	Column int    // from 1, in characters
	Text   string // the key, the value and what is allowed; never a secret
	Hint   string // what to do
}

// Error gives "file:line:column: text", and the hint on a line of its own.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("\nhint: " + p.Hint)
	}
	return b.String()
}

// maxShown is how many problems an error shows: enough to mend a file in one
// go, few enough for one screen.
const maxShown = 10

// Problems is every problem of a file, in order of position. It is the error
// that Load, Parse, CheckEnv and the decoders return (errors.As finds it).
type Problems []Problem

// Error shows the first problems, one after the other, and how many more there are.
func (ps Problems) Error() string {
	lines := make([]string, 0, maxShown+1)
	for _, p := range ps[:min(len(ps), maxShown)] {
		lines = append(lines, p.Error())
	}
	if more := len(ps) - maxShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with one file while it is read.
type problems struct {
	file string
	list Problems
}

// add notes a problem at n; a nil n means the file's beginning.
func (ps *problems) add(n *Node, text, hint string) {
	line, column := 1, 1
	if n != nil {
		line, column = n.Line, n.Column
	}
	ps.addAt(line, column, text, hint)
}

func (ps *problems) addAt(line, column int, text, hint string) {
	ps.list = append(ps.list, Problem{File: ps.file, Line: line, Column: column, Text: text, Hint: hint})
}

// err gives what was collected in order of position, or nil. A problem met
// twice (a value that an alias repeats) is told once.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.Compact(ps.list)
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
