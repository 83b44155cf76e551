package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// secretPlaces are where a person may put a secret by mistake; %s is the text.
var secretPlaces = []string{
	"sites: [{name: a, url: 'https://a.example', auth: {kind: basic, username: u, password: %s}}]",
	"sites: [{name: a, url: 'https://a.example', auth: {kind: basic, username: u, password: {env: %s}}}]",
	"sites: [{name: a, url: 'https://a.example', auth: {kind: basic, username: u, password: {secret: %s}}}]",
	"sites: [{name: a, url: 'https://a.example', auth: {kind: bearer, token: %s}}]",
	"sites: [{name: a, url: 'https://a.example', auth: %s}]",
	"sites:\n  - name: a\n    url: https://a.example\n    auth:\n      kind: basic\n      username: u\n      password: %s",
	"sites:\n  - name: a\n    url: https://a.example\n    auth:\n      kind: basic\n      username: u:%s\n      password: {env: P}",
	"sites:\n  - name: a\n    url: https://a.example\n    auth:\n      kind: kerberos\n      principal: u@R\n      keytab: %s",
	"sites:\n  - name: a\n    url: https://u:%s@a.example\n    auth: {kind: anonymous}",
	"sites:\n  - name: a\n    url: https://a.example?token=%s\n    auth: {kind: anonymous}",
	"sites:\n  - name: a\n    url: https://a.example\n    proxy: http://u:%s@proxy.example\n    auth: {kind: anonymous}",
	"sites:\n  - name: a\n    url: https://a.example\n    tls: {ca_secret: %s}\n    auth: {kind: anonymous}",
	"targets:\n  dev:\n    host: https://token:%s@example.cloud.databricks.com",
	"monitoring:\n  webhooks:\n    - https://hooks.example/%s",
}

// TestNoErrorShowsASecret puts secrets of all kinds of characters, quoted and
// not, where they do not belong.
func TestNoErrorShowsASecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		around := rapid.StringOfN(rapid.RuneFrom([]rune(" !\"#$%&'()*+,-./:;<=>?@[\\^_`{|~\t5")), 0, 4, -1)
		text := around.Draw(t, "before") + literal + around.Draw(t, "after")
		switch rapid.SampledFrom([]string{"plain", "single", "double"}).Draw(t, "quotes") {
		case "single":
			text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
		case "double":
			text = fmt.Sprintf("%q", text)
		}
		place := rapid.SampledFrom(secretPlaces).Draw(t, "place")
		_, err := read([]byte("version: 1\n"+fmt.Sprintf(place, text)+"\n"), "pipeline.yml")
		if err != nil && strings.Contains(err.Error(), literal) {
			t.Fatalf("shows the secret: %v", err)
		}
	})
}

func TestCheckEnv(t *testing.T) {
	for _, name := range []string{"PI_A_PASSWORD", "TOKEN_B", "PI_C_CA", "PI_E_KEYTAB"} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}
	p, err := read([]byte(`
version: 1
name: demo
catalog: main
sites:
  - {name: a, url: "https://a.example", auth: {kind: basic, username: u, password: {secret: pi/a}}}
  - {name: b, url: "https://b.example", auth: {kind: bearer, token: {env: TOKEN_B}}}
  - {name: c, url: "https://c.example", auth: {kind: anonymous}, tls: {ca_secret: {secret: pi/ca}}}
  - {name: d, url: "https://d.example", auth: {kind: anonymous}, tls: {ca_file: ca.pem, ca_secret: {secret: pi/ca2}}}
  - {name: e, url: "https://e.example", auth: {kind: kerberos, principal: svc@E.EXAMPLE, keytab: {secret: pi/e}}}
`), "pipeline.yml")
	require.NoError(t, err)
	require.EqualError(t, CheckEnv(p), `pipeline.yml: site a, auth.password: environment variable PI_A_PASSWORD is not set
hint: set it to the secret for this shell: read -rs PI_A_PASSWORD && export PI_A_PASSWORD
pipeline.yml: site b, auth.token: environment variable TOKEN_B is not set
hint: set it to the secret for this shell: read -rs TOKEN_B && export TOKEN_B
pipeline.yml: site c, tls.ca_secret: environment variable PI_C_CA is not set
hint: set it to the secret for this shell: read -rs PI_C_CA && export PI_C_CA
pipeline.yml: site e, auth.keytab: environment variable PI_E_KEYTAB is not set
hint: set it to the secret for this shell: export PI_E_KEYTAB=$(base64 -w0 FILE.keytab)`)

	t.Setenv("PI_A_PASSWORD", "x")
	t.Setenv("TOKEN_B", "") // empty is as good as unset
	t.Setenv("PI_C_CA", "x")
	t.Setenv("PI_E_KEYTAB", "x")
	require.EqualError(t, CheckEnv(p), `pipeline.yml: site b, auth.token: environment variable TOKEN_B is not set
hint: set it to the secret for this shell: read -rs TOKEN_B && export TOKEN_B`)
	t.Setenv("TOKEN_B", "x")
	require.NoError(t, CheckEnv(p))
}
