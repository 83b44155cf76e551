package piwebapi_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// connect starts a simulator and makes a client for it, over real connections.
func connect(t testing.TB, o simulator.Options, limits manifest.Limits) (*simulator.Server, *piwebapi.Client) {
	t.Helper()
	o.Clock = func() instant.Ticks { return epoch + 2*instant.Hour }
	server := simulator.New(o)
	address, err := server.Start("127.0.0.1:0")
	require.NoError(t, err)
	site := manifest.Site{Name: "plant-a", URL: address, Auth: manifest.Auth{Kind: "anonymous"}, Limits: limits,
		Retry: manifest.Retry{Attempts: 4, BackoffSeconds: 0.005, TimeoutSeconds: 10}}
	env := map[string]string{"PW": o.Auth.Password, "CA": string(server.CA())}
	if o.Auth.Kind == simulator.Basic {
		site.Auth = manifest.Auth{Kind: "basic", Username: o.Auth.User, PasswordEnv: "PW"}
	}
	if o.TLS {
		site.TLS.CAEnv = "CA"
	}
	transport, err := auth.NewTransport(site, auth.Folder(""), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	require.NoError(t, err)
	c, err := piwebapi.New(piwebapi.Options{Site: site, Limits: limits, Transport: transport})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		assert.NoError(t, server.Close())
	})
	return server, c
}

// table is a Sink that keeps whole events, by stream.
type table struct {
	client *piwebapi.Client
	mu     sync.Mutex
	rows   map[int32][]simulator.Event
	done   map[int32]ended
}

func newTable(c *piwebapi.Client) *table {
	return &table{client: c, rows: map[int32][]simulator.Event{}, done: map[int32]ended{}}
}

func (k *table) Events(_ context.Context, b *columns.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, stream := range b.Stream {
		f := b.Flags[i]
		e := simulator.Event{Ticks: instant.Ticks(b.Ticks[i]),
			HasValue: f&columns.HasValue != 0, HasText: f&columns.HasText != 0, HasCode: f&columns.HasCode != 0,
			Good: f&columns.Good != 0, Questionable: f&columns.Questionable != 0,
			Substituted: f&columns.Substituted != 0, Annotated: f&columns.Annotated != 0}
		if e.HasValue {
			e.Value = b.Value[i]
		}
		if e.HasText {
			e.Text = b.Strings.Text(b.Text[i])
		}
		if e.HasCode {
			e.Code = b.Code[i]
		}
		k.rows[stream] = append(k.rows[stream], e)
	}
	k.client.Free(b)
	return nil
}

func (k *table) Done(i int, o batch.Outcome, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, twice := k.done[int32(i)]; twice {
		err = errors.New("done twice")
	}
	k.done[int32(i)] = ended{o, err}
}

func sameEvent(a, b simulator.Event) bool {
	if math.IsNaN(a.Value) && math.IsNaN(b.Value) {
		a.Value, b.Value = 0, 0
	}
	return a == b
}

func (k *table) verify(t testing.TB, oracle *simulator.Oracle, streams []batch.Stream) {
	t.Helper()
	for _, s := range streams {
		want := oracle.Events(int(s.Index), s.After, k.done[s.Index].To)
		if !slices.EqualFunc(k.rows[s.Index], want, sameEvent) {
			t.Errorf("stream %d %q: %d events, and not the oracle's %d", s.Index, s.Name, len(k.rows[s.Index]), len(want))
		}
	}
	assert.Len(t, k.done, len(streams))
}

// streamsOf reads all tags of the oracle over an hour.
func streamsOf(oracle *simulator.Oracle, kind simulator.WebIDType) []batch.Stream {
	var streams []batch.Stream
	for _, tag := range oracle.Tags() {
		streams = append(streams, batch.Stream{Index: int32(tag.Index), WebID: oracle.WebID(tag.Index, kind), Name: tag.Name,
			Numeric:       strings.HasPrefix(tag.PointType.String(), "Float") || strings.HasPrefix(tag.PointType.String(), "Int"),
			EventsPerHour: -1, After: epoch, Until: epoch + instant.Hour})
	}
	return streams
}

