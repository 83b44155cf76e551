package auth_test

import (
	"encoding/base64"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

type redactor interface {
	Redact(text string) string
	RedactData(text string) string
}

func redactorOf(t *testing.T, site manifest.Site, env map[string]string) redactor {
	site.Name, site.URL = "plant-a", "https://pi.example/piwebapi"
	transport, err := auth.NewTransport(site, nil, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	require.NoError(t, err)
	return transport.(redactor)
}

// What a server may print of a secret, and what of a text is left then.
func TestNoFormOfASecretIsLeft(t *testing.T) {
	const password = `p&ss "w0rd"+/ü\9`
	basic := base64.StdEncoding.EncodeToString([]byte(`PLANT\svc_pi:` + password))
	r := redactorOf(t, manifest.Site{Auth: manifest.Auth{Kind: "basic", Username: `PLANT\svc_pi`, PasswordEnv: "PW"},
		Proxy: "http://me:proxy-secret@proxy.example:3128"},
		map[string]string{"PW": password + "\n"})
	for _, form := range []string{
		password, basic, strings.TrimRight(basic, "="), "Basic " + basic, "basic%20" + url.QueryEscape(basic), url.QueryEscape(password),
		url.PathEscape(password),
		url.QueryEscape(basic), html.EscapeString(password), `p&ss \"w0rd\"+/ü\\9`, `p\u0026ss \"w0rd\"+/ü\\9`,
		base64.StdEncoding.EncodeToString([]byte(password)), base64.RawURLEncoding.EncodeToString([]byte(password)), "proxy-secret",
		base64.StdEncoding.EncodeToString([]byte("me:proxy-secret")),
	} {
		got := r.Redact("before " + form + " behind")
		require.NotContains(t, got, form)
		require.True(t, strings.HasPrefix(got, "before ") && strings.HasSuffix(got, " behind") && strings.Contains(got, "[redacted]"), got)
	}
	// A text that was cut amid a secret.
	for n := 4; n < len(basic); n++ {
		got := r.Redact("Authorization=" + basic[:n] + "… and more")
		require.Equal(t, "Authorization=[redacted]… and more", got)
	}
	require.Equal(t, "Negotiate [redacted]", r.Redact("Negotiate YIIZ1234abcd5678=="))
	require.Equal(t, "nothing secret: PLANT\\svc_pi…", r.Redact("nothing secret: PLANT\\svc_pi…"))
}

// Data is what PI holds, unless it holds a secret that is long enough to be one.
func TestSecretsInData(t *testing.T) {
	r := redactorOf(t, manifest.Site{Auth: manifest.Auth{Kind: "bearer", TokenEnv: "T"}}, map[string]string{"T": "eyJhbGciOi.J9.x"})
	for _, text := range []string{"", "Basic temperature control", "Bearer pressure, negotiate setpoints", "eyJhbGciOi", "Shutdown"} {
		require.Equal(t, text, r.RedactData(text))
	}
	require.Equal(t, "it is [redacted]!", r.RedactData("it is eyJhbGciOi.J9.x!"))
	require.Equal(t, "sent: Negotiate [redacted]", r.RedactData("sent: Negotiate "+strings.Repeat("YIIZ", 40)))

	short := redactorOf(t, manifest.Site{Auth: manifest.Auth{Kind: "basic", Username: "u", PasswordEnv: "PW"}},
		map[string]string{"PW": "Auto"})
	require.Equal(t, "Automatic", short.RedactData("Automatic"), "a password that is a word does not change data")
	require.Equal(t, "the password is [redacted]", short.Redact("the password is Auto"))
}
