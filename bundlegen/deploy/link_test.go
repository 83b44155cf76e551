package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
	l := newLink(t.Context(), time.Second, func(error) { gaveUp.Store(true) })
	defer l.close()
	resp, err := (&http.Client{Transport: l}).Post(server.URL, "text/plain", &drip{chunks: 14})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	time.Sleep(1100 * time.Millisecond)
	assert.False(t, gaveUp.Load(), "nor is a workspace silent that is not asked")
}

// Lists of pages that are always new end, however fast they come.
func TestPagesWithoutEnd(t *testing.T) {
	body := make([]byte, 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, _ = w.Write(body)
		}
	}))
	defer server.Close()
	for path, most := range map[string]int{"/small": maxPages, "/large": maxAnswer>>20 + 1} {
		ctx, cancel := context.WithCancelCause(t.Context())
		l := newLink(ctx, time.Minute, cancel)
		n := 0
		for ; ctx.Err() == nil && n <= maxPages; n++ {
			resp, err := (&http.Client{Transport: l}).Get(fmt.Sprintf("%s%s?page_token=%d", server.URL, path, n))
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			require.NoError(t, resp.Body.Close())
		}
		require.ErrorContains(t, context.Cause(ctx), "the workspace's answer has no end", path)
		require.Equal(t, most, n, path)
		l.close()
		cancel(nil)
	}
	// A list that is read again from its beginning is another one.
	l := newLink(t.Context(), time.Minute, func(err error) { t.Error(err) })
	defer l.close()
	for n := range 2 * maxPages {
		url := server.URL + "/small"
		if n%100 != 0 {
			url += "?page_token=x"
		}
		resp, err := (&http.Client{Transport: l}).Get(url)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
}

func TestTryingAgainDoesNotBeginTheWatchAnew(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // refuses from now on
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	l := newLink(ctx, 300*time.Millisecond, func(why error) { cancel(silent(server.URL, why)) })
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
