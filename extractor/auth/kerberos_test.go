package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/goidentity/v6"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/auth/authtest"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// whoami answers with the caller's principal and what he sent.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	id := goidentity.FromHTTPRequestContext(r)
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s@%s %s", id.UserName(), id.Domain(), body)
})

func transport(t *testing.T, site manifest.Site, files auth.Files, env environment) http.RoundTripper {
	t.Helper()
	rt, err := auth.NewTransport(site, files, env.lookup)
	require.NoError(t, err)
	t.Cleanup(rt.(interface{ CloseIdleConnections() }).CloseIdleConnections)
	return rt
}

// post sends a text and returns the status and the answer.
func post(ctx context.Context, rt http.RoundTripper, url, text string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if r.Header.Get("Authorization") != "" {
		err = errors.New("a RoundTripper leaves the caller's request as it was")
	}
	return resp.StatusCode, string(body), err
}

// postMany sends many requests side by side, all of which must succeed.
func postMany(t *testing.T, rt http.RoundTripper, url string, n int) {
	t.Helper()
	var g errgroup.Group
	for i := range n {
		g.Go(func() error {
			status, answer, err := post(t.Context(), rt, url, fmt.Sprint(i))
			if want := fmt.Sprintf("%s %d", svc, i); err == nil && (status != http.StatusOK || answer != want) {
				err = fmt.Errorf("%d %q instead of %q", status, answer, want)
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
}

// Hundreds of requests at once share one login and one ticket, none of them is
// refused first, and a server that looks for replays finds none.
func TestOneTicketForAll(t *testing.T) {
	k := authtest.New(t)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	site, env := siteOf(t, k, server.URL)
	rt := transport(t, site, auth.Folder(k.Dir), env)
	postMany(t, rt, server.URL, 600)
	assert.Zero(t, server.Refused.Load())
	assert.Equal(t, 1, k.Logged(t, "AS_REQ", "ISSUE"))
	assert.Equal(t, 1, k.Logged(t, "TGS_REQ", "ISSUE"))

	t.Run("renewed before it ends", func(t *testing.T) {
		auth.SetClock(rt, func() time.Time { return time.Now().Add(10*time.Hour - time.Minute) })
		postMany(t, rt, server.URL, 1)
		assert.Equal(t, 2, k.Logged(t, "AS_REQ", "ISSUE"))
		assert.Zero(t, server.Refused.Load())
	})
	t.Run("without a ticket", func(t *testing.T) {
		resp, err := get(t, http.DefaultTransport, server.URL)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	})
}

// A service that was given a new key refuses the tickets of the old one: each
// request is sent once more, whole, with one new ticket for all.
func TestTicketOfAnOldKey(t *testing.T) {
	k := authtest.New(t)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	site, env := siteOf(t, k, server.URL)
	rt := transport(t, site, auth.Folder(k.Dir), env)
	postMany(t, rt, server.URL, 1)

	k.Admin(t, "cpw -randkey "+spn)
	server.Use(t, k.Keytab(t, spn))
	postMany(t, rt, server.URL, 40)
	assert.Positive(t, server.Refused.Load())
	assert.Equal(t, 2, k.Logged(t, "AS_REQ", "ISSUE"))

	t.Run("a body that cannot be had again", func(t *testing.T) {
		k.Admin(t, "cpw -randkey "+spn)
		server.Use(t, k.Keytab(t, spn))
		r, err := http.NewRequest("POST", server.URL, io.NopCloser(strings.NewReader("once")))
		require.NoError(t, err)
		resp, err := rt.RoundTrip(r)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	})
}

// A server that refuses for ever is asked once, whatever it offers: it has never
// taken a ticket. One that has, and then refuses for ever, is asked once more when it
// offers Kerberos, however it writes that. It is never answered by NTLM.
func TestRefusedForEver(t *testing.T) {
	k := authtest.New(t)
	for name, c := range map[string]struct {
		offers []string
		asked  int
	}{
		"alone":         {[]string{"Negotiate"}, 2},
		"lines":         {[]string{"Negotiate", `Basic realm="pi"`}, 2},
		"basic first":   {[]string{`Basic realm="pi"`, "Negotiate"}, 2},
		"joined":        {[]string{`Basic realm="pi", Negotiate`}, 2},
		"with a token":  {[]string{"Negotiate oQcwBaADCgEC"}, 2},
		"lower case":    {[]string{"negotiate"}, 2},
		"with NTLM":     {[]string{"NTLM", "Negotiate"}, 2},
		"NTLM inside":   {[]string{"Negotiate TlRMTVNTUAABAAAA"}, 2},
		"NTLM alone":    {[]string{"NTLM"}, 1},
		"others":        {[]string{`Basic realm="Negotiate"`, "Bearer"}, 1},
		"no offer":      {nil, 1},
		"named in text": {[]string{`Basic realm="a Negotiate b"`}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var got []string
			well := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if well {
					return
				}
				got = append(got, r.Header.Get("Authorization"))
				w.Header()["Www-Authenticate"] = c.offers
				http.Error(w, "no", http.StatusUnauthorized)
			}))
			defer server.Close()
			site, env := siteOf(t, k, server.URL)
			rt := transport(t, site, auth.Folder(k.Dir), env)
			status, _, err := post(t.Context(), rt, server.URL, "")
			require.NoError(t, err)
			assert.Equal(t, http.StatusUnauthorized, status)
			require.Len(t, got, 1)

			got, well = nil, true
			_, _, err = post(t.Context(), rt, server.URL, "")
			require.NoError(t, err)
			well = false
			status, answer, err := post(t.Context(), rt, server.URL, "")
			require.NoError(t, err)
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Equal(t, "no\n", answer)
			require.Len(t, got, c.asked)
			for _, a := range got {
				assert.True(t, strings.HasPrefix(a, "Negotiate YII"), "a token of SPNEGO: %.20s", a)
			}
			assert.Len(t, slices.Compact(got), c.asked, "each request has a token of its own")
		})
	}
}

