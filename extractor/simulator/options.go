package simulator

import (
	"time"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Options describe a server. The zero value is a usable one with no tags, an
// anonymous one without latency, limits or TLS, and with the default quirks.
type Options struct {
	Seed       uint64
	Tags       int    // points at the start; their indexes are 0 to Tags-1
	DataServer string // name of the PI Data Archive; default PISRV1

	// EventsPerHour is the mean over all tags; 0 keeps the natural mix (about 146:
	// a few tags with an event a second, most with one a minute, some with a few a
	// day, some with none ever).
	EventsPerHour float64
	// Uniform is the length of intervals in each of which every tag has exactly one
	// event, for benchmarks; 0 is off. It overrides EventsPerHour, duplicates and
	// bursts.
	Uniform time.Duration
	// PointTypes are weights of types; nil is a mix of all, numbers prevailing.
	PointTypes map[PointType]int
	// BurstSize is how many events share one timestamp under the quirk
	// OneTimestampPage; default 1200, which is more than the default maxCount.
	BurstSize int

	WebIDType WebIDType // the kind given out unless a call asks for another; default Full

	// Clock is the server's clock; default is the machine's. No event after
	// it is shown, except of future points. Called from several goroutines.
	Clock func() instant.Ticks

	// ServerTime is the time that the data server reports, independent of Clock;
	// default is Clock. Called from several goroutines.
	ServerTime func() instant.Ticks

	Latency    time.Duration // of each call
	TagLatency time.Duration // and of each tag in a call that reads streams
	Threads    int           // calls worked on at once, others queue; 0 is no bound

	RateLimit       RateLimit
	MaxItemsPerCall int // MaxReturnedItemsPerCall; default 150,000
	MaxURL          int // bytes of a request's URL; default 16,384

	Auth   Auth
	TLS    bool // with a certificate of a CA made in memory, see Server.CA
	Faults Faults

	Quirks        []Quirk // on, in addition to the default ones
	WithoutQuirks []Quirk // off; wins over Quirks
}

// RateLimit is how many requests one client address may make in any interval of the
// length Per. The zero value is no limit.
type RateLimit struct {
	Requests int
	Per      time.Duration // default 1 s
}

// AuthKind is a way to authenticate.
type AuthKind string

// The ways to authenticate. The zero value of AuthKind is Anonymous.
const (
	Anonymous AuthKind = "anonymous"
	Basic     AuthKind = "basic"
	Bearer    AuthKind = "bearer"
)

// Auth is the accepted credentials. User and Password are for Basic, Token is for Bearer.
type Auth struct {
	Kind           AuthKind
	User, Password string
	Token          string
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.DataServer == "" {
		o.DataServer = "PISRV1"
	}
	if o.BurstSize <= 0 {
		o.BurstSize = 1200
	}
	if o.Clock == nil {
		o.Clock = func() instant.Ticks { return instant.FromTime(time.Now()) }
	}
	if o.MaxItemsPerCall <= 0 {
		o.MaxItemsPerCall = 150_000
	}
	if o.MaxURL <= 0 {
		o.MaxURL = 16 << 10
	}
	if o.RateLimit.Requests > 0 && o.RateLimit.Per <= 0 {
		o.RateLimit.Per = time.Second
	}
	if o.Auth.Kind == "" {
		o.Auth.Kind = Anonymous
	}
	o.Tags = max(o.Tags, 0)
	return o
}
