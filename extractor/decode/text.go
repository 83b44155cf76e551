package decode

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unquote appends the text of a JSON string to dst. raw is what is between the
// quotes, and has passed skipString. What is no Unicode (bytes that are not
// UTF-8, half of a surrogate pair) becomes U+FFFD.
func unquote(dst, raw []byte) []byte {
	for p := 0; p < len(raw); {
		q := plainASCII(raw, p)
		dst = append(dst, raw[p:q]...)
		if p = q; p == len(raw) {
			break
		}
		if raw[p] != '\\' {
			r, n := utf8.DecodeRune(raw[p:])
			dst = utf8.AppendRune(dst, r)
			p += n
			continue
		}
		switch c := raw[p+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(raw[p+2:])
			p += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if p+8 <= len(raw) && raw[p+2] == '\\' && raw[p+3] == 'u' {
					low = hex4(raw[p+4:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					p += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // a quote, a backslash, a slash
			dst = append(dst, c)
		}
		p += 2
	}
	return dst
}

func hex4(raw []byte) rune {
	return rune(hex(raw[0])<<12 | hex(raw[1])<<8 | hex(raw[2])<<4 | hex(raw[3]))
}

// appendUTF8 appends s; each byte that is not UTF-8 becomes U+FFFD.
func appendUTF8(dst, s []byte) []byte {
	if utf8.Valid(s) {
		return append(dst, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		dst, s = utf8.AppendRune(dst, r), s[n:]
	}
	return dst
}

// plainText returns the text of a JSON string whose opening quote is at p, and the
// position after its closing quote, if the text is ASCII without escapes. next is 0
// otherwise.
func plainText(data []byte, p int) (text []byte, next int) {
	q := plainASCII(data, p+1)
	if q >= len(data) || data[q] != '"' {
		return nil, 0
	}
	return data[p+1 : q], q + 1
}
