package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// link is the connection to one workspace for one verb. It ends the verb when
// the workspace is silent: no answer to any request, and no progress of any
// upload, for as long as patience lasts. The SDK by itself would go on trying
// for 15 minutes. Requests that the SDK makes without the verb's context (those
// for OAuth tokens) end with the verb too.
//
// An answer that only asks for patience (429, 503) is none, and one that comes
// more slowly than slowest uses patience up. Answers have a bound in bytes and,
// where they come in pages, in number.
type link struct {
	next     *http.Transport
	patience time.Duration
	giveUp   func(error)

	mu      sync.Mutex
	verb    context.Context // what requests must not outlive
	waiting int             // requests whose answers have not come in full
	owes    bool            // the workspace owes an answer: timer runs
	timer   *time.Timer
	putOff  string // the status of the last answer that asked for patience

	coming int           // answers that are on their way: the first byte is there, the last is not
	lag    time.Duration // of answers behind those at the slowest rate
	since  time.Time     // when lag was reckoned
	fresh  int           // bytes since the timer was set

	pages map[string]*pages // of lists, by path
}

// pages is a list that is read page by page.
type pages struct {
	n     int
	bytes int64
}

const (
	slowest   = 1 << 10  // bytes a second
	enough    = 64 << 10 // bytes that are progress
	maxAnswer = 64 << 20 // bytes of an answer, and of all pages of a list
	maxPages  = 1000     // of a list
)

// newLink makes a connection whose requests end with verb at the latest. It
// calls giveUp once the workspace has been silent for longer than patience, or
// sends without end.
func newLink(verb context.Context, patience time.Duration, giveUp func(error)) *link {
	// A transport of its own: its idle connections end with the verb. Proxies
	// and roots are the system's, as with the SDK's own.
	next := http.DefaultTransport.(*http.Transport).Clone()
	next.MaxIdleConnsPerHost = 16 // the CLI uploads up to ten files at once
	l := &link{next: next, patience: patience, giveUp: giveUp, verb: verb, since: time.Now(), pages: map[string]*pages{}}
	l.timer = time.AfterFunc(patience, l.patienceIsOver)
	l.timer.Stop()
	return l
}

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(req *http.Request) (*http.Response, error) {
	verb := l.asked()
	if err := context.Cause(verb); err != nil {
		l.failed("")
		return nil, err
	}
	page, err := l.page(req)
	if err != nil {
		l.failed("")
		l.giveUp(err)
		return nil, err
	}
	head := &arrival{link: l}
	ctx, cancel := context.WithCancel(req.Context())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: head.begin})
	unbind := context.AfterFunc(verb, cancel)
	done := func() { unbind(); cancel() }
	req = req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &upload{ReadCloser: req.Body, progress: l.alive}
	}
	resp, err := l.next.RoundTrip(req)
	head.end()
	if err != nil {
		done()
		l.failed("")
		if cause := context.Cause(verb); cause != nil {
			err = cause // rather than "context canceled"
		}
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		l.failed(statusText(resp.StatusCode)) // the SDK tries again: the watch goes on
	default:
		l.answered()
		done = func() { unbind(); cancel(); l.complete() }
	}
	resp.Body = &download{ReadCloser: resp.Body, link: l, page: page, verb: verb, done: sync.OnceFunc(done)} // it is read under ctx
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
	if !l.owes { // a request that is tried again does not restart the timer
		l.owes = true
		l.putOff = ""
		l.watch()
	}
	return l.verb
}

// answered is the head of an answer: it and all others have the full patience
// again.
func (l *link) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.putOff = ""
	l.watch()
}

// complete counts a request out.
func (l *link) complete() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.owes = l.waiting > 0; l.owes {
		l.watch()
	} else {
		l.timer.Stop()
	}
}

// failed counts a request out that got no answer, or none but a status that asks
// for patience: the watch goes on, since the SDK tries again after a while.
func (l *link) failed(status string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	l.putOff = status
}

// alive is progress of an upload.
func (l *link) alive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owes {
		l.watch()
	}
}

// watch returns the workspace what is left of patience from now on. l.mu is held.
func (l *link) watch() {
	l.reckon()
	l.fresh = 0
	l.timer.Reset(max(0, l.patience-l.lag))
}

// reckon brings lag up to now: it grows while answers are on their way, and is
// forgiven slowly while none is. l.mu is held.
func (l *link) reckon() {
	now := time.Now()
	passed := now.Sub(l.since)
	if l.since = now; l.coming > 0 {
		l.lag += passed
	} else {
		l.lag = max(0, l.lag-passed/10)
	}
}

