package sitecheck_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/bundlegen/doctor/sitecheck"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

const (
	basicAuth  = "{kind: basic, username: svc, password: {env: PI_PASSWORD}}"
	bearerAuth = "{kind: bearer, token: {env: PI_TOKEN}}"
	secret     = "hunter2-hunter2"
)

var (
	behindBasic  = simulator.Auth{Kind: simulator.Basic, User: "svc", Password: secret}
	behindBearer = simulator.Auth{Kind: simulator.Bearer, Token: secret}
)

// fault is what is planted and what has to be said of it.
type fault struct {
	name  string
	plant func(t *testing.T) planted
	want  doctor.Fault
	state doctor.State
	cure  string // a part of it
}

// faults are planted one at a time; each is to be named, and nothing else.
var faults = []fault{
	{"variable that is not set", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: behindBasic})
		return planted{url: url, auth: "{kind: basic, username: svc, password: {env: PI_UNSET}}"}
	}, doctor.VariableUnset, doctor.Fail, "read -rs PI_UNSET"},
	{"certificate file that is none", func(t *testing.T) planted {
		return planted{url: "https://127.0.0.1:1", more: "    tls: {ca_file: ca.pem}", files: map[string][]byte{"ca.pem": []byte("none")}}
	}, doctor.BadSettings, doctor.Fail, "BEGIN CERTIFICATE"},
	{"keytab that is none", func(t *testing.T) planted {
		return planted{url: "http://127.0.0.1:1", auth: "{kind: kerberos, principal: svc@PLANT.EXAMPLE, keytab: {env: PI_PASSWORD}}"}
	}, doctor.BadSettings, doctor.Fail, "base64 -w0"},

	{"host that DNS does not know", func(t *testing.T) planted {
		return planted{url: "https://pi.plant-a.example", options: sitecheck.Options{Resolver: answeringDNS(t, dnsmessage.RCodeNameError)}}
	}, doctor.UnknownHost, doctor.Fail, "correct the host in sites[].url"},
	{"name server that fails", func(t *testing.T) planted {
		return planted{url: "https://pi.plant-a.example", options: sitecheck.Options{Resolver: answeringDNS(t, dnsmessage.RCodeServerFailure)}}
	}, doctor.DNSFails, doctor.Fail, "name server"},
	{"port where nothing listens", func(t *testing.T) planted {
		return planted{url: "https://" + closed(t)}
	}, doctor.PortClosed, doctor.Fail, "correct host and port in sites[].url"},
	{"proxy where nothing listens", func(t *testing.T) planted {
		return planted{url: "https://pi.plant-a.example", more: "    proxy: http://" + closed(t)}
	}, doctor.PortClosed, doctor.Fail, "correct host and port in sites[].proxy"},
	{"black hole", func(t *testing.T) planted {
		return planted{url: "https://" + hole(t), options: sitecheck.Options{Timeout: 300 * time.Millisecond}}
	}, doctor.TooSlow, doctor.Fail, "--timeout"},
	{"connection that breaks off", func(t *testing.T) planted {
		return planted{url: served(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil)}
	}, doctor.NoAnswer, doctor.Fail, "closes connections"},
	{"proxy that wants an account", func(t *testing.T) planted {
		proxy := served(t, always(http.StatusProxyAuthRequired, "text/html", "sign in"), nil)
		return planted{url: "https://pi.plant-a.example", more: "    proxy: " + proxy}
	}, doctor.ProxyRefuses, doctor.Fail, "proxy's administrators"},

	{"certificate for another name", func(t *testing.T) planted {
		a := newAuthority(t)
		return a.trusting(t, a.issue(t, "pi.elsewhere.example", time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)))
	}, doctor.CertificateName, doctor.Fail, "certificate issued for 127.0.0.1"},
	{"certificate that has expired", func(t *testing.T) planted {
		a := newAuthority(t)
		return a.trusting(t, a.issue(t, "", time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)))
	}, doctor.CertificateExpired, doctor.Fail, "renewed"},
	{"certificate of the future", func(t *testing.T) planted {
		a := newAuthority(t)
		return a.trusting(t, a.issue(t, "", time.Now().AddDate(0, 1, 0), time.Now().AddDate(1, 0, 0)))
	}, doctor.CertificateNotYet, doctor.Fail, "clock"},
	{"authority that nobody knows", func(t *testing.T) planted {
		a := newAuthority(t)
		p := a.trusting(t, a.issue(t, "", time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)))
		p.more = ""
		return p
	}, doctor.CertificateAuthority, doctor.Fail, "sites[].tls.ca_file"},
	{"certificate that expires in ten days", func(t *testing.T) planted {
		a := newAuthority(t)
		return a.trusting(t, a.issue(t, "", time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, 10)))
	}, doctor.CertificateExpires, doctor.Warn, "renewed before"},
	{"TLS 1.1 alone", func(t *testing.T) planted {
		a := newAuthority(t)
		c := a.issue(t, "", time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0))
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		return a.trusting(t, c)
	}, doctor.OldTLS, doctor.Fail, "enable TLS 1.2"},
	{"plain http behind https", func(t *testing.T) planted {
		return planted{url: "https" + strings.TrimPrefix(served(t, at(t, simulator.Options{}), nil), "http")}
	}, doctor.NoTLS, doctor.Fail, "port"},

	{"captive portal", func(t *testing.T) planted {
		return planted{url: served(t, always(302, "text/html", "", "Location", "https://wifi.example/welcome?back=x"), nil)}
	}, doctor.RedirectElsewhere, doctor.Fail, "captive portal"},
	{"sign-in page", func(t *testing.T) planted {
		return planted{url: served(t, always(200, "text/html", `<html><form><input type="password"></form></html>`), nil)}
	}, doctor.LoginPage, doctor.Fail, "exclude PI Web API's path"},
	{"redirect to a sign-in page", func(t *testing.T) planted {
		return planted{url: served(t, always(302, "text/html", "", "Location", "/login"), nil)}
	}, doctor.LoginPage, doctor.Fail, "exclude PI Web API's path"},
	{"server that answers everything", func(t *testing.T) planted {
		return planted{url: served(t, always(200, "application/json", `{"status":"ok"}`), nil)}
	}, doctor.AnswersEverything, doctor.Fail, "default web site"},
	{"web site of another kind", func(t *testing.T) planted {
		return planted{url: served(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != simulator.Root+"/" {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, "<html><h1>IIS</h1></html>")
		}), nil)}
	}, doctor.NotPI, doctor.Fail, "correct sites[].url"},
	{"wrong path", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{})
		return planted{url: strings.TrimSuffix(url, simulator.Root) + "/pi/piwebapi"}
	}, doctor.WrongPath, doctor.Fail, "/piwebapi"},
	{"gateway without a server", func(t *testing.T) planted {
		return planted{url: served(t, always(502, "text/html", "<h1>Bad Gateway</h1>"), nil)}
	}, doctor.Gateway, doctor.Fail, "start PI Web API"},
	{"server that fails", func(t *testing.T) planted {
		return planted{url: served(t, always(500, "application/json", `{"Message":"An error has occurred."}`), nil)}
	}, doctor.ServerFails, doctor.Fail, "logs"},

	{"wrong password", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: simulator.Auth{Kind: simulator.Basic, User: "svc", Password: "another"}})
		return planted{url: url, auth: basicAuth}
	}, doctor.WrongCredentials, doctor.Fail, "PI_PASSWORD holds its present password"},
	{"wrong token", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: simulator.Auth{Kind: simulator.Bearer, Token: "another"}})
		return planted{url: url, auth: bearerAuth}
	}, doctor.WrongCredentials, doctor.Fail, "PI_TOKEN holds its present token"},
	{"kind that is not offered", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: behindBearer})
		return planted{url: url, auth: basicAuth}
	}, doctor.KindNotOffered, doctor.Fail, "add Basic to PI Web API's AuthenticationMethods"},
	{"no account where one is wanted", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: behindBasic})
		return planted{url: url}
	}, doctor.NoCredentials, doctor.Fail, "sites[].auth"},
	{"401 for ever", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: behindBasic, Quirks: []simulator.Quirk{simulator.AuthLoop}})
		return planted{url: url, auth: basicAuth}
	}, doctor.WrongCredentials, doctor.Fail, "accounts get locked"},
	{"403 for the account", func(t *testing.T) planted {
		url := around(t, simulator.Options{Auth: behindBasic}, func(inner http.Handler, w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); ok {
				always(403, "application/json", `{"Message":"Authorization has been denied for this request."}`).ServeHTTP(w, r)
				return
			}
			inner.ServeHTTP(w, r)
		})
		return planted{url: url, auth: basicAuth}
	}, doctor.Forbidden, doctor.Fail, "Mappings & Trusts"},
	{"anonymous overrides", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{})
		return planted{url: url, auth: basicAuth}
	}, doctor.AnonymousOverrides, doctor.Warn, "take Anonymous out"},
	{"old version", func(t *testing.T) planted {
		return planted{url: replacing(t, "/system", `{"ProductTitle":"PI Web API","ProductVersion":"1.8.1.367"}`)}
	}, doctor.OldVersion, doctor.Warn, "update it"},

	{"no data server", func(t *testing.T) planted {
		return planted{url: replacing(t, "/dataservers", `{"Links":{},"Items":[]}`)}
	}, doctor.NoDataServer, doctor.Fail, "known servers"},
	{"data server of another name", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{})
		return planted{url: url, more: "    data_server: PISRV9"}
	}, doctor.UnknownDataServer, doctor.Fail, "sites[].data_server"},
	{"several data servers", func(t *testing.T) planted {
		return planted{url: replacing(t, "/dataservers", `{"Items":[{"WebId":"a","Name":"PISRV1"},{"WebId":"b","Name":"PISRV2"}]}`)}
	}, doctor.SeveralServers, doctor.Fail, "name one"},
	{"disconnected data server", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Quirks: []simulator.Quirk{simulator.NotConnected}})
		return planted{url: url}
	}, doctor.Disconnected, doctor.Fail, "start the archive"},
	{"no point", func(t *testing.T) planted {
		s := simulator.New(simulator.Options{})
		return planted{url: served(t, s, nil)}
	}, doctor.NoPoints, doctor.Fail, "read access to points"},
	{"some points that cannot be read", func(t *testing.T) planted {
		s, url := started(t, simulator.Options{Tags: 20})
		for _, name := range names(s)[:3] {
			require.NoError(t, s.FailTag(name, simulator.FaultPermission))
		}
		return planted{url: url}
	}, doctor.Unreadable, doctor.Warn, "read access to the points"},
	{"no point that can be read", func(t *testing.T) planted {
		s, url := started(t, simulator.Options{Tags: 20})
		for _, name := range names(s) {
			require.NoError(t, s.FailTag(name, simulator.FaultPermission))
		}
		return planted{url: url}
	}, doctor.Unreadable, doctor.Fail, "read access to the points"},
	{"tags that the server does not know", func(t *testing.T) planted {
		s, url := started(t, simulator.Options{Tags: 20})
		tags := append(rows(s), inventory.Tag{Site: "plant-a", Name: "GONE.1"}, inventory.Tag{Site: "plant-a", Name: "GONE.2"})
		return planted{url: url, options: sitecheck.Options{Tags: tags}}
	}, doctor.UnknownTags, doctor.Warn, "bundlegen discover"},
	{"server that does not filter by source", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Quirks: []simulator.Quirk{simulator.NoSourceFilter}})
		return planted{url: url, more: "    points: {point_source: [R]}"}
	}, doctor.SourceUnfiltered, doctor.Fail, "points.include"},

	{"clock ten minutes behind", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{ServerTime: clockAt(-10 * time.Minute)})
		return planted{url: url}
	}, doctor.ClockOff, doctor.Warn, "NTP"},
	{"clock of last year", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{ServerTime: clockAt(-365 * 24 * time.Hour)})
		return planted{url: url}
	}, doctor.ClockWrong, doctor.Fail, "NTP"},
	{"smaller item cap", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{MaxItemsPerCall: 20_000})
		return planted{url: url}
	}, doctor.ItemCap, doctor.Warn, "items_per_call: 20000"},
	{"short URLs", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{MaxURL: 4096})
		return planted{url: url}
	}, doctor.URLLimit, doctor.Warn, "HTTP.sys"},
	{"no defence against cross-site requests", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{WithoutQuirks: []simulator.Quirk{simulator.CSRFDefense}})
		return planted{url: url}
	}, doctor.CSRFOff, doctor.Warn, "EnableCSRFDefense"},
	{"counts of more than there is", func(t *testing.T) planted {
		return planted{url: around(t, simulator.Options{}, func(inner http.Handler, w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/streamsets/recorded") { // an archive part that is offline for reading
				q := r.URL.Query()
				q.Set("startTime", q.Get("endTime"))
				r.URL.RawQuery = q.Encode()
			}
			inner.ServeHTTP(w, r)
		})}
	}, doctor.CountsMore, doctor.Warn, "compare"},
	{"rate limit", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{RateLimit: simulator.RateLimit{Requests: 8, Per: time.Second}})
		return planted{url: url}
	}, doctor.RateLimited, doctor.Warn, "requests_per_second"},
	{"gateway that fails now and then", func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Faults: simulator.Faults{HTMLEvery: 6}})
		return planted{url: url}
	}, doctor.Flaky, doctor.Warn, "gateway between"},
}

