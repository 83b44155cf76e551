package sitecheck_test

import (
	"encoding/base64"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/extractor/auth/authtest"
	"github.com/bundlegen/bundlegen/extractor/simulator"
)

const (
	byKeytab   = "{kind: kerberos, principal: svc_pi@PLANT.EXAMPLE, keytab: {env: PI_KEYTAB}, krb5_conf: krb5.conf, spn: HTTP/localhost}"
	byPassword = "{kind: kerberos, principal: svc_pi@PLANT.EXAMPLE, password: {env: PI_PASSWORD}, krb5_conf: krb5.conf, spn: HTTP/localhost}"
)

// realm is a site behind Kerberos, with the keytab of its user in the environment.
func realm(t *testing.T, k *authtest.KDC) planted {
	t.Helper()
	server := authtest.Guard(t, k.Keytab(t, authtest.SPN), at(t, simulator.Options{}))
	t.Setenv("PI_KEYTAB", base64.StdEncoding.EncodeToString(k.Keytab(t, authtest.User)))
	conf, err := os.ReadFile(k.File("krb5.conf"))
	require.NoError(t, err)
	return planted{url: server.URL + simulator.Root, auth: byKeytab, files: map[string][]byte{"krb5.conf": conf}}
}

// What may be wrong with Kerberos, by a real KDC, and by one that answers as MIT's
// does not on one machine.
func TestPlantedFaultsOfKerberos(t *testing.T) {
	setSecrets(t)
	k := authtest.New(t)
	for _, f := range []fault{
		{"healthy", func(t *testing.T) planted { return realm(t, k) }, "", "", ""},
		{"principal that is unknown", func(t *testing.T) planted {
			p := realm(t, k)
			p.auth = "{kind: kerberos, principal: svc_po@PLANT.EXAMPLE, password: {env: PI_PASSWORD}, krb5_conf: krb5.conf}"
			return p
		}, "kerberos-principal-unknown", doctor.Fail, "sites[].auth.principal"},
		{"wrong password of the domain", func(t *testing.T) planted {
			p := realm(t, k)
			p.auth = byPassword
			return p
		}, "kerberos-wrong-key", doctor.Fail, "present password"},
		{"service name that is not registered", func(t *testing.T) planted {
			p := realm(t, k)
			p.auth = "{kind: kerberos, principal: svc_pi@PLANT.EXAMPLE, keytab: {env: PI_KEYTAB}, krb5_conf: krb5.conf}"
			return p
		}, "kerberos-service-unknown", doctor.Fail, "setspn -S HTTP/127.0.0.1"},
		{"keytab of an old key", func(t *testing.T) planted {
			p := realm(t, k)
			k.Admin(t, "cpw -randkey "+authtest.User)
			return p
		}, "kerberos-wrong-key", doctor.Fail, "ktpass"},
		{"account that is locked", func(t *testing.T) planted {
			p := realm(t, k)
			k.Admin(t, "modprinc -allow_tix "+authtest.User)
			t.Cleanup(func() { k.Admin(t, "modprinc +allow_tix "+authtest.User) })
			return p
		}, "kerberos-account-locked", doctor.Fail, "unlocked"},
		{"KDC that is down", func(t *testing.T) planted {
			p := realm(t, k)
			p.files["krb5.conf"] = []byte(authtest.Krb5Conf(authtest.Realm, authtest.FreePort(t)))
			return p
		}, "kerberos-no-kdc", doctor.Fail, "port 88"},
		{"realm that the KDC does not serve", func(t *testing.T) planted {
			p := realm(t, k)
			p.auth = "{kind: kerberos, principal: svc_pi@OTHER.EXAMPLE, password: {env: PI_PASSWORD}, krb5_conf: krb5.conf}"
			p.files["krb5.conf"] = []byte(authtest.Krb5Conf("OTHER.EXAMPLE", k.Port))
			return p
		}, "kerberos-no-kdc", doctor.Fail, "check the realm"},
		{"key of the service that the server does not have", func(t *testing.T) planted {
			p := realm(t, k)
			k.Admin(t, "cpw -randkey "+authtest.SPN)
			return p
		}, doctor.TicketRefused, doctor.Fail, "setspn -Q HTTP/localhost"},
		{"server that does not offer Kerberos", func(t *testing.T) planted {
			p := realm(t, k)
			denied := `{"Message":"Authorization has been denied for this request."}`
			p.url = served(t, always(401, "application/json", denied, "WWW-Authenticate", "Bearer"), nil)
			return p
		}, doctor.KindNotOffered, doctor.Fail, "add Kerberos to PI Web API's AuthenticationMethods"},
		{"clock that is off", refusing(37), "kerberos-clock-skew", doctor.Fail, "NTP"},
		{"no common kind of key", refusing(14), "kerberos-enctype", doctor.Fail, "AES"},
		{"account that has expired", refusing(1), "kerberos-account-expired", doctor.Fail, "extended"},
		{"password that has expired", refusing(23), "kerberos-password-expired", doctor.Fail, "new one"},
	} {
		t.Run(f.name, func(t *testing.T) {
			found := bad(look(t, f.plant(t)))
			if f.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1, "%+v", found)
			assert.Equal(t, f.want, found[0].Fault, "%+v", found[0])
			assert.Equal(t, f.state, found[0].State)
			assert.Contains(t, found[0].Cure, f.cure)
		})
	}
}

// refusing is a site whose KDC answers by an error.
func refusing(code int32) func(t *testing.T) planted {
	return func(t *testing.T) planted {
		_, url := started(t, simulator.Options{Auth: behindBasic})
		return planted{url: url, auth: byPassword, files: map[string][]byte{"krb5.conf": []byte(authtest.Refusing(t, code))}}
	}
}
