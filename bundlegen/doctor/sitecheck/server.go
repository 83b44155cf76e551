package sitecheck

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/internal/words"
)

const (
	longURL  = 15_900 // bytes of the longest URL that extraction sends
	shortURL = 1000   // which every server takes
	urlSteps = 5      // of the search for the longest that a server takes
)

// url sends a URL as long as extraction's longest; where that is refused, it looks
// for the longest that is not.
func (s *Site) url(ctx context.Context) {
	if s.takes(ctx, longURL) {
		s.fine("url", doctor.URLAllowed, doctor.Args{"bytes": words.Count(longURL)})
		return
	}
	low, high := shortURL, longURL
	if !s.takes(ctx, low) {
		return // not for its length, then
	}
	for range urlSteps {
		if middle := (low + high) / 2; s.takes(ctx, middle) {
			low = middle
		} else {
			high = middle
		}
	}
	if ctx.Err() == nil {
		s.warn("url", doctor.URLLimit, doctor.Args{"bytes": words.Count(low), "wanted": words.Count(longURL)})
	}
}

// takes reports whether the server answers a URL of so many bytes. It asks for the
// names of the data servers, again and again.
func (s *Site) takes(ctx context.Context, bytes int) bool {
	const path, first, more = "/dataservers", "selectedFields=Items.Name", "%3BItems.Name"
	room := bytes - len(s.site.URL) - len(path) - len("?") - len(first)
	_, err := s.probe(ctx, path, first+strings.Repeat(more, max(0, room/len(more))))
	return err == nil
}

// send makes a request with the account that is none of piwebapi's.
func (s *Site) send(ctx context.Context, method, path, body string, head map[string]string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.site.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "bundlegen-doctor")
	for name, value := range head {
		r.Header.Set(name, value)
	}
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // so that the connection can be used again
	return resp, resp.Body.Close()
}

// csrf sends an empty batch, which does nothing, without the header that a server
// with a defence against cross-site requests wants.
func (s *Site) csrf(ctx context.Context) {
	resp, err := s.send(ctx, http.MethodPost, "/batch", "{}", map[string]string{"Content-Type": "application/json"})
	switch {
	case err != nil:
		s.fine("csrf", doctor.CSRFUnknown, doctor.Args{"status": "no answer"})
	case resp.StatusCode/100 == 2:
		s.warn("csrf", doctor.CSRFOff, nil)
	case resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusForbidden:
		s.fine("csrf", doctor.CSRFOn, nil)
	default:
		s.fine("csrf", doctor.CSRFUnknown, doctor.Args{"status": status(resp.StatusCode)})
	}
}

// gzip asks for a packed answer.
func (s *Site) gzip(ctx context.Context) {
	resp, err := s.send(ctx, http.MethodGet, "/dataservers", "", map[string]string{"Accept-Encoding": "gzip"})
	if err == nil && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		s.fine("gzip", doctor.Gzip, nil)
		return
	}
	s.fine("gzip", doctor.NoGzip, nil)
}

// throttledState is what piwebapi calls a throttled request.
var throttledState = strconv.Itoa(http.StatusTooManyRequests)

// throttled counts the requests that the server answered by 429.
func (s *Site) throttled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resent[throttledState]
}

// throttledFinding words a 429, of a check or of all.
func (s *Site) throttledFinding(check string) doctor.Finding {
	rate := float64(s.client.Requests()) / max(0.001, time.Since(s.began).Seconds())
	return doctor.New(doctor.Warn, check, s.subject, doctor.RateLimited,
		doctor.Args{"times": words.Count(s.throttled()), "rate": words.Number(rate)})
}

// throttling looks back on how the server took the requests so far.
func (s *Site) throttling(context.Context) {
	sent := int(s.client.Requests())
	if s.throttled() > 0 {
		s.add(s.throttledFinding("throttling"))
	} else {
		s.fine("throttling", doctor.Unthrottled, doctor.Args{"requests": words.Plural(sent, "request")})
	}
	s.mu.Lock()
	others := maps.Clone(s.resent)
	s.mu.Unlock()
	delete(others, throttledState)
	if len(others) == 0 {
		return
	}
	times, states := 0, []string{}
	for _, state := range slices.Sorted(maps.Keys(others)) {
		times += others[state]
		states = append(states, fmt.Sprintf("%s (%d)", state, others[state]))
	}
	s.warn("throttling", doctor.Flaky,
		doctor.Args{"times": words.Count(times), "requests": words.Count(sent), "states": strings.Join(states, ", ")})
}
