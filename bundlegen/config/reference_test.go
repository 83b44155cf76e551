package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// keys returns what the reader asks a pipeline.yml for, in its order: each key once, on
// all clouds together.
func keys(t *testing.T) []yamlread.Key {
	data, err := os.ReadFile("testdata/full.yml")
	require.NoError(t, err)
	var all []yamlread.Key
	at := map[string]int{}
	for _, cloud := range []string{"aws", "azure", "gcp"} {
		region := map[string]string{"aws": "eu-west-1", "azure": "westeurope", "gcp": "europe-west4"}[cloud]
		text := strings.ReplaceAll(string(data), "eu-west-1", region)
		text = strings.Replace(text, "compute:\n", "compute:\n  cloud: "+cloud+"\n", 1)
		o := yamlread.Read([]byte(text), "full.yml", "", "")
		o.Record(func(k yamlread.Key) {
			i, seen := at[k.Path]
			switch {
			case !seen:
				at[k.Path] = len(all)
				all = append(all, k)
			case k.Type == "":
			case all[i].Type == "":
				all[i] = k
			default:
				all[i] = union(all[i], k)
			}
		})
		_, err = readPipeline(o)
		require.NoError(t, err)
	}
	return all
}

// union is a key as two readings had it: what differs is of the cloud.
func union(a, b yamlread.Key) yamlread.Key {
	if a.Pattern != b.Pattern {
		a.Pattern = ""
	}
	if a.Type == yamlread.TypeMapping && b.Allowed != "" || a.Required != b.Required {
		b.Required = a.Required || b.Required
		return b
	}
	join := func(a, b string) string {
		if b == "" || slices.Contains(strings.Split(a, "; "), b) {
			return a
		}
		return a + "; " + b
	}
	a.Allowed = join(a.Allowed, b.Allowed)
	if a.Path != "compute.cloud" {
		a.Default = join(a.Default, b.Default)
	}
	return a
}

var below = regexp.MustCompile(`\Asites\[\]\.auth\.[a-z]+\.`)

// meanings are the keys with what each means.
func meanings(t *testing.T) map[string]string {
	data, err := os.ReadFile("testdata/keys.yml")
	require.NoError(t, err)
	var texts map[string]string
	require.NoError(t, yaml.Unmarshal(data, &texts))
	for _, c := range constants.Defaults() {
		texts["forecast."+c.Name] = fmt.Sprintf("In %s. The default: %s.", c.Unit, c.Source)
	}
	return texts
}

// meaning is what a key means.
func meaning(texts map[string]string, path string) string {
	if path == "sites[]" || path == "tiers[]" {
		return texts[strings.TrimSuffix(path, "[]")]
	}
	return texts[below.ReplaceAllString(path, "sites[].auth.*.")]
}

// Every key that is read has a type and a meaning, and every meaning is that of a key.
func TestEveryKeyIsDescribed(t *testing.T) {
	texts, used := meanings(t), map[string]bool{}
	for _, k := range keys(t) {
		assert.NotEmpty(t, k.Type, "%s is taken without Note", k.Path)
		assert.NotEmpty(t, meaning(texts, k.Path), "%s: say in testdata/keys.yml what it means", k.Path)
		used[below.ReplaceAllString(k.Path, "sites[].auth.*.")] = true
	}
	for path := range texts {
		assert.True(t, used[path], "%s of testdata/keys.yml is no key", path)
	}
}

// docs/pipeline.md and pipeline.schema.json are what the reader accepts.
func TestReference(t *testing.T) {
	for file, want := range map[string][]byte{
		"pipeline.schema.json":                     schema(t),
		filepath.Join("../../docs", "pipeline.md"): page(t),
	} {
		if *update {
			require.NoError(t, os.WriteFile(file, want, 0o644))
		}
		got, err := os.ReadFile(file)
		require.NoError(t, err, "go test ./bundlegen/config -update writes it")
		assert.Equal(t, string(want), string(got), "go test ./bundlegen/config -update writes %s anew", file)
	}
}

