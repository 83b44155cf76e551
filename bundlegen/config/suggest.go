package config

import (
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// unknownKey notes a key that nobody asked for, and the nearest that is known.
// Where a secret may stand, a key is shown only if it is a slip of a known one;
// so is a key without a value, which a comma in an unquoted password makes.
func (ps *problems) unknownKey(e Entry, where string, known []string, hidden bool) {
	known = slices.Sorted(slices.Values(known))
	near := suggest.Nearest(e.Key, known)
	name := "unknown key " + quote(e.Key)
	if near == "" && (hidden || e.Value.Kind == Null) {
		name = "unknown key"
	}
	if where != "" {
		name += " in " + where
	}
	hint := "leave it out, or take one of these"
	if near != "" {
		hint = suggest.DidYouMean(quote(near))
	}
	ps.noteAt(diag.Problem{Line: e.Line, Column: e.Column, Text: name, Allowed: strings.Join(known, ", "), Hint: hint})
}
