package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// tlsConfig trusts the system's certificate authorities and the site's own. The
// server's certificate is always verified: there is no switch for less.
func tlsConfig(site manifest.Site, files Files, getenv func(string) (string, bool)) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	pem, where, err := authority(site, files, getenv)
	if err != nil || pem == nil {
		return config, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // a machine without any: the site's own will do
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, siteError(site, "tls", fmt.Sprintf("%s holds no certificate in PEM form", where),
			"give the certificate of the authority that signed the server's, from -----BEGIN CERTIFICATE----- on")
	}
	config.RootCAs = pool
	return config, nil
}

// authority returns the site's own certificate authority and its origin; nil if it has none.
func authority(site manifest.Site, files Files, getenv func(string) (string, bool)) (pem []byte, where string, err error) {
	t := site.TLS
	if t.CAEnv != "" {
		if v, ok := getenv(t.CAEnv); ok && v != "" {
			return []byte(v), "the environment variable " + t.CAEnv, nil
		}
		if t.CAFile == "" {
			return nil, "", siteError(site, "tls", fmt.Sprintf("the environment variable %s, which holds the certificate authority, is not set",
				t.CAEnv),
				fmt.Sprintf("set %s to the PEM text; on Databricks it comes from the secret that sites[].tls.ca_secret names", t.CAEnv))
		}
	}
	if t.CAFile == "" {
		return nil, "", nil
	}
	pem, err = files(t.CAFile)
	if err != nil {
		return nil, "", siteError(site, "tls", fmt.Sprintf("the certificate authority cannot be read: %v", err),
			"run bundlegen generate again, which puts the file into the bundle")
	}
	return pem, "the file " + t.CAFile, nil
}

// OfTLS reports whether a request failed at TLS: the certificate, or what speaks at the
// other end.
func OfTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
