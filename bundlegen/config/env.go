package config

import (
	"os"
	"slices"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// SiteSecret is a secret that the tasks of a site need.
type SiteSecret struct {
	Key    string // of pipeline.yml, below the site: auth.password
	Secret Secret // its Env is never ""
	own    string // the variable's name where pipeline.yml gives none
}

// EnvName returns the environment variable that holds a secret of a site where
// pipeline.yml names none: PI_PLANT_A_PASSWORD for the PASSWORD of plant-a. The
// template that `init` writes, the examples and the CI pipelines say the same.
func EnvName(site, what string) string {
	if site == "" {
		return "PI_" + what
	}
	return "PI_" + sameKey(site) + "_" + what
}

// Secrets returns what the site's tasks read from the environment, in a fixed order.
func (s Site) Secrets() []SiteSecret {
	var used []SiteSecret
	add := func(key string, secret Secret, what string) {
		if secret == (Secret{}) {
			return
		}
		own := EnvName(s.Name, what)
		if secret.Env == "" {
			secret.Env = own
		}
		used = append(used, SiteSecret{key, secret, own})
	}
	add("auth.password", s.Auth.Password, "PASSWORD")
	add("auth.token", s.Auth.Token, "TOKEN")
	add("auth.keytab", s.Auth.Keytab, "KEYTAB")
	add("tls.ca_secret", s.TLS.CA, "CA")
	return used
}

// setting is what a shell is told to have the secret in its environment.
func (n SiteSecret) setting() string {
	if n.Key == "auth.keytab" {
		return "export " + n.Secret.Env + "=$(base64 -w0 FILE.keytab)"
	}
	return "read -rs " + n.Secret.Env + " && export " + n.Secret.Env
}

// CheckEnv tells whether this machine can reach every site: its error, a
// *diag.List, names each environment variable that is unset or empty, with the
// site and the key that wants it. Commands that read PI from here (discover,
// run --local) call it first; those that only plan do not.
func CheckEnv(p *Pipeline) error {
	var unset []diag.Problem
	for _, s := range p.Sites {
		for _, n := range s.Secrets() {
			// The authority in ca_file does when the variable is not set.
			optional := n.Secret == s.TLS.CA && s.TLS.CAFile != ""
			if !optional && os.Getenv(n.Secret.Env) == "" {
				unset = append(unset, diag.Problem{File: p.File, Text: "site " + s.Name + ", " + n.Key + ": environment variable " + n.Secret.Env + " is not set",
					Hint: "set it to the secret for this shell: " + n.setting()})
			}
		}
	}
	if len(unset) == 0 {
		return nil
	}
	return &diag.List{Problems: slices.Compact(unset)}
}
