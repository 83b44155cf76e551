package task_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// refusing puts a server in front of a plant's that answers 401 to requests whose path
// has a part, prints what it was sent, and counts them. It does so while armed.
func refusing(t *testing.T, p *plant, part string, armed *atomic.Bool) *atomic.Int64 {
	var refused atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if armed.Load() && strings.Contains(r.URL.Path, part) {
			refused.Add(1)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"Message":"refused: ` + r.Header.Get("Authorization") + `, password correct horse"}`))
			return
		}
		p.server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p.generate(manifest.Site{Name: "plant-a", URL: front.URL + simulator.Root,
		Auth:   manifest.Auth{Kind: "basic", Username: "svc_pi", PasswordEnv: "PI_PLANT_A_PASSWORD"},
		Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 20, ItemsPerCall: 200},
		Retry:  manifest.Retry{Attempts: 4, BackoffSeconds: 0.005, TimeoutSeconds: 10}})
	return &refused
}

// A password is tried once in a run, whatever refuses it: the list, the data, or the
// counts; by many tasks at once, by shards, and by a retry in a process of its own.
func TestARefusedPasswordIsTriedOnce(t *testing.T) {
	for _, shards := range []bool{false, true} {
		p := newPlant(t, simulator.Options{Tags: 60})
		var armed atomic.Bool
		refused := refusing(t, p, "/recorded", &armed)
		p.discover()
		armed.Store(true)
		var runner *cluster
		if shards {
			runner = &cluster{getenv: p.getenv}
		}
		env := func() task.Env {
			e := task.Env{Engine: p.lake.Engine("plant"), Params: p.params, Getenv: p.getenv}
			e.Params.Task = manifest.TaskExtract
			if runner != nil {
				e.Shards, e.GracePeriod = runner, 1
			}
			return e
		}
		var tasks sync.WaitGroup
		access := new(piwebapi.Accesses)
		for range 3 {
			e := env()
			e.Access = access
			tasks.Go(func() {
				res, err := task.Run(t.Context(), e)
				require.ErrorIs(t, err, task.ErrRefused)
				require.Equal(t, batch.Refused, res.Status)
				require.NotContains(t, err.Error(), "correct horse")
				require.NotContains(t, err.Error(), "Basic c3ZjX")
				require.Contains(t, err.Error(), "[redacted]")
			})
		}
		tasks.Wait()
		require.EqualValues(t, 1, refused.Load())

		e := env()
		e.Params.Attempt = 2 // in another process, which knows nothing of the first
		res, err := task.Run(t.Context(), e)
		require.ErrorIs(t, err, task.ErrRefused)
		require.Equal(t, batch.Refused, res.Status)
		require.EqualValues(t, 1, refused.Load())

		e.Params.RunID, e.Params.Attempt = "run-2", 1
		p.params.RunID = "run-2"
		armed.Store(false)
		p.discover()
		armed.Store(true)
		_, err = task.Run(t.Context(), e)
		require.ErrorIs(t, err, task.ErrRefused)
		require.EqualValues(t, 2, refused.Load(), "the next run tries again")
	}
}

// Discover asks for lists and then for data, once in a run; the site's other tasks
// send nothing after a refusal.
func TestARefusedPasswordOfDiscover(t *testing.T) {
	for _, part := range []string{"/dataservers", "/points", "/streamsets/recorded"} {
		p := newPlant(t, simulator.Options{Tags: 5})
		var armed atomic.Bool
		armed.Store(true)
		refused := refusing(t, p, part, &armed)
		for attempt := 1; attempt <= 3; attempt++ {
			p.params.Attempt = attempt
			_, err := p.run(manifest.TaskDiscover, nil)
			require.ErrorIs(t, err, task.ErrRefused)
		}
		require.EqualValues(t, 1, refused.Load(), part)
		before := p.server.Stats().Requests
		p.params.Attempt = 1
		_, err := p.run(manifest.TaskExtract, nil)
		require.ErrorContains(t, err, "discover recorded nothing")
		require.Equal(t, before, p.server.Stats().Requests, part)
	}
}
