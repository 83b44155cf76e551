package piwebapi

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/text"
)

// Retry is a failed request that is sent again or, if State is "", the first answer
// after such requests. It is reported as it happens.
type Retry struct {
	Site    string
	State   string        // how the last try failed, in a word or two: 503, timeout
	Attempt int           // the number of the next try; 0 if no policy counts them
	Of      int           // the tries that the policy allows; 0 likewise
	Wait    time.Duration // until the next try, at most
}

// String returns the retry as one line.
func (r Retry) String() string {
	line := text.Line(r.Site) + ": "
	switch {
	case r.State == "":
		return line + "works again"
	case r.Of > 0:
		return line + fmt.Sprintf("%s, attempt %d of %d, next in %s", r.State, r.Attempt, r.Of, short(r.Wait))
	case r.Wait > 0:
		return line + fmt.Sprintf("%s, next attempt in %s", r.State, short(r.Wait))
	default:
		return line + r.State + ", next attempt with less at once"
	}
}

// short formats a wait in seconds, with tenths below ten.
func short(d time.Duration) string {
	if d >= 10*time.Second {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
}

// Retries returns how many failed requests the Client has sent again, whole or in parts.
func (c *Client) Retries() int64 { return c.retries.Load() }

// again counts and reports a failed request that is sent again.
func (c *Client) again(err *Error, attempt, of int, wait time.Duration) {
	c.retries.Add(1)
	c.troubled.Store(true)
	if c.retrying != nil {
		c.retrying(Retry{Site: c.site, State: err.state(), Attempt: attempt, Of: of, Wait: wait})
	}
}

// works reports the first answer, and the first one after a request was sent again.
func (c *Client) works() {
	if c.troubled.Load() && c.troubled.CompareAndSwap(true, false) && c.retrying != nil {
		c.retrying(Retry{Site: c.site})
	}
}

// state returns the error in a word or two.
func (e *Error) state() string {
	if e.Status >= 400 {
		return strconv.Itoa(e.Status)
	}
	return e.Kind.String()
}

// Notices selects from the Retries of many Clients those that a person should read:
// a site's first, each change of its state, and that it works again. A state that
// comes and goes is reported once a minute. The zero value is ready to use, also
// concurrently.
type Notices struct {
	mu    sync.Mutex
	sites map[string]*siteState
}

// siteState is the latest state of a site.
type siteState struct {
	last Retry // its State is "" while the site works
	told bool  // something was reported since it last worked
	said map[string]time.Time
}

// quiet is for how long a reported state is not reported again.
const quiet = time.Minute

// Line returns the line to show for a Retry; "" for none.
func (n *Notices) Line(r Retry) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sites[r.Site]
	if s == nil {
		s = &siteState{said: map[string]time.Time{}}
		if n.sites == nil {
			n.sites = map[string]*siteState{}
		}
		n.sites[r.Site] = s
	}
	before := s.last.State
	s.last = r
	switch {
	case r.State == "":
		told := s.told
		s.told = false
		if !told {
			return ""
		}
	case r.State == before || time.Since(s.said[r.State]) < quiet:
		return ""
	default:
		s.said[r.State], s.told = time.Now(), true
	}
	return r.String()
}

// Troubled returns the sites that do not work now, each with its state: plant-a (503).
func (n *Notices) Troubled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for site, s := range n.sites {
		if s.last.State != "" {
			out = append(out, text.Line(site)+" ("+s.last.State+")")
		}
	}
	slices.Sort(out)
	return out
}
