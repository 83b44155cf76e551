package task_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// checked returns the only row of monitoring.completeness of a run.
func (p *plant) checked(run string) (tags, uncounted int, share float64, method, compares string) {
	require.NoError(p.t, p.lake.DB().QueryRow(`SELECT tags_checked, uncounted_tags, completeness, method, compares FROM `+
		`monitoring.completeness WHERE run_id = ?`, run).
		Scan(&tags, &uncounted, &share, &method, &compares))
	return tags, uncounted, share, method, compares
}

// A tag that PI cannot count is left out of completeness, and said; it fails nothing.
func TestValidateLeavesOutWhatCannotBeCounted(t *testing.T) {
	for name, o := range map[string]simulator.Options{
		"the whole call fails": {Tags: 60},
		"its part fails":       {Tags: 60, WithoutQuirks: []simulator.Quirk{simulator.WholeSetFails}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, o)
			p.discover()
			_, err := p.run(manifest.TaskExtract, nil)
			require.NoError(t, err)
			tags := p.server.Oracle().Tags()
			for _, i := range []int{0, 31, 59} {
				require.NoError(t, p.server.FailTag(tags[i].Name, simulator.FaultSummary))
			}
			p.params.MinCompleteness = 1
			result, err := p.run(manifest.TaskValidate, nil)
			require.NoError(t, err)
			require.Contains(t, strings.Join(result.Notes, "\n"), "3 of 60 tags could not be counted, and are left out of the completeness, for instance ")
			checked, uncounted, share, method, compares := p.checked("run-1")
			require.Equal(t, []any{57, 3, 1.0, "count"}, []any{checked, uncounted, share, method})
			require.Contains(t, compares, "what PI counts in the range that the run landed last of each tag")
		})
	}
}

// Where PI counts none of the sample, the events are read once more, and the row shows it.
func TestValidateReadsOnceMoreWhatIsNotCounted(t *testing.T) {
	for name, o := range map[string]simulator.Options{
		"no tag is counted": {Tags: 3}, "there are no summaries": {Tags: 30, Quirks: []simulator.Quirk{simulator.NoSummary}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, o)
			p.discover()
			_, err := p.run(manifest.TaskExtract, nil)
			require.NoError(t, err)
			if o.Tags == 3 {
				for _, tag := range p.server.Oracle().Tags() {
					require.NoError(t, p.server.FailTag(tag.Name, simulator.FaultSummary))
				}
			}
			_, err = p.run(manifest.TaskValidate, nil)
			require.NoError(t, err)
			checked, uncounted, share, method, compares := p.checked("run-1")
			require.Equal(t, []any{o.Tags, 0, 1.0, "reread"}, []any{checked, uncounted, share, method})
			require.Contains(t, compares, "read once more")
		})
	}
}

// A site that fails for a while is asked again; one that goes on failing ends the
// task with an error that another attempt may do better than.
func TestValidateAsksASiteThatFailsAgain(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 10})
	var failing atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failing.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p.generate(manifest.Site{Name: "plant-a", URL: front.URL + simulator.Root,
		Auth:   manifest.Auth{Kind: "basic", Username: "svc_pi", PasswordEnv: "PI_PLANT_A_PASSWORD"},
		Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 1, ItemsPerCall: 200},
		Retry:  manifest.Retry{Attempts: 2, BackoffSeconds: 0.001, TimeoutSeconds: 10}})
	p.discover()
	_, err := p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)

	failing.Store(40)
	_, err = p.run(manifest.TaskValidate, nil)
	require.NoError(t, err)
	_, uncounted, share, _, _ := p.checked("run-1")
	require.Zero(t, uncounted)
	require.Equal(t, 1.0, share)

	failing.Store(1 << 40)
	result, err := p.run(manifest.TaskValidate, nil)
	require.ErrorContains(t, err, "partition 0 of site plant-a could not be counted: ")
	require.NotErrorIs(t, err, task.ErrFailed)
	require.False(t, result.Final)
}

// What another attempt cannot mend is final: an extraction that failed, a discover
// that did not finish, events that are not there.
func TestWhatValidateFindsIsFinal(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 10})
	p.discover()
	_, err := p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)

	other := p.params.RunID
	p.params.RunID = "no such run"
	result, err := p.run(manifest.TaskValidate, nil)
	require.ErrorContains(t, err, "discover did not finish in this run")
	require.True(t, result.Final)

	p.params.RunID, p.params.MinCompleteness = other, 0.99
	_, err = p.lake.DB().Exec(`DELETE FROM bronze.pi_timeseries WHERE tag_name = (SELECT any_value(tag_name) FROM bronze.pi_timeseries)`)
	require.NoError(t, err)
	result, err = p.run(manifest.TaskValidate, nil)
	require.ErrorContains(t, err, "completeness below 99.0% in partition 0 (site plant-a)")
	require.True(t, result.Final)

	p.params.RunID = "run-2"
	p.discover()
	result, err = p.run(manifest.TaskValidate, nil)
	require.ErrorContains(t, err, "extraction of partition 0 of site plant-a did not end")
	require.True(t, result.Final)
	require.Equal(t, batch.Failed, result.Status)
}
