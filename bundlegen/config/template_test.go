package config

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

func TestTemplateLoads(t *testing.T) {
	for _, server := range []string{"https://pi.example", "https://pi.example/piwebapi", "https://pi.example/piwebapi/"} {
		p, err := read(Template(server), "p.yml")
		require.NoError(t, err)
		require.Equal(t, "https://pi.example/piwebapi", p.Sites[0].URL)
	}
	for server, want := range map[string]string{
		"http://127.0.0.1:8443": "http://127.0.0.1:8443/piwebapi",
		"http://[::1]:8443":     "http://[::1]:8443/piwebapi",
	} {
		p, err := read(Template(server), "p.yml")
		require.NoError(t, err)
		require.Equal(t, want, p.Sites[0].URL)
	}
}

// TestTemplateNamesSecretsByTheRule: what the template says, and what it shows as
// another way to log in, is what EnvName gives.
func TestTemplateNamesSecretsByTheRule(t *testing.T) {
	text := string(Template("https://pi.example"))
	p, err := read([]byte(text), "p.yml")
	require.NoError(t, err)
	site := p.Sites[0].Name
	require.Equal(t, EnvName(site, "PASSWORD"), p.Sites[0].Auth.Password.Env)
	require.ElementsMatch(t, []string{EnvName(site, "TOKEN"), EnvName(site, "KEYTAB"), EnvName(site, "PASSWORD"), EnvName(site, "CA")},
		regexp.MustCompile(`\bPI_[A-Z_]+\b`).FindAllString(text, -1))
}

// commented matches a key that is commented out, as opposed to prose.
var commented = regexp.MustCompile(`(?m)^( *)# ([a-z_]+): (.*)$`)

// TestTemplateShowsEveryKey: each key that is commented out is known, and those
// that show a default show the one there is.
func TestTemplateShowsEveryKey(t *testing.T) {
	text := string(Template("https://pi.example"))
	plain, err := read([]byte(text), "p.yml")
	require.NoError(t, err)
	examples := map[string]bool{ // keys without a default
		"data_server": true, "tls": true, "proxy": true, "region": true, "partitions": true, "policy_id": true,
		"custom_tags": true, "instance_profile": true, "pool": true, "host": true, "service_principal": true,
		"warehouse": true, "emails": true, "webhooks": true, "prices": true,
		"forecast": true, "calibration": true, "task": true, "points": true, "match": true,
	}
	seen := map[string]bool{}
	for _, m := range commented.FindAllStringSubmatchIndex(text, -1) {
		key := text[m[4]:m[5]]
		seen[key] = true
		p, err := read([]byte(text[:m[3]]+text[m[4]:]), "p.yml")
		require.NoError(t, err, key)
		if tier := &p.Tiers[0]; tier.Sizing != nil {
			require.Equal(t, p.Sizing, *tier.Sizing)
			tier.Sizing = nil
		}
		if key == "catalog" { // of a target: shows the pipeline's, which is what a target has by default
			p.Targets[1].Catalog = ""
		}
		if examples[key] {
			require.NotEqual(t, plain, p, key)
		} else {
			require.Equal(t, plain, p, key)
		}
	}
	for _, key := range templateKeys(t) {
		require.True(t, seen[key] || strings.Contains(text, "\n"+key+":") || regexp.MustCompile(`[ {]`+key+`:`).MatchString(text), "%s is not in the template", key)
	}
}

// templateKeys lists every key that Load knows, as its own errors tell them.
func templateKeys(t *testing.T) []string {
	_, err := read([]byte(shortest+"zzzzz: 1\nsizing: {zzzzz: 1}\nextract: {zzzzz: 1}\ncompute: {zzzzz: 1, pool: {zzzzz: 1}}\n"+
		"targets: {dev: {zzzzz: 1}}\nmonitoring: {zzzzz: 1}\ntiers: [{name: a, every: 5m, zzzzz: 1}]\n"), "p.yml")
	var ps *diag.List
	require.ErrorAs(t, err, &ps)
	_, err = read([]byte("version: 1\nname: a\ncatalog: b\nsites: [{name: a, url: 'https://a', zzzzz: 1, limits: {zzzzz: 1}, retry: {zzzzz: 1}, tls: {zzzzz: 1}, task: {zzzzz: 1}, auth: {kind: anonymous, zzzzz: 1}}]\n"), "p.yml")
	var more *diag.List
	require.ErrorAs(t, err, &more)
	var keys []string
	for _, p := range append(ps.Problems, more.Problems...) {
		require.NotEmpty(t, p.Allowed)
		for key := range strings.SplitSeq(p.Allowed, ", ") {
			switch key {
			case "krb5_conf", "spn": // rarely needed, and told by their own errors
			default:
				keys = append(keys, key)
			}
		}
	}
	require.Len(t, append(ps.Problems, more.Problems...), 14)
	return keys
}

// TestTemplateCannotBeBrokenOutOf: whatever the address, it stays one text, and
// a file with an address that is refused says so.
func TestTemplateCannotBeBrokenOutOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		server := rapid.OneOf(
			rapid.String(),
			rapid.StringOfN(rapid.RuneFrom([]rune("\n\r\t\"'\\:{}[]#&*!|>%@`,-? a\u2028\u0085\x00")), 0, 30, -1),
			rapid.Map(rapid.String(), func(s string) string { return "https://pi.example/" + s }),
			rapid.Map(rapid.String(), func(s string) string { return "https://u:" + literal + "@" + s }),
		).Draw(t, "server")
		text := Template(server)
		if strings.Contains(string(text), literal) {
			t.Fatalf("a password is written into the file: %s", text)
		}
		root, err := yamlread.Parse(text, "p.yml", "")
		if err != nil {
			t.Fatalf("not YAML any more: %v", err)
		}
		sites := root.Get("sites")
		if len(root.Entries) != 9 || len(sites.Items) != 1 || len(sites.Items[0].Entries) != 3 {
			t.Fatalf("keys were added: %s", text)
		}
		want, refused := NormalizeURL(server)
		p, err := read(text, "p.yml")
		switch {
		case refused == nil && (err != nil || p.Sites[0].URL != want):
			t.Fatalf("%q: %v", server, err)
		case refused == nil:
		case err == nil && !strings.ContainsAny(server, "@?#"):
			t.Fatalf("%q was refused, but the file loads", server)
		}
	})
}
