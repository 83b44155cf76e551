package piwebapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Access records whether a server accepts the credentials, for all Clients of a site
// that share it. Once the server has refused them, none of these Clients sends
// another request: servers lock accounts after a few failed sign-ins. All methods
// are safe for concurrent use. Use NewAccess to make one.
type Access struct {
	turn chan struct{} // held while the credentials are tried

	mu        sync.Mutex
	refused   *Error
	reads     bool // a request for data was answered otherwise than by a refusal
	functions map[function]*first
}

// function is what a request does, independent of the object: the first and the last
// element of its path.
type function struct{ first, last string }

func functionOf(path string) function {
	path = strings.TrimPrefix(path, "/")
	f := function{path, path}
	if i := strings.IndexByte(path, '/'); i >= 0 {
		f.first, f.last = path[:i], path[strings.LastIndexByte(path, '/')+1:]
	}
	return f
}

// first is the first request for a function; the others wait for its outcome.
type first struct {
	turn chan struct{}
	over bool // it was not refused
}

// NewAccess returns the Access of a site about which nothing is known yet.
func NewAccess() *Access { return &Access{turn: make(chan struct{}, 1)} }

// Refused returns the server's refusal of the credentials; nil when there was none.
func (a *Access) Refused() error {
	if e := a.refusal(); e != nil {
		return e
	}
	return nil
}

func (a *Access) refusal() *Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

func (a *Access) refuse(e *Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == nil {
		a.refused = e
	}
}

func (a *Access) proven() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reads
}

// enter waits until the first request for the same function was answered, unless
// this is the first: a server may refuse one function only, and many requests at
// once would be as many failed sign-ins. The caller must call leave once the answer
// is known; until then others wait.
func (a *Access) enter(ctx context.Context, path string) (leave func(), refused *Error, err error) {
	key := functionOf(path)
	a.mu.Lock()
	f := a.functions[key]
	if f == nil {
		f = &first{turn: make(chan struct{}, 1)}
		if a.functions == nil {
			a.functions = map[function]*first{}
		}
		a.functions[key] = f
	}
	refused, over := a.refused, f.over
	a.mu.Unlock()
	if refused != nil || over {
		return func() {}, refused, nil
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return func() {}, nil, ctx.Err()
	}
	leave = func() {
		a.mu.Lock()
		f.over = true
		a.mu.Unlock()
		<-f.turn
	}
	if refused = a.refusal(); refused != nil {
		leave()
		return func() {}, refused, nil
	}
	return leave, nil, nil
}

// open admits concurrent requests for a function from the first on.
func (a *Access) open(path string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.functions == nil {
		a.functions = map[function]*first{}
	}
	if key := functionOf(path); a.functions[key] == nil {
		a.functions[key] = &first{over: true}
	}
}

// prove has one of the Clients make a request for data while the others wait for
// its outcome, unless that is known already.
func (a *Access) prove(ctx context.Context, try func() *Error) error {
	if a.proven() {
		return a.Refused()
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e := a.refusal(); e != nil || a.proven() {
		return a.Refused()
	}
	if e := try(); e != nil && e.Kind == Canceled {
		return e
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reads = true
	if a.refused != nil {
		return a.refused
	}
	return nil
}

// Accesses holds the Access of each site by its name. The zero value is ready to
// use, also concurrently.
type Accesses struct {
	mu    sync.Mutex
	sites map[string]*Access
}

// Of returns a site's Access.
func (a *Accesses) Of(site string) *Access {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sites == nil {
		a.sites = map[string]*Access{}
	}
	if a.sites[site] == nil {
		a.sites[site] = NewAccess()
	}
	return a.sites[site]
}

// SignIn makes one small request for data, unless a Client that shares the Access
// had one answered before: a wrong password is then one failed sign-in, not one for
// each connection, partition and attempt. It returns only the server's refusal of
// the credentials, or the context's error; all else shows in the reading that
// follows.
func (c *Client) SignIn(ctx context.Context, s batch.Stream) error {
	if c.anonymous {
		return nil
	}
	return c.access.prove(ctx, func() *Error {
		until := min(s.Until, s.After+instant.Second)
		_, err := c.exchange(ctx, request{
			path:  streamSetPath,
			query: head(s.WebID, s.After, max(until, s.After), 1) + "&" + setFields + webIDParameter(s.WebID),
			read: func(body io.Reader, _ http.Header) error {
				_, err := io.CopyN(io.Discard, body, maxPiece)
				if err == io.EOF {
					return nil
				}
				return err
			},
		})
		return err
	})
}

// maxPiece is how much of an answer to SignIn is read, in bytes.
const maxPiece = 1 << 20
