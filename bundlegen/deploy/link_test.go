package deploy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drip is a body that takes its time.
type drip struct{ chunks int }

func (d *drip) Read(p []byte) (int, error) {
	if d.chunks == 0 {
		return 0, io.EOF
	}
	d.chunks--
	time.Sleep(100 * time.Millisecond)
	return copy(p, "drop"), nil
}

func TestUploadThatGoesOnIsNotSilence(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	var gaveUp atomic.Bool
	l := newLink(t.Context(), time.Second, func() { gaveUp.Store(true) })
	defer l.close()
	resp, err := (&http.Client{Transport: l}).Post(server.URL, "text/plain", &drip{chunks: 14})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	time.Sleep(1100 * time.Millisecond)
	assert.False(t, gaveUp.Load(), "nor is a workspace silent that is not asked")
}

func TestTryingAgainDoesNotBeginTheWatchAnew(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // refuses from now on
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	l := newLink(ctx, 300*time.Millisecond, sync.OnceFunc(func() { cancel(silent(server.URL, 300*time.Millisecond)) }))
	defer l.close()
	start := time.Now()
	for ctx.Err() == nil && time.Since(start) < 5*time.Second {
		resp, err := (&http.Client{Transport: l}).Get(server.URL)
		if err == nil {
			resp.Body.Close()
		}
		require.Error(t, err)
		time.Sleep(50 * time.Millisecond)
	}
	require.ErrorIs(t, context.Cause(ctx), ErrNoAnswer)
	_, err := (&http.Client{Transport: l}).Get(server.URL)
	require.ErrorIs(t, err, ErrNoAnswer, "a verb that has ended asks nothing more")
}
