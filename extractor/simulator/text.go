package simulator

import "github.com/bundlegen/bundlegen/pipeline/instant"

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

// appendJSONString appends s, which is UTF-8, in quotes, with what JSON wants
// escaped.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendSeven appends v < 10,000,000 with 7 digits.
func appendSeven(dst []byte, v uint32) []byte {
	dst = append(dst, "0000000"...)
	d := dst[len(dst)-7:]
	high, low := v/10000, v%10000
	a, b, c := 2*(high%100), 2*(low/100), 2*(low%100)
	d[0] = byte('0' + high/100)
	d[1], d[2] = digitPairs[a], digitPairs[a+1]
	d[3], d[4] = digitPairs[b], digitPairs[b+1]
	d[5], d[6] = digitPairs[c], digitPairs[c+1]
	return dst
}

// appendSmall appends v < 10,000.
func appendSmall(dst []byte, v uint32) []byte {
	a, b := 2*(v/100), 2*(v%100)
	switch {
	case v >= 1000:
		return append(dst, digitPairs[a], digitPairs[a+1], digitPairs[b], digitPairs[b+1])
	case v >= 100:
		return append(dst, digitPairs[a+1], digitPairs[b], digitPairs[b+1])
	case v >= 10:
		return append(dst, digitPairs[b], digitPairs[b+1])
	}
	return append(dst, digitPairs[b+1])
}

// stampWriter prints instants as PI does: UTC, 0 to 7 fractional digits, between
// a fixed prefix and a fixed tail. It keeps the last day's text, since events
// come in order. Not safe for concurrent use.
type stampWriter struct {
	fixed bool          // always 7 digits
	tail  string        // Z and what follows
	start instant.Ticks // of the day
	text  []byte        // the prefix and 2006-01-02T00:00:00.
}

const stampLength = len("2006-01-02T15:04:05.")

func newStampWriter(prefix, tail string, fixed bool) stampWriter {
	return stampWriter{fixed: fixed, tail: tail, text: append([]byte(prefix), "1970-01-01T00:00:00."...)}
}

func (w *stampWriter) append(dst []byte, t instant.Ticks) []byte {
	if t < w.start || t-w.start >= instant.Day {
		w.setDay(t)
	}
	ofDay := uint64(t - w.start)
	second := uint32(ofDay / uint64(instant.Second))
	frac := uint32(ofDay - uint64(second)*uint64(instant.Second))
	minute := second / 60
	h, m, s := 2*(minute/60), 2*(minute%60), 2*(second%60)
	// The digits are written into the copy: writing them into the text first would
	// make the copy wait for them.
	dst = append(dst, w.text...)
	clock := dst[len(dst)-len("15:04:05."):]
	clock[0], clock[1] = digitPairs[h], digitPairs[h+1]
	clock[3], clock[4] = digitPairs[m], digitPairs[m+1]
	clock[6], clock[7] = digitPairs[s], digitPairs[s+1]
	switch {
	case frac != 0:
		dst = appendSeven(dst, frac)
		for !w.fixed && dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	case w.fixed:
		dst = append(dst, "0000000"...)
	default:
		dst = dst[:len(dst)-1]
	}
	return append(dst, w.tail...)
}

// setDay makes the day of t the one whose text is kept.
func (w *stampWriter) setDay(t instant.Ticks) {
	day := t / instant.Day
	if t < day*instant.Day {
		day--
	}
	w.start = day * instant.Day
	setDate(w.text[len(w.text)-stampLength:], day)
}

// setDate writes the date of a day since 1970-01-01 as 2006-01-02. Years are
// counted from March on, in eras of 400 years (146,097 days), so that leap days
// come last.
func setDate(text []byte, day instant.Ticks) {
	const marchOfYear0 = 719_468 // days from 0000-03-01 to 1970-01-01
	days := uint32(max(day+marchOfYear0, 0))
	era, d := days/146_097, days%146_097
	year := (d - d/1460 + d/36524 - d/146_096) / 365
	d -= 365*year + year/4 - year/100 // of the year
	month := (5*d + 2) / 153          // from March
	d -= (153*month + 2) / 5
	year += 400 * era
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	appendPadded(text[:0], uint64(year), 4)
	appendPadded(text[:5], uint64(month), 2)
	appendPadded(text[:8], uint64(d+1), 2)
}
