package shard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/stage/stagetest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// noon is what the servers of these tests take for now.
const noon = 1_767_268_800 * instant.Second // 2026-01-01T12:00:00Z

// plant is a site, and what a driver knows of it.
type plant struct {
	server  *simulator.Server
	site    manifest.Site
	env     map[string]string // of a worker
	tags    []simulator.Tag
	streams []batch.Stream
}

func newPlant(t *testing.T, o simulator.Options) *plant {
	o.Seed, o.Clock = 20261123, func() instant.Ticks { return noon + instant.Hour }
	o.Auth = simulator.Auth{Kind: simulator.Basic, User: "svc_pi", Password: "correct horse"}
	p := &plant{server: simulator.New(o), env: map[string]string{"PI_PLANT_A_PASSWORD": "correct horse"}}
	url, err := p.server.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.server.Close()) })
	p.site = manifest.Site{Name: "plant-a", URL: url, Auth: manifest.Auth{Kind: "basic", Username: "svc_pi",
		PasswordEnv: "PI_PLANT_A_PASSWORD"},
		Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 4, ItemsPerCall: 5000},
		Retry:  manifest.Retry{Attempts: 3, BackoffSeconds: 0.005, TimeoutSeconds: 10}}
	p.tags = p.server.Oracle().Tags()
	for _, tag := range p.tags {
		numeric := strings.HasPrefix(tag.PointType.String(), "Float") || strings.HasPrefix(tag.PointType.String(), "Int")
		p.streams = append(p.streams, batch.Stream{WebID: tag.WebID, Name: tag.Name, Units: tag.Units, Numeric: numeric,
			EventsPerHour: tag.EventsPerHour, After: noon - instant.Hour, Until: noon})
	}
	return p
}

func (p *plant) spec(driver string) Spec {
	return Spec{Version: SpecVersion, Site: p.site, Driver: driver, Streams: p.streams}
}

// process makes a shard's process that is in a hurry.
func (p *plant) process(t require.TestingT, s Spec, stdout io.Writer) process {
	line, err := s.Encode()
	require.NoError(t, err)
	return process{stdin: bytes.NewReader(line), stdout: stdout, log: slog.New(slog.DiscardHandler), heartbeatTimeout: time.Minute,
		gracePeriod: 20 * quick, look: quick,
		getenv: func(name string) (string, bool) { v, ok := p.env[name]; return v, ok }}
}

// rows are the events of a stream, as text, in their order.
type rows struct {
	of     [][]string
	number int64
}

// read reads a stream of a spec.
func read(r io.Reader, s *Spec) (got rows, trailer string, err error) {
	got.of = make([][]string, len(s.Streams))
	trailer, err = stagetest.ReadArrow(r, Labels(stage.Labels{}, s.Streams), func(b *columns.Batch) error {
		for i, stream := range b.Stream {
			f := b.Flags[i]
			e := simulator.Event{Ticks: instant.Ticks(b.Ticks[i]), HasValue: f&columns.HasValue != 0, HasText: f&columns.HasText != 0,
				HasCode: f&columns.HasCode != 0,
				Good:    f&columns.Good != 0, Questionable: f&columns.Questionable != 0, Substituted: f&columns.Substituted != 0,
				Annotated: f&columns.Annotated != 0}
			if e.HasValue {
				e.Value = b.Value[i]
			}
			if e.HasText {
				e.Text = b.Strings.Text(b.Text[i])
			}
			if e.HasCode {
				e.Code = b.Code[i]
			}
			got.of[stream] = append(got.of[stream], line(e))
			got.number++
		}
		return nil
	})
	return got, trailer, err
}

func line(e simulator.Event) string { return fmt.Sprintf("%+v %x", e, math.Float64bits(e.Value)) }

// verify holds what a shard wrote and said against the oracle.
func (p *plant) verify(t *testing.T, s *Spec, got rows, c Trailer) {
	t.Helper()
	oracle := p.server.Oracle()
	for i, stream := range s.Streams {
		tag, found := oracle.Find(stream.Name)
		require.True(t, found)
		var want []string
		for _, e := range oracle.Events(tag.Index, stream.After, c.Streams[i].Through) {
			want = append(want, line(e))
		}
		require.True(t, slices.Equal(want, got.of[i]), "%q: %d events, and not the oracle's %d", stream.Name, len(got.of[i]), len(want))
		require.EqualValues(t, len(want), c.Streams[i].Events)
	}
}

