package simulator

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Root is the path under which the server answers.
const Root = "/piwebapi"

// Server is a PI Web API server: an http.Handler, with a listener of its own
// after Start. All methods are safe for concurrent use.
type Server struct {
	o        Options
	archive  *archive
	ids      webIDs
	routes   []route
	dir      atomic.Pointer[directory]
	changing sync.Mutex
	workers  workers
	limiter  *limiter
	counters *counters
	faults   faultState
	ca       *authority // with TLS only

	closed   chan struct{}
	closing  sync.Once
	http     *http.Server
	served   chan struct{} // closed when the listener's goroutine has ended
	startErr error
}

// New makes a server. It needs Start only to be reached over the network.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o:        o,
		archive:  newArchive(o),
		ids:      newWebIDs(o.Seed, o.DataServer, o.WebIDType),
		routes:   newRoutes(),
		workers:  newWorkers(o.Threads),
		limiter:  &limiter{limit: o.RateLimit, clients: map[string]*window{}},
		counters: newCounters(),
		faults:   faultState{set: o.faults()},
		closed:   make(chan struct{}),
	}
	d := &directory{total: o.Tags, odd: s.archive.quirks.has(OddNames)}
	d.giveOddNames(s.archive.quirks)
	s.dir.Store(d)
	if o.TLS {
		s.ca, s.startErr = newAuthority()
	}
	return s
}

