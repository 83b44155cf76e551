package config

import (
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/duration"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Settings returns what a pipeline says, by the keys of pipeline.yml
// (extract.backfill, tiers[standard].every), with defaults and as texts. What is
// not set is not there, and neither is what changes no bundle: prices, and where
// files are on this machine. Of secrets it has the names, as pipeline.yml does.
func (p *Pipeline) Settings() map[string]string {
	out := settings{}
	out.object("", reflect.ValueOf(*p))
	return out
}

// settings are values by their keys. A field's key is its name in snake case,
// unless a tag key says another: - for none; ",base" keeps a path's last part.
type settings map[string]string

func (s settings) object(path string, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("key"), ",")
		if !f.IsExported() || key == "-" {
			continue
		}
		if key == "" {
			key = snake(f.Name)
		}
		if path != "" {
			key = path + "." + key
		}
		s.value(key, option, v.Field(i))
	}
}

func (s settings) value(key, option string, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		if option != "unset" || v.Int() != 0 {
			s[key] = duration.Format(time.Duration(v.Int()))
		}
		return
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			s.value(key, "", v.Elem())
		}
		return
	case v.Type() == reflect.TypeFor[manifest.Points]():
		s.points(key, v.Interface().(manifest.Points))
		return
	case v.Kind() == reflect.Struct:
		s.object(key, v)
		return
	case v.Kind() == reflect.Map:
		for _, k := range v.MapKeys() {
			s.value(key+"."+k.String(), option, v.MapIndex(k))
		}
		return
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			s.object(key+"["+v.Index(i).Field(0).String()+"]", v.Index(i)) // named by the first field
		}
		return
	}
	if text := scalar(option, v); text != "" {
		s[key] = text
	}
}

// points are a word, or a mapping.
func (s settings) points(key string, p manifest.Points) {
	if p.Kind != "" && p.Kind != manifest.PointsFiltered {
		s[key] = p.Kind
	}
	for name, list := range map[string][]string{"include": p.Include, "exclude": p.Exclude, "point_source": p.PointSource} {
		if len(list) > 0 {
			s[key+"."+name] = strings.Join(list, ", ")
		}
	}
}

// scalar returns the text of a single value, or of a list of texts; "" = not set.
func scalar(option string, v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if option == "base" && v.String() != "" {
			return filepath.Base(v.String())
		}
		return v.String()
	case reflect.Bool:
		if v.Bool() {
			return "true"
		}
		return ""
	case reflect.Int:
		if option == "unset" && v.Int() == 0 {
			return ""
		}
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.Slice:
		var all []string
		for i := range v.Len() {
			all = append(all, scalar("", v.Index(i)))
		}
		return strings.Join(all, ", ")
	}
	panic("config: no text of a " + v.Kind().String()) // a new kind of field: the test has it
}

var words = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

// snake writes a field's name as pipeline.yml writes keys: NodeType is node_type.
func snake(name string) string {
	return strings.ToLower(words.ReplaceAllString(name, "${1}${3}_${2}${4}"))
}