// What a KDC refuses is said with what to do, without a secret, and it is asked
// once for many requests: accounts get locked.
func TestRefusedByKDC(t *testing.T) {
	k := authtest.New(t)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	good := k.Keytab(t, svc)
	k.Admin(t, "addprinc -randkey old@"+realm, "addprinc -randkey +requires_preauth locked@"+realm)
	old, locked := k.Keytab(t, "old"), k.Keytab(t, "locked")
	k.Admin(t, "cpw -randkey old", "cpw -randkey "+svc, "modprinc -allow_tix locked")
	k.Write(t, "elsewhere.conf", authtest.Krb5Conf("OTHER.EXAMPLE", k.Port))
	k.Write(t, "nobody.conf", authtest.Krb5Conf(realm, authtest.FreePort(t)))

	for name, c := range map[string]struct {
		auth    manifest.Auth
		secret  []byte
		want    []string
		lasting bool
	}{
		"unknown principal":    {manifest.Auth{Principal: "svc_po@" + realm, PasswordEnv: "SECRET"}, []byte("hunter2"), []string{"does not know the principal svc_po@PLANT.EXAMPLE"}, true},
		"wrong password":       {manifest.Auth{Principal: svc, PasswordEnv: "SECRET"}, []byte("hunter2"), []string{"does not accept the password of svc_pi@PLANT.EXAMPLE"}, true},
		"old keytab":           {manifest.Auth{Principal: svc, KeytabEnv: "SECRET"}, good, []string{"does not accept the keytab of svc_pi", "ktpass"}, true},
		"old keytab, no proof": {manifest.Auth{Principal: "old@" + realm, KeytabEnv: "SECRET"}, old, []string{"old@PLANT.EXAMPLE", "kvno", "ktpass"}, true},
		"locked":               {manifest.Auth{Principal: "locked@" + realm, KeytabEnv: "SECRET"}, locked, []string{"locked"}, true},
		"unknown realm":        {manifest.Auth{Principal: "svc_pi@OTHER.EXAMPLE", PasswordEnv: "SECRET", Krb5Conf: "elsewhere.conf"}, []byte("hunter2"), []string{"no KDC of the realm OTHER.EXAMPLE"}, false},
		"no KDC":               {manifest.Auth{Principal: svc, PasswordEnv: "SECRET", Krb5Conf: "nobody.conf"}, []byte("hunter2"), []string{"no KDC of the realm PLANT.EXAMPLE", "port 88"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			site := manifest.Site{Name: "plant-a", URL: server.URL, Auth: c.auth}
			site.Auth.Kind, site.Auth.SPN = "kerberos", spn
			if site.Auth.Krb5Conf == "" {
				site.Auth.Krb5Conf = "krb5.conf"
			}
			env := environment{"SECRET": string(c.secret)}
			if c.auth.KeytabEnv != "" {
				env["SECRET"] = base64.StdEncoding.EncodeToString(c.secret)
			}
			before := k.Logged(t, "AS_REQ")
			rt := transport(t, site, auth.Folder(k.Dir), env)
			var g errgroup.Group
			for range 20 {
				g.Go(func() error {
					_, _, err := post(t.Context(), rt, server.URL, "")
					var failed *auth.LoginError
					if !errors.As(err, &failed) {
						return fmt.Errorf("not a LoginError: %w", err)
					}
					for _, want := range append(c.want, "\nhint: ") {
						if !strings.Contains(err.Error(), want) {
							return fmt.Errorf("%q is not in %q", want, err)
						}
					}
					if strings.Contains(err.Error(), env["SECRET"]) || failed.Lasting != c.lasting {
						return fmt.Errorf("not as it should be: %q", err)
					}
					return nil
				})
			}
			require.NoError(t, g.Wait())
			assert.LessOrEqual(t, k.Logged(t, "AS_REQ")-before, 2, "one login, of two requests at most, for all")
		})
	}
	t.Run("unknown service", func(t *testing.T) {
		site, env := siteOf(t, k, server.URL)
		site.Auth.SPN = "" // of the URL: 127.0.0.1
		_, _, err := post(t.Context(), transport(t, site, auth.Folder(k.Dir), env), server.URL, "")
		require.ErrorContains(t, err, "does not know the service HTTP/127.0.0.1")
		require.ErrorContains(t, err, "setspn -S HTTP/127.0.0.1")
	})
	t.Run("again after a while", func(t *testing.T) {
		site, env := siteOf(t, k, server.URL)
		k.Admin(t, "modprinc -allow_tix "+svc)
		rt := transport(t, site, auth.Folder(k.Dir), env)
		_, _, err := post(t.Context(), rt, server.URL, "")
		require.Error(t, err)
		k.Admin(t, "modprinc +allow_tix "+svc)
		_, _, err = post(t.Context(), rt, server.URL, "")
		require.Error(t, err)
		auth.SetClock(rt, func() time.Time { return time.Now().Add(2 * time.Minute) })
		postMany(t, rt, server.URL, 1)
	})
}

