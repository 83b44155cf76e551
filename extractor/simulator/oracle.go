package simulator

import (
	"math"
	"strconv"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Event is what a client should make of one event, in the terms of the table
// bronze.pi_timeseries: a number has HasValue, a text has HasText, a digital or
// system state has HasText and HasCode, an error none of the three.
type Event struct {
	Ticks                                      instant.Ticks
	Value                                      float64 // as the printed number reads as a float64; may be NaN or infinite
	Text                                       string
	Code                                       int32
	HasValue, HasText, HasCode                 bool
	Good, Questionable, Substituted, Annotated bool
}

// Tag is a point as the server knows it now.
type Tag struct {
	Index         int // for Oracle.Events; stays when the tag is renamed
	PointID       int64
	Name          string
	WebID         string // of the server's default kind
	PointType     PointType
	Units         string
	DigitalSet    string
	Descriptor    string
	Future        bool
	EventsPerHour float64 // expected
}

// Oracle knows in process what the server holds. It is safe for concurrent use.
type Oracle struct {
	a       *archive
	ids     webIDs
	current func() *directory
}

// Oracle returns the oracle of this server. It follows the server's runtime changes.
func (s *Server) Oracle() *Oracle {
	return &Oracle{a: s.archive, ids: s.ids, current: s.directory}
}

// NewOracle returns the oracle of a server with these options that has not been
// changed at run time, without a server.
func NewOracle(o Options) *Oracle { return New(o).Oracle() }

// Tags lists the points that the server has now, by index.
func (o *Oracle) Tags() []Tag {
	d := o.current()
	list := make([]Tag, 0, d.len())
	for i := range d.len() {
		list = append(list, o.tag(d, d.at(i)))
	}
	return list
}

// Find returns the tag with this name (in any case), if there is one.
func (o *Oracle) Find(name string) (Tag, bool) {
	d := o.current()
	index, ok := d.find(name)
	if !ok {
		return Tag{}, false
	}
	return o.tag(d, index), true
}

// WebID returns the id of the point with this index, of the given kind.
func (o *Oracle) WebID(index int, kind WebIDType) string {
	return string(o.ids.appendPoint(nil, kind, index, o.current().name(index)))
}

// States lists the states of a digital set; nil when there is no such set.
func (o *Oracle) States(set string) []State {
	for _, s := range allSets() {
		if s.name == set {
			return append([]State(nil), s.states...)
		}
	}
	return nil
}

func (o *Oracle) tag(d *directory, index int) Tag {
	p, name := o.a.profile(index), d.name(index)
	return Tag{
		Index:         index,
		PointID:       int64(index) + 1,
		Name:          name,
		WebID:         string(o.ids.appendPoint(nil, o.ids.kind, index, name)),
		PointType:     p.typ,
		Units:         p.units(),
		DigitalSet:    p.setName(),
		Descriptor:    p.descriptor(),
		Future:        p.future,
		EventsPerHour: o.a.eventsPerHour(&p),
	}
}

// Events returns the events in (after, until] of the point with this index, in the
// order in which the server returns them. It knows no clock: events after the
// server's now are those that it will show then. A removed point keeps its events.
func (o *Oracle) Events(index int, after, until instant.Ticks) []Event {
	p := o.a.profile(index)
	var list []Event
	var text []byte
	for c := o.a.events(&p, after+1, until); c.next(); {
		var e Event
		e, text = o.a.interpret(&p, c.e, text)
		list = append(list, e)
	}
	return list
}

// Count is the number of Events in (after, until].
func (o *Oracle) Count(index int, after, until instant.Ticks) int {
	p := o.a.profile(index)
	n := 0
	for c := o.a.events(&p, after+1, until); c.next(); {
		n++
	}
	return n
}

// interpret returns what a client should make of an event. text is a scratch buffer.
func (a *archive) interpret(p *profile, e *event, text []byte) (Event, []byte) {
	x := Event{
		Ticks:        e.at,
		Good:         e.flags&flagGood != 0,
		Questionable: e.flags&flagQuestionable != 0,
		Substituted:  e.flags&flagSubstituted != 0,
		Annotated:    e.flags&flagAnnotated != 0 && a.quirks.has(PrintsAnnotated),
	}
	switch {
	case e.kind == failed:
	case e.kind == special:
		x.HasValue = true
		switch specialName(e) {
		case "NaN":
			x.Value = math.NaN()
		case "Infinity":
			x.Value = math.Inf(1)
		default:
			x.Value = math.Inf(-1)
		}
	case e.kind == system || p.typ == Digital:
		set, i := p.state(e)
		x.HasText, x.HasCode = true, true
		x.Text, x.Code = set.states[i].Name, set.states[i].Value
	case p.typ.number():
		text = appendNumber(text[:0], p, e, a.quirks)
		x.HasValue = true
		x.Value, _ = strconv.ParseFloat(string(text), 64) // our own text: it is a number
	default:
		stamp := newStampWriter("", "Z", false)
		text = appendText(text[:0], p, e, &stamp, false)
		x.HasText, x.Text = true, string(text)
	}
	return x, text
}
