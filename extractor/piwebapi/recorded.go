package piwebapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Recorded reads the recorded events of streams, without loss and each once, by
// as few calls as the server's limits allow, on as many connections as the
// site's budget gives. It is safe to have several at once on one Client.
//
// Each stream gets exactly one Done. A stream that fails does not stop the
// others. The error says why the reading as a whole ended early: the context,
// the sink's own error (as it is), wrong credentials, or a site that is down;
// the streams that were not finished then get a Done with that error. It
// retries by the site's policy; whoever calls again after an error reads on
// from To of each outcome. The Index of streams counts for nothing: it is set here.
func (c *Client) Recorded(ctx context.Context, streams []batch.Stream, sink Sink) error {
	r := newReading(c, streams, sink)
	ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	// What wakes those who wait for the queue.
	defer context.AfterFunc(ctx, func() { r.stop(place{site: c.site}.network(ctx, ctx.Err())) })()

	r.start()
	r.signIn(ctx)
	// Two more than there are connections: they decode and hand over while the
	// others wait for the server.
	var workers sync.WaitGroup
	for range min(c.limiter.max+2, len(streams)) {
		workers.Go(func() {
			defer crash.Exit()
			r.work(ctx)
		})
	}
	workers.Wait()
	return r.finish()
}

// reading is one Recorded call: a queue of spans, and workers that each take
// one, read it, and decide what follows.
type reading struct {
	*Client
	sink   Sink
	tracks []*track
	cancel context.CancelFunc

	mu      sync.Mutex
	changed *sync.Cond
	queue   []*span  // to be read, in order
	parts   []*span  // parts of calls that failed; after the queue, the newest first
	waiting []*track // to be made into spans once the queue is empty, so that they share calls
	open    int      // tracks without Done
	ended   error    // why the whole reading ended early
	strikes int      // spans given up one after another
	probed  bool     // the site was asked for a sign of life since the last success
	vain    turns    // calls that got no answer in time, or one without an end
	refused int      // streams refused for good
	success bool     // a call has succeeded
}

func newReading(c *Client, streams []batch.Stream, sink Sink) *reading {
	r := &reading{Client: c, sink: sink, open: len(streams), tracks: make([]*track, len(streams))}
	r.changed = sync.NewCond(&r.mu)
	for i, s := range streams {
		s.Index = int32(i)
		r.tracks[i] = &track{Stream: s, from: s.After, rate: c.width.rate(s.WebID, s.EventsPerHour), urlBytes: len(webIDParameter(s.WebID))}
	}
	return r
}

// start queues all streams; those with an empty range are done.
func (r *reading) start() {
	var waiting []*track
	for _, t := range r.tracks {
		if t.from >= t.Until {
			r.done(t, nil)
		} else {
			waiting = append(waiting, t)
		}
	}
	r.wait(waiting...)
}

// signIn makes one small request before many run at once, unless the server has
// accepted our credentials already: a wrong password is one failed sign-in then,
// not one for each connection, which could lock the account.
func (r *reading) signIn(ctx context.Context) {
	if r.open == 0 {
		return
	}
	if r.shared {
		i := slices.IndexFunc(r.tracks, func(t *track) bool { return !t.done })
		if err := r.SignIn(ctx, r.tracks[i].Stream); err != nil {
			r.stop(err)
		}
		return
	}
	if r.known.Load() {
		return
	}
	// Calls for data are not held up by the first of them, which may take its time.
	r.access.open(streamSetPath)
	if err := r.probe(ctx); err != nil && err.Kind != RateLimited && endsAll(err.Kind) {
		r.stop(err)
	}
}

// probe makes one small request, once, and does not wait behind others for its
// turn. It asks for what discovery needs too: some servers let only
// administrators see more of the system.
func (c *Client) probe(ctx context.Context) *Error {
	_, err := c.exchange(ctx, request{path: "/dataservers", query: "selectedFields=Items.Name%3BWebException",
		read: func(r io.Reader, _ http.Header) error {
			return readItems(r, func(json.RawMessage) error { return nil })
		}})
	return err
}

// endsAll says which errors concern the site as a whole and are not tried again.
func endsAll(k Kind) bool {
	return k == Canceled || k == Unauthorized || k == TLS || k == RateLimited
}

