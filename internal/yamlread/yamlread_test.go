package yamlread_test

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/fixedseed"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// TestMain fixes the seed of the property tests, unless one is given.
func TestMain(m *testing.M) {
	fixedseed.Set()
	os.Exit(m.Run())
}

func TestPositions(t *testing.T) {
	root, err := yamlread.Parse([]byte("a: &a\n  x: [y, 5]\nb: *a\nc: {<<: *a, é: \"5\"}\n"), "x.yml", "")
	require.NoError(t, err)
	y := root.Get("a", "x").Items[0]
	require.Equal(t, []any{yamlread.String, 2, 7, "y"}, []any{y.Kind, y.Line, y.Column, y.Text})
	require.Same(t, root.Get("a"), root.Get("b"), "an alias is what it stands for")
	require.Same(t, y, root.Get("c", "x").Items[0], "so is what is merged")
	require.Nil(t, root.Get("a", "x", "z"))
	five := root.Get("c").Entry("é")
	require.Equal(t, []any{yamlread.String, 4, 13}, []any{five.Value.Kind, five.Line, five.Column})
}

// read reads a mapping with a key of each kind.
func read(in string) error {
	m := yamlread.Read([]byte(in), "x.yml", "a mapping", "write one")
	if m.Node == nil {
		return m.Err()
	}
	upper := yamlread.Pattern("[A-Z]+", "capital letters", "for instance A")
	m.Text("text", "", upper)
	m.Int("whole", 5, 1, 10)
	m.Number("number", 0.5, 0, 1)
	m.Bool("truth")
	m.Duration("wait", time.Minute, time.Second, time.Hour)
	m.OneOf("word", "", "red", "green")
	m.Texts("list", 2, upper)
	auth := m.Mapping("auth")
	password := auth.Mapping("password")
	password.Text("env", "", upper)
	password.Done()
	auth.Done()
	m.Done()
	return m.Err()
}

func TestMapping(t *testing.T) {
	require.NoError(t, read("text: A\nwhole: 1_0\nnumber: 1\ntruth: true\nwait: 1m30s\nword: red\nlist: [A, B]\nauth: {password: {env: "+
		"P}}\n"))
	for in, want := range map[string]string{
		"txt: A": "x.yml:1:1: unknown key \"txt\"; allowed: auth, list, number, text, truth, wait, whole, word\nhint: did you " +
			"mean \"text\"?",
		"text: 5":      "x.yml:1:7: text: 5; allowed: capital letters\nhint: put it in quotes",
		"text:":        "x.yml:1:6: text: nothing; allowed: capital letters\nhint: write a value, or leave the key out",
		"text: a":      "x.yml:1:7: text: \"a\"; allowed: capital letters\nhint: for instance A",
		"whole: '5'":   "x.yml:1:8: whole: \"5\"; allowed: a whole number from 1 to 10\nhint: leave the key out for the default, 5",
		"whole: 011":   "x.yml:1:8: whole: 011; allowed: a whole number from 1 to 10\nhint: leave the key out for the default, 5",
		"number: .inf": "x.yml:1:9: number: .inf; allowed: a number from 0 to 1\nhint: leave the key out for the default, 0.5",
		"truth: 1":     "x.yml:1:8: truth: 1; allowed: true, false\nhint: write true or false, without quotes",
		"wait: 5": "x.yml:1:7: wait: 5; allowed: a duration from 1s to 1h, such as 30s, 5m, 1h30m or 1d\nhint: write the unit " +
			"too: ms, s, m, h or d",
		"word: gren":        "x.yml:1:7: word: \"gren\"; allowed: red, green\nhint: did you mean green?",
		"list: A":           "x.yml:1:7: list: \"A\"; allowed: a list\nhint: write [a, b], or one `- item` a line",
		"list: [A, {b: c}]": "x.yml:1:11: list[1]: a mapping; allowed: capital letters\nhint: write text",
		"list: [A, A]":      "x.yml:1:11: list[1] is there already\nhint: leave it out",
		"list: [A, B, C]":   "x.yml:1:14: list has 3 items; allowed: at most 2\nhint: leave some out",
		"auth: [a]":         "x.yml:1:7: auth: a list; allowed: a mapping\nhint: write {key: value}, or one `key: value` a line",
		"- a":               "x.yml:1:1: the file is a list; allowed: a mapping\nhint: write one",
		"":                  "x.yml:1:1: the file is empty\nhint: write one",
		"text: 1\ntruth: 2": "x.yml:1:7: text: 1; allowed: capital letters\nhint: put it in quotes\nx.yml:2:8: truth: 2; allowed: true, " +
			"false\nhint: write true or false, without quotes",
	} {
		require.EqualError(t, read(in), want, in)
	}
}

// TestSecretsAreHidden: what is wrong below a key that may hold a secret is said
// without it.
func TestSecretsAreHidden(t *testing.T) {
	for _, in := range []string{
		"auth: hunter2", "auth: {hunter2: 1}", "auth: {password: hunter2}", "auth: {password: {env: hunter2}}",
		"auth: {password: {env: [hunter2]}}",
		"auth: {password: {hunter2: 1, hunter2: 2}}", "auth: {password: *hunter2 }",
	} {
		err := read(in)
		require.Error(t, err, in)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestDecode(t *testing.T) {
	type file struct {
		Jobs map[string]struct {
			Tasks   []struct{ Key string }
			Retries *int
			Queue   bool
		}
	}
	var got file
	root, err := yamlread.Parse([]byte("other: 1\njobs:\n  a: {tasks: [{key: k}], retries: 3}\n"), "x.yml", "")
	require.NoError(t, err)
	require.NoError(t, root.Decode("x.yml", &got))
	require.Equal(t, "k", got.Jobs["a"].Tasks[0].Key)
	require.Equal(t, 3, *got.Jobs["a"].Retries)

	root, err = yamlread.Parse([]byte("jobs:\n  a: {tasks: {}, retries: hunter2}\n  b: []\n  c:\n    queue: 5\n"), "x.yml", "")
	require.NoError(t, err)
	require.EqualError(t, root.Decode("x.yml", &file{}), `x.yml:2: a value of another type than its key has; allowed: a list
x.yml:2: a value of another type than its key has; allowed: a whole number
x.yml:3: a value of another type than its key has; allowed: a mapping
x.yml:5: a value of another type than its key has; allowed: true or false`)
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

// TestParseReadsWhatIsWritten: what the encoder writes, Parse reads.
func TestParseReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"value": tree(3).Draw(t, "tree")}
		data, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		root, err := yamlread.Parse(data, "x.yml", "")
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if got := plain(root); !reflect.DeepEqual(normal(want), normal(got)) {
			t.Fatalf("wrote %#v\nread %#v\n%s", want, got, data)
		}
	})
}

// plain returns a tree as maps, slices and scalars.
func plain(n *yamlread.Node) any {
	switch n.Kind {
	case yamlread.Null:
		return nil
	case yamlread.Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key] = plain(e.Value)
		}
		return out
	case yamlread.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = plain(item)
		}
		return out
	}
	if b, ok := n.Bool(); ok {
		return b
	}
	if i, ok := n.Int(); ok {
		return i
	}
	if f, ok := n.Float(); ok {
		return f
	}
	return n.Text
}

// normal writes numbers in one form: whole floats are written as integers.
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
