package piwebapi_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// A server on which nothing can be relied: whatever it does, each stream gets
// one Done and exactly the events up to it.
func TestEachEventOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := &fakeSite{
			events: map[string][]instant.Ticks{},
			items:  rapid.IntRange(20, 400).Draw(rt, "items"),
			maxURL: rapid.IntRange(700, 2000).Draw(rt, "url"),
		}
		var streams []batch.Stream
		seed := rapid.Uint64().Draw(rt, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		for i := range rapid.IntRange(1, 40).Draw(rt, "streams") {
			var events []instant.Ticks
			at := epoch - 10
			for range random.IntN(120) {
				if random.IntN(3) > 0 { // else another one of the same instant
					at += instant.Ticks(random.Int64N(int64(2 * instant.Minute)))
				}
				events = append(events, at)
			}
			if random.IntN(12) > 0 { // else a point that the server does not know
				f.events[id(i)] = events
			}
			after := epoch + instant.Ticks(random.Int64N(int64(instant.Hour)))*instant.Ticks(random.IntN(2))
			streams = append(streams, batch.Stream{Index: int32(i), WebID: id(i), Name: "tag " + id(i),
				EventsPerHour: []float64{-1, 0, 30, 1e6}[random.IntN(4)],
				After:         after, Until: after + instant.Ticks(random.Int64N(int64(2*instant.Hour)))})
		}
		trouble := rapid.IntRange(0, 30).Draw(rt, "percent of faults")
		f.fault = func(_ int, _ *http.Request, ids []string) http.HandlerFunc {
			if f.roll(random, 100) >= trouble {
				return nil
			}
			switch f.roll(random, 6) {
			case 0:
				return refuse(500, "it broke")
			case 1:
				return html(502)
			case 2:
				return refuse(429, "Rate limit was reached")
			case 3:
				return func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprint(w, `{"WebException":{"Errors":["no"],"StatusCode":503}}`)
				}
			case 4: // cut off amid the body, after some good events
				return func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `{"Items":[{"WebId":%q,"Name":"x","Items":[{"Timestamp":"%s","Value":1,"Good":true},{"Times`, ids[0],
						epoch+instant.Hour)
				}
			default:
				return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			}
		}
		var problems []string
		synctest.Test(t, func(t *testing.T) {
			c := client(t, f, settings{connections: 1 + random.IntN(5), attempts: 1 + random.IntN(4)})
			k := newCatcher(c)
			_ = c.Recorded(t.Context(), streams, k) // whatever it returns
			problems = k.check(f, streams)
			if trouble == 0 {
				for _, i := range k.failures() {
					if _, known := f.events[id(int(i))]; known && !strings.Contains(k.done[i].Err.Error(), "at one instant") {
						problems = append(problems, fmt.Sprintf("stream %d failed: %v", i, k.done[i].Err))
					}
				}
			}
		})
		if len(problems) > 0 {
			rt.Fatalf("%s", strings.Join(problems, "\n"))
		}
	})
}

func (f *fakeSite) roll(r *rand.Rand, n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.IntN(n)
}

func TestFewCallsSpreadEvenly(t *testing.T) {
	for _, c := range []struct {
		streams, connections, calls, widest int
	}{
		{30_000, 10, 80, 375},
		{30_000, 4, 76, 395},
		{3_000, 1, 8, 375},
		{3_000, 10, 10, 300},
		{100, 10, 4, 25},
		{10, 10, 1, 10},
	} {
		t.Run(fmt.Sprintf("%d on %d", c.streams, c.connections), func(t *testing.T) {
			f, streams := uniform(c.streams)
			f.override = func(w http.ResponseWriter, r *http.Request) { emptySet(w, r) }
			cl := client(t, f, settings{connections: c.connections})
			k := newCatcher(cl)
			require.NoError(t, cl.Recorded(t.Context(), streams, k))
			assert.Empty(t, k.failures())
			assert.Equal(t, c.calls, f.calls)
			assert.LessOrEqual(t, slices.Max(f.widths), c.widest)
			assert.GreaterOrEqual(t, slices.Min(f.widths), c.widest-1)
		})
	}
}

