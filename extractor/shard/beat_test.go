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

// A driver gives signs of life every quick in these tests, and is taken for dead
// after silence: so long that a machine that does much else keeps no goroutine
// waiting for it.
const (
	quick   = 20 * time.Millisecond
	silence = 2 * time.Second
)

func newBeat(t *testing.T) *Beat {
	b, err := startBeat("127.0.0.1", quick)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func TestShardsFollowABeat(t *testing.T) {
	t.Parallel()
	b := newBeat(t)
	ctx, stop, err := follow(t.Context(), b.Address(), silence)
	require.NoError(t, err)
	patient, stopPatient, err := follow(t.Context(), b.Address(), time.Hour)
	require.NoError(t, err)
	time.Sleep(silence * 3 / 2)
	require.NoError(t, ctx.Err(), "a driver that lives is followed")

	require.NoError(t, b.Close())
	for _, c := range []context.Context{ctx, patient} { // an end is noticed at once, and not by the silence after it
		<-c.Done()
		require.ErrorIs(t, context.Cause(c), errSilent)
	}
	stop()
	stopPatient()
	require.NoError(t, b.Close(), "closing again does nothing")
	_, _, err = follow(t.Context(), b.Address(), silence)
	require.ErrorIs(t, err, errSilent, "nobody is there at the start")
}

// A driver whose machine is gone says neither anything nor goodbye.
func TestASilentDriverIsNoticed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ctx, stop, err := follow(t.Context(), l.Addr().String(), silence)
	require.NoError(t, err)
	defer stop()
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	time.Sleep(silence / 2)
	last := time.Now()
	_, err = conn.Write([]byte{'.'})
	require.NoError(t, err)
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), errSilent)
	require.GreaterOrEqual(t, time.Since(last), silence, "it counts from the last sign")
}

func TestFollowingEndsWithTheShard(t *testing.T) {
	b := newBeat(t)
	cancelled := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	followed, stop, err := follow(ctx, b.Address(), silence)
	require.NoError(t, err)
	cancel(cancelled)
	<-followed.Done()
	require.ErrorIs(t, context.Cause(followed), cancelled)
	stop()
}

func TestBeatWantsAnAddressOfThisMachine(t *testing.T) {
	_, err := StartBeat("192.0.2.1")
	require.ErrorContains(t, err, "\nhint: 192.0.2.1 has to be an address of this machine")
}
