package piwebapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// What a client may need at most, whatever a server answers. Time is that of a fake
// clock: what a program sleeps and waits for.
const (
	maxRequests = 25_000
	longestCall = 2 * time.Hour
)

// statuses are those that PI Web API, and what stands before it, answers with.
var statuses = []int{200, 207, 204, 302, 400, 401, 403, 404, 408, 413, 414, 429, 500, 501, 502, 503, 504}

// Flags of an answer.
const (
	onlyOnce  = 1 << iota // the site is well after it
	brokenOff             // the connection breaks after the body
	comesLate             // the body's end does not come in time
	saysWhen              // it has a Retry-After
	signsIn               // the site needs a sign-in
)

// oddSite answers one kind of request with what a fuzzer made up, and all others well.
type oddSite struct {
	odd    func(path string) bool
	status int
	body   []byte
	flags  uint8

	requests, given atomic.Int64
}

// wellAnswers are those of a small site, by the ends of their paths.
var wellAnswers = []struct{ path, body string }{
	{"/dataservers", `{"Items":[{"WebId":"F1DSa","Name":"PISRV1","IsConnected":true,"ServerTime":"2026-01-31T12:00:00Z"}]}`},
	{"/points/multiple", `{"Items":[{"Identifier":"I1DPa","Object":{"WebId":"I1DPa","Id":1,"Name":"A","Path":"\\\\PISRV1\\A"}}]}`},
	{"/points", `{"Items":[]}`},
	{"/enumerationsets", `{"Items":[{"WebId":"F1ESa","Name":"MODES"},{"WebId":"F1ESb","Name":"SYSTEM"}]}`},
	{"/enumerationvalues", `{"Items":[{"Name":"Off","Value":0},{"Name":"On","Value":1}]}`},
	{"/recorded", `{"Items":[]}`}, // a set that lacks its streams has each of them asked for alone
	{"/summary", `{"Items":[{"WebId":"I1DPa","Items":[{"Type":"Count","Value":{"Value":3}}]}]}`},
	{"/system", `{"ProductTitle":"PI Web API","ProductVersion":"1.13.0.6518"}`},
}