// page is the reference as a page: a table for each section.
func page(t *testing.T) []byte {
	var b bytes.Buffer
	b.WriteString("# pipeline.yml\n\n" +
		"Every key, as the program reads it. A key that is not listed is an error, with the nearest that is. `bundlegen init` writes a\n" +
		"commented file, and `bundlegen schema` prints a JSON schema for editors. Paths are relative to the file's folder; a duration\n" +
		"is whole numbers with units, such as 30s, 5m, 1h30m or 1d.\n" +
		"`go test ./bundlegen/config -update` makes this page from the reader and from `bundlegen/config/testdata/keys.yml`.\n")
	texts, section := meanings(t), "none yet"
	all := keys(t)
	first := map[string]int{} // where a key, or a mapping that it is in, is read first
	for i, k := range all {
		first[k.Path] = i
	}
	slices.SortStableFunc(all, func(a, b yamlread.Key) int {
		return cmp.Or(sectionOf(t, a.Path)-sectionOf(t, b.Path), slices.Compare(steps(first, a.Path), steps(first, b.Path)))
	})
	for _, k := range all {
		top, _, nested := strings.Cut(strings.ReplaceAll(k.Path, "[]", ""), ".")
		if !nested && (k.Type == yamlread.TypeMapping || k.Type == yamlread.TypeList) {
			if top != section {
				fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", top, meaning(texts, k.Path))
				section = top
			}
			continue
		}
		if section == "none yet" {
			b.WriteString("\n| key | value | default | meaning |\n|---|---|---|---|\n")
			section = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Path, cell(value(k)), cell(k.Default), cell(meaning(texts, k.Path)))
	}
	return b.Bytes()
}

// steps is where a key stands: where each mapping that it is in is read first, and it itself.
func steps(first map[string]int, path string) []int {
	var at []int
	for i := range path {
		if path[i] == '.' {
			at = append(at, first[path[:i]])
		}
	}
	return append(at, first[path])
}

var sections = []string{"sites", "sizing", "tiers", "extract", "compute", "targets", "monitoring", "prices", "forecast"}

