package report

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/bundlegen/bundlegen/internal/text"
)

// screen measures as terminals outside East Asian locales do, whatever this
// process's locale is: the bars' and dots' widths are ambiguous otherwise.
var screen = &runewidth.Condition{StrictEmojiNeutral: true}

// width gives the columns that a text takes.
func width(s string) int { return screen.StringWidth(s) }

// clean makes a text printable: what a terminal would act on is escaped.
func clean(s string) string { return text.Line(s) }

// fit cuts a text that is wider than most columns, with … at its end.
func fit(s string, most int) string {
	if width(s) <= most {
		return s
	}
	cut := screen.Truncate(s, max(1, most), "…")
	if width(cut) > most {
		return strings.Repeat(".", max(0, most)) // not even the first character fits
	}
	return cut
}

// left and right pad to a width; a text that is wider stays as it is.
func left(s string, to int) string  { return s + strings.Repeat(" ", max(0, to-width(s))) }
func right(s string, to int) string { return strings.Repeat(" ", max(0, to-width(s))) + s }

// wrap breaks a text into lines of at most `most` columns, between words, but
// not between a number and its unit; a word that is wider than a line is cut.
func wrap(s string, most int) []string {
	var lines []string
	line := ""
	for _, word := range glue(strings.Fields(s)) {
		word = fit(word, most)
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= most:
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

// bar draws a share (0 to 1) of a number of columns in eighths of a column.
func bar(share float64, columns int) string {
	eighths := int(share*float64(columns*8) + 0.5)
	if share > 0 {
		eighths = max(1, eighths)
	}
	eighths = min(eighths, columns*8)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}
