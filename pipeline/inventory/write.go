package inventory

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Write writes the header and a row for each tag, in the order given; Read
// returns the same tags. The same tags make the same bytes: lines end in \n, and
// a field is in quotes only where it has to be. Tags that Read would refuse for
// what is in a field are errors, and nothing of them is written; Clean makes
// any text fit.
func Write(w io.Writer, tags []Tag) error { return WriteFile(w, &File{Tags: tags}) }

// WriteFile is Write for an inventory's own file, in its format and with the
// columns of others to the right.
func WriteFile(w io.Writer, f *File) error {
	const flushAt = 256 << 10
	for i := range f.Tags {
		if err := Check(&f.Tags[i]); err != nil {
			return err
		}
	}
	buffer := f.appendHeader(make([]byte, 0, flushAt+4<<10))
	for i := range f.Tags {
		if len(buffer) >= flushAt {
			if _, err := w.Write(buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
		var others []string
		if f.Others != nil {
			others = f.Others[i]
		}
		buffer = f.Format.appendRow(buffer, &f.Tags[i], others)
	}
	_, err := w.Write(buffer)
	return err
}

func (f *File) appendHeader(dst []byte) []byte {
	if f.Format.BOM {
		dst = append(dst, "\ufeff"...)
	}
	s := f.Format.separator()
	for i, name := range slices.Concat(columnNames(), f.Columns) {
		if i > 0 {
			dst = append(dst, s)
		}
		dst = appendField(dst, name, s)
	}
	return append(dst, '\n')
}

func (f Format) separator() byte {
	if f.Separator == 0 {
		return ','
	}
	return f.Separator
}

// AppendRow appends a tag's row, its line break included, to dst. It checks
// nothing: the tag is one that Read returned or Check passed.
func AppendRow(dst []byte, t *Tag) []byte { return Format{}.appendRow(dst, t, nil) }

func (f Format) appendRow(dst []byte, t *Tag, others []string) []byte {
	s := f.separator()
	dst = append(appendField(dst, t.Site, s), s)
	dst = append(appendField(dst, t.Name, s), s)
	dst = append(appendField(dst, t.WebID, s), s)
	dst = append(appendField(dst, t.PointType, s), s)
	dst = append(appendField(dst, t.Units, s), s)
	dst = append(appendField(dst, t.DigitalSet, s), s)
	dst = append(appendField(dst, t.Descriptor, s), s)
	dst = append(appendField(dst, t.Tier, s), s)
	if t.EventsPerHour >= 0 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, t.EventsPerHour, 'f', -1, 64)
		if i := bytes.IndexByte(dst[start:], '.'); i >= 0 && f.DecimalComma {
			dst[start+i] = ','
		}
	}
	dst = append(dst, s)
	if t.Future {
		dst = append(dst, "true"...)
	}
	dst = append(dst, s)
	if t.PointID != 0 {
		dst = strconv.AppendInt(dst, t.PointID, 10)
	}
	for _, other := range others {
		dst = appendField(append(dst, s), other, s)
	}
	return append(dst, '\n')
}

// appendField appends a value, in quotes if it contains the separator or quotes.
func appendField(dst []byte, value string, separator byte) []byte {
	for i := range len(value) {
		if value[i] == separator || value[i] == '"' {
			return appendQuoted(dst, value)
		}
	}
	return append(dst, value...)
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// Check tells what Read would refuse of a tag as it stands alone: a name that
// is empty, a text that is not UTF-8 or has control characters, a number out of
// range.
func Check(t *Tag) error {
	if t.Name == "" {
		return fmt.Errorf("a tag of site %s has no name", quote(t.Site))
	}
	for column, text := range [...]string{t.Site, t.Name, t.WebID, t.PointType, t.Units, t.DigitalSet, t.Descriptor, t.Tier} {
		if !clean(text) {
			return fmt.Errorf("tag %s: %s is %s: it has control characters, or is not UTF-8", quote(t.Name), columnNames()[column], quote(text))
		}
	}
	if t.EventsPerHour > MaxEventsPerHour || t.EventsPerHour != t.EventsPerHour {
		return fmt.Errorf("tag %s: %v events per hour; allowed: 0 to %d, or below 0 for unknown", quote(t.Name), t.EventsPerHour, MaxEventsPerHour)
	}
	if t.PointID < 0 {
		return fmt.Errorf("tag %s: point id %d; allowed: at least 1, or 0 for unknown", quote(t.Name), t.PointID)
	}
	return nil
}

// Clean gives s as it may stand in an inventory: each control character, and
// each byte that is not UTF-8, is a space. It is for descriptors and units as a
// server gives them; a name must not be changed.
func Clean(s string) string {
	if clean(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

func clean(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if stops[s[i]] && isControl(s, i) {
			return false
		}
	}
	return true
}