// Shards in lanes, each through a pipe, with a driver's heartbeat: every event that
// the site has, once, within the share of its budget.
func TestShardsReadASite(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 120, Latency: 2 * time.Millisecond})
	share := manifest.Limits{RequestsPerSecond: 1000, Connections: 5, ItemsPerCall: 5000}
	parts := Split(p.streams, 25)
	lanes := Lanes(share, len(parts))
	require.Len(t, parts, 5)
	lanes = min(lanes, 2)
	shares, heartbeat := Share(share, lanes), newHeartbeat(t)
	specs, texts, numbers := make([]Spec, len(parts)), make([]string, len(parts)), make([]int64, len(parts))
	all := make([]rows, len(parts))
	var running sync.WaitGroup
	for lane := range lanes {
		running.Go(func() {
			for i := lane; i < len(parts); i += lanes {
				s := p.spec(heartbeat.Address())
				s.Shard, s.Site.Limits, s.Streams = i, shares[lane], nil
				for _, at := range parts[i] {
					s.Streams = append(s.Streams, p.streams[at])
				}
				r, w, err := os.Pipe()
				assert.NoError(t, err)
				running.Go(func() {
					assert.NoError(t, p.process(t, s, w).run(t.Context()))
					assert.NoError(t, w.Close())
				})
				got, trailer, err := read(r, &s)
				assert.NoError(t, err)
				specs[i], texts[i], all[i], numbers[i] = s, trailer, got, got.number
				assert.NoError(t, r.Close())
			}
		})
	}
	running.Wait()
	total := int64(0)
	for _, n := range numbers {
		total += n
	}
	trailers, err := Complete(specs, texts, total)
	require.NoError(t, err)
	requests := int64(0)
	for i, c := range trailers {
		require.Empty(t, c.Failure)
		for _, o := range c.Streams {
			require.Empty(t, o.Error)
		}
		p.verify(t, &specs[i], all[i], c)
		requests += c.Requests
	}
	require.Greater(t, total, int64(1000))
	stats := p.server.Stats()
	require.Equal(t, requests, stats.Requests)
	require.LessOrEqual(t, stats.MaxConcurrent, share.Connections)
	require.Zero(t, stats.WriteAlarms)
}

// Shards that have much to ask for keep to their share of the requests per second.
func TestShardsKeepToTheirShare(t *testing.T) {
	t.Parallel()
	p := newPlant(t, simulator.Options{Tags: 60})
	share := manifest.Limits{RequestsPerSecond: 40, Connections: 4, ItemsPerCall: 30}
	shares := Share(share, 3)
	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for p.server.Stats().Requests <= 30 || time.Since(began) < 1200*time.Millisecond {
			time.Sleep(time.Millisecond)
		}
		cancel()
	})
	for lane := range shares {
		s := p.spec("")
		s.Site.Limits, s.Streams = shares[lane], p.streams[20*lane:20*lane+20]
		running.Go(func() { assert.Error(t, p.process(t, s, io.Discard).run(ctx), "there is more to read than time") })
	}
	running.Wait()
	stats := p.server.Stats()
	require.LessOrEqual(t, stats.MaxConcurrent, share.Connections)
	require.Greater(t, stats.Requests, int64(30))
	require.LessOrEqual(t, float64(stats.Requests), share.RequestsPerSecond*time.Since(began).Seconds()+float64(share.Connections))
}

// The site goes down in the middle: the stream is whole, and its trailer has how far each
// tag was read.
func TestSiteThatGoesDown(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 120, Latency: 5 * time.Millisecond})
	p.site.Limits.ItemsPerCall = 300
	p.site.Retry.Attempts = 2
	go func() {
		for p.server.Stats().Requests < 12 {
			time.Sleep(time.Millisecond)
		}
		p.server.Down(true)
	}()
	s, out := p.spec(""), new(bytes.Buffer)
	require.NoError(t, p.process(t, s, out).run(t.Context()))
	got, text, err := read(out, &s)
	require.NoError(t, err)
	trailers, err := Complete([]Spec{s}, []string{text}, got.number)
	require.NoError(t, err)
	c := trailers[0]
	require.Contains(t, c.Failure, "the site does not work")
	require.Positive(t, c.Events)
	require.True(t, slices.ContainsFunc(c.Streams, func(o Outcome) bool { return o.Error != "" }))
	p.verify(t, &s, got, c)
}

// What is missing on a worker is said in the trailer: Spark's trying again would not help.
func TestShardWithoutASecret(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 3})
	p.env = nil
	s, out := p.spec(""), new(bytes.Buffer)
	require.NoError(t, p.process(t, s, out).run(t.Context()))
	got, text, err := read(out, &s)
	require.NoError(t, err)
	trailers, err := Complete([]Spec{s}, []string{text}, got.number)
	require.NoError(t, err)
	require.Contains(t, trailers[0].Failure, "the environment variable PI_PLANT_A_PASSWORD")
	for i, o := range trailers[0].Streams {
		require.Equal(t, Outcome{Through: p.streams[i].After, Error: trailers[0].Failure}, o)
	}
	require.Zero(t, p.server.Stats().Requests)
}

