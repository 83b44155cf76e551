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

const (
	quick   = 20 * time.Millisecond
	silence = 400 * time.Millisecond
)

func newBeat(t *testing.T) *Beat {
	b, err := startBeat("127.0.0.1", quick)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func TestShardsFollowABeat(t *testing.T) {
	b := newBeat(t)
	ctx, stop, err := follow(t.Context(), b.Address(), silence)
	require.NoError(t, err)
	time.Sleep(2 * silence)
	require.NoError(t, ctx.Err(), "a driver that lives is followed")

	began := time.Now()
	require.NoError(t, b.Close())
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), errSilent)
	require.Less(t, time.Since(began), silence, "an end is noticed at once")
	stop()
	require.NoError(t, b.Close(), "closing again does nothing")
	_, _, err = follow(t.Context(), b.Address(), silence)
	require.ErrorIs(t, err, errSilent, "nobody is there at the start")
}

// A driver whose machine is gone says neither anything nor goodbye.
func TestASilentDriverIsNoticed(t *testing.T) {
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
	_, err = conn.Write([]byte{'.'})
	require.NoError(t, err)
	last := time.Now()
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), errSilent)
	require.InDelta(t, silence.Seconds(), time.Since(last).Seconds(), silence.Seconds()/2)
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
