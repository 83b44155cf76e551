package sitecheck_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/doctor/sitecheck"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// planted is a site with something wrong, or with nothing.
type planted struct {
	url     string
	auth    string            // YAML; "" = anonymous
	more    string            // further lines of the site, indented by four
	files   map[string][]byte // beside pipeline.yml
	options sitecheck.Options
}

// open writes the pipeline of a planted site and reads it as any other is.
func (p planted) open(t *testing.T) (*config.Pipeline, config.Site) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range p.files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	if p.auth == "" {
		p.auth = "{kind: anonymous}"
	}
	file := filepath.Join(dir, "pipeline.yml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `version: 1
name: demo
catalog: main
inventory: inventory.csv
sites:
  - name: plant-a
    url: %s
    auth: %s
%s
tiers:
  - {name: standard, every: 1h}
`, p.url, p.auth, p.more), 0o600))
	cfg, err := config.Load(file)
	require.NoError(t, err)
	return cfg, cfg.Sites[0]
}

// at is a healthy simulated server but for what the options say, with 60 tags.
func at(t *testing.T, o simulator.Options) *simulator.Server {
	t.Helper()
	if o.Tags == 0 {
		o.Tags = 60
	}
	return simulator.New(o)
}

// started starts a simulated server.
func started(t *testing.T, o simulator.Options) (*simulator.Server, string) {
	t.Helper()
	s := at(t, o)
	url, err := s.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, url
}

// served serves a handler, by TLS when there is a configuration for that.
func served(t *testing.T, h http.Handler, c *tls.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are the point
	server.TLS = c
	if c == nil {
		server.Start()
	} else {
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	return server.URL
}

// around changes what a simulated server answers.
func around(t *testing.T, o simulator.Options, change func(inner http.Handler, w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	inner := at(t, o)
	return served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { change(inner, w, r) }), nil) + simulator.Root
}

// always answers every request alike.
func always(status int, kind, body string, head ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(head); i += 2 {
			w.Header().Add(head[i], head[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// authority is a certificate authority of a test.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Plant CA"},
		NotBefore: time.Now().AddDate(-5, 0, 0),
		NotAfter:  time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue makes a certificate for a name, or for 127.0.0.1 where it is "".
func (a *authority) issue(t *testing.T, name string, from, until time.Time) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pi"}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if name == "" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// trusting is a site with a healthy server behind a certificate.
func (a *authority) trusting(t *testing.T, c *tls.Config) planted {
	t.Helper()
	return planted{url: served(t, at(t, simulator.Options{}), c) + simulator.Root,
		more: "    tls: {ca_file: ca.pem}", files: map[string][]byte{"ca.pem": a.pem}}
}

// answeringDNS resolves by a name server that gives one answer to all.
func answeringDNS(t *testing.T, code dnsmessage.RCode) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response, m.RCode, m.Additionals = true, code, nil
			if packed, err := m.Pack(); err == nil {
				_, _ = c.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

// closed is an address at which nothing listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// clockAt is a clock that is so far off.
func clockAt(off time.Duration) func() instant.Ticks {
	return func() instant.Ticks { return instant.FromTime(time.Now().Add(off)) }
}

// names is the names of a server's tags.
func names(s *simulator.Server) []string {
	var all []string
	for _, t := range s.Oracle().Tags() {
		all = append(all, t.Name)
	}
	return all
}
