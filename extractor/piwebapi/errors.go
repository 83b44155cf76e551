package piwebapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
)

// Kind classifies an error of a request by what can be done about it.
type Kind uint8

// The kinds of errors.
const (
	Unreachable  Kind = iota + 1 // no connection, or it broke before an answer
	TLS                          // the server's certificate is not trusted, or it speaks no TLS
	Unauthorized                 // 401: wrong credentials; never tried again, since accounts get locked
	Forbidden                    // 403, or a permission fault that the server reports as 500
	NotFound                     // 404: no such point, data server or function
	BadRequest                   // 400 and other refusals of what was asked; redirects
	RateLimited                  // 429, for longer than a client waits
	TooLarge                     // the URL, the items or the range are more than the server allows
	Server                       // 5xx
	NotJSON                      // something that is not PI Web API answered
	Truncated                    // the body ended too early
	Malformed                    // the body is JSON, but not what was asked for: a value of another type, items out of order
	Timeout                      // no complete answer within the time of a request
	Canceled                     // the caller's context ended
)

var kindNames = [...]string{
	Unreachable: "unreachable", TLS: "untrusted", Unauthorized: "unauthorized", Forbidden: "forbidden",
	NotFound: "not found", BadRequest: "bad request", RateLimited: "rate limited", TooLarge: "too large",
	Server: "server error", NotJSON: "not PI Web API", Truncated: "truncated", Malformed: "malformed",
	Timeout: "timeout", Canceled: "canceled",
}

// String returns the name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

var hints = [...]string{
	Unreachable:  "check sites[].url and sites[].proxy in pipeline.yml, and that this machine may reach the server",
	TLS:          "check that the URL's host is the certificate's; if a private authority signed it, name it in sites[].tls.ca_file",
	Unauthorized: "check the user and the password or token of sites[].auth, and that the server's AuthenticationMethods has the kind; it was not tried again, since accounts get locked",
	Forbidden:    "give the account read access to the points and the data server (PI SMT, Mappings & Trusts; point and data security)",
	NotFound:     "run discover again: the point may have been deleted; or check sites[].url and sites[].data_server",
	BadRequest:   "run discover again, which renews WebIDs; if it stays, the server's own log says more",
	RateLimited:  "lower sites[].limits.requests_per_second, or raise RateLimitMaxRequests on the server; behind NAT all clusters share one limit",
	TooLarge:     "lower sites[].limits.items_per_call or extract.max_window",
	Server:       "look at PI Web API's and the PI Data Archive's logs at this time",
	NotJSON:      "check sites[].url: it should end in /piwebapi; a proxy or a sign-in page may have answered instead",
	Truncated:    "a proxy or the server cut the answer; if it stays, lower sites[].limits.items_per_call",
	Malformed:    "the server's answer is not as PI Web API documents it: look at the point's attributes on the server, and at what stands between",
	Timeout:      "raise sites[].retry.timeout, or lower sites[].limits.connections and items_per_call",
}

const (
	// ticketRefused and ticketUnasked are the hints of a 401 in answer to a Kerberos
	// ticket. The KDC has issued it, so the client's identity is fine: it is about the
	// server.
	ticketRefused = "the server does not accept the ticket: the service name in sites[].auth.spn (HTTP/ and the URL's host without it) " +
		"must be registered on the account that runs PI Web API, and on no other (setspn -Q); a new key of that account (kvno, enctype) " +
		"needs a restart of PI Web API; clocks must agree to five minutes"
	ticketUnasked = "the server does not offer Kerberos: add it to PI Web API's AuthenticationMethods, where Bearer excludes it and " +
		"Anonymous overrides all"
)

