package sitecheck

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
)

// soon is how long before its end a certificate is reported.
const soon = 30 * 24 * time.Hour

// hop is where connections go: the server, or the proxy before it.
type hop struct {
	host, port string
	key        string // of pipeline.yml, or the variable that names it
}

func (h hop) address() string { return net.JoinHostPort(h.host, h.port) }

// proxy returns the proxy that requests take; nil = none.
func (s *Site) proxy() (*url.URL, error) {
	return s.route.Proxy(&http.Request{URL: s.base})
}

// firstHop returns where connections go.
func (s *Site) firstHop() (hop, error) {
	proxy, err := s.proxy()
	switch {
	case err != nil:
		return hop{}, err
	case proxy == nil:
		return hopOf(s.base, "sites[].url"), nil
	case s.site.Proxy != "":
		return hopOf(proxy, "sites[].proxy"), nil
	}
	return hopOf(proxy, "the environment variable HTTPS_PROXY"), nil
}

func hopOf(u *url.URL, key string) hop {
	ports := map[string]string{"https": "443", "http": "80", "socks5": "1080", "socks5h": "1080"}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	return hop{u.Hostname(), port, key}
}

// dns resolves the host of the first hop.
func (s *Site) dns(ctx context.Context) {
	h, err := s.firstHop()
	if err != nil {
		s.add(doctor.Finding{Check: "dns", State: doctor.Fail, Fault: doctor.BadSettings, What: err.Error(),
			Cure: "correct the variable, or write sites[].proxy"})
		return
	}
	if net.ParseIP(h.host) != nil {
		return // there is nothing to resolve
	}
	resolver := s.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	addresses, err := resolver.LookupHost(ctx, h.host)
	var failed *net.DNSError
	switch {
	case err == nil:
		s.fine("dns", doctor.HostKnown, doctor.Args{"host": h.host, "addresses": strings.Join(addresses[:min(3, len(addresses))], ", ")})
	case errors.As(err, &failed) && failed.IsNotFound:
		s.fail("dns", doctor.UnknownHost, doctor.Args{"host": h.host, "key": h.key})
	default:
		f := doctor.New(doctor.Fail, "dns", s.subject, doctor.DNSFails, doctor.Args{"host": h.host})
		if failed != nil {
			f.Detail = failed.Err
		}
		s.add(f)
	}
}

// connection opens a connection to the first hop.
func (s *Site) connection(ctx context.Context) {
	h, err := s.firstHop()
	if err != nil {
		return // dns has said so
	}
	dialer := net.Dialer{Timeout: s.Timeout}
	began := time.Now()
	c, err := dialer.DialContext(ctx, "tcp", h.address())
	args := doctor.Args{"address": h.address(), "key": h.key, "timeout": short(s.Timeout), "time": short(time.Since(began))}
	var timeout net.Error
	switch {
	case err == nil:
		_ = c.Close()
		s.fine("connection", doctor.Connected, args)
	case errors.Is(err, syscall.ECONNREFUSED):
		s.fail("connection", doctor.PortClosed, args)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		s.fail("connection", doctor.NoRoute, args)
	case errors.As(err, &timeout) && timeout.Timeout():
		s.fail("connection", doctor.NoConnection, args)
	default:
		f := doctor.New(doctor.Fail, "connection", s.subject, doctor.NoConnection, args)
		f.Detail = err.Error()
		s.add(f)
	}
}

// tls makes the first request, which has no credentials, and looks at the
// certificate that it met. What else the request met is for http.
func (s *Site) tls(ctx context.Context) {
	var refusal string // of the proxy
	transport := s.anonymous()
	transport.ResponseHeaderTimeout, transport.TLSHandshakeTimeout = s.Timeout, s.Timeout
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			refusal = resp.Status
		}
		return nil
	}
	defer transport.CloseIdleConnections()
	s.answer, s.failed = ask(ctx, transport, s.site.URL+"/", s.Timeout)
	if refusal != "" {
		proxy, _ := s.proxy() // it was there a moment ago
		s.fail("tls", doctor.ProxyRefuses, doctor.Args{"proxy": proxy.Host, "host": s.base.Host, "status": refusal})
		return
	}
	if s.base.Scheme != "https" {
		return
	}
	if s.failed != nil {
		s.handshake(s.failed)
		return
	}
	s.certificates(s.answer.tls)
}

// handshake words why there was no TLS; nothing where that was not what failed.
func (s *Site) handshake(err error) {
	var (
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		verified  *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	said := err.Error()
	switch {
	case errors.As(err, &name):
		s.fail("tls", doctor.CertificateName, doctor.Args{"host": name.Host, "names": names(name.Certificate)})
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && s.Now().Before(invalid.Cert.NotBefore):
		s.fail("tls", doctor.CertificateNotYet, doctor.Args{"from": day(invalid.Cert.NotBefore)})
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		s.fail("tls", doctor.CertificateExpired, doctor.Args{"until": day(invalid.Cert.NotAfter)})
	case errors.As(err, &authority):
		issuer := "unknown"
		if errors.As(err, &verified) && len(verified.UnverifiedCertificates) > 0 {
			chain := verified.UnverifiedCertificates
			issuer = chain[len(chain)-1].Issuer.String()
		}
		s.fail("tls", doctor.CertificateAuthority, doctor.Args{"issuer": issuer})
	case errors.As(err, &verified):
		s.fail("tls", doctor.CertificateInvalid, doctor.Args{"reason": verified.Err.Error()})
	case strings.Contains(said, "protocol version"):
		s.fail("tls", doctor.OldTLS, nil)
	case errors.As(err, &record), strings.Contains(said, "server gave HTTP response to HTTPS client"):
		s.fail("tls", doctor.NoTLS, doctor.Args{"address": hopOf(s.base, "").address()})
	}
}

// certificates looks at a chain that was verified.
func (s *Site) certificates(state *tls.ConnectionState) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return
	}
	// A chain lasts as long as its shortest certificate, and the best chain counts.
	var until time.Time
	for _, chain := range state.VerifiedChains {
		ends := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
		if ends.After(until) {
			until = ends
		}
	}
	leaf := state.VerifiedChains[0][0]
	if left := until.Sub(s.Now()); left < soon {
		s.warn("tls", doctor.CertificateExpires, doctor.Args{"until": day(until), "days": fmt.Sprint(int(left.Hours() / 24))})
		return
	}
	issuer := leaf.Issuer.CommonName
	if issuer == "" {
		issuer = leaf.Issuer.String()
	}
	s.fine("tls", doctor.Certified, doctor.Args{"version": tls.VersionName(state.Version), "issuer": issuer, "until": day(until)})
}

// names lists what a certificate is for.
func names(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return c.Subject.String()
	}
	return strings.Join(all[:min(5, len(all))], ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// short is a length of time in seconds or milliseconds.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2g ms", d.Seconds()*1000)
}
