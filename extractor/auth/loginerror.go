package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// LoginFault sorts what a login may fail with.
type LoginFault string

// The faults of a login.
const (
	PrincipalUnknown LoginFault = "principal-unknown"
	WrongRealm       LoginFault = "wrong-realm"
	ServiceUnknown   LoginFault = "service-unknown" // no account has the service's name (SPN)
	ClockSkew        LoginFault = "clock-skew"
	WrongKey         LoginFault = "wrong-key" // the keytab or the password
	OldKey           LoginFault = "old-key"   // of another version (kvno) or kind (enctype)
	NoCommonKey      LoginFault = "enctype"   // no kind of key that both sides have
	AccountLocked    LoginFault = "account-locked"
	AccountExpired   LoginFault = "account-expired"
	PasswordExpired  LoginFault = "password-expired"
	LoginForbidden   LoginFault = "policy"
	LoginRefused     LoginFault = "refused" // for another reason
	NoKDC            LoginFault = "no-kdc"
)

// LoginError is why there is no ticket. It has no secret and is immutable.
type LoginError struct {
	Fault   LoginFault // which of them it is
	Problem string     // what is wrong, on one line
	// Lasting means that another try would fail too, until someone changes something;
	// otherwise the KDC was not reached or is failing.
	Lasting bool
}

func (e *LoginError) Error() string { return e.Problem }

// lasting reports whether a login failed for good.
func lasting(err error) bool {
	var e *LoginError
	return errors.As(err, &e) && e.Lasting
}

// explain returns the LoginError of a failed login. gokrb5's errors are texts only;
// those of RFC 4120's errors contain their names.
func (i *identity) explain(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if _, after, found := strings.Cut(text, "[Root cause: "); found { // gokrb5's sorting, which the rest repeats
		_, text, _ = strings.Cut(after, "] ")
	}
	who := i.site.Auth.Principal
	for _, c := range []struct {
		sign          string
		fault         LoginFault
		problem, hint string
	}{
		{"KDC_ERR_C_PRINCIPAL_UNKNOWN", PrincipalUnknown, fmt.Sprintf("the realm %s does not know the principal %s", i.realm, who),
			"check user and realm of sites[].auth.principal, upper and lower case too; the realm is mostly the domain in capitals"},
		{"KDC_ERR_WRONG_REALM", WrongRealm, fmt.Sprintf("the principal %s is of another realm, says the KDC of %s", who, i.realm),
			"check the realm of sites[].auth.principal and the KDC in krb5.conf"},
		{"KDC_ERR_S_PRINCIPAL_UNKNOWN", ServiceUnknown, fmt.Sprintf("the realm %s does not know the service %s", i.serviceRealm, i.spn),
			fmt.Sprintf("register it on the account that runs PI Web API (setspn -S %s ACCOUNT), or write the name that is registered in "+
				"sites[].auth.spn", i.spn)},
		{"KRB_AP_ERR_SKEW", ClockSkew, "this machine's clock and the KDC's are too far apart", "set both by NTP; Kerberos allows five minutes"},
		{"clock skew", ClockSkew, "this machine's clock and the KDC's are too far apart", "set both by NTP; Kerberos allows five minutes"},
		{"KDC_ERR_PREAUTH_FAILED", WrongKey, fmt.Sprintf("the KDC does not accept the %s of %s", i.proof(), who), i.renewProof()},
		{"matching key not found in keytab", OldKey, fmt.Sprintf("the KDC's key of %s is of another version (kvno) or kind (enctype) than the keytab's", who), i.renewProof()},
		{"password/keytab incorrect", OldKey, fmt.Sprintf("the KDC's answer cannot be read by the %s of %s, which is probably of another version (kvno)", i.proof(), who), i.renewProof()},
		{"KDC_ERR_ETYPE_NOSUPP", NoCommonKey, fmt.Sprintf("the KDC has no key of %s or of %s of a kind (enctype) that is asked for", who, i.spn),
			"create a new keytab with AES keys, and allow AES on both accounts (msDS-SupportedEncryptionTypes)"},
		{"KDC_ERR_CLIENT_REVOKED", AccountLocked, fmt.Sprintf("the account %s is locked or disabled", who), "have it unlocked; look for what logs in with an old key"},
		{"KDC_ERR_NAME_EXP", AccountExpired, fmt.Sprintf("the account %s has expired", who), "have it extended"},
		{"KDC_ERR_KEY_EXPIRED", PasswordExpired, fmt.Sprintf("the password of %s has expired", who), "set a new one, and create a new keytab"},
		{"KDC_ERR_POLICY", LoginForbidden, fmt.Sprintf("the KDC's policy forbids %s to log in or to use %s", who, i.spn), "ask the domain's administrators, for instance about logon hours"},
	} {
		if strings.Contains(text, c.sign) {
			return i.fail(c.fault, c.problem, c.hint, true)
		}
	}
	if strings.Contains(text, "KRB Error:") {
		return i.fail(LoginRefused, "the KDC refuses: "+text, "the name in capitals is of RFC 4120, section 7.5.9", true)
	}
	hint := "check the realm in sites[].auth.principal, that krb5.conf or DNS (_kerberos._tcp) name its KDCs, and that this machine " +
		"may reach them on port 88"
	for _, note := range i.leftOut {
		hint += "; " + note
	}
	return i.fail(NoKDC, fmt.Sprintf("no KDC of the realm %s can be asked: %s", i.realm, text), hint, false)
}

func (i *identity) fail(fault LoginFault, problem, hint string, lasting bool) error {
	return diag.WithHint(&LoginError{Fault: fault, Problem: "Kerberos: " + problem, Lasting: lasting}, "%s", hint)
}

// proof names what authenticates the principal.
func (i *identity) proof() string {
	if i.keytab != nil {
		return "keytab"
	}
	return "password"
}

func (i *identity) renewProof() string {
	if i.keytab != nil {
		return "create a new keytab (ktpass, or kadmin: ktadd) and store it; changing the password or making another keytab ends the old one"
	}
	return "store the account's present password"
}

// safely calls gokrb5 with input from outside: if that makes it panic, safely returns
// an error like any other about it.
func safely(call func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("what it holds cannot be understood")
		}
	}()
	return call()
}
