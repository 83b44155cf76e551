package config

import "os"

// needed is a secret that a site uses.
type needed struct {
	Key    string // below the site: auth.password
	Secret Secret
	suffix string // of the variable's name that is made up when the file gives none
}

// secrets lists what the site's tasks read from the environment.
func (s Site) secrets() []needed {
	all := []needed{
		{"auth.password", s.Auth.Password, "PASSWORD"},
		{"auth.token", s.Auth.Token, "TOKEN"},
		{"auth.keytab", s.Auth.Keytab, "KEYTAB"},
		{"tls.ca_secret", s.TLS.CA, "CA"},
	}
	used := all[:0]
	for _, n := range all {
		if n.Secret.Env != "" {
			used = append(used, n)
		}
	}
	return used
}

// setting is what a shell is told to have the secret in its environment.
func (n needed) setting() string {
	if n.Key == "auth.keytab" {
		return "export " + n.Secret.Env + "=$(base64 -w0 FILE.keytab)"
	}
	return "read -rs " + n.Secret.Env + " && export " + n.Secret.Env
}

// CheckEnv tells whether this machine can reach every site: its error, a
// Problems, names each environment variable that is unset or empty, with the
// site and the key that wants it. Commands that read PI from here (discover,
// run --local) call it first; those that only plan do not.
func CheckEnv(p *Pipeline) error {
	ps := &problems{file: p.File}
	for _, s := range p.Sites {
		for _, n := range s.secrets() {
			// The authority in ca_file does when the variable is not set.
			optional := n.Secret == s.TLS.CA && s.TLS.CAFile != ""
			if !optional && os.Getenv(n.Secret.Env) == "" {
				ps.addAt(0, 0, "site "+s.Name+", "+n.Key+": environment variable "+n.Secret.Env+" is not set",
					"set it to the secret for this shell: "+n.setting())
			}
		}
	}
	return ps.err()
}
