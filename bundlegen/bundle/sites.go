package bundle

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/krb5conf"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// secretsFile tells the launcher, on compute without environment variables,
// which secret is which variable's value. Only a serverless bundle has it.
const secretsFile = "secrets.json"

// siteFiles renders sites.json and what it refers to.
func siteFiles(cfg *config.Pipeline) (files []File, notes []string, err error) {
	sites := manifest.Sites{Elsewhere: cfg.Elsewhere}
	for _, s := range cfg.Sites {
		m, own, said, err := Site(cfg, s)
		if err != nil {
			return nil, nil, err
		}
		files, notes = append(files, own...), append(notes, said...)
		sites.Sites = append(sites.Sites, m)
	}
	var data bytes.Buffer
	if err := manifest.WriteSites(&data, sites); err != nil {
		return nil, nil, err
	}
	files = append(files, File{Path: manifest.SitesFile, Data: data.Bytes()})

	if cfg.Compute.Serverless {
		f, err := serverlessSecrets(cfg)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	return files, notes, nil
}

// Site returns a site as the tasks read it, with the files that it refers to by
// their paths in the bundle: its certificates and its Kerberos configuration,
// which are public. Both are made anew from what was read of the files that
// pipeline.yml names, so that nothing else of these gets into a bundle. Notes
// tell what is left out of them though it was asked for.
func Site(cfg *config.Pipeline, s config.Site) (m manifest.Site, files []File, notes []string, err error) {
	m = siteOf(s)
	if s.TLS.CAFile != "" {
		m.TLS.CAFile = path.Join("certs", s.Name+".pem")
		data, err := authority(cfg.Path(s.TLS.CAFile))
		if err != nil {
			return m, nil, nil, referred(cfg, s.Name, "tls.ca_file", s.TLS.CAFile, err)
		}
		files = append(files, File{Path: m.TLS.CAFile, Data: data})
	}
	if s.Auth.Krb5Conf != "" {
		m.Auth.Krb5Conf = path.Join("kerberos", s.Name+".conf")
		c, err := krb5conf.Load(cfg.Path(s.Auth.Krb5Conf))
		if err != nil {
			return m, nil, nil, referred(cfg, s.Name, "auth.krb5_conf", s.Auth.Krb5Conf, err)
		}
		files = append(files, File{Path: m.Auth.Krb5Conf, Data: c.Encode()})
		for _, note := range c.Notes {
			notes = append(notes, fmt.Sprintf("auth.krb5_conf of site %s: %s", s.Name, note))
		}
	}
	return m, files, notes, nil
}

// siteOf returns a site as the tasks read it, but for the files that it refers to.
func siteOf(s config.Site) manifest.Site {
	m := manifest.Site{
		Name:       s.Name,
		URL:        s.URL,
		DataServer: s.DataServer,
		Auth: manifest.Auth{
			Kind:      s.Auth.Kind,
			Username:  s.Auth.Username,
			Principal: s.Auth.Principal,
			SPN:       s.Auth.SPN,
		},
		Proxy: s.Proxy,
		Limits: manifest.Limits{
			RequestsPerSecond: s.Limits.RequestsPerSecond,
			Connections:       s.Limits.Connections,
			ItemsPerCall:      s.Limits.ItemsPerCall,
			Points:            s.Limits.Points,
		},
		Retry: manifest.Retry{
			Attempts:       s.Retry.Attempts,
			BackoffSeconds: s.Retry.Backoff.Seconds(),
			TimeoutSeconds: s.Retry.Timeout.Seconds(),
		},
		Points:   s.Points,
		AdoptNew: s.AdoptNew,
	}
	for _, secret := range s.Secrets() {
		switch secret.Key {
		case "auth.password":
			m.Auth.PasswordEnv = secret.Secret.Env
		case "auth.token":
			m.Auth.TokenEnv = secret.Secret.Env
		case "auth.keytab":
			m.Auth.KeytabEnv = secret.Secret.Env
		case "tls.ca_secret":
			m.TLS.CAEnv = secret.Secret.Env
		}
	}
	return m
}

// serverlessSecrets renders secrets.json: names of variables and of secrets, never a value.
func serverlessSecrets(cfg *config.Pipeline) (File, error) {
	secrets := map[string]string{}
	for _, s := range config.Secrets(cfg.Sites) {
		if s.Secret.Secret != "" {
			secrets[s.Secret.Env] = s.Secret.Secret
		}
	}
	data, err := text.Indented(struct {
		Version int               `json:"version"`
		Secrets map[string]string `json:"secrets"` // environment variable -> scope/key
	}{1, secrets})
	return File{Path: secretsFile, Data: data}, err
}

// maxAuthority is the size of the largest file of certificates that is read, in
// bytes: all authorities of a system together take a quarter of it.
const maxAuthority = 1 << 20

// authority reads a file of certificates in PEM form and returns them alone. A file
// that holds anything else that PEM can hold is refused: it would be readable in
// the bundle, or was named by mistake.
func authority(file string) ([]byte, error) {
	data, err := regular.Read(file, maxAuthority)
	if err != nil {
		return nil, err
	}
	const hint = "give the certificate of the authority that signed the server's, from -----BEGIN CERTIFICATE----- on"
	var out bytes.Buffer
	n := 0
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errPrivateKey
		}
		if block.Type != "CERTIFICATE" {
			return nil, diag.WithHint(fmt.Errorf("holds a %s; allowed: certificates only", text.Line(strings.ToLower(block.Type))), hint)
		}
		n++
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, diag.WithHint(fmt.Errorf("holds a certificate that cannot be read, number %d: %s", n, text.Line(err.Error())),
				"export it again, or leave it out")
		}
		if err := pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}); err != nil {
			return nil, err
		}
	}
	switch {
	case bytes.Contains(data, []byte("PRIVATE KEY-----")): // one that is not whole
		return nil, errPrivateKey
	case n > 0:
		return out.Bytes(), nil
	}
	if _, err := x509.ParseCertificates(data); err == nil && len(data) > 0 {
		return nil, diag.WithHint(errors.New("holds a certificate in DER form; allowed: PEM"),
			"openssl x509 -inform der -in FILE -out FILE.pem")
	}
	return nil, diag.WithHint(errors.New("holds no certificate in PEM form"), hint)
}

var errPrivateKey = diag.WithHint(errors.New("holds a private key, which would be readable in the bundle"),
	"give the authority's certificate alone")

// referred is the error about a file that pipeline.yml names for a site.
func referred(cfg *config.Pipeline, site, key, name string, err error) error {
	place := fmt.Sprintf("%s: %s %q of site %s", cfg.Place(site, key), key, name, site)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return diag.WithHint(fmt.Errorf("%s: %w", place, pathErr.Err), "the path is relative to the folder of pipeline.yml")
	}
	if key == "auth.krb5_conf" { // which says where in the file
		return diag.WithHint(fmt.Errorf("%s: %w", place, err),
			"correct the file, or leave the key out: the realm's KDCs are then looked up in DNS")
	}
	return fmt.Errorf("%s %w", place, err)
}

// sparkEnv refers to the secrets in the way in which a cluster resolves them.
func sparkEnv(secrets []config.SiteSecret) map[string]string {
	env := map[string]string{}
	for _, s := range secrets {
		if s.Secret.Secret != "" {
			env[s.Secret.Env] = "{{secrets/" + s.Secret.Secret + "}}"
		}
	}
	return env
}