func text(conf string) auth.Files {
	return func(string) ([]byte, error) { return []byte(conf), nil }
}

var byPassword = manifest.Auth{Kind: "kerberos", Principal: svc, PasswordEnv: "SECRET", Krb5Conf: "krb5.conf"}

// What MIT's KDC does not say on one machine: the errors of RFC 4120 by number.
func TestKDCErrors(t *testing.T) {
	for code, want := range map[int32]string{
		37: "clock",         // KRB_AP_ERR_SKEW
		14: "enctype",       // KDC_ERR_ETYPE_NOSUPP
		1:  "has expired",   // KDC_ERR_NAME_EXP
		23: "has expired",   // KDC_ERR_KEY_EXPIRED
		12: "policy",        // KDC_ERR_POLICY
		18: "locked",        // KDC_ERR_CLIENT_REVOKED
		60: "KDC refuses:",  // KRB_ERR_GENERIC
		68: "another realm", // KDC_ERR_WRONG_REALM
	} {
		site := manifest.Site{Name: "plant-a", URL: "http://127.0.0.1:1", Auth: byPassword}
		_, _, err := post(t.Context(), transport(t, site, text(authtest.Refusing(t, code)), environment{"SECRET": "hunter2"}), site.URL, "")
		assert.ErrorContains(t, err, want, "code %d", code)
		assert.ErrorContains(t, err, "\nhint: ")
	}
}

