package bundle

import (
	"fmt"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// secretEnv is an environment variable that the tasks of a site read a secret
// from, and where Databricks finds its value. It never holds the value.
type secretEnv struct {
	Env    string
	Secret string // scope/key; "" when pipeline.yml names none
	Site   string
	Key    string // of pipeline.yml, below the site: auth.password
}

// secretsOf lists the secrets that a site needs, in a fixed order.
func secretsOf(s config.Site) []secretEnv {
	var all []secretEnv
	for _, n := range s.Secrets() {
		all = append(all, secretEnv{Env: n.Secret.Env, Secret: n.Secret.Secret, Site: s.Name, Key: n.Key})
	}
	return all
}

// secretsOfAll lists the secrets of all sites, each variable once. One variable
// that stands for two secrets is an error: the orchestrator holds them all.
func secretsOfAll(sites []config.Site) ([]secretEnv, error) {
	var all []secretEnv
	first := map[string]secretEnv{}
	for _, site := range sites {
		for _, s := range secretsOf(site) {
			f, seen := first[s.Env]
			if !seen {
				first[s.Env] = s
				all = append(all, s)
				continue
			}
			if f.Secret != s.Secret {
				return nil, diag.WithHint(fmt.Errorf("environment variable %s stands for two secrets: %q for %s of site %s, %q for %s of site %s",
					s.Env, f.Secret, f.Key, f.Site, s.Secret, s.Key, s.Site),
					"give each secret an env of its own in pipeline.yml")
			}
		}
	}
	return all, nil
}

// sparkEnv refers to the secrets in the way in which a cluster resolves them.
func sparkEnv(secrets []secretEnv) map[string]string {
	env := map[string]string{}
	for _, s := range secrets {
		if s.Secret != "" {
			env[s.Env] = "{{secrets/" + s.Secret + "}}"
		}
	}
	return env
}
