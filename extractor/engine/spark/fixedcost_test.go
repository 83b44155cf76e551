package spark_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
	"github.com/bundlegen/bundlegen/extractor/engine/spark"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// mostStatements bounds what a task costs that has nothing to do: on Spark a
// statement takes about as long as reading a hundred thousand events.
const mostStatements = 6

// An extract task with nothing new asks Spark for little: what it costs is the
// number of its statements, whatever the machine.
func TestStatementsOfAnExtractionWithNothingNew(t *testing.T) {
	p := newPlant(t)
	p.run(manifest.TaskDiscover)
	landed, statements := p.run(manifest.TaskExtract)
	require.Positive(t, landed.Events)
	t.Logf("%d statements of an extraction that lands a batch", statements)

	again, statements := p.run(manifest.TaskExtract)
	require.Zero(t, again.Events)
	require.Equal(t, landed.Tags, again.Tags)
	t.Logf("%d statements of one with nothing new", statements)
	require.LessOrEqual(t, statements, int64(mostStatements))
}

// plant is a site, the bundle of its one partition, and a lake in the shared session.
type plant struct {
	*testing.T
	subject *subject
	params  manifest.Parameters
}

func newPlant(t *testing.T) *plant {
	const noon = 1_767_268_800 * instant.Second // 2026-01-01T12:00:00Z
	server := simulator.New(simulator.Options{Seed: 20261123, Tags: 20, Clock: func() instant.Ticks { return noon }})
	url, err := server.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	limits := manifest.Limits{RequestsPerSecond: 1000, Connections: 4, ItemsPerCall: 5000}
	p := &plant{T: t, subject: newSubject(t), params: manifest.Parameters{Pipeline: "plant", Catalog: "spark_catalog", Bundle: t.TempDir(), Tier: "standard",
		RunID: "run-1", Until: noon.String(), Attempt: 1, Site: "plant-a", Limits: limits, MaxWindow: 7200, TagsPerShard: 1000, Backfill: 3600}}
	var sites, tags bytes.Buffer
	require.NoError(t, manifest.WriteSites(&sites, manifest.Sites{Sites: []manifest.Site{{Name: "plant-a", URL: url, Auth: manifest.Auth{Kind: "anonymous"},
		Limits: limits, Retry: manifest.Retry{Attempts: 2, BackoffSeconds: 0.01, TimeoutSeconds: 10}}}}))
	var list []inventory.Tag
	for _, tag := range server.Oracle().Tags() {
		list = append(list, inventory.Tag{Site: "plant-a", Name: tag.Name, WebID: tag.WebID, Tier: "standard", EventsPerHour: tag.EventsPerHour, PointID: tag.PointID})
	}
	slices.SortFunc(list, func(a, b inventory.Tag) int { return strings.Compare(a.Name, b.Name) })
	require.NoError(t, inventory.Write(&tags, list))
	p.write(manifest.SitesFile, sites.Bytes())
	p.write(filepath.Join(manifest.Folder, "partition-0000.csv"), tags.Bytes())
	p.write("plan.json", []byte(`{"plan_id":"plan-1"}`))
	return p
}

func (p *plant) write(name string, data []byte) {
	path := filepath.Join(p.params.Bundle, name)
	require.NoError(p, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(p, os.WriteFile(path, data, 0o600))
}

// run runs a task, which has to succeed, and counts what it asks Spark for.
func (p *plant) run(name string) (result task.Result, statements int64) {
	p.Helper()
	params := p.params
	params.Task = name
	before := requests()
	result, err := task.Run(p.Context(), task.Env{Params: params, Getenv: os.LookupEnv,
		Engine: p.subject.Engine(p, enginetest.Process{Pipeline: params.Pipeline, RunID: params.RunID, Attempt: params.Attempt})})
	require.NoError(p, err)
	return result, requests() - before
}

// requests counts what all sessions were asked.
func requests() (n int64) {
	for _, s := range lab.sessions {
		n += spark.Requests(s)
	}
	return n
}
