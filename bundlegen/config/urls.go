package config

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// urlError is what is wrong with a URL without repeating it: a URL may carry
// a password.
type urlError struct{ why, hint string }

func (e *urlError) Error() string { return e.why }

// Hint returns what to do about it.
func (e *urlError) Hint() string { return e.hint }

var hostPattern = regexp.MustCompile(`\A[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?\z`)

// showable is an address that cannot carry a password, not even a part of one
// that YAML cut off: a name, a port of digits, a plain path.
var showable = regexp.MustCompile(`\A([A-Za-z]+:/*)?[A-Za-z0-9._-]*(:\d{1,5})?(/[A-Za-z0-9._/-]*)?\z`)

// NormalizeURL returns a PI Web API's address as Site.URL holds it:
// scheme://host[:port][/prefix]/piwebapi. It takes the address with or without
// /piwebapi and slashes at its end, and refuses one without scheme and host,
// with a user, a query or a fragment, and plain http beyond loopback. The error
// never repeats the address; `init` checks its --server with it.
func NormalizeURL(raw string) (string, error) {
	u, err := parseURL(raw, "https://pi.example/piwebapi")
	if err != nil {
		return "", err
	}
	var segments []string
	for s := range strings.SplitSeq(u.Path, "/") {
		switch {
		case s == "":
			continue
		case s == "." || s == ".." || !isLine(s) || strings.ContainsAny(s, `%\`):
			return "", &urlError{"has a path that is not plain", "write scheme, host and path only: https://pi.example/piwebapi"}
		case len(segments) > 0 && segments[len(segments)-1] == "piwebapi" && !strings.EqualFold(s, "piwebapi"):
			return "", &urlError{"goes on after /piwebapi", "end it with /piwebapi"}
		case strings.EqualFold(s, "piwebapi"):
			if len(segments) == 0 || segments[len(segments)-1] != "piwebapi" {
				segments = append(segments, "piwebapi")
			}
		default:
			segments = append(segments, s)
		}
	}
	if len(segments) == 0 || segments[len(segments)-1] != "piwebapi" {
		segments = append(segments, "piwebapi")
	}
	out := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/" + strings.Join(segments, "/")}
	return out.String(), nil
}

// normalizeHost returns a workspace's address: https://host[:port].
func normalizeHost(raw string) (string, error) {
	u, err := parseURL(raw, "https://example.cloud.databricks.com")
	if err != nil {
		return "", err
	}
	if strings.Trim(u.Path, "/") != "" {
		return "", &urlError{"goes on after the host", "write scheme and host only: https://example.cloud.databricks.com"}
	}
	return u.Scheme + "://" + u.Host, nil
}

// checkProxy reports whether raw is the address of a proxy.
func checkProxy(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || !validHost(u):
		return &urlError{"is not a URL with scheme and host", "for instance http://proxy.example:3128"}
	case u.User != nil:
		return &urlError{"has a user or password in it", "let a proxy take this machine without a password; a secret never stands in this file"}
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		return &urlError{"has a scheme other than http, https, socks5", "for instance http://proxy.example:3128"}
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return &urlError{"goes on after the host", "for instance http://proxy.example:3128"}
	}
	return nil
}

// parseURL checks all that a server's and a workspace's address have in common.
func parseURL(raw, example string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err == nil {
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	}
	// Before all else: what holds a password must not be shown as a wrong URL.
	if err == nil && u.User != nil {
		return nil, &urlError{
			"has a user or password in it",
			"leave it out of the URL; a secret is the name of an environment variable and a scope/key",
		}
	}
	switch {
	case err != nil || !isLine(raw) || u.Opaque != "" || u.Host == "" || u.Scheme == "" || !validHost(u):
		return nil, &urlError{"is not a URL with scheme and host", "for instance " + example}
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return nil, &urlError{"has a query (?) or fragment (#)", "leave it out: " + example}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &urlError{"has a scheme other than https", "for instance " + example}
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, &urlError{
			"is plain http to another machine: credentials would be readable on the way",
			"write https; plain http is for localhost, 127.0.0.1 and ::1 only",
		}
	}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	return u, nil
}

func validHost(u *url.URL) bool {
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return false
		}
	}
	host := strings.ToLower(u.Hostname())
	if _, err := netip.ParseAddr(host); err == nil {
		return !strings.Contains(host, "%")
	}
	return len(host) <= 253 && !strings.Contains(host, "..") && hostPattern.MatchString(host)
}

// loopback reports whether a host is this machine. A name other than localhost
// is not asked for: what it resolves to may change.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// readURL reads the address of a server or a workspace with check, which returns its normal form.
func readURL(o *yamlread.Mapping, key string, check func(string) (string, error)) string {
	return readAddress(o, key, "https://host[:port], plain http on loopback", check, true)
}

// readProxy reads the address of a proxy. It is not shown when it is wrong: proxies
// are where people are used to write passwords.
func readProxy(o *yamlread.Mapping, key string) string {
	check := func(raw string) (string, error) { return raw, checkProxy(raw) }
	return readAddress(o, key, "http://host:port, or with https or socks5", check, false)
}

func readAddress(o *yamlread.Mapping, key, allowed string, check func(string) (string, error), show bool) string {
	o.Note(key, yamlread.Key{Type: yamlread.TypeText, Allowed: allowed})
	n := o.Take(key)
	if n == nil {
		return ""
	}
	if n.Kind != yamlread.String {
		o.AddProblem(
			n,
			diag.Problem{Text: yamlread.Join(o.Path, key) + ": " + n.Kind.String(), Allowed: allowed, Hint: yamlread.TypeHint(n, "text")},
		)
		return ""
	}
	out, err := check(n.Text)
	var bad *urlError
	if errors.As(err, &bad) {
		value, shown := "", ""
		if show && showable.MatchString(n.Text) {
			value, shown = n.Text, " "+yamlread.Quote(n.Text)
		}
		o.AddProblem(
			n,
			diag.Problem{Value: value, Text: yamlread.Join(o.Path, key) + ":" + shown + " " + bad.why, Allowed: allowed, Hint: bad.hint},
		)
	}
	return out
}
