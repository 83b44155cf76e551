package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// level is a slow triangular wave over slots with noise on it: 24 bits.
func (p *profile) level(e *event) uint32 {
	phase := e.slot * 97 & 0xffff
	if phase >= 0x8000 {
		phase = 0xffff - phase
	}
	return (p.base + phase*64 + uint32(e.hash)&0x1fff) & 0xffffff
}

// appendNumber appends an ordinary value of a numeric point, as JSON.
func appendNumber(dst []byte, p *profile, e *event, q quirkSet) []byte {
	switch p.typ {
	case Int16:
		return strconv.AppendInt(dst, int64(int16(e.hash)), 10)
	case Int32:
		return strconv.AppendInt(dst, int64(int32(e.hash)), 10)
	case Float16: // a share of the span of 100
		dst = appendPadded(dst, uint64(p.level(e)>>17), 1)
		return appendTrimmed(dst, e.hash>>20%1000, 3)
	}
	level := p.level(e)
	if p.minus && level != 0 {
		dst = append(dst, '-')
	}
	if p.typ == Float64 {
		switch {
		case e.hash&63 == 0: // tiny: with an exponent, as .NET prints it
			dst = appendPadded(dst, uint64(1+level%9), 1)
			dst = appendTrimmed(dst, e.hash>>20%100000, 5)
			dst = append(dst, "E-"...)
			return appendPadded(dst, 5+e.hash>>8%20, 2)
		case p.index&1 == 0: // a sensor of limited precision
			dst = appendPadded(dst, uint64(level>>9), 1)
			return appendTrimmed(dst, e.hash>>20%10000, 4)
		}
	}
	if p.typ == Float32 && q.has(Float32Shortest) {
		return strconv.AppendFloat(dst, float64(level)/8192, 'f', -1, 32)
	}
	return appendDyadic(dst, level)
}

// appendDyadic appends level/8192, exactly. That is both a Float32 and, with its
// up to 17 digits, what such a value looks like widened to a double.
func appendDyadic(dst []byte, level uint32) []byte {
	dst = appendSmall(dst, level>>13)
	fraction := level & 8191
	if fraction == 0 {
		return dst
	}
	const fiveTo13 = 1220703125 // fraction/2^13 = fraction*5^13/10^13
	digits := uint64(fraction) * fiveTo13
	dst = append(dst, '.')
	dst = appendSeven(dst, uint32(digits/1_000_000))
	dst = appendSeven(dst, uint32(digits%1_000_000)*10)
	return dst[:len(dst)-1-bits.TrailingZeros32(fraction)]
}

// appendTrimmed appends a fraction of so many digits without trailing zeros.
func appendTrimmed(dst []byte, fraction uint64, digits int) []byte {
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, fraction, digits)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// specialNames are the floating-point values that JSON has no number for.
var specialNames = [...]string{"NaN", "Infinity", "-Infinity"}

func specialName(e *event) string { return specialNames[e.hash%3] }

// phrase is the pattern of a string value: texts around a number, as they are
// and as JSON (escaped in various ways, all legal).
type phrase struct {
	before, after         string
	beforeJSON, afterJSON string
	number                bool
}

var phrases = [16]phrase{
	{"Batch ", " started", "Batch ", " started", true},
	{"Batch ", " done", "Batch ", " done", true},
	{"OK", "", "OK", "", false},
	{"Recipe \"", "\"", `Recipe \"`, `\"`, true},
	{"C:\\data\\", ".csv", `C:\\data\\`, ".csv", true},
	{"Grüße ", " °C", `Gr\u00fc\u00dfe `, " °C", true},
	{"😀 ", " 日本", `\ud83d\ude00 `, " 日本", true},
	{"", "", "", "", false},
	{"line ", "\n\tnext", `line `, `\n\tnext`, true},
	{"NaN", "", "NaN", "", false},
	{"", ".5", "", ".5", true},
	{"a/b/", "/c", `a\/b\/`, "/c", true},
	{"Lot ", longRemark, "Lot ", longRemark, true},
	{"comma, ", ", and; semicolon", "comma, ", ", and; semicolon", true},
	{" padded ", " ", " padded ", " ", true},
	{"Operator ", "", "Operator ", "", true},
}

const longRemark = " was held for inspection because the laboratory had not confirmed the result of its second sample; " +
	"see the shift log for the reason, the names of those who decided, and what was done with the material afterwards"

// appendText appends an ordinary value of a point with texts, quoted and escaped
// when asJSON. The stamp prints values of type Timestamp.
func appendText(dst []byte, p *profile, e *event, stamp *stampWriter, asJSON bool) []byte {
	if asJSON {
		dst = append(dst, '"')
	}
	switch p.typ {
	case String:
		ph := &phrases[e.hash&15]
		before, after := ph.before, ph.after
		if asJSON {
			before, after = ph.beforeJSON, ph.afterJSON
		}
		dst = append(dst, before...)
		if ph.number {
			dst = appendPadded(dst, e.hash>>8%1000000, 1)
		}
		dst = append(dst, after...)
	case Timestamp:
		back := instant.Ticks(e.hash >> 8 % uint64(instant.Day))
		back -= back % fractions[e.hash&7].ticks
		dst = stamp.append(dst, e.at-back)
	default: // Blob
		var raw [8]byte
		binary.LittleEndian.PutUint64(raw[:], e.hash)
		dst = base64.StdEncoding.AppendEncode(dst, raw[:6])
	}
	if asJSON {
		dst = append(dst, '"')
	}
	return dst
}

// state returns the state that the event's value is, for system states and digital points.
func (p *profile) state(e *event) (set *digitalSet, position int) {
	if e.kind == system {
		return systemSet, int(e.hash)
	}
	return p.set, int(e.hash >> 8 % uint64(len(p.set.states)))
}
