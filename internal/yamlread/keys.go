package yamlread

import (
	"regexp"
	"strings"
)

// Key describes a key that a reader asks a file for.
type Key struct {
	Path     string // sites[].auth.kind; NAME stands for a name that the user chooses
	Type     Type
	Default  string   // as the file would spell it; "" = none
	Allowed  string   // in words
	Words    []string // the only texts allowed; nil = any that is Allowed
	Pattern  string   // regular expression that a whole text matches; "" = none
	Min, Max float64  // of a number; Max also the most items of a list of texts
	Required bool
}

// Type is the type of a key's value.
type Type string

// The types of values.
const (
	TypeText     Type = "text"
	TypeBool     Type = "true or false"
	TypeInt      Type = "whole number"
	TypeNumber   Type = "number"
	TypeDuration Type = "duration"
	TypeTexts    Type = "list of texts"
	TypeList     Type = "list of mappings"
	TypeMapping  Type = "mapping"
)

// Record calls use with every key that is asked for from now on, whether the file has
// it or not: a reference of all keys is made so. A key is recorded again when it is asked
// for again, and without a type where a reader only takes it.
func (ps *Problems) Record(use func(Key)) { ps.record = use }

// Note records a key of the mapping that a reader takes apart by itself, with Take.
func (m *Mapping) Note(key string, k Key) {
	if m.record == nil {
		return
	}
	k.Path = m.shapeOf(Join(m.Path, key))
	m.record(k)
}

var (
	index     = regexp.MustCompile(`\[\d+\]`)
	firstName = regexp.MustCompile(`\A\.?[^.\[]+`)
)

// shapeOf returns the path of a key below the mapping as a Key has it.
func (m *Mapping) shapeOf(path string) string {
	below := index.ReplaceAllString(strings.TrimPrefix(path, m.Path), "[]")
	if m.named {
		below = firstName.ReplaceAllString(below, ".NAME")
	}
	return m.shape + below
}

func defaultText(has bool, def string) string {
	if has {
		return def
	}
	return ""
}
