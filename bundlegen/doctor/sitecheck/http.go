package sitecheck

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/text"
)

// nonsense is a page that no server has.
const nonsense = "/bundlegen-doctor-asks-for-a-page-that-is-not-there"

// maxAnswer is how much of an answer is looked at, in bytes.
const maxAnswer = 64 << 10

// answer is an answer to a request without credentials.
type answer struct {
	status int
	head   http.Header
	body   string
	tls    *tls.ConnectionState
	to     *url.URL // where it redirects; nil = nowhere
}

// ask makes a GET, follows no redirect and sends no credentials.
func ask(ctx context.Context, transport http.RoundTripper, address string, timeout time.Duration) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "bundlegen-doctor")
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && len(body) == 0 {
		return nil, err
	}
	a := &answer{status: resp.StatusCode, head: resp.Header, body: string(body), tls: resp.TLS}
	if resp.StatusCode/100 == 3 {
		a.to, _ = resp.Location() // nil where it names none
	}
	return a, nil
}

// isPI reports whether the answer is the home page of PI Web API.
func (a *answer) isPI() bool {
	var home struct {
		Links struct{ DataServers, System string }
	}
	err := json.Unmarshal([]byte(strings.TrimPrefix(a.body, "\xef\xbb\xbf")), &home)
	return err == nil && a.status == http.StatusOK && home.Links.DataServers != ""
}

// isLogin reports whether the answer is a page with a form that asks for a password.
func (a *answer) isLogin() bool {
	low := strings.ToLower(a.body)
	return strings.Contains(low, `type="password"`) || strings.Contains(low, "type=password") || strings.Contains(low, "type='password'") ||
		strings.Contains(low, "samlrequest") || strings.Contains(low, "/adfs/")
}

// schemes are the kinds of authentication that WWW-Authenticate may offer.
var schemes = []string{"Negotiate", "Kerberos", "NTLM", "Basic", "Bearer", "Digest"}

// offers lists the kinds that a 401 offers: on several lines, or on one joined by commas.
func offers(h http.Header) []string {
	var all []string
	for _, line := range h.Values("WWW-Authenticate") {
		for part := range strings.SplitSeq(line, ",") {
			word, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			i := slices.IndexFunc(schemes, func(s string) bool { return strings.EqualFold(s, word) })
			if i >= 0 && !slices.Contains(all, schemes[i]) {
				all = append(all, schemes[i])
			}
		}
	}
	return all
}

// between names what stands between, by the headers that it left; "" = nothing that shows.
func between(h http.Header) string {
	for _, name := range []string{"Via", "X-Cache", "X-Squid-Error", "CF-RAY", "X-Azure-Ref", "X-Amzn-Trace-Id"} {
		if v := h.Get(name); v != "" {
			return "through a proxy or gateway (" + name + ": " + line(v) + ")"
		}
	}
	return ""
}

// line is a server's text on one line, cut.
func line(s string) string {
	s = text.Line(strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return s
}

// http looks at the first answer: whether PI Web API gave it.
func (s *Site) http(ctx context.Context) {
	if s.failed != nil {
		s.unanswered(s.failed)
		return
	}
	a := s.answer
	wanted := offers(a.head)
	switch {
	case a.status == http.StatusUnauthorized:
		s.asked(wanted)
	case a.isPI():
		if s.answersNonsense(ctx) {
			return
		}
		f := doctor.Fine("http", s.subject, doctor.AnswersOpenly, nil)
		f.Detail = between(a.head)
		s.add(f)
	case a.to != nil && a.to.Host != s.base.Host:
		s.fail("http", doctor.RedirectElsewhere, doctor.Args{"target": a.to.Scheme + "://" + a.to.Host + a.to.Path})
	case a.to != nil, a.status == http.StatusOK && a.isLogin():
		s.fail("http", doctor.LoginPage, doctor.Args{"url": s.site.URL})
	case a.status == http.StatusOK:
		if !s.answersNonsense(ctx) {
			s.fail("http", doctor.NotPI, doctor.Args{"url": s.site.URL, "said": said(a)})
		}
	case a.status == http.StatusNotFound:
		s.elsewhere(ctx)
	case a.status == http.StatusProxyAuthRequired:
		proxy := s.base.Host
		if u, err := s.proxy(); err == nil && u != nil {
			proxy = u.Host
		}
		s.fail("http", doctor.ProxyRefuses, doctor.Args{"proxy": proxy, "host": s.base.Host, "status": status(a.status)})
	case a.status == http.StatusForbidden || a.status == http.StatusTooManyRequests:
		s.asked(wanted) // whether that is for the account too, the sign-in shows
	case isGateway(a.status):
		s.fail("http", doctor.Gateway, doctor.Args{"status": status(a.status)})
	case a.status >= 500:
		s.fail("http", doctor.ServerFails, doctor.Args{"status": status(a.status), "said": said(a)})
	default:
		s.fail("http", doctor.NotPI, doctor.Args{"url": s.site.URL, "said": status(a.status) + ": " + said(a)})
	}
}

// asked notes that the server wants to know who asks.
func (s *Site) asked(wanted []string) {
	kinds := strings.Join(wanted, ", ")
	if kinds == "" {
		kinds = "an account (" + status(s.answer.status) + ")"
	}
	f := doctor.Fine("http", s.subject, doctor.AsksSignIn, doctor.Args{"offers": kinds})
	f.Detail = between(s.answer.head)
	s.add(f)
}

// said is how a body begins.
func said(a *answer) string {
	kind, _, _ := strings.Cut(a.head.Get("Content-Type"), ";")
	begins := line(a.body)
	switch {
	case begins == "":
		return "an empty answer"
	case kind == "":
		return begins
	}
	return kind + ", " + begins
}

// anonymous returns a transport that sends no credentials and keeps no connection.
func (s *Site) anonymous() *http.Transport {
	return &http.Transport{Proxy: s.route.Proxy, TLSClientConfig: s.route.TLS.Clone(),
		DisableKeepAlives: true, MaxResponseHeaderBytes: 1 << 20}
}

// plain makes another request without credentials.
func (s *Site) plain(ctx context.Context, address string) (*answer, error) {
	transport := s.anonymous()
	defer transport.CloseIdleConnections()
	return ask(ctx, transport, address, s.Timeout)
}

// answersNonsense finds out whether the server answers any address with a success.
func (s *Site) answersNonsense(ctx context.Context) bool {
	address := s.site.URL + nonsense
	a, err := s.plain(ctx, address)
	if err != nil || a.status != http.StatusOK {
		return false
	}
	s.fail("http", doctor.AnswersEverything, doctor.Args{"url": address})
	return true
}

// elsewhere looks for PI Web API where it mostly is, after a 404.
func (s *Site) elsewhere(ctx context.Context) {
	other := s.base.Scheme + "://" + s.base.Host + "/piwebapi"
	if s.site.URL != other {
		if a, err := s.plain(ctx, other+"/"); err == nil && (a.isPI() || a.status == http.StatusUnauthorized) {
			s.fail("http", doctor.WrongPath, doctor.Args{"url": s.site.URL, "other": other})
			return
		}
	}
	s.fail("http", doctor.NotPI, doctor.Args{"url": s.site.URL, "said": status(http.StatusNotFound)})
}

// unanswered words why a connection brought no answer.
func (s *Site) unanswered(err error) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		s.fail("http", doctor.TooSlow, doctor.Args{"timeout": short(s.Timeout)})
		return
	}
	s.fail("http", doctor.NoAnswer, doctor.Args{"said": line(err.Error())})
}

