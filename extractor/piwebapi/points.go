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

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/text"
)

// Bounds of a list of points.
const (
	// pointsPage is how many points are asked for at once: a page of so many is some
	// megabytes. It has nothing to do with items_per_call, which is about events.
	pointsPage = 10_000
	// maxPage is the size of the largest page that is read, in bytes.
	maxPage = 64 << 20
	// maxItems is how many points of a page are read: more than are asked for, since
	// a server may have its own idea of a page.
	maxItems = 100_000
	// maxPoints is how many points a site may list unless sites[].limits.points says
	// otherwise. Each is held in memory, by about 250 bytes.
	maxPoints = 1_000_000
	// pageSteps is by how much a page that fails gets smaller.
	pageSteps = 4
	// maxUnlisted is how many points may be left out one after the other.
	maxUnlisted = 10
)

// Points lists all points of a data server, page by page, each point once.
// yield is called from this goroutine; its error ends the listing and is
// returned as it is. It goes on until a page is empty, since servers give pages
// shorter than asked, and no links; a page that brings nothing new is an error,
// so that a server which repeats itself does not keep it going for ever.
//
// A page that the server cannot give is asked for again, smaller, down to one
// point. That one is left out then, and so is a point whose description makes no
// sense: see LeftOut.
func (c *Client) Points(ctx context.Context, ds DataServer, yield func([]Point) error) error {
	seen := make(map[identity]struct{})
	size, unlisted := newPageSize(), 0
	for start := 0; ; {
		ask := size.now
		page, err := c.page(ctx, ds, start, ask, seen)
		var e *Error
		switch {
		case err == nil:
		case !errors.As(err, &e) || !c.mayBeOfSize(ctx, ds, e, start, ask):
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
		switch {
		case len(page.points) == 0 && page.known > 0:
			return c.at(pointsRequest(ds, start, ask)).fault(Server, http.StatusOK, fmt.Sprintf("the list of points repeats itself from position %d on", start), false)
		case len(seen) > c.maxPoints:
			e := c.at(pointsRequest(ds, start, ask)).fault(TooLarge, http.StatusOK, fmt.Sprintf("it lists more than %d points", c.maxPoints), false)
			e.hint = "name the points that you want in sites[].points, or raise sites[].limits.points"
			return e
		}
		if err := yield(page.points); err != nil {
			return err
		}
		start += page.items
		unlisted = 0
		size.went()
	}
}

// pageSize is how many points to ask for. It shrinks fast and grows back, by
// ever rarer trials to a size that has failed before: that may have been for one
// point, or because the server has a limit.
type pageSize struct {
	now      int
	streak   int         // pages that went well in a row
	failures map[int]int // how often a size has failed, by its number of bits
}

func newPageSize() pageSize { return pageSize{now: pointsPage, failures: map[int]int{}} }

// failed makes the size smaller; limit is the server's own, 0 where it names none.
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
	if larger := min(pointsPage, 2*s.now); s.streak >= 1<<min(s.failures[bits.Len(uint(larger))], 20) {
		s.now, s.streak = larger, 0
	}
}

// mayBeOfSize reports whether a smaller page may do better than one that failed with e.
func (c *Client) mayBeOfSize(ctx context.Context, ds DataServer, e *Error, start, ask int) bool {
	switch e.Kind {
	case TooLarge, Truncated, Malformed:
		return true
	case Timeout, Server:
		if ask > 1 && e.Status != http.StatusServiceUnavailable {
			return true
		}
		// One point cannot be listed, or the server is down altogether.
		return c.probe(ctx) == nil
	case Forbidden, NotFound, BadRequest:
		// It is about one point when the one before or behind it can be listed.
		if start > 0 {
			return true
		}
		_, first := c.page(ctx, ds, 0, 1, map[identity]struct{}{})
		_, second := c.page(ctx, ds, 1, 1, map[identity]struct{}{})
		return first == nil || second == nil
	}
	return false
}

// identity tells one point of a data server from another.
type identity struct {
	id    int64
	webID string // where there is no id
}

// page is one page of points.
type page struct {
	points []Point // that no page before had
	known  int     // that one had
	items  int     // all of these, and what was left out
}