// hanging is a plant that does not answer: its shards have nothing to write.
func hanging(t *testing.T) *plant {
	return newPlant(t, simulator.Options{Tags: 20, Faults: simulator.Faults{HangEvery: 1}})
}

func TestDeadPipeEndsAShardThatHasNothingToWrite(t *testing.T) {
	p := hanging(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	time.AfterFunc(5*quick, func() { assert.NoError(t, r.Close()) })
	require.ErrorIs(t, p.process(t, p.spec(""), w).run(t.Context()), errDeadPipe)
}

func TestDeadPipeEndsAShardThatWrites(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 120})
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, r.Close())
	process := p.process(t, p.spec(""), w)
	process.look = time.Hour
	require.ErrorContains(t, process.run(t.Context()), "broken pipe")
}

func TestSilentDriverEndsAShard(t *testing.T) {
	t.Parallel()
	p := hanging(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and sends nothing
	require.NoError(t, err)
	defer l.Close()
	process := p.process(t, p.spec(l.Addr().String()), io.Discard)
	process.heartbeatTimeout = timeout
	require.ErrorIs(t, process.run(t.Context()), errDriverLost)
	require.Positive(t, p.server.Stats().Requests)
	waitIdle(t, p.server)
}

// waitIdle sees to it that no request is left behind.
func waitIdle(t *testing.T, s *simulator.Server) {
	requests := s.Stats().Requests
	time.Sleep(2 * quick)
	require.Equal(t, requests, s.Stats().Requests, "nothing is asked for any more")
}

func TestAShardWithoutItsDriverAsksForNothing(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 3})
	b := newHeartbeat(t)
	require.NoError(t, b.Close())
	out := new(bytes.Buffer)
	require.ErrorIs(t, p.process(t, p.spec(b.Address()), out).run(t.Context()), errDriverLost)
	require.Zero(t, p.server.Stats().Requests)
	require.Zero(t, out.Len())
}

// A reader that stopped reading holds up the writing, but not the shard's end.
func TestAShardWhosePipeIsFullEndsWithItsDriver(t *testing.T) {
	p, b := newPlant(t, simulator.Options{Tags: 120}), newHeartbeat(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	time.AfterFunc(20*quick, func() { assert.NoError(t, b.Close()) })
	require.ErrorIs(t, p.process(t, p.spec(b.Address()), w).run(t.Context()), errDriverLost)
	require.NoError(t, r.Close()) // ends the goroutine that writes, which the process's end would
}

func TestSignalsEndAShard(t *testing.T) {
	p := hanging(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*quick)
	defer cancel()
	require.ErrorIs(t, p.process(t, p.spec(""), io.Discard).run(ctx), context.DeadlineExceeded)
}

// A shard that Spark started again lets its forerunner end first.
func TestARetryWaits(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 3})
	calls := make(chan time.Time, 1000)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- time.Now()
		p.server.ServeHTTP(w, r)
	}))
	defer front.Close()
	p.site.URL = front.URL + simulator.Root
	p.env[RetryVariable] = "1"
	s, out, began := p.spec(""), new(bytes.Buffer), time.Now()
	process := p.process(t, s, out)
	require.NoError(t, process.run(t.Context()))
	require.NotEmpty(t, calls)
	require.GreaterOrEqual(t, (<-calls).Sub(began), process.gracePeriod, "before the first call")
	got, text, err := read(out, &s)
	require.NoError(t, err)
	_, err = Complete([]Spec{s}, []string{text}, got.number)
	require.NoError(t, err)

	t.Log("and ends when its driver does meanwhile")
	p.server.ResetStats()
	b := newHeartbeat(t)
	time.AfterFunc(2*quick, func() { assert.NoError(t, b.Close()) })
	process = p.process(t, p.spec(b.Address()), out)
	process.gracePeriod = time.Hour
	require.ErrorIs(t, process.run(t.Context()), errDriverLost)
	require.Zero(t, p.server.Stats().Requests)
}

