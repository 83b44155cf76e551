package auth

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// shortestSecret is the length in bytes from which on a secret is looked for: a
// shorter one is in many a word, and what is left of the text would tell it.
const shortestSecret = 4

// redactor takes a site's secrets out of texts that come from its server: some
// print the headers of a request in their errors.
type redactor struct {
	plain    []string // as they are likely to be found amid data
	replacer *strings.Replacer
}

// credential matches what follows a scheme in an Authorization header, also of a
// kind that changes with each request.
var credential = regexp.MustCompile(`(?i)\b(negotiate|basic|bearer)(\s+|%20)[A-Za-z0-9+/=._~%-]{8,}`)

func newRedactor(site manifest.Site, getenv func(string) (string, bool)) *redactor {
	r := &redactor{}
	var pairs []string
	add := func(secret string) {
		if len(secret) >= shortestSecret {
			pairs = append(pairs, secret, redacted)
		}
	}
	for _, name := range []string{site.Auth.PasswordEnv, site.Auth.TokenEnv, site.Auth.KeytabEnv} {
		if name == "" {
			continue
		}
		value, _ := getenv(name)
		value = strings.TrimRight(value, "\r\n")
		if len(value) < shortestSecret {
			continue
		}
		basic := base64.StdEncoding.EncodeToString([]byte(site.Auth.Username + ":" + value))
		alone := base64.StdEncoding.EncodeToString([]byte(value))
		r.plain = append(r.plain, value, strings.TrimRight(basic, "="))
		// The longest first: a Replacer takes the first that matches.
		for _, form := range []string{basic, strings.TrimRight(basic, "="), alone, strings.TrimRight(alone, "="),
			base64.URLEncoding.EncodeToString([]byte(site.Auth.Username + ":" + value)),
			url.QueryEscape(value), url.PathEscape(value), escaped(value), value} {
			add(form)
		}
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// escaped writes a text as JSON and HTML do within a string.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`, `<`, `&lt;`, `>`, `&gt;`).Replace(s)
}

// Redact returns text without the site's secrets: passwords, tokens and keytabs,
// as they are, in base64 and in URLs, and whatever follows a scheme of
// authentication.
func (t *siteTransport) Redact(text string) string {
	return credential.ReplaceAllString(t.redactor.replacer.Replace(text), "$1 "+redacted)
}

// RedactValue is Redact for an event's text, of which there are millions: it
// returns text as it is unless it holds a secret.
func (t *siteTransport) RedactValue(text string) string {
	for _, secret := range t.redactor.plain {
		if len(text) >= len(secret) && strings.Contains(text, secret) {
			return t.Redact(text)
		}
	}
	return text
}
