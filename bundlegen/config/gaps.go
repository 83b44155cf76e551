package config

import (
	"math"
	"slices"
	"strings"
	"time"
)

// LongestGapOf returns the longest time between two runs of a Quartz expression in
// UTC: three days for one that fires once on each weekday. It is 0 when the expression
// is none, when it fires less than twice in 60 years, or only in some years.
func LongestGapOf(expr string) time.Duration {
	s, err := parseCron(expr)
	if err != nil {
		return 0
	}
	fields := strings.Fields(strings.ToUpper(expr))
	if len(fields) == 7 && fields[6] != "*" {
		return 0
	}
	first, last, _, longest := s.ofDay()
	previous := time.Time{}
	gap := time.Duration(0)
	// Within 28 years each date falls on each day of the week: twice that, to have a gap.
	for d := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2060; d = d.AddDate(0, 0, 1) {
		if !s.on(d, fields[3], fields[5]) {
			continue
		}
		if !previous.IsZero() {
			gap = max(gap, d.Sub(previous)-last+first)
		}
		previous = d
	}
	if gap == 0 {
		return 0
	}
	return max(gap, longest)
}

// ofDay returns the first and the last time of a day at which the schedule fires, and
// the least and the longest gap between; with one time the least is without a bound.
func (s schedule) ofDay() (first, last, shortest, longest time.Duration) {
	first, last, shortest = -1, -1, math.MaxInt64
	for _, h := range s[2] {
		for _, m := range s[1] {
			for _, sec := range s[0] {
				at := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second
				if last < 0 {
					first = at
				} else {
					shortest, longest = min(shortest, at-last), max(longest, at-last)
				}
				last = at
			}
		}
	}
	return first, last, shortest, longest
}

// on reports whether the schedule fires on a date. The texts are those of its fields
// of days, of which one is ?.
func (s schedule) on(d time.Time, ofMonth, ofWeek string) bool {
	if !slices.Contains(s[4], int(d.Month())) {
		return false
	}
	end := time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if ofWeek == "?" {
		if s[3] != nil {
			return slices.Contains(s[3], d.Day())
		}
		return d.Day() == fromEnd(ofMonth, d, end)
	}
	weekday := int(d.Weekday()) + 1
	if s[5] != nil {
		return slices.Contains(s[5], weekday)
	}
	if ofWeek == "L" {
		return weekday == 7
	}
	field := cronFields[5]
	if name, ok := strings.CutSuffix(ofWeek, "L"); ok {
		wanted, _ := field.value(name)
		return weekday == wanted && d.Day()+7 > end
	}
	name, nth, _ := strings.Cut(ofWeek, "#")
	wanted, _ := field.value(name)
	n, _ := digits(nth)
	return weekday == wanted && (d.Day()+6)/7 == n
}

// fromEnd returns the day that L, L-3, LW or 15W is in the month of d, whose last day
// is end; 0 where it has none.
func fromEnd(text string, d time.Time, end int) int {
	if before, ok := strings.CutPrefix(text, "L-"); ok {
		n, _ := digits(before)
		return max(0, end-n)
	}
	if text == "L" {
		return end
	}
	day := end
	if text != "LW" {
		day, _ = digits(strings.TrimSuffix(text, "W"))
	}
	if day > end {
		return 0
	}
	// The nearest weekday of the same month.
	switch weekday := time.Date(d.Year(), d.Month(), day, 0, 0, 0, 0, time.UTC).Weekday(); {
	case weekday == time.Saturday && day == 1:
		return day + 2
	case weekday == time.Saturday:
		return day - 1
	case weekday == time.Sunday && day == end:
		return day - 2
	case weekday == time.Sunday:
		return day + 1
	}
	return day
}
