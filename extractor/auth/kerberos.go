package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	// A failed login is the result of all requests for a while. Repeated logins with
	// the same wrong key lock accounts, and a KDC that is down is not tried by each
	// of the waiting requests in turn.
	refusalHolds = time.Minute
	outageHolds  = time.Second
	// A ticket is renewed a sixth of its life before its end, at most maxMargin
	// before: the server's clock may be ahead of ours.
	maxMargin = 5 * time.Minute
	// drained is how much of a refusal's body is read, so that its connection can be
	// reused.
	drained = 64 << 10
)

// kerberos is a RoundTripper that sends a ticket with each request (SPNEGO, RFC 4559),
// without waiting for a challenge: no request costs two. It never answers with NTLM.
// After a 401 to a ticket that the server has accepted before, it tries once more with
// a new one. Any other 401 is final: a new ticket would be no different.
//
// All requests share one ticket, and only one of them at a time logs in at the KDC
// while the others wait for it. gokrb5's own client and its background renewal are
// not used: they cannot be stopped, and write what other requests read.
type kerberos struct {
	next  http.RoundTripper
	login func() (*ticket, error) // at the KDC
	now   func() time.Time

	turn    chan struct{} // a lock of the fields below, which a request need not wait for
	current *ticket       // nil before the first login
	failure error         // of the last login
	until   time.Time     // up to when failure stands
}

func newKerberos(site manifest.Site, files Files, getenv func(string) (string, bool), next http.RoundTripper) (*kerberos, error) {
	who, err := newIdentity(site, files, getenv)
	if err != nil {
		return nil, err
	}
	return &kerberos{next: next, login: who.login, now: time.Now, turn: make(chan struct{}, 1)}, nil
}

// RoundTrip sends a copy of the request with a ticket. If the server refuses a ticket
// that it has accepted before with a 401 that offers Kerberos, its key has changed: the
// request is sent once more with a new ticket. A request whose body cannot be read
// again (no GetBody) is sent only once.
func (k *kerberos) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := k.ticket(r.Context(), nil)
	if err != nil {
		return nil, unsent(r, err)
	}
	resp, err := k.send(r, t)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	if !t.taken.Load() || !OffersKerberos(resp.Header) || !replayable(r) {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, drained)
	_ = resp.Body.Close()
	if t, err = k.ticket(r.Context(), t); err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, fmt.Errorf("the request's body cannot be sent again: %w", err)
		}
	}
	return k.send(again, t)
}

func (k *kerberos) send(r *http.Request, t *ticket) (*http.Response, error) {
	header, err := t.header()
	if err != nil {
		return nil, unsent(r, err)
	}
	authorized := r.Clone(r.Context())
	authorized.Header.Set("Authorization", header)
	resp, err := k.next.RoundTrip(authorized)
	if err == nil && resp.StatusCode != http.StatusUnauthorized {
		t.taken.Store(true)
	}
	return resp, err
}

// unsent closes the body of a request that was not sent, as a RoundTripper must.
func unsent(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return err
}

func replayable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// OffersKerberos reports whether the headers of a 401 offer Kerberos. Offers are several
// lines or one line joined by commas, in any order.
func OffersKerberos(h http.Header) bool {
	for _, line := range h.Values("WWW-Authenticate") {
		for offer := range strings.SplitSeq(line, ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(offer), " ")
			if strings.EqualFold(scheme, "Negotiate") || strings.EqualFold(scheme, "Kerberos") {
				return true
			}
		}
	}
	return false
}

// ticket returns a valid ticket other than the stale one, which the server has refused.
// The first request that finds none logs in; all others wait for the result, or until
// their context ends.
func (k *kerberos) ticket(ctx context.Context, stale *ticket) (*ticket, error) {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := k.now()
	switch {
	case k.current != nil && k.current != stale && now.Before(k.current.renew):
		defer k.pass()
		return k.current, nil
	case now.Before(k.until):
		defer k.pass()
		return nil, k.failure
	}
	// gokrb5 cannot be interrupted, but returns after some seconds.
	done := make(chan struct{})
	var t *ticket
	var err error
	go func() {
		defer close(done)
		defer k.pass()
		defer crash.Exit()
		err = safely(func() (err error) {
			t, err = k.login()
			return err
		})
		k.current, k.failure, k.until = t, err, time.Time{}
		switch {
		case lasting(err):
			k.until = k.now().Add(refusalHolds)
		case err != nil:
			k.until = k.now().Add(outageHolds)
		}
	}()
	select {
	case <-done:
		return t, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pass lets the next request have its turn.
func (k *kerberos) pass() { <-k.turn }

// ticket is a ticket for one service. It is safe for concurrent use.
type ticket struct {
	who    *client.Client // names the principal; it never contacts the KDC
	ticket messages.Ticket
	key    types.EncryptionKey
	renew  time.Time   // when a new one is due
	taken  atomic.Bool // the server has accepted it

	// stamping keeps the times of authenticators distinct: servers take two of the
	// same microsecond for an attack.
	stamping sync.Mutex
}

// header returns a value of Authorization, for one request.
func (t *ticket) header() (string, error) {
	t.stamping.Lock()
	defer t.stamping.Unlock()
	var bytes []byte
	err := safely(func() error {
		token, err := spnego.NewNegTokenInitKRB5(t.who, t.ticket, t.key)
		if err == nil {
			bytes, err = (&spnego.SPNEGOToken{Init: true, NegTokenInit: token}).Marshal()
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make a Kerberos token: %w", err)
	}
	return "Negotiate " + base64.StdEncoding.EncodeToString(bytes), nil
}

// login gets a ticket for the service: first one for the realm, which proves our key,
// and with it the one for the service, from another realm's KDC if [domain_realm] or a
// referral names it.
func (i *identity) login() (*ticket, error) {
	c := i.client() // a new one, so that nothing remains of a failed login
	defer c.Destroy()
	request, err := messages.NewASReqForTGT(i.realm, i.config, c.Credentials.CName())
	if err != nil {
		return nil, i.explain(err)
	}
	granted, err := c.ASExchange(i.realm, request, 0)
	if err != nil {
		return nil, i.explain(err)
	}
	realm, tgt, key := i.realm, granted.Ticket, granted.DecryptedEncPart.Key
	if i.serviceRealm != realm {
		there := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", i.serviceRealm}}
		_, crossing, err := c.TGSREQGenerateAndExchange(there, realm, tgt, key, false)
		if err != nil {
			return nil, i.explain(err)
		}
		realm, tgt, key = i.serviceRealm, crossing.Ticket, crossing.DecryptedEncPart.Key
	}
	_, got, err := c.TGSREQGenerateAndExchange(types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, i.spn), realm, tgt, key, false)
	if err != nil {
		return nil, i.explain(err)
	}
	life := got.DecryptedEncPart
	return &ticket{who: i.client(), ticket: got.Ticket, key: life.Key,
		renew: life.EndTime.Add(-min(time.Until(life.EndTime)/6, maxMargin))}, nil
}
