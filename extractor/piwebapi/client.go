package piwebapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"
	"golang.org/x/time/rate"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Options are a Client's site and its limits.
type Options struct {
	Site manifest.Site // name, URL, retry policy
	// Limits is this task's share of the site's budget. The zero value is no limit
	// of requests per second, one connection and 150,000 items a call.
	Limits    manifest.Limits
	Transport http.RoundTripper // from auth.NewTransport; required
	Logger    *slog.Logger      // nil = no log; retries and splits are logged at Debug
	Retrying  func(Retry)       // called for each request that is sent again, from several goroutines; may be nil
	// Access is shared by the Clients of a site in one run; nil = not shared.
	Access *Access
	// Memory is shared by the Clients of a process; nil = not shared.
	Memory *Memory
	// Lists is shared by the Clients of sites that are listed at the same time; nil =
	// not shared.
	Lists *Lists
	// FailFast is for interactive use: until the site has answered once, an error that
	// a wrong address causes is not retried.
	FailFast bool
	// URLBytes is the longest URL that is sent; 0 = 15,900. It shrinks if the server
	// refuses a URL as too long.
	URLBytes int
}

// Client reads from one site. All methods are safe for concurrent use and share one
// budget of requests and connections. It never writes: every request is a GET.
type Client struct {
	site     string
	base     *url.URL // without a slash at the end
	kerberos bool     // requests carry Kerberos tickets
	attempts int
	backoff  time.Duration
	http     *resty.Client
	timeout  time.Duration // of a request
	sent     atomic.Int64  // requests
	limiter  *limiter
	sizer    *batchSizer
	memory   *Memory
	lists    *Lists
	held     sync.Map // *columns.Batch of the Sink -> its *hold
	log      *slog.Logger
	known    atomic.Bool // the server has accepted our credentials
	retrying func(Retry)
	retries  atomic.Int64
	troubled atomic.Bool // no answer since the last retry, or none yet

	access    *Access
	shared    bool // access is shared with other Clients
	anonymous bool
	failFast  bool
	redact    func(string) string // removes the site's secrets from a text that is shown
	redactFor func(string) string // the same for an event's text; nil if there is no secret
	maxPoints int
	left      left
}

// New makes a Client. Nothing is sent yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(o.Site.URL, "/"))
	if err != nil || base.Host == "" {
		return nil, errors.New("the site's URL is not one such as https://pi.example.com/piwebapi")
	}
	if o.Transport == nil {
		return nil, errors.New("no transport was given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	connections := max(1, o.Limits.Connections)
	limit := rate.Inf
	if o.Limits.RequestsPerSecond > 0 {
		limit = rate.Limit(o.Limits.RequestsPerSecond)
	}
	timeout := seconds(o.Site.Retry.TimeoutSeconds, 60*time.Second)
	backoff := seconds(o.Site.Retry.BackoffSeconds, time.Second)

	client := resty.NewWithClient(&http.Client{Transport: o.Transport}).
		SetBaseURL(base.String()).SetTimeout(timeout). // of a request, body included
		SetDoNotParseResponse(true).SetDisableWarn(true).
		SetHeader("User-Agent", "pi-extractor").SetHeader("Accept", "application/json").
		// A redirect leads to a sign-in page or to another host. Neither is
		// PI Web API, so it is an answer like any other wrong one.
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }))

	c := &Client{
		site: o.Site.Name, base: base, kerberos: o.Site.Auth.Kind == "kerberos",
		attempts: max(1, o.Site.Retry.Attempts), backoff: backoff,
		http: client, timeout: timeout, limiter: newLimiter(connections, backoff),
		sizer: newBatchSizer(o.Limits.ItemsPerCall, o.URLBytes, connections),
		log:   o.Logger.With("site", o.Site.Name), retrying: o.Retrying,
		access: o.Access, shared: o.Access != nil, anonymous: o.Site.Auth.Kind == "anonymous",
		failFast: o.FailFast, redact: func(s string) string { return s },
		maxPoints: cmp.Or(o.Site.Limits.Points, maxPoints),
	}
	// A burst is at most what a second allows and the connections can use.
	perSecond := rate.NewLimiter(limit, max(1, min(connections, int(o.Limits.RequestsPerSecond))))
	client.OnBeforeRequest(func(_ *resty.Client, r *resty.Request) error {
		if err := perSecond.Wait(r.Context()); err != nil {
			return errNoTurn
		}
		c.sent.Add(1)
		return nil
	})
	if c.access == nil {
		c.access = NewAccess()
	}
	if c.memory = o.Memory; c.memory == nil {
		c.memory = NewMemory(0)
	}
	if c.lists = o.Lists; c.lists == nil {
		c.lists = NewLists(0, o.Site)
	}
	if c.anonymous {
		c.access.open(streamSetPath) // there are no credentials to refuse
	}
	if r, ok := o.Transport.(redactor); ok {
		c.redact, c.redactFor = r.Redact, r.RedactData
	}
	c.troubled.Store(true) // another Client of the site may have reported trouble
	return c, nil
}

