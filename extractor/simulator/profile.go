package simulator

import (
	"math"
	"time"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// mix spreads the bits of x (the finalizer of splitmix64): the source of all randomness
// here.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// birth is when the first point was created; there are no events before.
const birth = 1_262_304_000 * instant.Second // 2010-01-01T00:00:00Z

// archive holds the properties of all points. It is immutable and safe for concurrent
// use.
type archive struct {
	seed    uint64
	quirks  quirkSet
	types   dealer[PointType]
	periods dealer[instant.Ticks] // 0: never
	minute  instant.Ticks         // the commonest period
	uniform bool
	burst   int
}

// rates are the cadences of a plant: of 50 tags, how many, and events an hour.
var rates = [...]struct {
	of50    int
	perHour float64
}{{38, 60}, {5, 0.2}, {4, 360}, {2, 0}, {1, 3600}}

// naturalRate is the mean events an hour of rates.
const naturalRate = (38*60 + 5*0.2 + 4*360 + 1*3600) / 50.0

func newArchive(o Options) *archive {
	a := &archive{seed: mix(o.Seed), quirks: o.quirks(), uniform: o.Uniform > 0, burst: o.BurstSize}
	weights := o.PointTypes
	if len(weights) == 0 {
		weights = defaultMix
	}
	var types []PointType
	for t := range pointTypes {
		for range weights[t] {
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		types = []PointType{Float32}
	}
	a.types = newDealer(types, mix(a.seed^1))

	var periods []instant.Ticks
	switch {
	case a.uniform:
		periods = []instant.Ticks{max(instant.FromDuration(o.Uniform.Truncate(time.Millisecond)), instant.Millisecond)}
	default:
		factor := 1.0
		if o.EventsPerHour > 0 {
			factor = o.EventsPerHour / naturalRate
		}
		for _, r := range rates {
			for range r.of50 {
				periods = append(periods, period(r.perHour*factor))
			}
		}
	}
	a.minute = periods[0]
	a.periods = newDealer(periods, mix(a.seed^2))
	return a
}

// period turns events an hour into the length of a slot. It is a whole number of
// seconds, or of milliseconds when it is short, so that a timestamp with fewer
// digits still lies in its slot.
func period(perHour float64) instant.Ticks {
	if perHour <= 0 {
		return 0
	}
	ticks := float64(instant.Hour) / perHour
	unit := instant.Millisecond
	if s := ticks / float64(instant.Second); s >= 10 || s == math.Trunc(s) {
		unit = instant.Second
	}
	return max(instant.Ticks(math.Round(ticks/float64(unit)))*unit, instant.Millisecond)
}

// dealer deals the cards of a deck by index: any len(deck) tags that start at a multiple
// of it get each card once, in an order that differs from block to block. So even a
// small server has the whole mix.
type dealer[T any] struct {
	deck   []T
	salt   uint64
	stride int
}

func newDealer[T any](deck []T, salt uint64) dealer[T] {
	stride := max(len(deck)*3/8, 1)
	for gcd(stride, len(deck)) != 1 {
		stride++
	}
	return dealer[T]{deck, salt, stride}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (d *dealer[T]) deal(index int) T {
	n := len(d.deck)
	if n == 1 {
		return d.deck[0]
	}
	shift := int(mix(d.salt^uint64(index/n)) % uint64(n))
	return d.deck[(index%n*d.stride+shift)%n]
}

// profile holds the properties of one point, from which its events follow.
type profile struct {
	index   int
	seed    uint64
	typ     PointType
	period  instant.Ticks // length of a slot; 0: no events but the first
	seconds bool          // slots begin at whole seconds
	first   int64         // the first slot with events
	created instant.Ticks // of the event "Pt Created"
	base    uint32        // level of the values
	future  bool
	minus   bool // values are negative
	groups  bool // most slots hold several events with one timestamp
	burst   bool // the slot of each full hour holds a burst
	set     *digitalSet
}

// profile returns the properties of the point with this index.
func (a *archive) profile(index int) profile {
	seed := mix(a.seed ^ mix(uint64(index)))
	p := profile{
		index:   index,
		seed:    seed,
		typ:     a.types.deal(index),
		period:  a.periods.deal(index),
		created: birth + instant.Ticks(index%86400)*instant.Second,
		base:    uint32(seed >> 40),
		future:  index%53 == 9,
		minus:   seed>>32&7 == 0,
	}
	if !a.uniform {
		p.groups = index%41 == 6 && a.quirks.has(DuplicateTimestamps)
		p.burst = index%211 == 11 && a.quirks.has(OneTimestampPage)
		switch {
		case p.burst:
			p.period = a.minute
		case p.groups:
			p.period = 4 * a.minute // the groups have about as many events each
		}
	}
	p.seconds = p.period%instant.Second == 0
	if p.typ == Digital {
		p.set = digitalSets[seed>>20%uint64(len(digitalSets))]
	}
	if p.period > 0 {
		p.first = int64(p.created/p.period) + 1
	}
	return p
}

// eventsPerHour is the expected rate.
func (a *archive) eventsPerHour(p *profile) float64 {
	if p.period == 0 {
		return 0
	}
	rate := float64(instant.Hour) / float64(p.period)
	if p.groups {
		rate *= 4.5
	}
	if p.burst {
		rate += float64(a.burst)
	}
	return rate
}

var (
	unitNames = [...]string{"", "degC", "bar", "m3/h", "%", "kW", "°F", "kg/s"}
	places    = [...]string{"north header", "boiler feed", "cooling tower", "unit 3"}
)

// units are the engineering units; numbers only have them.
func (p *profile) units() string {
	if !p.typ.number() {
		return ""
	}
	return unitNames[p.seed>>10%uint64(len(unitNames))]
}

// setName is the name of the digital set, "" for points of other types.
func (p *profile) setName() string {
	if p.set == nil {
		return ""
	}
	return p.set.name
}

// descriptor is a free text; every third has commas, some have quotes.
func (p *profile) descriptor() string {
	place := places[p.seed>>12%uint64(len(places))]
	switch {
	case p.index%15 == 0:
		return `Signal, "` + place + `", 2nd line, spare`
	case p.index%3 == 0:
		return "Signal, " + place + ", measured"
	case p.index%7 == 0:
		return ""
	}
	return "Signal at " + place
}
