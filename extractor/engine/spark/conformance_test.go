package spark_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
	"github.com/bundlegen/bundlegen/extractor/engine/spark"
)

var allCases = flag.Bool("all-cases", false, "every case of the conformance suite, not only its core: about twenty minutes")

func TestConformance(t *testing.T) {
	if *allCases {
		enginetest.Run(t, newSubject(t))
		return
	}
	enginetest.RunCore(t, newSubject(t))
}

// subject is a lake: a prefix of schemas of its own in the shared sessions' catalog.
type subject struct {
	session *spark.Session // of the suite itself
	prefix  string
	staging string
	engines int // that were given
}

var lakes atomic.Int64

func newSubject(t testing.TB) *subject {
	session(t)
	n := lakes.Add(1)
	return &subject{session: lab.sessions[n%int64(len(lab.sessions))], prefix: fmt.Sprintf("lake%d_", n), engines: int(n),
		// No column comes from a path, and no path is a pattern.
		staging: filepath.Join(t.TempDir(), "value=42", "tag_name=x", "{a,b} [c] *")}
}

func (s *subject) options(p enginetest.Process) spark.Options {
	return spark.Options{Pipeline: p.Pipeline, Catalog: "spark_catalog", SchemaPrefix: s.prefix, Staging: s.staging, RunID: p.RunID, Attempt: p.Attempt, Steps: p.Steps}
}

func (s *subject) Engine(_ testing.TB, p enginetest.Process) engine.Engine {
	s.engines++ // one session does one thing at a time: engines beside each other have others
	return spark.New(lab.sessions[s.engines%len(lab.sessions)], s.options(p))
}

// Reopen does nothing: an engine holds nothing that a crash would take, and
// leases are in force until their time is over.
func (s *subject) Reopen(testing.TB) {}

func (s *subject) Fresh(t testing.TB) enginetest.Subject { return newSubject(t) }

func (s *subject) Query(t testing.TB, query string) [][]string {
	rows, err := spark.Texts(t.Context(), s.session, query)
	require.NoError(t, err)
	return rows
}

func (s *subject) Exec(t testing.TB, statement string) {
	_, err := spark.Texts(t.Context(), s.session, statement)
	require.NoError(t, err)
}

func (s *subject) Schema(name string) string { return "`spark_catalog`.`" + s.prefix + name + "`" }

func (s *subject) Micros() string { return "unix_micros" }

func (s *subject) Schedules() int { return 3 }

func (s *subject) Rounds() int {
	if *allCases {
		return 20
	}
	return 3
}
