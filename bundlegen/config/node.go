package config

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

// String gives the kind in the words of an error message.
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

// Node is a value of a YAML file and where it stands. Aliases and merge keys
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
		e := n.entry(key)
		if e == nil {
			return nil
		}
		n = e.Value
	}
	return n
}

func (n *Node) entry(key string) *Entry {
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

// show gives the node as an error shows it.
func (n *Node) show() string {
	switch n.Kind {
	case String:
		return quote(n.Text)
	case Bool, Int, Float:
		return n.Text
	}
	return n.Kind.String()
}
