package auth

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// NewTransport makes the RoundTripper for all requests to a site: verified TLS,
// the site's proxy or the environment's, as many kept-alive connections as the
// site's Limits allow, and the credentials added to each request.
//
// files reads the files that the site names. getenv looks up environment variables
// (os.LookupEnv). An error names the site and what is missing, never a secret. Kerberos
// logs in at the first request; if that fails, the request fails with a LoginError.
//
// The result is safe for concurrent use, has a CloseIdleConnections method, and
// returns an error for a request to any other host than the site's, so that no
// redirect can carry credentials away.
func NewTransport(site manifest.Site, files Files, getenv func(string) (string, bool)) (http.RoundTripper, error) {
	base, err := url.Parse(site.URL)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, siteError(site, "url", fmt.Sprintf("%q is not a URL such as https://pi.example.com/piwebapi", withoutUser(site.URL)),
			"write the address of PI Web API in sites[].url of pipeline.yml")
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, siteError(site, "url", fmt.Sprintf("plain http to %s would show the credentials and the data to everyone on the way",
			base.Host),
			"use https; http is for a server on this machine only")
	}
	config, err := tlsConfig(site, files, getenv)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyFunc(site, getenv)
	if err != nil {
		return nil, err
	}
	// One more than there are concurrent requests: for the probe of the site.
	connections := max(1, site.Limits.Connections) + 1
	transport := &http.Transport{
		Proxy:               proxy,
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 15 * time.Second,
		// A stream set is megabytes: several connections carry more than the HTTP/2
		// streams of one, which ForceAttemptHTTP2 would use.
		MaxConnsPerHost:     connections,
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     90 * time.Second,
		// The server is the bottleneck, not the network: it sends some 5 MB/s, and
		// compression would cost its processors more than it saves.
		DisableCompression: true,
		WriteBufferSize:    20 << 10, // a URL of 16 KB in one write
		// More than any server sends before the body.
		MaxResponseHeaderBytes: 1 << 20,
		ReadBufferSize:         64 << 10,
	}
	credentials, err := newCredentials(site, getenv)
	if err != nil {
		return nil, err
	}
	own := &siteTransport{host: base.Host, scheme: base.Scheme, credentials: credentials, redactor: newRedactor(site, getenv),
		next: transport, connections: transport}
	if site.Auth.Kind == "kerberos" {
		if own.next, err = newKerberos(site, files, getenv, transport); err != nil {
			return nil, err
		}
	}
	return own, nil
}

// Connection is how a site is reached, without credentials: for whoever looks at a
// connection before anything is sent over it.
type Connection struct {
	TLS   *tls.Config                           // with the authorities that the site's certificate is verified by
	Proxy func(*http.Request) (*url.URL, error) // nil URL = none
}

// NewConnection returns how NewTransport's requests to a site travel.
func NewConnection(site manifest.Site, files Files, getenv func(string) (string, bool)) (c Connection, err error) {
	if c.TLS, err = tlsConfig(site, files, getenv); err != nil {
		return c, err
	}
	c.Proxy, err = proxyFunc(site, getenv)
	return c, err
}

// siteTransport adds a site's credentials to requests, for the site's own host only.
type siteTransport struct {
	scheme, host string
	credentials  credentials
	redactor     *redactor
	next         http.RoundTripper // the connections, or Kerberos in front of them
	connections  *http.Transport
}

// RoundTrip sends a copy of the request with the credentials added.
func (t *siteTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.host || r.URL.Scheme != t.scheme {
		if r.Body != nil {
			_ = r.Body.Close() // RoundTrip closes it, also on errors; nothing was read
		}
		return nil, fmt.Errorf("a request for %s://%s was not sent, since the site's address is %s://%s", r.URL.Scheme, r.URL.Host, t.scheme,
			t.host)
	}
	if t.credentials == nil {
		return t.next.RoundTrip(r)
	}
	authorized := r.Clone(r.Context())
	t.credentials(authorized)
	return t.next.RoundTrip(authorized)
}

// CloseIdleConnections closes the connections that no request uses.
func (t *siteTransport) CloseIdleConnections() { t.connections.CloseIdleConnections() }

// proxyFunc returns the site's own proxy, or else that of the environment.
func proxyFunc(site manifest.Site, getenv func(string) (string, bool)) (func(*http.Request) (*url.URL, error), error) {
	if site.Proxy != "" {
		proxy, err := url.Parse(site.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, siteError(site, "proxy", "it is not a URL such as http://proxy.example.com:3128",
				"correct sites[].proxy in pipeline.yml")
		}
		return http.ProxyURL(proxy), nil
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v, ok := getenv(name); ok && v != "" {
				return v
			}
		}
		return ""
	}
	choose := (&httpproxy.Config{
		HTTPProxy:  first("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: first("HTTPS_PROXY", "https_proxy"),
		NoProxy:    first("NO_PROXY", "no_proxy"),
	}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r.URL)
		if err != nil { // its text would quote the value, which may hold a password
			return nil, errors.New("the environment variable HTTPS_PROXY or HTTP_PROXY is not a proxy's URL")
		}
		return proxy, nil
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// withoutUser returns the URL without user and password. One that cannot be parsed is
// not shown at all, since it may have them.
func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable)"
	}
	u.User = nil
	return u.String()
}

// siteError returns an error for the user: where, what, and what to do.
func siteError(site manifest.Site, what, problem, hint string) error {
	return diag.WithHint(fmt.Errorf("site %q, %s: %s", site.Name, what, problem), "%s", hint)
}
