package piwebapi

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Lists bounds the points and the states of digital sets that all Clients that share
// it list together. All methods are safe for concurrent use.
type Lists struct {
	maxPoints, maxBytes int

	mu            sync.Mutex
	points, bytes int
	states, names int // of digital sets, and bytes of their names
}

// NewLists returns a Lists for some sites: for a million points, for twice as many as
// are known, or for the sum of the sites' own limits, whichever is the largest. The
// memory allowed grows in proportion.
func NewLists(known int, sites ...manifest.Site) *Lists {
	limits := 0
	for _, s := range sites {
		limits += s.Limits.Points
	}
	points := max(maxPoints, 2*known, limits)
	return &Lists{maxPoints: points, maxBytes: maxListed / maxPoints * points}
}

// Why a point is not listed: there are too many, or their texts are too long.
var (
	errPoints = fmt.Errorf("the list of points is %w", decode.ErrTooLarge)
	errTexts  = fmt.Errorf("the texts of the points are %w", decode.ErrTooLarge)
)

// take adds a point whose texts have that many bytes.
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

// give removes points.
func (l *Lists) give(points, texts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.points, l.bytes = l.points-points, l.bytes-texts-points*pointBytes
}

// takeState adds a state, and reports whether there is room for it.
func (l *Lists) takeState(s *State) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states, l.names = l.states+1, l.names+len(s.Name)
	return l.states <= maxStates && l.names <= maxNamed
}

// giveStates removes states.
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

// full returns the error of a list that has no room for more than here points.
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