func isGateway(code int) bool {
	return code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout
}

// status is an HTTP status with its name.
func status(code int) string {
	if name := http.StatusText(code); name != "" {
		return strconv.Itoa(code) + " " + name
	}
	return strconv.Itoa(code)
}

// offered are the schemes by which an account of a kind is shown.
var offered = map[string][]string{"basic": {"Basic"}, "bearer": {"Bearer"}, "kerberos": {"Negotiate", "Kerberos"}}

// signIn makes the first request with the account, once.
func (s *Site) signIn(ctx context.Context) {
	kind := s.site.Auth.Kind
	open := s.answer.isPI()
	body, err := s.probe(ctx, "/", "")
	var e *piwebapi.Error
	switch {
	case errors.As(err, &e) && e.Kind == piwebapi.Unauthorized && e.Status != 0:
		s.refused()
		return
	case err != nil:
		s.broke("sign-in", err)
		return
	}
	home := &answer{status: http.StatusOK, body: string(body)}
	switch {
	case !home.isPI():
		s.fail("sign-in", doctor.NotPI, doctor.Args{"url": s.site.URL, "said": line(home.body)})
	case kind == "anonymous":
		s.fine("sign-in", doctor.AnyoneMayRead, nil)
	case open:
		s.warn("sign-in", doctor.AnonymousOverrides, nil)
	default:
		s.fine("sign-in", doctor.SignedIn, doctor.Args{"kind": kind})
	}
}

// refused words a 401 to the account, by what the server offers.
func (s *Site) refused() {
	kind, wanted := s.site.Auth.Kind, offers(s.answer.head)
	list := strings.Join(wanted, ", ")
	if list == "" {
		list = "an account"
	}
	switch {
	case kind == "anonymous":
		s.fail("sign-in", doctor.NoCredentials, doctor.Args{"offers": list})
	case len(wanted) > 0 && !slices.ContainsFunc(offered[kind], func(o string) bool { return slices.Contains(wanted, o) }):
		s.fail("sign-in", doctor.KindNotOffered, doctor.Args{"offers": list, "kind": kind, "method": strings.ToUpper(kind[:1]) + kind[1:]})
	case kind == "kerberos":
		spn := s.site.Auth.SPN
		if spn == "" {
			spn = "HTTP/" + strings.ToLower(s.base.Hostname())
		}
		s.fail("sign-in", doctor.TicketRefused, doctor.Args{"spn": spn})
	case kind == "bearer":
		s.fail("sign-in", doctor.WrongCredentials, doctor.Args{"proof": "token", "variable": s.site.Auth.TokenEnv})
	default:
		s.fail("sign-in", doctor.WrongCredentials, doctor.Args{"proof": "password", "variable": s.site.Auth.PasswordEnv})
	}
}

// oldest is the first version that knows webIdType.
var oldest = [2]int{1, 10}

// version reads the product's version.
func (s *Site) version(ctx context.Context) {
	body, err := s.probe(ctx, "/system", "")
	var system struct{ ProductTitle, ProductVersion string }
	if err != nil || json.Unmarshal(body, &system) != nil || system.ProductVersion == "" {
		s.fine("version", doctor.VersionHidden, nil)
		return
	}
	var v [2]int
	if n, _ := fmt.Sscanf(system.ProductVersion, "%d.%d", &v[0], &v[1]); n == 2 && slices.Compare(v[:], oldest[:]) < 0 {
		s.warn("version", doctor.OldVersion, doctor.Args{"version": line(system.ProductVersion)})
		return
	}
	s.fine("version", doctor.Version, doctor.Args{"product": line(system.ProductTitle), "version": line(system.ProductVersion)})
}
