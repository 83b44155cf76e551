package simulator

import "strings"

// selection is what selectedFields asks for, as a tree: "Items.WebId;Links".
// nil selects all. Names are compared without regard to case.
type selection struct{ fields []selected }

type selected struct {
	name  string
	below *selection
}

func parseSelection(text string) *selection {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	root := &selection{}
	for path := range strings.SplitSeq(text, ";") {
		root.add(strings.TrimSpace(path))
	}
	return root
}

func (s *selection) add(path string) {
	name, rest, deeper := strings.Cut(path, ".")
	for i := range s.fields {
		f := &s.fields[i]
		switch {
		case !strings.EqualFold(f.name, name):
		case f.below == nil: // selected as a whole already
			return
		case !deeper:
			f.below = nil
			return
		default:
			f.below.add(rest)
			return
		}
	}
	f := selected{name: name}
	if deeper {
		f.below = &selection{}
		f.below.add(rest)
	}
	s.fields = append(s.fields, f)
}

// in returns what is selected below a field, and whether the field is selected.
func (s *selection) in(name string) (*selection, bool) {
	if s == nil {
		return nil, true
	}
	for i := range s.fields {
		if strings.EqualFold(s.fields[i].name, name) {
			return s.fields[i].below, true
		}
	}
	return nil, false
}

// object writes one JSON object with the selected fields only. Keys are known at
// compile time, in the server's spelling.
type object struct {
	b     *body
	sel   *selection
	comma bool
}

// object begins an object.
func (b *body) object(sel *selection) object {
	b.buf = append(b.buf, '{')
	return object{b: b, sel: sel}
}

// key writes a key when the field is selected; its value is to follow.
func (o *object) key(name string) (*selection, bool) {
	sel, ok := o.sel.in(name)
	if !ok {
		return nil, false
	}
	if o.comma {
		o.b.buf = append(o.b.buf, ',')
	}
	o.comma = true
	o.b.buf = append(o.b.buf, '"')
	o.b.buf = append(o.b.buf, name...)
	o.b.buf = append(o.b.buf, '"', ':')
	return sel, true
}

func (o *object) str(name, value string) {
	if _, ok := o.key(name); ok {
		o.b.buf = appendJSONString(o.b.buf, value)
	}
}

// raw writes a value that is JSON already.
func (o *object) raw(name, json string) {
	if _, ok := o.key(name); ok {
		o.b.buf = append(o.b.buf, json...)
	}
}

func (o *object) boolean(name string, value bool) {
	if value {
		o.raw(name, "true")
	} else {
		o.raw(name, "false")
	}
}

// links writes the field Links; pairs are keys and URLs.
func (o *object) links(pairs ...string) {
	sel, ok := o.key("Links")
	if !ok {
		return
	}
	l := o.b.object(sel)
	for i := 0; i+1 < len(pairs); i += 2 {
		l.str(pairs[i], pairs[i+1])
	}
	l.end()
}

func (o *object) end() { o.b.buf = append(o.b.buf, '}') }

// list writes a field with n objects, spilling the body between them.
func (o *object) list(name string, n int, item func(i int, sel *selection)) {
	sel, ok := o.key(name)
	if !ok {
		return
	}
	o.b.buf = append(o.b.buf, '[')
	for i := range n {
		if i > 0 {
			o.b.buf = append(o.b.buf, ',')
		}
		item(i, sel)
		if !o.b.spill() {
			return
		}
	}
	o.b.buf = append(o.b.buf, ']')
}
