package config

import (
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/yamlread"
)

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
