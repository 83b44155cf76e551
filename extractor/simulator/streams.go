package simulator

import (
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// stream is one point of a call that reads.
type stream struct {
	asked string // the WebID in the call
	kind  WebIDType
	p     profile
	name  string
	bad   *problem // the answer for this stream, if not nil
	mixed bool     // its events are not in order of time
	items string   // replaces its events, if not ""
}

// open resolves a WebID for reading. A tag that fails is a bad stream.
func (c *call) open(id string) stream {
	s := stream{asked: id}
	index, kind, p := c.resolve(id)
	if p != nil {
		s.bad = p
		return s
	}
	s.kind, s.p, s.name = kind, c.archive.profile(index), c.d.name(index)
	switch fault := c.d.faults[index]; {
	case fault == FaultHang:
		s.bad = c.hang()
	case fault == FaultSummary && !strings.HasSuffix(c.what, "summary"):
	case fault == FaultUnordered:
		s.mixed = true
	case fault == FaultPermission && strings.HasSuffix(c.what, "recorded") && c.archive.quirks.has(NoAccessItems):
		s.items = unread
	default:
		s.bad = fault.problem(s.name)
	}
	return s
}

// span is a range of time to read. Backwards means that its end came first in the
// request: the answer is in reverse order.
type span struct {
	lo, hi    instant.Ticks // both belong to it
	limit     int
	backwards bool
}

// recordedSpan reads the parameters of recorded values.
func (c *call) recordedSpan() (span, *problem) {
	if c.q.get("desiredunits") != "" {
		return span{}, badRequest("The parameter 'desiredUnits' may not be given for PI Points.")
	}
	if c.q.get("filterexpression") != "" {
		return span{}, beyondSimulator("The parameter 'filterExpression'")
	}
	switch boundary := c.q.get("boundarytype"); strings.ToLower(boundary) {
	case "", "inside":
	case "outside", "interpolated":
		return span{}, beyondSimulator("The boundary type '" + boundary + "'")
	default:
		return span{}, badRequest("The value '%s' of parameter 'boundaryType' is not valid.", boundary)
	}
	s, p := c.timeSpan()
	if p != nil {
		return s, p
	}
	s.limit, p = c.q.count("maxcount", "maxCount", 1000)
	return s, p
}

// timeSpan reads startTime and endTime.
func (c *call) timeSpan() (span, *problem) {
	start, p := c.q.time("starttime", "startTime", "*-1d", c.now)
	if p != nil {
		return span{}, p
	}
	end, p := c.q.time("endtime", "endTime", "*", c.now)
	if p != nil {
		return span{}, p
	}
	s := span{lo: start, hi: end}
	if end < start {
		s = span{lo: end, hi: start, backwards: true}
	}
	if c.archive.quirks.has(RoundedBounds) {
		s.lo, s.hi = roundDown(s.lo), roundDown(s.hi+152) // a unit is 152.6 ticks
	}
	if !c.archive.quirks.has(InclusiveEnds) {
		s.lo++
	}
	return s, nil
}

// roundDown rounds to multiples of 1/65536 s, as PI's subseconds do.
func roundDown(t instant.Ticks) instant.Ticks {
	second, rest := t/instant.Second, t%instant.Second
	units := rest * 65536 / instant.Second
	return second*instant.Second + (units*instant.Second+65535)/65536
}

// cursor returns the events of a span that have happened.
func (c *call) cursor(p *profile, s span) *cursor {
	hi := s.hi
	if !p.future {
		hi = min(hi, c.now)
	}
	return c.archive.events(p, s.lo, hi)
}

// checkCap refuses more items than the server returns in a call.
func (c *call) checkCap(parameter string, items int) *problem {
	if items > c.o.MaxItemsPerCall && c.archive.quirks.has(OverCapRefused) {
		return badRequest("The specified '%s' of %d is greater than the maximum allowed (%d).", parameter, items, c.o.MaxItemsPerCall)
	}
	return nil
}

// checkItems refuses a call that would return too much, as the quirks have it.
func (c *call) checkItems(streams []stream, s span) *problem {
	if c.archive.quirks.has(CapByMaxCount) {
		return c.checkCap("maxCount", len(streams)*s.limit)
	}
	if !c.archive.quirks.has(OverCapRefused) {
		return nil
	}
	items := 0
	for i := range streams {
		if streams[i].bad != nil {
			continue
		}
		cur := c.cursor(&streams[i].p, s)
		for n := 0; n < s.limit && items <= c.o.MaxItemsPerCall && cur.next(); n++ {
			items++
		}
	}
	return c.checkCap("maxCount", items)
}

// writeItems writes the events of a span, up to its limit, without the brackets.
func (c *call) writeItems(layout *itemLayout, of *stream, s span) {
	if of.items != "" {
		c.out.buf = append(c.out.buf, of.items...)
		return
	}
	p := &of.p
	format := layout.of(p)
	if s.backwards {
		c.writeBackwards(&format, c.cursor(p, s), s.limit)
		return
	}
	b := c.out
	cur := c.cursor(p, s)
	limit := s.limit
	if c.archive.quirks.has(IgnoresMaxCount) {
		limit = math.MaxInt
	}
	n := 0
	for ; n < limit && cur.next(); n++ {
		if n > 0 {
			b.buf = append(b.buf, ',')
		}
		b.buf = format.append(b.buf, cur.e)
		if len(b.buf) >= spillAt && !b.spill() {
			break
		}
	}
	if of.mixed && n > 0 {
		b.buf = append(b.buf, `,{"Timestamp":"1990-01-01T00:00:00Z","Value":0,"Good":true}`...)
	}
	b.events += int64(n)
}

// writeBackwards writes the latest first. It holds all events of the span.
func (c *call) writeBackwards(format *itemFormat, cur *cursor, limit int) {
	var events []event
	for cur.next() {
		events = append(events, *cur.e)
	}
	slices.Reverse(events)
	events = events[:min(limit, len(events))]
	for i := range events {
		if i > 0 {
			c.out.buf = append(c.out.buf, ',')
		}
		c.out.buf = format.append(c.out.buf, &events[i])
		if !c.out.spill() {
			return
		}
	}
	c.out.events += int64(len(events))
}

// one opens and reads the stream of a call for one.
func (c *call) one() (stream, *problem) {
	s := c.open(c.path[0])
	if gone := c.read(1); gone != nil {
		return s, gone
	}
	return s, s.bad
}

func (c *call) streamRecorded() *problem {
	times, p := c.recordedSpan()
	if p != nil {
		return p
	}
	s, p := c.one()
	if p != nil {
		return p
	}
	if p := c.checkItems([]stream{s}, times); p != nil {
		return p
	}
	o := c.out.object(c.sel)
	o.links(c.recordedLinks(&s.p, times)...)
	if sel, ok := o.key("Items"); ok {
		c.out.buf = append(c.out.buf, '[')
		c.writeItems(c.layout(sel), &s, times)
		c.out.buf = append(c.out.buf, ']')
	}
	o.str("UnitsAbbreviation", "")
	o.end()
	return nil
}

// recordedLinks returns the link of a next page, unless truncation is silent: that page
// begins at the last event of this one.
func (c *call) recordedLinks(p *profile, s span) []string {
	if c.archive.quirks.has(SilentTruncation) || s.backwards {
		return nil
	}
	cur := c.cursor(p, s)
	var last instant.Ticks
	for n := 0; cur.next(); n++ {
		if n == s.limit {
			return []string{"Next", c.linkTo("starttime", last.String())}
		}
		last = cur.e.at
	}
	return nil
}

func (c *call) streamValue() *problem {
	t, p := c.valueTime()
	if p != nil {
		return p
	}
	return c.oneValue(func(*profile) instant.Ticks { return t })
}

func (c *call) streamEnd() *problem { return c.oneValue(c.end) }

// valueTime reads the parameter time.
func (c *call) valueTime() (instant.Ticks, *problem) {
	if c.q.get("desiredunits") != "" {
		return 0, badRequest("The parameter 'desiredUnits' may not be given for PI Points.")
	}
	return c.q.time("time", "time", "*", c.now)
}

// endAhead is how far beyond now a future point is taken to have data.
const endAhead = 7 * instant.Day

// end returns until when a point has data.
func (c *call) end(p *profile) instant.Ticks {
	if p.future {
		return c.now + endAhead
	}
	return c.now
}

func (c *call) oneValue(at func(p *profile) instant.Ticks) *problem {
	s, p := c.one()
	if p != nil {
		return p
	}
	c.writeValue(c.layout(c.sel), &s.p, at(&s.p))
	return nil
}

// writeValue writes the last event at or before t.
func (c *call) writeValue(layout *itemLayout, p *profile, t instant.Ticks) {
	if !p.future {
		t = min(t, c.now)
	}
	e, ok := c.archive.before(p, t)
	if !ok { // before the point was created: PI answers No Data
		e = event{at: t, hash: 1, kind: system}
	}
	format := layout.of(p)
	c.out.buf = format.append(c.out.buf, &e)
	c.out.events++
}

// status207 sets the status of an answer of which parts failed.
func (c *call) status207(streams []stream) {
	for i := range streams {
		if streams[i].bad != nil {
			c.out.status = http.StatusMultiStatus
		}
	}
}
