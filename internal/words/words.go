// Package words formats numbers so that a person reads them without
// calculating: thousands separators, units, lengths of time, amounts of money.
package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Count returns a whole number with thousands separators: 30,000.
func Count(n int) string { return humanize.Comma(int64(n)) }

// Plural returns a count and its noun: 1 tag, 30,000 tags.
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(n) + " " + noun
}

// Either is Plural for nouns whose plural takes more than an s:
// 1 batch, 2 batches.
func Either(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return Count(n) + " " + many
}

// Number returns a quantity with its significant digits: 0.25, 3.7, 541, 12,345.
func Number(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100 || x == math.Trunc(x):
		return humanize.Comma(int64(math.Round(x)))
	case a >= 10:
		return trim(strconv.FormatFloat(x, 'f', 1, 64))
	default:
		return trim(strconv.FormatFloat(x, 'f', 2, 64))
	}
}

// Short returns a large quantity in thousands (k), millions (M) or billions (G): 541 k, 1.2 M.
func Short(x float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if x >= u.size*0.9995 {
			digits := 0
			if x < 9.995*u.size {
				digits = 1
			}
			return trim(strconv.FormatFloat(x/u.size, 'f', digits, 64)) + u.name
		}
	}
	return strconv.FormatFloat(math.Round(x), 'f', 0, 64)
}

// Digits returns a number with three significant digits: 0.00123, 45.6, 1.23e+06.
func Digits(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }

// Share returns a part of a whole, 0 to 1, in percent. Only all of it is 100%, and only
// none of it is 0%.
func Share(x float64) string {
	percent := Number(100 * x)
	switch {
	case x < 1 && percent == "100":
		return "99.99%"
	case x > 0 && percent == "0":
		return "under 0.01%"
	}
	return percent + "%"
}

// trim cuts zeros after the decimal point.
func trim(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Span returns a length of time in its two greatest units: 45 s, 6 min 10 s, 2 h 5 min, 3 d 4 h.
func Span(seconds float64) string {
	s := int64(math.Round(seconds))
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return two(s, 60, "min", 1, "s")
	case s < 86400:
		return two((s+30)/60*60, 3600, "h", 60, "min")
	default:
		return two((s+1800)/3600*3600, 86400, "d", 3600, "h")
	}
}

// Every returns how often something happens: every minute, every 15 min, every 2 days.
func Every(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{time.Minute, "minute"}, {time.Hour, "hour"}, {24 * time.Hour, "day"}} {
		if d == u.length {
			return "every " + u.name
		}
	}
	if d > 24*time.Hour && d%(24*time.Hour) == 0 {
		return "every " + Plural(int(d/(24*time.Hour)), "day")
	}
	return "every " + Span(d.Seconds())
}

func two(s, large int64, largeName string, small int64, smallName string) string {
	whole, rest := s/large, s%large/small
	if rest == 0 {
		return fmt.Sprintf("%s %s", humanize.Comma(whole), largeName)
	}
	return fmt.Sprintf("%s %s %d %s", humanize.Comma(whole), largeName, rest, smallName)
}

// Clock returns a length of time as minutes:seconds, or hours:minutes:seconds from an hour on: 4:20.
func Clock(seconds float64) string {
	s := int64(math.Round(seconds))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Dollars returns an amount in USD: cents below 100, whole dollars from there on.
func Dollars(usd float64) string {
	sign := ""
	if usd < 0 {
		sign, usd = "-", -usd
	}
	switch {
	case usd == 0:
		return "$0"
	case usd < 0.01:
		return sign + "under $0.01"
	case usd < 99.995:
		return sign + "$" + strconv.FormatFloat(usd, 'f', 2, 64)
	}
	return sign + "$" + humanize.Comma(int64(math.Round(usd)))
}

// List names at most so many things: "a, b and 3 more".
func List(names []string, most int) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) == 1:
		return names[0]
	case len(names) <= most:
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return fmt.Sprintf("%s and %s more", strings.Join(names[:most], ", "), Count(len(names)-most))
}
