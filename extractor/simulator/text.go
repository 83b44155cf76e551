package simulator

import (
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

const digitPairs = "00010203040506070809" +
	"10111213141516171819" +
	"20212223242526272829" +
	"30313233343536373839" +
	"40414243444546474849" +
	"50515253545556575859" +
	"60616263646566676869" +
	"70717273747576777879" +
	"80818283848586878889" +
	"90919293949596979899"

// appendPadded appends v in decimal with at least width digits (at most 20).
func appendPadded(dst []byte, v uint64, width int) []byte {
	var b [20]byte
	i := len(b)
	for v >= 100 {
		q := v / 100
		r := 2 * (v - 100*q)
		i -= 2
		b[i], b[i+1] = digitPairs[r], digitPairs[r+1]
		v = q
	}
	if v >= 10 {
		i -= 2
		b[i], b[i+1] = digitPairs[2*v], digitPairs[2*v+1]
	} else {
		i--
		b[i] = byte('0' + v)
	}
	for len(b)-i < width {
		i--
		b[i] = '0'
	}
	return append(dst, b[i:]...)
}

// appendJSONString appends s in quotes, with what JSON wants escaped.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}

// stampWriter prints instants as PI does: UTC, Z, 0 to 7 fractional digits. It
// keeps the last second's text, since events come in order. Not safe for
// concurrent use.
type stampWriter struct {
	fixed  bool // always 7 digits
	second instant.Ticks
	day    instant.Ticks
	text   [19]byte // 2006-01-02T15:04:05
	ready  bool
}

func (w *stampWriter) append(dst []byte, t instant.Ticks) []byte {
	second, frac := t/instant.Second, t%instant.Second
	if frac < 0 {
		second, frac = second-1, frac+instant.Second
	}
	if second != w.second || !w.ready {
		w.setSecond(second)
	}
	dst = append(dst, w.text[:]...)
	if frac == 0 && !w.fixed {
		return append(dst, 'Z')
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, uint64(frac), 7)
	if !w.fixed {
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return append(dst, 'Z')
}

func (w *stampWriter) setSecond(second instant.Ticks) {
	const secondsADay = instant.Day / instant.Second
	day := second / secondsADay
	if second < 0 && second%secondsADay != 0 {
		day--
	}
	if day != w.day || !w.ready {
		(day * instant.Day).Time().AppendFormat(w.text[:0], "2006-01-02T15:04:05")
		w.day, w.ready = day, true
	}
	w.second = second
	rest := uint64(second - day*secondsADay)
	w.two(11, rest/3600)
	w.two(14, rest/60%60)
	w.two(17, rest%60)
}

func (w *stampWriter) two(at int, v uint64) {
	w.text[at], w.text[at+1] = digitPairs[2*v], digitPairs[2*v+1]
}