func (s *oddSite) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.requests.Add(1) > maxRequests {
		panic(fmt.Sprintf("more than %d requests, the last for %s", maxRequests, r.URL.Path))
	}
	path := strings.TrimPrefix(r.URL.Path, "/piwebapi")
	time.Sleep(10 * time.Millisecond)
	if s.odd(path) && (s.given.Add(1) == 1 || s.flags&onlyOnce == 0) {
		head := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
		if s.flags&saysWhen != 0 {
			head.Set("Retry-After", "7")
		}
		body := io.Reader(bytes.NewReader(s.body))
		switch {
		case s.flags&brokenOff != 0:
			body = io.MultiReader(body, failing{errors.New("connection reset by peer")})
		case s.flags&comesLate != 0:
			body = io.MultiReader(body, silent{r})
		}
		return &http.Response{StatusCode: s.status, Header: head, Body: io.NopCloser(body), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
	}
	for _, well := range wellAnswers {
		if strings.HasSuffix(path, well.path) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(well.body)), Request: r}, nil
		}
	}
	return &http.Response{StatusCode: 404, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"Errors":["no such thing"]}`)),
		Request: r}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// silent is a body whose bytes do not come.
type silent struct{ r *http.Request }

func (s silent) Read([]byte) (int, error) {
	<-s.r.Context().Done()
	return 0, s.r.Context().Err()
}

// fuzzAnswers has a fuzzer make up the answers to the requests for some paths, and
// looks at what a client makes of them: it must end, within its bounds, with a result
// or an error that can be shown.
func fuzzAnswers(f *testing.F, seeds []string, odd func(path string) bool, call func(t *testing.T, c *piwebapi.Client) error) {
	for i, body := range seeds {
		f.Add([]byte(body), uint8(0), uint8(0))
		f.Add([]byte(body), uint8(i), uint8(i))
		for _, cut := range []int{len(body) / 3, max(0, len(body)-1)} {
			f.Add([]byte(body[:cut]), uint8(1), uint8(brokenOff))
			f.Add([]byte(body[:cut]), uint8(0), uint8(onlyOnce|comesLate))
		}
	}
	for status := range statuses {
		f.Add([]byte(`{"Errors":["Calculation failed. [-11059] No Good Data For Calculation"]}`), uint8(status), uint8(onlyOnce))
		f.Add([]byte(`{"Message":"The request is invalid","ExceptionMessage":"it is","ExceptionType":"System.Exception"}`), uint8(status),
			uint8(saysWhen))
	}
	for _, body := range seeds {
		f.Add([]byte("\xef\xbb\xbf"+body+" "), uint8(0), uint8(signsIn))
	}
	f.Fuzz(func(t *testing.T, body []byte, status, flags uint8) {
		synctest.Test(t, func(t *testing.T) {
			site := &oddSite{odd: odd, status: statuses[int(status)%len(statuses)], body: body, flags: flags}
			s := settings{items: 12, attempts: 3, connections: 2, timeout: 30, auth: "anonymous"}
			if flags&signsIn != 0 {
				s.auth = "basic"
			}
			c := client(t, site, s)
			begun := time.Now()
			err := call(t, c)
			require.LessOrEqual(t, time.Since(begun), longestCall)
			if err != nil {
				presentable(t, err.Error())
				var e *piwebapi.Error
				require.ErrorAs(t, err, &e)
				require.NotEmpty(t, e.Kind.String())
			}
			for _, note := range c.Notes() {
				presentable(t, note)
			}
			c.Close()
		})
	})
}

// presentable wants a text that can be shown on a terminal.
func presentable(t *testing.T, text string) {
	require.Less(t, len(text), 20_000)
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Fatalf("%q has %q", text, r)
		}
	}
}

func endsIn(ends ...string) func(string) bool {
	return func(path string) bool {
		for _, end := range ends {
			if strings.HasSuffix(path, end) {
				return true
			}
		}
		return false
	}
}

func FuzzDataServers(f *testing.F) {
	fuzzAnswers(f, []string{
		`{"Items":[{"WebId":"F1DSa","Name":"PISRV1","IsConnected":true,"ServerTime":"2026-01-31T12:00:00.1234567Z"}]}`,
		`{"Items":[{"WebId":"F1DSa","Name":"PISRV1","IsConnected":null},{"WebId":"F1DSb","Name":"pisrv1","ServerTime":5}]}`,
		`{"Items":null}`, `{"Items":[null,{}]}`, `{"Items":{}}`, `{"WebException":{"Errors":["boom\u001b[2J"],"StatusCode":502}}`,
		`<html>sign in</html>`, ``,
	}, endsIn("/dataservers"), func(t *testing.T, c *piwebapi.Client) error {
		_, err := c.DataServer(t.Context(), "PISRV1")
		return err
	})
}

var aServer = piwebapi.DataServer{WebID: "F1DSa", Name: "PISRV1", IsConnected: true}

const onePoint = `{"WebId":"I1DPa","Id":1,"Name":"A","Descriptor":"d","PointType":"Float32","DigitalSetName":"",` +
	`"EngineeringUnits":"m","Future":false}`

func FuzzPoints(f *testing.F) {
	fuzzAnswers(f, []string{
		`{"Links":{},"Items":[` + onePoint + `]}`, `{"Items":[` + onePoint + `,` + strings.ReplaceAll(onePoint, `"Id":1`, `"Id":0`) + `]}`,
		`{"Items":[{"WebId":"I1DPa","Id":-1,"Name":"A"},{"WebId":"","Name":"B"},{"Name":7},null,[],{"WebId":"I1DPc","Name":"C",` +
			`"Future":"no","Descriptor":{}}]}`,
		`{"Items":[],"Items":[` + onePoint + `]}`, `{"Items":[` + onePoint + `],"WebException":{"Errors":["late"]}}`, `{"Items":[` + onePoint,
		`{"Errors":["The number of items is greater than the maximum allowed (3)."]}`,
	}, endsIn("/points"), func(t *testing.T, c *piwebapi.Client) error {
		seen := map[any]bool{} // by Id, and where there is none by WebID
		err := c.Points(t.Context(), aServer, func(page []piwebapi.Point) error {
			for _, p := range page {
				require.NotEmpty(t, p.WebID)
				require.NotEmpty(t, p.Name)
				require.GreaterOrEqual(t, p.ID, int64(0))
				key := any(p.ID)
				if p.ID == 0 {
					key = p.WebID
				}
				require.False(t, seen[key], "%+v is there twice", p)
				seen[key] = true
			}
			return nil
		})
		points, bytes := c.Lists().Held()
		if err != nil {
			require.Zero(t, points)
			require.Zero(t, bytes)
		} else {
			require.Len(t, seen, points)
		}
		return err
	})
}

func FuzzLookup(f *testing.F) {
	fuzzAnswers(f, []string{
		`{"Items":[{"Identifier":"I1DPa","Object":` + strings.Replace(onePoint, `{`, `{"Path":"\\\\PISRV1\\A",`,
			1) + `},{"Identifier":"I1DPb","Object":null}]}`,
		`{"Items":[{"Identifier":"\\\\pisrv1\\b","Object":` + onePoint + `}]}`, strings.Replace(onePoint, `{`, `{"Path":"\\\\OTHER\\A",`, 1),
		onePoint,
		`{"Items":[{"Identifier":7}]}`, `{"Items":[{"Identifier":"I1DPa","Exception":{"Errors":["gone"]}}]}`,
	}, func(path string) bool { return strings.HasPrefix(path, "/points") }, func(t *testing.T, c *piwebapi.Client) error {
		points, err := c.Lookup(t.Context(), aServer, []piwebapi.Wanted{{WebID: "I1DPa", Name: "A"}, {WebID: "I1DPb", Name: "B"}, {Name: "C"}})
		for _, p := range points {
			require.NotEmpty(t, p.WebID)
			require.NotEmpty(t, p.Name)
		}
		require.LessOrEqual(t, len(points), 3)
		return err
	})
}

func FuzzDigitalSets(f *testing.F) {
	fuzzAnswers(f, []string{
		`{"Items":[{"WebId":"F1ESa","Name":"MODES",` +
			`"Links":{"Values":"https://pi.example/piwebapi/enumerationsets/F1ESa/enumerationvalues"}},{"WebId":"F1ESb","Name":"SYSTEM"}]}`,
		`{"Items":[{"WebId":"F1ESa","Name":"A","Links":{"Values":"https://elsewhere.example/piwebapi/x"}},{"WebId":"../..","Name":"B"},` +
			`{"Links":null}]}`,
		`{"Items":[{"Name":"Off","Value":0},{"Name":"On","Value":1.5},{"Name":"Far","Value":1e300},{"Name":7,"Value":"3"},null]}`,
	}, endsIn("/enumerationsets", "/enumerationvalues"), func(t *testing.T, c *piwebapi.Client) error {
		_, err := c.DigitalSets(t.Context(), aServer)
		return err
	})
}

// three are streams to read.
func three() []batch.Stream {
	list := []batch.Stream{{WebID: "I1DPa", Name: "A", Numeric: true}, {WebID: "I1DPb", Name: "B"},
		{WebID: "I1DPc", Name: "C", EventsPerHour: 1000}}
	for i := range list {
		list[i].Index, list[i].After, list[i].Until = int32(i), epoch, epoch+instant.Hour
	}
	return list
}

func FuzzCounts(f *testing.F) {
	fuzzAnswers(f, []string{
		`{"Items":[{"WebId":"I1DPa","Name":"A","Items":[{"Type":"Count","Value":{"Timestamp":"2026-01-31T12:00:00Z","Value":3,` +
			`"Good":true}}]},{"WebId":"I1DPb","Items":[{"Type":"Count","Value":{"Value":-1}}]},{"WebId":"I1DPc","Items":[]}]}`,
		`{"Items":[{"WebId":"I1DPa","Items":[{"Type":"Count","Value":{"Value":1e300}}]},{"WebId":"I1DPa","Items":[]}]}`,
		`{"Items":[{"Name":"a","Items":[{"Type":"Count","Value":{"Value":{"Name":"No Data","Value":248}}}]}]}`, `{"Items":[]}`,
		`{"Message":"No HTTP resource was found that matches the request URI"}`,
	}, endsIn("/summary"), func(t *testing.T, c *piwebapi.Client) error {
		counts, err := c.Counts(t.Context(), three())
		if errors.Is(err, piwebapi.ErrNotSupported) {
			presentable(t, err.Error())
			return nil
		}
		require.LessOrEqual(t, len(counts), len(three()))
		for _, n := range counts {
			require.GreaterOrEqual(t, n.N, int64(0))
			if n.Err != nil {
				presentable(t, n.Err.Error())
			}
		}
		return err
	})
}

const anEvent = `{"Timestamp":"2026-01-31T12:10:00Z","Value":1.5,"Good":true,"Questionable":false,"Substituted":false,"Annotated":false}`

var recordedSeeds = []string{
	`{"Items":[{"WebId":"I1DPa","Name":"A","Items":[` + anEvent + `]},{"WebId":"I1DPb","Name":"B","Items":[]},{"WebId":"I1DPc","Name":"C","Items":[` + anEvent + `,` + anEvent + `]}]}`,
	`{"Items":[{"WebId":"I1DPa","Items":[` + strings.Repeat(anEvent+`,`, 11) + anEvent + `]}]}`,
	`{"Items":[` + strings.ReplaceAll(strings.Repeat(anEvent+`,`, 4), "12:10", "12:20") + anEvent + `]}`,
	`{"Items":[` + anEvent + `,` + strings.ReplaceAll(anEvent, "12:10:00Z", "12:30:00.5Z") + `,` + strings.ReplaceAll(anEvent, "2026",
		"9999") + `]}`,
	`{"Items":[{"WebId":"I1DPa","Items":[` + strings.ReplaceAll(anEvent, "2026",
		"0001") + `]},{"WebId":"I1DPb","WebException":{"Errors":["PI Point not found"],"StatusCode":404}},{"WebId":"I1DPd","Items":[]}]}`,
	`{"Errors":["The number of items is greater than the maximum allowed (4)."]}`,
	`{"Errors":["[-11091] Event collection exceeded the maximum allowed"]}`,
	`{"Errors":["Unknown or invalid WebID format: 'I1DPb'"]}`, `{"WebException":{"Errors":["one"],"StatusCode":401}}`,
}

// recordedWithin reads three streams, and wants the contract of Recorded kept.
func recordedWithin(t *testing.T, c *piwebapi.Client) error {
	streams := three()
	k := newCatcher(c)
	k.look = func(b *columns.Batch) {
		for i, index := range b.Stream {
			at, s := instant.Ticks(b.Ticks[i]), streams[index]
			if at <= s.After || at > s.Until {
				k.problems = append(k.problems, fmt.Sprintf("an event of stream %d at %s", index, at))
			}
			if got := k.events[index]; len(got) > 0 && at < got[len(got)-1] {
				k.problems = append(k.problems, fmt.Sprintf("stream %d goes back from %s to %s", index, got[len(got)-1], at))
			}
		}
	}
	err := c.Recorded(t.Context(), streams, k)
	require.Empty(t, k.problems)
	require.Len(t, k.done, len(streams))
	for _, s := range streams {
		o := k.done[s.Index]
		require.True(t, o.To >= s.After && o.To <= s.Until, "%+v", o)
		require.Equal(t, o.Err == nil, o.To == s.Until, "%+v", o)
		require.Equal(t, int64(len(k.events[s.Index])), o.Events)
		for _, at := range k.events[s.Index] {
			require.LessOrEqual(t, at, o.To, "an event beyond what was read")
		}
		if o.Err != nil {
			presentable(t, o.Err.Error())
		}
	}
	return err
}

func FuzzRecorded(f *testing.F) {
	fuzzAnswers(f, recordedSeeds, endsIn("/streamsets/recorded"), recordedWithin)
}

// FuzzRecordedAlone: the streams are read one by one, since the sets do not have them.
func FuzzRecordedAlone(f *testing.F) {
	fuzzAnswers(f, recordedSeeds, func(path string) bool { return strings.HasPrefix(path, "/streams/") }, recordedWithin)
}