// work reads spans until there are none.
func (r *reading) work(ctx context.Context) {
	decoder := decode.New()
	var results []decode.Result
	for {
		s := r.next()
		if s == nil {
			return
		}
		results = slices.Grow(results[:0], len(s.tracks))[:len(s.tracks)]
		clear(results)
		held := r.memory.hold(r.Client)
		call := r.call(ctx, s, decoder, results, held)
		if err := r.get(ctx, call.request); err != nil {
			held.release(false) // what the call has decoded before it failed goes with it
			r.failed(ctx, s, call, err)
			continue
		}
		r.succeeded(ctx, s, call, results, held)
	}
}

// next waits for a span; nil when all streams are done or the reading has ended.
func (r *reading) next() *span {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch limits := r.width.now(); {
		case r.ended != nil || r.open == 0:
			return nil
		case len(r.queue) > 0:
			s := r.queue[0]
			r.queue = r.queue[1:]
			if r.fits(s, limits) {
				return s
			}
			// Planned before the limits were learned: the same streams in narrower calls.
			r.queue = append(r.plan(s.tracks, limits), r.queue...)
		case len(r.parts) > 0:
			last := len(r.parts) - 1
			s := r.parts[last]
			r.parts = r.parts[:last]
			return s
		case len(r.waiting) > 0:
			r.queue, r.waiting = r.plan(r.waiting, limits), nil
		default:
			r.changed.Wait()
			continue
		}
		r.changed.Broadcast()
	}
}

func (r *reading) plan(tracks []*track, l limits) []*span {
	return plan(tracks, r.headBytes(l), l, r.width.connections)
}

// headBytes is how long the URL of a stream set without streams may get.
func (r *reading) headBytes(l limits) int {
	return r.urlBytes(streamSetPath, head("P1", 0, 0, l.items)+"&"+setFields)
}

func (r *reading) fits(s *span, l limits) bool {
	from, end := bounds(s.tracks)
	bytes, need := r.headBytes(l), 0
	for _, t := range s.tracks {
		load := t.load(l, from, end)
		bytes, need = bytes+load.urlBytes, max(need, load.need)
	}
	return l.fit(len(s.tracks), need, bytes)
}

// call is a span as it is sent.
type call struct {
	request
	maxCount int
}

const (
	streamSetPath = "/streamsets/recorded"
	valueFields   = "Timestamp Value Good Questionable Substituted Annotated Errors"
)

var (
	setFields    = fields("Items.Items.", strings.Fields(valueFields), "WebException", "Items.WebId", "Items.Name", "Items.WebException")
	streamFields = fields("Items.", strings.Fields(valueFields), "WebException")
)

// boundSlack is more than a server rounds the ends of a range (PI counts time in
// 1/65536 s). Asking for that much more on both sides loses nothing to rounding,
// nor to a server that takes a range without its ends; the decoder drops the rest.
const boundSlack = 20 * instant.Microsecond

// head is the query up to the streams.
func head(webID string, from, end instant.Ticks, maxCount int) string {
	return "startTime=" + absolute(max(0, from-boundSlack)) + // PI knows no time before 1970
		"&endTime=" + absolute(end+boundSlack) +
		"&boundaryType=Inside&maxCount=" + strconv.Itoa(maxCount) + webIDType(webID)
}

// webIDType asks for answers with ids of the kind that we ask with; with the
// server's own kind when ours is a WebID 1.0, or whatever else.
func webIDType(webID string) string {
	switch {
	case strings.HasPrefix(webID, "F1"):
		return "&webIdType=Full"
	case strings.HasPrefix(webID, "I1"):
		return "&webIdType=IDOnly"
	case strings.HasPrefix(webID, "P1"):
		return "&webIdType=PathOnly"
	}
	return ""
}

// absolute is an instant as PI Web API reads it, exact to 100 ns.
func absolute(t instant.Ticks) string {
	return t.Time().Format("2006-01-02T15:04:05.0000000Z")
}

