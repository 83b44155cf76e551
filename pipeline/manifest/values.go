package manifest

import (
	"math"
	"slices"
	"strconv"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// value reads and writes one field of Parameters as text. set reports whether the
// text is allowed; if not, the field keeps its value.
type value interface {
	text() string
	set(string) bool
}

// text is a string for which allowed is true.
type text struct {
	to      *string
	allowed func(string) bool
}

func (t text) text() string { return *t.to }
func (t text) set(s string) bool {
	if !t.allowed(s) {
		return false
	}
	*t.to = s
	return true
}

func textOf(to *string) value    { return text{to, func(s string) bool { return s != "" }} }
func anyTextOf(to *string) value { return text{to, func(string) bool { return true }} }

func oneOf(to *string, words ...string) value {
	return text{to, func(s string) bool { return slices.Contains(words, s) }}
}

// instantOf is an instant in RFC 3339, kept as it was written; "" for none.
func instantOf(to *string) value {
	return text{to, func(s string) bool {
		_, err := instant.Parse(s)
		return s == "" || err == nil
	}}
}

// integer is a whole number within bounds.
type integer[T int | int64] struct {
	to       *T
	min, max int64
}

func integerOf[T int | int64](to *T, min, max int64) value { return integer[T]{to, min, max} }

func (i integer[T]) text() string { return strconv.FormatInt(int64(*i.to), 10) }
func (i integer[T]) set(s string) bool {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < i.min || v > i.max {
		return false
	}
	*i.to = T(v)
	return true
}

// number is a finite number from 0 to max.
type number struct {
	to        *float64
	max       float64
	aboveZero bool // 0 itself is not allowed
}

func positiveOf(to *float64) value { return number{to, math.MaxFloat64, true} }
func shareOf(to *float64) value    { return number{to, 1, false} }

// secondsOf is a length of time; the bound keeps it countable in ticks.
func secondsOf(to *float64) value { return number{to, 1e11, false} }

func (n number) text() string { return strconv.FormatFloat(*n.to, 'f', -1, 64) }
func (n number) set(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= n.max) || n.aboveZero && v == 0 {
		return false
	}
	*n.to = math.Abs(v) // -0 becomes 0
	return true
}

// truth is true or false.
type truth struct{ to *bool }

func truthOf(to *bool) value { return truth{to} }

func (t truth) text() string { return strconv.FormatBool(*t.to) }
func (t truth) set(s string) bool {
	if s != "true" && s != "false" {
		return false
	}
	*t.to = s == "true"
	return true
}
