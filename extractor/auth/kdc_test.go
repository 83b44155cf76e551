package auth_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	realm = "PLANT.EXAMPLE"
	svc   = "svc_pi@" + realm
	spn   = "HTTP/localhost"
)

// kdc serves the Kerberos realm PLANT.EXAMPLE, with the user svc and the service
// spn, and OFFICE.EXAMPLE, which has nobody. It is MIT's.
type kdc struct {
	dir  string
	env  []string
	port int
}

const office = "OFFICE.EXAMPLE"

func newKDC(t *testing.T) *kdc {
	t.Helper()
	k := &kdc{dir: t.TempDir(), port: freePort(t)}
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.file("krb5.conf"), "KRB5_KDC_PROFILE="+k.file("kdc.conf"))
	k.write(t, "krb5.conf", krb5Conf(realm, k.port))
	k.write(t, "kdc.conf", fmt.Sprintf(`
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
`, k.dir, k.port))
	for _, r := range []string{realm, office} {
		k.run(t, "kdb5_util", "create", "-s", "-P", "x", "-r", r)
	}
	k.admin(t, "addprinc -randkey "+spn, "addprinc -randkey +requires_preauth "+svc)

	server := exec.Command(program("krb5kdc"), "-n", "-r", realm, "-r", office)
	server.Env = k.env
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", k.port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	return k
}

func krb5Conf(realm string, port int) string {
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

func freePort(t *testing.T) int {
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

func (k *kdc) file(name string) string { return filepath.Join(k.dir, name) }

func (k *kdc) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(k.file(name), []byte(text), 0o600))
}

func (k *kdc) run(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(program(name), args...)
	c.Env = k.env
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// admin has kadmin.local do something with the realm's database.
func (k *kdc) admin(t *testing.T, commands ...string) {
	t.Helper()
	k.adminOf(t, realm, commands...)
}

func (k *kdc) adminOf(t *testing.T, realm string, commands ...string) {
	t.Helper()
	for _, c := range commands {
		k.run(t, "kadmin.local", "-r", realm, "-q", c)
	}
}

// keytab returns the keys of a principal as they are now.
func (k *kdc) keytab(t *testing.T, principal string, options ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keytab")
	k.admin(t, fmt.Sprintf("ktadd -k %s -norandkey %s %s", path, strings.Join(options, " "), principal))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// logged counts what the KDC has logged that holds all words: AS_REQ and ISSUE are
// logins, TGS_REQ and ISSUE are tickets for a service.
func (k *kdc) logged(t *testing.T, words ...string) int {
	t.Helper()
	text, err := os.ReadFile(k.file("kdc.log"))
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

// site returns a site behind Kerberos and the environment that it needs, for svc's own keytab.
func (k *kdc) site(t *testing.T, url string) (manifest.Site, environment) {
	t.Helper()
	return manifest.Site{Name: "plant-a", URL: url, Limits: manifest.Limits{Connections: 64},
			Auth: manifest.Auth{Kind: "kerberos", Principal: svc, KeytabEnv: "KEYTAB", Krb5Conf: "krb5.conf", SPN: spn}},
		environment{"KEYTAB": base64.StdEncoding.EncodeToString(k.keytab(t, svc))}
}

func (k *kdc) files() auth.Files { return auth.Folder(k.dir) }
