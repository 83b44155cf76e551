package workflow_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
)

const pipeline = `version: 1
name: demo
catalog: main
inventory: inventory.csv
sites:
  - {name: plant-a, url: "https://pi.example", auth: {kind: anonymous}}
tiers:
  - {name: standard, every: 1h}
`

// Who deploys is told how old the last green doctor is, what came after it, and that
// it is about other sites or other compute.
func TestDoctorNote(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipeline.yml")
	load := func(text string) *config.Pipeline {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		p, err := config.Load(file)
		require.NoError(t, err)
		return p
	}
	p, now := load(pipeline), time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	note := func(p *config.Pipeline, want string) {
		t.Helper()
		got, err := workflow.DoctorNote(p, now)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	red, green := &doctor.Report{Findings: []doctor.Finding{{State: doctor.Fail}}}, &doctor.Report{}

	note(p, "no doctor has looked at the sites yet: bundlegen doctor")
	require.NoError(t, workflow.RecordDoctor(p, red, now.Add(-3*time.Hour)))
	note(p, "no doctor was green yet; the last, 3 h ago, found 1 fault: bundlegen doctor")
	require.NoError(t, workflow.RecordDoctor(p, green, now.Add(-2*time.Hour)))
	note(p, "the last green doctor is 2 h old")
	note(load(pipeline+"compute: {single_cluster: true}\n"),
		"the last green doctor is 2 h old, and sites or compute have changed since: bundlegen doctor")
	require.NoError(t, workflow.RecordDoctor(p, red, now.Add(-time.Hour)))
	note(p, "the last green doctor is 2 h old; one since, 1 h ago, found 1 fault: bundlegen doctor")
}
