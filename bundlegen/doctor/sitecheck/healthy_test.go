package sitecheck_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/bundlegen/doctor/sitecheck"
	"github.com/bundlegen/bundlegen/extractor/simulator"
)

// faulty are the quirks that are faults; all others are ways in which healthy
// servers differ.
var faulty = []simulator.Quirk{
	simulator.NotConnected, simulator.WebExceptions, simulator.CutBodies, simulator.HTMLErrors, simulator.AuthLoop,
	simulator.CSRFDefense, // its absence
}

// A healthy server gives no cause for alarm, whatever its kind of sign-in and its habits.
func TestHealthySites(t *testing.T) {
	setSecrets(t)
	healthy := map[string]func(t *testing.T) planted{
		"anonymous": func(t *testing.T) planted { _, url := started(t, simulator.Options{}); return planted{url: url} },
		"basic": func(t *testing.T) planted {
			_, url := started(t, simulator.Options{Auth: behindBasic})
			return planted{url: url, auth: basicAuth}
		},
		"bearer": func(t *testing.T) planted {
			_, url := started(t, simulator.Options{Auth: behindBearer})
			return planted{url: url, auth: bearerAuth}
		},
		"TLS": func(t *testing.T) planted {
			s, url := started(t, simulator.Options{TLS: true, Auth: behindBasic})
			return planted{url: url, auth: basicAuth, more: "    tls: {ca_file: ca.pem}", files: map[string][]byte{"ca.pem": s.CA()}}
		},
		"inventory": func(t *testing.T) planted {
			s, url := started(t, simulator.Options{Tags: 300, WebIDType: simulator.IDOnly})
			tags := rows(s)
			for i, tag := range s.Oracle().Tags() {
				tags[i].WebID = s.Oracle().WebID(tag.Index, simulator.IDOnly)
			}
			return planted{url: url, options: sitecheck.Options{Tags: tags}}
		},
		"slow": func(t *testing.T) planted {
			_, url := started(t, simulator.Options{Latency: 100 * time.Millisecond, TagLatency: 5 * time.Millisecond, Threads: 4})
			return planted{url: url}
		},
		"points by source": func(t *testing.T) planted {
			_, url := started(t, simulator.Options{})
			return planted{url: url, more: "    points: {point_source: [R]}"}
		},
		"few events": func(t *testing.T) planted {
			_, url := started(t, simulator.Options{EventsPerHour: 0.01})
			return planted{url: url}
		},
	}
	for _, q := range simulator.Quirks() {
		if slices.Contains(faulty, q.Quirk) {
			continue
		}
		o := simulator.Options{Auth: behindBasic}
		if q.Default {
			o.WithoutQuirks = []simulator.Quirk{q.Quirk}
		} else {
			o.Quirks = []simulator.Quirk{q.Quirk}
		}
		healthy["quirk "+q.Name] = func(t *testing.T) planted {
			_, url := started(t, o)
			return planted{url: url, auth: basicAuth}
		}
	}
	for name, plant := range healthy {
		t.Run(name, func(t *testing.T) {
			all := look(t, plant(t))
			require.Empty(t, bad(all))
			for _, f := range all {
				assert.Equal(t, doctor.OK, f.State, "%+v", f)
				assert.NotEmpty(t, f.What)
				assert.NotRegexp(t, `\{[a-z]+\}`, f.What)
			}
		})
	}
}

// A wrong password is tried once, and nothing is ever written.
func TestOneAttemptAndNoWrite(t *testing.T) {
	setSecrets(t)
	s, url := started(t, simulator.Options{Auth: simulator.Auth{Kind: simulator.Basic, User: "svc", Password: "another"}})
	require.Len(t, bad(look(t, planted{url: url, auth: basicAuth})), 1)
	assert.LessOrEqual(t, s.Stats().ByStatus[401], int64(2), "one of them without an account")

	s, url = started(t, simulator.Options{})
	require.Empty(t, bad(look(t, planted{url: url})))
	assert.Zero(t, s.Stats().WriteAlarms)
}
