package task

import (
	"fmt"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// moment is the instant up to which a run reads a site, and how it was found.
type moment struct {
	until instant.Ticks
	by    string        // one of the constants of package engine
	doubt string        // why the site's clock is not believed; "" if it is
	skew  instant.Ticks // the site's clock less this machine's; 0 if it is not believed
}

// believable is how far a clock may be off until it is wrong rather than slow or fast:
// no maintained clock is a day off.
const believable = instant.Day

// now returns the time of this machine's clock.
func (a *attempt) now() instant.Ticks { return instant.FromTime(a.Now()) }

// moment returns the run's instant for a site: the earlier of the job's start and the
// site's clock, since a server that is behind does not have all events before the
// job's start yet. A wrong clock is ignored, since neither watermarks nor the tags'
// first instants can be taken back.
func (a *attempt) moment(server piwebapi.DataServer) (moment, error) {
	if a.Params.Until != "" {
		t, err := instant.Parse(a.Params.Until)
		if err != nil {
			return moment{}, fmt.Errorf("--until: %w", err)
		}
		return a.bounded(moment{until: t, by: engine.ByGiven})
	}
	m := moment{until: instant.FromMillis(a.Params.UntilMillis), by: engine.ByJob}
	if a.Params.Loop() {
		m.until = a.now() // new in each loop
	}
	start := m.until
	clock, by := server.ServerTime, engine.ByServer
	switch {
	case clock == 0:
	case !server.IsConnected:
		m.doubt = "PI Web API is not connected to the PI Data Archive, whose clock it gives as " + clock.String()
	case !a.believes(clock, start):
		m.doubt = fmt.Sprintf("the PI Data Archive's clock shows %s, and here it is %s", clock, a.now().Time().Format(time.RFC3339))
	}
	if clock == 0 || m.doubt != "" {
		clock, by = server.Date, engine.ByHTTP
	}
	if clock != 0 && a.believes(clock, start) {
		if clock < start {
			m.until, m.by = clock, by
		}
		if m.doubt == "" {
			m.skew = clock - a.now()
		}
	}
	m.until -= ticks(a.Params.Settle)
	return a.bounded(m)
}

// believes reports whether a site's clock may be right: by this machine's clock, or by
// the job's start, which comes from another machine's clock.
func (a *attempt) believes(clock, start instant.Ticks) bool {
	within := func(of instant.Ticks) bool { return clock > of-believable && clock < of+believable }
	return within(start) || within(a.now())
}

// bounded returns an error for an instant that no watermark may have.
func (a *attempt) bounded(m moment) (moment, error) {
	if b := a.bounds(m.by, m.until); !b.Has(m.until) {
		return m, diag.WithHint(fmt.Errorf("the run would read up to %s, which is not between %s and %s", m.until, b.First, b.Last),
			"check --until, --until-ms, and this machine's clock")
	}
	return m, nil
}

// bounds returns the bounds of the watermarks of a run that reads up to until.
func (a *attempt) bounds(by string, until instant.Ticks) batch.Bounds {
	if by != engine.ByGiven {
		until = 0
	}
	return batch.BoundsAt(a.now(), until)
}

// note returns what a person should know of a site's clock; "" if all is well.
func (m *moment) note(site string) string {
	instead := map[string]string{engine.ByJob: "the start of the job", engine.ByHTTP: "the Date of PI Web API's answer"}
	switch {
	case m.by == engine.ByGiven:
		return ""
	case m.doubt != "":
		return diag.Hinted(fmt.Sprintf("the clock of site %s is not believed: %s; %s is used", site, m.doubt, instead[m.by]),
			"see to the PI Data Archive's connection and clock")
	case max(m.skew, -m.skew) > skewWarning:
		return fmt.Sprintf("the clock of site %s is %s off this machine's; the earlier of the two is used", site,
			m.skew.Duration().Round(time.Second))
	}
	return ""
}
