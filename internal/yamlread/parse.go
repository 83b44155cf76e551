package yamlread

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Parse reads one YAML document into a tree with positions. It refuses what a
// careful reader must not guess at: text that is not UTF-8, a second document,
// duplicate keys, keys that are not plain text, tags, anchors that explode. An empty
// document is an error too, and hint what to do about it. The error is a *diag.List;
// file only names the source in it.
func Parse(data []byte, file, hint string) (*Node, error) {
	ps := &Problems{File: file}
	n := parse(data, ps, hint)
	return n, ps.Err()
}

// parse is Parse with the problems collected by the caller; the tree is nil when
// there is none worth looking at.
func parse(data []byte, ps *Problems, hint string) *Node {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !checkText(data, ps) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		ps.Add(nil, "the file is empty", hint)
		return nil
	case err != nil:
		addSyntax(ps, data, err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		ps.AddProblem(&Node{Line: secondDocument(data), Column: 1}, diag.Problem{Text: "a second document begins here",
			Allowed: "one document", Hint: "leave out the line ---, or make two files of it"})
		return nil
	case !errors.Is(err, io.EOF):
		addSyntax(ps, data, err)
		return nil
	}
	x := expansion{sizes: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	if x.size(&doc, 0); x.bad != nil {
		ps.addAt(x.bad.Line, x.bad.Column, x.why, "write the values out where they are used")
		return nil
	}
	c := converter{Problems: ps, seen: map[*yaml.Node]*Node{}}
	root := c.node(doc.Content[0], false)
	if root.Kind == Null {
		ps.Add(nil, "the file is empty", hint)
		return nil
	}
	return root
}

// checkText refuses what YAML's own reader would report without a position.
func checkText(data []byte, ps *Problems) bool {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			ps.addAt(line, column, fmt.Sprintf("byte 0x%02x is not UTF-8", data[i]), "save the file as UTF-8")
			return false
		case r == '\n':
			line, column = line+1, 0
		case r < ' ' && r != '\t' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfeff, r == 0xfffe, r == 0xffff:
			ps.addAt(line, column, fmt.Sprintf("control character U+%04X", r), "delete it, or write it as an escape in double quotes")
			return false
		}
		i, column = i+size, column+1
	}
	return true
}

// secondDocument returns the line of the marker that begins the second document.
func secondDocument(data []byte) int {
	content := false
	for i, line := range strings.Split(string(data), "\n") {
		marker := line == "---" || strings.HasPrefix(line, "--- ") || strings.TrimRight(line, "\r") == "---"
		if marker && content {
			return i + 1
		}
		text := strings.TrimSpace(line)
		content = content || marker || text != "" && text[0] != '#' && text[0] != '%'
	}
	return 1
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// addSyntax turns an error of the YAML parser into a problem with a position.
// Its own text is shown only where it cannot repeat the file's.
func addSyntax(ps *Problems, data []byte, err error) {
	lines := strings.Split(string(data), "\n")
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if name, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		name = strings.TrimSuffix(name, "' referenced")
		line, column := find(lines, "*"+name)
		ps.addAt(line, column, "an alias (*) of an anchor that is not in the file", "put text that begins with * in quotes")
		return
	}
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	// The parser counts the lines of this message from 0, those of others from 1.
	if strings.HasPrefix(text, "did not find expected") {
		line++
	}
	for line = min(line, len(lines)); line > 1 && strings.TrimSpace(lines[line-1]) == ""; {
		line--
	}
	at := lines[line-1]
	indent := at[:len(at)-len(strings.TrimLeft(at, " \t"))]
	if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
		ps.addAt(line, tab+1, "a tab where YAML wants spaces", "indent with spaces")
		return
	}
	if strings.HasPrefix(text, "did not find expected alphabetic or numeric character") {
		hint := "put text that begins with * or & in quotes"
		for _, l := range []int{line, line + 1} { // the parser's line may be that of what the value stands in
			if l <= len(lines) {
				if i := strings.IndexAny(lines[l-1], "*&"); i >= 0 {
					ps.addAt(l, utf8.RuneCountInString(lines[l-1][:i])+1, "not YAML: an alias (*) or an anchor (&) without a name", hint)
					return
				}
			}
		}
	}
	hint := "look at the indentation, the brackets and the quotes of this line and the one before"
	switch {
	case strings.HasPrefix(text, "mapping values"):
		hint = "put text that contains \": \" in quotes, and look at the indentation"
	case strings.HasPrefix(text, "found character that cannot start"):
		hint = "put text that begins with @, ` or % in quotes"
	case strings.HasPrefix(text, "could not find expected ':'"):
		hint = "write `key: value`, with a space after the colon"
	}
	ps.addAt(line, len(indent)+1, "not YAML: "+text, hint)
}

