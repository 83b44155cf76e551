package yamlread

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Kind is what a Node is.
type Kind int

// The kinds of nodes. A scalar's kind is that of its YAML type: 5 is an Int,
// "5" is a String.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

// String returns the kind as error messages name it.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Bool:
		return "a truth value"
	case Int:
		return "a whole number"
	case Float:
		return "a number"
	case String:
		return "text"
	case List:
		return "a list"
	case Map:
		return "a mapping"
	}
	return "unknown"
}

// Node is a value of a YAML file and its position. Aliases and merge keys
// are resolved: an aliased value is the same *Node wherever it is used, with
// the position of its anchor, so a tree must be treated as read-only.
// All methods accept a nil receiver, which has no value and no children.
type Node struct {
	Kind    Kind
	Line    int    // from 1
	Column  int    // from 1, in characters
	Text    string // of a scalar: as written, without quotes
	Items   []*Node
	Entries []Entry // of a Map, in the file's order, keys unique

	source *yaml.Node // what it was made of
}

// Entry is a key of a mapping and its value.
type Entry struct {
	Key    string
	Line   int // of the key
	Column int
	Value  *Node
}

// Get follows keys through nested mappings; nil when one of them is missing.
func (n *Node) Get(keys ...string) *Node {
	for _, key := range keys {
		e := n.Entry(key)
		if e == nil {
			return nil
		}
		n = e.Value
	}
	return n
}

// Entry returns the entry of a key; nil when it is missing.
func (n *Node) Entry(key string) *Entry {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// Place is the position of the key, for problems that are about it.
func (e *Entry) Place() *Node { return &Node{Line: e.Line, Column: e.Column} }

// show returns the node as an error shows it.
func (n *Node) show() string {
	switch n.Kind {
	case String:
		return Quote(n.Text)
	case Bool, Int, Float:
		return n.Text
	}
	return n.Kind.String()
}

// Bool returns the value of a Bool.
func (n *Node) Bool() (value, ok bool) {
	if n.Kind != Bool {
		return false, false
	}
	return strings.EqualFold(n.Text, "true"), true
}

// Int returns the value of an Int in decimal notation. Octal and the like, and
// leading zeros, which YAML 1.1 and 1.2 read differently, are refused.
func (n *Node) Int() (int64, bool) {
	if n.Kind != Int {
		return 0, false
	}
	digits := strings.ReplaceAll(n.Text, "_", "")
	if bare := strings.TrimLeft(digits, "+-"); len(bare) > 1 && bare[0] == '0' {
		return 0, false
	}
	i, err := strconv.ParseInt(digits, 10, 64)
	return i, err == nil
}

// Float returns the value of a finite number.
func (n *Node) Float() (float64, bool) {
	if i, ok := n.Int(); ok {
		return float64(i), true
	}
	if n.Kind != Float {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(n.Text, "_", ""), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// Decode writes the tree into out as yaml.v3 does, by the struct tags; keys that no
// field has are passed over. The error names the lines of file whose values are of
// other types than their fields.
func (n *Node) Decode(file string, out any) error {
	err := n.source.Decode(out)
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	list := &diag.List{}
	for _, text := range wrong.Errors {
		p := diag.Problem{File: file, Text: "a value of another type than its key has"} // it is not shown, nor is what Go calls it
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
		}
		if at := strings.LastIndex(text, " into "); at >= 0 {
			p.Allowed = inWords(text[at+len(" into "):])
		}
		list.Problems = append(list.Problems, p)
	}
	return list
}

// inWords returns what a Go type holds, in the words of an error.
func inWords(goType string) string {
	goType = strings.TrimLeft(goType, "*")
	switch {
	case goType == "string":
		return "text"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a mapping"
}
