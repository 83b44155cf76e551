package piwebapi

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/bundlegen/bundlegen/internal/sleep"
)

// errRequestTimeout is why a request ended that took longer than it may.
var errRequestTimeout = errors.New("the request took too long")

// paced is a RoundTripper that waits for the site's requests-per-second budget
// and then gives the request, body included, its time.
type paced struct {
	next    http.RoundTripper
	limiter *rate.Limiter
	timeout time.Duration
	sent    atomic.Int64 // requests that were sent
}

func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := p.limiter.Wait(r.Context()); err != nil {
		if r.Context().Err() == nil {
			err = context.DeadlineExceeded // no turn before the caller's deadline
		}
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), p.timeout, errRequestTimeout)
	p.sent.Add(1)
	resp, err := p.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		defer cancel()
		if context.Cause(ctx) == errRequestTimeout {
			err = errRequestTimeout
		}
		return nil, err
	}
	resp.Body = &timedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel}
	return resp, nil
}

// CloseIdleConnections closes those of the transport below.
func (p *paced) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// timedBody is a body that belongs to a request with a time limit.
type timedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && context.Cause(b.ctx) == errRequestTimeout {
		err = errRequestTimeout
	}
	return n, err
}

func (b *timedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

// gate admits as many requests at once as the server bears: additive increase
// with each success, halving on 429, 5xx and timeouts, one less when answers
// have become much slower. It starts fully open, since the site's limits say
// what is allowed. On 429 it lets nobody in for a while. Safe for concurrent use.
type gate struct {
	most    int           // limits.connections
	backoff time.Duration // first pause after a 429 that does not say how long

	mu       sync.Mutex
	free     *sync.Cond
	limit    float64 // how many may be inside now; 1 to most
	inside   int
	narrowed time.Time // when limit was halved last
	// A storm is a time in which 429s come and no success.
	storm      time.Time // its first 429; zero when there is none
	pauses     int       // pauses of this storm
	pausedTill time.Time
	fastest    float64 // seconds per unit of work that a good call takes
	slow       int     // calls in a row that took much longer
}

// patience is how long a storm of 429s may last before the site is given up.
const patience = 5 * time.Minute

const longestPause = 30 * time.Second

func newGate(connections int, backoff time.Duration) *gate {
	g := &gate{most: connections, limit: float64(connections), backoff: backoff}
	g.free = sync.NewCond(&g.mu)
	return g
}

// enter waits until a request may be made. Each success must be followed by leave.
func (g *gate) enter(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		g.mu.Lock()
		g.free.Broadcast()
		g.mu.Unlock()
	})()
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if pause := time.Until(g.pausedTill); pause > 0 {
			g.mu.Unlock()
			// Not all at the same moment: that would be the next 429.
			err := sleep.For(ctx, pause+rand.N(pause/4+time.Millisecond))
			g.mu.Lock()
			if err != nil {
				return err
			}
			continue
		}
		if g.inside < max(1, int(g.limit)) {
			g.inside++
			return nil
		}
		g.free.Wait()
	}
}

// leave gives the place back and learns from what became of the request, which
// began at the given time and was work units of work (streams, mostly; 0 when
// it tells nothing of the server's speed).
func (g *gate) leave(began time.Time, work float64, err *Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	switch {
	case err == nil:
		g.storm, g.pauses = time.Time{}, 0
		g.limit = min(float64(g.most), g.limit+1/g.limit)
		if work > 0 {
			g.watch(time.Since(began).Seconds() / work)
		}
	case err.Kind == RateLimited:
		g.narrow(began)
		g.pause(began, err.after)
	case err.Kind == Timeout || err.Kind == Server && err.Retryable:
		g.narrow(began)
	}
	g.free.Broadcast()
}

// narrow halves the limit, once for all requests that were under way together.
func (g *gate) narrow(began time.Time) {
	if !began.Before(g.narrowed) {
		g.limit, g.narrowed = max(1, g.limit/2), time.Now()
	}
}

// pause lets nobody in for a while: as long as the server says, else twice as long each time.
func (g *gate) pause(began time.Time, after time.Duration) {
	now := time.Now()
	if g.storm.IsZero() {
		g.storm = now
	}
	if began.Before(g.pausedTill) && after == 0 {
		return // it was on its way when the pause began
	}
	if after == 0 {
		after = jitter(min(longestPause, g.backoff<<min(g.pauses, 10)))
		g.pauses++
	}
	if till := now.Add(after); till.After(g.pausedTill) {
		g.pausedTill = till
	}
}

// watch takes one off the limit when three calls in a row took four times as
// long as a good one, but not below half: the server queues then, and more
// connections only make the queue longer.
func (g *gate) watch(cost float64) {
	if g.fastest == 0 || cost < g.fastest {
		g.fastest = cost
	}
	if cost < 4*g.fastest {
		g.slow = 0
	} else if g.slow++; g.slow >= 3 {
		g.slow, g.limit = 0, max(g.limit-1, float64(g.most)/2, 1)
	}
	g.fastest *= 1.02 // a server may become slower for good
}

// paused returns for how long nobody is let in.
func (g *gate) paused() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, time.Until(g.pausedTill))
}

// hopeless says whether a storm of 429s lasts too long.
func (g *gate) hopeless() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.storm.IsZero() && g.pausedTill.Sub(g.storm) > patience
}

// jitter gives something between half of d and one and a half of it.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
