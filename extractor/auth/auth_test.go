package auth_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/internal/fixedseed"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	service.GetReplayCache(time.Minute) // of gokrb5's server side; what it starts has no end
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

type environment map[string]string

func (e environment) lookup(name string) (string, bool) { v, ok := e[name]; return v, ok }

// echo answers with the Authorization header that it was sent.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Got", r.Header.Get("Authorization"))
})

func get(t *testing.T, transport http.RoundTripper, address string) (*http.Response, error) {
	t.Helper()
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	resp, err := client.Get(address)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

func TestCredentials(t *testing.T) {
	server := httptest.NewServer(echo)
	defer server.Close()
	env := environment{"PW": "s3cret\r\n", "TOKEN": "abc.def"}
	for name, c := range map[string]struct {
		auth manifest.Auth
		want string
	}{
		"basic":     {manifest.Auth{Kind: "basic", Username: "üser", PasswordEnv: "PW"}, "Basic w7xzZXI6czNjcmV0"},
		"bearer":    {manifest.Auth{Kind: "bearer", TokenEnv: "TOKEN"}, "Bearer abc.def"},
		"anonymous": {manifest.Auth{Kind: "anonymous"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			transport, err := auth.NewTransport(manifest.Site{URL: server.URL, Auth: c.auth}, auth.Folder(""), env.lookup)
			require.NoError(t, err)
			request, err := http.NewRequest("GET", server.URL, nil)
			require.NoError(t, err)
			resp, err := transport.RoundTrip(request)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, c.want, resp.Header.Get("X-Got"))
			assert.Empty(t, request.Header.Get("Authorization"), "a RoundTripper leaves the caller's request as it was")
			transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
		})
	}
}

