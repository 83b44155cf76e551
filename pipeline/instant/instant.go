// Package instant is the pipeline's notion of time: PI's own resolution, and no other.
//
// PI counts time in units of 100 ns. Everything that is stored or compared
// here (watermarks, event times, the end of a run) is a count of such ticks
// since 1970-01-01T00:00:00Z, so that nothing is rounded on the way.
package instant

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Ticks is an instant: units of 100 ns since 1970-01-01T00:00:00Z, in UTC.
type Ticks int64

// Durations in ticks.
const (
	Microsecond Ticks = 10
	Millisecond       = 1000 * Microsecond
	Second            = 1000 * Millisecond
	Minute            = 60 * Second
	Hour              = 60 * Minute
	Day               = 24 * Hour
)

// FromTime returns t in ticks; what is finer than 100 ns is cut off (towards the past).
func FromTime(t time.Time) Ticks {
	return Ticks(t.Unix())*Second + Ticks(t.Nanosecond()/100)
}

// FromMillis returns the instant that is ms milliseconds after 1970-01-01Z.
func FromMillis(ms int64) Ticks { return Ticks(ms) * Millisecond }

// FromDuration returns a length of time in ticks; what is finer than 100 ns is cut off.
func FromDuration(d time.Duration) Ticks { return Ticks(d / 100) }

// Duration returns a length of time; what is beyond 292 years is cut off.
func (t Ticks) Duration() time.Duration {
	const most = Ticks(math.MaxInt64 / 100)
	return time.Duration(min(max(t, -most), most)) * 100
}

// Time returns t as a time.Time in UTC.
func (t Ticks) Time() time.Time {
	s, r := t/Second, t%Second
	if r < 0 {
		s, r = s-1, r+Second
	}
	return time.Unix(int64(s), int64(r)*100).UTC()
}

// Micros returns t in whole microseconds (rounded towards the past) and the rest
// of 0 to 9 ticks: the columns `timestamp` and `timestamp_100ns` of bronze.
func (t Ticks) Micros() (us int64, rest int8) {
	us, r := int64(t)/10, int64(t)%10
	if r < 0 {
		us, r = us-1, r+10
	}
	return us, int8(r)
}

// String returns t in RFC 3339, UTC, with as many fractional digits (0 to 7) as it needs.
func (t Ticks) String() string {
	return t.Time().Format("2006-01-02T15:04:05.9999999Z07:00")
}

// Parse reads an RFC 3339 instant with 0 to 7 fractional digits. An offset is
// converted to UTC; a missing one is an error, since a local time of an unknown
// place is not an instant.
func Parse(s string) (Ticks, error) {
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	if err != nil {
		return 0, fmt.Errorf("%q is not an instant such as 2026-01-31T12:00:00Z", s)
	}
	return FromTime(t), nil
}
