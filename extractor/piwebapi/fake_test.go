package piwebapi_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/fixedseed"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	goleak.VerifyTestMain(m)
}

// fakeSite is a PI Web API in memory: a RoundTripper, so that tests run on a
// fake clock. It serves what recorded reading needs, strictly.
type fakeSite struct {
	events   map[string][]instant.Ticks // by WebID, in order of time
	items    int                        // cap of streams x maxCount; 0 = 150,000
	maxURL   int                        // 0 = 16,384
	latency  time.Duration              // of a call
	each     time.Duration              // of a stream in it
	threads  chan struct{}              // nil = any number
	fault    func(call int, r *http.Request, streams []string) http.HandlerFunc
	override http.HandlerFunc // answers instead of everything, unless nil

	mu     sync.Mutex
	calls  int // that read streams
	all    int // requests of any kind
	inside int
	most   int // requests at once
	widths []int
}

func (f *fakeSite) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.all++
	f.inside++
	f.most = max(f.most, f.inside)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inside--
		f.mu.Unlock()
	}()
	rec := httptest.NewRecorder()
	if err := f.serve(rec, r); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (f *fakeSite) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		panic("the client only ever reads, but it sent " + r.Method)
	}
	q := r.URL.Query()
	ids := q["webId"]
	if id, ok := strings.CutPrefix(r.URL.Path, "/piwebapi/streams/"); ok {
		ids = []string{strings.TrimSuffix(id, "/recorded")}
	}
	call := 0
	if len(ids) > 0 {
		f.mu.Lock()
		f.calls++
		call = f.calls
		f.widths = append(f.widths, len(ids))
		f.mu.Unlock()
	}
	if f.threads != nil {
		select {
		case f.threads <- struct{}{}:
			defer func() { <-f.threads }()
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	select {
	case <-time.After(f.latency + time.Duration(len(ids))*f.each):
	case <-r.Context().Done():
		return r.Context().Err()
	}
	if f.override != nil {
		f.override(w, r)
		return r.Context().Err()
	}
	if f.fault != nil && call > 0 {
		if h := f.fault(call, r, ids); h != nil {
			h(w, r)
			return r.Context().Err()
		}
	}
	switch {
	case len(r.URL.String()) > cmp.Or(f.maxURL, 16<<10):
		refuse(414, "too long")(w, r)
	case r.URL.Path == "/piwebapi/dataservers":
		fmt.Fprint(w, `{"Items":[{"Name":"PISRV1"}]}`)
	case len(ids) > 0:
		f.recorded(w, r, ids)
	default:
		refuse(404, "no such thing")(w, r)
	}
	return nil
}

func (f *fakeSite) recorded(w http.ResponseWriter, r *http.Request, ids []string) {
	q := r.URL.Query()
	maxCount, err := strconv.Atoi(q.Get("maxCount"))
	start, err1 := instant.Parse(q.Get("startTime"))
	end, err2 := instant.Parse(q.Get("endTime"))
	if err != nil || err1 != nil || err2 != nil || q.Get("boundaryType") != "Inside" || start >= end {
		refuse(400, "bad parameters")(w, r)
		return
	}
	if most := cmp.Or(f.items, 150_000); maxCount*len(ids) > most {
		refuse(400, fmt.Sprintf("The number of items is greater than the maximum allowed (%d).", most))(w, r)
		return
	}
	var b strings.Builder
	for i, id := range ids {
		events, ok := f.events[id]
		if !ok {
			refuse(400, "Unknown or invalid WebID format: '"+id+"'")(w, r)
			return
		}
		from, _ := slices.BinarySearch(events, start)
		var items []string
		for _, t := range events[from:] {
			if t > end || len(items) == maxCount {
				break
			}
			items = append(items, fmt.Sprintf(`{"Timestamp":"%s","Value":%d,"Good":true,"Questionable":false,"Substituted":false}`, t, t%1000))
		}
		list := "[" + strings.Join(items, ",") + "]"
		if len(q["webId"]) == 0 {
			fmt.Fprintf(w, `{"Items":%s}`, list)
			return
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"WebId":%q,"Name":%q,"Items":%s}`, id, "tag "+id, list)
	}
	fmt.Fprintf(w, `{"Items":[%s]}`, b.String())
}

func refuse(status int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"Errors":[%q]}`, message)
	}
}

func html(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, "<html><body>Bad Gateway</body></html>")
	}
}

// id makes a WebID as long as an IDOnly one, 32 characters.
func id(i int) string { return fmt.Sprintf("I1DP%028d", i) }

var epoch, _ = instant.Parse("2026-01-31T12:00:00Z")

// regular returns one event each step in (from, until].
func regular(from, until, step instant.Ticks) (list []instant.Ticks) {
	for t := from + step; t <= until; t += step {
		list = append(list, t)
	}
	return list
}

