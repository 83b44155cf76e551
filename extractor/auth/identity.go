package auth

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/bundlegen/bundlegen/internal/krb5conf"
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
	leftOut      []string // of the Kerberos configuration
}

func newIdentity(site manifest.Site, files Files, getenv func(string) (string, bool)) (*identity, error) {
	i := &identity{site: site}
	at := strings.LastIndex(site.Auth.Principal, "@")
	if at < 1 || at == len(site.Auth.Principal)-1 {
		return nil, siteError(site, "auth", fmt.Sprintf("the principal %q is not one such as svc_pi@PLANT.EXAMPLE", site.Auth.Principal),
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
	var read *krb5conf.Config
	if i.config, read, err = krb5Config(site, i.realm, files, getenv); err != nil {
		return nil, err
	}
	i.leftOut = read.Notes
	i.spn, i.serviceRealm = service(site, i.realm, read)
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
		return nil, siteError(site, "auth", fmt.Sprintf("the environment variable %s, which holds the keytab, is not base64", name), fill)
	}
	k := keytab.New()
	if err := safely(func() error { return k.Unmarshal(raw) }); err != nil || len(k.Entries) == 0 {
		return nil, siteError(site, "auth", fmt.Sprintf("what the environment variable %s holds is not a keytab, or is a part of one", name),
			fill)
	}
	return k, nil
}

// useKeysOfKeytab requests only the kinds of keys that the keytab has for the
// principal: a KDC takes the best of the requested kinds.
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
		return siteError(i.site, "auth", fmt.Sprintf("the keytab has no key of %s; it has keys of %s", i.site.Auth.Principal,
			strings.Join(others, ", ")),
			"correct sites[].auth.principal, upper and lower case too, or store the principal's own keytab")
	}
	if kinds = supported(kinds); len(kinds) == 0 {
		return siteError(i.site, "auth", fmt.Sprintf("the keytab's keys of %s are of unsupported kinds (enctypes)", i.site.Auth.Principal),
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

// krb5Config returns the site's krb5.conf, or else this machine's, as a configuration of
// gokrb5. It does not use gokrb5's parser, which ends the program over directives of
// real files. A realm without listed KDCs is looked up in DNS, as in Active Directory.
func krb5Config(site manifest.Site, realm string, files Files, getenv func(string) (string, bool)) (
	*config.Config, *krb5conf.Config, error,
) {
	read, err := readKrb5Conf(site, files, getenv)
	if err != nil {
		return nil, nil, err
	}
	c := config.New()
	d := &c.LibDefaults
	d.DefaultRealm = realm // for a KDC that refers to an unnamed realm
	if kinds := supported(read.TktEnctypes); len(kinds) > 0 {
		d.DefaultTktEnctypeIDs = kinds
	}
	if kinds := supported(read.TGSEnctypes); len(kinds) > 0 {
		d.DefaultTGSEnctypeIDs = kinds
	}
	d.TicketLifetime = cmp.Or(read.TicketLifetime, d.TicketLifetime)
	d.Clockskew = cmp.Or(read.ClockSkew, d.Clockskew)
	if read.UDPPreferenceLimit >= 0 {
		d.UDPPreferenceLimit = max(1, read.UDPPreferenceLimit) // 0 means TCP first, whose answer gokrb5 loses
	}
	for _, r := range read.Realms {
		c.Realms = append(c.Realms, config.Realm{Realm: r.Name, KDC: slices.Clone(r.KDCs)})
	}
	if len(read.KDCs(realm)) == 0 {
		d.DNSLookupKDC = true
		// By TCP: its tickets are larger than a datagram, and clouds drop those.
		d.UDPPreferenceLimit = 1
	}
	return c, read, nil
}

// supported returns the supported kinds of keys.
func supported(kinds []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(kinds), func(kind int32) bool { _, err := crypto.GetEtype(kind); return err != nil })
}

// machineKrb5Conf is the path of a machine's Kerberos configuration.
const machineKrb5Conf = "/etc/krb5.conf"

// readKrb5Conf reads the Kerberos configuration in force: the site's own file, which
// includes no other, or else the machine's; an empty one if there is none.
func readKrb5Conf(site manifest.Site, files Files, getenv func(string) (string, bool)) (*krb5conf.Config, error) {
	if name := site.Auth.Krb5Conf; name != "" {
		data, err := files(name)
		if err != nil {
			return nil, siteError(site, "auth", fmt.Sprintf("the Kerberos configuration cannot be read: %v", err),
				"run bundlegen generate again, which puts the file into the bundle")
		}
		c, err := krb5conf.Parse(data, name)
		if err != nil {
			return nil, siteError(site, "auth", err.Error(), "correct the file that sites[].auth.krb5_conf names, then run bundlegen generate again")
		}
		return c, nil
	}
	named, _ := getenv("KRB5_CONFIG") // a list, of which the first counts most
	paths, hint := []string{machineKrb5Conf}, "correct the file, or name another in sites[].auth.krb5_conf"
	if named != "" {
		paths, hint = filepath.SplitList(named), "correct what the environment variable KRB5_CONFIG names, or name a file in "+
			"sites[].auth.krb5_conf"
	}
	c, err := krb5conf.Load(paths...)
	switch {
	case named == "" && errors.Is(err, fs.ErrNotExist):
		return &krb5conf.Config{UDPPreferenceLimit: -1}, nil
	case err != nil:
		return nil, siteError(site, "auth", fmt.Sprintf("the Kerberos configuration cannot be read: %v", err), hint)
	}
	return c, nil
}

// service returns the service's name and realm: those in pipeline.yml, or else HTTP/ and
// the URL's host. No DNS alias is followed.
func service(site manifest.Site, realm string, c *krb5conf.Config) (spn, serviceRealm string) {
	spn, serviceRealm, _ = strings.Cut(site.Auth.SPN, "@")
	if spn == "" {
		base, err := url.Parse(site.URL)
		if err == nil { // NewTransport has refused it otherwise
			spn = "HTTP/" + strings.TrimSuffix(strings.ToLower(base.Hostname()), ".")
		}
	}
	if serviceRealm == "" {
		_, host, _ := strings.Cut(spn, "/")
		serviceRealm = c.RealmOf(host)
	}
	if serviceRealm == "" {
		serviceRealm = realm
	}
	return spn, serviceRealm
}
