package config

import (
	"slices"
	"strings"
)

// authKeys are the keys of each kind of authentication.
var authKeys = map[string]struct{ needs, takes []string }{
	"basic":     {needs: []string{"username", "password"}},
	"bearer":    {needs: []string{"token"}},
	"kerberos":  {needs: []string{"principal"}, takes: []string{"keytab", "password", "krb5_conf", "spn"}},
	"anonymous": {},
}

func readAuth(site *object, name string) Auth {
	o := site.object("auth")
	if !site.has("auth") {
		site.missing("auth", "write how to log in, or auth: {kind: anonymous}")
		return Auth{}
	}
	if o.node == nil {
		return Auth{}
	}
	o.hidden = false // the kind is no secret, and worth showing
	if o.take("kind") == nil {
		o.missing("kind", "allowed: basic, bearer, kerberos, anonymous")
	}
	kind := o.oneOf("kind", "", "basic", "bearer", "kerberos", "anonymous")
	o.hidden = true
	a := Auth{
		Kind:      kind,
		Username:  o.text("username", "", usernameRule),
		Password:  readSecret(o, "password", name, "PASSWORD"),
		Token:     readSecret(o, "token", name, "TOKEN"),
		Principal: o.text("principal", "", principalRule),
		Keytab:    readSecret(o, "keytab", name, "KEYTAB"),
		Krb5Conf:  o.text("krb5_conf", "", pathRule),
		SPN:       o.text("spn", "", spnRule),
	}
	o.done()
	if kind != "" {
		checkKind(o, kind)
	}
	return a
}

// checkKind notes keys that the kind needs and does not find, and keys that it
// has no use for: someone who writes them believes that they do something.
func checkKind(o *object, kind string) {
	keys := authKeys[kind]
	all := slices.Concat([]string{"kind"}, keys.needs, keys.takes)
	for _, key := range keys.needs {
		if o.node.Get(key) == nil {
			o.missing(key, "kind "+kind+" needs "+strings.Join(keys.needs, " and "))
		}
	}
	if kind == "kerberos" {
		switch {
		case o.has("keytab") && o.has("password"):
			o.refuse("password", "and keytab cannot be combined", "keep one of the two")
		case !o.has("keytab") && !o.has("password"):
			o.missing("keytab", "kind kerberos needs keytab or password")
		}
	}
	for _, key := range o.known {
		if !slices.Contains(all, key) {
			o.refuse(key, "is of no use to kind "+kind+"; allowed: "+strings.Join(all, ", "), "leave it out, or take another kind")
		}
	}
}

// readSecret reads where a secret is found. With a scope/key alone, EnvName
// gives the variable. Whatever stands there instead may be the secret itself, so
// it is never shown.
func readSecret(parent *object, key, site, what string) Secret {
	n := parent.take(key)
	if n == nil {
		return Secret{}
	}
	env := EnvName(site, what)
	path := join(parent.path, key)
	example := key + ": {env: " + env + ", secret: scope/key}"
	if n.Kind != Map {
		parent.add(n, path+" is not a mapping; a secret is the name of an environment variable and a scope/key, never a value",
			"write "+example+"; if a secret stands in the file now, change the secret")
		return Secret{}
	}
	o := &object{problems: parent.problems, node: n, path: path, hidden: true}
	s := Secret{Env: o.text("env", "", envRule), Secret: o.text("secret", "", scopeKeyRule)}
	o.done()
	if !o.has("env") && !o.has("secret") {
		o.add(n, path+" names neither env nor secret", "write "+example)
	}
	if s.Env == "" && s.Secret != "" {
		s.Env = env
	}
	return s
}
