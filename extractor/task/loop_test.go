package task_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// continuous is a plant whose tags are in two partitions of a continuous tier, and
// the clock that it goes by.
type continuous struct {
	*plant
	clock atomic.Int64
	ends  chan ending
}

type ending struct {
	result task.Result
	err    error
}

func newContinuous(t *testing.T) *continuous {
	c := &continuous{ends: make(chan ending, 2)}
	c.clock.Store(int64(noon))
	c.plant = newPlant(t, simulator.Options{Tags: 60, Clock: func() instant.Ticks { return instant.Ticks(c.clock.Load()) }})
	c.now = func() time.Time { return instant.Ticks(c.clock.Load()).Time().Add(time.Minute) }
	c.params.Until, c.params.UntilMillis = "", time.Now().UnixMilli()
	c.params.Every, c.params.Loops, c.params.Layout = 0.02, 3600, "liquid"
	c.split("plan-1", 30)
	return c
}

// split deploys a bundle whose first partition has so many tags.
func (c *continuous) split(planID string, first int) {
	var list []inventory.Tag
	for _, t := range c.server.Oracle().Tags() {
		list = append(list, inventory.Tag{Site: "plant-a", Name: t.Name, WebID: t.WebID, Tier: "standard", EventsPerHour: t.EventsPerHour,
			PointID: t.PointID})
	}
	slices.SortFunc(list, func(a, b inventory.Tag) int { return strings.Compare(a.Name, b.Name) })
	for i, tags := range [][]inventory.Tag{list[:first], list[first:]} {
		var text bytes.Buffer
		require.NoError(c.t, inventory.Write(&text, tags))
		c.write(manifest.Folder+"/"+manifest.FileName(i), text.String())
	}
	c.write("plan.json", `{"plan_id":"`+planID+`"}`)
}

// start begins the tasks of both partitions, that of the lead last.
func (c *continuous) start(ctx context.Context) {
	for _, partition := range []int{1, 0} {
		params := c.params
		params.Task, params.Partition, params.Lead = manifest.TaskExtract, partition, partition == 0
		go func() {
			result, err := task.Run(ctx, task.Env{Engine: c.lake.Engine("plant"), Params: params, Getenv: c.getenv, Now: c.now})
			c.ends <- ending{result, err}
		}()
	}
}

// landedUpTo moves the clock and waits until so many tags are landed up to it.
func (c *continuous) landedUpTo(at instant.Ticks, tags int) {
	c.t.Helper()
	c.clock.Store(int64(at))
	require.Eventually(c.t, func() bool {
		n := 0
		rows, err := c.lake.DB().Query(`SELECT max(watermark_ticks) FROM checkpoints.tag_watermarks WHERE point_id IS NOT NULL GROUP BY point_id`)
		if err != nil {
			return false // there are no tables yet
		}
		defer rows.Close()
		for rows.Next() {
			var mark instant.Ticks
			if rows.Scan(&mark) == nil && mark == at {
				n++
			}
		}
		return n == tags
	}, time.Minute, 10*time.Millisecond)
}

