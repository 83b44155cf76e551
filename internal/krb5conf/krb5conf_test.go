package krb5conf_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/krb5conf"
)

func parse(t *testing.T, text string) *krb5conf.Config {
	t.Helper()
	c, err := krb5conf.Parse([]byte(text), "krb5.conf")
	require.NoError(t, err)
	return c
}

// As systems ship and tools write them.
func TestShippedFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	require.NoError(t, err)
	require.Len(t, files, 7)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			// What they include is of the machine: here it is beside the file.
			for from, to := range map[string]string{"/etc/krb5.conf.d": "conf.d", "/var/lib/sss/pubconf/krb5.include.d": "sss"} {
				text = []byte(strings.ReplaceAll(string(text), from, filepath.Join(dir, to)))
			}
			for name, content := range map[string]string{
				"krb5.conf": string(text),
				"conf.d/crypto": "[libdefaults]\npermitted_enctypes = aes256-cts-hmac-sha1-96 " +
					"aes256-cts-hmac-sha384-192 camellia256-cts-cmac\n",
				"conf.d/.hidden":  "nonsense",
				"conf.d/x.rpmnew": "[realms]\n nonsense\n",
				"sss/domain_realm_plant_example": "[domain_realm]\n.lab.plant.example = PLANT.EXAMPLE\n[capaths]\nPLANT.EXAMPLE = {\n  " +
					"OFFICE.EXAMPLE = PLANT.EXAMPLE\n}\n",
				"sss/krb5_libdefaults": "[libdefaults]\n canonicalize = true\n",
				"sss/localauth_plugin": "[plugins]\n localauth = {\n  module = " +
					"sssd:/usr/lib64/sssd/modules/sssd_krb5_localauth_plugin.so\n }\n",
			} {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
			}
			c, err := krb5conf.Load(filepath.Join(dir, "krb5.conf"))
			require.NoError(t, err)
			require.Empty(t, c.Notes)
			want, err := os.ReadFile(strings.TrimSuffix(file, ".conf") + ".want")
			require.NoError(t, err)
			require.Equal(t, string(want), string(c.Encode()))
			again := parse(t, string(c.Encode()))
			require.Equal(t, string(want), string(again.Encode()), "it is read as it was written")
		})
	}
}

func TestWaysToWriteARealm(t *testing.T) {
	for name, text := range map[string]string{
		"usual":           "[realms]\n P.X = {\n  kdc = a.x\n  kdc = b.x:750\n }\n",
		"tabs, CRLF, BOM": "\ufeff[realms]\r\n\tP.X = {\r\n\t\tkdc = a.x\r\n\t\tkdc = b.x:750\r\n\t}\r\n",
		"one line":        "[realms]\nP.X = { kdc = a.x kdc = b.x:750 admin_server = a.x }\n",
		"nested on one":   "[realms]\nP.X = { auth_to_local_names = { kdc = c.x svc = pi } kdc = a.x kdc = b.x:750 }\n",
		"half on one":     "[realms]\nP.X = { kdc = a.x\n  kdc = b.x:750 }\n",
		"brace below":     "[realms]\nP.X =\n{\nkdc = a.x\nkdc = b.x:750\n}\n",
		"nested": "[realms]\nP.X = {\n kdc = a.x\n auth_to_local_names = {\n  svc_pi = pi\n  kdc = c.x\n }\n auth_to_local = " +
			"RULE:[1:$1@$0](.*@P\\.X$)s/@.*//\n kdc = b.x:750\n v4_instance_convert = {\n  a = b.c\n }\n}\n",
		"twice": "[realms]\nP.X = {\nkdc = a.x\n}\n[libdefaults]\n x = y\n[realms]\nP.X = {\nkdc = b.x:750\n}\n",
		"comments": "# a\n; b\n[realms] # c\n P.X = { # d\n  kdc = a.x # the first; always\n  # kdc = c.x\n  kdc = b.x:750 ; e\n " +
			"} # f\n",
		"final":           "[realms]*\nP.X* = {\nkdc = a.x\nkdc* = b.x:750\nkdc = c.x\n}*\n",
		"final by value":  "[realms]\nP.X = {\nkdc = a.x\nkdc = b.x:750*\nkdc = c.x\n}\n",
		"transports":      "[realms]\nP.X = {\nkdc = tcp/a.x:88\nkdc = https://proxy.x/KdcProxy\nkdc = udp/b.x:750\n}\n",
		"quotes":          "[realms]\nP.X = {\nkdc = \"a.x\"\nkdc = \"b.x:750\" # c\n}\n",
		"before sections": "module FILE:x\nmachine a login b\n[realms]\nP.X = {\nkdc = a.x\nkdc = b.x:750\n}\n",
		"no last line":    "[realms]\nP.X = {\nkdc = a.x\nkdc = b.x:750\n}",
		"spaces in names": "[ Realms ]\nP.X={\nKDC=a.x\nkdc=b.x:750\n}",
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, text)
			require.Equal(t, []string{"a.x:88", "b.x:750"}, c.KDCs("P.X"))
			require.Len(t, c.Realms, 1)
		})
	}
	c := parse(t, "[realms]\nP.X = {\nkdc = 10.1.2.3\nkdc = [2001:db8::1]\nkdc = [2001:db8::1]:750\nkdc = 2001:db8::2\nkdc = "+
		"HTTPS://p.x\n}\n")
	require.Equal(t, []string{"10.1.2.3:88", "[2001:db8::1]:88", "[2001:db8::1]:750", "[2001:db8::2]:88"}, c.KDCs("P.X"))
	require.Equal(t, []string{"krb5.conf:7: kdc of P.X: a KDC behind HTTPS (MS-KKDCP) cannot be asked here and is left out"}, c.Notes)
}

