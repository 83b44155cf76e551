package piwebapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/pipeline/callsize"
)

// Bounds of a list of points.
const (
	// maxPage is the size of the largest page that is read, in bytes.
	maxPage = 64 << 20
	// maxItems is how many points of a page are read: more than requested, since a
	// server may choose its own page size.
	maxItems = 100_000
	// maxPoints is how many points a site may list unless sites[].limits.points is
	// set. Each takes about 250 bytes of memory.
	maxPoints = 1_000_000
	// pageSteps is the factor by which a page that fails is made smaller.
	pageSteps = 4
	// maxUnlisted is how many points may be left out one after the other.
	maxUnlisted = 10
	// maxLeftOut is how many points may be left out of a list: beyond that, the list
	// is not PI's.
	maxLeftOut = 10_000
	// maxPages and maxListing bound a list whose pages are all valid: a server that
	// returns a hundred points a page, each in a quarter of a second, has listed more
	// than maxPoints by then.
	maxPages   = 20_000
	maxListing = 90 * time.Minute
	// maxListed is how many bytes the points of all lists may take; each takes
	// pointBytes and its texts. maxText is the longest descriptive text: PI's own are
	// shorter, and longer ones are cut.
	maxListed  = 256 << 20
	pointBytes = 160
	maxText    = 4 << 10
	// maxItem is the size of the largest point that is read, in bytes.
	maxItem = 1 << 20
	// maxPageFailures is how many pages in a row may fail without any answer in
	// between: fewer are enough to reach the smallest page.
	maxPageFailures = 20
	// silentPages is after how many time-outs in a row the site is probed by the
	// quickest request, and maxSilent after how many it is given up regardless.
	silentPages = 2
	maxSilent   = 10
)

// errHugePage is the error of a page that exceeds maxPage or maxItems.
var errHugePage = fmt.Errorf("a page of more than %d MB or %d points, whatever it is asked for, is %w", maxPage>>20, maxItems,
	decode.ErrTooLarge)

// errListing is the error of a list that took longer than maxListing.
var errListing = fmt.Errorf("the list of points was not at its end after %s", maxListing)

// Points lists all points of a data server, page by page, each point once.
// yield is called from this goroutine; its error ends the listing and is
// returned unchanged. The list ends with an empty page, since servers may return
// pages shorter than requested, and no links. A page without a new point is an
// error, so that a server that repeats itself does not keep it going for ever.
//
// A page that the server cannot return is requested again, smaller, down to one
// point, which is then left out. So is a point with an invalid description. See
// Notes.
func (c *Client) Points(ctx context.Context, ds DataServer, yield func([]Point) error) error {
	bounded, cancel := context.WithTimeoutCause(ctx, maxListing, errListing)
	defer cancel()
	err := c.points(bounded, ds, yield)
	if err != nil && ctx.Err() == nil && context.Cause(bounded) == errListing {
		return c.at(pointsRequest(ds, 0, 0)).fault(Timeout, 0, errListing.Error(), false)
	}
	return err
}

func (c *Client) points(ctx context.Context, ds DataServer, yield func([]Point) error) (failed error) {
	var seen seenPoints
	defer func() {
		if failed != nil { // the list is dropped
			c.lists.give(seen.len(), seen.bytes)
		}
	}()
	size, tries, unlisted := newPageSize(), pageFailures{}, 0
	for start, pages := 0, 0; ; {
		ask := size.now
		page, err := c.page(ctx, ds, start, ask, &seen)
		var e *Error
		switch {
		case err == nil:
		case errors.Is(err, errPoints), errors.Is(err, errTexts):
			return c.full(pointsRequest(ds, start, ask), seen.len()+len(page.points), err)
		case !errors.As(err, &e) || tries.failed(e) || !c.mayBeOfSize(ctx, ds, e, start, ask, &tries):
			return err
		case ask > 1:
			size.failed(e.limit)
			continue
		default:
			if unlisted++; unlisted > maxUnlisted {
				return err
			}
			c.leaveOut(start, e.Message)
			start++
			continue
		}
		if page.items == 0 {
			return nil
		}
		if pages++; pages > maxPages || c.leftOut() > maxLeftOut {
			what := fmt.Sprintf("the list was not at its end after %d pages", maxPages)
			if pages <= maxPages {
				what = fmt.Sprintf("more than %d of the points that it lists make no sense, such as %s", maxLeftOut, c.firstLeftOut())
			}
			return c.at(pointsRequest(ds, start, ask)).fault(Malformed, http.StatusOK, what, false)
		}
		switch {
		case len(page.points) == 0 && page.known > 0:
			return c.at(pointsRequest(ds, start, ask)).fault(Server, http.StatusOK,
				fmt.Sprintf("the list of points repeats itself from position %d on", start), false)
		case seen.len() > c.maxPoints:
			return c.full(pointsRequest(ds, start, ask), seen.len(), errPoints)
		}
		if err := yield(page.points); err != nil {
			return err
		}
		start += page.items
		tries, unlisted = pageFailures{}, 0
		size.went()
	}
}