// errNoTurn is why a request was not sent: the budget of requests per second has no
// turn for it before the caller's deadline.
var errNoTurn = errors.New("no request may be sent before the deadline")

// timedOut reports whether an error is that of a request, body included, that took
// longer than it may. A dial or a handshake has a time limit of its own.
func timedOut(err error) bool {
	var dial *net.OpError
	return errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &dial)
}

// redactor is a Transport that knows the site's secrets.
type redactor interface {
	Redact(text string) string
	RedactData(text string) string
}

// redactTexts removes secrets from the texts of a batch: a server may print them
// into values as well as into errors, and values are stored for good.
func (c *Client) redactTexts(b *columns.Batch) {
	if c.redactFor == nil {
		return
	}
	for id := range b.Strings.Len() {
		was := b.Strings.Text(uint32(id))
		if is := c.redactFor(was); is != was {
			b.Strings.Replace(uint32(id), is)
		}
	}
}

func seconds(s float64, otherwise time.Duration) time.Duration {
	if s <= 0 {
		return otherwise
	}
	return time.Duration(s * float64(time.Second))
}

// Requests returns the number of requests that the Client has sent, with retries.
func (c *Client) Requests() int64 { return c.sent.Load() }

// Close closes idle connections. The Client remains usable.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// Free takes back a batch that was passed to a Sink, for reuse.
func (c *Client) Free(b *columns.Batch) {
	if h, ok := c.held.LoadAndDelete(b); ok {
		h.(*hold).release(false)
	}
}

// request is one GET: the path below the site's URL, the query as it is sent, how
// much work it is for the server (see limiter.release), and the reader of the body
// of a success.
type request struct {
	path, query string
	work        float64
	read        func(body io.Reader, head http.Header) error
}

// get makes a request when the limiter admits it. A 429 is not a failure: get waits
// and tries again, until that has lasted too long. All other errors are returned.
func (c *Client) get(ctx context.Context, r request) *Error {
	for {
		if err := c.limiter.acquire(ctx); err != nil {
			return c.at(r).network(ctx, err)
		}
		began := time.Now()
		bytes, err := c.exchange(ctx, r)
		work := r.work
		if work > 0 {
			work += float64(bytes) / bytesOfWork
		}
		c.limiter.release(began, work, err)
		if err != nil && err.Kind != Unauthorized { // that one is shared
			err.began = began
		}
		if err == nil || err.Kind != RateLimited || c.limiter.throttledTooLong() {
			return err
		}
		c.log.Debug("rate limited", "path", r.path)
		c.again(err, 0, 0, c.limiter.paused())
	}
}

// persist makes a request with the site's retry policy.
func (c *Client) persist(ctx context.Context, r request) error {
	for tries := 1; ; tries++ {
		err := c.get(ctx, r)
		if err == nil {
			return nil
		}
		hopeless := !err.Retryable || err.Kind == RateLimited || c.failFast && err.wrongAddress && !c.known.Load()
		if hopeless || tries >= c.attempts {
			return err
		}
		c.log.Debug("trying again", "path", r.path, "tries", tries, "error", err.Kind.String(), "status", err.Status)
		wait := c.pauseBefore(tries, err)
		c.again(err, tries+1, c.attempts, wait)
		if gone := sleep.For(ctx, wait); gone != nil {
			return c.at(r).network(ctx, gone)
		}
	}
}

// pauseBefore returns how long to wait after so many failed tries.
func (c *Client) pauseBefore(tries int, err *Error) time.Duration {
	if err.after > 0 {
		return min(err.after, maxThrottling)
	}
	return jitter(min(maxPause, c.backoff<<min(tries-1, 10)))
}

