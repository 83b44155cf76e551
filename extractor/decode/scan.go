package decode

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// The functions here skip JSON in memory. Each takes the position of a token's first
// byte and returns the position after it. If the bytes end first, the error is
// errShort; on any other error the position is that of the fault.

var (
	errShort    = errors.New("the bytes end") // never leaves the package
	errValue    = errors.New("a JSON value is expected")
	errNumber   = errors.New("not a JSON number")
	errControl  = errors.New("a control character in a string")
	errEscape   = errors.New("not a JSON escape")
	errKey      = errors.New("a key in quotes is expected")
	errColon    = errors.New("a colon is expected")
	errObject   = errors.New("a comma or a closing brace is expected")
	errArray    = errors.New("a comma or a closing bracket is expected")
	errDepth    = errors.New("nested too deeply")
	errNotArray = errors.New("an array is expected")
	errNotItem  = errors.New("an object is expected")
	errTrailing = errors.New("something follows the end of the body")
)

// skipSpace may return len(data).
func skipSpace(data []byte, p int) int {
	for p < len(data) && (data[p] == ' ' || data[p] == '\n' || data[p] == '\r' || data[p] == '\t') {
		p++
	}
	return p
}

// skipValue steps over any value, checking it.
func skipValue(data []byte, p, depth int) (int, error) {
	if p >= len(data) {
		return p, errShort
	}
	switch data[p] {
	case '{', '[':
		if depth >= maxDepth {
			return p, errDepth
		}
		if data[p] == '{' {
			return skipObject(data, p, depth+1)
		}
		return skipArray(data, p, depth+1)
	case '"':
		return skipString(data, p)
	case 't':
		return skipWord(data, p, "true")
	case 'f':
		return skipWord(data, p, "false")
	case 'n':
		return skipWord(data, p, "null")
	case 'N':
		return skipWord(data, p, "NaN")
	case 'I':
		return skipWord(data, p, "Infinity")
	case '-':
		if p+1 < len(data) && data[p+1] == 'I' {
			return skipWord(data, p, "-Infinity")
		}
	}
	return skipNumber(data, p)
}

func skipObject(data []byte, p, depth int) (int, error) {
	for first := true; ; first = false {
		p = skipSpace(data, p+1) // behind the brace or the comma
		if p < len(data) && data[p] == '}' && first {
			return p + 1, nil
		}
		_, value, err := skipKey(data, p)
		if err != nil {
			return value, err
		}
		if p, err = skipValue(data, value, depth); err != nil {
			return p, err
		}
		p = skipSpace(data, p)
		switch {
		case p >= len(data):
			return p, errShort
		case data[p] == '}':
			return p + 1, nil
		case data[p] != ',':
			return p, errObject
		}
	}
}

func skipArray(data []byte, p, depth int) (int, error) {
	p = skipSpace(data, p+1)
	if p < len(data) && data[p] == ']' {
		return p + 1, nil
	}
	for {
		var err error
		if p, err = skipValue(data, p, depth); err != nil {
			return p, err
		}
		p = skipSpace(data, p)
		switch {
		case p >= len(data):
			return p, errShort
		case data[p] == ']':
			return p + 1, nil
		case data[p] != ',':
			return p, errArray
		}
		p = skipSpace(data, p+1)
	}
}

// skipKey steps over a key and its colon. key is behind the closing quote,
// value at the value's first byte.
func skipKey(data []byte, p int) (key, value int, err error) {
	if p >= len(data) {
		return p, p, errShort
	}
	if data[p] != '"' {
		return p, p, errKey
	}
	if key, err = skipString(data, p); err != nil {
		return key, key, err
	}
	value = skipSpace(data, key)
	if value >= len(data) {
		return key, value, errShort
	}
	if data[value] != ':' {
		return key, value, errColon
	}
	return key, skipSpace(data, value+1), nil
}

// skipString steps over a string from quote to quote.
func skipString(data []byte, p int) (int, error) {
	for p++; ; {
		p = plainASCII(data, p)
		if p >= len(data) {
			return p, errShort
		}
		switch c := data[p]; {
		case c == '"':
			return p + 1, nil
		case c == '\\':
			if p+1 >= len(data) {
				return p, errShort
			}
			switch data[p+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				p += 2
			case 'u':
				for i := p + 2; i < p+6; i++ {
					if i >= len(data) {
						return i, errShort
					}
					if hex(data[i]) < 0 {
						return p, errEscape
					}
				}
				p += 6
			default:
				return p, errEscape
			}
		case c < ' ':
			return p, errControl
		default: // not ASCII
			p++
		}
	}
}

// plainASCII returns the position of the first byte from p on that is a quote, a
// backslash, a control character or not ASCII, or len(data).
func plainASCII(data []byte, p int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; p+8 <= len(data); p += 8 {
		x := binary.LittleEndian.Uint64(data[p:])
		quote, backslash := x^(ones*'"'), x^(ones*'\\')
		// The top bit of a byte is set where it is less than ' ', where it is
		// zero after the xor, or where it was set already. A borrow can only
		// mark bytes behind the first one that is marked rightly.
		special := (x - ones*' ') | (quote - ones) | (backslash - ones) | x
		// quote and backslash of a byte that has the top bit set are irrelevant: x marks it.
		if special &= tops; special != 0 {
			return p + bits.TrailingZeros64(special)/8
		}
	}
	for p < len(data) && data[p] >= ' ' && data[p] < 0x80 && data[p] != '"' && data[p] != '\\' {
		p++
	}
	return p
}

// skipNumber steps over a number; one that ends with the bytes may go on.
func skipNumber(data []byte, p int) (int, error) {
	from := p
	if p < len(data) && data[p] == '-' {
		p++
	}
	switch q := skipDigits(data, p); {
	case q >= len(data):
		return q, errShort
	case q == p && p == from:
		return p, errValue
	case q == p, data[p] == '0' && q > p+1:
		return p, errNumber
	default:
		p = q
	}
	if data[p] == '.' {
		switch q := skipDigits(data, p+1); {
		case q >= len(data):
			return q, errShort
		case q == p+1:
			return q, errNumber
		default:
			p = q
		}
	}
	if data[p] == 'e' || data[p] == 'E' {
		p++
		if p < len(data) && (data[p] == '+' || data[p] == '-') {
			p++
		}
		switch q := skipDigits(data, p); {
		case q >= len(data):
			return q, errShort
		case q == p:
			return q, errNumber
		default:
			p = q
		}
	}
	return p, nil
}

func skipDigits(data []byte, p int) int {
	for p < len(data) && data[p]-'0' <= 9 {
		p++
	}
	return p
}

func skipWord(data []byte, p int, word string) (int, error) {
	for i := range len(word) {
		if p+i >= len(data) {
			return p + i, errShort
		}
		if data[p+i] != word[i] {
			return p, errValue
		}
	}
	return p + len(word), nil
}

// hex is the value of a hexadecimal digit, or -1.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