// pageSize is how many points to request. It shrinks fast and grows back. A size that
// has failed before is tried ever less often: the cause may have been one point, or
// a limit of the server.
type pageSize struct {
	now      int
	streak   int         // pages that went well in a row
	failures map[int]int // how often a size has failed, by its number of bits
}

func newPageSize() pageSize { return pageSize{now: callsize.PointsPerPage, failures: map[int]int{}} }

// failed makes the size smaller. limit is the server's own; 0 if it names none.
func (s *pageSize) failed(limit int) {
	s.failures[bits.Len(uint(s.now))]++
	if limit > 0 && limit < s.now {
		s.now = limit
	} else {
		s.now = max(1, s.now/pageSteps)
	}
	s.streak = 0
}

// went makes the size larger again after enough pages.
func (s *pageSize) went() {
	s.streak++
	if larger := min(callsize.PointsPerPage, 2*s.now); s.streak >= 1<<min(s.failures[bits.Len(uint(larger))], 20) {
		s.now, s.streak = larger, 0
	}
}

// pageFailures counts pages that failed in a row.
type pageFailures struct {
	pages, silent int
	probed        bool // the site has answered a probe since
}

// failed counts a page that failed, and reports whether it is the last.
func (v *pageFailures) failed(e *Error) bool {
	v.pages++
	if e.Kind == Timeout {
		v.silent++
	}
	return v.pages > maxPageFailures || v.silent > maxSilent
}

// mayBeOfSize reports whether a smaller page may succeed after one failed with e.
func (c *Client) mayBeOfSize(ctx context.Context, ds DataServer, e *Error, start, ask int, tries *pageFailures) bool {
	switch e.Kind {
	case TooLarge:
		return ask > 1 || !errors.Is(e, errHugePage) // one point is never that large: the server ignores maxCount
	case Truncated, Malformed:
		return true
	case Timeout, Server:
		if ask > 1 && e.Status != http.StatusServiceUnavailable && tries.silent < silentPages || tries.probed {
			return true
		}
		// One point cannot be listed, or the server is down altogether.
		tries.probed = c.probe(ctx) == nil
		return tries.probed
	case Forbidden, NotFound, BadRequest:
		// The error is about one point if the one before or after it can be listed.
		if start > 0 {
			return true
		}
		_, first := c.page(ctx, ds, 0, 1, &seenPoints{})
		_, second := c.page(ctx, ds, 1, 1, &seenPoints{})
		return first == nil || second == nil
	}
	return false
}

// seenPoints holds the points that a list had so far, by their ids. The zero value is
// ready to use.
type seenPoints struct {
	ids    map[int64]struct{}
	webIDs map[string]struct{} // of points without an id
	bytes  int                 // of all their texts
	words  map[string]string   // texts that many points share
}

func (s *seenPoints) len() int { return len(s.ids) + len(s.webIDs) }

// add adds a point, and reports whether it is new.
func (s *seenPoints) add(p *Point) bool {
	if s.ids == nil {
		s.ids, s.webIDs, s.words = map[int64]struct{}{}, map[string]struct{}{}, map[string]string{}
	}
	before := s.len()
	if p.ID != 0 {
		s.ids[p.ID] = struct{}{}
	} else {
		s.webIDs[p.WebID] = struct{}{}
	}
	return s.len() > before
}

// forget removes points that will be read again.
func (s *seenPoints) forget(points []Point) {
	for i := range points {
		delete(s.ids, points[i].ID)
		if points[i].ID == 0 {
			delete(s.webIDs, points[i].WebID)
		}
	}
}

// texts returns the size of the texts that a point does not share with others.
func (p *Point) texts() int { return len(p.WebID) + len(p.Name) + len(p.Descriptor) }

// pack minimizes the memory of a point's texts, since there may be a million points:
// its own texts become one, and common texts are shared.
func (s *seenPoints) pack(p *Point) {
	const maxWords = 10_000
	for _, t := range [...]*string{&p.PointType, &p.DigitalSet, &p.Units} {
		word, known := s.words[*t]
		if !known && len(s.words) < maxWords {
			word = strings.Clone(*t)
			s.words[word] = word
			known = true
		}
		if known {
			*t = word
		}
	}
	own := p.WebID + p.Name + p.Descriptor
	s.bytes += len(own)
	p.WebID, own = own[:len(p.WebID)], own[len(p.WebID):]
	p.Name, p.Descriptor = own[:len(p.Name)], own[len(p.Name):]
}

