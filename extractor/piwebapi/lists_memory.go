package piwebapi

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Lists bounds what the lists of all Clients that share it hold together: points, and
// states of digital sets. All methods are safe for concurrent use.
type Lists struct {
	maxPoints, maxBytes int

	mu            sync.Mutex
	points, bytes int
	states, names int // of digital sets, and bytes of their names
}

// NewLists returns a Lists for some sites: for a million points, for twice as many as
// are known, or for as many as the sites that have a limit of their own may list
// together, whichever is most. The memory for them grows alike.
func NewLists(known int, sites ...manifest.Site) *Lists {
	asked := 0
	for _, s := range sites {
		asked += s.Limits.Points
	}
	points := max(maxPoints, 2*known, asked)
	return &Lists{maxPoints: points, maxBytes: maxListed / maxPoints * points}
}

// What the lists have no room for: another point, or its texts.
var (
	errPoints = fmt.Errorf("the list of points is %w", decode.ErrTooLarge)
	errTexts  = fmt.Errorf("the texts of the points are %w", decode.ErrTooLarge)
)

// take counts a point in whose texts have so many bytes.
func (l *Lists) take(texts int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.points >= l.maxPoints:
		return errPoints
	case l.bytes+texts+pointBytes > l.maxBytes:
		return errTexts
	}
	l.points, l.bytes = l.points+1, l.bytes+texts+pointBytes
	return nil
}

// give counts points out again.
func (l *Lists) give(points, texts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.points, l.bytes = l.points-points, l.bytes-texts-points*pointBytes
}

// takeState counts a state in, and reports whether there is room for it.
func (l *Lists) takeState(s *State) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states, l.names = l.states+1, l.names+len(s.Name)
	return l.states <= maxStates && l.names <= maxNamed
}

// giveStates counts states out again.
func (l *Lists) giveStates(states []State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states -= len(states)
	for i := range states {
		l.names -= len(states[i].Name)
	}
}

// statesFull reports whether there is no room for another state.
func (l *Lists) statesFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states >= maxStates || l.names >= maxNamed
}

// full is the error of a list that has so many points and found no room for more.
func (c *Client) full(r request, here int, why error) *Error {
	what := fmt.Sprintf("the sites together list more than %d points", c.lists.maxPoints)
	switch {
	case here >= c.maxPoints:
		what = fmt.Sprintf("it lists more than %d points", c.maxPoints)
	case errors.Is(why, errTexts):
		what = fmt.Sprintf("the points that the sites list take more than %d MB of memory", c.lists.maxBytes>>20)
	}
	e := c.at(r).fault(TooLarge, http.StatusOK, what, false)
	e.hint = "name the points that you want in sites[].points, or raise sites[].limits.points"
	return e
}
