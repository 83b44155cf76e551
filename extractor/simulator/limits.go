package simulator

import (
	"context"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/sleep"
)

// workers model a server's threads: a call occupies one for a while, others queue in
// order of arrival. A nil channel is no limit.
type workers struct{ free chan struct{} }

func newWorkers(n int) workers {
	if n <= 0 {
		return workers{}
	}
	return workers{make(chan struct{}, n)}
}

// occupy takes a worker for a time. It fails only if the client is gone.
func (w workers) occupy(ctx context.Context, d time.Duration) error {
	if w.free != nil {
		select {
		case w.free <- struct{}{}:
			defer func() { <-w.free }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if d <= 0 {
		return nil
	}
	return sleep.For(ctx, d)
}

// window counts the events within the last interval of a fixed length. It remembers
// each of them. Not safe for concurrent use.
type window struct {
	length time.Duration
	times  []time.Time // a ring
	head   int
	n      int
}

// count returns how many events the window that ends now has.
func (w *window) count(now time.Time) int {
	for w.n > 0 && now.Sub(w.times[w.head]) >= w.length {
		w.head = (w.head + 1) % len(w.times)
		w.n--
	}
	return w.n
}

func (w *window) add(now time.Time) {
	if w.n == len(w.times) {
		bigger := make([]time.Time, max(64, 2*w.n))
		for i := range w.n {
			bigger[i] = w.times[(w.head+i)%len(w.times)]
		}
		w.times, w.head = bigger, 0
	}
	w.times[(w.head+w.n)%len(w.times)] = now
	w.n++
}

// limiter limits the requests of each client in any interval. Safe for concurrent use.
type limiter struct {
	limit   RateLimit
	mu      sync.Mutex
	clients map[string]*window
}

// allow reports whether a client may make a request now, and counts it if so.
func (l *limiter) allow(client string, now time.Time) bool {
	if l.limit.Requests <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.clients[client]
	if w == nil {
		w = &window{length: l.limit.Per}
		l.clients[client] = w
	}
	if w.count(now) >= l.limit.Requests {
		return false
	}
	w.add(now)
	return true
}
