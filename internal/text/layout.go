package text

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// screen measures as terminals outside East Asian locales do, whatever this
// process's locale is: the bars' and dots' widths are ambiguous otherwise.
var screen = &runewidth.Condition{StrictEmojiNeutral: true}

// Width returns the columns that s takes.
func Width(s string) int { return screen.StringWidth(s) }

// Fit cuts a text that is wider than most columns, with … at its end.
func Fit(s string, most int) string {
	if Width(s) <= most {
		return s
	}
	cut := screen.Truncate(s, max(1, most), "…")
	if Width(cut) > most {
		return strings.Repeat(".", max(0, most)) // not even the first character fits
	}
	return cut
}

// Left pads s to a width on the right; a wider text stays as it is.
func Left(s string, to int) string { return s + strings.Repeat(" ", max(0, to-Width(s))) }

// Right pads s to a width on the left; a wider text stays as it is.
func Right(s string, to int) string { return strings.Repeat(" ", max(0, to-Width(s))) + s }

// Wrap breaks s into lines of at most `most` columns, between words, but not
// between a number and its unit. A word that is wider than a line is cut.
func Wrap(s string, most int) []string {
	var lines []string
	line := ""
	for _, word := range glue(strings.Fields(s)) {
		word = Fit(word, most)
		switch {
		case line == "":
			line = word
		case Width(line)+1+Width(word) <= most:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// glue joins each number with the word after it.
func glue(list []string) []string {
	var out []string
	for i, word := range list {
		if i > 0 && isNumber(list[i-1]) {
			out[len(out)-1] += " " + word
		} else {
			out = append(out, word)
		}
	}
	return out
}

func isNumber(s string) bool {
	return s != "" && s[0] >= '0' && s[0] <= '9' && s[len(s)-1] >= '0' && s[len(s)-1] <= '9'
}