// rows are the inventory's rows of a simulated server.
func rows(s *simulator.Server) []inventory.Tag {
	var all []inventory.Tag
	for _, t := range s.Oracle().Tags() {
		all = append(all, inventory.Tag{Site: "plant-a", Name: t.Name, EventsPerHour: -1})
	}
	return all
}

// replacing is a healthy server with another answer for one path.
func replacing(t *testing.T, path, body string) string {
	return around(t, simulator.Options{}, func(inner http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == simulator.Root+path {
			always(200, "application/json", body).ServeHTTP(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// hole takes connections and is silent.
func hole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// look checks a planted site.
func look(t *testing.T, p planted) []doctor.Finding {
	t.Helper()
	cfg, site := p.open(t)
	p.options.Getenv = os.LookupEnv
	s := sitecheck.Check(t.Context(), cfg, site, p.options)
	t.Cleanup(s.Close)
	return s.Findings()
}

// bad are the findings that somebody has to do something about.
func bad(all []doctor.Finding) (bad []doctor.Finding) {
	for _, f := range all {
		if f.State == doctor.Warn || f.State == doctor.Fail {
			bad = append(bad, f)
		}
	}
	return bad
}

func setSecrets(t *testing.T) {
	t.Helper()
	t.Setenv("PI_PASSWORD", secret)
	t.Setenv("PI_TOKEN", secret)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "")
	}
}

// Each fault that is planted is named, with its cure, and nothing else is.
func TestPlantedFaults(t *testing.T) {
	setSecrets(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			all := look(t, f.plant(t))
			found := bad(all)
			require.Len(t, found, 1, "%+v", found)
			assert.Equal(t, f.want, found[0].Fault, "%+v", found[0])
			assert.Equal(t, f.state, found[0].State)
			assert.Contains(t, found[0].Cure, f.cure)
			written, err := json.Marshal(all)
			require.NoError(t, err)
			assert.NotContains(t, string(written), secret)
			for _, one := range all {
				assert.NotRegexp(t, `\{[a-z]+\}`, one.What+one.Cure, "every word is filled in")
			}
		})
	}
}
