package piwebapi

import (
	"net/http"
	"sync"
	"time"
)

// breaker decides when a reading gives a site up (a circuit breaker). It counts
// failures of the site, not those of one stream, since the last success. It is safe
// for concurrent use.
type breaker struct {
	connections int
	timeout     time.Duration // of a request

	mu         sync.Mutex
	failures   int   // consecutive ones, by weight
	probed     bool  // the site was probed since the last success
	unanswered turns // calls that got no answer in time, or one without an end
	refused    int   // streams refused for good
	success    bool  // a call has succeeded
}

// The bound of consecutive failures leaves room for each connection to search for a
// bad stream at the same time, which fails a few times in a row.
const (
	maxFailures           = 6
	failuresPerConnection = 4
	failuresToProbe       = 3 // timeouts take long: then the quickest request decides

	serverFailure = 1 // the server answers, but fails, or not in time: it may be one of its streams
	absentFailure = 4 // what answers is not PI Web API, or nothing does
)

// succeeded closes the breaker: the site works.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.probed, b.unanswered, b.success = 0, false, turns{}, true
}

// failed counts a failure. It reports whether the site is down, or else whether it
// is to be probed.
func (b *breaker) failed(err *Error) (down, probe bool) {
	weight := serverFailure
	switch {
	case err.Kind == NotJSON || err.Kind == Unreachable || err.Kind == Server && err.Retryable && err.Status > http.StatusInternalServerError:
		weight = absentFailure
	case !err.Retryable:
		return false, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures += weight
	down = b.failures >= maxFailures+failuresPerConnection*b.connections
	// At least: weights differ, so the count may step over the bound.
	probe = err.Kind == Timeout && b.failures >= failuresToProbe && !b.probed
	b.probed = b.probed || probe
	return down, probe && !down
}

// turns counts calls that were made one after the other; calls at the same time count as one.
type turns struct {
	n    int
	last time.Time // when the last that counts had ended
}

func (t *turns) count(began time.Time) {
	if !began.Before(t.last) {
		t.n, t.last = t.n+1, time.Now()
	}
}

// A call that gets no answer in time is taken apart down to one stream, and that
// one's range down to a second, in less than maxUnanswered. After so many in a row
// each stream that is left is asked for once more, and after lastUnanswered not even
// that: it is not their fault.
const (
	maxUnanswered  = 12
	lastUnanswered = 36
)

// hopeless counts a call that got no answer in time, or one that did not end, and
// reports whether the site is to be given up, though it may answer other requests.
// single means that the call was for one stream.
func (b *breaker) hopeless(err *Error, single bool) bool {
	if err.Kind != Timeout && (err.Kind != TooLarge || err.over != overRange) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err.Kind == TooLarge && b.success || err.Kind == Timeout && time.Since(err.began) < b.timeout/8 {
		return false // it is this stream's, or the server said so at once
	}
	b.unanswered.count(err.began)
	return b.unanswered.n >= lastUnanswered || b.unanswered.n >= maxUnanswered && (!single || !b.success)
}

// quiet reports whether the site has not answered for long.
func (b *breaker) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unanswered.n >= maxUnanswered
}

// hasSucceeded reports whether a call has succeeded.
func (b *breaker) hasSucceeded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.success
}

// maxRefused is how many streams may be refused before a single call has succeeded.
const maxRefused = 64

// refuse counts a stream that the site refused for good. It reports whether that
// holds for all of them: not one of many could be read.
func (b *breaker) refuse() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused++
	return !b.success && b.refused >= maxRefused
}
