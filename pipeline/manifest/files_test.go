package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func TestManifest(t *testing.T) {
	tags := []inventory.Tag{
		{Site: "s", Name: "A, b", Tier: "bulk", EventsPerHour: -1, PointID: 9},
		{Site: "s", Name: "a", Tier: "bulk", EventsPerHour: 3600},
		{Site: "s", Name: "é", Tier: "bulk", EventsPerHour: 0, Future: true},
	}
	refused := func(want string, tags ...inventory.Tag) {
		_, err := manifest.Append(nil, tags)
		require.ErrorContains(t, err, want)
	}
	refused(`tag "A, b" is there twice in one partition`, tags[0], tags[0])
	refused(`tag "a" stands before "A, b"`, tags[1], tags[0])
	refused("are in one partition", tags[0], inventory.Tag{Site: "s", Name: "b", Tier: "standard"})
	refused("site r", tags[0], inventory.Tag{Site: "r", Name: "b", Tier: "bulk"})

	text, err := manifest.Append([]byte("before\n"), tags[:1])
	require.NoError(t, err)
	require.Equal(t, "before\n"+inventory.Header+"\ns,\"A, b\",,,,,,bulk,,,9\n", string(text))

	tags = []inventory.Tag{tags[0], tags[2]}
	text, err = manifest.Append(nil, tags)
	require.NoError(t, err)
	got, err := manifest.Read(bytes.NewReader(text), "partition-0001.csv")
	require.NoError(t, err)
	require.Equal(t, tags, got)

	_, err = manifest.Read(strings.NewReader("tag\n"), manifest.FileName(12))
	require.ErrorContains(t, err, "partition-0012.csv:2:1: no tags")
}

// anySites draws sites.json's content.
func anySites(t *rapid.T) manifest.Sites {
	s := manifest.Sites{Version: manifest.SitesVersion, Sites: []manifest.Site{}}
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"<a&b>", "\"", "\u2028"}))
	count := rapid.IntRange(1, 1<<30)
	number := rapid.Float64Range(1e-3, 1e6)
	for i := range rapid.IntRange(0, 4).Draw(t, "sites") {
		s.Sites = append(s.Sites, manifest.Site{
			Name:       string(rune('a'+i)) + text.Draw(t, "name"),
			URL:        "https://h/piwebapi",
			DataServer: text.Draw(t, "server"),
			Auth: manifest.Auth{
				Kind:     rapid.SampledFrom([]string{"basic", "bearer", "kerberos", "anonymous"}).Draw(t, "kind"),
				Username: text.Draw(t, "user"), PasswordEnv: text.Draw(t, "env"), TokenEnv: text.Draw(t, "env"),
				Principal: text.Draw(t, "principal"), KeytabEnv: text.Draw(t, "env"), Krb5Conf: text.Draw(t, "conf"), SPN: text.Draw(t, "spn"),
			},
			TLS:   manifest.TLS{CAFile: text.Draw(t, "file"), CAEnv: text.Draw(t, "env")},
			Proxy: text.Draw(t, "proxy"),
			Limits: manifest.Limits{
				RequestsPerSecond: number.Draw(t, "rps"),
				Connections:       count.Draw(t, "connections"),
				ItemsPerCall:      count.Draw(t, "items"),
			},
			Retry: manifest.Retry{
				Attempts:       count.Draw(t, "attempts"),
				BackoffSeconds: number.Draw(t, "backoff"),
				TimeoutSeconds: number.Draw(t, "timeout"),
			},
		})
	}
	return s
}

func TestWriteThenReadSites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sites := anySites(t)
		var b, again bytes.Buffer
		require.NoError(t, manifest.WriteSites(&b, sites))
		require.True(t, bytes.HasSuffix(b.Bytes(), []byte("}\n")))
		got, err := manifest.ReadSites(bytes.NewReader(b.Bytes()), "sites.json")
		require.NoError(t, err)
		require.Equal(t, sites, got)
		require.NoError(t, manifest.WriteSites(&again, got))
		require.Equal(t, b.String(), again.String())
	})
}

const oneSite = `{
  "version": 1,
  "sites": [
    {
      "name": "plant-a",
      "url": "https://pi/piwebapi",
      "data_server": "",
      "auth": {
        "kind": "anonymous"
      },
      "limits": {
        "requests_per_second": 500,
        "connections": 32,
        "items_per_call": 150000
      },
      "retry": {
        "attempts": 5,
        "backoff_seconds": 0.5,
        "timeout_seconds": 120
      }
    }
  ]
}
`

func TestSitesAsWritten(t *testing.T) {
	sites, err := manifest.ReadSites(strings.NewReader(oneSite), "sites.json")
	require.NoError(t, err)
	var b bytes.Buffer
	sites.Version = 0 // the writer's own is written
	require.NoError(t, manifest.WriteSites(&b, sites))
	require.Equal(t, oneSite, b.String())
}

func TestReadSitesRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"version": 1`, `"version": 2`, "sites.json:1:1: version 2 is newer than this program, which knows 1\nhint: install the bundlegen that wrote the bundle, or a newer one"},
		{`"version": 1,`, `"version": 2, "shape": "new",`, "is newer than this program"},
		{`"version": 1`, `"version": 0`, "version 0; allowed: 1"},
		{`"version": 1,`, ``, "the version is missing"},
		{`"version": 1`, `"version": "1"`, "sites.json:2:17: key version is of another type; allowed: int"},
		{`"url"`, `"uri"`, `sites.json:6:7: unknown key "uri"`},
		{`32,`, `"32",`, "sites.json:13:28: key sites.limits.connections is of another type; allowed: int"},
		{`"plant-a",`, `"plant-a"`, "sites.json:6:8: invalid character"},
		{"}\n", "}\n{}", "sites.json:24:2: invalid character '{' after top-level value"},
		{oneSite, "", "sites.json:1:1: unexpected end of JSON input"},
		{`"plant-a"`, `""`, "site 1 has no name"},
		{`"https://pi/piwebapi"`, `""`, `site "plant-a" has no url`},
		{`"anonymous"`, `"ntlm"`, `site "plant-a": unknown auth kind "ntlm"; allowed: basic, bearer, kerberos, anonymous`},
		{`500`, `0`, "limits have to be above 0"},
		{`: 5,`, `: 0,`, "at least 1 attempt"},
	} {
		text := strings.Replace(oneSite, c.old, c.new, 1)
		if c.old == "}\n" {
			text = oneSite + "{}"
		}
		require.NotEqual(t, oneSite, text)
		_, err := manifest.ReadSites(strings.NewReader(text), "sites.json")
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "\nhint: ")
	}

	var s manifest.Sites
	require.NoError(t, json.Unmarshal([]byte(oneSite), &s))
	s.Sites = append(s.Sites, s.Sites[0])
	require.ErrorContains(t, manifest.WriteSites(&bytes.Buffer{}, s), `site "plant-a" is there twice`)

	broken := errors.New("broken")
	_, err := manifest.ReadSites(iotest.ErrReader(broken), "sites.json")
	require.ErrorIs(t, err, broken)
}
