package krb5conf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config is the part of Kerberos configuration files that a login needs.
type Config struct {
	Realms  []Realm  // in the files' order; each once
	Domains []Domain // of [domain_realm], in the files' order; each once

	TktEnctypes []int32 // default_tkt_enctypes, else permitted_enctypes; nil: not set
	TGSEnctypes []int32 // default_tgs_enctypes, else permitted_enctypes; nil: not set

	TicketLifetime     time.Duration // 0: not set
	ClockSkew          time.Duration // 0: not set
	UDPPreferenceLimit int           // -1: not set

	// Notes describe what is left out although the files request it: an included folder
	// that does not exist, a KDC that can only be reached by a proxy.
	Notes []string
}

// Realm is a realm with its KDCs.
type Realm struct {
	Name string
	KDCs []string // host:port
}

// Domain is the realm of a host, or of all hosts below a domain if the name begins with a
// dot.
type Domain struct{ Name, Realm string }

// KDCs returns the KDCs of a realm; nil if the files name none.
func (c *Config) KDCs(realm string) []string {
	for _, r := range c.Realms {
		if r.Name == realm {
			return r.KDCs
		}
	}
	return nil
}

// RealmOf returns the realm that [domain_realm] has for a host: that of the host
// itself, else of the nearest domain above it; "" if it has none.
func (c *Config) RealmOf(host string) string {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	for name != "" {
		for _, d := range c.Domains {
			if d.Name == name {
				return d.Realm
			}
		}
		if rest, dot := strings.CutPrefix(name, "."); dot {
			name = rest
			continue
		}
		at := strings.IndexByte(name, '.')
		if at < 0 {
			return ""
		}
		name = name[at:]
	}
	return ""
}

// Encode returns the configuration as one file without includes, and with nothing but
// what Parse reads from it: the same configuration has the same bytes.
func (c *Config) Encode() []byte {
	var b bytes.Buffer
	section := func(name string, write func()) {
		before := b.Len()
		if before > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%s]\n", name)
		start := b.Len()
		write()
		if b.Len() == start {
			b.Truncate(before)
		}
	}
	section("libdefaults", func() {
		if c.TktEnctypes != nil {
			fmt.Fprintf(&b, "  default_tkt_enctypes = %s\n", enctypeNames(c.TktEnctypes))
		}
		if c.TGSEnctypes != nil {
			fmt.Fprintf(&b, "  default_tgs_enctypes = %s\n", enctypeNames(c.TGSEnctypes))
		}
		if c.TicketLifetime != 0 {
			fmt.Fprintf(&b, "  ticket_lifetime = %d\n", c.TicketLifetime/time.Second)
		}
		if c.ClockSkew != 0 {
			fmt.Fprintf(&b, "  clockskew = %d\n", c.ClockSkew/time.Second)
		}
		if c.UDPPreferenceLimit >= 0 {
			fmt.Fprintf(&b, "  udp_preference_limit = %d\n", c.UDPPreferenceLimit)
		}
	})
	section("realms", func() {
		for _, r := range c.Realms {
			fmt.Fprintf(&b, "  %s = {\n", r.Name)
			for _, kdc := range r.KDCs {
				fmt.Fprintf(&b, "    kdc = %s\n", kdc)
			}
			b.WriteString("  }\n")
		}
	})
	section("domain_realm", func() {
		for _, d := range c.Domains {
			fmt.Fprintf(&b, "  %s = %s\n", d.Name, d.Realm)
		}
	})
	if b.Len() == 0 {
		b.WriteString("[libdefaults]\n") // by which it is known for what it is
	}
	return b.Bytes()
}

// enctype is a kind of keys: its number (RFC 3961 and its successors), and how
// files name it, the usual name first.
type enctype struct {
	id     int32
	family string
	names  []string
}

// enctypes are those of MIT's DEFAULT, in its order.
var enctypes = []enctype{
	{18, "aes", []string{"aes256-cts-hmac-sha1-96", "aes256-cts", "aes256-sha1"}},
	{17, "aes", []string{"aes128-cts-hmac-sha1-96", "aes128-cts", "aes128-sha1"}},
	{20, "aes", []string{"aes256-cts-hmac-sha384-192", "aes256-sha2"}},
	{19, "aes", []string{"aes128-cts-hmac-sha256-128", "aes128-sha2"}},
	{16, "des3", []string{"des3-cbc-sha1", "des3-hmac-sha1", "des3-cbc-sha1-kd"}},
	{23, "rc4", []string{"arcfour-hmac", "rc4-hmac", "arcfour-hmac-md5"}},
	{25, "camellia", []string{"camellia128-cts-cmac", "camellia128-cts"}},
	{26, "camellia", []string{"camellia256-cts-cmac", "camellia256-cts"}},
}

// readEnctypes reads a list of kinds of keys as MIT does: names and families,
// each added, or removed by a minus. Unsupported names (of single DES, of later ones) are
// left out; nil if none is left.
func readEnctypes(text string) []int32 {
	var ids []int32
	for _, name := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		name, minus := strings.CutPrefix(name, "-")
		name = strings.TrimPrefix(name, "+")
		for _, e := range enctypes {
			if name != "default" && name != e.family && !slices.Contains(e.names, name) {
				continue
			}
			ids = slices.DeleteFunc(ids, func(id int32) bool { return minus && id == e.id })
			if !minus && !slices.Contains(ids, e.id) {
				ids = append(ids, e.id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return ids
}

func enctypeNames(ids []int32) string {
	var names []string
	for _, id := range ids {
		for _, e := range enctypes {
			if e.id == id {
				names = append(names, e.names[0])
			}
		}
	}
	return strings.Join(names, " ")
}
