package yamlread

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/duration"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// Mapping reads one mapping of a file. Asking for a key makes it known; Done reports
// every key that nobody asked for. An absent key has its default; so has a wrong
// value, after its problem is noted: reading goes on and finds the next one.
type Mapping struct {
	*Problems
	Node   *Node  // nil when the mapping is absent
	Path   string // of the mapping, "" for the file itself
	Hidden bool   // a secret may stand here: show no value
	known  []string
	shape  string // Path as a Key has it, while keys are recorded
	named  bool   // the user chooses the names of the keys
}

// Read parses a file whose root is a mapping. When there is nothing to read, Node is
// nil and Err returns why; allowed says what the root has to be, and hint what to do
// about a file that is empty or something else.
func Read(data []byte, file, allowed, hint string) *Mapping {
	m := &Mapping{Problems: &Problems{File: file}}
	root := parse(data, m.Problems, hint)
	if root != nil && root.Kind != Map {
		m.AddProblem(root, diag.Problem{Text: "the file is " + root.Kind.String(), Allowed: allowed, Hint: hint})
		root = nil
	}
	m.Node = root
	return m
}

// Mapping returns the mapping under key; without one, an empty mapping.
func (m *Mapping) Mapping(key string) *Mapping {
	return m.Child(m.Take(key), Join(m.Path, key), m.Hidden || sensitive(key))
}

// Child returns the mapping that n is; nil is an empty one.
func (m *Mapping) Child(n *Node, path string, hidden bool) *Mapping {
	c := &Mapping{Problems: m.Problems, Node: n, Path: path, Hidden: hidden}
	if m.record != nil {
		c.shape = m.shapeOf(path)
		m.record(Key{Path: c.shape, Type: TypeMapping})
	}
	if n != nil && n.Kind != Map && n.Kind != Null {
		c.Wrong(n, "", "a mapping", TypeHint(n, "a mapping"))
		c.Node = nil
	}
	return c
}

// Known returns the keys that were asked for.
func (m *Mapping) Known() []string { return m.known }

// Done ends the reading of a mapping.
func (m *Mapping) Done() {
	if m.Node == nil {
		return
	}
	for _, e := range m.Node.Entries {
		if !slices.Contains(m.known, e.Key) {
			m.unknown(&e)
		}
	}
}

// unknown notes a key that nobody asked for, and the nearest that is known. Where a
// secret may stand, a key is shown only if it is a slip of a known one; so is a key
// without a value, which a comma in an unquoted password makes.
func (m *Mapping) unknown(e *Entry) {
	known := slices.Sorted(slices.Values(m.known))
	near := suggest.Nearest(e.Key, known)
	text := "unknown key " + Quote(e.Key)
	if near == "" && (m.Hidden || e.Value.Kind == Null) {
		text = "unknown key"
	}
	if m.Path != "" {
		text += " in " + m.Path
	}
	hint := "leave it out, or take one of these"
	if near != "" {
		hint = suggest.DidYouMean(Quote(near))
	}
	m.AddProblem(e.Place(), diag.Problem{Text: text, Allowed: strings.Join(known, ", "), Hint: hint})
}

// Take returns the value of key; nil when it is absent.
func (m *Mapping) Take(key string) *Node {
	m.Note(key, Key{})
	if !slices.Contains(m.known, key) {
		m.known = append(m.known, key)
	}
	return m.Node.Get(key)
}

// Has reports whether key has a value in the file.
func (m *Mapping) Has(key string) bool {
	n := m.Node.Get(key)
	return n != nil && n.Kind != Null
}

// At returns the value of key, for its position; the mapping when it is absent.
func (m *Mapping) At(key string) *Node {
	if n := m.Node.Get(key); n != nil {
		return n
	}
	return m.Node
}

// Wrong notes a value that is not allowed. An empty key means the mapping itself.
func (m *Mapping) Wrong(n *Node, key, allowed, hint string) {
	value, shown := n.Text, n.show()
	if m.Hidden {
		value, shown = "", n.Kind.String()
	}
	path := m.Path
	if key != "" {
		path = Join(m.Path, key)
	}
	m.AddProblem(n, diag.Problem{Value: value, Text: path + ": " + shown, Allowed: allowed, Hint: hint})
}