// page is one page of points.
type page struct {
	points []Point // new ones
	known  int     // points that an earlier page had
	items  int     // both, and those left out
}

func pointsRequest(ds DataServer, start, ask int) request {
	filter := ""
	if ds.source != "" {
		filter = "&sourceFilter=" + url.QueryEscape(ds.source)
	}
	return request{
		path: "/dataservers/" + url.PathEscape(ds.WebID) + "/points",
		query: fmt.Sprintf("startIndex=%d&maxCount=%d&webIdType=IDOnly&%s", start, ask,
			fields("Items.", pointFields, "WebException")) + filter,
	}
}

// page requests a page: once if it timed out or a smaller one may succeed, else as
// often as the site's retry policy allows. The points of a complete page are added to
// seen.
func (c *Client) page(ctx context.Context, ds DataServer, start, ask int, seen *seenPoints) (page, error) {
	var p page
	r := pointsRequest(ds, start, ask)
	r.read = func(body io.Reader, _ http.Header) (err error) {
		p = page{points: p.points[:0]}
		bytes := seen.bytes
		defer func() {
			if err != nil { // its points will be read again
				seen.forget(p.points)
				c.lists.give(len(p.points), seen.bytes-bytes)
				seen.bytes = bytes
			}
		}()
		return readItems(body, func(raw json.RawMessage) error {
			p.items++
			var item pointItem
			if err := json.Unmarshal(raw, &item); err != nil {
				if c.leftOut() <= maxLeftOut {
					c.leaveOut(start+p.items-1, err.Error())
				}
				return nil
			}
			point := c.shown(item.point())
			if !seen.add(&point) {
				p.known++
				return nil
			}
			seen.pack(&point)
			if err := c.lists.take(point.texts()); err != nil {
				seen.forget([]Point{point})
				seen.bytes -= point.texts()
				return err
			}
			p.points = append(p.points, point)
			return nil
		})
	}
	e := c.get(ctx, r)
	if e != nil && (e.Kind == Unreachable || e.Kind == Server && (ask == 1 || e.Status == http.StatusServiceUnavailable) ||
		e.Kind == Truncated && ask == 1) {
		return p, c.persist(ctx, r)
	}
	if e != nil {
		c.again(e, 0, 0, 0)
		return p, e
	}
	return p, nil
}

// shown removes the site's secrets from the texts of a point.
func (c *Client) shown(p Point) Point {
	for _, s := range [...]*string{&p.Descriptor, &p.PointType, &p.DigitalSet, &p.Units} {
		if len(*s) > maxText {
			*s = strings.ToValidUTF8((*s)[:maxText], "") + "…"
		}
	}
	if c.redactFor != nil {
		for _, s := range [...]*string{&p.Name, &p.Descriptor, &p.PointType, &p.DigitalSet, &p.Units} {
			*s = c.redactFor(*s)
		}
	}
	return p
}

// named removes the site's secrets from a name of the server.
func (c *Client) named(s string) string {
	if c.redactFor == nil {
		return s
	}
	return c.redactFor(s)
}

// readItems reads a list as it arrives and passes on one item after the other, so
// that a page is never in memory as a whole. An item is valid during the call. An
// error of item ends the reading.
func readItems(r io.Reader, item func(json.RawMessage) error) error {
	limited := &pageReader{r: r, left: maxPage + 1, item: maxItem}
	in := bufio.NewReader(limited)
	if mark, _ := in.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		_, _ = in.Discard(len(byteOrderMark))
	}
	for {
		c, err := in.ReadByte()
		if err != nil {
			return malformed(err)
		}
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		_ = in.UnreadByte()
		if c != '{' {
			begin, _ := in.Peek(snippet)
			return notJSON(begin)
		}
		break
	}
	items := 0
	err := readList(json.NewDecoder(in), func(raw json.RawMessage) error {
		if items++; items > maxItems {
			return errHugePage
		}
		limited.item = maxItem
		return item(raw)
	})
	switch {
	case err == nil:
		return nil
	case limited.left <= 0:
		return errHugePage
	case limited.item <= 0:
		return fmt.Errorf("one of a list that takes more than %d MB is %w", maxItem>>20, decode.ErrTooLarge)
	}
	return err
}

// snippet is how much of a body that is not JSON is shown, in bytes.
const snippet = 100

func notJSON(body []byte) error {
	text := string(body)
	if len(text) >= snippet {
		text = strings.ToValidUTF8(text[:snippet], "") + "…"
	}
	return &decode.NotJSON{Snippet: readable(text)}
}

