package piwebapi

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/sleep"
)

// limiter bounds the requests in flight at once, by additive increase and
// multiplicative decrease (AIMD): more with each success, half on 429, 5xx and
// timeouts, one less when answers have become much slower. It starts at the
// site's limit. A 429 pauses all of them. It is safe
// for concurrent use.
type limiter struct {
	max     int           // limits.connections
	backoff time.Duration // first pause after a 429 without Retry-After

	mu        sync.Mutex
	changed   *sync.Cond
	limit     float64 // requests that may be in flight now; 1 to max
	inFlight  int
	decreased time.Time // when limit was halved last

	throttledSince time.Time // the first 429 since the last success; zero when there is none
	pauses         int       // since then
	pausedUntil    time.Time

	fastest float64 // seconds per unit of work that a good call takes
	slow    int     // calls in a row that took much longer
}

// maxThrottling is how long a site may answer 429 to everything before it is given up.
const maxThrottling = 5 * time.Minute

const maxPause = 30 * time.Second

func newLimiter(connections int, backoff time.Duration) *limiter {
	l := &limiter{max: connections, limit: float64(connections), backoff: backoff}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// acquire waits until a request may be made. Each success must be followed by release.
func (l *limiter) acquire(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		l.mu.Lock()
		l.changed.Broadcast()
		l.mu.Unlock()
	})()
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if pause := time.Until(l.pausedUntil); pause > 0 {
			l.mu.Unlock()
			// Not all at once: that would be the next 429.
			err := sleep.For(ctx, pause+rand.N(pause/4+time.Millisecond))
			l.mu.Lock()
			if err != nil {
				return err
			}
			continue
		}
		if l.inFlight < max(1, int(l.limit)) {
			l.inFlight++
			return nil
		}
		l.changed.Wait()
	}
}

// release ends a request and learns from what became of the request, which
// began at the given time and was work units of work (streams, mostly; 0 when
// it shows nothing of the server's speed).
func (l *limiter) release(began time.Time, work float64, err *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	switch {
	case err == nil:
		l.throttledSince, l.pauses = time.Time{}, 0
		l.limit = min(float64(l.max), l.limit+1/l.limit)
		if work > 0 {
			l.observe(time.Since(began).Seconds() / work)
		}
	case err.Kind == RateLimited:
		l.decrease(began)
		l.pause(began, err.after)
	case err.Kind == Timeout || err.Kind == Server && err.Retryable:
		l.decrease(began)
	}
	l.changed.Broadcast()
}

// decrease halves the limit, once for all requests that were under way together.
func (l *limiter) decrease(began time.Time) {
	if !began.Before(l.decreased) {
		l.limit, l.decreased = max(1, l.limit/2), time.Now()
	}
}

// pause holds all requests back: for the server's Retry-After, else for twice as
// long each time.
func (l *limiter) pause(began time.Time, after time.Duration) {
	now := time.Now()
	if l.throttledSince.IsZero() {
		l.throttledSince = now
	}
	if began.Before(l.pausedUntil) && after == 0 {
		return // it was on its way when the pause began
	}
	if after == 0 {
		after = jitter(min(maxPause, l.backoff<<min(l.pauses, 10)))
		l.pauses++
	}
	if till := now.Add(after); till.After(l.pausedUntil) {
		l.pausedUntil = till
	}
}

// observe takes one off the limit when three calls in a row took four times as
// long as a good one, but not below half: the server queues then, and more
// connections only make the queue longer.
func (l *limiter) observe(cost float64) {
	if l.fastest == 0 || cost < l.fastest {
		l.fastest = cost
	}
	if cost < 4*l.fastest {
		l.slow = 0
	} else if l.slow++; l.slow >= 3 {
		l.slow, l.limit = 0, max(l.limit-1, float64(l.max)/2, 1)
	}
	l.fastest *= 1.02 // a server may become slower for good
}

// paused returns how long requests are still held back.
func (l *limiter) paused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, time.Until(l.pausedUntil))
}

// throttledTooLong reports whether the site has answered 429 for too long.
func (l *limiter) throttledTooLong() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.throttledSince.IsZero() && l.pausedUntil.Sub(l.throttledSince) > maxThrottling
}

// jitter returns a random duration between 0.5 d and 1.5 d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
