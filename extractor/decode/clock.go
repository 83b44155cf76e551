package decode

import (
	"encoding/binary"
	"math/bits"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// clock reads timestamps. It keeps the last date, since events of a body mostly
// share it.
type clock struct {
	date [10]byte
	day  int64 // ticks at the beginning of date
}

const (
	tickSecond = int64(instant.Second)
	tickDay    = int64(instant.Day)
)

var tickPowers = [...]int64{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000}

// parse reads a UTC instant as PI Web API prints it, 2006-01-02T15:04:05Z with 0
// to 7 fractional digits, at data[p:]. next is the position after the Z, and 0 if
// something else is there, or too few bytes.
func (c *clock) parse(data []byte, p int) (ticks int64, next int) {
	// The widest form has 28 bytes. Whatever a body holds, more follows it.
	if p+28 > len(data) {
		return 0, 0
	}
	s := data[p : p+28]
	if string(s[:10]) != string(c.date[:]) && !c.setDate(s) {
		return 0, 0
	}
	// "15:04:05": after the xor digits are 0 to 9 and colons 0. Adding 0x76 or
	// 0x7f carries anything greater into the top bit of its byte.
	x := binary.LittleEndian.Uint64(s[11:]) ^ 0x30303a30303a3030
	if s[10] != 'T' || (x|(x+0x76767f76767f7676))&0x8080808080808080 != 0 {
		return 0, 0
	}
	hour := int64(x&15)*10 + int64(x>>8&15)
	minute := int64(x>>24&15)*10 + int64(x>>32&15)
	second := int64(x>>48&15)*10 + int64(x>>56)
	if hour > 23 || minute > 59 || second > 59 {
		return 0, 0
	}
	ticks = c.day + (hour*3600+minute*60+second)*tickSecond
	if s[19] == 'Z' {
		return ticks, p + 20
	}
	if s[19] != '.' {
		return 0, 0
	}
	f := binary.LittleEndian.Uint64(s[20:])
	z := f ^ 0x3030303030303030
	n := bits.TrailingZeros64((z|(z+0x7676767676767676))&0x8080808080808080) / 8 // digits before the first other byte
	if n == 0 || n == 8 || s[20+n] != 'Z' {
		return 0, 0
	}
	ticks += int64(eightDigitValue(f<<(64-8*n))) * tickPowers[7-n]
	return ticks, p + 21 + n
}

// setDate makes the date that s begins with the one that is kept.
func (c *clock) setDate(s []byte) bool {
	for i := range 10 {
		if i == 4 || i == 7 {
			if s[i] != '-' {
				return false
			}
		} else if s[i]-'0' > 9 {
			return false
		}
	}
	two := func(i int) int64 { return int64(s[i]-'0')*10 + int64(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return false
	}
	copy(c.date[:], s)
	c.day = daysSince1970(year, month, day) * tickDay
	return true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts the days to a date of the Gregorian calendar, years 0 to 9999.
func daysSince1970(year, month, day int64) int64 {
	// Years that begin in March have the leap day at their end, and months
	// whose lengths follow a line: 153 days in five of them.
	year += 400 // so that no division below is of a negative number
	month -= 3
	if month < 0 {
		month, year = month+12, year-1
	}
	const epoch = 719468 + 146097 // from the 1st of March of the year -400
	return year*365 + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - epoch
}

// timestamp reads the text of a timestamp in whatever RFC 3339 form it has.
func (c *clock) timestamp(text []byte) (int64, bool) {
	var padded [29]byte
	if len(text) < len(padded) {
		copy(padded[:], text)
		if ticks, next := c.parse(padded[:], 0); next > 0 && next == len(text) {
			return ticks, true
		}
	}
	ticks, err := instant.Parse(string(text))
	return int64(ticks), err == nil
}