// sectionOf is where a key stands on the page: 0 for those of the file itself.
func sectionOf(t *testing.T, path string) int {
	first, _, nested := strings.Cut(strings.ReplaceAll(path, "[]", ""), ".")
	i := slices.Index(sections, first)
	require.False(t, nested && i < 0, "a new section: %s", first)
	return i + 1
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// value is what may stand under a key, in words.
func value(k yamlread.Key) string {
	text := k.Allowed
	switch {
	case text == "" || k.Type == yamlread.TypeMapping && k.Words == nil:
		text = string(k.Type)
	case k.Type == yamlread.TypeTexts:
		text = fmt.Sprintf("list of at most %g: %s", k.Max, text)
	}
	if k.Required {
		text += "; required"
	}
	return text
}

// node is a part of a JSON schema.
type node struct {
	Schema      string           `json:"$schema,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Default     any              `json:"default,omitempty"`
	Type        any              `json:"type,omitempty"`
	Enum        []string         `json:"enum,omitempty"`
	Pattern     string           `json:"pattern,omitempty"`
	MinLength   int              `json:"minLength,omitempty"`
	Minimum     *float64         `json:"minimum,omitempty"`
	Maximum     *float64         `json:"maximum,omitempty"`
	MaxItems    int              `json:"maxItems,omitempty"`
	Items       *node            `json:"items,omitempty"`
	AnyOf       []*node          `json:"anyOf,omitempty"`
	Properties  map[string]*node `json:"properties,omitempty"`
	Additional  any              `json:"additionalProperties,omitempty"`
	Required    []string         `json:"required,omitempty"`
}

// schema is the reference as a JSON schema.
func schema(t *testing.T) []byte {
	texts := meanings(t)
	root := object("")
	root.Schema, root.Title = "https://json-schema.org/draft/2020-12/schema", "pipeline.yml"
	for _, k := range keys(t) {
		path := strings.ReplaceAll(k.Path, "[]", ".[]")
		parent := root
		steps := strings.Split(path, ".")
		for _, step := range steps[:len(steps)-1] {
			parent = parent.child(step)
		}
		parent.put(steps[len(steps)-1], schemaOf(t, k, meaning(texts, k.Path)), k.Required)
	}
	root.Required = append(root.Required, "sites")
	site := root.Properties["sites"].Items
	site.Required = append(site.Required, "url", "auth")
	site.Properties["auth"].Required = []string{"kind"}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(root))
	return b.Bytes()
}

// object is a mapping without keys; empty is as good as one.
func object(description string) *node {
	return &node{Description: description, Type: []string{"object", "null"}, Properties: map[string]*node{}, Additional: false}
}

// child is what stands under a step of a path.
func (n *node) child(step string) *node {
	switch step {
	case "[]":
		return n.Items
	case "NAME":
		return n.Additional.(*node)
	}
	c := n.Properties[step]
	if c.AnyOf != nil {
		return c.AnyOf[1]
	}
	return c
}

func (n *node) put(step string, c *node, required bool) {
	switch step {
	case "[]":
		n.Items = c
	case "NAME":
		n.Additional, n.Properties = c, nil
	default:
		n.Properties[step] = c
		if required {
			n.Required = append(n.Required, step)
		}
	}
}

func schemaOf(t *testing.T, k yamlread.Key, description string) *node {
	n := &node{Description: description}
	if k.Default != "" && !strings.Contains(k.Default, "; ") {
		n.Default = k.Default
	}
	if k.Pattern != "" {
		n.Pattern = "^(?:" + k.Pattern + ")$"
	}
	number := func(kind string) *node {
		n.Type, n.Minimum, n.Maximum = kind, &k.Min, &k.Max
		if k.Default != "" {
			f, err := strconv.ParseFloat(k.Default, 64)
			require.NoError(t, err)
			n.Default = f
		}
		return n
	}
	switch k.Type {
	case yamlread.TypeText:
		n.Type, n.Enum = "string", k.Words
	case yamlread.TypeDuration:
		n.Type, n.MinLength, n.Pattern = "string", 2, `^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$`
	case yamlread.TypeBool:
		n.Type, n.Default = "boolean", k.Default == "true"
	case yamlread.TypeInt:
		return number("integer")
	case yamlread.TypeNumber:
		return number("number")
	case yamlread.TypeTexts:
		n.Type, n.MaxItems, n.Items, n.Pattern = []string{"array", "null"}, int(k.Max), &node{Type: "string", Pattern: n.Pattern}, ""
	case yamlread.TypeList:
		n.Type = []string{"array", "null"}
	case yamlread.TypeMapping:
		if k.Words != nil {
			n.AnyOf = []*node{{Type: "string", Enum: k.Words}, object("")}
			return n
		}
		return object(description)
	}
	return n
}

// The schema takes every pipeline.yml of the examples and the template, and refuses what
// the reader refuses: a misspelt key, a wrong type, a value out of bounds.
func TestSchema(t *testing.T) {
	file, err := os.Open("pipeline.schema.json")
	require.NoError(t, err)
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("pipeline.schema.json", document))
	compiled, err := compiler.Compile("pipeline.schema.json")
	require.NoError(t, err)
	check := func(text []byte) error {
		var v any
		require.NoError(t, yaml.Unmarshal(text, &v))
		data, err := json.Marshal(v)
		require.NoError(t, err)
		v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
		require.NoError(t, err)
		return compiled.Validate(v)
	}
	good, err := filepath.Glob("../../examples/*/pipeline.yml")
	require.NoError(t, err)
	require.NotEmpty(t, good)
	for _, path := range append(good, "testdata/full.yml") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NoError(t, check(text), path)
	}
	assert.NoError(t, check(Template("https://pi.plant-a.example/piwebapi")))

	text, err := os.ReadFile("testdata/full.yml")
	require.NoError(t, err)
	for _, change := range [][2]string{
		{"catalog: main", "katalog: main"},
		{"catalog: main", ""},
		{"kind: basic", "kind: basics"},
		{"every: 5m", "every: 5"},
		{"every: 5m", "every: fast"},
		{"max_tags: 4000", "max_tags: many"},
		{"max_tags: 4000", "max_tags: 0"},
		{"cost_center: plants", "cost_center: [plants]"},
		{"name: plant-b", "name: 7plants"},
		{"points: {include", "points: {includes"},
		{"aws/jobs: 0.15", "aws/jobs: cheap"},
		{"host:", "hosts:"},
	} {
		broken := strings.Replace(string(text), change[0], change[1], 1)
		require.NotEqual(t, string(text), broken, change[0])
		assert.Error(t, check([]byte(broken)), "%s -> %s", change[0], change[1])
		_, err := read([]byte(broken), "full.yml")
		assert.Error(t, err, "%s -> %s", change[0], change[1])
	}
}
