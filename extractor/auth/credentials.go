package auth

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// credentials adds the user's credentials to a request; nil adds nothing.
type credentials func(*http.Request)

func newCredentials(site manifest.Site, getenv func(string) (string, bool)) (credentials, error) {
	switch site.Auth.Kind {
	case "anonymous", "kerberos": // which has a RoundTripper of its own
		return nil, nil
	case "basic":
		password, err := secret(site, "password", site.Auth.PasswordEnv, getenv)
		if err != nil {
			return nil, err
		}
		return func(r *http.Request) { r.SetBasicAuth(site.Auth.Username, password) }, nil
	case "bearer":
		token, err := secret(site, "token", site.Auth.TokenEnv, getenv)
		if err != nil {
			return nil, err
		}
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }, nil
	default:
		return nil, siteError(site, "auth", fmt.Sprintf("the kind %q is unknown; allowed: basic, bearer, kerberos, anonymous", site.Auth.Kind),
			"correct sites[].auth.kind in pipeline.yml")
	}
}

// secret reads an environment variable that holds one line.
func secret(site manifest.Site, what, name string, getenv func(string) (string, bool)) (string, error) {
	value, err := required(site, what, name, getenv)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return "", siteError(site, "auth", fmt.Sprintf("the environment variable %s, which holds the %s, has more than one line", name, what),
			"store the value alone, without a header or a comment")
	}
	return value, nil
}

// required reads an environment variable. Trailing line ends, which files and secret
// stores like to add, are not part of the value.
func required(site manifest.Site, what, name string, getenv func(string) (string, bool)) (string, error) {
	if name == "" {
		return "", siteError(site, "auth", "no environment variable is named for the "+what,
			fmt.Sprintf("write sites[].auth.%s: {env: NAME} in pipeline.yml", what))
	}
	value, ok := getenv(name)
	value = strings.TrimRight(value, "\r\n")
	if !ok || value == "" {
		return "", siteError(site, "auth", fmt.Sprintf("the environment variable %s, which holds the %s, is not set", name, what),
			fmt.Sprintf("set %s; on Databricks it comes from the secret that sites[].auth.%s names", name, what))
	}
	return value, nil
}
