package decode

import (
	"errors"
	"math"

	"github.com/bundlegen/bundlegen/extractor/columns"
)

// span is a part of the window, from its first byte to behind its last.
type span struct{ from, to int }

func (s span) of(data []byte) []byte { return data[s.from:s.to] }

// item is one element of a stream's Items, as the generic path finds it.
type item struct {
	// Values as in the body, quotes included; empty if the key is missing.
	// The last of two duplicates wins.
	timestamp, value  span
	errors, exception span
	flags             uint8
}

var (
	errNoTimestamp = errors.New("an item without a timestamp")
	errTimestamp   = errors.New("not a timestamp")
	errRange       = errors.New("a number beyond the range of a float64")
)

// readItem reads the JSON object at data[p:], its keys in any order.
func (d *Decoder) readItem(data []byte, p int) (it item, next int, err error) {
	if data[p] != '{' {
		return it, p, errNotItem
	}
	for first := true; ; first = false {
		p = skipSpace(data, p+1) // behind the brace or the comma
		if p < len(data) && data[p] == '}' && first {
			return it, p + 1, nil
		}
		key, value, err := skipKey(data, p)
		if err != nil {
			return it, value, err
		}
		end, err := skipValue(data, value, 0)
		if err != nil {
			return it, end, err
		}
		switch s := (span{value, end}); string(d.plain(data[p+1 : key-1])) {
		case "Timestamp":
			it.timestamp = s
		case "Value":
			it.value = s
		case "Good":
			it.flag(columns.Good, data[value])
		case "Questionable":
			it.flag(columns.Questionable, data[value])
		case "Substituted":
			it.flag(columns.Substituted, data[value])
		case "Annotated":
			it.flag(columns.Annotated, data[value])
		case "Errors":
			it.errors = s
		case "WebException":
			it.exception = s
		}
		p = skipSpace(data, end)
		switch {
		case p >= len(data):
			return it, p, errShort
		case data[p] == '}':
			return it, p + 1, nil
		case data[p] != ',':
			return it, p, errObject
		}
	}
}

// flag sets or clears a flag by the first byte of its value.
func (it *item) flag(flag, first byte) {
	it.flags &^= flag
	if first == 't' {
		it.flags |= flag
	}
}

// failed reports whether the item has an error instead of a value: its value is not
// data then, whatever it looks like.
func (it *item) failed(data []byte) bool {
	return failing(it.errors.of(data), it.exception.of(data))
}

// failing reports whether the values of the keys "Errors" and "WebException" of one
// object are an error.
func failing(errors, exception []byte) bool {
	return !noErrors(errors) || len(exception) > 0 && string(exception) != "null"
}

// blame makes an error in place of the item's value,
// "Value":{"Errors":["Calc Failed"]}, the item's own error.
func (d *Decoder) blame(data []byte, it *item) {
	if it.value.to == 0 || data[it.value.from] != '{' || it.failed(data) {
		return
	}
	var errors, exception span
	d.inside(data, it.value, func(key []byte, value span) {
		switch string(key) {
		case "Errors":
			errors = value
		case "WebException":
			exception = value
		}
	})
	if failing(errors.of(data), exception.of(data)) {
		it.errors, it.exception = errors, exception
	}
}

// inside calls each for every key of the object at s, which has been checked already.
func (d *Decoder) inside(data []byte, s span, each func(key []byte, value span)) {
	for p := s.from; ; {
		p = skipSpace(data, p+1)
		if data[p] == '}' {
			return
		}
		key, value, _ := skipKey(data, p)
		end, _ := skipValue(data, value, 0)
		each(d.plain(data[p+1:key-1]), span{value, end})
		if p = skipSpace(data, end); data[p] == '}' {
			return
		}
	}
}

// ticksOf reads the item's timestamp.
func (d *Decoder) ticksOf(data []byte, it *item) (int64, error) {
	if it.timestamp.to == 0 {
		return 0, errNoTimestamp
	}
	if data[it.timestamp.from] != '"' {
		return 0, errTimestamp
	}
	ticks, ok := d.clock.timestamp(d.plain(data[it.timestamp.from+1 : it.timestamp.to-1]))
	if !ok {
		return 0, errTimestamp
	}
	return ticks, nil
}

// value is a decoded value; kind is HasValue, HasText, HasText|HasCode or 0.
type value struct {
	number float64
	text   uint32
	code   int32
	kind   uint8
}

