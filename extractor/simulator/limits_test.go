package simulator_test

import (
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// start serves over a connection until the test ends.
func start(t *testing.T, s *simulator.Server) string {
	t.Helper()
	root, err := s.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return root
}

func fetch(t *testing.T, c *http.Client, r *http.Request) (int, string, error) {
	t.Helper()
	response, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return r
}

// A call occupies one of the threads for its latency and that of its tags.
func TestThreadsAndLatency(t *testing.T) {
	const latency, perTag = 15 * time.Millisecond, 5 * time.Millisecond
	s := simulator.New(simulator.Options{Tags: 10, Threads: 2, Latency: latency, TagLatency: perTag, Clock: clock(noon)})
	tags := s.Oracle().Tags()
	took := func(calls, tagsEach int) time.Duration {
		begin := time.Now()
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() {
				if a := get(s, "/streamsets/value?%s", webIDs(tags[:tagsEach]...)); a.status != 200 {
					t.Errorf("status %d", a.status)
				}
			})
		}
		wg.Wait()
		return time.Since(begin)
	}
	require.GreaterOrEqual(t, took(1, 3), latency+3*perTag)
	require.GreaterOrEqual(t, took(2, 3), latency+3*perTag)
	require.GreaterOrEqual(t, took(6, 3), 3*(latency+3*perTag), "six calls are three turns of two threads")
	begin := time.Now()
	require.Equal(t, 400, get(s, "/streams/x/value").status)
	require.GreaterOrEqual(t, time.Since(begin), latency, "a refusal takes its time, too")
	require.Equal(t, 6, s.Stats().MaxConcurrent)
}

// A server with more threads is done earlier; with enough of them, calls do not
// wait for each other.
func TestThreadsHelp(t *testing.T) {
	took := func(threads int) time.Duration {
		s := simulator.New(simulator.Options{Threads: threads, Latency: 20 * time.Millisecond})
		begin := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { get(s, "/system") })
		}
		wg.Wait()
		return time.Since(begin)
	}
	require.Less(t, took(0), took(1))
}

// In any stretch of the limit's length, a client gets so many requests and no more.
func TestRateLimit(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 5, RateLimit: simulator.RateLimit{Requests: 5, Per: time.Hour}})
	var ok, refused int
	for range 8 {
		switch a := get(s, "/system"); a.status {
		case 200:
			ok++
		case 429:
			refused++
			require.JSONEq(t, `{"Message":"Rate limit was reached"}`, string(a.body))
		}
	}
	require.Equal(t, []int{5, 3}, []int{ok, refused})
	require.EqualValues(t, 3, s.Stats().Refused429)
	require.EqualValues(t, 8, s.Stats().Requests)
	require.GreaterOrEqual(t, s.Stats().MaxPerSecond, 1)

	s = simulator.New(simulator.Options{Tags: 5, RateLimit: simulator.RateLimit{Requests: 2, Per: 20 * time.Millisecond}})
	require.Equal(t, 200, get(s, "/system").status)
	require.Equal(t, 200, get(s, "/system").status)
	require.Eventually(t, func() bool { return get(s, "/system").status == 200 }, time.Minute, 5*time.Millisecond)
}

func TestRateLimitInsideABatch(t *testing.T) {
	on, off := pair(simulator.Options{Tags: 5, RateLimit: simulator.RateLimit{Requests: 3, Per: time.Hour}}, simulator.RateLimitInBatch)
	for s, want := range map[*simulator.Server]map[int]int{on: {200: 2, 429: 2}, off: {200: 4}} {
		got := map[int]int{}
		for _, item := range batch(t, s, `{"1":%[1]s,"2":%[1]s,"3":%[1]s,"4":%[1]s}`,
			`{"Method":"GET","Resource":"https://any/piwebapi/system"}`) {
			got[item.Status]++
		}
		require.Equal(t, want, got)
	}
}

func TestOverTheNetwork(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 1, Tags: 60, Uniform: time.Second, Clock: clock(noon), TLS: true,
		Auth: simulator.Auth{Kind: simulator.Bearer, Token: "t0ken"}})
	root := start(t, s)
	require.Equal(t, "https", root[:5])
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(s.CA()))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableCompression: true}}
	defer client.CloseIdleConnections()
	stranger := &http.Client{Transport: &http.Transport{}}
	_, _, err := fetch(t, stranger, request(t, root+"/"))
	require.ErrorContains(t, err, "certificate")

	status, _, err := fetch(t, client, request(t, root+"/"))
	require.NoError(t, err)
	require.Equal(t, 401, status)
	read := func(encoding string) string {
		r := request(t, fmt.Sprintf("%s/streams/%s/recorded?startTime=*-2h&maxCount=10000", root, s.Oracle().Tags()[0].WebID))
		r.Header.Set("Authorization", "Bearer t0ken")
		r.Header.Set("Accept-Encoding", encoding)
		response, err := client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		var reader io.Reader = response.Body
		if response.Header.Get("Content-Encoding") == "gzip" {
			require.NotEqual(t, "identity", encoding)
			reader, err = gzip.NewReader(reader)
			require.NoError(t, err)
		}
		body, err := io.ReadAll(reader)
		require.NoError(t, err)
		return string(body)
	}
	plain := read("identity")
	require.Equal(t, plain, read("deflate, gzip;q=1.0"))
	require.Equal(t, plain, read("gzip;q=0"))
	var page struct{ Items []timedValue }
	require.NoError(t, json.Unmarshal([]byte(plain), &page))
	require.InDelta(t, 7200, len(page.Items), 1)
	require.NotZero(t, s.Stats().ByEndpoint["stream-recorded"])
	require.NotZero(t, s.Stats().ByStatus[401])
	_, err = s.Start("127.0.0.1:0")
	require.Error(t, err, "started before")
}

// A body that is cut off is an error of the connection or of its JSON, in turns.
func TestCutBodiesOverTheNetwork(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 1, Tags: 5, Uniform: time.Second, Clock: clock(noon), Faults: simulator.Faults{CutEvery: 1}})
	root := start(t, s)
	client := &http.Client{Transport: &http.Transport{}} // asks for gzip by itself
	defer client.CloseIdleConnections()
	for _, compressed := range []bool{true, false} {
		client.Transport.(*http.Transport).DisableCompression = !compressed
		for i := range 4 {
			_, body, err := fetch(t, client, request(t, fmt.Sprintf("%s/streams/%s/recorded?startTime=%s&maxCount=5000", root,
				s.Oracle().Tags()[0].WebID, noon-instant.Hour)))
			require.False(t, json.Valid([]byte(body)))
			if i%2 == 0 || compressed {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
			}
		}
	}
	s.Down(true)
	_, _, err := fetch(t, client, request(t, root+"/system"))
	require.Error(t, err)
}