// Missing notes that a key without a default is absent.
func (m *Mapping) Missing(key, hint string) {
	m.Add(m.Node, Join(m.Path, key)+" is missing", hint)
}

// Forbid notes that key cannot be combined with something else.
func (m *Mapping) Forbid(key, why, hint string) {
	if e := m.Node.Entry(key); e != nil {
		m.Add(e.Place(), Join(m.Path, key)+" "+why, hint)
	}
}

// Rule is what a text must be.
type Rule struct {
	OK      func(string) bool
	Allowed string
	Hint    string
	Expr    string // the regular expression that the whole text matches; "" = OK is something else
}

// Pattern returns the rule of a regular expression that the whole text must match.
func Pattern(expr, allowed, hint string) Rule {
	re := regexp.MustCompile(`\A(?:` + expr + `)\z`)
	return Rule{OK: re.MatchString, Allowed: allowed, Hint: hint, Expr: expr}
}

// Text reads a text that keeps rule r; def is the value of an absent key.
func (m *Mapping) Text(key, def string, r Rule) string {
	m.Note(key, Key{Type: TypeText, Default: def, Allowed: r.Allowed, Pattern: r.Expr})
	n := m.Take(key)
	if n == nil {
		return def
	}
	switch {
	case n.Kind != String:
		m.Wrong(n, key, r.Allowed, TypeHint(n, "text"))
	case !r.OK(n.Text):
		m.Wrong(n, key, r.Allowed, r.Hint)
	default:
		return n.Text
	}
	return def
}

// Required is Text for a key that must be there.
func (m *Mapping) Required(key string, r Rule) string {
	defer m.Note(key, Key{Type: TypeText, Allowed: r.Allowed, Pattern: r.Expr, Required: true})
	if m.Take(key) == nil {
		m.Missing(key, r.Hint)
		return ""
	}
	return m.Text(key, "", r)
}

// OneOf reads one of a few words.
func (m *Mapping) OneOf(key, def string, words ...string) string {
	m.Note(key, Key{Type: TypeText, Default: def, Allowed: strings.Join(words, ", "), Words: words})
	n := m.Take(key)
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
	m.Wrong(n, key, strings.Join(words, ", "), hint)
	return def
}

// Bool reads true or false; absent is false.
func (m *Mapping) Bool(key string) bool {
	m.Note(key, Key{Type: TypeBool, Default: "false", Allowed: "true, false"})
	n := m.Take(key)
	if n == nil {
		return false
	}
	b, ok := n.Bool()
	if !ok {
		m.Wrong(n, key, "true, false", "write true or false, without quotes")
	}
	return b
}

// Int reads a whole number from low to high; def is the value of an absent key.
func (m *Mapping) Int(key string, def, low, high int) int {
	allowed := fmt.Sprintf("a whole number from %d to %d", low, high)
	m.Note(key, Key{Type: TypeInt, Default: defaultText(def >= low, strconv.Itoa(def)), Allowed: allowed, Min: float64(low),
		Max: float64(high)})
	n := m.Take(key)
	if n == nil {
		return def
	}
	i, ok := n.Int()
	if !ok || i < int64(low) || i > int64(high) {
		m.Wrong(n, key, allowed, defaultHint(def > 0, fmt.Sprint(def)))
		return def
	}
	return int(i)
}

// Number reads a number from low to high; def is the value of an absent key.
func (m *Mapping) Number(key string, def, low, high float64) float64 {
	allowed := fmt.Sprintf("a number from %s to %s", decimal(low), decimal(high))
	m.Note(key, Key{Type: TypeNumber, Default: defaultText(def > 0, decimal(def)), Allowed: allowed, Min: low, Max: high})
	n := m.Take(key)
	if n == nil {
		return def
	}
	f, ok := n.Float()
	if !ok || f < low || f > high {
		m.Wrong(n, key, allowed, defaultHint(def > 0, decimal(def)))
		return def
	}
	return f
}