func emptySet(w http.ResponseWriter, r *http.Request) {
	items := make([]string, 0, 400)
	for _, id := range r.URL.Query()["webId"] {
		items = append(items, fmt.Sprintf(`{"WebId":%q,"Name":"n","Items":[]}`, id))
	}
	fmt.Fprintf(w, `{"Items":[%s]}`, strings.Join(items, ","))
}

// The server's own bound is (tags x tag latency + calls x request latency) /
// threads, with as few calls as URLs of 16 KB allow.
func TestAsFastAsTheServer(t *testing.T) {
	const threads = 10
	for _, tags := range []int{30_000, 3_000, 2_500} {
		synctest.Test(t, func(t *testing.T) {
			f, streams := uniform(tags)
			f.latency, f.each, f.threads = 910*time.Millisecond, 50*time.Millisecond, make(chan struct{}, threads)
			f.override = emptySet
			fewest := (tags + 397) / 398
			bound := (time.Duration(tags)*f.each + time.Duration(fewest)*f.latency) / threads

			c := client(t, f, settings{connections: threads})
			began := time.Now()
			require.NoError(t, c.Recorded(t.Context(), streams, newCatcher(c)))
			took := time.Since(began)
			t.Logf("%d tags: %d calls, %.1f s, %.3f of the bound", tags, f.calls, took.Seconds(), took.Seconds()/bound.Seconds())
			assert.LessOrEqual(t, took, bound*110/100)
			assert.LessOrEqual(t, f.most, threads)
		})
	}
}

// Rates that nobody knew: the first pages are cut, the next calls know better.
func TestLearnsRates(t *testing.T) {
	f, streams := uniform(100)
	for i := range streams {
		f.events[id(i)] = regular(epoch, epoch+instant.Hour, instant.Second)
	}
	c := client(t, f, settings{connections: 2})
	k := newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, f, streams)
	first := f.calls
	assert.LessOrEqual(t, first, 8, "360,000 events are three calls of 150,000")

	// And the next time they are known from the start.
	k = newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, f, streams)
	assert.LessOrEqual(t, f.calls-first, 5)
}

// A stream far behind is read by itself; the others are not asked for its range.
func TestStragglers(t *testing.T) {
	f, streams := uniform(100)
	streams[7].After -= 30 * instant.Day
	streams[8].After -= 20 * instant.Second
	var ranges []string
	f.fault = func(_ int, r *http.Request, ids []string) http.HandlerFunc {
		ranges = append(ranges, fmt.Sprintf("%d from %s", len(ids), r.URL.Query().Get("startTime")))
		return nil
	}
	c := client(t, f, settings{connections: 1})
	k := newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, f, streams)
	slices.Sort(ranges)
	assert.Equal(t, []string{"1 from 2026-01-01T11:59:59.9999800Z", "99 from 2026-01-31T11:59:39.9999800Z"}, ranges)
}

// Many events of one instant: the page grows until it holds them.
func TestPageOfOneInstant(t *testing.T) {
	f, streams := uniform(50)
	f.items = 1000
	burst := slices.Repeat([]instant.Ticks{epoch + instant.Minute}, 900)
	f.events[id(3)] = slices.Sorted(slices.Values(append(burst, f.events[id(3)]...)))
	c := client(t, f, settings{items: 1000})
	k := newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	k.verify(t, f, streams)
	assert.Empty(t, k.failures())

	t.Run("more than any page holds", func(t *testing.T) {
		f.events[id(3)] = slices.Sorted(slices.Values(append(f.events[id(3)], burst...)))
		k := newCatcher(c)
		require.NoError(t, c.Recorded(t.Context(), streams, k))
		k.verify(t, f, streams)
		assert.Equal(t, []int32{3}, k.failures())
		assert.ErrorContains(t, k.done[3].Err, "at one instant, 2026-01-31T12:01:00Z")
	})
}