// A KDC that is silent holds nobody who does not want to wait.
func TestSilentKDC(t *testing.T) {
	site := manifest.Site{Name: "plant-a", URL: "http://127.0.0.1:1", Auth: byPassword}
	rt := transport(t, site, text(authtest.Answering(t, nil)), environment{"SECRET": "hunter2"})
	var g errgroup.Group
	for range 5 {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, _, err := post(ctx, rt, site.URL, "")
			return err
		})
	}
	require.ErrorIs(t, g.Wait(), context.DeadlineExceeded)
}

// A service of one realm takes the ticket of another's user, where [domain_realm]
// or the name in pipeline.yml has it.
func TestServiceOfAnotherRealm(t *testing.T) {
	k := authtest.New(t)
	user := "svc_pi@" + office
	k.AdminOf(t, office, "addprinc -pw hunter2 svc_pi", "addprinc -pw trust krbtgt/"+realm)
	k.Admin(t, "addprinc -pw trust krbtgt/"+realm+"@"+office)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	both := authtest.Krb5Conf(realm, k.Port) + fmt.Sprintf(" %s = {\n  kdc = 127.0.0.1:%d\n }\n", office, k.Port)

	for name, c := range map[string]struct{ spn, conf, fails string }{
		"by domain_realm":  {spn, both + "[domain_realm]\n localhost = " + realm + "\n", ""},
		"by the spn":       {spn + "@" + realm, both, ""},
		"not said":         {spn, both, "the realm OFFICE.EXAMPLE does not know the service HTTP/localhost"},
		"realm of no name": {spn + "@NOWHERE.EXAMPLE", both, "the realm NOWHERE.EXAMPLE does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			site := manifest.Site{Name: "plant-a", URL: server.URL, Auth: byPassword}
			site.Auth.Principal, site.Auth.SPN = user, c.spn
			_, answer, err := post(t.Context(), transport(t, site, text(c.conf), environment{"SECRET": "hunter2"}), server.URL, "x")
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, user+" x", answer)
		})
	}
}

func TestPassword(t *testing.T) {
	k := authtest.New(t)
	k.Admin(t, "cpw -pw hunter2 "+svc)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	site := manifest.Site{Name: "plant-a", URL: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), Auth: byPassword}
	rt := transport(t, site, auth.Folder(k.Dir), environment{"SECRET": "hunter2\n"})
	postMany(t, rt, site.URL, 3) // the service's name is of the URL
}