// Start listens on addr, such as 127.0.0.1:0, and returns the base URL of the service,
// which ends in /piwebapi. Close ends it. Start may be called once.
func (s *Server) Start(addr string) (string, error) {
	if s.startErr != nil {
		return "", fmt.Errorf("make a certificate: %w", s.startErr)
	}
	if s.http != nil {
		return "", fmt.Errorf("the server was started before")
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	scheme := "http"
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0)} // disconnected clients are not errors
	if s.ca != nil {
		certificate, err := s.ca.issue(l.Addr())
		if err != nil {
			_ = l.Close()
			return "", fmt.Errorf("make a certificate: %w", err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		scheme = "https"
	}
	s.served = make(chan struct{})
	go func() {
		defer close(s.served)
		defer crash.Exit()
		_ = s.http.Serve(l) // always an error: that of Close
	}()
	return scheme + "://" + l.Addr().String() + Root, nil
}

// Close breaks all connections and waits until nothing of the server runs. It may be
// called more than once, and without Start.
func (s *Server) Close() error {
	s.closing.Do(func() { close(s.closed) })
	var err error
	if s.http != nil {
		err = s.http.Close()
		<-s.served
	}
	s.counters.waitIdle()
	return err
}

// CA returns the certificate, in PEM, of the authority that signed the server's own;
// nil without TLS.
func (s *Server) CA() []byte {
	if s.ca == nil {
		return nil
	}
	return s.ca.pem
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.counters.begin(time.Now())
	b := newBody(w, acceptsGzip(r))
	defer func() {
		s.counters.end(b.status, b.events)
		b.free()
	}()
	down, p := s.faults.request()
	if down {
		panic(http.ErrAbortHandler) // net/http's way to break a connection off
	}
	if p == nil {
		p = s.admit(r)
	}
	if p == nil {
		p = s.answer(r, b)
	}
	if p != nil {
		s.writeProblem(b, p, s.echoOf(r))
	}
	b.finish()
}

// acceptsGzip reports whether the client takes gzip.
func acceptsGzip(r *http.Request) bool {
	for _, h := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(h, ",") {
			name, weight, _ := strings.Cut(part, ";")
			if strings.TrimSpace(name) == "gzip" && strings.ReplaceAll(weight, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// admit makes the checks that come before the path is looked at.
func (s *Server) admit(r *http.Request) *problem {
	if len(r.RequestURI) > s.o.MaxURL {
		status := http.StatusRequestURITooLong
		if s.archive.quirks.has(URLTooLong400) {
			status = http.StatusBadRequest
		}
		return &problem{status: status, html: true, text: "<html><body><h2>Bad Request - Request Too Long</h2></body></html>\r\n"}
	}
	if p := s.limit(client(r)); p != nil {
		return p
	}
	if !s.authorized(r) {
		p := denied()
		p.header = http.Header{"Www-Authenticate": s.offers()}
		return p
	}
	return nil
}

// client returns the address that makes a request, for the rate limit.
func client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// limit counts a request against its client's budget.
func (s *Server) limit(client string) *problem {
	if s.limiter.allow(client, time.Now()) {
		return nil
	}
	s.counters.count(func(st *Stats) { st.Refused429++ })
	return tooMany()
}

func (s *Server) authorized(r *http.Request) bool {
	if s.archive.quirks.has(AuthLoop) {
		return false
	}
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	switch s.o.Auth.Kind {
	case Basic:
		user, password, ok := r.BasicAuth()
		return ok && same(user, s.o.Auth.User) && same(password, s.o.Auth.Password)
	case Bearer:
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return strings.EqualFold(scheme, "Bearer") && same(token, s.o.Auth.Token)
	}
	return true
}

// offers are the values of WWW-Authenticate.
func (s *Server) offers() []string {
	var list []string
	switch s.o.Auth.Kind {
	case Bearer:
		list = []string{"Bearer"}
	case Basic:
		list = []string{"Negotiate", `Basic realm="` + s.o.DataServer + `"`}
		if s.archive.quirks.has(AuthHeaderBasicFirst) {
			list[0], list[1] = list[1], list[0]
		}
	default:
		list = []string{"Negotiate"}
	}
	if s.archive.quirks.has(AuthHeaderJoined) {
		return []string{strings.Join(list, ", ")}
	}
	return list
}

// writeProblem writes a problem, with echo added to its texts.
func (s *Server) writeProblem(b *body, p *problem, echo string) {
	if echo != "" {
		q := *p
		if p.text != "" || p.errors == nil {
			q.text += echo
		}
		if p.errors != nil {
			q.errors = append([]string{"The request failed" + echo}, p.errors...)
		}
		p = &q
	}
	h := b.w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	b.status = p.status
	switch {
	case p.endless:
		b.endless(p.texts)
		return
	case p.html:
		h.Set("Content-Type", "text/html; charset=us-ascii")
		b.buf = append(b.buf[:0], p.text...)
		return
	case p.hidden:
		b.status = http.StatusOK
	case p.status == http.StatusTooManyRequests && s.archive.quirks.has(RetryAfter):
		h.Set("Retry-After", "1")
	}
	if s.archive.quirks.has(ExceptionMessages) && !p.hidden {
		b.buf = p.appendException(b.buf[:0])
		return
	}
	b.buf = p.appendJSON(b.buf[:0])
}

// call is one request to one endpoint: of HTTP, or a part of a batch.
type call struct {
	*Server
	ctx    context.Context
	client string
	method string
	uri    string // as in messages
	base   string // of links: scheme://host/piwebapi
	forged bool   // without X-Requested-With
	what   string // the route's name
	echo   string // under EchoesCredentials, what came with the call
	path   []string
	q      query
	d      *directory
	now    instant.Ticks
	sel    *selection
	out    *body
	post   []byte // of a batch
	worked bool   // a worker has been occupied for it
}

// answer runs the endpoint that the request names.
func (s *Server) answer(r *http.Request, b *body) *problem {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	c := &call{Server: s, ctx: r.Context(), client: client(r), method: r.Method, base: scheme + r.Host + Root, out: b,
		forged: r.Header.Get("X-Requested-With") == "", echo: s.echoOf(r)}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		var p *problem
		if c.post, p = readPost(r); p != nil {
			return p
		}
	}
	return c.run(r.URL.EscapedPath(), r.URL.RawQuery)
}

// run finds the endpoint of a path and calls it.
func (c *call) run(path, rawQuery string) *problem {
	c.uri = strings.TrimSuffix(c.base, Root) + path
	c.d, c.now = c.directory(), c.o.Clock()
	rt, ids := c.findRoute(path)
	c.counters.count(func(s *Stats) { s.ByEndpoint[rt.name]++ })
	c.what, c.path = rt.name, ids
	var p *problem
	if c.q, p = parseQuery(rawQuery); p == nil {
		c.sel = parseSelection(c.q.get("selectedfields"))
		p = c.dispatch(rt)
	}
	if !c.worked { // a refusal takes its time, too
		if gone := c.work(0); gone != nil {
			return gone
		}
	}
	return p
}

// dispatch checks the method and calls the endpoint.
func (c *call) dispatch(rt *route) *problem {
	if rt.handle == nil {
		return noRoute(c.uri)
	}
	if c.method == http.MethodGet && !rt.post {
		return rt.handle(c)
	}
	switch c.method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		if rt.writes {
			c.counters.count(func(s *Stats) { s.WriteAlarms++ })
		}
		if c.forged && c.archive.quirks.has(CSRFDefense) {
			return &problem{status: http.StatusBadRequest, text: "The X-Requested-With header is missing: possible cross-site request forgery."}
		}
		if rt.writes {
			return &problem{status: http.StatusForbidden, errors: []string{"Writing is disabled in this PI Web API instance."}}
		}
		if rt.post && c.method == http.MethodPost {
			return rt.handle(c)
		}
	}
	return wrongMethod(c.method)
}

// work occupies a worker for a call with a number of tags. It fails only if the client
// is gone or the server closes.
func (c *call) work(tags int) *problem {
	c.worked = true
	if err := c.workers.occupy(c.ctx, c.o.Latency+time.Duration(tags)*c.o.TagLatency); err != nil {
		return gone()
	}
	return nil
}

// read begins a call that reads a number of tags: it takes its time, and faults may occur.
func (c *call) read(tags int) *problem {
	cut, hang, p := c.faults.read()
	if hang {
		return c.hang()
	}
	if c.out.w != nil {
		c.out.cut = cut
	}
	if gone := c.work(tags); gone != nil {
		return gone
	}
	return p
}

// hang answers nothing until the client gives up or the server closes.
func (c *call) hang() *problem {
	select {
	case <-c.ctx.Done():
	case <-c.closed:
	}
	return gone()
}

// gone is the answer to a client that no longer waits.
func gone() *problem {
	return &problem{status: http.StatusServiceUnavailable, text: "The request was cancelled."}
}