// valueOf reads the value at s; an empty span and null are no value.
func (d *Decoder) valueOf(data []byte, s span, texts *columns.Strings) (v value, err error) {
	if s.to == 0 {
		return v, nil
	}
	switch raw := data[s.from:s.to]; raw[0] {
	case 'n':
		return v, nil
	case '"':
		v.kind = columns.HasText
		text := d.plain(raw[1 : len(raw)-1])
		d.note(text)
		v.text = texts.ID(text)
		return v, nil
	case '{':
		name, code, ok := d.state(data, s)
		if !ok {
			break
		}
		v.kind, v.code = columns.HasText|columns.HasCode, code
		v.text = texts.ID(name)
		return v, nil
	case 't', 'f', '[':
	default:
		v.kind = columns.HasValue
		if f, ok := special(raw); ok {
			v.number = f
		} else if f, next := number(data, s.from); next == s.to {
			v.number = f
		} else {
			return v, errRange
		}
		return v, nil
	}
	v.kind = columns.HasText
	d.scratch = appendUTF8(d.scratch[:0], data[s.from:s.to])
	v.text = texts.ID(d.scratch)
	return v, nil
}

// state reads an object {"Name":"…","Value":3,…}, keys in any order. Objects
// whose Name is no string or whose Value is no 32-bit integer are none.
func (d *Decoder) state(data []byte, s span) (name []byte, code int32, ok bool) {
	var nameAt, valueAt span
	d.inside(data, s, func(key []byte, value span) {
		switch string(key) {
		case "Name":
			nameAt = value
		case "Value":
			valueAt = value
		}
	})
	if nameAt.to == 0 || data[nameAt.from] != '"' || valueAt.to == 0 {
		return nil, 0, false
	}
	f, next := number(data, valueAt.from)
	if code, ok = integer(f); !ok || next != valueAt.to {
		return nil, 0, false
	}
	return d.plain(data[nameAt.from+1 : nameAt.to-1]), code, true
}

// plainState reads the object at data[p:] when it is a state exactly as PI Web
// API prints it. next is 0 otherwise.
func plainState(data []byte, p int) (name []byte, code int32, next int) {
	const begin, middle = `{"Name":"`, `,"Value":`
	if !at(data, p, begin) {
		return nil, 0, 0
	}
	name, p = plainText(data, p+len(begin)-1)
	if p == 0 || !at(data, p, middle) {
		return nil, 0, 0
	}
	f, p := number(data, p+len(middle))
	code, ok := integer(f)
	if p == 0 || !ok {
		return nil, 0, 0
	}
	for _, end := range [...]string{`,"IsSystem":false}`, `,"IsSystem":true}`, `}`} {
		if at(data, p, end) {
			return name, code, p + len(end)
		}
	}
	return nil, 0, 0
}

// at reports whether what stands at data[p:] begins with s.
func at(data []byte, p int, s string) bool {
	return len(data)-p >= len(s) && string(data[p:p+len(s)]) == s
}

func integer(f float64) (int32, bool) {
	if f >= math.MinInt32 && f <= math.MaxInt32 && f == math.Trunc(f) {
		return int32(f), true
	}
	return 0, false
}

// special reads the names of Infinity and NaN, in any case.
func special(text []byte) (float64, bool) {
	switch len(text) {
	case len("NaN"):
		if text[0]|' ' == 'n' && text[1]|' ' == 'a' && text[2]|' ' == 'n' {
			return math.NaN(), true
		}
	case len("Infinity"):
		if isInfinity(text) {
			return math.Inf(1), true
		}
	case len("-Infinity"):
		if text[0] == '-' && isInfinity(text[1:]) {
			return math.Inf(-1), true
		}
	}
	return 0, false
}

func isInfinity(text []byte) bool {
	for i, c := range []byte("infinity") {
		if text[i]|' ' != c {
			return false
		}
	}
	return true
}

// plainValue reads the value at data[p:] when it is a number, a state or a text
// in the form that PI Web API mostly prints. next is 0 otherwise.
func (d *Decoder) plainValue(data []byte, p int, texts *columns.Strings) (v value, next int) {
	if p >= len(data) {
		return v, 0
	}
	switch data[p] {
	case '"':
		text, next := plainText(data, p)
		if next == 0 {
			return v, 0
		}
		d.note(text)
		v.text, v.kind = texts.ID(text), columns.HasText
		return v, next
	case '{':
		name, code, next := plainState(data, p)
		if next == 0 {
			return v, 0
		}
		v.text, v.code, v.kind = texts.ID(name), code, columns.HasText|columns.HasCode
		return v, next
	}
	v.kind = columns.HasValue
	v.number, next = number(data, p)
	return v, next
}

// note records that a text of the current stream may have to become a number:
// whether its point is numeric may be known only after its items.
func (d *Decoder) note(text []byte) {
	if len(text) == 3 || len(text) == 8 || len(text) == 9 {
		if _, ok := special(text); ok {
			d.stream.specials = true
		}
	}
}

// plain returns the text of a string from what is between its quotes. It is good
// until the next call.
func (d *Decoder) plain(raw []byte) []byte {
	if plainASCII(raw, 0) == len(raw) {
		return raw
	}
	d.scratch = unquote(d.scratch[:0], raw)
	return d.scratch
}