// Duration reads a duration from low to high; def is the value of an absent key.
func (m *Mapping) Duration(key string, def, low, high time.Duration) time.Duration {
	bounds := fmt.Sprintf("a duration from %s to %s", duration.Format(low), duration.Format(high))
	m.Note(key, Key{Type: TypeDuration, Default: defaultText(def > 0, duration.Format(def)), Allowed: bounds})
	n := m.Take(key)
	if n == nil {
		return def
	}
	d, ok := duration.Parse(n.Text)
	if n.Kind != String || !ok || d < low || d > high {
		hint := "write whole numbers, each with its unit (ms, s, m, h, d), the longest first"
		switch {
		case n.Kind == Int:
			hint = "write the unit too: ms, s, m, h or d"
		case ok && def > 0:
			hint = defaultHint(true, duration.Format(def))
		case ok:
			hint = "take one within these bounds"
		}
		m.Wrong(n, key, bounds+", such as 30s, 5m, 1h30m or 1d", hint)
		return def
	}
	return d
}

// decimal returns f without an exponent.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func defaultHint(has bool, def string) string {
	if has {
		return "leave the key out for the default, " + def
	}
	return "leave the key out if in doubt"
}

// Items returns the items of a list; none when it is absent or empty.
func (m *Mapping) Items(key string) []*Node {
	m.Note(key, Key{Type: TypeList})
	return m.items(key)
}

func (m *Mapping) items(key string) []*Node {
	n := m.Take(key)
	if n == nil || n.Kind == Null {
		return nil
	}
	if n.Kind != List {
		m.Hidden = m.Hidden || sensitive(key)
		m.Wrong(n, key, "a list", TypeHint(n, "a list"))
		return nil
	}
	return n.Items
}

// Entries returns the entries of a mapping whose keys the user chooses, at most so
// many: what is beyond is noted, and not read.
func (m *Mapping) Entries(limit int) []Entry {
	m.named = true
	if m.Node == nil {
		return nil
	}
	all := m.Node.Entries
	if len(all) > limit {
		m.AddProblem(all[limit].Place(), diag.Problem{Text: fmt.Sprintf("%s has %d keys", m.Path, len(all)),
			Allowed: fmt.Sprintf("at most %d", limit), Hint: "leave some out"})
		all = all[:limit]
		m.Node = &Node{Kind: Map, Line: m.Node.Line, Column: m.Node.Column, Entries: all}
	}
	return all
}

// Texts reads a list of at most so many texts that keep rule r, each once.
func (m *Mapping) Texts(key string, limit int, r Rule) []string {
	m.Note(key, Key{Type: TypeTexts, Allowed: r.Allowed, Pattern: r.Expr, Max: float64(limit)})
	var out []string
	items := m.items(key)
	if len(items) > limit {
		m.AddProblem(items[limit], diag.Problem{Text: fmt.Sprintf("%s has %d items", Join(m.Path, key), len(items)),
			Allowed: fmt.Sprintf("at most %d", limit), Hint: "leave some out"})
		items = items[:limit]
	}
	shown := &Mapping{Problems: m.Problems, Hidden: m.Hidden || sensitive(key)}
	for i, n := range items {
		at := fmt.Sprintf("%s[%d]", Join(m.Path, key), i)
		switch {
		case n.Kind != String:
			shown.Wrong(n, at, r.Allowed, TypeHint(n, "text"))
		case !r.OK(n.Text):
			shown.Wrong(n, at, r.Allowed, r.Hint)
		case slices.Contains(out, n.Text):
			m.Add(n, at+" is there already", "leave it out")
		default:
			out = append(out, n.Text)
		}
	}
	return out
}

// TypeHint returns how to correct a value of another type than the one wanted.
func TypeHint(n *Node, want string) string {
	switch {
	case strings.HasPrefix(want, "text") && (n.Kind == Int || n.Kind == Float || n.Kind == Bool):
		return "put it in quotes"
	case n.Kind == Null:
		return "write a value, or leave the key out"
	case n.Kind == String && strings.Contains(want, "number"):
		return "write digits, without quotes and units"
	case strings.Contains(want, "list"):
		return "write [a, b], or one `- item` a line"
	case strings.Contains(want, "mapping"):
		return "write {key: value}, or one `key: value` a line"
	}
	return "write " + want
}

// Join returns the path of a key in the mapping at path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