// Error is the error of a request, or of the reading of a stream. Its text is for
// users: what happened and what to do, without the query and without a secret. It is
// immutable.
type Error struct {
	Kind      Kind
	Site      string // the site's name
	Status    int    // HTTP status, or that of a WebException; 0 without an answer
	Message   string // of the server or the network, readable and short
	URLPath   string // of the request, without the query
	Retryable bool   // another try may succeed

	cause        error
	began        time.Time     // when the request was sent
	hint         string        // what to do, if it differs from the kind's hint
	after        time.Duration // Retry-After; 0 if there is none
	over         excess        // of TooLarge: what is too large
	wrongAddress bool          // the site's address leads nowhere, or to something else
	limit        int           // of TooLarge: the server's maximum; 0 if it names none
}

// excess is what a server found too large.
type excess uint8

const (
	overRange excess = iota // more events than the archive returns at once
	overURL
	overItems // streams x maxCount
)

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "site %q: %s", e.Site, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.URLPath != "" {
		fmt.Fprintf(&b, " at %s", e.URLPath)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	return diag.Hinted(b.String(), e.Hint())
}

// Hint returns what to do; "" if there is nothing to add to the text.
func (e *Error) Hint() string {
	if e.hint == "" && int(e.Kind) < len(hints) {
		return hints[e.Kind]
	}
	return e.hint
}

// Limit returns the most items of a call that the server says it allows; 0 when it
// says nothing of the kind.
func (e *Error) Limit() int { return e.limit }

// Unwrap returns the network's or the context's error, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// ErrNotSupported is wrapped by errors about a function that the server does not have.
var ErrNotSupported = errors.New("this server has no such function")

// place is where an error happened.
type place struct {
	site, path string
	base       string // scheme and host
	urlBytes   int
	redact     func(string) string // removes the site's secrets from the server's texts; may be nil
}

// fault returns an Error with a message that may be the server's.
func (p place) fault(kind Kind, status int, message string, retryable bool) *Error {
	return &Error{Kind: kind, Site: p.site, Status: status, Message: p.clean(message), URLPath: p.clean(p.path), Retryable: retryable}
}

// clean removes the site's secrets from a text.
func (p place) clean(s string) string {
	if p.redact == nil {
		return s
	}
	return p.redact(s)
}

// readable makes a text of the server fit for one line of an error. Secrets are
// removed before the text is cut, so that no part of one remains.
func (p place) readable(s string) string { return readable(p.clean(s)) }

// network returns the Error of a transport error, before or during the body.
func (p place) network(ctx context.Context, err error) *Error {
	var e *Error
	var login *auth.LoginError
	var asked *url.Error // its text would repeat the whole URL
	if errors.As(err, &asked) {
		err = asked.Err
	}
	switch {
	case ctx.Err() != nil:
		e = p.fault(Canceled, 0, "", false)
		err = ctx.Err()
	case errors.As(err, &login):
		e = p.fault(Unreachable, 0, login.Problem, true)
		if login.Lasting {
			e.Kind, e.Retryable = Unauthorized, false
		}
		e.hint = diag.Hint(err)
	case timedOut(err):
		e = p.fault(Timeout, 0, "no whole answer in time", true)
	case errors.Is(err, errNoTurn):
		e = p.fault(Canceled, 0, "", false)
	default:
		e = p.unconnected(err)
	}
	e.cause = err
	return e
}

