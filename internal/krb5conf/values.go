package krb5conf

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func realmKey(name string) string { return realms + " " + name }

// value stores a relation, if it is one that is read. A value of an earlier file or line
// is kept.
func (p *parser) value(tag, value string, column, at int) error {
	if !p.ours() || p.final[p.section] {
		return nil
	}
	tag, final := strings.CutSuffix(tag, "*")
	tag = strings.TrimSpace(tag)
	switch {
	case p.section == libdefaults && len(p.groups) == 0:
		return p.setting(strings.ToLower(tag), value, at)
	case p.section == domainRealm && len(p.groups) == 0:
		return p.domain(strings.ToLower(tag), value, at)
	case p.section == realms && len(p.groups) == 1 && strings.EqualFold(tag, "kdc"):
		return p.kdc(p.groups[0], value, final, at)
	case p.section == realms && len(p.groups) == 0:
		return p.wrong(column, fmt.Sprintf("%s in [realms] is no realm; allowed: NAME = { ... }", quote(tag)))
	}
	return nil
}

// setting stores a value of [libdefaults].
func (p *parser) setting(key, value string, at int) (err error) {
	if p.set[key] {
		return nil
	}
	switch key {
	case "default_tkt_enctypes":
		p.c.TktEnctypes = readEnctypes(value)
	case "default_tgs_enctypes":
		p.c.TGSEnctypes = readEnctypes(value)
	case "permitted_enctypes":
		p.permitted = readEnctypes(value)
	case "ticket_lifetime":
		p.c.TicketLifetime, err = duration(value)
	case "clockskew":
		p.c.ClockSkew, err = duration(value)
	case "udp_preference_limit":
		var n uint64
		if n, err = strconv.ParseUint(value, 10, 31); err != nil {
			err = fmt.Errorf("allowed: a number of bytes, from 0")
		}
		p.c.UDPPreferenceLimit = int(min(n, maxUDP))
	default:
		return nil
	}
	p.set[key] = true
	if err != nil {
		return p.wrong(at, fmt.Sprintf("%s = %s; %v", key, quote(value), err))
	}
	return nil
}

// maxUDP is the greatest udp_preference_limit: MIT takes more for this.
const maxUDP = 32700

func (p *parser) domain(name, value string, at int) error {
	realm, _, _ := strings.Cut(value, " ")
	switch {
	case !hostName.MatchString(strings.TrimPrefix(name, ".")): // a pattern, for instance, which is not a host's name
		p.note(fmt.Sprintf("%s in [domain_realm] is neither a host nor a .domain, and is left out", quote(name)))
		return nil
	case !realmName.MatchString(realm):
		return p.wrong(at, fmt.Sprintf("%s = %s; allowed: the name of a realm, such as PLANT.EXAMPLE", name, quote(value)))
	}
	for _, d := range p.c.Domains {
		if d.Name == name {
			return nil
		}
	}
	p.c.Domains = append(p.c.Domains, Domain{name, realm})
	return nil
}

// kdc adds a KDC of a realm.
func (p *parser) kdc(realm, value string, final bool, at int) error {
	if p.final[realmKey(realm)] || p.set[realmKey(realm)] {
		return nil
	}
	value, star := strings.CutSuffix(value, "*")
	if final || star {
		p.set[realmKey(realm)] = true
	}
	address, _, _ := strings.Cut(strings.TrimSpace(value), " ")
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		p.note(fmt.Sprintf("kdc of %s: a KDC behind %s (MS-KKDCP) cannot be asked here and is left out", realm, scheme))
		return nil
	}
	for _, transport := range []string{"tcp/", "udp/"} {
		address = strings.TrimPrefix(address, transport)
	}
	address, ok := hostPort(address)
	if !ok {
		return p.wrong(at, fmt.Sprintf("kdc = %s; allowed: HOST or HOST:PORT", quote(value)))
	}
	for i, r := range p.c.Realms {
		if r.Name == realm {
			if !slices.Contains(r.KDCs, address) {
				p.c.Realms[i].KDCs = append(r.KDCs, address)
			}
			return nil
		}
	}
	p.c.Realms = append(p.c.Realms, Realm{realm, []string{address}})
	return nil
}

var realmName = regexp.MustCompile(`^[^\s\pC"{}\[\]#;=*]+$`)

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$`)

const kdcPort = "88"

// hostPort completes a KDC's address with its port.
func hostPort(address string) (string, bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), kdcPort
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || !hostName.MatchString(host) && net.ParseIP(host) == nil {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// maxDuration is the greatest duration that is accepted: ten years.
const maxDuration = 3660 * 24 * time.Hour

var (
	units    = regexp.MustCompile(`^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$`)
	seconds  = regexp.MustCompile(`^(\d{1,9})$`)
	clock    = regexp.MustCompile(`^(?:(\d{1,9})-)?(\d{1,9}):(\d{1,2})(?::(\d{1,2}))?$`)
	spaceOut = strings.NewReplacer(" ", "", "\t", "")
)

// duration reads a time span as Kerberos writes it: 36000, 10h, 1d 2h 3m 4s,
// 10:30, 10:30:00, 1-10:30:00.
func duration(text string) (time.Duration, error) {
	text = strings.ToLower(spaceOut.Replace(text))
	const day = 24 * time.Hour
	var d time.Duration
	add := func(number string, unit time.Duration) {
		n, _ := strconv.ParseInt("0"+number, 10, 64) // digits, or nothing
		if d += min(time.Duration(n), maxDuration/unit+1) * unit; d > maxDuration {
			d = maxDuration
		}
	}
	if m := seconds.FindStringSubmatch(text); m != nil {
		add(m[1], time.Second)
	} else if m := clock.FindStringSubmatch(text); m != nil {
		add(m[1], day)
		add(m[2], time.Hour)
		add(m[3], time.Minute)
		add(m[4], time.Second)
	} else if m := units.FindStringSubmatch(text); m != nil {
		add(m[1], day)
		add(m[2], time.Hour)
		add(m[3], time.Minute)
		add(m[4], time.Second)
	}
	if d <= 0 {
		return 0, fmt.Errorf("allowed: a time span such as 24h, 1d 12h or 36000 (seconds)")
	}
	return d, nil
}