func TestKeytab(t *testing.T) {
	k := authtest.New(t)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	site, env := siteOf(t, k, server.URL)
	whole := k.Keytab(t, svc)

	t.Run("wrapped lines", func(t *testing.T) {
		s := env["KEYTAB"]
		postMany(t, transport(t, site, auth.Folder(k.Dir), environment{"KEYTAB": s[:76] + "\n" + s[76:] + "\n"}), server.URL, 1)
	})
	t.Run("of one kind of key", func(t *testing.T) {
		k.Admin(t, "addprinc -randkey -e aes256-cts-hmac-sha1-96:normal,aes128-cts-hmac-sha1-96:normal two@"+realm)
		full := keytab.New()
		require.NoError(t, full.Unmarshal(k.Keytab(t, "two")))
		one := keytab.New()
		for _, e := range full.Entries {
			if e.Key.KeyType == etypeID.AES128_CTS_HMAC_SHA1_96 {
				one.Entries = append(one.Entries, e)
			}
		}
		require.Len(t, one.Entries, 1)
		data, err := one.Marshal()
		require.NoError(t, err)
		site := site
		site.Auth.Principal = "two@" + realm
		status, answer, err := post(t.Context(), transport(t, site, auth.Folder(k.Dir),
			environment{"KEYTAB": base64.StdEncoding.EncodeToString(data)}), server.URL, "")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "two@PLANT.EXAMPLE ", answer)
	})
	for name, c := range map[string]struct{ value, principal, conf, want string }{
		"unset":             {"", svc, "", "KEYTAB, which holds the keytab, is not set"},
		"a path":            {"/etc/pi/hunter2.keytab", svc, "", "is not base64"},
		"something else":    {base64.StdEncoding.EncodeToString([]byte("hunter2")), svc, "", "is not a keytab"},
		"cut off":           {base64.StdEncoding.EncodeToString(whole[:len(whole)/2-3]), svc, "", "a part of one"},
		"another principal": {env["KEYTAB"], "SVC_PI@" + realm, "", "it has keys of " + svc},
		"no realm":          {env["KEYTAB"], "svc_pi", "", "is not one such as"},
		"conf missing":      {env["KEYTAB"], svc, "not-there.conf", "cannot be read"},
		"conf outside":      {env["KEYTAB"], svc, "../krb5.conf", "is outside the bundle"},
		"no conf":           {env["KEYTAB"], svc, "stash", "stash:2:1: this line is neither NAME = VALUE nor a [section]"},
		"conf of nothing":   {env["KEYTAB"], svc, "plant.key", "not a"},
	} {
		t.Run(name, func(t *testing.T) {
			site := site
			site.Auth.Principal = c.principal
			if c.conf != "" {
				site.Auth.Krb5Conf = c.conf
			}
			k.Write(t, "stash", "[realms]\nno equals sign {\n")
			_, err := auth.NewTransport(site, auth.Folder(k.Dir), environment{"KEYTAB": c.value}.lookup)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "\nhint: ")
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	t.Run("of any bytes", rapid.MakeCheck(func(t *rapid.T) {
		data := bytes.Clone(whole)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			data[rapid.IntRange(2, len(data)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		data = data[:rapid.IntRange(0, len(data)).Draw(t, "length")]
		_, err := auth.NewTransport(site, auth.Folder(k.Dir), environment{"KEYTAB": base64.StdEncoding.EncodeToString(data)}.lookup)
		if err != nil && !strings.Contains(err.Error(), "\nhint: ") {
			t.Fatal(err)
		}
	}))
	t.Run("the machine's own configuration", func(t *testing.T) {
		site := site
		site.Auth.Krb5Conf = ""
		env := environment{"KEYTAB": env["KEYTAB"], "KRB5_CONFIG": k.File("krb5.conf") + string(os.PathListSeparator) + "/not-there"}
		postMany(t, transport(t, site, auth.Folder(k.Dir), env), server.URL, 1)
		env["KRB5_CONFIG"] = k.File("not-there")
		_, err := auth.NewTransport(site, auth.Folder(k.Dir), env.lookup)
		require.ErrorContains(t, err, "KRB5_CONFIG")
	})
}

// Files as they are shipped, which gokrb5 reads wrongly or not at all: a login works.
func TestKrb5ConfAsShipped(t *testing.T) {
	k := authtest.New(t)
	server := authtest.Guard(t, k.Keytab(t, spn), whoami)
	for name, conf := range map[string]string{
		"RHEL 9":   "[libdefaults]\n dns_canonicalize_hostname = fallback\n spake_preauth_groups = edwards25519\n udp_preference_limit = 0\n[realms]\n PLANT.EXAMPLE = {\n  kdc = 127.0.0.1:%d\n }\n",
		"FreeIPA":  "[realms]\n PLANT.EXAMPLE = {\n  auth_to_local_names = {\n   svc_pi = pi\n  }\n  kdc = tcp/127.0.0.1:%d\n }\n",
		"one line": "[realms]\nPLANT.EXAMPLE = { kdc = 127.0.0.1:%d admin_server = 127.0.0.1 }\n[libdefaults]\ndefault_tkt_enctypes = camellia256-cts aes256-sha1\n",
	} {
		t.Run(name, func(t *testing.T) {
			site, env := siteOf(t, k, server.URL)
			postMany(t, transport(t, site, text(fmt.Sprintf(conf, k.Port)), env), server.URL, 1)
		})
	}
	t.Run("include on this machine", func(t *testing.T) {
		require.NoError(t, os.MkdirAll(k.File("conf.d"), 0o755))
		k.Write(t, "conf.d/realm", authtest.Krb5Conf(realm, k.Port))
		k.Write(t, "main.conf", "includedir "+k.File("conf.d")+"\nincludedir "+k.File("none")+"\n[libdefaults]\n rdns = false\n")
		site, env := siteOf(t, k, server.URL)
		site.Auth.Krb5Conf, env["KRB5_CONFIG"] = "", k.File("main.conf")
		postMany(t, transport(t, site, nil, env), server.URL, 1)

		require.NoError(t, os.Remove(k.File("conf.d/realm")))
		_, _, err := post(t.Context(), transport(t, site, nil, env), server.URL, "")
		require.ErrorContains(t, err, "main.conf:2: includedir "+k.File("none")+": there is no such folder on this machine")
	})
	t.Run("include in a bundle", func(t *testing.T) {
		site, env := siteOf(t, k, server.URL)
		_, err := auth.NewTransport(site, text("includedir /etc/krb5.conf.d\n"), env.lookup)
		require.ErrorContains(t, err, `krb5.conf:1:1: includedir "/etc/krb5.conf.d": a file that goes into a bundle cannot include others`)
	})
}

// The client of PI Web API, through it.
func TestPIWebAPIByKerberos(t *testing.T) {
	k := authtest.New(t)
	pi := simulator.New(simulator.Options{Tags: 2500})
	t.Cleanup(func() { assert.NoError(t, pi.Close()) })
	server := authtest.Guard(t, k.Keytab(t, spn), pi)
	site, env := siteOf(t, k, server.URL+simulator.Root)
	site.Retry = manifest.Retry{Attempts: 5, BackoffSeconds: 0.01}
	c, err := piwebapi.New(piwebapi.Options{Site: site, Limits: site.Limits, Transport: transport(t, site, auth.Folder(k.Dir), env)})
	require.NoError(t, err)
	ds, err := c.DataServer(t.Context(), "")
	require.NoError(t, err)
	points := 0
	require.NoError(t, c.Points(t.Context(), ds, func(p []piwebapi.Point) error { points += len(p); return nil }))
	assert.Equal(t, 2500, points)
	assert.Zero(t, server.Refused.Load())
	assert.Equal(t, 1, k.Logged(t, "AS_REQ", "ISSUE"))

	// fails is the error of the client's first request fails.
	fails := func(site manifest.Site, files auth.Files) *piwebapi.Error {
		c, err := piwebapi.New(piwebapi.Options{Site: site, Transport: transport(t, site, files, env)})
		require.NoError(t, err)
		_, err = c.DataServer(t.Context(), "")
		var failed *piwebapi.Error
		require.ErrorAs(t, err, &failed)
		return failed
	}
	t.Run("refused by the server", func(t *testing.T) {
		server.Use(t, k.Keytab(t, svc)) // it does not have the service's key
		failed := fails(site, auth.Folder(k.Dir))
		assert.Equal(t, piwebapi.Unauthorized, failed.Kind)
		assert.ErrorContains(t, failed, "hint: the server does not accept the ticket")
	})
	t.Run("not offered by the server", func(t *testing.T) {
		basic := simulator.New(simulator.Options{Tags: 1, Auth: simulator.Auth{Kind: simulator.Bearer, Token: "t"}})
		address, err := basic.Start("127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, basic.Close()) })
		site := site
		site.URL = address
		assert.ErrorContains(t, fails(site, auth.Folder(k.Dir)), "hint: the server does not offer Kerberos")
	})
	t.Run("refused by the KDC", func(t *testing.T) {
		k.Admin(t, "modprinc -allow_tix "+svc)
		before := k.Logged(t, "AS_REQ")
		failed := fails(site, auth.Folder(k.Dir))
		assert.Equal(t, piwebapi.Unauthorized, failed.Kind)
		assert.False(t, failed.Retryable)
		assert.ErrorContains(t, failed, "locked or disabled\nhint: have it unlocked")
		assert.Equal(t, 1, k.Logged(t, "AS_REQ")-before)
	})
	t.Run("no KDC", func(t *testing.T) {
		site := site
		site.Retry.Attempts = 1
		failed := fails(site, text(authtest.Krb5Conf(realm, authtest.FreePort(t))))
		assert.Equal(t, piwebapi.Unreachable, failed.Kind)
		assert.True(t, failed.Retryable)
		assert.ErrorContains(t, failed, "hint: check the realm")
	})
}
