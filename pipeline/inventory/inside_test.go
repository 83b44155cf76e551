package inventory

import (
	"encoding/csv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/diag"
)

func TestNamesThatDifferInCaseFoldAlike(t *testing.T) {
	for r := rune(0x21); r < unicode.MaxRune; r++ {
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			if Fold("tag "+string(r)) != Fold("TAG "+string(o)) {
				t.Fatalf("%q and %q", r, o)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		require.Equal(t, "before"+Fold(s), string(appendFold([]byte("before"), s)))
		other := rapid.OneOf(rapid.Just(s), rapid.StringMatching(`[kKſsSßẞİıiIσςΣ\x{212a}]{1,2}`)).Draw(t, "other")
		for _, a := range []string{s, strings.ToUpper(s), rapid.StringMatching(`[kKſsSßẞİıiIσςΣ\x{212a}]{1,2}`).Draw(t, "a")} {
			require.Equal(t, strings.EqualFold(a, other), Fold(a) == Fold(other), "%q and %q", a, other)
		}
	})
}

// FuzzSplit compares the scanner with encoding/csv, line by line.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"", "a", "a,b", `"a,b",c`, `"a ""b"" c"`, `"a`, `a"b`, `"a"b`, `"",""`, `,`, ` "a"`, "é°\u0080", `""""`, "a\x00", "\"\u0085\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") || line == "" || !utf8.ValidString(line) {
			return // never gets here: lines end at a line break, and UTF-8 is checked before
		}
		for _, separator := range separators {
			splitAlike(t, line, separator)
		}
	})
}

func splitAlike(t *testing.T, line string, separator rune) {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = separator
	want, err := r.Read()
	got := fields{separator: byte(separator)}
	bad := got.split(line)
	switch {
	case err != nil:
		require.NotNil(t, bad, "encoding/csv: %v", err)
	case bad != nil:
		// Only control characters are refused that encoding/csv takes.
		c := []rune(line[bad.at:])[0]
		require.True(t, unicode.IsControl(c), "%+v", bad)
	default:
		require.Equal(t, want, got.values)
		for _, v := range got.values {
			require.NotContains(t, strings.Map(control, v), "\x00")
		}
		require.Len(t, got.starts, len(want))
	}
}

func control(r rune) rune {
	if unicode.IsControl(r) {
		return 0
	}
	return r
}

// FuzzParse: whatever the bytes, there are tags that write and read alike, or
// an error that tells where.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"tag\nA\n", "\ufefftag,site\r\n\"A,\"\"\",s\r\n", "tag,events_per_hour\nA,1e3\n", "tag\n\"A\nB\"\n", "tag\nA\na\n", "\xff\xfe"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := Parse(text, "f", Options{})
		if err != nil {
			e, ok := err.(*diag.List)
			require.True(t, ok)
			require.NotEmpty(t, e.Problems)
			require.Contains(t, err.Error(), "hint: ")
			return
		}
		out := Header + "\n"
		for i := range tags {
			require.NoError(t, Check(&tags[i]))
			out += string(AppendRow(nil, &tags[i]))
		}
		again, err := Parse(out, "f", Options{})
		require.NoError(t, err)
		require.Equal(t, tags, again)
	})
}
