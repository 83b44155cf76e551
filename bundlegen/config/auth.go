package config

import (
	"os"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// Auth is how a site is authenticated to.
type Auth struct {
	Kind      string // basic, bearer, kerberos, anonymous
	Username  string
	Password  Secret
	Token     Secret
	Principal string // kerberos
	Keytab    Secret
	Krb5Conf  string `key:",base"`
	SPN       string
}

// Secret is where a secret is found, never the secret.
type Secret struct {
	// Env is the environment variable that holds it, on this machine and on the cluster;
	// made of the site's name if the file gives the scope/key alone.
	Env    string
	Secret string // scope/key on Databricks; "" if the file names none
}

// authKeys are the keys of each kind of authentication.
var authKeys = map[string]struct{ needs, takes []string }{
	"basic":     {needs: []string{"username", "password"}},
	"bearer":    {needs: []string{"token"}},
	"kerberos":  {needs: []string{"principal"}, takes: []string{"keytab", "password", "krb5_conf", "spn"}},
	"anonymous": {},
}

func readAuth(site *yamlread.Mapping, name string) Auth {
	o := site.Mapping("auth")
	if !site.Has("auth") {
		site.Missing("auth", "write how to log in, or auth: {kind: anonymous}")
		return Auth{}
	}
	if o.Node == nil {
		return Auth{}
	}
	o.Hidden = false // the kind is no secret, and worth showing
	if o.Take("kind") == nil {
		o.Missing("kind", "allowed: basic, bearer, kerberos, anonymous")
	}
	kind := o.OneOf("kind", "", "basic", "bearer", "kerberos", "anonymous")
	o.Hidden = true
	a := Auth{
		Kind:      kind,
		Username:  o.Text("username", "", usernameRule),
		Password:  readSecret(o, "password", name, "PASSWORD"),
		Token:     readSecret(o, "token", name, "TOKEN"),
		Principal: o.Text("principal", "", principalRule),
		Keytab:    readSecret(o, "keytab", name, "KEYTAB"),
		Krb5Conf:  o.Text("krb5_conf", "", pathRule),
		SPN:       o.Text("spn", "", spnRule),
	}
	o.Done()
	if kind != "" {
		checkKind(o, kind)
	}
	return a
}

// checkKind notes keys that the kind needs and does not find, and keys that it
// has no use for: someone who writes them believes that they do something.
func checkKind(o *yamlread.Mapping, kind string) {
	keys := authKeys[kind]
	all := slices.Concat([]string{"kind"}, keys.needs, keys.takes)
	for _, key := range keys.needs {
		if o.Node.Get(key) == nil {
			o.Missing(key, "kind "+kind+" needs "+strings.Join(keys.needs, " and "))
		}
	}
	if kind == "kerberos" {
		switch {
		case o.Has("keytab") && o.Has("password"):
			o.Forbid("password", "and keytab cannot be combined", "keep one of the two")
		case !o.Has("keytab") && !o.Has("password"):
			o.Missing("keytab", "kind kerberos needs keytab or password")
		}
	}
	for _, key := range o.Known() {
		if !slices.Contains(all, key) {
			o.Forbid(key, "is of no use to kind "+kind+"; allowed: "+strings.Join(all, ", "), "leave it out, or take another kind")
		}
	}
}

// readSecret reads where a secret is found. With a scope/key alone, EnvName
// gives the variable. Whatever stands there instead may be the secret itself, so
// it is never shown.
func readSecret(parent *yamlread.Mapping, key, site, what string) Secret {
	n := parent.Take(key)
	if n == nil {
		return Secret{}
	}
	env := EnvName(site, what)
	path := yamlread.Join(parent.Path, key)
	example := key + ": {env: " + env + ", secret: scope/key}"
	if n.Kind != yamlread.Map {
		parent.Add(n, path+" is not a mapping; a secret is the name of an environment variable and a scope/key, never a value",
			"write "+example+"; if a secret stands in the file now, change the secret")
		return Secret{}
	}
	o := parent.Child(n, path, true)
	s := Secret{Env: o.Text("env", "", envRule), Secret: o.Text("secret", "", scopeKeyRule)}
	o.Done()
	if !o.Has("env") && !o.Has("secret") {
		o.Add(n, path+" names neither env nor secret", "write "+example)
	}
	if s.Env == "" && s.Secret != "" {
		s.Env = env
	}
	return s
}

// SiteSecret is a secret that the tasks of a site need.
type SiteSecret struct {
	Site   string
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
		used = append(used, SiteSecret{s.Name, key, secret, own})
	}
	add("auth.password", s.Auth.Password, "PASSWORD")
	add("auth.token", s.Auth.Token, "TOKEN")
	add("auth.keytab", s.Auth.Keytab, "KEYTAB")
	add("tls.ca_secret", s.TLS.CA, "CA")
	return used
}

// Secrets returns what the tasks of all sites read from the environment, each
// variable once. Load has made sure that none stands for two secrets.
func Secrets(sites []Site) []SiteSecret {
	var all []SiteSecret
	seen := map[string]bool{}
	for _, site := range sites {
		for _, s := range site.Secrets() {
			if !seen[s.Secret.Env] {
				seen[s.Secret.Env] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// setting is what a shell is told to have the secret in its environment.
func (n SiteSecret) setting() string {
	if n.Key == "auth.keytab" {
		return "export " + n.Secret.Env + "=$(base64 -w0 FILE.keytab)"
	}
	return "read -rs " + n.Secret.Env + " && export " + n.Secret.Env
}

// CheckEnv reports whether this machine can reach every site: its error, a
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
				unset = append(
					unset,
					diag.Problem{File: p.File, Text: "site " + s.Name + ", " + n.Key + ": environment variable " + n.Secret.Env + " is not set",
						Hint: "set it to the secret for this shell: " + n.setting()},
				)
			}
		}
	}
	if len(unset) == 0 {
		return nil
	}
	return &diag.List{Problems: slices.Compact(unset)}
}