// call makes the request for a span, which decodes into results and b.
func (r *reading) call(ctx context.Context, s *span, d *decode.Decoder, results []decode.Result, held *hold) call {
	from, end := bounds(s.tracks)
	maxCount := r.width.now().maxCount(len(s.tracks))
	streams := make([]batch.Stream, len(s.tracks))
	for i, t := range s.tracks {
		streams[i] = t.Stream
		streams[i].After, streams[i].Until = t.from, t.end()
	}
	q := head(s.tracks[0].WebID, from, end, maxCount)
	c := call{maxCount: maxCount}
	bounded := func(body io.Reader) io.Reader { return &metered{Reader: body, ctx: ctx, hold: held} }
	if s.tracks[0].alone {
		c.request = request{path: "/streams/" + url.PathEscape(s.tracks[0].WebID) + "/recorded", query: q + "&" + streamFields,
			read: func(body io.Reader, _ http.Header) (err error) {
				results[0], err = d.Stream(bounded(body), streams[0], maxCount, held.batch)
				return err
			}}
	} else {
		var query strings.Builder
		query.WriteString(q + "&" + setFields)
		for _, t := range s.tracks {
			query.WriteString(webIDParameter(t.WebID))
		}
		c.request = request{path: streamSetPath, query: query.String(),
			read: func(body io.Reader, _ http.Header) error {
				return d.StreamSet(bounded(body), streams, maxCount, held.batch, results)
			}}
	}
	c.work = float64(len(s.tracks) + fewStreams)
	return c
}

// succeeded hands the events of a call over and decides what each stream does next.
func (r *reading) succeeded(ctx context.Context, s *span, sent call, results []decode.Result, held *hold) {
	r.mu.Lock()
	r.strikes, r.probed, r.vain, r.success = 0, false, turns{}, true
	r.mu.Unlock()
	r.width.went(len(s.tracks))

	// Handed over before a stream counts as read: an outcome is never ahead of the sink.
	r.redactTexts(held.batch)
	if held.batch.Len() == 0 {
		held.release(false)
	} else if err := r.hand(ctx, held); err != nil {
		r.stop(err)
		return
	}
	var more, faulty []*track
	var fault *Error
	for i, t := range s.tracks {
		g := &results[i]
		t.events += int64(g.Kept)
		switch {
		case g.Err != nil:
			switch e := r.at(sent.request).body(g.Err); e.Kind {
			case Unauthorized, Forbidden, NotFound, BadRequest: // to this stream
				r.refuse(t, e)
			case RateLimited: // amid others that were not: a failure like any other
				e.Kind = Server
				fallthrough
			default:
				faulty, fault = append(faulty, t), e
			}
		case !g.Present:
			// A server that leaves out what it cannot give: it must say so of the stream itself.
			t.alone = true
			more = append(more, t)
		case g.Full && !r.turn(t, g, sent.maxCount):
			r.done(t, r.at(sent.request).fault(TooLarge, 0,
				fmt.Sprintf("more than %d events at one instant, %s", sent.maxCount, g.Last), false))
		case g.Full:
			more = append(more, t)
		default:
			t.from, t.least = t.end(), 0
			if t.from >= t.Until {
				r.width.measured(t.WebID, t.events, t.Until-t.After)
				r.done(t, nil)
			} else {
				t.step *= 2 // it went well
				more = append(more, t)
			}
		}
	}
	r.wait(more...)
	if len(faulty) > 0 {
		r.failed(ctx, &span{tracks: faulty, tries: s.tries, part: true}, sent, fault)
	}
}

// hand gives the sink the events of a call.
func (r *reading) hand(ctx context.Context, held *hold) error {
	r.held.Store(held.batch, held)
	err := r.sink.Events(ctx, held.batch)
	if err != nil {
		if _, kept := r.held.LoadAndDelete(held.batch); kept {
			held.release(true)
		}
	}
	return err
}

// turn moves a stream on to its next page, which begins with the events at the
// last instant of this one: those were left out. It reports false when no page
// that the server gives is large enough.
func (r *reading) turn(t *track, g *decode.Result, maxCount int) bool {
	if hours := float64(g.Last-g.First) / float64(instant.Hour); hours > 0 {
		t.rate = float64(g.Items-1) / hours
	}
	if next := g.Last - 1; next > t.from {
		t.from, t.least = next, 0
		return true
	}
	// A page full of what we have already, or of one instant.
	most := r.width.now().items
	t.least = min(most, 4*maxCount)
	return maxCount < most
}