// One bad stream fails the calls that have it. It alone fails, its neighbours
// do not, and finding it costs no more than a bisection.
func TestBadStreamsAmongGood(t *testing.T) {
	for name, bad := range map[string]struct {
		answer http.HandlerFunc
		kind   piwebapi.Kind
	}{
		"bad WebID":             {refuse(400, "Unknown or invalid WebID format"), piwebapi.BadRequest},
		"deleted":               {refuse(404, "The point was not found"), piwebapi.NotFound},
		"forbidden":             {refuse(403, "no"), piwebapi.Forbidden},
		"forbidden, as 500":     {refuse(500, "[-10401] No Read Access - Secure Object"), piwebapi.Forbidden},
		"fails for no reason":   {refuse(500, "Object reference not set"), piwebapi.Server},
		"breaks the connection": {html(503), piwebapi.Server},
		"never answers":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, piwebapi.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, streams := uniform(800)
				f.fault = func(_ int, r *http.Request, ids []string) http.HandlerFunc {
					if slices.Contains(ids, id(17)) || slices.Contains(ids, id(500)) {
						return bad.answer
					}
					return nil
				}
				c := client(t, f, settings{})
				k := newCatcher(c)
				require.NoError(t, c.Recorded(t.Context(), streams, k))
				k.verify(t, f, streams)
				assert.Equal(t, []int32{17, 500}, k.failures())
				for _, i := range k.failures() {
					e := asError(t, k.done[i].Err)
					assert.Equal(t, bad.kind, e.Kind)
					assert.Equal(t, streams[i].After, k.done[i].To)
				}
				assert.LessOrEqual(t, f.calls, 90)
			})
		})
	}
}

// An answer may be good as a whole and bad for one stream, or leave it out.
func TestFaultOfOneStreamInAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		item  string
		fails bool
	}{
		"forbidden": {`{"WebId":"` + id(1) + `","Name":"n","WebException":{"Errors":["no"],"StatusCode":403}}`, true},
		"failing":   {`{"WebId":"` + id(1) + `","Name":"n","WebException":{"Errors":["no"],"StatusCode":500}}`, false},
		"limited":   {`{"WebId":"` + id(1) + `","Name":"n","WebException":{"Errors":["Rate limit was reached"],"StatusCode":429}}`, false},
		"left out":  {``, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, streams := uniform(2)
				f.events[id(0)] = nil
				f.fault = func(call int, _ *http.Request, ids []string) http.HandlerFunc {
					if call > 1 {
						return nil
					}
					return func(w http.ResponseWriter, _ *http.Request) {
						fmt.Fprintf(w, `{"Items":[{"WebId":%q,"Name":"n","Items":[]}%s]}`, id(0), strings.TrimSuffix(","+c.item, ","))
					}
				}
				cl := client(t, f, settings{})
				k := newCatcher(cl)
				require.NoError(t, cl.Recorded(t.Context(), streams, k))
				k.verify(t, f, streams)
				assert.Equal(t, c.fails, len(k.failures()) == 1)
				assert.NoError(t, k.done[0].Err)
			})
		})
	}
}

// What the server finds too large is asked for in smaller calls.
func TestLearnsLimits(t *testing.T) {
	html400 := html(400)
	for name, prepare := range map[string]func(*fakeSite){
		"items": func(f *fakeSite) { f.items = 10_000 },
		"items, no number": func(f *fakeSite) {
			f.fault = func(_ int, r *http.Request, ids []string) http.HandlerFunc {
				if n := r.URL.Query().Get("maxCount"); len(n)+len(fmt.Sprint(len(ids))) > 5 {
					return refuse(400, "The number of items is greater than the maximum allowed.")
				}
				return nil
			}
		},
		"URL": func(f *fakeSite) { f.maxURL = 2100 },
		"URL, by the stack below": func(f *fakeSite) {
			f.fault = func(_ int, r *http.Request, _ []string) http.HandlerFunc {
				if len(r.URL.String()) > 4000 {
					return html400
				}
				return nil
			}
		},
		"archive": func(f *fakeSite) {
			f.fault = func(_ int, r *http.Request, _ []string) http.HandlerFunc {
				start, _ := instant.Parse(r.URL.Query().Get("startTime"))
				end, _ := instant.Parse(r.URL.Query().Get("endTime"))
				if end-start > 10*instant.Minute {
					return refuse(500, "[-11091] Event collection exceeded the maximum allowed")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := 400
			if name == "archive" {
				n = 20
			}
			f, streams := uniform(n)
			prepare(f)
			c := client(t, f, settings{})
			k := newCatcher(c)
			require.NoError(t, c.Recorded(t.Context(), streams, k))
			k.verify(t, f, streams)
			assert.Empty(t, k.failures())
		})
	}
}

// A slow server: calls become so narrow that they are answered in time.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, streams := uniform(400)
		f.each = time.Second
		c := client(t, f, settings{timeout: 30, connections: 4})
		k := newCatcher(c)
		require.NoError(t, c.Recorded(t.Context(), streams, k))
		k.verify(t, f, streams)
		assert.Empty(t, k.failures())
		assert.Less(t, f.calls, 60)
	})
}

