package simulator

import (
	"maps"
	"sync"
	"time"
)

// Stats are counters since the start or the last ResetStats.
type Stats struct {
	Requests      int64            // of HTTP; a batch is one
	ByEndpoint    map[string]int64 // parts of batches included; names as in routes.go
	ByStatus      map[int]int64    // of HTTP requests
	Events        int64            // that were sent
	MaxConcurrent int              // requests at once
	MaxPerSecond  int              // requests in any interval of one second
	WriteAlarms   int64            // attempts to write data
	Refused429    int64            // by the rate limit, parts of batches included
}

// counters gather Stats. Safe for concurrent use.
type counters struct {
	mu     sync.Mutex
	s      Stats
	now    int // requests in progress
	second window
	idle   *sync.Cond // now has become 0
}

func newCounters() *counters {
	c := &counters{second: window{length: time.Second}}
	c.idle = sync.NewCond(&c.mu)
	c.reset()
	return c
}

// waitIdle waits until no request is in progress.
func (c *counters) waitIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.now > 0 {
		c.idle.Wait()
	}
}

func (c *counters) reset() {
	c.s = Stats{ByEndpoint: map[string]int64{}, ByStatus: map[int]int64{}, MaxConcurrent: c.now}
}

func (c *counters) begin(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Requests++
	c.now++
	c.s.MaxConcurrent = max(c.s.MaxConcurrent, c.now)
	c.second.count(t)
	c.second.add(t)
	c.s.MaxPerSecond = max(c.s.MaxPerSecond, c.second.n)
}

func (c *counters) end(status int, events int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
	c.s.ByStatus[status]++
	c.s.Events += events
	if c.now == 0 {
		c.idle.Broadcast()
	}
}

func (c *counters) count(update func(s *Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	update(&c.s)
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	copied := s.counters.s
	copied.ByEndpoint, copied.ByStatus = maps.Clone(copied.ByEndpoint), maps.Clone(copied.ByStatus)
	return copied
}

// ResetStats sets all counters to zero.
func (s *Server) ResetStats() {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	s.counters.reset()
}