// Against a strict server, with each of its quirks the other way round: every
// event that it holds, once, as it is.
func TestAllQuirks(t *testing.T) {
	limits := manifest.Limits{Connections: 3, ItemsPerCall: 5000}
	run := func(t *testing.T, o simulator.Options, kind simulator.WebIDType) {
		o.Seed, o.Tags, o.MaxItemsPerCall = 7, 120, 5000
		server, c := connect(t, o, limits)
		streams := streamsOf(server.Oracle(), kind)
		k := newTable(c)
		require.NoError(t, c.Recorded(t.Context(), streams, k))
		for _, o := range k.done {
			require.NoError(t, o.Err)
		}
		k.verify(t, server.Oracle(), streams)
		assert.Zero(t, server.Stats().WriteAlarms)
	}
	for _, kind := range []simulator.WebIDType{simulator.Full, simulator.IDOnly, simulator.PathOnly} {
		t.Run("WebIDs "+string(kind), func(t *testing.T) { run(t, simulator.Options{}, kind) })
	}
	for _, q := range simulator.Quirks() {
		if q.Quirk == simulator.AuthLoop {
			continue // TestLoopingAuthentication
		}
		t.Run(q.Name, func(t *testing.T) {
			o := simulator.Options{Quirks: []simulator.Quirk{q.Quirk}}
			if q.Default {
				o = simulator.Options{WithoutQuirks: []simulator.Quirk{q.Quirk}}
			}
			run(t, o, simulator.IDOnly)
		})
	}
	t.Run("all faults", func(t *testing.T) {
		run(t, simulator.Options{Faults: simulator.Faults{CutEvery: 7, WebExceptionEvery: 9, HTMLEvery: 8, TooManyEvery: 5}}, simulator.IDOnly)
	})
	t.Run("rate limit", func(t *testing.T) {
		run(t, simulator.Options{RateLimit: simulator.RateLimit{Requests: 3, Per: 20 * time.Millisecond}}, simulator.IDOnly)
	})
	t.Run("TLS and a password", func(t *testing.T) {
		run(t, simulator.Options{TLS: true, Auth: simulator.Auth{Kind: simulator.Basic, User: "svc", Password: "s3cret"}}, simulator.IDOnly)
	})
}

// Tags that always fail, each in its way, beside tags that must not suffer.
func TestFailingTags(t *testing.T) {
	server, c := connect(t, simulator.Options{Seed: 3, Tags: 150}, manifest.Limits{Connections: 4})
	oracle := server.Oracle()
	tags := oracle.Tags()
	faults := []simulator.TagFault{simulator.FaultPermission, simulator.FaultTimeout, simulator.FaultNotFound, simulator.FaultException}
	kinds := []piwebapi.Kind{piwebapi.Forbidden, piwebapi.Timeout, piwebapi.NotFound, piwebapi.TooLarge}
	bad := map[int32]piwebapi.Kind{}
	for i, f := range faults {
		tag := tags[20+i*31]
		require.NoError(t, server.FailTag(tag.Name, f))
		bad[int32(tag.Index)] = kinds[i]
	}
	streams := streamsOf(oracle, simulator.IDOnly)
	k := newTable(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, oracle, streams)
	for i, o := range k.done {
		kind, isBad := bad[i]
		if !isBad {
			assert.NoError(t, o.Err)
			continue
		}
		assert.Equal(t, kind, asError(t, o.Err).Kind)
		assert.Equal(t, epoch, o.To)
	}
}

func TestLoopingAuthentication(t *testing.T) {
	server, c := connect(t, simulator.Options{Tags: 500, Quirks: []simulator.Quirk{simulator.AuthLoop},
		Auth: simulator.Auth{Kind: simulator.Basic, User: "svc", Password: "s3cret"}}, manifest.Limits{Connections: 8})
	streams := streamsOf(server.Oracle(), simulator.IDOnly)
	e := asError(t, c.Recorded(t.Context(), streams, newTable(c)))
	assert.Equal(t, piwebapi.Unauthorized, e.Kind)
	assert.NotContains(t, e.Error(), "s3cret")
	assert.EqualValues(t, 1, server.Stats().Requests)
}