// find returns the place of the first s, 1:1 if there is none.
func find(lines []string, s string) (line, column int) {
	for i, l := range lines {
		if at := strings.Index(l, s); at >= 0 {
			return i + 1, utf8.RuneCountInString(l[:at]) + 1
		}
	}
	return 1, 1
}

// converter turns the decoder's tree into ours.
type converter struct {
	*Problems
	seen map[*yaml.Node]*Node // an aliased node is converted once, so aliases cost nothing
}

// node converts n. Below a hidden key no text of the file is shown.
func (c *converter) node(n *yaml.Node, hidden bool) *Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if out, ok := c.seen[n]; ok {
		return out
	}
	out := &Node{Line: n.Line, Column: n.Column, Text: n.Value, source: n}
	c.seen[n] = out
	out.Kind = c.kind(n)
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			out.Items = append(out.Items, c.node(item, hidden))
		}
	case yaml.MappingNode:
		c.entries(n, out, hidden)
	}
	return out
}

func (c *converter) kind(n *yaml.Node) Kind {
	switch strings.Replace(n.Tag, "tag:yaml.org,2002:", "!!", 1) {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int":
		return Int
	case "!!float":
		return Float
	case "!!str", "!!timestamp", "!!merge", "!":
		return String
	case "!!seq":
		return List
	case "!!map":
		return Map
	}
	c.addAt(n.Line, n.Column, "a tag (!) has no meaning here", "leave it out, or put text that begins with ! in quotes")
	switch n.Kind {
	case yaml.MappingNode:
		return Map
	case yaml.SequenceNode:
		return List
	}
	return String
}

// entries converts a mapping's own keys, then adds what merge keys bring: a
// key of the mapping itself wins, then that of the earlier merged mapping.
func (c *converter) entries(n *yaml.Node, out *Node, hidden bool) {
	index := make(map[string]int, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode || k.Tag == "!!null" {
			c.addAt(n.Content[i].Line, n.Content[i].Column, "a key that is not plain text", "put text that begins with {, [, * or & in quotes")
			continue
		}
		if k.Tag == "!!merge" {
			merged = append(merged, v)
			continue
		}
		if first, ok := index[k.Value]; ok {
			name := Quote(k.Value) + " is"
			if hidden || v.Tag == "!!null" {
				name = "a key is"
			}
			c.addAt(k.Line, k.Column, fmt.Sprintf("%s given twice: first on line %d", name, out.Entries[first].Line), "keep one of the two")
			continue
		}
		index[k.Value] = len(out.Entries)
		out.Entries = append(out.Entries, Entry{
			Key: k.Value, Line: k.Line, Column: k.Column,
			Value: c.node(v, hidden || sensitive(k.Value)),
		})
	}
	for _, v := range merged {
		c.merge(v, out, index, hidden)
	}
}

func (c *converter) merge(v *yaml.Node, out *Node, index map[string]int, hidden bool) {
	from := c.node(v, hidden)
	sources := []*Node{from}
	if from.Kind == List {
		sources = from.Items
	}
	for _, source := range sources {
		if source.Kind != Map {
			c.addAt(v.Line, v.Column, "<< takes a mapping, not "+source.Kind.String(), "write `<<: *name`, where &name stands at a mapping")
			return
		}
		for _, e := range source.Entries {
			if _, ok := index[e.Key]; !ok {
				index[e.Key] = len(out.Entries)
				out.Entries = append(out.Entries, e)
			}
		}
	}
}
