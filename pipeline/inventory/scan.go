package inventory

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The scanner takes rows as RFC 4180 has them, with one difference that makes
// it both stricter and faster: a row is a line. A line break inside quotes is a
// control character, and those are refused anyway. So a file can be cut at any
// line break and its pieces read side by side.

// stops marks the bytes at which the scan of an unquoted field stops: the
// separators, the quote, control characters, and the first byte of those
// control characters that take two (U+0080 to U+009F). A separator of other
// files than the one at hand costs a comparison and no more.
var stops = func() (t [256]bool) {
	for b := range 0x20 {
		t[b] = true
	}
	t[0x7f], t[c1Lead], t[','], t[';'], t['"'] = true, true, true, true, true
	return t
}()

// c1Lead is the first of the two bytes of U+0080 to U+00BF in UTF-8; those up
// to U+009F are control characters.
const c1Lead = 0xc2

// mistake is what is wrong with a row's form.
type mistake struct {
	at   int    // byte of the line
	text string // what is wrong
	hint string // what to do
	kind string // what makes two mistakes the same, but for the values
	open bool   // quotes are open at the end of the line
}

// fields takes one row apart. Reused from row to row, it allocates nothing but
// the texts of fields with doubled quotes.
type fields struct {
	separator byte
	values    []string // slices of the line, but where quotes were doubled
	starts    []int    // byte of the line where each field starts
}

// split takes a line apart, which comes without its line break. Fields beyond
// those that the caller expects are there too: it tells by their number.
func (f *fields) split(line string) *mistake {
	f.values, f.starts = f.values[:0], f.starts[:0]
	for i := 0; ; {
		value, next, bad := field(line, i, f.separator)
		if bad != nil {
			return bad
		}
		f.values, f.starts = append(f.values, value), append(f.starts, i)
		if next == len(line) {
			return nil
		}
		i = next + 1 // after the separator
	}
}

// field reads the field that starts at i, and returns where it ends: at a
// separator or at the end of the line.
func field(line string, i int, separator byte) (value string, next int, bad *mistake) {
	if i < len(line) && line[i] == '"' {
		return quotedField(line, i, separator)
	}
	for j := i; ; j++ {
		for j < len(line) && !stops[line[j]] {
			j++
		}
		switch {
		case j == len(line) || line[j] == separator:
			return line[i:j], j, nil
		case line[j] == '"':
			return "", 0, &mistake{at: j, kind: "quote", text: "a quote inside a field that is not quoted: " + quote(line[i:j+1]),
				hint: `put the field in quotes and double the quotes within: "a ""b"" c"`}
		case isControl(line, j):
			return "", 0, controlAt(line, j)
		}
	}
}

// quotedField reads the field whose opening quote is at i.
func quotedField(line string, i int, separator byte) (value string, next int, bad *mistake) {
	doubled := false
	for j := i + 1; ; j++ {
		for j < len(line) && (!stops[line[j]] || line[j] == ',' || line[j] == ';') {
			j++
		}
		switch {
		case j == len(line):
			return "", 0, &mistake{at: i, kind: "open", open: true, text: "quotes that are not closed on their line: " + quote(line[i:]),
				hint: "close them; a line break is a control character, which no value may contain"}
		case line[j] != '"':
			if isControl(line, j) {
				return "", 0, controlAt(line, j)
			}
		case j+1 < len(line) && line[j+1] == '"':
			doubled = true
			j++
		case j+1 < len(line) && line[j+1] != separator:
			return "", 0, &mistake{at: j + 1, kind: "after", text: "text after closing quotes: " + quote(line[j+1:]),
				hint: "a " + separatorName(separator) + ` or the end of the line has to follow; a quote within is written twice: "a ""b"" c"`}
		default:
			value = line[i+1 : j]
			if doubled {
				value = strings.ReplaceAll(value, `""`, `"`)
			}
			return value, j + 1, nil
		}
	}
}

// isControl reports whether the byte at j, one of the stops, begins a control character.
func isControl(line string, j int) bool {
	return line[j] < 0x20 || line[j] == 0x7f || line[j] == c1Lead && j+1 < len(line) && line[j+1] < 0xa0
}

func controlAt(line string, j int) *mistake {
	r, _ := utf8.DecodeRuneInString(line[j:])
	hint := "remove it; any other character is allowed in a name"
	if r == '\r' {
		hint = `lines end in \n or \r\n; save the file again with one of these`
	}
	text := fmt.Sprintf("control character %U", r)
	return &mistake{at: j, kind: text, text: text, hint: hint}
}
