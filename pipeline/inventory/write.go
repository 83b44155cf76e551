package inventory

import (
	"bytes"
	"io"
	"slices"
	"strconv"
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
