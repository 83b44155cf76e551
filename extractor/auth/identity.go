package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// identity is who logs in, how, and to what.
type identity struct {
	site         manifest.Site
	user, realm  string         // of the principal
	keytab       *keytab.Keytab // nil with a password
	password     string
	spn          string // HTTP/host
	serviceRealm string // of the spn
	config       *config.Config
}

func newIdentity(site manifest.Site, files Files, getenv func(string) (string, bool)) (*identity, error) {
	i := &identity{site: site}
	at := strings.LastIndex(site.Auth.Principal, "@")
	if at < 1 || at == len(site.Auth.Principal)-1 {
		return nil, complain(site, "auth", fmt.Sprintf("the principal %q is not one such as svc_pi@PLANT.EXAMPLE", site.Auth.Principal),
			"correct sites[].auth.principal in pipeline.yml")
	}
	i.user, i.realm = site.Auth.Principal[:at], site.Auth.Principal[at+1:]
	var err error
	if site.Auth.KeytabEnv == "" && site.Auth.PasswordEnv != "" {
		i.password, err = secret(site, "password", site.Auth.PasswordEnv, getenv)
	} else {
		i.keytab, err = readKeytab(site, getenv)
	}
	if err != nil {
		return nil, err
	}
	if i.config, err = krb5Config(site, i.realm, files, getenv); err != nil {
		return nil, err
	}
	i.spn, i.serviceRealm = service(site, i.realm, i.config)
	if i.keytab != nil {
		return i, i.useKeysOfKeytab()
	}
	return i, nil
}

// client makes a Kerberos client, which has sent nothing yet. Active Directory
// answers wrongly to FAST, so that is never offered.
func (i *identity) client() *client.Client {
	if i.keytab != nil {
		return client.NewWithKeytab(i.user, i.realm, i.keytab, i.config, client.DisablePAFXFAST(true))
	}
	return client.NewWithPassword(i.user, i.realm, i.password, i.config, client.DisablePAFXFAST(true))
}

// readKeytab reads the keytab from the environment. gokrb5's errors about keytabs
// quote their bytes and are left out.
func readKeytab(site manifest.Site, getenv func(string) (string, bool)) (*keytab.Keytab, error) {
	name := site.Auth.KeytabEnv
	text, err := required(site, "keytab", name, getenv)
	if err != nil {
		return nil, err
	}
	fill := fmt.Sprintf("give it the file's content, not its path: export %s=$(base64 -w0 FILE.keytab)", name)
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, complain(site, "auth", fmt.Sprintf("the environment variable %s, which holds the keytab, is not base64", name), fill)
	}
	k := keytab.New()
	if err := k.Unmarshal(raw); err != nil || len(k.Entries) == 0 {
		return nil, complain(site, "auth", fmt.Sprintf("what the environment variable %s holds is not a keytab, or is a part of one", name), fill)
	}
	return k, nil
}

// useKeysOfKeytab asks the KDC for the kinds of keys only that the keytab has for
// the principal: a KDC takes the best kind that is asked for.
func (i *identity) useKeysOfKeytab() error {
	var kinds []int32
	var others []string
	for _, e := range i.keytab.Entries {
		name := strings.Join(e.Principal.Components, "/") + "@" + e.Principal.Realm
		if name == i.site.Auth.Principal {
			kinds = append(kinds, e.Key.KeyType)
		} else if !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	if len(kinds) == 0 {
		return complain(i.site, "auth", fmt.Sprintf("the keytab has no key of %s; it has keys of %s", i.site.Auth.Principal, strings.Join(others, ", ")),
			"correct sites[].auth.principal, upper and lower case too, or store the principal's own keytab")
	}
	kinds = slices.DeleteFunc(kinds, func(kind int32) bool { _, err := crypto.GetEtype(kind); return err != nil })
	if len(kinds) == 0 {
		return complain(i.site, "auth", fmt.Sprintf("the keytab's keys of %s are of kinds (enctypes) that are not known here", i.site.Auth.Principal),
			"create a new keytab with AES keys: ktpass /crypto AES256-SHA1, or kadmin: ktadd")
	}
	d := &i.config.LibDefaults
	wanted := slices.DeleteFunc(slices.Clone(d.DefaultTktEnctypeIDs), func(kind int32) bool { return !slices.Contains(kinds, kind) })
	if len(wanted) == 0 {
		wanted = kinds
	}
	d.DefaultTktEnctypeIDs = wanted
	return nil
}

// krb5Config reads the site's krb5.conf, else this machine's. A realm whose KDCs
// it does not list is looked up in DNS, as Active Directory has it.
func krb5Config(site manifest.Site, realm string, files Files, getenv func(string) (string, bool)) (*config.Config, error) {
	text, where, err := krb5Text(site, files, getenv)
	if err != nil {
		return nil, err
	}
	c, err := config.NewFromString(text)
	var unsupported config.UnsupportedDirective
	if err != nil && !errors.As(err, &unsupported) { // what it does not know does not matter
		return nil, complain(site, "auth", fmt.Sprintf("%s is not a Kerberos configuration: %v", where, err),
			"it has [libdefaults] and [realms], as man krb5.conf describes")
	}
	if !slices.ContainsFunc(c.Realms, func(r config.Realm) bool { return r.Realm == realm && len(r.KDC) > 0 }) {
		c.LibDefaults.DNSLookupKDC = true
		// By TCP: its tickets are larger than a datagram, which clouds drop besides.
		c.LibDefaults.UDPPreferenceLimit = 1
	}
	return c, nil
}

// krb5Text gives the text of the krb5.conf that counts, and where it is from; both
// are empty when this machine has none.
func krb5Text(site manifest.Site, files Files, getenv func(string) (string, bool)) (text, where string, err error) {
	if name := site.Auth.Krb5Conf; name != "" {
		data, err := files(name)
		if err != nil {
			return "", "", complain(site, "auth", fmt.Sprintf("the Kerberos configuration cannot be read: %v", err),
				"run bundlegen generate again, which puts the file into the bundle")
		}
		return string(data), "the file " + name, nil
	}
	named, _ := getenv("KRB5_CONFIG") // a list, of which the first counts most
	path, asked := "/etc/krb5.conf", named != ""
	if asked {
		path = filepath.SplitList(named)[0]
	}
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		return string(data), path, nil
	case !asked && errors.Is(err, fs.ErrNotExist):
		return "", "", nil
	default:
		return "", "", complain(site, "auth", fmt.Sprintf("the Kerberos configuration cannot be read: %v", err),
			"correct the environment variable KRB5_CONFIG, or name a file in sites[].auth.krb5_conf")
	}
}

// service gives the service's name and realm: as pipeline.yml says, else HTTP/ and
// the URL's host as it stands there. No DNS alias is followed.
func service(site manifest.Site, realm string, c *config.Config) (spn, serviceRealm string) {
	spn, serviceRealm, _ = strings.Cut(site.Auth.SPN, "@")
	if spn == "" {
		base, err := url.Parse(site.URL)
		if err == nil { // NewTransport has refused it otherwise
			spn = "HTTP/" + strings.TrimSuffix(strings.ToLower(base.Hostname()), ".")
		}
	}
	if serviceRealm == "" {
		_, host, _ := strings.Cut(spn, "/")
		serviceRealm = c.ResolveRealm(host)
	}
	if serviceRealm == "" {
		serviceRealm = realm
	}
	return spn, serviceRealm
}