func pointsRequest(ds DataServer, start, ask int) request {
	return request{
		path: "/dataservers/" + url.PathEscape(ds.WebID) + "/points",
		query: fmt.Sprintf("startIndex=%d&maxCount=%d&webIdType=IDOnly&%s", start, ask,
			fields("Items.", pointFields, "WebException")),
	}
}

// page asks for a page: once where a smaller one may do better, and as often as the
// site's policy says for a page of one and where nothing answers. Points of a page
// that is given whole are added to seen.
func (c *Client) page(ctx context.Context, ds DataServer, start, ask int, seen map[identity]struct{}) (page, error) {
	var p page
	var keys []identity
	r := pointsRequest(ds, start, ask)
	r.read = func(body io.Reader, _ http.Header) (err error) {
		p, keys = page{points: p.points[:0]}, keys[:0]
		defer func() {
			if err != nil { // its points are to be read again
				for _, k := range keys {
					delete(seen, k)
				}
			}
		}()
		return readItems(body, maxPage, func(raw json.RawMessage) {
			p.items++
			var item pointItem
			if err := json.Unmarshal(raw, &item); err != nil {
				c.leaveOut(start+p.items-1, err.Error())
				return
			}
			key := identity{id: item.ID}
			if item.ID == 0 {
				key.webID = item.WebID
			}
			if _, old := seen[key]; old {
				p.known++
				return
			}
			seen[key] = struct{}{}
			keys, p.points = append(keys, key), append(p.points, c.shown(item.point()))
		})
	}
	if ask == 1 {
		return p, c.persist(ctx, r)
	}
	e := c.get(ctx, r)
	if e != nil && (e.Kind == Unreachable || e.Kind == Server && e.Status == http.StatusServiceUnavailable) {
		return p, c.persist(ctx, r)
	}
	if e != nil {
		c.again(e, 0, 0, 0)
		return p, e
	}
	return p, nil
}

// shown takes the site's secrets out of what a point is called and described by.
func (c *Client) shown(p Point) Point {
	for _, s := range []*string{&p.Name, &p.Descriptor, &p.PointType, &p.DigitalSet, &p.Units} {
		if *s != "" {
			*s = c.redact(*s)
		}
	}
	return p
}

// readItems reads a list as it comes and hands over one item after the other, so
// that a page is never in memory as a whole. The item is valid during the call.
func readItems(r io.Reader, most int64, item func(json.RawMessage)) error {
	items := 0
	each := func(raw json.RawMessage) error {
		if items++; items > maxItems {
			return fmt.Errorf("a page of more than %d points is %w", maxItems, decode.ErrTooLarge)
		}
		item(raw)
		return nil
	}
	limited := &io.LimitedReader{R: r, N: most + 1}
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
			begin, _ := in.Peek(100)
			return &decode.NotJSON{Snippet: readable(string(begin))}
		}
		break
	}
	err := readList(json.NewDecoder(in), each)
	if limited.N <= 0 {
		return fmt.Errorf("a page of more than %d MB is %w", most>>20, decode.ErrTooLarge)
	}
	return err
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
		return &decode.FormatError{Offset: d.InputOffset(), Reason: "Items is not an array"}
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

// mostNamed is how many of the points that were left out are told of.
const mostNamed = 10

// leaveOut notes that a list lacks a point, once for each position.
func (c *Client) leaveOut(position int, why string) {
	c.left.Lock()
	defer c.left.Unlock()
	if _, known := c.left.at[position]; known {
		return
	}
	if c.left.at == nil {
		c.left.at = map[int]struct{}{}
	}
	c.left.at[position] = struct{}{}
	if len(c.left.why) < mostNamed {
		why = fmt.Sprintf("the one at position %d: %s", position, text.Line(c.redact(why)))
		c.left.why = append(c.left.why, why)
		c.log.Warn("a point is left out of the list", "point", why)
	}
}

// LeftOut returns how many points the lists of this Client lack, and why, for the
// first of them.
func (c *Client) LeftOut() (points int, why []string) {
	c.left.Lock()
	defer c.left.Unlock()
	return len(c.left.at), c.left.why
}