// Tasks of a continuous tier land what comes in, loop after loop, with nobody
// before them and nobody behind, through what another job does meanwhile; another
// plan ends them.
func TestLoop(t *testing.T) {
	c := newContinuous(t)
	c.start(t.Context())
	for step := range instant.Ticks(4) {
		c.landedUpTo(noon+step*10*instant.Minute, 60)
	}
	require.Greater(t, c.compare(), 1000)

	t.Log("a tag is removed, and another job's discover fences its partition: the loops go on")
	require.NoError(t, c.server.RemoveTag(c.server.Oracle().Tags()[7].Name))
	other := c.params
	other.Task, other.RunID, other.Tier, other.Every = manifest.TaskDiscover, "run-2", "bulk", 0
	_, err := task.Run(t.Context(), task.Env{Engine: c.lake.Engine("plant"), Params: other, Getenv: c.getenv, Now: c.now})
	require.NoError(t, err)
	c.landedUpTo(noon+50*instant.Minute, 59)

	t.Log("another plan is deployed, which moves tags: the loops end, and the next ones go on where they were")
	c.split("plan-2", 20)
	for range 2 {
		end := <-c.ends
		require.NoError(t, end.err)
		require.Contains(t, strings.Join(end.result.Notes, "\n"), "another plan was deployed")
		require.NotZero(t, end.result.Events)
	}
	c.params.RunID = "run-3"
	c.start(t.Context())
	c.landedUpTo(noon+60*instant.Minute, 59)

	t.Log("the time of the job is over by itself")
	c.params.RunID, c.params.UntilMillis = "run-4", time.Now().Add(-2*time.Hour).UnixMilli()
	c.split("plan-3", 20)
	for range 2 {
		require.NoError(t, (<-c.ends).err)
	}
	c.clock.Store(int64(noon + 70*instant.Minute))
	c.start(t.Context())
	for range 2 {
		require.NoError(t, (<-c.ends).err)
	}
	c.landedUpTo(noon+70*instant.Minute, 59)
}

// A loop that is cancelled ends soon, and what it has landed is whole.
func TestLoopIsCancelled(t *testing.T) {
	c := newContinuous(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	c.start(ctx)
	c.landedUpTo(noon, 60)
	stop := errors.New("stop")
	cancel(stop)
	for range 2 {
		require.ErrorIs(t, (<-c.ends).err, stop)
	}
	c.compare()
}

// With an instant, or without a time to loop, there is one loop.
func TestLoopOnce(t *testing.T) {
	c := newContinuous(t)
	c.params.Loops = 0
	c.start(t.Context())
	for range 2 {
		require.NoError(t, (<-c.ends).err)
	}
	c.landedUpTo(noon, 60)
	c.params.Loops, c.params.Until, c.params.RunID = 3600, (noon + 5*instant.Minute).String(), "run-2"
	c.clock.Store(int64(noon + 10*instant.Minute))
	c.start(t.Context())
	for range 2 {
		require.NoError(t, (<-c.ends).err)
	}
	for name, at := range c.watermarks() {
		require.Equal(t, noon+5*instant.Minute, at, name)
	}
	c.compare()
}

// A site that is down for a while ends no loop; one that refuses the credentials does.
func TestLoopOutlivesAnOutage(t *testing.T) {
	c := newContinuous(t)
	var status, failed atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := status.Load(); code != 0 {
			failed.Add(1)
			w.WriteHeader(int(code))
			return
		}
		c.server.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	c.generate(manifest.Site{Name: "plant-a", URL: front.URL + simulator.Root, Auth: manifest.Auth{Kind: "basic", Username: "svc_pi", PasswordEnv: "PI_PLANT_A_PASSWORD"},
		Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 20, ItemsPerCall: 200}, Retry: manifest.Retry{Attempts: 2, BackoffSeconds: 0.005, TimeoutSeconds: 10}})
	c.split("plan-1", 30)
	status.Store(http.StatusServiceUnavailable) // from the start: the lead cannot assign anything
	outage := func() {
		before := failed.Load()
		require.Eventually(t, func() bool { return failed.Load() > before+20 }, time.Minute, 10*time.Millisecond)
		status.Store(0)
	}
	c.start(t.Context())
	outage()
	c.landedUpTo(noon, 60)
	status.Store(http.StatusBadGateway)
	outage()
	c.landedUpTo(noon+10*instant.Minute, 60)
	require.Empty(t, c.ends, "no task ended")

	rows := 0
	require.NoError(t, c.lake.DB().QueryRow("SELECT count(*) FROM monitoring.pipeline_metrics WHERE status = 'FAILED' AND error LIKE '%(502)%'").Scan(&rows))
	require.Equal(t, 2, rows, "each task recorded it once")

	status.Store(http.StatusUnauthorized)
	for range 2 {
		require.ErrorIs(t, (<-c.ends).err, task.ErrRefused)
	}
	c.compare()
}
