package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// DecodeStrict reads one YAML document into out, a pointer to a struct, map or
// slice, as Parse reads it. Struct fields are named by their yaml tag
// (`yaml:"name"`, options other than inline are of no account), else by their
// name in lower case; `yaml:"-"` is passed over. A key that no field has is an
// error, and so is a value of another type: 5 is no text, "5" is no number.
// A missing key, or one without a value, leaves a struct, map, slice or pointer
// as it is; a scalar must have a value. Fields of type any take whatever stands
// there (map[string]any, []any, string, bool, int64, float64 or nil), those of
// type *Node the tree, and time.Duration a text such as 1h30m.
// The error is a Problems that names file, line and column.
func DecodeStrict(data []byte, file string, out any) error {
	return decode(data, file, out, false)
}

// DecodeKnown is DecodeStrict for a reader that needs a part of a file: keys
// that no field has are passed over.
func DecodeKnown(data []byte, file string, out any) error {
	return decode(data, file, out, true)
}

func decode(data []byte, file string, out any, loose bool) error {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("%T is not a pointer to decode into", out)
	}
	ps := &problems{file: file}
	d := decoder{problems: ps, loose: loose}
	if root := parse(data, ps); root != nil && len(ps.list) == 0 {
		d.value(root, v.Elem(), "", false)
	}
	return ps.err()
}

// decoder writes a tree into Go values.
type decoder struct {
	*problems
	loose bool
}

var (
	nodeType     = reflect.TypeFor[*Node]()
	durationType = reflect.TypeFor[time.Duration]()
)

func (d *decoder) value(n *Node, v reflect.Value, path string, hidden bool) {
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if v.Type() == durationType {
		d.duration(n, v, path, hidden)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n.Kind == Null {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path, hidden)
	case reflect.Interface:
		if x := plain(n); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case reflect.Struct:
		if d.is(n, Map, path, hidden) {
			d.fields(n, v, path, hidden)
		}
	case reflect.Map:
		if d.is(n, Map, path, hidden) {
			d.mapping(n, v, path, hidden)
		}
	case reflect.Slice:
		if d.is(n, List, path, hidden) {
			out := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
			for i, item := range n.Items {
				d.value(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i), hidden)
			}
			v.Set(out)
		}
	default:
		if err := setScalar(n, v); err != "" {
			d.wrong(n, path, err, hidden)
		}
	}
}

// is tells whether n has the kind that its place wants; nothing at all is no
// error and leaves the place as it is.
func (d *decoder) is(n *Node, want Kind, path string, hidden bool) bool {
	if n.Kind != want && n.Kind != Null {
		d.wrong(n, path, want.String(), hidden)
	}
	return n.Kind == want
}

func (d *decoder) wrong(n *Node, path, want string, hidden bool) {
	value := n.show()
	if hidden {
		value = n.Kind.String()
	}
	if path == "" {
		path = "the file"
	}
	d.note(n, diag.Problem{Text: path + ": " + value, Allowed: want, Hint: typeHint(n, want)})
}

// typeHint says how a value of the wrong type is put right.
func typeHint(n *Node, want string) string {
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

func (d *decoder) duration(n *Node, v reflect.Value, path string, hidden bool) {
	if n.Kind == String {
		if t, ok := parseDuration(n.Text); ok {
			v.SetInt(int64(t))
			return
		}
	}
	d.wrong(n, path, "a duration such as 30s, 5m, 1h or 1d", hidden)
}

func (d *decoder) mapping(n *Node, v reflect.Value, path string, hidden bool) {
	if v.Type().Key().Kind() != reflect.String {
		d.add(n, path+": only keys of text are decoded", "this is a fault of the program")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Entries))
	for _, e := range n.Entries {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, x, join(path, e.Key), hidden || sensitive(e.Key))
		out.SetMapIndex(reflect.ValueOf(e.Key).Convert(v.Type().Key()), x)
	}
	v.Set(out)
}

func (d *decoder) fields(n *Node, v reflect.Value, path string, hidden bool) {
	index := map[string]reflect.Value{}
	fieldsOf(v, index)
	for _, e := range n.Entries {
		f, ok := index[e.Key]
		if ok {
			d.value(e.Value, f, join(path, e.Key), hidden || sensitive(e.Key))
		} else if !d.loose {
			known := make([]string, 0, len(index))
			for k := range index {
				known = append(known, k)
			}
			d.unknownKey(e, path, known, hidden)
		}
	}
}

// fieldsOf lists the settable fields of a struct by their name in YAML.
func fieldsOf(v reflect.Value, index map[string]reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Type.Kind() == reflect.Struct && strings.Contains(options, "inline"):
			fieldsOf(v.Field(i), index)
		case name == "":
			index[strings.ToLower(f.Name)] = v.Field(i)
		default:
			index[name] = v.Field(i)
		}
	}
}

// setScalar sets v from n; else it tells what is allowed there.
func setScalar(n *Node, v reflect.Value) (allowed string) {
	switch {
	case v.Kind() == reflect.String:
		if n.Kind != String {
			return "text"
		}
		v.SetString(n.Text)
	case v.Kind() == reflect.Bool:
		b, ok := n.bool()
		if !ok {
			return "true or false"
		}
		v.SetBool(b)
	case v.CanInt():
		i, ok := n.int()
		if !ok || v.OverflowInt(i) {
			return "a whole number"
		}
		v.SetInt(i)
	case v.CanUint():
		i, ok := n.int()
		if !ok || i < 0 || v.OverflowUint(uint64(i)) {
			return "a whole number that is not negative"
		}
		v.SetUint(uint64(i))
	case v.CanFloat():
		f, ok := n.float()
		if !ok {
			return "a number"
		}
		v.SetFloat(f)
	default:
		return "nothing (a " + v.Type().String() + " cannot be read)"
	}
	return ""
}

func (n *Node) bool() (value, ok bool) {
	if n.Kind != Bool {
		return false, false
	}
	return strings.EqualFold(n.Text, "true"), true
}

// int reads a decimal number. Octal and the like, and leading zeros, which YAML
// 1.1 and 1.2 read differently, are refused.
func (n *Node) int() (int64, bool) {
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

// float reads a finite number.
func (n *Node) float() (float64, bool) {
	if i, ok := n.int(); ok {
		return float64(i), true
	}
	if n.Kind != Float {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(n.Text, "_", ""), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// plain gives a tree as maps, slices and scalars.
func plain(n *Node) any {
	switch n.Kind {
	case Null:
		return nil
	case Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key] = plain(e.Value)
		}
		return out
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = plain(item)
		}
		return out
	case Bool:
		b, _ := n.bool()
		return b
	case Int:
		if i, ok := n.int(); ok {
			return i
		}
	case Float:
		if f, ok := n.float(); ok {
			return f
		}
	}
	return n.Text
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
