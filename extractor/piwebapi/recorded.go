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
	"github.com/bundlegen/bundlegen/pipeline/callsize"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Recorded reads the recorded events of streams, without loss and each once, by
// as few calls as the server's limits allow, on as many connections as the
// site's budget allows. It is safe for concurrent use on one Client.
//
// Each stream gets exactly one Done. A stream that fails does not stop the
// others. The error is why the reading as a whole ended early: the context,
// the sink's own error (as it is), wrong credentials, or a site that is down;
// the streams that were not finished then get a Done with that error. It
// retries by the site's policy. A call after an error should read on
// from To of each outcome. The Index of streams is ignored: it is set here.
func (c *Client) Recorded(ctx context.Context, streams []batch.Stream, sink Sink) error {
	r := newReading(c, streams, sink)
	ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	// Wakes those who wait for the queue.
	defer context.AfterFunc(ctx, func() { r.stop(place{site: c.site}.network(ctx, ctx.Err())) })()

	r.start()
	r.signIn(ctx)
	// Two more than there are connections: they decode and hand over while the others
	// wait for the server.
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

// reading is one Recorded call: a queue of jobs, and workers that each take
// one, read it, and decide what follows.
type reading struct {
	*Client
	sink    Sink
	cursors []*cursor
	cancel  context.CancelFunc
	breaker breaker

	mu      sync.Mutex
	changed *sync.Cond
	queue   []*job    // to be read, in order
	parts   []*job    // parts of calls that failed; after the queue, the newest first
	waiting []*cursor // to be made into jobs once the queue is empty, so that they share calls
	open    int       // cursors without Done
	ended   error     // why the whole reading ended early
}

func newReading(c *Client, streams []batch.Stream, sink Sink) *reading {
	r := &reading{Client: c, sink: sink, open: len(streams), cursors: make([]*cursor, len(streams)),
		breaker: breaker{connections: c.limiter.max, timeout: c.timeout}}
	r.changed = sync.NewCond(&r.mu)
	for i, s := range streams {
		s.Index = int32(i)
		r.cursors[i] = &cursor{Stream: s, from: s.After, rate: c.sizer.rate(s.WebID, s.EventsPerHour), urlBytes: len(webIDParameter(s.WebID))}
	}
	return r
}

// start queues all streams; those with an empty range are done.
func (r *reading) start() {
	var waiting []*cursor
	for _, c := range r.cursors {
		if c.from >= c.Until {
			r.done(c, nil)
		} else {
			waiting = append(waiting, c)
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
		i := slices.IndexFunc(r.cursors, func(c *cursor) bool { return !c.done })
		if err := r.SignIn(ctx, r.cursors[i].Stream); err != nil {
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

// endsAll reports whether an error concerns the site as a whole and is not tried again.
func endsAll(k Kind) bool {
	return k == Canceled || k == Unauthorized || k == TLS || k == RateLimited
}

// work does jobs until there are none.
func (r *reading) work(ctx context.Context) {
	decoder := decode.New()
	var results []decode.Result
	for {
		j := r.next()
		if j == nil {
			return
		}
		results = slices.Grow(results[:0], len(j.cursors))[:len(j.cursors)]
		clear(results)
		held := r.memory.hold(r.Client)
		call := r.call(ctx, j, decoder, results, held)
		if err := r.get(ctx, call.request); err != nil {
			held.release(false) // what the call has decoded before it failed goes with it
			r.failed(ctx, j, call, err)
			continue
		}
		r.succeeded(ctx, j, call, results, held)
	}
}

// next waits for a job; nil when all streams are done or the reading has ended.
func (r *reading) next() *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch limits := r.sizer.limits(); {
		case r.ended != nil || r.open == 0:
			return nil
		case len(r.queue) > 0:
			j := r.queue[0]
			r.queue = r.queue[1:]
			if r.fits(j, limits) {
				return j
			}
			// Planned before the limits were learned: the same streams in smaller calls.
			r.queue = append(r.plan(j.cursors, limits), r.queue...)
		case len(r.parts) > 0:
			last := len(r.parts) - 1
			j := r.parts[last]
			r.parts = r.parts[:last]
			return j
		case len(r.waiting) > 0:
			r.queue, r.waiting = r.plan(r.waiting, limits), nil
		default:
			r.changed.Wait()
			continue
		}
		r.changed.Broadcast()
	}
}

func (r *reading) plan(cursors []*cursor, l limits) []*job {
	return plan(cursors, r.headBytes(l), l, r.sizer.connections)
}

// headBytes is how long the URL of a stream set without streams may get.
func (r *reading) headBytes(l limits) int {
	return r.urlBytes(streamSetPath, head("P1", 0, 0, l.items)+"&"+setFields)
}

func (r *reading) fits(j *job, l limits) bool {
	from, end := bounds(j.cursors)
	bytes, need := r.headBytes(l), 0
	for _, c := range j.cursors {
		load := c.load(l, from, end)
		bytes, need = bytes+load.urlBytes, max(need, load.need)
	}
	return l.fits(len(j.cursors), need, bytes)
}

// call is a job as it is sent.
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

// webIDType asks for answers with WebIDs of the kind that the request has; with the
// server's own kind where that is a WebID 1.0 or unknown.
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

// absolute formats an instant as PI Web API reads it, exact to 100 ns.
func absolute(t instant.Ticks) string {
	return t.Time().Format("2006-01-02T15:04:05.0000000Z")
}

// call makes the request for a job, which decodes into results and the held batch.
func (r *reading) call(ctx context.Context, j *job, d *decode.Decoder, results []decode.Result, held *hold) call {
	from, end := bounds(j.cursors)
	maxCount := r.sizer.limits().maxCount(len(j.cursors))
	streams := make([]batch.Stream, len(j.cursors))
	for i, c := range j.cursors {
		streams[i] = c.Stream
		streams[i].After, streams[i].Until = c.from, c.end()
	}
	q := head(j.cursors[0].WebID, from, end, maxCount)
	sent := call{maxCount: maxCount}
	bounded := func(body io.Reader) io.Reader { return &metered{Reader: body, ctx: ctx, hold: held} }
	if j.cursors[0].single {
		sent.request = request{path: "/streams/" + url.PathEscape(j.cursors[0].WebID) + "/recorded", query: q + "&" + streamFields,
			read: func(body io.Reader, _ http.Header) (err error) {
				results[0], err = d.Stream(bounded(body), streams[0], maxCount, held.batch)
				return err
			}}
	} else {
		var query strings.Builder
		query.WriteString(q + "&" + setFields)
		for _, c := range j.cursors {
			query.WriteString(webIDParameter(c.WebID))
		}
		sent.request = request{path: streamSetPath, query: query.String(),
			read: func(body io.Reader, _ http.Header) error {
				return d.StreamSet(bounded(body), streams, maxCount, held.batch, results)
			}}
	}
	sent.work = float64(len(j.cursors) + callsize.MinStreams)
	return sent
}

// succeeded hands the events of a call over and decides what each stream does next.
func (r *reading) succeeded(ctx context.Context, j *job, sent call, results []decode.Result, held *hold) {
	r.breaker.succeeded()
	r.sizer.succeeded(len(j.cursors))

	// Handed over before a stream counts as read: no outcome is ahead of the sink.
	r.redactTexts(held.batch)
	if held.batch.Len() == 0 {
		held.release(false)
	} else if err := r.hand(ctx, held); err != nil {
		r.stop(err)
		return
	}
	var more, faulty []*cursor
	var fault *Error
	for i, c := range j.cursors {
		g := &results[i]
		c.events += int64(g.Kept)
		switch {
		case g.Err != nil:
			switch e := r.at(sent.request).body(g.Err); e.Kind {
			case Unauthorized, Forbidden, NotFound, BadRequest: // to this stream
				r.refuse(c, e)
			case RateLimited: // while others were not: a failure like any other
				e.Kind = Server
				fallthrough
			default:
				faulty, fault = append(faulty, c), e
			}
		case !g.Present:
			// The server leaves out what it cannot read: asked for alone, it returns the error.
			c.single = true
			more = append(more, c)
		case g.Full && !r.turn(c, g, sent.maxCount):
			r.done(c, r.at(sent.request).fault(TooLarge, 0,
				fmt.Sprintf("more than %d events at one instant, %s", sent.maxCount, g.Last), false))
		case g.Full:
			more = append(more, c)
		default:
			c.from, c.minCount = c.end(), 0
			if c.from >= c.Until {
				r.sizer.measured(c.WebID, c.events, c.Until-c.After)
				r.done(c, nil)
			} else {
				c.step *= 2 // it went well
				more = append(more, c)
			}
		}
	}
	r.wait(more...)
	if len(faulty) > 0 {
		r.failed(ctx, &job{cursors: faulty, tries: j.tries, part: true}, sent, fault)
	}
}

// hand passes the events of a call to the sink.
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
// that the server allows is large enough.
func (r *reading) turn(c *cursor, g *decode.Result, maxCount int) bool {
	if hours := float64(g.Last-g.First) / float64(instant.Hour); hours > 0 {
		c.rate = float64(g.Items-1) / hours
	}
	if next := g.Last - 1; next > c.from {
		c.from, c.minCount = next, 0
		return true
	}
	// A page full of what we have already, or of one instant.
	most := r.sizer.limits().items
	c.minCount = min(most, 4*maxCount)
	return maxCount < most
}

// failed decides what follows from a call that failed as a whole.
func (r *reading) failed(ctx context.Context, j *job, sent call, err *Error) {
	one, tries, c := len(j.cursors) == 1, j.tries+1, j.cursors[0]
	r.log.Debug("a call failed", "streams", len(j.cursors), "tries", tries, "error", err.Kind.String(),
		"status", err.Status, "message", err.Message)
	switch {
	case endsAll(err.Kind):
		r.stop(err)
	case r.breaker.hopeless(err, one):
		r.stop(givenUp(err))
	case one && err.Kind == Timeout && r.breaker.quiet(): // what it is asked for does not matter
		r.refuse(c, err)
	case err.Kind == TooLarge && r.sizer.tooLarge(err, r.at(sent.request).urlBytes, sent.maxCount, len(j.cursors)):
		r.retries.Add(1)
		r.wait(j.cursors...) // planned again, within what has been learned
	case err.Retryable && err.Kind != Timeout && tries < r.attempts:
		wait := r.pauseBefore(tries, err)
		r.again(err, tries+1, r.attempts, wait)
		r.later(&job{cursors: j.cursors, tries: tries, part: j.part}, wait)
	case (!one || c.step == 0 && !c.single) && r.down(ctx, err): // what one stream does after that is not the site's fault
		r.stop(givenUp(err))

	// The same call will not do: it is made smaller, until one stream is to blame.
	case !one:
		if !j.part && (err.Kind == Timeout || err.Kind == Server) { // a part is slow for its bad stream
			r.sizer.tooSlow(len(j.cursors))
		}
		r.smaller(err)
		r.split(j)
	case (err.Kind == Timeout || err.Kind == TooLarge) && c.shorten():
		r.smaller(err)
		if err.Kind == TooLarge && r.breaker.hasSucceeded() {
			r.wait(c)
		} else { // alone, since others that do not answer would share the call; and at once
			r.part(&job{cursors: j.cursors, part: true})
		}
	case !c.single:
		r.smaller(err)
		c.single = true
		r.part(&job{cursors: j.cursors, part: true})
	default:
		r.refuse(c, err)
	}
}

// smaller counts a call that is sent again in another form. Only a site that
// fails is worth a notice: a refusal of one stream is not.
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

// split queues the parts of a job. They are tried once, a stream by itself as
// often as the policy allows.
func (r *reading) split(j *job) {
	n := len(j.cursors)
	ways := min(splitWays, n)
	for i := ways; i > 0; i-- {
		from, to := (i-1)*n/ways, i*n/ways
		part := &job{cursors: j.cursors[from:to:to], tries: r.attempts - 1, part: true}
		if len(part.cursors) == 1 {
			part.tries = 0
		}
		r.part(part)
	}
}

// shortest is the range below which a stream is not asked for less still.
const shortest = instant.Second

// shorten makes the range that one call asks of a stream shorter. It reports false
// when the range is short already.
func (c *cursor) shorten() bool {
	length := c.end() - c.from
	if length <= shortest {
		return false
	}
	c.step = max(shortest, length/splitWays)
	return true
}

// down counts a failure of the site, and reports whether the site is given up.
func (r *reading) down(ctx context.Context, err *Error) bool {
	down, probe := r.breaker.failed(err)
	if !probe {
		return down
	}
	silent := r.probe(ctx)
	return silent != nil && silent.Kind != RateLimited
}

// givenUp returns the one error of all streams of a site that is given up.
func givenUp(last *Error) *Error {
	e := *last
	e.Retryable = true
	const why = "the site does not work, so that the streams left were not tried; the last of the failed calls: "
	e.Message = strings.TrimSuffix(why+last.Message, ": ")
	return &e
}

// refuse ends a stream for good. When not one of many could be read, the others
// are not tried: the fault is not in them.
func (r *reading) refuse(c *cursor, err *Error) {
	r.done(c, err)
	if r.breaker.refuse() {
		e := *err
		e.Message = fmt.Sprintf("the first %d streams were all refused, so that the others were not tried; the last: %s", maxRefused, err.Message)
		r.stop(&e)
	}
}

// wait puts streams where the next call is planned from.
func (r *reading) wait(cursors ...*cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, cursors...)
	r.changed.Broadcast()
}

// push queues a job as it is.
func (r *reading) push(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, j)
	r.changed.Broadcast()
}

// part queues a part of a job that failed. Whole jobs go first, then the newest
// part: each call is tried before any is taken apart, and then one is taken apart
// down to its bad stream. The good parts soon prove that the server works.
func (r *reading) part(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts = append(r.parts, j)
	r.changed.Broadcast()
}

// later queues a job after a while; no worker waits for it meanwhile.
func (r *reading) later(j *job, after time.Duration) {
	time.AfterFunc(after, func() { r.push(j) })
}

// done ends a stream, with an error or well.
func (r *reading) done(c *cursor, err error) {
	c.done = true
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	r.sink.Done(int(c.Index), c.Outcome(c.from, c.events, failure), err)
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

// finish reports Done for the streams that were not finished. No worker runs any more.
func (r *reading) finish() error {
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	if r.open > 0 {
		for _, c := range r.cursors {
			if !c.done {
				r.done(c, ended)
			}
		}
		return ended
	}
	return nil
}
