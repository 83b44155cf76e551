package text

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns s as one line that a terminal shows and does not obey: control
// characters, line breaks, bidirectional overrides, zero-width characters and
// bytes that are no UTF-8 are written as Go escapes, such as \x1b or \u202e.
// A text without any of them is returned as it is.
func Line(s string) string { return visible(s, false) }

// Lines is Line for a text of several lines: line breaks and tabs stay.
func Lines(s string) string { return visible(s, true) }

func visible(s string, lines bool) string {
	first := strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || hidden(r, lines) })
	if first < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:first])
	for i := first; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !hidden(r, lines):
			b.WriteString(s[i : i+size])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// hidden reports whether a terminal obeys r, or shows nothing for it: control
// and format characters (Unicode's Cc and Cf, among them every bidirectional
// control and zero-width character), the line and paragraph separators, and what
// Unicode calls ignorable, such as fillers.
func hidden(r rune, lines bool) bool {
	switch {
	case lines && (r == '\n' || r == '\t'):
		return false
	case r >= ' ' && r < 0x7f:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// JSON returns a JSON document that means the same, and in which every character
// that Lines would escape is an escape of JSON: a terminal shows it as it is.
func JSON(document []byte) []byte {
	if bytes.IndexFunc(document, func(r rune) bool { return hidden(r, true) }) < 0 {
		return document
	}
	out := make([]byte, 0, len(document)+64)
	for len(document) > 0 {
		r, size := utf8.DecodeRune(document)
		switch high, low := utf16.EncodeRune(r); {
		case !hidden(r, true): // also bytes that are no UTF-8, which no encoder writes
			out = append(out, document[:size]...)
		case r > 0xffff:
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default: // inside of a text: between its values JSON has none
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		document = document[size:]
	}
	return out
}
