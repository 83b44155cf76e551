package simulator

import (
	"net/http"
	"sync"
)

// Faults go wrong at run time, for every n-th request; 0 is never, 1 always.
// Each kind counts on its own. "Reads" are calls that read streams.
type Faults struct {
	CutEvery          int // reads: the body is cut off, in turns with and without the connection
	WebExceptionEvery int // reads: 200 with a WebException
	HTMLEvery         int // requests: 502 or 503 (in turns) with HTML
	TooManyEvery      int // requests: 429
	HangEvery         int // reads: no answer until the client gives up
	UnauthorizedEvery int // reads: 401, whatever the credentials
	EndlessEvery      int // reads: a body of events without an end
	EndlessTextsEvery int // reads: the same, each with a long text of its own

	// Of requests for a page of points:
	HugePageEvery      int // a page of 240 MB, whatever size was requested
	EndlessPointsEvery int // new points on each page, for ever
}

// faultState is what goes wrong now. Safe for concurrent use.
type faultState struct {
	mu        sync.Mutex
	set       Faults
	seen      Faults // how many requests each kind has seen
	throttled int    // how many more requests get 429
	down      bool
}

// every25 is how often the quirks for faults occur.
const every25 = 25

// faults returns the faults of the options, with those that quirks stand for.
func (o Options) faults() Faults {
	f, q := o.Faults, o.quirks()
	if f.WebExceptionEvery == 0 && q.has(WebExceptions) {
		f.WebExceptionEvery = every25
	}
	if f.CutEvery == 0 && q.has(CutBodies) {
		f.CutEvery = every25
	}
	if f.HTMLEvery == 0 && q.has(HTMLErrors) {
		f.HTMLEvery = every25
	}
	return f
}

// SetFaults replaces the faults from now on and resets their counts.
func (s *Server) SetFaults(f Faults) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.set, s.faults.seen = f, Faults{}
}

// Down makes the server break every connection off without an answer, or stop
// doing so.
func (s *Server) Down(down bool) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.down = down
}

// Throttle answers the next n requests with 429.
func (s *Server) Throttle(n int) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.throttled = n
}

// due counts a request for a kind of fault, and reports whether the fault occurs.
func due(seen *int, every int) bool {
	*seen++
	return every > 0 && *seen%every == 0
}

// request returns the fault of a request, if any.
func (f *faultState) request() (down bool, p *problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return true, nil
	}
	if f.throttled > 0 {
		f.throttled--
		return false, tooMany()
	}
	if due(&f.seen.TooManyEvery, f.set.TooManyEvery) {
		return false, tooMany()
	}
	if due(&f.seen.HTMLEvery, f.set.HTMLEvery) {
		status := http.StatusBadGateway + f.seen.HTMLEvery/f.set.HTMLEvery%2
		text := http.StatusText(status)
		return false, &problem{status: status, html: true,
			text: "<html><head><title>" + text + "</title></head><body><h1>" + text + "</h1></body></html>\r\n"}
	}
	return false, nil
}

// read returns the fault of a call that reads streams, if any.
func (f *faultState) read() (cut cutting, hang bool, p *problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if due(&f.seen.HangEvery, f.set.HangEvery) {
		return whole, true, nil
	}
	if due(&f.seen.UnauthorizedEvery, f.set.UnauthorizedEvery) {
		return whole, false, denied()
	}
	if due(&f.seen.EndlessEvery, f.set.EndlessEvery) {
		return whole, false, &problem{status: http.StatusOK, endless: true}
	}
	if due(&f.seen.EndlessTextsEvery, f.set.EndlessTextsEvery) {
		return whole, false, &problem{status: http.StatusOK, endless: true, texts: true}
	}
	if due(&f.seen.WebExceptionEvery, f.set.WebExceptionEvery) {
		return whole, false, &problem{status: http.StatusInternalServerError, hidden: true,
			errors: []string{"[-10733] PINET: Timeout on PI RPC or System Call."}}
	}
	if due(&f.seen.CutEvery, f.set.CutEvery) {
		if f.seen.CutEvery/f.set.CutEvery%2 == 1 {
			return cutHard, false, nil
		}
		return cutClean, false, nil
	}
	return whole, false, nil
}

// page returns the fault of a request for a page of points, if any.
func (f *faultState) page() (huge, endless bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return due(&f.seen.HugePageEvery, f.set.HugePageEvery), due(&f.seen.EndlessPointsEvery, f.set.EndlessPointsEvery)
}
