// Package authtest is a Kerberos realm for tests: MIT's KDC on a free port, and
// servers that want its tickets. Only tests use it.
package authtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/crash"
)

// What a KDC knows when it begins.
const (
	Realm  = "PLANT.EXAMPLE"
	User   = "svc_pi@" + Realm
	SPN    = "HTTP/localhost"
	Office = "OFFICE.EXAMPLE" // a second realm, which has nobody
)

// KDC serves the realms Realm, with User and SPN, and Office. It is MIT's.
type KDC struct {
	Dir  string // of its files, krb5.conf for clients among them
	Port int
	env  []string
}

// New starts a KDC, which ends with the test.
func New(t *testing.T) *KDC {
	t.Helper()
	k := &KDC{Dir: t.TempDir(), Port: FreePort(t)}
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.File("krb5.conf"), "KRB5_KDC_PROFILE="+k.File("kdc.conf"))
	k.Write(t, "krb5.conf", Krb5Conf(Realm, k.Port))
	k.Write(t, "kdc.conf", fmt.Sprintf(`
[kdcdefaults]
 kdc_listen = 127.0.0.1:%[2]d
 kdc_tcp_listen = 127.0.0.1:%[2]d
[realms]
 PLANT.EXAMPLE = {
  database_name = %[1]s/plant
  key_stash_file = %[1]s/plant.key
  max_life = 10h
  supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
 }
 OFFICE.EXAMPLE = {
  database_name = %[1]s/office
  key_stash_file = %[1]s/office.key
 }
[logging]
 kdc = FILE:%[1]s/kdc.log
`, k.Dir, k.Port))
	for _, r := range []string{Realm, Office} {
		k.run(t, "kdb5_util", "create", "-s", "-P", "x", "-r", r)
	}
	k.Admin(t, "addprinc -randkey "+SPN, "addprinc -randkey +requires_preauth "+User)

	server := exec.Command(program("krb5kdc"), "-n", "-r", Realm, "-r", Office)
	server.Env = k.env
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", k.Port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	return k
}

// Krb5Conf is the krb5.conf of clients of a KDC on this machine.
func Krb5Conf(realm string, port int) string {
	return fmt.Sprintf(`
[libdefaults]
 default_realm = %[1]s
 udp_preference_limit = 1
 dns_lookup_kdc = false
 rdns = false
[realms]
 %[1]s = {
  kdc = 127.0.0.1:%[2]d
 }
`, realm, port)
}

// FreePort returns a port at which nothing listens.
func FreePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// program finds what Debian keeps out of the PATH of users.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return "/usr/sbin/" + name
}

// File returns the path of a file of the KDC's.
func (k *KDC) File(name string) string { return filepath.Join(k.Dir, name) }

// Write writes one of them.
func (k *KDC) Write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(k.File(name), []byte(text), 0o600))
}

func (k *KDC) run(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(program(name), args...)
	c.Env = k.env
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// Admin has kadmin.local do something with the realm's database.
func (k *KDC) Admin(t *testing.T, commands ...string) {
	t.Helper()
	k.AdminOf(t, Realm, commands...)
}

// AdminOf does the same with another realm's.
func (k *KDC) AdminOf(t *testing.T, realm string, commands ...string) {
	t.Helper()
	for _, c := range commands {
		k.run(t, "kadmin.local", "-r", realm, "-q", c)
	}
}

// Keytab returns the keys of a principal as they are now.
func (k *KDC) Keytab(t *testing.T, principal string, options ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keytab")
	k.Admin(t, fmt.Sprintf("ktadd -k %s -norandkey %s %s", path, strings.Join(options, " "), principal))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// Logged counts what the KDC has logged that holds all words: AS_REQ and ISSUE are
// logins, TGS_REQ and ISSUE are tickets for a service.
func (k *KDC) Logged(t *testing.T, words ...string) int {
	t.Helper()
	text, err := os.ReadFile(k.File("kdc.log"))
	require.NoError(t, err)
	n := 0
lines:
	for line := range strings.Lines(string(text)) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		n++
	}
	return n
}

// Guarded is a server that wants a ticket with each request.
type Guarded struct {
	*httptest.Server
	keys    atomic.Pointer[keytab.Keytab]
	Refused atomic.Int32 // answers 401
}

// Guard serves a handler to whoever has a ticket for the service whose keys it has.
func Guard(t *testing.T, keys []byte, inner http.Handler) *Guarded {
	t.Helper()
	g := &Guarded{}
	g.Use(t, keys)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &watching{w, g}
		// MIT's PAC holds less than gokrb5 would want.
		spnego.SPNEGOKRB5Authenticate(inner, g.keys.Load(), service.DecodePAC(false)).ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// Use changes the keys of the server.
func (g *Guarded) Use(t *testing.T, keys []byte) {
	t.Helper()
	k := keytab.New()
	require.NoError(t, k.Unmarshal(keys))
	g.keys.Store(k)
}

type watching struct {
	http.ResponseWriter
	g *Guarded
}

func (w *watching) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		w.g.Refused.Add(1)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Refusing is the krb5.conf of a KDC that answers each request by an error of RFC 4120.
func Refusing(t *testing.T, code int32) (conf string) {
	t.Helper()
	refusal := messages.NewKRBError(types.NewPrincipalName(2, "krbtgt/"+Realm), Realm, code, "")
	answer, err := refusal.Marshal()
	require.NoError(t, err)
	return Answering(t, answer)
}

// Answering is the krb5.conf of a KDC that answers each request over TCP by the bytes
// given; without any, never.
func Answering(t *testing.T, answer []byte) (conf string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		defer crash.Exit()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			size := make([]byte, 4)
			_, _ = io.ReadFull(c, size)
			_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(size)))
			if answer != nil {
				_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
			}
		}
	}()
	return Krb5Conf(Realm, l.Addr().(*net.TCPAddr).Port)
}
