package piwebapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// request goes through the limiter: it takes so long for so much work, and fails with err.
func (l *limiter) request(t *testing.T, took time.Duration, work float64, err *Error) {
	t.Helper()
	require.NoError(t, l.acquire(t.Context()))
	began := time.Now()
	time.Sleep(took)
	l.release(began, work, err)
}

func TestGateNarrowsAndWidens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(8, time.Second)
		fails := &Error{Kind: Server, Status: 500, Retryable: true}
		l.request(t, time.Second, 1, fails)
		assert.EqualValues(t, 4, l.limit)

		// All that were under way together count once.
		began := time.Now()
		for range 4 {
			require.NoError(t, l.acquire(t.Context()))
		}
		time.Sleep(time.Second)
		for range 4 {
			l.release(began, 1, fails)
		}
		assert.EqualValues(t, 2, l.limit)
		for range 5 {
			l.request(t, time.Second, 1, fails)
		}
		assert.EqualValues(t, 1, l.limit, "never nobody")

		for range 200 {
			l.request(t, time.Second, 1, nil)
		}
		assert.EqualValues(t, 8, l.limit, "and never more than allowed")
		l.request(t, time.Second, 1, &Error{Kind: NotFound, Status: 404})
		assert.EqualValues(t, 8, l.limit, "a point that is not there says nothing of the server's strength")
	})
}

func TestGateYieldsToASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(8, time.Second)
		l.request(t, time.Second, 100, nil)
		for range 5 {
			l.request(t, 2*time.Second, 100, nil)
		}
		assert.EqualValues(t, 8, l.limit, "twice as slow is nothing")
		lowest := l.limit
		for range 300 {
			l.request(t, 20*time.Second, 100, nil)
			lowest = min(lowest, l.limit)
		}
		assert.Less(t, lowest, 7.0)
		assert.GreaterOrEqual(t, lowest, 4.0, "not below half")
		assert.EqualValues(t, 8, l.limit, "a server may be slower for good")
	})
}

func TestGateAdmitsNoMoreThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, time.Second)
		require.NoError(t, l.acquire(t.Context()))
		require.NoError(t, l.acquire(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.ErrorIs(t, l.acquire(ctx), context.DeadlineExceeded)

		go func() {
			time.Sleep(time.Second)
			l.release(time.Now(), 0, nil)
		}()
		began := time.Now()
		require.NoError(t, l.acquire(t.Context()))
		assert.Equal(t, time.Second, time.Since(began))
	})
}

func TestGatePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(4, time.Second)
		limited := &Error{Kind: RateLimited, Status: 429, after: 20 * time.Second}
		l.request(t, 0, 0, limited)
		began := time.Now()
		require.NoError(t, l.acquire(t.Context()))
		assert.GreaterOrEqual(t, time.Since(began), 20*time.Second)
		assert.Less(t, time.Since(began), 26*time.Second)
		l.release(time.Now(), 0, nil)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.request(t, 0, 0, limited)
		assert.ErrorIs(t, l.acquire(ctx), context.DeadlineExceeded, "a pause ends with the caller's context")

		assert.False(t, l.throttledTooLong())
		l.request(t, 0, 0, &Error{Kind: RateLimited, Status: 429, after: time.Hour})
		assert.True(t, l.throttledTooLong())
	})
}