// The certificate authority is the spec's, or the worker's own.
func TestCertificateAuthority(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 3, TLS: true})
	pem := string(p.server.CA())
	for name, c := range map[string]struct {
		tls    manifest.TLS
		ca     string
		env    string
		failed string
	}{
		"of the bundle's file":                {manifest.TLS{CAFile: "ca.pem"}, pem, "", ""},
		"of the worker's environment":         {manifest.TLS{CAEnv: "CA"}, "", pem, ""},
		"of the file when there is no other":  {manifest.TLS{CAFile: "ca.pem", CAEnv: "CA"}, pem, "", ""},
		"of the environment when it has one":  {manifest.TLS{CAFile: "ca.pem", CAEnv: "CA"}, "rubbish", pem, ""},
		"rubbish":                             {manifest.TLS{CAFile: "ca.pem"}, "rubbish", "", "holds no certificate in PEM form"},
		"of nobody":                           {manifest.TLS{}, "", "", "certificate"},
		"of an environment that does not say": {manifest.TLS{CAEnv: "CA"}, "", "", "the environment variable CA"},
	} {
		t.Run(name, func(t *testing.T) {
			s, out := p.spec(""), new(bytes.Buffer)
			s.Site.TLS, s.CA = c.tls, c.ca
			p.env["CA"] = c.env
			require.NoError(t, p.process(t, s, out).run(t.Context()))
			_, text, err := read(out, &s)
			require.NoError(t, err)
			var trailer Trailer
			require.NoError(t, json.Unmarshal([]byte(text), &trailer))
			if c.failed == "" {
				require.Empty(t, trailer.Failure)
			} else {
				require.Contains(t, trailer.Failure, c.failed)
			}
		})
	}
}

// A worker reads the Kerberos configuration that the driver has sent.
func TestKerberosConfiguration(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 1})
	p.env["PASSWORD"] = "hunter2"
	for name, c := range map[string]struct{ conf, failed string }{
		"sent":     {"[realms]\nPLANT.EXAMPLE = {\n kdc = 127.0.0.1:1\n}\n", "no KDC of the realm PLANT.EXAMPLE"},
		"rubbish":  {"[realms]\nrubbish {\n", "kerberos/a.conf:2:1: this line is neither"},
		"not sent": {"", `the driver has not sent the file "kerberos/a.conf"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, out := p.spec(""), new(bytes.Buffer)
			s.Site.Auth = manifest.Auth{Kind: "kerberos", Principal: "svc@PLANT.EXAMPLE", PasswordEnv: "PASSWORD", Krb5Conf: "kerberos/a.conf"}
			s.Krb5Conf = c.conf
			require.NoError(t, p.process(t, s, out).run(t.Context()))
			_, text, err := read(out, &s)
			require.NoError(t, err)
			require.Contains(t, text, strings.ReplaceAll(c.failed, `"`, `\"`))
		})
	}
}

func TestBadSpecs(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 1})
	good, err := p.spec("").Encode()
	require.NoError(t, err)
	change := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	for _, c := range []struct{ text, want string }{
		{"", "standard input is empty"},
		{"\n", "unexpected end of JSON input"},
		{string(good[:len(good)/2]), "unexpected end of JSON input"},
		{change(`"version":1`, `"version":2`), "it has version 2, and this program knows 1\nhint: "},
		{change(`"version":1`, `"version":2,"new":1`), "it has version 2"},
		{change(`"shard":0`, `"shard":0,"new":1`), `unknown field "new"`},
		{change(`"shard":0`, `"shard":"0"`), "cannot unmarshal"},
		{change(`"shard":0`, `"shard":-1`), "shard -1"},
		{`{"version":1,"shard":0,"streams":[]}`, "with 0 streams"},
		{change(`"until":`, `"until":-`), "has no range"},
		{change("}\n", "} more\n"), "invalid character"},
		{strings.Repeat(" ", maxSpec+1), "longer than 64 MiB"},
	} {
		require.NotEqual(t, string(good), c.text)
		process := p.process(t, p.spec(""), io.Discard)
		process.stdin = strings.NewReader(c.text)
		require.ErrorContains(t, process.run(t.Context()), "the shard's spec: ")
		process.stdin = strings.NewReader(c.text)
		require.ErrorContains(t, process.run(t.Context()), c.want)
	}
	require.Zero(t, p.server.Stats().Requests)

	t.Log("a spec that does not come")
	r, w := io.Pipe()
	defer w.Close()
	process := p.process(t, p.spec(""), io.Discard)
	process.stdin, process.heartbeatTimeout = r, quick
	require.ErrorContains(t, process.run(t.Context()), "nothing came for")
}

func TestASpecIsReadWithoutItsPipesEnd(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 1})
	line, err := p.spec("").Encode()
	require.NoError(t, err)
	r, w := io.Pipe()
	go func() { _, _ = w.Write(line) }()
	s, err := readSpec(r)
	require.NoError(t, err)
	require.Equal(t, p.spec(""), s)
	require.NoError(t, w.Close())
}
