package bundle

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// secretsFile tells the launcher, on compute without environment variables,
// which secret is which variable's value. Only a serverless bundle has it.
const secretsFile = "secrets.json"

// siteFiles renders sites.json and what it refers to: the sites' certificates
// and Kerberos configurations, which are public.
func siteFiles(cfg *config.Pipeline) ([]File, error) {
	sites := manifest.Sites{Elsewhere: cfg.Elsewhere}
	var files []File
	for _, s := range cfg.Sites {
		m := SiteOf(s)
		if s.TLS.CAFile != "" {
			m.TLS.CAFile = path.Join("certs", s.Name+".pem")
			data, err := readReferred(cfg, s.Name, "tls.ca_file", s.TLS.CAFile)
			if err != nil {
				return nil, err
			}
			if err := checkAuthority(data); err != nil {
				return nil, fmt.Errorf("%s: tls.ca_file %q of site %s %w", cfg.File, s.TLS.CAFile, s.Name, err)
			}
			files = append(files, File{Path: m.TLS.CAFile, Data: data})
		}
		if s.Auth.Krb5Conf != "" {
			m.Auth.Krb5Conf = path.Join("kerberos", s.Name+".conf")
			data, err := readReferred(cfg, s.Name, "auth.krb5_conf", s.Auth.Krb5Conf)
			if err != nil {
				return nil, err
			}
			files = append(files, File{Path: m.Auth.Krb5Conf, Data: data})
		}
		sites.Sites = append(sites.Sites, m)
	}
	var data bytes.Buffer
	if err := manifest.WriteSites(&data, sites); err != nil {
		return nil, err
	}
	files = append(files, File{Path: manifest.SitesFile, Data: data.Bytes()})

	if cfg.Compute.Serverless {
		f, err := serverlessSecrets(cfg)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// SiteOf gives a site as the tasks read it, but for the files that it refers to
// (a certificate, a Kerberos configuration): Render puts these into the bundle.
func SiteOf(s config.Site) manifest.Site {
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
	}
	for _, secret := range secretsOf(s) {
		switch secret.Key {
		case "auth.password":
			m.Auth.PasswordEnv = secret.Env
		case "auth.token":
			m.Auth.TokenEnv = secret.Env
		case "auth.keytab":
			m.Auth.KeytabEnv = secret.Env
		case "tls.ca_secret":
			m.TLS.CAEnv = secret.Env
		}
	}
	return m
}

// serverlessSecrets renders secrets.json: names of variables and of secrets, never a value.
func serverlessSecrets(cfg *config.Pipeline) (File, error) {
	all, err := secretsOfAll(cfg.Sites)
	if err != nil {
		return File{}, err
	}
	secrets := map[string]string{}
	for _, s := range all {
		if s.Secret != "" {
			secrets[s.Env] = s.Secret
		}
	}
	data, err := jsonFile(struct {
		Version int               `json:"version"`
		Secrets map[string]string `json:"secrets"` // environment variable -> scope/key
	}{1, secrets})
	return File{Path: secretsFile, Data: data}, err
}

// checkAuthority refuses what is no certificate, and what must not be in a bundle.
func checkAuthority(data []byte) error {
	switch {
	case bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return errors.New("holds a private key, which would be readable in the bundle\nhint: give the authority's certificate alone")
	case !x509.NewCertPool().AppendCertsFromPEM(data):
		return errors.New("holds no certificate in PEM form\nhint: give the certificate of the authority that signed the server's, from -----BEGIN CERTIFICATE----- on")
	}
	return nil
}

// readReferred reads a file that pipeline.yml names for a site.
func readReferred(cfg *config.Pipeline, site, key, name string) ([]byte, error) {
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(cfg.Dir, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("%s: %s %q of site %s: %w\nhint: the path is relative to the folder of pipeline.yml",
			cfg.File, key, name, site, err)
	}
	return data, nil
}

// jsonFile gives v as a JSON file that people can read.
func jsonFile(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
