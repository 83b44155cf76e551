package simulator

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// summaryTypes are those that the server computes, in the order of "All".
var summaryTypes = []string{"Total", "Average", "Minimum", "Maximum", "Range", "Count", "PercentGood"}

// summaryAsk holds the parameters of a summary call.
type summaryAsk struct {
	span
	types    []string
	weighted bool // by events; otherwise by time
}

func (c *call) summaryAsk() (summaryAsk, *problem) {
	var a summaryAsk
	q := c.archive.quirks
	if q.has(NoSummary) {
		return a, noRoute(c.uri)
	}
	var p *problem
	if a.span, p = c.timeSpan(); p != nil {
		return a, p
	}
	for _, name := range []string{"desiredUnits", "filterExpression", "sampleInterval", "summaryDuration"} {
		if c.q.get(strings.ToLower(name)) != "" {
			return a, beyondSimulator("The parameter '" + name + "'")
		}
	}
	switch basis := c.q.get("calculationbasis"); strings.ToLower(basis) {
	case "", "timeweighted":
	case "eventweighted":
		a.weighted = true
	default:
		return a, badRequest("The value '%s' of parameter 'calculationBasis' is not valid.", basis)
	}
	asked := c.q.all("summarytype")
	if len(asked) == 0 {
		asked = []string{"Total"}
	}
	for _, name := range asked {
		i := slices.IndexFunc(summaryTypes, func(t string) bool { return strings.EqualFold(t, name) })
		switch {
		case i >= 0:
			a.types = append(a.types, summaryTypes[i])
		case strings.EqualFold(name, "All"):
			a.types = append(a.types, summaryTypes...)
		case slices.ContainsFunc([]string{"None", "StdDev", "PopulationStdDev", "AllForNonNumeric"},
			func(t string) bool { return strings.EqualFold(t, name) }):
			return a, beyondSimulator("The summary type '" + name + "'")
		default:
			return a, badRequest("The value '%s' of parameter 'summaryType' is not valid.", name)
		}
	}
	if q.has(NoCountSummary) && slices.Contains(a.types, "Count") {
		return a, &problem{status: http.StatusNotImplemented, errors: []string{"The summary type 'Count' is not supported."}}
	}
	return a, nil
}

// summary summarizes the events of a range.
type summary struct {
	events, good  int
	weight, total float64 // of good numbers; the weight is in events or in seconds
	low, high     float64
	lowAt, highAt instant.Ticks
	seconds       float64 // of the range
}

// summarize goes over all events of a range. By time, a value holds until the
// next event, and none before the first one of the range.
func (c *call) summarize(p *profile, a summaryAsk) summary {
	s := summary{low: math.Inf(1), high: math.Inf(-1), seconds: float64(a.hi-a.lo) / float64(instant.Second)}
	var text []byte
	var held Event
	holding := false
	hold := func(until instant.Ticks) {
		if holding {
			w := float64(until-held.Ticks) / float64(instant.Second)
			s.weight += w
			s.total += w * held.Value
		}
	}
	end := a.hi
	if !p.future {
		end = min(end, c.now)
	}
	for cur := c.cursor(p, a.span); cur.next(); {
		var e Event
		e, text = c.archive.interpret(p, cur.e, text)
		s.events++
		if e.Good {
			s.good++
		}
		hold(e.Ticks)
		holding = e.Good && e.HasValue && !math.IsNaN(e.Value) && !math.IsInf(e.Value, 0)
		held = e
		if !holding {
			continue
		}
		if e.Value < s.low {
			s.low, s.lowAt = e.Value, e.Ticks
		}
		if e.Value > s.high {
			s.high, s.highAt = e.Value, e.Ticks
		}
		if a.weighted {
			s.weight++
			s.total += e.Value
			holding = false
		}
	}
	if holding {
		hold(end)
	}
	return s
}

// value returns a summary value of a type and its time; NaN if there is none.
func (s *summary) value(typ string, a summaryAsk, goodOnly bool) (float64, instant.Ticks) {
	switch typ {
	case "Count":
		switch {
		case !a.weighted:
			return s.weight, a.lo
		case goodOnly:
			return float64(s.good), a.lo
		}
		return float64(s.events), a.lo
	case "PercentGood":
		if a.weighted && s.events > 0 {
			return 100 * float64(s.good) / float64(s.events), a.lo
		}
		if !a.weighted && s.seconds > 0 {
			return 100 * s.weight / s.seconds, a.lo
		}
		return 0, a.lo
	}
	if s.weight == 0 || math.IsInf(s.low, 1) {
		return math.NaN(), a.lo
	}
	switch typ {
	case "Total":
		if a.weighted {
			return s.total, a.lo
		}
		return s.total / 86400, a.lo // PI integrates over days
	case "Average":
		return s.total / s.weight, a.lo
	case "Minimum":
		return s.low, s.lowAt
	case "Maximum":
		return s.high, s.highAt
	}
	return s.high - s.low, a.lo // Range
}

// writeSummary writes the field Items of a summary.
func (c *call) writeSummary(o *object, p *profile, a summaryAsk) {
	s := c.summarize(p, a)
	stamp := newStampWriter("", "Z", false)
	o.list("Items", len(a.types), func(i int, sel *selection) {
		v, at := s.value(a.types[i], a, c.archive.quirks.has(CountGoodOnly))
		item := c.out.object(sel)
		item.str("Type", a.types[i])
		if sel, ok := item.key("Value"); ok {
			value := c.out.object(sel)
			value.str("Timestamp", string(stamp.append(nil, at)))
			good := !math.IsNaN(v)
			switch {
			case !good:
				value.raw("Value", systemSet.json[1]+`,"IsSystem":true}`)
			case a.types[i] == "Count" && a.weighted:
				value.raw("Value", strconv.Itoa(int(v)))
			default:
				value.raw("Value", strconv.FormatFloat(v, 'g', -1, 64))
			}
			value.str("UnitsAbbreviation", "")
			value.boolean("Good", good)
			value.boolean("Questionable", false)
			value.boolean("Substituted", false)
			if c.archive.quirks.has(PrintsAnnotated) {
				value.boolean("Annotated", false)
			}
			value.end()
		}
		item.end()
	})
}

func (c *call) streamSummary() *problem {
	a, p := c.summaryAsk()
	if p != nil {
		return p
	}
	s, p := c.one()
	if p != nil {
		return p
	}
	o := c.out.object(c.sel)
	o.links()
	c.writeSummary(&o, &s.p, a)
	o.end()
	return nil
}

func (c *call) setSummary() *problem {
	a, p := c.summaryAsk()
	if p != nil {
		return p
	}
	streams, p := c.openSet()
	if p != nil {
		return p
	}
	return c.writeStreams(streams, func(o *object, s *stream) { c.writeSummary(o, &s.p, a) })
}