// failed decides what follows from a call that failed as a whole.
func (r *reading) failed(ctx context.Context, s *span, sent call, err *Error) {
	one, tries, t := len(s.tracks) == 1, s.tries+1, s.tracks[0]
	r.log.Debug("a call failed", "streams", len(s.tracks), "tries", tries, "error", err.Kind.String(), "status", err.Status, "message", err.Message)
	switch {
	case endsAll(err.Kind):
		r.stop(err)
	case r.hopeless(err, one):
		r.stop(r.down(err))
	case one && err.Kind == Timeout && r.quiet(): // what it is asked for does not matter
		r.refuse(t, err)
	case err.Kind == TooLarge && r.width.refused(err, r.at(sent.request).urlBytes, sent.maxCount, len(s.tracks)):
		r.retries.Add(1)
		r.wait(s.tracks...) // planned anew, within what has been learned
	case err.Retryable && err.Kind != Timeout && tries < r.attempts:
		wait := r.pauseBefore(tries, err)
		r.again(err, tries+1, r.attempts, wait)
		r.later(&span{tracks: s.tracks, tries: tries, part: s.part}, wait)
	case (!one || t.step == 0 && !t.alone) && r.strike(ctx, err): // what one stream does after that is its own fault
		r.stop(r.down(err))

	// The same call will not do: it is made smaller, until one stream is to blame.
	case !one:
		if !s.part && (err.Kind == Timeout || err.Kind == Server) { // a part is slow for its bad stream
			r.width.tooSlow(len(s.tracks))
		}
		r.smaller(err)
		r.split(s)
	case (err.Kind == Timeout || err.Kind == TooLarge) && t.shorten():
		r.smaller(err)
		if err.Kind == TooLarge && r.succeededOnce() {
			r.wait(t)
		} else { // alone, since others that do not answer would share the call; and at once
			r.part(&span{tracks: s.tracks, part: true})
		}
	case !t.alone:
		r.smaller(err)
		t.alone = true
		r.part(&span{tracks: s.tracks, part: true})
	default:
		r.refuse(t, err)
	}
}

// smaller counts a call that is sent again in another form. Only a site that
// does not work is worth telling of: what one stream is refused is not.
func (r *reading) smaller(err *Error) {
	if err.Retryable {
		r.again(err, 0, 0, 0)
	} else {
		r.retries.Add(1)
	}
}

// splitWays is in how many parts a failed call is taken apart. A bad stream among
// 400 is found in three or four steps then, each of which may take a request's
// whole time, by hardly more calls than halves would take.
const splitWays = 8

// split queues the parts of a span. They are tried once, a stream by itself as
// often as the policy says.
func (r *reading) split(s *span) {
	n := len(s.tracks)
	ways := min(splitWays, n)
	for i := ways; i > 0; i-- {
		from, to := (i-1)*n/ways, i*n/ways
		part := &span{tracks: s.tracks[from:to:to], tries: r.attempts - 1, part: true}
		if len(part.tracks) == 1 {
			part.tries = 0
		}
		r.part(part)
	}
}

// shortest is the range below which a stream is not asked for less still.
const shortest = instant.Second

// shorten makes the range shorter that one call asks of a stream; false when it
// is short already.
func (t *track) shorten() bool {
	length := t.end() - t.from
	if length <= shortest {
		return false
	}
	t.step = max(shortest, length/splitWays)
	return true
}

// Strikes: spans that were given up one after another, without a call that
// succeeded, because the site did not work (not because it refused a stream).
// The bound leaves room for each connection to search for a bad stream at the
// same time, which fails a few times in a row.
const (
	strikesAnyway        = 6
	strikesPerConnection = 4
	strikesToProbe       = 3 // timeouts take long: then the quickest request tells more

	strikeServer = 1 // the server answers, but fails, or not in time: it may be one of its streams
	strikeAbsent = 4 // what answers is not PI Web API, or nothing does
)

