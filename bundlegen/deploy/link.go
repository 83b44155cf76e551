package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// link is the connection to one workspace for one verb. It ends the verb when
// the workspace is silent: no answer to any request, and no progress of any
// upload, for as long as patience lasts. The SDK by itself would go on trying
// for 15 minutes. Requests that the SDK makes without the verb's context (those
// for OAuth tokens) end with the verb too.
type link struct {
	next     *http.Transport
	patience time.Duration

	mu      sync.Mutex
	verb    context.Context // what requests must not outlive
	waiting int             // requests under way
	owes    bool            // the workspace owes an answer: timer runs
	timer   *time.Timer
}

// newLink makes a connection whose requests end with verb at the latest. It
// calls giveUp once the workspace has been silent for longer than patience.
func newLink(verb context.Context, patience time.Duration, giveUp func()) *link {
	// A transport of its own: its idle connections end with the verb. Proxies
	// and roots are the system's, as with the SDK's own.
	next := http.DefaultTransport.(*http.Transport).Clone()
	next.MaxIdleConnsPerHost = 16 // the CLI uploads up to ten files at once
	l := &link{next: next, patience: patience, verb: verb}
	l.timer = time.AfterFunc(patience, giveUp)
	l.timer.Stop()
	return l
}

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	verb := l.asked()
	if err := context.Cause(verb); err != nil {
		l.failed()
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	unbind := context.AfterFunc(verb, cancel)
	done := func() { unbind(); cancel() }
	req = req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &upload{ReadCloser: req.Body, progress: l.alive}
	}
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		done()
		l.failed()
		if cause := context.Cause(verb); cause != nil {
			err = cause // rather than "context canceled"
		}
		return nil, err
	}
	l.answered()
	resp.Body = &download{ReadCloser: resp.Body, done: done} // it is read under ctx
	return resp, nil
}

// rebind lets requests through again after the verb has been cancelled, for as
// long as ctx lives: to give the deployment lock back.
func (l *link) rebind(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.verb = ctx
}

// close ends the idle connections and the watch.
func (l *link) close() {
	l.timer.Stop()
	l.next.CloseIdleConnections()
}

// asked counts a request in. The watch begins with the first one.
func (l *link) asked() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting++
	if !l.owes { // a request that is tried again does not begin the watch anew
		l.owes = true
		l.timer.Reset(l.patience)
	}
	return l.verb
}

// answered counts a request out; the rest has the full patience again.
func (l *link) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.owes = l.waiting > 0; l.owes {
		l.timer.Reset(l.patience)
	} else {
		l.timer.Stop()
	}
}

// failed counts a request out that got no answer: the watch goes on, since the
// SDK tries again after a while.
func (l *link) failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}

// alive is progress of an upload.
func (l *link) alive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owes {
		l.timer.Reset(l.patience)
	}
}

// upload is a request's body that reports progress.
type upload struct {
	io.ReadCloser
	progress func()
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if n > 0 {
		u.progress()
	}
	return n, err
}

// download is a response's body that says when nothing more is read of it.
type download struct {
	io.ReadCloser
	done func()
}

func (d *download) Close() error {
	defer d.done()
	return d.ReadCloser.Close()
}

// silent is the error for a workspace that does not answer any more.
func silent(host string, after time.Duration) error {
	return &Error{
		Err:  fmt.Errorf("%w from %s for %v", ErrNoAnswer, host, after),
		Hint: "check the network, VPN and proxy (HTTPS_PROXY) to the workspace, then run the same command again",
	}
}
