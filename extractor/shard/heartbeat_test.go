package shard

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A driver sends a heartbeat every quick in these tests, and is taken for dead
// after timeout: so long that a machine that does much else keeps no goroutine
// waiting for it.
const (
	quick   = 20 * time.Millisecond
	timeout = 2 * time.Second
)

func newHeartbeat(t *testing.T) *Heartbeat {
	b, err := startHeartbeat("127.0.0.1", quick)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func TestShardsFollowABeat(t *testing.T) {
	t.Parallel()
	b := newHeartbeat(t)
	ctx, stop, err := follow(t.Context(), b.Address(), timeout)
	require.NoError(t, err)
	patient, stopPatient, err := follow(t.Context(), b.Address(), time.Hour)
	require.NoError(t, err)
	time.Sleep(timeout * 3 / 2)
	require.NoError(t, ctx.Err(), "a driver that lives is followed")

	require.NoError(t, b.Close())
	for _, c := range []context.Context{ctx, patient} { // an end is noticed at once, and not by the timeout after it
		<-c.Done()
		require.ErrorIs(t, context.Cause(c), errDriverLost)
	}
	stop()
	stopPatient()
	require.NoError(t, b.Close(), "closing again does nothing")
	_, _, err = follow(t.Context(), b.Address(), timeout)
	require.ErrorIs(t, err, errDriverLost, "nobody is there at the start")
}

// A driver whose machine is gone sends nothing, not even the end of the connection.
func TestASilentDriverIsNoticed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ctx, stop, err := follow(t.Context(), l.Addr().String(), timeout)
	require.NoError(t, err)
	defer stop()
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	time.Sleep(timeout / 2)
	last := time.Now()
	_, err = conn.Write([]byte{'.'})
	require.NoError(t, err)
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), errDriverLost)
	require.GreaterOrEqual(t, time.Since(last), timeout, "it counts from the last sign")
}

func TestFollowingEndsWithTheShard(t *testing.T) {
	b := newHeartbeat(t)
	cancelled := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	followed, stop, err := follow(ctx, b.Address(), timeout)
	require.NoError(t, err)
	cancel(cancelled)
	<-followed.Done()
	require.ErrorIs(t, context.Cause(followed), cancelled)
	stop()
}

func TestBeatWantsAnAddressOfThisMachine(t *testing.T) {
	_, err := StartHeartbeat("192.0.2.1")
	require.ErrorContains(t, err, "\nhint: 192.0.2.1 has to be an address of this machine")
}
