package diag_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/diag"
)

var tier = diag.Problem{File: "pipeline.yml", Line: 3, Column: 7, Value: "often", Text: `every: "often"`, Allowed: "a duration",
	Hint: "write 5m"}

func TestText(t *testing.T) {
	for want, err := range map[string]error{
		"pipeline.yml:3:7: every: \"often\"; allowed: a duration\nhint: write 5m": tier,
		"rows.csv:9: too long":          diag.Problem{File: "rows.csv", Line: 9, Text: "too long"},
		"plan.json: not JSON":           diag.Problem{File: "plan.json", Text: "not JSON"},
		"no tags\nhint: discover":       diag.WithHint(errors.New("no tags"), "%s", "discover"),
		"x; allowed: y (and in line 4)": diag.Problem{Text: "x", Allowed: "y", Also: "and in line 4"},
		"a\nhint: b\nand 11 more":       &diag.List{Problems: []diag.Problem{{Text: "a", Hint: "b"}}, More: 11},
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\nand 5 more": &diag.List{Problems: []diag.Problem{{Text: "1"}, {Text: "2"}, {Text: "3"}, {Text: "4"},
			{Text: "5"}, {Text: "6"}, {Text: "7"}, {Text: "8"}, {Text: "9"}, {Text: "10"}, {Text: "11"}, {Text: "12"}}, More: 3},
	} {
		require.EqualError(t, err, want)
	}
	require.NoError(t, diag.WithHint(nil, "do nothing"))
}

// ownHint is an error of another package with a hint of its own.
type ownHint struct{ cause error }

func (e ownHint) Error() string { return diag.Hinted("login: "+e.cause.Error(), e.Hint()) }
func (e ownHint) Hint() string  { return "ask the administrator" }
func (e ownHint) Unwrap() error { return e.cause }

func TestProblems(t *testing.T) {
	hinted := diag.WithHint(fs.ErrNotExist, "create it")
	list := &diag.List{Problems: []diag.Problem{tier, {Text: "b"}}}
	with := func(p diag.Problem, text, hint string) diag.Problem {
		p.Text, p.Hint = text, hint
		return p
	}
	for name, c := range map[string]struct {
		err  error
		want []diag.Problem
	}{
		"nothing":        {nil, nil},
		"a text":         {errors.New("a"), []diag.Problem{{Text: "a"}}},
		"a wrapped text": {fmt.Errorf("x: %w", fs.ErrNotExist), []diag.Problem{{Text: "x: file does not exist"}}},
		"a problem":      {tier, []diag.Problem{tier}},
		"a hint":         {hinted, []diag.Problem{{Text: "file does not exist", Hint: "create it"}}},
		"wrapped": {fmt.Errorf("x: %w; nothing was written", hinted),
			[]diag.Problem{{Text: "x: file does not exist; nothing was written", Hint: "create it"}}},
		"a wrapped problem": {fmt.Errorf("x: %w", tier), []diag.Problem{with(tier, `x: every: "often"`, "write 5m")}},
		"two hints": {diag.WithHint(fmt.Errorf("x: %w", hinted), "or not"),
			[]diag.Problem{{Text: "x: file does not exist", Hint: "create it\nor not"}}},
		"a list":    {diag.WithHint(list, "do all"), []diag.Problem{tier, {Text: "b", Hint: "do all"}}},
		"joined":    {errors.Join(hinted, tier), []diag.Problem{{Text: "file does not exist", Hint: "create it"}, tier}},
		"a heading": {fmt.Errorf("two faults:\n%w", errors.Join(tier, tier)), []diag.Problem{tier, tier}},
		"two causes": {fmt.Errorf("%w: %w", errors.ErrUnsupported, hinted),
			[]diag.Problem{{Text: "unsupported operation: file does not exist", Hint: "create it"}}},
		"two texts": {fmt.Errorf("%w: %w", errors.ErrUnsupported, fs.ErrClosed),
			[]diag.Problem{{Text: "unsupported operation: file already closed"}}},
		"a hint of its own": {ownHint{errors.New("locked")}, []diag.Problem{{Text: "login: locked", Hint: "ask the administrator"}}},
		"a cause's hint": {ownHint{hinted}, []diag.Problem{{Text: "login: file does not exist",
			Hint: "create it\nask the administrator"}}},
	} {
		require.Equal(t, c.want, diag.Problems(c.err), name)
	}
	require.Equal(t, diag.Problem{Text: "b"}, list.Problems[1], "the list itself is as it was")
	require.Equal(t, "create it\nwrite 5m", diag.Hint(errors.Join(hinted, tier)))
	require.Empty(t, diag.Hint(fs.ErrNotExist))
	require.ErrorIs(t, fmt.Errorf("x: %w", hinted), fs.ErrNotExist)
}

func TestJSON(t *testing.T) {
	got, err := json.Marshal(tier)
	require.NoError(t, err)
	require.JSONEq(
		t,
		`{"file":"pipeline.yml","line":3,"column":7,"value":"often","text":"every: \"often\"","allowed":"a duration","hint":"write 5m"}`,
		string(got),
	)
}