// uniform makes a site of n streams with an event a minute over an hour, and the
// streams to read them.
func uniform(n int) (*fakeSite, []batch.Stream) {
	f := &fakeSite{events: map[string][]instant.Ticks{}}
	events := regular(epoch, epoch+instant.Hour, instant.Minute)
	streams := make([]batch.Stream, n)
	for i := range streams {
		f.events[id(i)] = events
		streams[i] = batch.Stream{Index: int32(i), WebID: id(i), Name: "tag " + id(i), EventsPerHour: -1, After: epoch, Until: epoch +
			instant.Hour}
	}
	return f, streams
}

type settings struct {
	points                                 int // sites[].limits.points
	connections, items, urlBytes, attempts int
	perSecond                              float64
	timeout                                float64
	auth                                   string // sites[].auth.kind
	memory                                 *piwebapi.Memory
}

func client(t testing.TB, transport http.RoundTripper, s settings) *piwebapi.Client {
	t.Helper()
	c, err := piwebapi.New(piwebapi.Options{
		Site: manifest.Site{Name: "plant-a", URL: "https://pi.example/piwebapi", Auth: manifest.Auth{Kind: s.auth},
			Limits: manifest.Limits{Points: s.points},
			Retry:  manifest.Retry{Attempts: cmp.Or(s.attempts, 3), BackoffSeconds: 1, TimeoutSeconds: cmp.Or(s.timeout, 60)}},
		Limits:    manifest.Limits{Connections: cmp.Or(s.connections, 4), ItemsPerCall: s.items, RequestsPerSecond: s.perSecond},
		Transport: transport, URLBytes: s.urlBytes, Memory: s.memory,
	})
	require.NoError(t, err)
	return c
}

// ended is how a stream ended.
type ended struct {
	batch.Outcome
	Err error
}

// catcher is a Sink that keeps everything and notes what may not happen.
type catcher struct {
	client   *piwebapi.Client
	mu       sync.Mutex
	events   map[int32][]instant.Ticks
	done     map[int32]ended
	problems []string
	fail     error // of Events
	onEvents func()
	look     func(*columns.Batch) // looks at a batch before it is kept; unless nil
}

func newCatcher(c *piwebapi.Client) *catcher {
	return &catcher{client: c, events: map[int32][]instant.Ticks{}, done: map[int32]ended{}}
}

func (k *catcher) Events(_ context.Context, b *columns.Batch) error {
	if k.onEvents != nil {
		k.onEvents()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	if b.Len() == 0 {
		k.problems = append(k.problems, "an empty batch")
	}
	if k.look != nil {
		k.look(b)
	}
	for i, index := range b.Stream {
		if _, over := k.done[index]; over {
			k.problems = append(k.problems, fmt.Sprintf("events of stream %d after its Done", index))
		}
		k.events[index] = append(k.events[index], instant.Ticks(b.Ticks[i]))
	}
	k.client.Free(b)
	return nil
}

func (k *catcher) Done(i int, o batch.Outcome, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, twice := k.done[int32(i)]; twice {
		k.problems = append(k.problems, fmt.Sprintf("stream %d is done twice", i))
	}
	if (err == nil) != (o.Error == "") || err != nil && o.Error != err.Error() {
		k.problems = append(k.problems, fmt.Sprintf("stream %d says %q of %v", i, o.Error, err))
	}
	k.done[int32(i)] = ended{o, err}
}

// verify checks the contract of Recorded: one Done a stream, and exactly the
// events up to it.
func (k *catcher) verify(t testing.TB, f *fakeSite, streams []batch.Stream) {
	t.Helper()
	for _, p := range k.check(f, streams) {
		t.Error(p)
	}
}

func (k *catcher) check(f *fakeSite, streams []batch.Stream) []string {
	problems := slices.Clone(k.problems)
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if len(k.done) != len(streams) {
		complain("%d of %d streams have a Done", len(k.done), len(streams))
	}
	for _, s := range streams {
		o := k.done[s.Index]
		if o.Err == nil && o.To != max(s.After, s.Until) || o.To < s.After || o.To > max(s.After, s.Until) {
			complain("stream %d of (%s, %s] is through %s with %v", s.Index, s.After, s.Until, o.To, o.Err)
		}
		var want []instant.Ticks
		for _, e := range f.events[s.WebID] {
			if e > s.After && e <= o.To {
				want = append(want, e)
			}
		}
		if got := k.events[s.Index]; !slices.Equal(got, want) {
			complain("stream %d through %s: %d events, not %d", s.Index, o.To, len(got), len(want))
		}
		if o.Events != int64(len(want)) {
			complain("stream %d counts %d events, not %d", s.Index, o.Events, len(want))
		}
	}
	return problems
}

// failures lists the streams that did not get through.
func (k *catcher) failures() (list []int32) {
	for i, o := range k.done {
		if o.Err != nil {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list
}

func asError(t testing.TB, err error) *piwebapi.Error {
	t.Helper()
	var e *piwebapi.Error
	require.ErrorAs(t, err, &e)
	assert.NotContains(t, e.Error(), "webId=")
	return e
}