func TestRefusals(t *testing.T) {
	secret := "hunter2"
	env := environment{"EMPTY": "", "LINES": secret + "\n" + secret, "NOPEM": secret}
	basic := manifest.Auth{Kind: "basic", Username: "u", PasswordEnv: "PW"}
	https := "https://pi.example/piwebapi"
	for name, c := range map[string]struct {
		site manifest.Site
		want []string
	}{
		"unset":        {manifest.Site{URL: https, Auth: basic}, []string{"PW", "is not set"}},
		"empty":        {manifest.Site{URL: https, Auth: manifest.Auth{Kind: "basic", PasswordEnv: "EMPTY"}}, []string{"EMPTY", "is not set"}},
		"lines":        {manifest.Site{URL: https, Auth: manifest.Auth{Kind: "bearer", TokenEnv: "LINES"}}, []string{"LINES", "more than one line"}},
		"unnamed":      {manifest.Site{URL: https, Auth: manifest.Auth{Kind: "bearer"}}, []string{"no environment variable is named for the token"}},
		"kind":         {manifest.Site{URL: https, Auth: manifest.Auth{Kind: "ntlm"}}, []string{`"ntlm"`, "basic, bearer, kerberos, anonymous"}},
		"plain http":   {manifest.Site{URL: "http://pi.example/piwebapi", Auth: basic}, []string{"plain http", "pi.example"}},
		"no scheme":    {manifest.Site{URL: "pi.example/piwebapi", Auth: basic}, []string{"is not a URL"}},
		"password url": {manifest.Site{URL: "ftp://u:" + secret + "@pi.example", Auth: basic}, []string{"is not a URL"}},
		"proxy":        {manifest.Site{URL: https, Auth: basic, Proxy: "http://u:" + secret + "@%zz"}, []string{"proxy", "is not a URL"}},
		"ca env":       {manifest.Site{URL: https, Auth: basic, TLS: manifest.TLS{CAEnv: "CA"}}, []string{"CA", "is not set"}},
		"ca no pem":    {manifest.Site{URL: https, Auth: basic, TLS: manifest.TLS{CAEnv: "NOPEM"}}, []string{"NOPEM", "no certificate"}},
		"ca outside":   {manifest.Site{URL: https, Auth: basic, TLS: manifest.TLS{CAFile: "../ca.pem"}}, []string{"../ca.pem", "outside the bundle"}},
		"ca missing":   {manifest.Site{URL: https, Auth: basic, TLS: manifest.TLS{CAFile: "ca.pem"}}, []string{"ca.pem", "cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.site.Name = "plant-a"
			_, err := auth.NewTransport(c.site, auth.Folder(t.TempDir()), env.lookup)
			require.Error(t, err)
			for _, want := range append(c.want, `"plant-a"`, "\nhint: ") {
				assert.Contains(t, err.Error(), want)
			}
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestCredentialsStayWithTheSite(t *testing.T) {
	stolen := ""
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen = r.Header.Get("Authorization") }))
	defer other.Close()
	site := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer site.Close()

	transport, err := auth.NewTransport(manifest.Site{URL: site.URL, Auth: manifest.Auth{Kind: "bearer", TokenEnv: "T"}}, auth.Folder(""),
		environment{"T": "t"}.lookup)
	require.NoError(t, err)
	_, err = get(t, transport, site.URL)
	require.ErrorContains(t, err, "was not sent")
	assert.Empty(t, stolen)
}

func TestPrivateAuthority(t *testing.T) {
	server := httptest.NewTLSServer(echo)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tls"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls", "ca.pem"), ca, 0o644))

	for name, tls := range map[string]manifest.TLS{
		"file":            {CAFile: "tls/ca.pem"},
		"env":             {CAEnv: "CA", CAFile: "not-there.pem"},
		"env unset, file": {CAEnv: "UNSET", CAFile: "tls/ca.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			site := manifest.Site{URL: server.URL, Auth: manifest.Auth{Kind: "anonymous"}, TLS: tls}
			transport, err := auth.NewTransport(site, auth.Folder(dir), environment{"CA": string(ca)}.lookup)
			require.NoError(t, err)
			_, err = get(t, transport, server.URL)
			assert.NoError(t, err)
		})
	}
	t.Run("without it", func(t *testing.T) {
		transport, err := auth.NewTransport(manifest.Site{URL: server.URL, Auth: manifest.Auth{Kind: "anonymous"}}, auth.Folder(dir),
			environment{}.lookup)
		require.NoError(t, err)
		_, err = get(t, transport, server.URL)
		assert.ErrorContains(t, err, "certificate")
	})
}

func TestProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host)
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer proxy.Close()
	proxyURL, err := url.Parse(proxy.URL)
	require.NoError(t, err)

	for name, c := range map[string]struct {
		proxy string
		env   environment
		want  string
	}{
		"site's":               {proxy.URL, environment{"HTTPS_PROXY": "http://127.0.0.1:1"}, "CONNECT pi.example:443"},
		"environment's":        {"", environment{"https_proxy": proxyURL.Host}, "CONNECT pi.example:443"},
		"environment's broken": {"", environment{"HTTPS_PROXY": "http://u:hunter2@%zz"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			site := manifest.Site{URL: "https://pi.example/piwebapi", Proxy: c.proxy, Auth: manifest.Auth{Kind: "anonymous"}}
			transport, err := auth.NewTransport(site, auth.Folder(""), c.env.lookup)
			require.NoError(t, err)
			_, err = get(t, transport, site.URL)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, c.want, strings.Join(asked, ","))
		})
	}
	t.Run("not for these", func(t *testing.T) {
		server := httptest.NewServer(echo)
		defer server.Close()
		transport, err := auth.NewTransport(manifest.Site{URL: server.URL, Auth: manifest.Auth{Kind: "anonymous"}}, auth.Folder(""),
			environment{"HTTP_PROXY": "http://127.0.0.1:1"}.lookup)
		require.NoError(t, err)
		_, err = get(t, transport, server.URL)
		assert.NoError(t, err)
	})
}