func TestDefaults(t *testing.T) {
	c := parse(t, `[libdefaults]
 dns_canonicalize_hostname = fallback
 rdns = maybe
 preferred_preauth_types = x
 kdc_default_options = zz
 OFFICE.EXAMPLE = {
  ticket_lifetime = never
 }
 ticket_lifetime = 1d 2h
 ticket_lifetime = 5s
 clockskew = 0:10
 udp_preference_limit = 99999
 default_tkt_enctypes = DEFAULT -rc4, -des3, -camellia, des-cbc-crc
 permitted_enctypes = aes -aes128-sha2
[domain_realm]
 .PLANT.example = PLANT.EXAMPLE
 pi.plant.example = OFFICE.EXAMPLE
 lab = LAB
 *.else = X
`)
	require.Equal(t, 26*time.Hour, c.TicketLifetime)
	require.Equal(t, 10*time.Minute, c.ClockSkew)
	require.Equal(t, 32700, c.UDPPreferenceLimit)
	require.Equal(t, []int32{18, 17, 20, 19}, c.TktEnctypes)
	require.Equal(t, []int32{18, 17, 20}, c.TGSEnctypes)
	require.Len(t, c.Notes, 1)
	for host, realm := range map[string]string{
		"PI.plant.example.": "OFFICE.EXAMPLE", "a.b.plant.example": "PLANT.EXAMPLE", "plant.example": "", "x.lab": "LAB", "": "", ".": "",
		"x.else": "",
	} {
		require.Equal(t, realm, c.RealmOf(host), host)
	}
	for text, want := range map[string]time.Duration{"36000": 10 * time.Hour, "10:00": 10 * time.Hour, "1-0:00:01": 24*time.Hour +
		time.Second,
		"1d2h3m4s": 26*time.Hour + 3*time.Minute + 4*time.Second, "999999999d": 3660 * 24 * time.Hour} {
		require.Equal(t, want, parse(t, "[libdefaults]\nticket_lifetime = "+text+"\n").TicketLifetime, text)
	}
}

// What is wrong is said with its place, and without what stands there: it may be
// a secret that was named by mistake.
func TestWhatIsNoConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"": "krb5.conf: it is not a Kerberos configuration: it has none of [libdefaults], [realms] " +
			"and [domain_realm]",
		"machine pi login a password hunter2\n": "krb5.conf: it is not a Kerberos configuration: it has none of [libdefaults], [realms] " +
			"and [domain_realm]",
		"-----BEGIN PRIVATE KEY-----\nhunter2=\n": "krb5.conf: it is not a Kerberos configuration: it has none of [libdefaults], " +
			"[realms] and [domain_realm]",
		"\x05\x02\x00\x00hunter2":          "krb5.conf: it is not a text: it has NUL bytes",
		"[libdefaults]\nhunter2\n":         "krb5.conf:2:1: this line is neither NAME = VALUE nor a [section], a { } or a comment",
		"[libdefaults\n":                   "krb5.conf:1:1: a section's name ends without ]",
		"[realms]\n }\n":                   "krb5.conf:2:2: a } has no { before it",
		"[realms]\nP = {\n":                "krb5.conf:2:1: the file ends inside of { }, that of \"P\"",
		"[realms]\nP = {\n[libdefaults]\n": "krb5.conf:3:1: a section begins inside of { }",
		"[realms]\nP =\nkdc = a\n":         "krb5.conf:3:1: { is missing before this line",
		"[realms]\nP = {\n kdc = a b:c d:e\n kdc = ://x\n kdc = a:0\n}": "krb5.conf:5:8: kdc = \"a:0\"; allowed: HOST or HOST:PORT",
		"[realms]\nP = a.x\n": "krb5.conf:2:1: \"P\" in [realms] is no realm; allowed: NAME = { ... }",
		"[libdefaults]\n ticket_lifetime = soon\n": "krb5.conf:2:20: ticket_lifetime = \"soon\"; allowed: a time span such as 24h, " +
			"1d 12h or 36000 (seconds)",
		"[libdefaults]\nudp_preference_limit = -1\n": "krb5.conf:2:24: udp_preference_limit = \"-1\"; allowed: a number of bytes, " +
			"from 0",
		"[domain_realm]\n.x = \n": "krb5.conf:2:1: the file ends inside of { }, that of \".x\"",
		"[libdefaults]\nincludedir /etc/krb5.conf.d/\n": "krb5.conf:2:1: includedir \"/etc/krb5.conf.d/\": a file that goes into a " +
			"bundle cannot include others, which the tasks would not find",
		"[realms]\n" + strings.Repeat("a = {\n", 17):    "krb5.conf:18:1: { } are more than 16 deep in one another",
		"[realms]\na = {" + strings.Repeat("b = {", 17): "krb5.conf:2:81: { } are more than 16 deep in one another",
	} {
		_, err := krb5conf.Parse([]byte(text), "krb5.conf")
		require.EqualError(t, err, want)
	}
	_, err := krb5conf.Parse(make([]byte, krb5conf.MaxBytes+1), "krb5.conf")
	require.EqualError(t, err, "krb5.conf: it is larger than 1 MiB, with what it includes")
}