func (c *Client) at(r request) place {
	return place{site: c.site, path: c.base.Path + r.path, base: c.base.Scheme + "://" + c.base.Host,
		urlBytes: c.urlBytes(r.path, r.query), redact: c.redact}
}

// urlBytes returns the length of a URL.
func (c *Client) urlBytes(path, query string) int {
	return len(c.base.Scheme) + len("://") + len(c.base.Host) + len(c.base.Path) + len(path) + len("?") + len(query)
}

// bytesOfWork is the size of an answer that costs a server about as much as one more
// stream. It need not be exact: only a fourfold growth counts.
const bytesOfWork = 20_000

// exchange sends a request once and reads its body. It returns the body's size.
func (c *Client) exchange(ctx context.Context, r request) (bytes int64, failed *Error) {
	at := c.at(r)
	leave, refused, err := c.access.enter(ctx, r.path)
	switch {
	case err != nil:
		return 0, at.network(ctx, err)
	case refused != nil:
		return 0, refused
	}
	// Only until the status is known: a body may take long.
	leave = sync.OnceFunc(leave)
	defer leave()
	target := r.path
	if r.query != "" {
		target += "?" + r.query
	}
	resp, err := c.http.R().SetContext(ctx).Get(target)
	if err != nil {
		failed := at.network(ctx, err)
		if failed.Kind == Unauthorized {
			c.access.refuse(failed)
		}
		return 0, failed
	}
	raw := resp.RawResponse
	body := &watched{r: raw.Body, left: maxBody}
	defer raw.Body.Close()
	if raw.StatusCode != http.StatusOK && raw.StatusCode != http.StatusMultiStatus {
		refused := at.refusal(raw, body)
		if refused.Kind == Unauthorized && c.kerberos {
			refused.hint = ticketRefused
			if !auth.OffersKerberos(raw.Header) {
				refused.hint = ticketUnasked
			}
		}
		if refused.Kind == Unauthorized {
			c.access.refuse(refused)
		}
		return 0, refused
	}
	c.known.Store(true)
	leave()
	if err := r.read(body, raw.Header); err != nil {
		return body.bytes, at.unread(ctx, body.err, err)
	}
	c.works()
	// To the end, so that the connection can be reused.
	_, _ = io.CopyN(io.Discard, body, 4<<10)
	return body.bytes, nil
}

// unread returns the Error of a successful answer whose body could not be read, from
// the last error of the connection and the error of the body's reader.
func (p place) unread(ctx context.Context, connection, reader error) *Error {
	switch {
	case ctx.Err() != nil:
		return p.network(ctx, ctx.Err())
	case timedOut(connection):
		return p.network(ctx, connection)
	case connection == nil || connection == io.EOF:
		return p.body(reader)
	default: // it broke off
		return p.body(connection)
	}
}

// refusal returns the Error of an unsuccessful answer.
func (p place) refusal(resp *http.Response, body io.Reader) *Error {
	text, _ := io.ReadAll(io.LimitReader(body, 64<<10)) // a part of a message is better than none
	message, ok := spoken(text)
	switch {
	case ok:
	case resp.StatusCode/100 == 3:
		message = "it redirects elsewhere"
		if to, err := resp.Location(); err == nil {
			message = "it redirects to " + to.Scheme + "://" + to.Host + to.Path
		}
	case wantsTLS.Match(text):
		message = string(wantsTLS.Find(text))
	default:
		message = http.StatusText(resp.StatusCode)
	}
	e := p.status(resp.StatusCode, message, ok)
	e.after = retryAfter(resp.Header)
	return e
}

// maxBody is the size of the largest answer that is read, in bytes: more than the
// events of a call take in the most verbose form.
const maxBody = 512 << 20

var errHugeBody = fmt.Errorf("an answer of more than %d MB is %w", maxBody>>20, decode.ErrTooLarge)

// watched counts bytes, ends an answer that is too large, and keeps the first error
// of reading, since a decoder may replace it.
type watched struct {
	r     io.Reader
	left  int64
	bytes int64
	err   error
}

func (w *watched) Read(p []byte) (int, error) {
	if w.bytes >= w.left {
		w.err = errHugeBody
		return 0, w.err
	}
	n, err := w.r.Read(p)
	w.bytes += int64(n)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}