// unconnected explains why there was no answer over the network. Errors that a wrong
// address causes come first.
func (p place) unconnected(err error) *Error {
	var noName *net.DNSError
	var asRecord tls.RecordHeaderError
	said := p.readable(err.Error())
	explain := func(kind Kind, message, hint string, retryable bool) *Error {
		e := p.fault(kind, 0, message, retryable)
		e.hint = hint
		return e
	}
	switch {
	case errors.As(err, &noName) && noName.IsNotFound:
		return explain(Unreachable, fmt.Sprintf("there is no host %s", readable(noName.Name)),
			"correct the host in sites[].url, or have this machine's DNS know it", true).lasting()
	case errors.Is(err, syscall.ECONNREFUSED):
		return explain(Unreachable, fmt.Sprintf("nothing listens at %s (connection refused)", p.base),
			"correct host and port in sites[].url; PI Web API listens on 443 unless it was installed otherwise", true).lasting()
	case errors.As(err, &asRecord), strings.Contains(said, "server gave HTTP response to HTTPS client"):
		return explain(TLS, fmt.Sprintf("%s speaks plain http, and was asked in https", p.base),
			"correct the port in sites[].url, or write http:// for a server on this machine", false)
	case strings.Contains(said, "malformed HTTP response"):
		return explain(Unreachable, fmt.Sprintf("what listens at %s does not speak http: %s", p.base, said),
			"write https:// in sites[].url, or correct the port", true).lasting()
	case auth.OfTLS(err):
		return p.fault(TLS, 0, said, false)
	case isTimeout(err):
		return explain(Unreachable, fmt.Sprintf("no connection to %s: %s", p.base, said),
			"check the port in sites[].url, and that this machine may reach the server: firewall, route, VPN, sites[].proxy", true).lasting()
	}
	return p.fault(Unreachable, 0, fmt.Sprintf("no answer from %s: %s", p.base, said), true)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// lasting marks an error that a retry would meet again unless a server starts meanwhile.
func (e *Error) lasting() *Error {
	e.wrongAddress = true
	return e
}

// body returns the Error of a decoder's error, for a body whose connection was fine.
func (p place) body(err error) *Error {
	var exception *decode.WebException
	var foreign *decode.NotJSON
	var shape *decode.FormatError
	switch {
	case errors.As(err, &exception):
		status := exception.StatusCode
		if status == 0 {
			status = http.StatusInternalServerError
		}
		return p.status(status, strings.Join(exception.Errors, "; "), true)
	case errors.As(err, &foreign):
		return p.fault(NotJSON, http.StatusOK, fmt.Sprintf("the body begins with %q", foreign.Snippet), false)
	case errors.As(err, &shape):
		e := p.fault(Malformed, http.StatusOK, p.readable(err.Error()), !shape.Lasting)
		e.cause = err
		return e
	case errors.Is(err, decode.ErrTooLarge):
		e := p.fault(TooLarge, http.StatusOK, err.Error(), false)
		e.cause = err
		return e
	default:
		e := p.fault(Truncated, http.StatusOK, p.readable(err.Error()), true)
		e.cause = err
		return e
	}
}

var (
	// "... is greater than the maximum allowed (150000)."
	overCap = regexp.MustCompile(`(?i)greater than the maximum allowed(?:\D*(\d+))?`)
	// ArcMaxCollect: more events than the archive returns in one call.
	overArchive = regexp.MustCompile(`-11091\b|-11128\b|ArcMaxCollect`)
	archiveSlow = regexp.MustCompile(`(?i)-10733\b|timeout on PI RPC|query.*time`)
	// What Go, nginx and Apache answer to plain http on a port for https.
	wantsTLS = regexp.MustCompile(`(?i)http request (was sent )?to (an )?https|speaking plain http to an ssl`)
	noAccess = regexp.MustCompile(`(?i)permission|access (is |was )?denied|no (read )?access|` +
		`not have (\w+ ){0,3}(access|right|privilege)|privilege|not authorized|unauthorized|insufficient|secure object|-10401\b`)
)

// status returns the Error of an answer's status and message. spoken means that PI
// Web API itself answered (in JSON), not a proxy or the HTTP stack below it.
func (p place) status(status int, message string, spoken bool) *Error {
	message = p.readable(message)
	tooLarge := func(over excess) *Error {
		e := p.fault(TooLarge, status, message, false)
		e.over = over
		return e
	}
	switch {
	case status == http.StatusUnauthorized:
		return p.fault(Unauthorized, status, message, false)
	case status == http.StatusTooManyRequests:
		return p.fault(RateLimited, status, message, true)
	case status == http.StatusRequestURITooLong || status == http.StatusRequestHeaderFieldsTooLarge ||
		status == http.StatusRequestEntityTooLarge:
		return tooLarge(overURL)
	case overCap.MatchString(message) && status >= 400:
		e := tooLarge(overItems)
		e.limit, _ = strconv.Atoi(overCap.FindStringSubmatch(message)[1]) // 0 when it names none
		return e
	case overArchive.MatchString(message):
		return tooLarge(overRange)
	// So the HTTP stack in front of PI Web API refuses a long URL, in HTML.
	case (status == http.StatusBadRequest || status == http.StatusNotFound) && !spoken && p.urlBytes > 2000:
		return tooLarge(overURL)
	case status == http.StatusForbidden:
		return p.fault(Forbidden, status, message, false)
	case status == http.StatusNotFound:
		return p.fault(NotFound, status, message, false)
	case status/100 == 3:
		return p.fault(NotJSON, status, message, false)
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return p.fault(Timeout, status, message, true)
	case status == http.StatusBadRequest && !spoken && wantsTLS.MatchString(message) && strings.HasPrefix(p.base, "http://"):
		e := p.fault(TLS, status, fmt.Sprintf("%s speaks https, and was asked in plain http", p.base), false)
		e.hint = "write https:// in sites[].url"
		return e
	case status >= 500 && spoken && noAccess.MatchString(message):
		return p.fault(Forbidden, status, message, false)
	case status >= 500 && spoken && archiveSlow.MatchString(message):
		return p.fault(Timeout, status, message, true)
	case status == http.StatusNotImplemented:
		return p.fault(Server, status, message, false)
	case status >= 500:
		return p.fault(Server, status, message, true)
	default:
		return p.fault(BadRequest, status, message, false)
	}
}

// spoken reads the message of an error's body: {"Errors":[..]}, {"Message":".."},
// ASP.NET's {"ExceptionMessage":".."} next to a generic Message,
// {"WebException":{..}} or a bare string. ok is false if it is none of these.
func spoken(body []byte) (message string, ok bool) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text, true
	}
	var said struct {
		exceptionText
		Errors       texts
		WebException struct{ Errors texts }
	}
	if json.Unmarshal(body, &said) != nil {
		return "", false
	}
	all := append(said.Errors, said.WebException.Errors...)
	return strings.Join(append(all, said.lines(4)...), "; "), true
}