func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644))
		return file
	}
	refused := func(file, want string) {
		t.Helper()
		_, err := krb5conf.Load(file)
		require.EqualError(t, err, strings.ReplaceAll(want, "DIR", dir))
	}
	write("d/a.conf", "[realms]\nA = {\nkdc = a.x\n}\n")
	write("d/b", "[realms]\nB = {\nkdc = b.x\n}\n")
	write("d/c~", "nonsense")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "d", "folder"), 0o755))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "d", "link")))
	c, err := krb5conf.Load(write("main", "includedir DIR/d\nincludedir DIR/none/\ninclude DIR/d/b\n[libdefaults]\n x = y\ninclude "+
		"DIR/d/a.conf\n ticket_lifetime = 1h\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"a.x:88"}, c.KDCs("A"))
	require.Equal(t, time.Hour, c.TicketLifetime, "the section goes on behind an include")
	require.Equal(t, []string{
		filepath.Join(dir, "main") + ":1: includedir " + filepath.Join(dir, "d") +
			": link leads nowhere on this machine; what it would say is left out",
		filepath.Join(dir, "main") + ":2: includedir " + filepath.Join(dir, "none") +
			": there is no such folder on this machine; what it would say is left out",
	}, c.Notes)

	refused(write("missing", "include DIR/none\n"), `DIR/missing:1:1: include "DIR/none": no such file or directory`)
	refused(write("device", "include /dev/zero\n"), `DIR/device:1:1: include "/dev/zero": it is a device, not a regular file`)
	refused(write("relative", "\ninclude d/b\n"), `DIR/relative:2:1: include "d/b": the path is not absolute`)
	refused(write("itself", "include DIR/./itself\n"), `DIR/itself:1:1: DIR/itself includes itself`)
	write("two", "include DIR/one\n")
	refused(write("one", "include DIR/two\n"), `DIR/two:1:1: DIR/one includes itself`)
	for i := range 20 {
		write(fmt.Sprint("deep", i), fmt.Sprintf("include DIR/deep%d\n", i+1))
	}
	refused(filepath.Join(dir, "deep0"), `DIR/deep8:1:1: include "DIR/deep9": files include one another more than 8 deep`)
	write("wide", "[libdefaults]\n")
	refused(write("many", strings.Repeat("include DIR/wide\n", 600)), `DIR/wide: more than 500 files are included`)
	write("big", "#"+strings.Repeat("x", 600<<10))
	refused(write("much", "include DIR/big\ninclude DIR/big\n"), `DIR/much:2:1: include "DIR/big": it is larger than 423 KiB`)

	_, err = krb5conf.Load(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Of a list of files the first counts, and what it calls final is not added to.
func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		return file
	}
	one := write("1", "[libdefaults]\nticket_lifetime = 1h\n[realms]\nA = {\nkdc = a.x\n}\nB* = {\nkdc = b.x\n}\n[domain_realm]*\n.x = A\n")
	two := write("2", "[libdefaults]\nticket_lifetime = 2h\nclockskew = 1m\n[realms]\nA = {\nkdc = c.x\n}\nB = {\nkdc = "+
		"c.x\n}\n[domain_realm]\n.y = B\n")
	c, err := krb5conf.Load(filepath.Join(dir, "none"), one, two)
	require.NoError(t, err)
	require.Equal(t, time.Hour, c.TicketLifetime)
	require.Equal(t, time.Minute, c.ClockSkew)
	require.Equal(t, []string{"a.x:88", "c.x:88"}, c.KDCs("A"))
	require.Equal(t, []string{"b.x:88"}, c.KDCs("B"))
	require.Equal(t, []krb5conf.Domain{{Name: ".x", Realm: "A"}}, c.Domains)
}

// No text makes it panic, and what it wrote it reads as it was.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.conf")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	for _, text := range []string{"[realms]\nP={kdc=a kdc=b}", "[realms]*\nP*={x={}kdc=a}}*", "[libdefaults]\nx=\"\\",
		"[domain_realm]\n.a=B"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := krb5conf.Parse(text, "f")
		if err != nil {
			return
		}
		written := c.Encode()
		again, err := krb5conf.Parse(written, "f")
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		require.Equal(t, string(written), string(again.Encode()))
	})
}
