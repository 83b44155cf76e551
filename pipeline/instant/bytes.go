package instant

// ParseBytes reads an instant as PI Web API prints it: YYYY-MM-DDTHH:MM:SS, a
// point and 1 to 7 digits where there is a fraction, and Z. Anything else is
// false, more digits too: PI counts no finer, so they would be no instant of
// PI's; nothing is cut off silently. It allocates nothing.
func ParseBytes(b []byte) (Ticks, bool) {
	const whole = len("2006-01-02T15:04:05")
	if len(b) <= whole || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	var bad uint // not 0 once there was something that is no digit
	two := func(i int) uint {
		tens, ones := uint(b[i]-'0'), uint(b[i+1]-'0')
		if tens > 9 || ones > 9 {
			bad = 1
		}
		return tens*10 + ones
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if bad != 0 || month-1 > 11 || day-1 >= daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := Ticks(days(year, month, day))*Day + Ticks(hour*3600+minute*60+second)*Second

	rest := b[whole:]
	if rest[0] == 'Z' {
		return t, len(rest) == 1
	}
	digits := len(rest) - len(".Z")
	if rest[0] != '.' || rest[len(rest)-1] != 'Z' || digits < 1 || digits > 7 {
		return 0, false
	}
	fraction := Ticks(0)
	for _, c := range rest[1 : 1+digits] {
		if c-'0' > 9 {
			return 0, false
		}
		fraction = fraction*10 + Ticks(c-'0')
	}
	return t + fraction*scale[digits], true
}

// scale is the ticks that the last of so many digits counts.
var scale = [8]Ticks{1: 1_000_000, 2: 100_000, 3: 10_000, 4: 1_000, 5: 100, 6: 10, 7: 1}

// daysIn gives the days of a month, 1 to 12.
func daysIn(year, month uint) uint {
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

// days counts the days from 1970-01-01 to a date of the Gregorian calendar. The
// year is taken to begin in March, so that the leap day is its last, and months
// before it have 153 days in five; in 400 years there are 146,097 days.
func days(year, month, day uint) int {
	y := int(year)
	m := int(month) - 3
	if m < 0 {
		m += 12
		y--
	}
	era := y / 400
	if y < 0 { // January and February of year 0
		era = -1
	}
	inEra := y - era*400
	ofYear := (153*m+2)/5 + int(day) - 1
	const to1970 = 719_468 // days from 0000-03-01
	return era*146_097 + inEra*365 + inEra/4 - inEra/100 + ofYear - to1970
}
