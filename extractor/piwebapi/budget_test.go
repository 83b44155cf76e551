package piwebapi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// request passes the gate: it takes so long for so much work, and fails so.
func (g *gate) request(t *testing.T, took time.Duration, work float64, err *Error) {
	t.Helper()
	require.NoError(t, g.enter(t.Context()))
	began := time.Now()
	time.Sleep(took)
	g.leave(began, work, err)
}

func TestGateNarrowsAndWidens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(8, time.Second)
		fails := &Error{Kind: Server, Status: 500, Retryable: true}
		g.request(t, time.Second, 1, fails)
		assert.EqualValues(t, 4, g.limit)

		// All that were under way together count once.
		began := time.Now()
		for range 4 {
			require.NoError(t, g.enter(t.Context()))
		}
		time.Sleep(time.Second)
		for range 4 {
			g.leave(began, 1, fails)
		}
		assert.EqualValues(t, 2, g.limit)
		for range 5 {
			g.request(t, time.Second, 1, fails)
		}
		assert.EqualValues(t, 1, g.limit, "never nobody")

		for range 200 {
			g.request(t, time.Second, 1, nil)
		}
		assert.EqualValues(t, 8, g.limit, "and never more than allowed")
		g.request(t, time.Second, 1, &Error{Kind: NotFound, Status: 404})
		assert.EqualValues(t, 8, g.limit, "a point that is not there says nothing of the server's strength")
	})
}

func TestGateYieldsToASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(8, time.Second)
		g.request(t, time.Second, 100, nil)
		for range 5 {
			g.request(t, 2*time.Second, 100, nil)
		}
		assert.EqualValues(t, 8, g.limit, "twice as slow is nothing")
		lowest := g.limit
		for range 300 {
			g.request(t, 20*time.Second, 100, nil)
			lowest = min(lowest, g.limit)
		}
		assert.Less(t, lowest, 7.0)
		assert.GreaterOrEqual(t, lowest, 4.0, "not below half")
		assert.EqualValues(t, 8, g.limit, "a server may be slower for good")
	})
}

func TestGateAdmitsNoMoreThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, time.Second)
		require.NoError(t, g.enter(t.Context()))
		require.NoError(t, g.enter(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.ErrorIs(t, g.enter(ctx), context.DeadlineExceeded)

		go func() {
			time.Sleep(time.Second)
			g.leave(time.Now(), 0, nil)
		}()
		began := time.Now()
		require.NoError(t, g.enter(t.Context()))
		assert.Equal(t, time.Second, time.Since(began))
	})
}

func TestGatePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4, time.Second)
		limited := &Error{Kind: RateLimited, Status: 429, after: 20 * time.Second}
		g.request(t, 0, 0, limited)
		began := time.Now()
		require.NoError(t, g.enter(t.Context()))
		assert.GreaterOrEqual(t, time.Since(began), 20*time.Second)
		assert.Less(t, time.Since(began), 26*time.Second)
		g.leave(time.Now(), 0, nil)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g.request(t, 0, 0, limited)
		assert.ErrorIs(t, g.enter(ctx), context.DeadlineExceeded, "a pause ends with the caller's context")

		assert.False(t, g.hopeless())
		g.request(t, 0, 0, &Error{Kind: RateLimited, Status: 429, after: time.Hour})
		assert.True(t, g.hopeless())
	})
}