func TestWrongPassword(t *testing.T) {
	for _, connections := range []int{1, 10} {
		f, streams := uniform(5000)
		f.override = refuse(401, "Authorization has been denied for this request.")
		c := client(t, f, settings{connections: connections})
		k := newCatcher(c)
		err := c.Recorded(t.Context(), streams, k)
		assert.Equal(t, piwebapi.Unauthorized, asError(t, err).Kind)
		assert.Equal(t, 1, f.all, "each further attempt may lock the account")
		assert.Len(t, k.failures(), 5000)
		k.verify(t, f, streams)
	}
}

type brokenTransport struct{ err error }

func (b brokenTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

// A site that is down is given up after a few attempts, not a few for each stream.
func TestSiteDown(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	site := func(h http.HandlerFunc) http.RoundTripper { return &fakeSite{override: h} }
	for name, c := range map[string]struct {
		transport http.RoundTripper
		kind      piwebapi.Kind
		within    time.Duration
	}{
		"refused":       {brokenTransport{refused}, piwebapi.Unreachable, 30 * time.Second},
		"proxy":         {site(html(502)), piwebapi.Server, 30 * time.Second},
		"sign-in page":  {site(html(200)), piwebapi.NotJSON, time.Second},
		"redirect":      {site(http.RedirectHandler("https://elsewhere.example/login?token=1", http.StatusFound).ServeHTTP), piwebapi.NotJSON, time.Second},
		"archive fails": {site(refuse(500, "cannot connect")), piwebapi.Server, time.Minute},
		"no permission": {site(refuse(403, "no")), piwebapi.Forbidden, time.Second},
		"hangs":         {site(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), piwebapi.Timeout, 10 * time.Minute},
		"untrusted":     {brokenTransport{x509.UnknownAuthorityError{}}, piwebapi.TLS, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, streams := uniform(3000)
				cl := client(t, c.transport, settings{connections: 4})
				k := newCatcher(cl)
				began := time.Now()
				e := asError(t, cl.Recorded(t.Context(), streams, k))
				assert.Equal(t, c.kind, e.Kind)
				assert.LessOrEqual(t, time.Since(began), c.within)
				assert.Len(t, k.failures(), 3000)
				assert.Contains(t, e.Error(), "hint: ")
				assert.NotContains(t, e.Error(), "token=")
				f.events = nil
				k.verify(t, f, streams)
				if fake, ok := c.transport.(*fakeSite); ok {
					assert.Less(t, fake.all, 300)
					t.Log(fake.all, "requests in", time.Since(began))
				}
			})
		})
	}
}

// 429 is nobody's failure.
func TestThrottling(t *testing.T) {
	for _, after := range []string{"", "20"} {
		t.Run("Retry-After "+after, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, streams := uniform(2000)
				began := time.Now()
				var refused atomic.Int32
				f.fault = func(int, *http.Request, []string) http.HandlerFunc {
					if time.Since(began) > time.Minute {
						return nil
					}
					return func(w http.ResponseWriter, r *http.Request) {
						refused.Add(1)
						if after != "" {
							w.Header().Set("Retry-After", after)
						}
						refuse(429, "Rate limit was reached")(w, r)
					}
				}
				c := client(t, f, settings{connections: 5, attempts: 1})
				k := newCatcher(c)
				require.NoError(t, c.Recorded(t.Context(), streams, k))
				k.verify(t, f, streams)
				assert.Empty(t, k.failures())
				assert.Less(t, refused.Load(), int32(40))
				assert.Less(t, time.Since(began), 3*time.Minute)
			})
		})
	}
	t.Run("without end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, streams := uniform(2000)
			f.override = refuse(429, "Rate limit was reached")
			c := client(t, f, settings{connections: 5})
			k := newCatcher(c)
			began := time.Now()
			e := asError(t, c.Recorded(t.Context(), streams, k))
			assert.Equal(t, piwebapi.RateLimited, e.Kind)
			assert.Less(t, time.Since(began), 10*time.Minute)
			assert.Less(t, f.all, 100)
			assert.Len(t, k.failures(), 2000)
		})
	})
}

func TestRequestsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, streams := uniform(1000)
		c := client(t, f, settings{connections: 8, perSecond: 2, urlBytes: 1000})
		k := newCatcher(c)
		began := time.Now()
		require.NoError(t, c.Recorded(t.Context(), streams, k))
		k.verify(t, f, streams)
		assert.GreaterOrEqual(t, time.Since(began).Seconds(), float64(f.all-2)/2-0.01)
	})
}

func TestSinkEndsTheReading(t *testing.T) {
	f, streams := uniform(2000)
	c := client(t, f, settings{})
	k := newCatcher(c)
	k.fail = errors.New("the disk is full")
	assert.Equal(t, k.fail, c.Recorded(t.Context(), streams, k))
	assert.Len(t, k.failures(), 2000)
	for _, o := range k.done {
		assert.Equal(t, epoch, o.To)
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, streams := uniform(4000)
		f.each = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		c := client(t, f, settings{connections: 4, urlBytes: 2000})
		k := newCatcher(c)
		began := time.Now()
		k.onEvents = func() {
			if time.Since(began) > time.Minute {
				cancel()
			}
		}
		err := c.Recorded(ctx, streams, k)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, piwebapi.Canceled, asError(t, err).Kind)
		assert.Less(t, time.Since(began), 3*time.Minute)
		k.verify(t, f, streams)
		assert.NotEmpty(t, k.failures())
		assert.Less(t, len(k.failures()), 4000)
	})
}

func TestNothingToRead(t *testing.T) {
	f, streams := uniform(3)
	c := client(t, f, settings{})
	for i := range streams {
		streams[i].Until = streams[i].After - instant.Ticks(i)
	}
	k := newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams, k))
	assert.Empty(t, k.failures())
	assert.Len(t, k.done, 3)
	require.NoError(t, c.Recorded(t.Context(), nil, k))
	assert.Zero(t, f.all)
}

// What is asked for, to the letter.
func TestQuery(t *testing.T) {
	f, streams := uniform(2)
	var asked []string
	f.fault = func(_ int, r *http.Request, _ []string) http.HandlerFunc {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		require.NoError(t, err)
		asked = append(asked, r.URL.Path+"?"+query)
		if len(asked) == 1 {
			return emptyList
		}
		return nil
	}
	c := client(t, f, settings{connections: 1, items: 1000})
	k := newCatcher(c)
	require.NoError(t, c.Recorded(t.Context(), streams[:1], k))
	k.verify(t, f, streams[:1])
	of := "&boundaryType=Inside&maxCount=1000&webIdType=IDOnly&selectedFields="
	between := "?startTime=2026-01-31T11:59:59.9999800Z&endTime=2026-01-31T13:00:00.0000200Z"
	assert.Equal(t, []string{
		"/piwebapi/streamsets/recorded" + between + of +
			"WebException;Items.WebId;Items.Name;Items.WebException;Items.Items.Timestamp;Items.Items.Value;Items.Items.Good;" +
			"Items.Items.Questionable;Items.Items.Substituted;Items.Items.Annotated;Items.Items.Errors&webId=" + id(0),
		"/piwebapi/streams/" + id(0) + "/recorded" + between + of +
			"WebException;Items.Timestamp;Items.Value;Items.Good;Items.Questionable;Items.Substituted;Items.Annotated;Items.Errors",
	}, asked)
}

func emptyList(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Items":[]}`) }