// exceptionText is an exception as ASP.NET prints it, outermost first.
type exceptionText struct {
	Message, MessageDetail          texts
	ExceptionMessage, ExceptionType texts
	InnerException                  *exceptionText
}

// lines returns the messages of the exception and of that many inner ones.
func (e *exceptionText) lines(within int) []string {
	all := slices.Clone(e.ExceptionMessage)
	if len(all) == 0 {
		all = e.Message
	}
	all = append(all, e.MessageDetail...)
	if last := len(all) - 1; last >= 0 && len(e.ExceptionType) > 0 && !strings.Contains(all[last], e.ExceptionType[0]) {
		all[last] += " (" + e.ExceptionType[0] + ")"
	}
	if e.InnerException != nil && within > 0 {
		all = append(all, e.InnerException.lines(within-1)...)
	}
	return all
}

// texts is a message of a server: an array of strings, or one string.
type texts []string

// UnmarshalJSON reads any of these forms.
func (t *texts) UnmarshalJSON(data []byte) error {
	*t = nil
	var one string
	if json.Unmarshal(data, &one) == nil {
		if one != "" {
			*t = texts{one}
		}
		return nil
	}
	var list []any
	if err := json.Unmarshal(data, &list); err != nil {
		*t = texts{string(data)}
		return nil
	}
	for _, v := range list[:min(len(list), 10)] {
		*t = append(*t, fmt.Sprint(v))
	}
	return nil
}

const readableBytes = 400

// readable makes a text fit for one line of an error.
func readable(s string) string {
	cut := len(s) > readableBytes
	if cut {
		s = strings.ToValidUTF8(s[:readableBytes], "")
	}
	s = text.Line(strings.Join(strings.Fields(s), " "))
	if cut {
		s += "…"
	}
	return s
}

// retryAfter reads the header Retry-After, seconds or a date; 0 if there is none.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s >= 0 {
		return time.Duration(min(s, 3600)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, min(time.Until(t), time.Hour))
	}
	return 0
}
