package decode

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// number reads the JSON number at data[p:], correctly rounded. next is the
// position behind it, and 0 when there is no number, when it ends only with the
// bytes (it may go on), or when it is beyond what a float64 holds.
func number(data []byte, p int) (f float64, next int) {
	from := p
	negative := p < len(data) && data[p] == '-'
	if negative {
		p++
	}
	var m uint64 // the digits; worthless when they are more than 19
	whole := p
	for p < len(data) && data[p]-'0' <= 9 {
		m = m*10 + uint64(data[p]-'0')
		p++
	}
	digits, exponent := p-whole, 0
	if digits == 0 || p >= len(data) || digits > 1 && data[whole] == '0' {
		return 0, 0
	}
	if data[p] == '.' {
		p++
		fraction := p
		for p+8 <= len(data) {
			x := binary.LittleEndian.Uint64(data[p:])
			if !eightDigits(x) {
				break
			}
			m = m*1e8 + eightDigitValue(x)
			p += 8
		}
		for p < len(data) && data[p]-'0' <= 9 {
			m = m*10 + uint64(data[p]-'0')
			p++
		}
		if p == fraction || p >= len(data) {
			return 0, 0
		}
		digits += p - fraction
		exponent = fraction - p
		if digits > 19 && data[whole] == '0' {
			digits -= leadingZeros(data[whole:p])
		}
	}
	if data[p] == 'e' || data[p] == 'E' {
		var e int
		if e, p = exponentOf(data, p+1); p == 0 {
			return 0, 0
		}
		exponent += e
	}
	if digits <= 19 {
		if f, ok := scale(m, exponent); ok {
			if negative {
				f = -f
			}
			return f, p
		}
	}
	f, err := strconv.ParseFloat(string(data[from:p]), 64)
	if err != nil {
		return 0, 0
	}
	return f, p
}

// exponentOf reads what follows the e of a number.
func exponentOf(data []byte, p int) (e, next int) {
	negative := p < len(data) && data[p] == '-'
	if negative || p < len(data) && data[p] == '+' {
		p++
	}
	from := p
	for p < len(data) && data[p]-'0' <= 9 {
		if e < 1e6 { // far beyond any float64
			e = e*10 + int(data[p]-'0')
		}
		p++
	}
	if p == from || p >= len(data) {
		return 0, 0
	}
	if negative {
		e = -e
	}
	return e, p
}

// leadingZeros counts the zeros before the first other digit of "0.00123".
func leadingZeros(s []byte) (n int) {
	for _, c := range s {
		if c != '0' && c != '.' {
			break
		}
		if c == '0' {
			n++
		}
	}
	return n
}

// eightDigits reports whether all eight bytes of x are digits.
func eightDigits(x uint64) bool {
	const zeros, tops = 0x3030303030303030, 0x8080808080808080
	x ^= zeros
	return (x|(x+0x7676767676767676))&tops == 0
}

// eightDigitValue is the number that eight digits make, the first in the lowest byte.
func eightDigitValue(x uint64) uint64 {
	x &= 0x0f0f0f0f0f0f0f0f
	x = x*10 + x>>8 // pairs, in every second byte
	const mask = 0x000000ff000000ff
	return ((x&mask)*(100+1000000<<32) + (x>>16&mask)*(1+10000<<32)) >> 32
}

// Powers of ten: those that a float64 holds exactly, and those that fit 64 bits.
var (
	floatPowers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
	wordPowers = [...]uint64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
		1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}
)

// scale returns the float64 nearest to m x 10^exponent, ties to even. It knows all
// that PI prints for usual magnitudes; ok is false for the rest.
func scale(m uint64, exponent int) (f float64, ok bool) {
	switch {
	case m == 0:
		return 0, true
	case m <= 1<<53 && -22 <= exponent && exponent <= 22:
		// Both operands are exact, so that the one rounding is that of the result.
		if exponent < 0 {
			return float64(m) / floatPowers[-exponent], true
		}
		return float64(m) * floatPowers[exponent], true
	case -19 <= exponent && exponent < 0:
		return quotient(m, wordPowers[-exponent]), true
	case 0 <= exponent && exponent <= 19:
		return product(m, wordPowers[exponent]), true
	}
	return 0, false
}

// quotient returns the float64 nearest to m/d, by a division of 128 bits.
func quotient(m, d uint64) float64 {
	lm, ld := bits.LeadingZeros64(m), bits.LeadingZeros64(d)
	m, d = m<<lm, d<<ld
	// Now both have their top bit set: m/d is in (1/2, 2), and the quotient
	// below has its top bit set, too.
	hi, lo, exponent := m, uint64(0), ld-lm-64
	if m >= d {
		hi, lo, exponent = m>>1, m<<63, exponent+1
	}
	q, rest := bits.Div64(hi, lo, d)
	return round(q, rest != 0, exponent)
}

// product returns the float64 nearest to m*d.
func product(m, d uint64) float64 {
	hi, lo := bits.Mul64(m, d)
	if hi == 0 {
		n := bits.LeadingZeros64(lo)
		return round(lo<<n, false, -n)
	}
	n := bits.LeadingZeros64(hi)
	return round(hi<<n|lo>>(64-n), lo<<n != 0, 64-n)
}

// round returns the float64 nearest to q x 2^exponent, ties to even. The top bit
// of q is set; more means that the true value is a little above q. The result
// must be a normal number.
func round(q uint64, more bool, exponent int) float64 {
	mantissa, rest := q>>11, q&0x7ff
	const half = 0x400
	if rest > half || rest == half && (more || mantissa&1 == 1) {
		mantissa++ // up to 1<<53, which the sum below carries into the exponent
	}
	return math.Float64frombits(uint64(exponent+11+52+1023)<<52 + mantissa - 1<<52)
}