// strike counts a failure of the site, and says whether the site is down.
func (r *reading) strike(ctx context.Context, err *Error) bool {
	weight := strikeServer
	switch {
	case err.Kind == NotJSON || err.Kind == Unreachable || err.Kind == Server && err.Retryable && err.Status > http.StatusInternalServerError:
		weight = strikeAbsent
	case !err.Retryable:
		return false
	}
	r.mu.Lock()
	r.strikes += weight
	out := r.strikes >= strikesAnyway+strikesPerConnection*r.limiter.max
	probe := err.Kind == Timeout && r.strikes >= strikesToProbe && !r.probed
	r.probed = r.probed || probe
	r.mu.Unlock()
	if !probe || out {
		return out
	}
	silent := r.probe(ctx)
	return silent != nil && silent.Kind != RateLimited
}

// turns counts calls that were made in turn, and calls at the same time as one.
type turns struct {
	n    int
	last time.Time // when the last that counts had ended
}

func (t *turns) count(began time.Time) {
	if !began.Before(t.last) {
		t.n, t.last = t.n+1, time.Now()
	}
}

// A call that gets no answer in time is taken apart down to one stream, and that
// one's range down to a second, in less than vainTurns. After so many in a row the
// streams that are left are asked for once more each, and after lastTurns not even
// that, however many they are: it is not their fault.
const (
	vainTurns = 12
	lastTurns = 36
)

// hopeless counts a call that got no answer in time, or one that did not end, and
// reports whether the site is to be given up, though it may answer other requests.
func (r *reading) hopeless(err *Error, one bool) bool {
	if err.Kind != Timeout && (err.Kind != TooLarge || err.over != overRange) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err.Kind == TooLarge && r.success || err.Kind == Timeout && time.Since(err.began) < r.pace.timeout/8 {
		return false // it is this stream's, or was said at once
	}
	r.vain.count(err.began)
	return r.vain.n >= lastTurns || r.vain.n >= vainTurns && (!one || !r.success)
}

// quiet reports whether the site has not answered for long.
func (r *reading) quiet() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.vain.n >= vainTurns
}

func (r *reading) succeededOnce() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.success
}

// down is the one error of all streams of a site that is given up.
func (r *reading) down(last *Error) *Error {
	e := *last
	e.Retryable = true
	e.Message = strings.TrimSuffix("the site does not work, so that the streams left were not tried; the last of the failed calls: "+last.Message, ": ")
	return &e
}

// hopelessAfter is how many streams may be refused before a single call has succeeded.
const hopelessAfter = 64

// refuse ends a stream for good. When not one of many could be read, the others
// are not tried: the fault is not theirs.
func (r *reading) refuse(t *track, err *Error) {
	r.done(t, err)
	r.mu.Lock()
	r.refused++
	hopeless := !r.success && r.refused >= hopelessAfter
	r.mu.Unlock()
	if hopeless {
		e := *err
		e.Message = fmt.Sprintf("the first %d streams were all refused, so that the others were not tried; the last: %s", hopelessAfter, err.Message)
		r.stop(&e)
	}
}

// wait puts streams where the next call is planned from.
func (r *reading) wait(tracks ...*track) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, tracks...)
	r.changed.Broadcast()
}

// push queues a span as it is.
func (r *reading) push(s *span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, s)
	r.changed.Broadcast()
}

// part queues a part of a span that failed. Whole spans go first, then the
// newest part: so each call is tried before any is taken apart, and then one
// is taken apart down to its bad stream, on whose way good parts soon prove that
// the server is well.
func (r *reading) part(s *span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts = append(r.parts, s)
	r.changed.Broadcast()
}

// later queues a span after a while; no worker waits for it meanwhile.
func (r *reading) later(s *span, after time.Duration) {
	time.AfterFunc(after, func() { r.push(s) })
}

// done ends a stream, with an error or well.
func (r *reading) done(t *track, err error) {
	t.done = true
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	r.sink.Done(int(t.Index), t.Outcome(t.from, t.events, failure), err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.changed.Broadcast()
}

// stop ends the reading as a whole; the first reason stands.
func (r *reading) stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended == nil {
		r.ended = err
	}
	r.cancel()
	r.changed.Broadcast()
}

// finish gives the streams that were not finished their Done. No worker runs any more.
func (r *reading) finish() error {
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	if r.open > 0 {
		for _, t := range r.tracks {
			if !t.done {
				r.done(t, ended)
			}
		}
		return ended
	}
	return nil
}
