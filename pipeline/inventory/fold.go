package inventory

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldedHash is a hash of a tag's name that does not tell upper from lower
// case: names that strings.EqualFold takes for equal have the same hash.
func foldedHash(name string) uint64 {
	const m1, m2 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db // odd, random
	// In ASCII, upper and lower case differ in one bit. Cleared in all bytes, it
	// also makes one of some pairs that are no letters, which costs a
	// comparison and no more.
	const caseBits = 0x2020202020202020
	h, rest := uint64(len(name))*m1, name
	for len(rest) > 0 {
		var word uint64
		if len(rest) >= 8 {
			word = uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24 |
				uint64(rest[4])<<32 | uint64(rest[5])<<40 | uint64(rest[6])<<48 | uint64(rest[7])<<56
			rest = rest[8:]
		} else {
			for i := range len(rest) {
				word |= uint64(rest[i]) << (8 * i)
			}
			rest = ""
		}
		if word&0x8080808080808080 != 0 {
			return foldedHash(foldASCII(name))
		}
		high, low := bits.Mul64(h^(word&^caseBits), m2)
		h = high ^ low
	}
	return h
}

// Fold returns a form of a name that is the same for names that PI holds to be
// one: those that strings.EqualFold takes for equal, and no others. Upper or
// lower case alone is not such a form, since some characters have several.
func Fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return strings.Map(least, name)
		}
	}
	return strings.ToUpper(name) // which in ASCII are the lesser characters
}

// least returns the smallest of the characters that differ only in case, which
// for some characters beyond ASCII is an ASCII letter.
func least(r rune) rune {
	smallest := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		smallest = min(smallest, o)
	}
	return smallest
}

// foldASCII is for names beyond ASCII: 7-bit bytes that are the same for names
// that differ only in case.
func foldASCII(name string) string {
	folded := make([]byte, 0, 2*len(name))
	for _, r := range name {
		r = least(r)
		if r < utf8.RuneSelf {
			folded = append(folded, byte(r))
			continue
		}
		for ; r > 0; r >>= 7 {
			folded = append(folded, byte(r&0x7f))
		}
	}
	return string(folded)
}
