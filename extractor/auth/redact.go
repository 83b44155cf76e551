package auth

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// redacted replaces a secret.
const redacted = "[redacted]"

const (
	// minSecret is the length in bytes from which on a secret is removed from a
	// message: a shorter one is part of many words, and the gaps would reveal it.
	minSecret = 4
	// minInData is the same for names and values, which must not be changed for a
	// word that happens to be a password.
	minInData = 6
	// minPart is the length from which on a part of a secret is removed at the end of
	// a text that was cut.
	minPart = 3
)

// redactor removes a site's secrets from texts of its server: some servers print the
// headers of a request in their errors. It is immutable.
type redactor struct {
	plain    []string // as they are likely to occur in data
	forms    []string // all forms, the longest first
	replacer *strings.Replacer
}

// credential matches what follows a scheme in an Authorization header, also of a
// kind that changes with each request. Amid data only what is no word is one.
var (
	credential   = regexp.MustCompile(`(?i)\b(negotiate|ntlm|basic|bearer)((?:\s|%20|\+)+)[A-Za-z0-9+/=._~%-]{8,}`)
	ticketInData = regexp.MustCompile(`(?i)\b(negotiate|ntlm|basic|bearer)( +)[A-Za-z0-9+/=._~-]{60,}`)
)

// secretValue is a secret and the user that it belongs to.
type secretValue struct{ user, value string }

func secretsOf(site manifest.Site, getenv func(string) (string, bool)) []secretValue {
	var all []secretValue
	for _, name := range []string{site.Auth.PasswordEnv, site.Auth.TokenEnv, site.Auth.KeytabEnv} {
		if name == "" {
			continue
		}
		value, _ := getenv(name)
		all = append(all, secretValue{site.Auth.Username, strings.TrimRight(value, "\r\n")})
	}
	// A proxy may print what it was sent, too.
	proxies := []string{site.Proxy}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		value, _ := getenv(name)
		proxies = append(proxies, value)
	}
	for _, proxy := range proxies {
		if u, err := url.Parse(proxy); err == nil && u.User != nil {
			password, _ := u.User.Password()
			all = append(all, secretValue{u.User.Username(), password})
		}
	}
	return all
}

func newRedactor(site manifest.Site, getenv func(string) (string, bool)) *redactor {
	r := &redactor{}
	for _, s := range secretsOf(site, getenv) {
		if len(s.value) < minSecret {
			continue
		}
		pair := s.user + ":" + s.value
		if len(s.value) >= minInData {
			r.plain = append(r.plain, s.value, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(pair)), "="))
		}
		for _, form := range forms(pair, s.value) {
			if len(form) >= minSecret && !slices.Contains(r.forms, form) {
				r.forms = append(r.forms, form)
			}
		}
	}
	// The longest first: a Replacer takes the first that matches.
	slices.SortFunc(r.forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(r.forms))
	for _, form := range r.forms {
		pairs = append(pairs, form, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// forms returns the forms in which servers print a secret, or user and password.
func forms(pair, value string) []string {
	all := []string{value}
	for _, s := range []string{pair, value} {
		for _, code := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			all = append(all, code.EncodeToString([]byte(s)))
		}
	}
	for _, s := range slices.Clone(all) {
		quoted, _ := json.Marshal(s) // of a string: it does not fail
		all = append(all, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), string(quoted[1:len(quoted)-1]),
			strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
	}
	return all
}

// redact is for messages.
func (r *redactor) redact(text string) string {
	text = r.replacer.Replace(text)
	text = credential.ReplaceAllString(text, "${1}${2}"+redacted)
	// What is left of a secret where a text was cut.
	const cut = "…"
	for from := 0; ; {
		at := strings.Index(text[from:], cut)
		if at < 0 {
			return text
		}
		at += from
		if n := r.part(text[:at]); n > 0 {
			text = text[:at-n] + redacted + text[at:]
			at += len(redacted) - n
		}
		from = at + len(cut)
	}
}

// part is how many of the last bytes of a text are the beginning of a secret.
func (r *redactor) part(text string) (longest int) {
	for _, form := range r.forms {
		for n := min(len(form), len(text)); n >= minPart && n > longest; n-- {
			if strings.HasSuffix(text, form[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// Redact returns a message without the site's secrets: passwords, tokens and keytabs,
// plain, in base64, in URLs, HTML and JSON, and anything after the name of an
// authentication scheme.
func (t *siteTransport) Redact(text string) string { return t.redactor.redact(text) }

// RedactData is Redact for data: names, descriptions, and the texts of events, of which
// there are millions. It returns text unchanged unless it has a secret of proper
// length, or the value of an Authorization header.
func (t *siteTransport) RedactData(text string) string {
	if len(text) < minInData {
		return text
	}
	for _, secret := range t.redactor.plain {
		if len(text) >= len(secret) && strings.Contains(text, secret) {
			return t.redactor.redact(text)
		}
	}
	if len(text) > 60 && ticketInData.MatchString(text) {
		return t.redactor.redact(text)
	}
	return text
}
