package inventory

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns a form of a name that is the same for names that PI holds to be
// one: those that strings.EqualFold takes for equal, and no others. Upper or
// lower case alone is not such a form, since some characters have several.
func Fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return strings.Map(least, name)
		}
	}
	return strings.ToUpper(name) // which in ASCII are the lesser characters
}

// appendFold appends Fold of a name to dst.
func appendFold(dst []byte, name string) []byte {
	start := len(dst)
	for i := range len(name) {
		c := name[i]
		if c >= utf8.RuneSelf {
			return append(dst[:start], Fold(name)...)
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// least returns the smallest of the characters that differ only in case, which
// for some characters beyond ASCII is an ASCII letter.
func least(r rune) rune {
	smallest := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		smallest = min(smallest, o)
	}
	return smallest
}

// Filter is a list of name filters as PI has them: * stands for any text, also
// none, ? for one character, and case does not count.
type Filter []string

// NewFilter makes a Filter of the patterns that people write.
func NewFilter(patterns []string) Filter {
	f := make(Filter, len(patterns))
	for i, p := range patterns {
		f[i] = Fold(p)
	}
	return f
}

// Matches reports whether a pattern matches a name as a whole.
func (f Filter) Matches(name string) bool { return f.First(name) >= 0 }

// First returns which pattern is the first that matches a name; -1 means none.
func (f Filter) First(name string) int {
	if len(f) == 0 {
		return -1
	}
	name = Fold(name)
	return slices.IndexFunc(f, func(pattern string) bool { return Wildcard(pattern, name) })
}

// Wildcard reports whether a pattern of * and ? matches a name as a whole, character by
// character; case counts. It goes back to the last * only, so that it takes the product of both lengths at most.
func Wildcard(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
