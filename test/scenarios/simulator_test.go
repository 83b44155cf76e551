package scenarios_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"
)

// simulatorWord starts a simulator, which ends with the script or by stop:
//
//	simulator start NAME FLAG...
//	simulator stop NAME
//
// It sets NAME_URL, and, as far as there are any, NAME_USER, NAME_PASSWORD,
// NAME_TOKEN and NAME_CA. Started again, it has the address that it had.
func simulatorWord(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "simulator start|stop NAME FLAG...")
	s, name := sceneOf(ts), args[1]
	switch args[0] {
	case "stop":
		named(ts, "simulator "+name).stop()
	case "start":
		address := s.addresses[name]
		if address == "" {
			address = "127.0.0.1:0"
		}
		p := launch(ts, append([]string{"pi-simulator", "serve", "--addr", address}, args[2:]...))
		s.processes["simulator "+name] = p
		s.ready(ts, name, p)
	default:
		ts.Fatalf("simulator %s: start or stop", args[0])
	}
}

// ready waits for the line that a simulator prints when it serves.
func (s *scene) ready(ts *testscript.TestScript, name string, p *process) {
	waitFor(ts, "the simulator", func() bool {
		select {
		case <-p.ended:
			ts.Fatalf("the simulator ended: %s", p.stderr.String())
		default:
		}
		return strings.Contains(p.stdout.String(), "\n")
	})
	var line struct {
		URL      string `json:"url"`
		Username string `json:"username"`
		Password string `json:"password"`
		Token    string `json:"token"`
		CAFile   string `json:"ca_file"`
	}
	ts.Check(json.Unmarshal([]byte(p.stdout.String()), &line))
	base, err := url.Parse(line.URL)
	ts.Check(err)
	s.addresses[name] = base.Host
	prefix := strings.ToUpper(name)
	for suffix, value := range map[string]string{"URL": line.URL, "USER": line.Username, "PASSWORD": line.Password, "TOKEN": line.Token, "CA": line.CAFile} {
		if value != "" {
			ts.Setenv(prefix+"_"+suffix, value)
		}
	}
}

// website starts a server that answers every request alike, and that knows
// nothing of PI; it sets NAME_URL.
//
//	website NAME STATUS TYPE FILE
func website(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 4, "website NAME STATUS TYPE FILE")
	status, body := number(ts, args[1]), ts.ReadFile(args[3])
	requests := new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", args[2])
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a client that went away is none of our business
	}))
	ts.Defer(server.Close)
	sceneOf(ts).asked[args[0]] = requests
	ts.Setenv(strings.ToUpper(args[0])+"_URL", server.URL)
}

// hostile starts a server of https whose certificate is for a name that a terminal
// would obey; it sets NAME_URL.
//
//	hostile NAME
func hostile(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "hostile NAME")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "\x1b[2J\u202eevil"},
		DNSNames:     []string{"\x1b[2J\x1b]0;owned\x07pi.example"},
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	server.StartTLS()
	ts.Defer(server.Close)
	// By name: of an address, the names of the certificate are not told.
	ts.Setenv(strings.ToUpper(args[0])+"_URL", strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
}

// tame wants that a terminal may show what a program wrote: nothing in it is
// obeyed or hidden.
//
//	tame stdout|stderr
func tame(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "tame stdout|stderr")
	said := ts.ReadFile(args[0])
	if said == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	for i, r := range said {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			ts.Fatalf("%s has %U: %q", args[0], r, said[max(0, i-40):i+len(string(r))])
		}
	}
}

// unasked wants that a website was not asked at all.
//
//	unasked NAME
func unasked(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "unasked NAME")
	if n := sceneOf(ts).asked[args[0]].Load(); n != 0 {
		ts.Fatalf("%s was asked %d times", args[0], n)
	}
}

// asked waits until a website was asked for the first time, or wants that it was asked
// so many times since it was started.
//
//	asked NAME [TIMES]
func asked(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 2 {
		if n := sceneOf(ts).asked[args[0]].Load(); n != int64(number(ts, args[1])) {
			ts.Fatalf("%s was asked %d times", args[0], n)
		}
		return
	}
	wantArgs(ts, neg, args, 1, "asked NAME [TIMES]")
	waitFor(ts, "a request to "+args[0], func() bool { return sceneOf(ts).asked[args[0]].Load() > 0 })
}