// arrives counts an answer in or out whose bytes are on their way.
func (l *link) arrives(by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reckon()
	l.coming += by
}

// received takes note of bytes of an answer.
func (l *link) received(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reckon()
	l.lag = max(0, l.lag-time.Duration(n)*time.Second/slowest)
	if l.fresh += n; l.fresh >= enough && l.owes {
		l.watch()
	}
}

// page counts a request for a page of a list; nil is for one that is for none.
func (l *link) page(req *http.Request) (*pages, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := req.URL.Path
	if !req.URL.Query().Has("page_token") {
		l.pages[path] = &pages{}
		return nil, nil
	}
	p := l.pages[path]
	if p == nil {
		p = &pages{}
		l.pages[path] = p
	}
	if p.n++; p.n > maxPages {
		return nil, endless(fmt.Errorf("%s has more than %d pages", path, maxPages))
	}
	return p, nil
}

// patienceIsOver ends the verb.
func (l *link) patienceIsOver() {
	l.mu.Lock()
	l.reckon()
	err := &silence{after: l.patience}
	switch {
	case l.lag > l.patience/2:
		err.but = fmt.Sprintf("answers at less than %d bytes a second", slowest)
	case l.putOff != "":
		err.but = l.putOff
	}
	l.mu.Unlock()
	l.giveUp(err)
}

// silence is why patience was over.
type silence struct {
	after time.Duration
	but   string // what came instead of an answer; "" is nothing
}

func (s *silence) Error() string {
	if s.but == "" {
		return fmt.Sprintf("%v for %v", ErrNoAnswer, s.after)
	}
	return fmt.Sprintf("%v for %v but %s", ErrNoAnswer, s.after, s.but)
}

func (s *silence) Unwrap() error { return ErrNoAnswer }

// endless is the error for a workspace that sends without end.
func endless(err error) error {
	return diag.WithHint(fmt.Errorf("the workspace's answer has no end: %w", err),
		"check that `host` is a Databricks workspace, and what proxy (HTTPS_PROXY) is in between")
}

// arrival is the time in which an answer's head comes.
type arrival struct {
	link  *link
	mu    sync.Mutex
	begun bool
	ended bool
}

func (a *arrival) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun && !a.ended {
		a.begun = true
		a.link.arrives(+1)
	}
}

func (a *arrival) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended = true; a.begun {
		a.begun = false
		a.link.arrives(-1)
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

// download is a response's body: it says how fast it comes, when nothing more is
// read of it, and when it is too much.
type download struct {
	io.ReadCloser
	link  *link
	page  *pages // nil: it is no page of a list
	verb  context.Context
	bytes int64
	done  func()
}

func (d *download) Read(p []byte) (int, error) {
	d.link.arrives(+1)
	n, err := d.ReadCloser.Read(p)
	d.link.arrives(-1)
	d.link.received(n)
	if d.bytes += int64(n); d.tooMuch(n) {
		err = endless(fmt.Errorf("it is larger than %d MiB", maxAnswer>>20))
		d.link.giveUp(err)
	}
	if err != nil {
		d.done()
		if cause := context.Cause(d.verb); cause != nil && !errors.Is(err, io.EOF) {
			err = cause // rather than "context canceled"
		}
	}
	return n, err
}

// tooMuch reports whether an answer, or the pages of a list, are larger than any
// that the CLI asks for.
func (d *download) tooMuch(n int) bool {
	if d.page == nil {
		return d.bytes > maxAnswer
	}
	d.link.mu.Lock()
	defer d.link.mu.Unlock()
	d.page.bytes += int64(n)
	return d.page.bytes > maxAnswer
}

func (d *download) Close() error {
	defer d.done()
	return d.ReadCloser.Close()
}

// networkHint is what to do when the workspace is not there.
const networkHint = "check the network, VPN and proxy (HTTPS_PROXY) to the workspace, then run the same command again"

// silent is the error for a workspace that does not answer any more.
func silent(host string, why error) error {
	var s *silence
	if !errors.As(why, &s) {
		return why
	}
	if s.but == "" {
		return diag.WithHint(fmt.Errorf("%w from %s for %v", ErrNoAnswer, host, s.after), networkHint)
	}
	hint := networkHint
	if s.but == statusTooMany {
		hint = limitHint
	}
	return diag.WithHint(fmt.Errorf("%w from %s for %v but %s", ErrNoAnswer, host, s.after, s.but), "%s", hint)
}

const statusTooMany = "429 Too Many Requests"

func statusText(code int) string { return fmt.Sprintf("%d %s", code, http.StatusText(code)) }
