package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// object reads one mapping of pipeline.yml. Asking for a key makes it known;
// done reports every key that nobody asked for. A key that is absent gives the
// default; so does a wrong value, after its problem is noted, so that reading
// goes on and finds the next one.
type object struct {
	*problems
	node   *Node  // nil when the mapping is absent
	path   string // of the mapping, "" for the file itself
	hidden bool   // a secret may stand here: show no value
	known  []string
}

// object gives the mapping under key; without one, an empty object.
func (o *object) object(key string) *object {
	return o.child(o.take(key), join(o.path, key), o.hidden || sensitive(key))
}

func (o *object) child(n *Node, path string, hidden bool) *object {
	c := &object{problems: o.problems, node: n, path: path, hidden: hidden}
	if n != nil && n.Kind != Map && n.Kind != Null {
		c.wrong(n, "", "a mapping", typeHint(n, "a mapping"))
		c.node = nil
	}
	return c
}

// done ends the reading of a mapping.
func (o *object) done() {
	if o.node == nil {
		return
	}
	for _, e := range o.node.Entries {
		if !slices.Contains(o.known, e.Key) {
			o.unknownKey(e, o.path, o.known, o.hidden)
		}
	}
}

// take gives the value of key, nil when it is absent.
func (o *object) take(key string) *Node {
	if !slices.Contains(o.known, key) {
		o.known = append(o.known, key)
	}
	return o.node.Get(key)
}

// has tells whether the file gives key a value.
func (o *object) has(key string) bool {
	n := o.node.Get(key)
	return n != nil && n.Kind != Null
}

// at gives the place of a key's value, else that of the mapping.
func (o *object) at(key string) *Node {
	if n := o.node.Get(key); n != nil {
		return n
	}
	return o.node
}

// wrong notes a value that is not allowed. An empty key means the mapping itself.
func (o *object) wrong(n *Node, key, allowed, hint string) {
	value, shown := n.Text, n.show()
	if o.hidden {
		value, shown = "", n.Kind.String()
	}
	path := o.path
	if key != "" {
		path = join(o.path, key)
	}
	o.note(n, diag.Problem{Value: value, Text: path + ": " + shown, Allowed: allowed, Hint: hint})
}

// missing notes that a key without a default is absent.
func (o *object) missing(key, hint string) {
	o.add(o.node, join(o.path, key)+" is missing", hint)
}

// refuse notes that key may not stand beside something else.
func (o *object) refuse(key, why, hint string) {
	if e := o.node.entry(key); e != nil {
		o.addAt(e.Line, e.Column, join(o.path, key)+" "+why, hint)
	}
}

// rule is what a text must be.
type rule struct {
	ok      func(string) bool
	allowed string
	hint    string
}

// text reads a text that keeps rule r; def is what an absent key gives.
func (o *object) text(key, def string, r rule) string {
	n := o.take(key)
	if n == nil {
		return def
	}
	switch {
	case n.Kind != String:
		o.wrong(n, key, r.allowed, typeHint(n, "text"))
	case !r.ok(n.Text):
		o.wrong(n, key, r.allowed, r.hint)
	default:
		return n.Text
	}
	return def
}

// need is text for a key that must be there.
func (o *object) need(key string, r rule) string {
	if o.take(key) == nil {
		o.missing(key, r.hint)
		return ""
	}
	return o.text(key, "", r)
}

// oneOf reads one of a few words.
func (o *object) oneOf(key, def string, words ...string) string {
	n := o.take(key)
	if n == nil {
		return def
	}
	if n.Kind == String && slices.Contains(words, n.Text) {
		return n.Text
	}
	hint := "take one of these"
	if def != "" {
		hint = "leave the key out for " + def
	}
	if n.Kind == String {
		hint = suggest.Hint(n.Text, words, hint)
	}
	o.wrong(n, key, strings.Join(words, ", "), hint)
	return def
}

func (o *object) bool(key string) bool {
	n := o.take(key)
	if n == nil {
		return false
	}
	b, ok := n.bool()
	if !ok {
		o.wrong(n, key, "true, false", "write true or false, without quotes")
	}
	return b
}

