// Package duration writes and reads durations as pipeline.yml has them: 30s, 5m,
// 1h30m, 1d.
package duration

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// units are the units of a duration, longest first.
var units = []struct {
	name string
	unit time.Duration
}{
	{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// Parse reads whole numbers, each with its unit, from long to short. A bare number
// has no unit and is no duration.
func Parse(s string) (time.Duration, bool) {
	var sum time.Duration
	last := time.Duration(math.MaxInt64)
	for s != "" {
		digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
		s = s[len(digits):]
		letters := s[:len(s)-len(strings.TrimLeft(s, "dhms"))]
		s = s[len(letters):]
		count, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, false
		}
		var unit time.Duration
		for _, u := range units {
			if u.name == letters {
				unit = u.unit
			}
		}
		if unit == 0 || unit >= last || count > int64((math.MaxInt64-sum)/unit) {
			return 0, false
		}
		sum, last = sum+time.Duration(count)*unit, unit
	}
	return sum, last != math.MaxInt64
}

// Format returns d in that form. What is finer than a millisecond is cut off.
func Format(d time.Duration) string {
	if d < 0 {
		return "-" + Format(-d)
	}
	var b strings.Builder
	for _, u := range units {
		if n := d / u.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d %= u.unit
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