// pageReader ends when a page, or one item of it, gets too large: a value must be in
// memory as a whole before it can be decoded.
type pageReader struct {
	r    io.Reader
	left int64 // bytes of the page
	item int64 // bytes until the next item must be complete, approximately
}

func (p *pageReader) Read(b []byte) (int, error) {
	limit := min(p.left, p.item)
	if limit <= 0 {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(int64(len(b)), limit)])
	p.left, p.item = p.left-int64(n), p.item-int64(n)
	return n, err
}

func readList(d *json.Decoder, item func(json.RawMessage) error) error {
	if _, err := d.Token(); err != nil { // the brace
		return malformed(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return malformed(err)
		}
		var value json.RawMessage
		switch key {
		case "Items":
			if err := readArray(d, item); err != nil {
				return err
			}
			continue
		case "WebException":
			var e *decode.WebException
			if err := d.Decode(&e); err != nil {
				return malformed(err)
			}
			if e != nil {
				return e
			}
			continue
		}
		if err := d.Decode(&value); err != nil {
			return malformed(err)
		}
	}
	_, err := d.Token()
	if err != nil {
		return malformed(err)
	}
	return nil
}

func readArray(d *json.Decoder, item func(json.RawMessage) error) error {
	begin, err := d.Token()
	switch {
	case err != nil:
		return malformed(err)
	case begin == nil:
		return nil // null
	case begin != json.Delim('['):
		return &decode.FormatError{Offset: d.InputOffset(), Reason: "Items is not an array", Lasting: true}
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return malformed(err)
		}
		if err := item(raw); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed(err)
	}
	return nil
}

// maxNotes is how many of the points that were left out are reported.
const maxNotes = 10

// left records what lists lack.
type left struct {
	mu          sync.Mutex
	at          map[int]struct{} // positions of points
	why         []string         // of the first
	names, sets leftNames
}

// leftNames are things that were left out, by name.
type leftNames struct {
	why  []string // of the first
	more int      // beyond those in why
}

func (l *leftNames) add(name, why string) {
	if len(l.why) >= maxNotes {
		l.more++
		return
	}
	l.why = append(l.why, fmt.Sprintf("%q: %s", text.Line(name), why))
}

// leaveOut notes that a list lacks a point, once for each position.
func (c *Client) leaveOut(position int, why string) {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	if _, known := c.left.at[position]; known {
		return
	}
	if c.left.at == nil {
		c.left.at = map[int]struct{}{}
	}
	c.left.at[position] = struct{}{}
	if len(c.left.why) < maxNotes {
		why = fmt.Sprintf("the one at position %d: %s", position, text.Line(c.redact(why)))
		c.left.why = append(c.left.why, why)
		c.log.Debug("a point is left out of the list", "point", why)
	}
}

func (c *Client) leftOut() int {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	return len(c.left.at)
}

// Incomplete reports whether a list of points lacked one that the server has.
func (c *Client) Incomplete() bool {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	return len(c.left.at)+len(c.left.names.why) > 0
}

func (c *Client) firstLeftOut() string {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	return c.left.why[0]
}

// leaveOutSet notes that a digital set lacks its states.
func (c *Client) leaveOutSet(name, why string) {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	c.left.sets.add(c.named(name), c.redact(why))
}

// leaveOutName notes that a point could not be looked up by its name.
func (c *Client) leaveOutName(name, why string) {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	c.left.names.add(name, why)
}

// Notes returns what is missing in the lists that this Client has read, and why: one
// sentence for each kind.
func (c *Client) Notes() []string {
	c.left.mu.Lock()
	defer c.left.mu.Unlock()
	var out []string
	note := func(one, many string, n int, why []string) {
		what := one
		if n > 1 {
			what = fmt.Sprintf(many, n)
		}
		if rest := n - len(why); rest > 0 {
			why = append(slices.Clip(why), fmt.Sprintf("and %d more", rest))
		}
		out = append(out, fmt.Sprintf("%s: %s: %s", text.Line(c.site), what, strings.Join(why, "; ")))
	}
	if n := len(c.left.at); n > 0 {
		note("1 point of the server's list is left out", "%d points of the server's list are left out", n, c.left.why)
	}
	if l := c.left.names; len(l.why) > 0 {
		note("1 point could not be looked up", "%d points could not be looked up", len(l.why)+l.more, l.why)
	}
	if l := c.left.sets; len(l.why) > 0 {
		note("1 digital set is without the names of its states", "%d digital sets are without the names of their states", len(l.why)+l.more,
			l.why)
	}
	return out
}
