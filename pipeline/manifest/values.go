package manifest

import (
	"errors"
	"math"
	"strconv"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// errValue says that a text is not what its flag allows; Parse adds which flag,
// the text and what is allowed.
var errValue = errors.New("not allowed")

// text is a string field, which may have to be there.
type text struct {
	to       *string
	optional bool
}

func textOf(to *string) value     { return text{to: to} }
func optionalOf(to *string) value { return text{to: to, optional: true} }

func (t text) text() string { return *t.to }
func (t text) set(s string) error {
	if s == "" && !t.optional {
		return errValue
	}
	*t.to = s
	return nil
}

// integer is a whole number within bounds.
type integer[T int | int64] struct {
	to    *T
	least int64
	most  int64
}

func integerOf[T int | int64](to *T, least, most int64) value { return integer[T]{to, least, most} }

func (i integer[T]) text() string { return strconv.FormatInt(int64(*i.to), 10) }
func (i integer[T]) set(s string) error {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < i.least || v > i.most {
		return errValue
	}
	*i.to = T(v)
	return nil
}

// number is a finite number within bounds.
type number struct {
	to        *float64
	most      float64
	aboveZero bool // 0 itself is not allowed
}

func positiveOf(to *float64) value { return number{to, math.MaxFloat64, true} }
func shareOf(to *float64) value    { return number{to, 1, false} }

// secondsOf is a length of time; the bound keeps it countable in ticks.
func secondsOf(to *float64) value { return number{to, 1e11, false} }

func (n number) text() string { return strconv.FormatFloat(*n.to, 'f', -1, 64) }
func (n number) set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= n.most) || n.aboveZero && v == 0 {
		return errValue
	}
	*n.to = math.Abs(v) // a minus before 0 is lost
	return nil
}

// truth is true or false.
type truth bool

func (t *truth) text() string { return strconv.FormatBool(bool(*t)) }
func (t *truth) set(s string) error {
	if s != "true" && s != "false" {
		return errValue
	}
	*t = s == "true"
	return nil
}

// layout is how bronze is laid out.
type layout string

func (l *layout) text() string { return string(*l) }
func (l *layout) set(s string) error {
	if s != "liquid" && s != "zorder" {
		return errValue
	}
	*l = layout(s)
	return nil
}

// place is where shards run.
type place string

func (l *place) text() string { return string(*l) }
func (l *place) set(s string) error {
	if s != ShardsOnExecutors && s != ShardsOnDriver {
		return errValue
	}
	*l = place(s)
	return nil
}

// instantText is an instant in RFC 3339, kept as it was written; "" for none.
type instantText string

func (i *instantText) text() string { return string(*i) }
func (i *instantText) set(s string) error {
	if s != "" {
		if _, err := instant.Parse(s); err != nil {
			return errValue
		}
	}
	*i = instantText(s)
	return nil
}
