package simulator

import (
	"math"
	"math/bits"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// kind is the kind of an event's value.
type kind uint8

const (
	ordinary kind = iota // a value of the point's type
	system               // a system state
	special              // NaN or an infinity
	failed               // an error instead of a value
)

// Flags of an event, as printed; position in itemFormat.suffix.
const (
	flagGood uint8 = 1 << iota
	flagQuestionable
	flagSubstituted
	flagAnnotated
)

// event is an event before it is printed: its value follows from hash.
type event struct {
	at    instant.Ticks
	hash  uint64
	slot  uint32 // the low bits of its slot's number: values follow a wave over slots
	kind  kind
	flags uint8
}

// cursor walks over a point's events in a closed range, in order of time. Time is cut
// into slots of the point's period. The events of a slot follow from its number alone,
// so a walk may begin anywhere and costs what it passes. Not safe for concurrent use.
type cursor struct {
	a      *archive
	p      *profile
	lo, hi instant.Ticks
	slot   int64 // the next one to open
	last   int64
	buf    []event // what the open slot holds
	i      int
	e      *event // the current event, until next is called again
}

// events returns a cursor before the first event of p in [lo, hi].
func (a *archive) events(p *profile, lo, hi instant.Ticks) *cursor {
	c := &cursor{a: a, p: p, lo: lo, hi: hi, last: -1, buf: make([]event, 0, 8)}
	if lo > hi {
		return c
	}
	if lo <= p.created && p.created <= hi {
		c.buf = append(c.buf, createdEvent(p))
	}
	if p.period > 0 && hi > p.created {
		c.slot = max(p.first, int64(max(lo, p.created)/p.period))
		c.last = int64(hi / p.period)
	}
	return c
}

// next moves to the next event, into c.e. It reports false when there is none.
func (c *cursor) next() bool {
	if c.a.uniform && c.slot <= c.last && c.i == len(c.buf) {
		return c.nextUniform()
	}
	for {
		for c.i < len(c.buf) {
			e := &c.buf[c.i]
			c.i++
			if e.at >= c.lo && e.at <= c.hi {
				c.e = e
				return true
			}
		}
		if c.slot > c.last {
			return false
		}
		c.buf, c.i = c.a.open(c.p, c.slot, c.buf[:0]), 0
		c.slot++
	}
}

// nextUniform is next where each slot has one event.
func (c *cursor) nextUniform() bool {
	c.buf, c.i = c.buf[:1], 1
	c.e = &c.buf[0]
	for c.slot <= c.last {
		c.a.only(c.e, c.p, c.slot)
		c.slot++
		if c.e.at >= c.lo && c.e.at <= c.hi {
			return true
		}
	}
	return false
}

// only makes the event of a slot that has one.
func (a *archive) only(e *event, p *profile, slot int64) {
	h := slotHash(p, slot)
	a.decide(e, p, slot, h, a.moment(p, slot, h))
}

// slotHash is the hash from which all of a slot follows.
func slotHash(p *profile, slot int64) uint64 { return mix(p.seed ^ uint64(slot)*0xd1342543de82ef95) }

// createdEvent is a point's first event.
func createdEvent(p *profile) event {
	return event{at: p.created, hash: ptCreated, kind: system}
}

// before returns the last event at or before t; a point always has one from its creation on.
func (a *archive) before(p *profile, t instant.Ticks) (event, bool) {
	if t < p.created {
		return event{}, false
	}
	if p.period > 0 {
		var buf []event
		for slot := int64(t / p.period); slot >= p.first; slot-- {
			buf = a.open(p, slot, buf[:0])
			for i := len(buf) - 1; i >= 0; i-- {
				if buf[i].at <= t {
					return buf[i], true
				}
			}
		}
	}
	return createdEvent(p), true
}

// open appends the events of a slot, in order of time.
func (a *archive) open(p *profile, slot int64, buf []event) []event {
	if a.uniform {
		buf = append(buf, event{})
		a.only(&buf[len(buf)-1], p, slot)
		return buf
	}
	h := slotHash(p, slot)
	n, groupOf := 1, 1
	switch r := h & 63; {
	case p.burst && a.fullHour(p, slot):
		groupOf = a.burst
	case p.groups:
		groupOf = 2 + int(h>>6&0xffff)%6
	case r < 4:
		n = 0
	case r < 8:
		n = 2
	case r < 10 && a.quirks.has(DuplicateTimestamps):
		groupOf = 2 + int(h>>6&1)
	}
	start := len(buf)
	for i := range n {
		hi := mix(h + uint64(i))
		at := a.moment(p, slot, hi)
		for range groupOf {
			hi = mix(hi)
			buf = append(buf, event{})
			a.decide(&buf[len(buf)-1], p, slot, hi, at)
		}
	}
	if n == 2 {
		two := buf[start:]
		switch {
		case two[1].at < two[0].at:
			two[0], two[1] = two[1], two[0]
		case two[1].at == two[0].at && !a.quirks.has(DuplicateTimestamps):
			buf = buf[:start+1]
		}
	}
	return buf
}

// fullHour reports whether a full hour lies in the slot.
func (a *archive) fullHour(p *profile, slot int64) bool {
	start := instant.Ticks(slot) * p.period
	return start/instant.Hour != (start+p.period-1)/instant.Hour || start%instant.Hour == 0
}

// fraction is the unit of timestamps with a number of fractional digits.
type fraction struct {
	ticks      instant.Ticks
	reciprocal uint64 // 2^64 divided by ticks, rounded up; 0 for one tick
}

func newFraction(ticks instant.Ticks) fraction {
	return fraction{ticks, math.MaxUint64/uint64(ticks) + 1}
}

// fractions are the units for 0 to 7 digits.
var fractions = [8]fraction{
	newFraction(instant.Second), newFraction(instant.Second / 10), newFraction(instant.Second / 100),
	newFraction(instant.Millisecond), newFraction(instant.Millisecond / 10), newFraction(instant.Millisecond / 100),
	newFraction(instant.Microsecond), newFraction(1),
}

// moment picks an instant of the slot. It is a multiple of its digits' unit, and slots
// begin at such multiples, so it stays inside.
func (a *archive) moment(p *profile, slot int64, h uint64) instant.Ticks {
	hi, _ := bits.Mul64(h, uint64(p.period))
	offset := instant.Ticks(hi)
	digits := 3
	if a.quirks.has(MixedFractions) {
		digits = int(h & 7)
		if digits < 3 && !p.seconds {
			digits += 3
		}
	}
	if digits < 7 {
		// offset/unit by multiplication: exact, as offset*unit is less than 2^64
		unit := &fractions[digits]
		whole, _ := bits.Mul64(uint64(offset), unit.reciprocal)
		offset = instant.Ticks(whole) * unit.ticks
	}
	return instant.Ticks(slot)*p.period + offset
}

// Shares of 65536 of the events that are not ordinary.
const (
	systemShare  = 330
	failedShare  = 160
	specialShare = 220
)

// decide makes the event at an instant. It fills one in instead of returning it: copies
// of what was just written are slow.
func (a *archive) decide(e *event, p *profile, slot int64, h uint64, at instant.Ticks) {
	e.at, e.hash, e.slot, e.kind, e.flags = at, h, uint32(slot), ordinary, flagGood
	if lot := uint32(h >> 48); lot < systemShare+failedShare+specialShare {
		switch {
		case lot < systemShare:
			if a.quirks.has(SystemStates) {
				e.kind = system
				e.hash = h % ptCreated
				if h>>8&7 != 0 { // PI reports some of them as good
					e.flags = 0
				}
			}
		case lot < systemShare+failedShare:
			if a.quirks.has(ValueErrors) {
				e.kind = failed
				if a.quirks.has(ValueErrorObjects) {
					e.flags = 0
				}
			}
		case p.typ.float() && a.quirks.has(SpecialFloats):
			e.kind = special
		}
	}
	switch h >> 40 & 0xff {
	case 1:
		e.flags |= flagQuestionable
	case 2:
		e.flags |= flagSubstituted
	case 3:
		e.flags |= flagAnnotated
	case 4:
		e.flags &^= flagGood
	case 5:
		e.flags |= flagQuestionable | flagSubstituted | flagAnnotated
	}
}