// The lists agree with the oracle.
func TestLists(t *testing.T) {
	for _, quirks := range [][]simulator.Quirk{nil, {simulator.WebIDTypeIgnored, simulator.HTMLErrors}} {
		server, c := connect(t, simulator.Options{Seed: 5, Tags: 12_345, Quirks: quirks}, manifest.Limits{Connections: 4})
		oracle := server.Oracle()
		ctx := t.Context()

		ds, err := c.DataServer(ctx, "")
		require.NoError(t, err)
		assert.Equal(t, "PISRV1", ds.Name)
		assert.Equal(t, epoch+2*instant.Hour, ds.ServerTime)
		_, err = c.DataServer(ctx, "pisrv1")
		require.NoError(t, err)

		var points []piwebapi.Point
		require.NoError(t, c.Points(ctx, ds, func(page []piwebapi.Point) error {
			points = append(points, page...)
			return nil
		}))
		tags := oracle.Tags()
		require.Len(t, points, len(tags))
		for i, tag := range tags {
			kind := simulator.IDOnly
			if quirks != nil {
				kind = simulator.Full
			}
			require.Equal(t, piwebapi.Point{WebID: oracle.WebID(tag.Index, kind), ID: tag.PointID, Name: tag.Name,
				Descriptor: tag.Descriptor, PointType: tag.PointType.String(), DigitalSet: tag.DigitalSet,
				Units: tag.Units, Future: tag.Future}, points[i])
		}

		sets, err := c.DigitalSets(ctx, ds)
		require.NoError(t, err)
		require.NotEmpty(t, sets)
		for name, states := range sets {
			want := oracle.States(name)
			require.Len(t, states, len(want))
			for i, s := range want {
				assert.Equal(t, piwebapi.State{Name: s.Name, Value: s.Value}, states[i])
			}
		}

		wanted := []piwebapi.Wanted{{Name: "not there"}, {Name: `neither "this", ../ one`}, {WebID: "no WebID", Name: "gone"}}
		for i, tag := range tags[:400] {
			w := piwebapi.Wanted{Name: tag.Name}
			if i%2 == 1 {
				w = piwebapi.Wanted{WebID: points[i].WebID, Name: "its former name"}
			}
			wanted = append(wanted, w)
		}
		found, err := c.Lookup(ctx, ds, wanted)
		require.NoError(t, err)
		assert.ElementsMatch(t, points[:400], found)
	}
}

func TestCounts(t *testing.T) {
	for name, quirks := range map[string][]simulator.Quirk{"one bad fails all": {simulator.WholeSetFails}, "rounded": {simulator.HTMLErrors}} {
		t.Run(name, func(t *testing.T) {
			server, c := connect(t, simulator.Options{Seed: 9, Tags: 300, Quirks: quirks}, manifest.Limits{Connections: 4})
			oracle := server.Oracle()
			streams := streamsOf(oracle, simulator.IDOnly)
			streams[5].After += instant.Minute
			streams[6].Until = streams[6].After
			require.NoError(t, server.FailTag(streams[7].Name, simulator.FaultPermission))
			counts, err := c.Counts(t.Context(), streams)
			require.NoError(t, err)
			require.Len(t, counts, len(streams))
			for i, n := range counts {
				s := streams[i]
				if i == 7 {
					assert.Equal(t, piwebapi.Forbidden, asError(t, n.Err).Kind)
					continue
				}
				assert.NoError(t, n.Err)
				assert.EqualValues(t, oracle.Count(int(s.Index), s.After, s.Until), n.N)
			}
		})
	}
	for _, q := range []simulator.Quirk{simulator.NoSummary, simulator.NoCountSummary} {
		t.Run(q.String(), func(t *testing.T) {
			server, c := connect(t, simulator.Options{Tags: 300, Quirks: []simulator.Quirk{q}}, manifest.Limits{Connections: 2})
			_, err := c.Counts(t.Context(), streamsOf(server.Oracle(), simulator.IDOnly))
			assert.ErrorIs(t, err, piwebapi.ErrNotSupported)
			assert.Less(t, server.Stats().Requests, int64(5))
		})
	}
}

// 30,000 tags over one hour on real connections: as few calls as URLs allow.
func TestRequestsOfALargeRead(t *testing.T) {
	server, c := connect(t, simulator.Options{Seed: 1, Tags: 30_000, Uniform: 20 * time.Minute}, manifest.Limits{Connections: 10})
	streams := streamsOf(server.Oracle(), simulator.IDOnly)
	k := newTable(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, server.Oracle(), streams)
	stats := server.Stats()
	assert.EqualValues(t, 80, stats.ByEndpoint["streamset-recorded"], fmt.Sprint(stats.ByStatus))
	assert.LessOrEqual(t, stats.MaxConcurrent, 10)
}
