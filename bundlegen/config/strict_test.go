package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/diag"
)

type part struct {
	Key     string         `yaml:"key"`
	Count   *int           `yaml:"count,omitempty"`
	Share   float64        `yaml:"share"`
	On      bool           `yaml:"on"`
	Wait    time.Duration  `yaml:"wait"`
	Small   uint8          `yaml:"small"`
	Rest    any            `yaml:"rest"`
	Tree    *Node          `yaml:"tree"`
	Names   []string       `yaml:"names"`
	Params  map[string]int `yaml:"params"`
	Plain   string
	Left    string `yaml:"-"`
	Common  `yaml:",inline"`
	private string //lint:ignore U1000 stands for fields that YAML never reaches
}

type Common struct {
	Title string `yaml:"title"`
}

func TestDecodeStrict(t *testing.T) {
	var got struct {
		Parts []part          `yaml:"parts"`
		ByKey map[string]part `yaml:"by_key"`
	}
	require.NoError(t, DecodeStrict([]byte(`
parts:
  - {key: a, count: 5, share: 1, on: true, wait: 1m30s, small: 255, rest: {x: [1, 1.5, b, true, ~]}, names: [n], params: {p: -1}, plain: p, title: t}
  - tree: {x: [y]}
    count:
by_key:
  b: {key: "5"}
  c:
`), "x.yml", &got))
	five := 5
	require.Equal(t, part{
		Key: "a", Count: &five, Share: 1, On: true, Wait: 90 * time.Second, Small: 255,
		Rest:  map[string]any{"x": []any{int64(1), 1.5, "b", true, nil}},
		Names: []string{"n"}, Params: map[string]int{"p": -1}, Plain: "p", Common: Common{"t"},
	}, got.Parts[0])
	require.Nil(t, got.Parts[1].Count)
	y := got.Parts[1].Tree.Get("x").Items[0]
	require.Equal(t, Node{Kind: String, Line: 4, Column: 16, Text: "y"}, *y)
	require.Nil(t, got.Parts[1].Tree.Get("x", "y", "z"))
	require.Equal(t, map[string]part{"b": {Key: "5"}, "c": {}}, got.ByKey)
}

func TestDecodeStrictErrors(t *testing.T) {
	for in, want := range map[string]string{
		"kye: a":                    "x.yml:1:1: unknown key \"kye\"; allowed: count, key, names, on, params, plain, rest, share, small, title, tree, wait\nhint: did you mean \"key\"?",
		"key: 5":                    "x.yml:1:6: key: 5; allowed: text\nhint: put it in quotes",
		"key:":                      "x.yml:1:5: key: nothing; allowed: text\nhint: write a value, or leave the key out",
		"count: '5'":                "x.yml:1:8: count: \"5\"; allowed: a whole number\nhint: write digits, without quotes and units",
		"small: 256":                "x.yml:1:8: small: 256; allowed: a whole number that is not negative\nhint: write a whole number that is not negative",
		"small: -1":                 "x.yml:1:8: small: -1; allowed: a whole number that is not negative\nhint: write a whole number that is not negative",
		"on: 1":                     "x.yml:1:5: on: 1; allowed: true or false\nhint: write true or false",
		"share: .inf":               "x.yml:1:8: share: .inf; allowed: a number\nhint: write a number",
		"wait: 5":                   "x.yml:1:7: wait: 5; allowed: a duration such as 30s, 5m, 1h or 1d\nhint: write a duration such as 30s, 5m, 1h or 1d",
		"names: a":                  "x.yml:1:8: names: \"a\"; allowed: a list\nhint: write [a, b], or one `- item` a line",
		"names: [a, {b: c}]":        "x.yml:1:12: names[1]: a mapping; allowed: text\nhint: write text",
		"params: [a]":               "x.yml:1:9: params: a list; allowed: a mapping\nhint: write {key: value}, or one `key: value` a line",
		"params: {a: b}":            "x.yml:1:13: params.a: \"b\"; allowed: a whole number\nhint: write digits, without quotes and units",
		"- a":                       "x.yml:1:1: the file: a list; allowed: a mapping\nhint: write {key: value}, or one `key: value` a line",
		"":                          "x.yml:1:1: the file is empty\nhint: " + emptyHint,
		"key: a\non: 2\nshare: x\n": "x.yml:2:5: on: 2; allowed: true or false\nhint: write true or false\nx.yml:3:8: share: \"x\"; allowed: a number\nhint: write digits, without quotes and units",
	} {
		var out part
		require.EqualError(t, DecodeStrict([]byte(in), "x.yml", &out), want, in)
	}
	var out part
	require.NoError(t, DecodeKnown([]byte("other: 1\nkey: a"), "x.yml", &out))
	require.Equal(t, "a", out.Key)
	require.Error(t, DecodeKnown([]byte("key: 1"), "x.yml", &out))
	require.EqualError(t, DecodeStrict([]byte("a: 1"), "x.yml", out), "config.part is not a pointer to decode into")
}

// tree draws a value that YAML can hold. Line breaks are left out: the encoder
// writes a text that begins with one so that no reader gets it back. So is <,
// since it writes the key << without quotes.
func tree(depth int) *rapid.Generator[any] {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab0:-# {}[]'\"\\&*!|>%@`,?\té😀~=.")), 0, 8, -1)
	scalars := []*rapid.Generator[any]{
		text.AsAny(), rapid.Bool().AsAny(), rapid.Just(any(nil)),
		rapid.Int64().AsAny(),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(f float64) any { return f + 0.5/1024 }),
	}
	if depth > 0 {
		scalars = append(scalars, rapid.SliceOfN(tree(depth-1), 0, 4).AsAny(), rapid.MapOfN(text, tree(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(scalars...)
}

// TestDecodeReadsWhatIsWritten: what the encoder writes, the decoder reads.
func TestDecodeReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"value": tree(3).Draw(t, "tree")}
		data, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := DecodeStrict(data, "x.yml", &got); err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if !reflect.DeepEqual(normal(want), normal(got)) {
			t.Fatalf("wrote %#v\nread %#v\n%s", want, got, data)
		}
	})
}

// normal gives numbers one form: whole floats are written as integers.
func normal(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = normal(x[k])
		}
	case []any:
		for i := range x {
			x[i] = normal(x[i])
		}
	case float64:
		return fmt.Sprint(x)
	case int64:
		return fmt.Sprint(float64(x))
	}
	return v
}

// FuzzLoad: whatever the bytes, an answer comes, and every problem has a place
// in the file and a hint.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		shortest, string(Template("https://pi.example")), "a: &a [*a]", "<<: {<<: {a: 1}}", "{", "\t", "? - : ", "a: !!int x", "a: |\n  x\n y",
		"- - - -", "a: *b", "%YAML 9.9\n---\n", "a: \"\\xff\"", "sites: [{auth: {password: &x {env: *x}}}]", "\ufeff", "---\n---\n", "!!map {}", "version: !!float 1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := read(data, "p.yml")
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if err == nil {
			return
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, problem := range err.(*diag.List).Problems {
			if problem.Line < 1 || problem.Line > lines+1 || problem.Column < 1 || problem.Hint == "" || strings.ContainsAny(problem.Text, "\n\r") {
				t.Fatalf("%+v", problem)
			}
		}
	})
}
