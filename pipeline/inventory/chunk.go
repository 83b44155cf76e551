package inventory

import (
	"strings"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// chunk is a piece of an inventory's body, whole lines, with the rows that are
// read from it. Chunks of one reader that does not explain may be read side by
// side.
type chunk struct {
	text   string
	line   int // number of its first line
	reader *reader
	sites  names
	tiers  names

	rows         rows // when reading begins, room for each line, or for none where it explains; when it ends, those that are there
	failed       bool // something is wrong
	decimalComma bool // a rate is written with one
}

// read reads the chunk's rows. A reader that explains goes on after a mistake.
func (c *chunk) read() {
	if !utf8.ValidString(c.text) {
		c.failed = true
		c.reader.failed.Store(true)
		return
	}
	var (
		f     = fields{separator: c.reader.format.Separator}
		lines []int32
		n     int
	)
	for text, line := c.text, c.line; text != ""; line++ {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		row = strings.TrimSuffix(row, "\r")
		if row == "" {
			continue
		}
		if bad := f.split(row); bad != nil {
			c.fail(diag.Problem{Line: line, Column: columnAt(row, bad.at), Text: bad.text, Hint: bad.hint}, bad.kind)
			if bad.open && c.reader.explain {
				skipped, rest := skipQuoted(text)
				line, text = line+skipped, rest
			}
		} else if c.tag(n, line, row, &f) && (!c.failed || n < maxExplained) {
			n++
			if c.reader.explain {
				lines = append(lines, int32(line))
			}
		}
		if !c.reader.explain && c.reader.failed.Load() {
			return
		}
	}
	c.rows = c.rows.window(0, n)
	c.rows.line = lines
}

// fail notes that something is wrong.
func (c *chunk) fail(p diag.Problem, kind string) {
	c.failed = true
	c.reader.failed.Store(true)
	if c.reader.explain {
		c.reader.report(p, kind)
	}
}

// maxExplained is how many rows are kept for a comparison with each other once
// something is wrong: of a file that is none of ours it would be all its lines.
const maxExplained = 100_000

// skipQuoted passes over the lines up to the one that closes quotes that are
// open, since they are not rows and would be reported as bad ones. If none of
// the next thousand closes them, it passes over nothing.
func skipQuoted(text string) (lines int, rest string) {
	for rest = text; rest != "" && lines < 1000; {
		var row string
		row, rest, _ = strings.Cut(rest, "\n")
		lines++
		if strings.Count(row, `"`)%2 == 1 {
			return lines, rest
		}
	}
	return 0, text
}

// cut splits a text at line breaks into at most so many pieces of about one size.
func cut(text string, pieces int) []chunk {
	var chunks []chunk
	for ; pieces > 1; pieces-- {
		middle := len(text) / pieces
		end := strings.IndexByte(text[middle:], '\n')
		if end < 0 {
			break
		}
		chunks = append(chunks, chunk{text: text[:middle+end+1]})
		text = text[middle+end+1:]
	}
	return append(chunks, chunk{text: text})
}
