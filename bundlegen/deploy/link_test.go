package deploy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
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

// wire is a network in memory with one server on it: in a bubble of synctest its
// connections wait without holding up the clock.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
}

// newWire serves a handler on a wire until the test ends.
func newWire(t *testing.T, handler http.HandlerFunc) *wire {
	w := &wire{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler}
	go func() { assert.ErrorIs(t, server.Serve(w), http.ErrServerClosed) }()
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	return w
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error   { close(w.closed); return nil }
func (w *wire) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case w.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestUploadThatGoesOnIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		var gaveUp atomic.Bool
		l := newLink(t.Context(), time.Second, func(error) { gaveUp.Store(true) })
		defer l.close()
		l.next.DialContext = w.dial
		resp, err := (&http.Client{Transport: l}).Post("http://workspace.example", "text/plain", &drip{chunks: 14})
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		time.Sleep(1100 * time.Millisecond)
		assert.False(t, gaveUp.Load(), "nor is a workspace silent that is not asked")
	})
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
	synctest.Test(t, func(t *testing.T) {
		const host, patience = "http://workspace.example", 300 * time.Millisecond
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		l := newLink(ctx, patience, func(why error) { cancel(silent(host, why)) })
		defer l.close()
		l.next.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
		start := time.Now()
		for ctx.Err() == nil {
			require.LessOrEqual(t, time.Since(start), patience)
			resp, err := (&http.Client{Transport: l}).Get(host)
			if err == nil {
				resp.Body.Close()
			}
			require.Error(t, err)
			time.Sleep(50 * time.Millisecond)
		}
		require.ErrorIs(t, context.Cause(ctx), ErrNoAnswer)
		_, err := (&http.Client{Transport: l}).Get(host) //nolint:bodyclose // an error brings no body
		require.ErrorIs(t, err, ErrNoAnswer, "a verb that has ended asks nothing more")
	})
}