// int reads a whole number from least to most.
func (o *object) int(key string, def, least, most int) int {
	n := o.take(key)
	if n == nil {
		return def
	}
	i, ok := n.int()
	if !ok || i < int64(least) || i > int64(most) {
		o.wrong(n, key, fmt.Sprintf("a whole number from %d to %d", least, most), defaultHint(def > 0, fmt.Sprint(def)))
		return def
	}
	return int(i)
}

// number reads a number from least to most.
func (o *object) number(key string, def, least, most float64) float64 {
	n := o.take(key)
	if n == nil {
		return def
	}
	f, ok := n.float()
	if !ok || f < least || f > most {
		o.wrong(n, key, fmt.Sprintf("a number from %s to %s", decimal(least), decimal(most)), defaultHint(def > 0, decimal(def)))
		return def
	}
	return f
}

// duration reads a duration from least to most.
func (o *object) duration(key string, def, least, most time.Duration) time.Duration {
	n := o.take(key)
	if n == nil {
		return def
	}
	d, ok := parseDuration(n.Text)
	if n.Kind != String || !ok || d < least || d > most {
		hint := "write whole numbers, each with its unit (ms, s, m, h, d), the longest first"
		switch {
		case n.Kind == Int:
			hint = "write the unit too: ms, s, m, h or d"
		case ok && def > 0:
			hint = defaultHint(true, FormatDuration(def))
		case ok:
			hint = "take one within these bounds"
		}
		o.wrong(n, key, fmt.Sprintf("a duration from %s to %s, such as 30s, 5m, 1h30m or 1d", FormatDuration(least), FormatDuration(most)), hint)
		return def
	}
	return d
}

// decimal gives f without an exponent.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func defaultHint(has bool, def string) string {
	if has {
		return "leave the key out for the default, " + def
	}
	return "leave the key out if in doubt"
}

// items gives the items of a list; absent or empty gives none.
func (o *object) items(key string) []*Node {
	n := o.take(key)
	if n == nil || n.Kind == Null {
		return nil
	}
	if n.Kind != List {
		o.hidden = o.hidden || sensitive(key)
		o.wrong(n, key, "a list", typeHint(n, "a list"))
		return nil
	}
	return n.Items
}

// entries gives the entries of a mapping whose keys the user chooses, at most
// so many: what is beyond is noted, and not read.
func (o *object) entries(most int) []Entry {
	if o.node == nil {
		return nil
	}
	all := o.node.Entries
	if len(all) > most {
		e := all[most]
		o.noteAt(diag.Problem{Line: e.Line, Column: e.Column,
			Text: fmt.Sprintf("%s has %d keys", o.path, len(all)), Allowed: fmt.Sprintf("at most %d", most), Hint: "leave some out"})
		all = all[:most]
		o.node = &Node{Kind: Map, Line: o.node.Line, Column: o.node.Column, Entries: all}
	}
	return all
}

// texts reads a list of at most so many texts that keep rule r, each once.
func (o *object) texts(key string, most int, r rule) []string {
	var out []string
	items := o.items(key)
	if len(items) > most {
		o.note(items[most], diag.Problem{Text: fmt.Sprintf("%s has %d items", join(o.path, key), len(items)),
			Allowed: fmt.Sprintf("at most %d", most), Hint: "leave some out"})
		items = items[:most]
	}
	shown := &object{problems: o.problems, hidden: o.hidden || sensitive(key)}
	for i, n := range items {
		at := fmt.Sprintf("%s[%d]", join(o.path, key), i)
		switch {
		case n.Kind != String:
			shown.wrong(n, at, r.allowed, typeHint(n, "text"))
		case !r.ok(n.Text):
			shown.wrong(n, at, r.allowed, r.hint)
		case slices.Contains(out, n.Text):
			o.add(n, at+" is there already", "leave it out")
		default:
			out = append(out, n.Text)
		}
	}
	return out
}
