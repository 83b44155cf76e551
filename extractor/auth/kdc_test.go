package auth_test

import (
	"encoding/base64"
	"testing"

	"github.com/bundlegen/bundlegen/extractor/auth/authtest"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	realm  = authtest.Realm
	office = authtest.Office
	svc    = authtest.User
	spn    = authtest.SPN
)

// siteOf returns a site behind Kerberos and the environment that it needs, for svc's own keytab.
func siteOf(t *testing.T, k *authtest.KDC, url string) (manifest.Site, environment) {
	t.Helper()
	return manifest.Site{Name: "plant-a", URL: url, Limits: manifest.Limits{Connections: 64},
			Auth: manifest.Auth{Kind: "kerberos", Principal: svc, KeytabEnv: "KEYTAB", Krb5Conf: "krb5.conf", SPN: spn}},
		environment{"KEYTAB": base64.StdEncoding.EncodeToString(k.Keytab(t, svc))}
}
