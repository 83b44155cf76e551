package sitecheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

const (
	firstPoints = 1000 // that are listed, where the server gives out so many at once
	fewPoints   = 100  // where it does not
	lookedUp    = 40   // tags of the inventory
	sampled     = 20   // points that are read
	namesShown  = 5

	// clockNoticed is how far clocks may be apart before anybody minds, clockRefused
	// before an extraction stops believing the server's.
	clockNoticed = time.Minute
	clockRefused = 24 * time.Hour
)

// clocks are what the site's clocks show, and this machine's at the same time; 0 =
// the server does not say.
type clocks struct {
	archive, web instant.Ticks
	here         instant.Ticks
}

// dataServer finds the PI Data Archive that sites[].data_server names.
func (s *Site) dataServer(ctx context.Context) {
	before := s.Now()
	all, err := s.client.DataServers(ctx)
	if err != nil {
		s.broke("data-server", err)
		return
	}
	here := instant.FromTime(before.Add(s.Now().Sub(before) / 2))
	var names []string
	wanted := s.site.DataServer
	found := -1
	for i, server := range all {
		names = append(names, line(server.Name))
		if strings.EqualFold(server.Name, wanted) || wanted == "" && len(all) == 1 {
			found = i
		}
	}
	list := doctor.Args{"name": wanted, "names": strings.Join(names[:min(20, len(names))], ", ")}
	switch {
	case len(all) == 0:
		s.fail("data-server", doctor.NoDataServer, nil)
	case found < 0 && wanted == "":
		s.fail("data-server", doctor.SeveralServers, list)
	case found < 0:
		s.fail("data-server", doctor.UnknownDataServer, list)
	case !all[found].IsConnected:
		s.fail("data-server", doctor.Disconnected, doctor.Args{"name": line(all[found].Name)})
	default:
		s.server, s.clocks = all[found], clocks{archive: all[found].ServerTime, web: all[found].Date, here: here}
		s.fine("data-server", doctor.ServerConnected, doctor.Args{"name": line(s.server.Name)})
	}
}

// clock compares the site's clocks with this machine's.
func (s *Site) clock(context.Context) {
	worst := time.Duration(0)
	for _, c := range []struct {
		whose string
		shows instant.Ticks
	}{{"the PI Data Archive's", s.clocks.archive}, {"the web server's", s.clocks.web}} {
		if c.shows == 0 {
			continue
		}
		off := (c.shows - s.clocks.here).Duration()
		args := doctor.Args{"whose": c.whose, "time": c.shows.String(), "off": words.Span(off.Abs().Seconds()), "direction": "ahead of"}
		if off < 0 {
			args["direction"] = "behind"
		}
		switch worst = max(worst, off.Abs()); {
		case off.Abs() > clockRefused:
			s.fail("clock", doctor.ClockWrong, args)
		case off.Abs() > clockNoticed:
			s.warn("clock", doctor.ClockOff, args)
		}
	}
	if worst <= clockNoticed {
		s.fine("clock", doctor.ClocksAgree, doctor.Args{"off": short(max(worst, time.Second))})
	}
}

// page is a page of points.
type page struct {
	Items []struct {
		WebID     string `json:"WebId"`
		ID        int64  `json:"Id"`
		Name      string
		PointType string
		Future    bool
	}
}

// list asks for the first points of the data server.
func (s *Site) list(ctx context.Context, most int, source string) (p page, err error) {
	query := fmt.Sprintf("maxCount=%d&webIdType=IDOnly&selectedFields=Items.WebId%%3BItems.Id%%3BItems.Name%%3B"+
		"Items.PointType%%3BItems.Future%%3BWebException", most)
	if source != "" {
		query += "&sourceFilter=" + url.QueryEscape(source)
	}
	body, _, err := s.client.Probe(ctx, "/dataservers/"+url.PathEscape(s.server.WebID)+"/points", query)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(body, &p)
}

// noSource is a point source that no point has.
const noSource = "bundlegen-asks-whether-sources-are-filtered"

// seePoints lists the first points that the account sees.
func (s *Site) seePoints(ctx context.Context) {
	most := firstPoints
	p, err := s.list(ctx, most, "")
	if err != nil && ctx.Err() == nil { // some servers and gateways fail at large pages
		most = fewPoints
		p, err = s.list(ctx, most, "")
	}
	switch {
	case err != nil:
		s.broke("points", err)
		return
	case len(p.Items) == 0:
		s.fail("points", doctor.NoPoints, doctor.Args{"name": line(s.server.Name)})
		return
	}
	if len(s.site.Points.PointSource) > 0 {
		if none, err := s.list(ctx, 1, noSource); err == nil && len(none.Items) > 0 {
			s.fail("points", doctor.SourceUnfiltered, nil)
			return
		}
	}
	for _, item := range p.Items {
		if item.WebID != "" && item.Name != "" && !item.Future {
			s.points = append(s.points, piwebapi.Point{WebID: item.WebID, ID: item.ID, Name: item.Name, PointType: item.PointType})
		}
	}
	seen := words.Plural(len(p.Items), "point")
	if len(p.Items) >= most {
		seen += " or more"
	}
	s.fine("points", doctor.PointsSeen, doctor.Args{"points": seen})
}

// inventory looks up some of the inventory's tags.
func (s *Site) inventory(ctx context.Context) {
	if len(s.Tags) == 0 {
		s.fine("inventory", doctor.NoTags, nil)
		return
	}
	tags := spread(s.Tags, lookedUp)
	wanted := make([]piwebapi.Wanted, len(tags))
	for i, t := range tags {
		wanted[i] = piwebapi.Wanted{WebID: t.WebID, Name: t.Name}
	}
	found, err := s.client.Lookup(ctx, s.server, wanted)
	if err != nil {
		s.broke("inventory", err)
		return
	}
	there, ids, named := map[string]bool{}, map[int64]bool{}, map[string]bool{}
	var known []piwebapi.Point
	for _, p := range found {
		there[p.WebID], ids[p.ID], named[inventory.Fold(p.Name)] = true, p.ID != 0, true
		if !p.Future {
			known = append(known, p)
		}
	}
	var lost []string
	for _, t := range tags {
		if !there[t.WebID] && !ids[t.PointID] && !named[inventory.Fold(t.Name)] {
			lost = append(lost, line(t.Name))
		}
	}
	if len(known) > 0 {
		s.points = known // what will be read is a better sample than what is listed first
	}
	args := doctor.Args{"lost": words.Count(len(lost)), "asked": words.Count(len(tags)),
		"tags": words.Plural(len(tags), "tag"), "names": few(lost)}
	switch {
	case len(lost) == len(tags):
		s.fail("inventory", doctor.UnknownTags, args)
	case len(lost) > 0:
		s.warn("inventory", doctor.UnknownTags, args)
	default:
		s.fine("inventory", doctor.TagsKnown, args)
	}
}

// spread picks some of a list, evenly.
func spread[T any](all []T, most int) []T {
	if len(all) <= most {
		return all
	}
	out := make([]T, most)
	for i := range out {
		out[i] = all[i*len(all)/most]
	}
	return out
}

// few lists the first names.
func few(names []string) string {
	if n := len(names) - namesShown; n > 0 {
		return strings.Join(names[:namesShown], ", ") + " and " + words.Count(n) + " more"
	}
	return strings.Join(names, ", ")
}

// settled is the hour that is read of each point: long enough ago that nothing of it
// is provisional, and with bounds at which no event is, so that a server that rounds
// them counts no other events than it returns.
func (s *Site) settled() (after, until instant.Ticks) {
	now := s.clocks.here
	if a := s.clocks.archive; a != 0 && a < now {
		now = a
	}
	until = (now-instant.Hour)/instant.Second*instant.Second + 5_004_321
	return until - instant.Hour, until
}

// counter is a Sink that keeps outcomes alone.
type counter struct {
	client *piwebapi.Client
	mu     sync.Mutex
	done   map[int]batch.Outcome
	failed map[int]error
}

func (c *counter) Events(_ context.Context, b *columns.Batch) error {
	c.client.Free(b)
	return nil
}

func (c *counter) Done(i int, o batch.Outcome, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed[i] = err
		return
	}
	c.done[i] = o
}

// readSample reads an hour of some points.
func (s *Site) readSample(ctx context.Context) {
	if len(s.points) == 0 {
		s.fine("sample", doctor.NoSample, nil)
		return
	}
	after, until := s.settled()
	for _, p := range spread(s.points, sampled) {
		s.sample = append(s.sample, batch.Stream{PointID: p.ID, WebID: p.WebID, Name: p.Name, Numeric: batch.Numeric(p.PointType),
			EventsPerHour: -1, After: after, Until: until})
	}
	c := &counter{client: s.client, done: map[int]batch.Outcome{}, failed: map[int]error{}}
	err := s.client.Recorded(ctx, s.sample, c)
	s.events = c.done
	var e *piwebapi.Error
	if len(c.done) == 0 && err != nil && (!errors.As(err, &e) || e.Kind != piwebapi.Forbidden) {
		s.broke("sample", err)
		return
	}
	if len(c.failed) > 0 {
		s.unreadable(c.failed)
		return
	}
	events := int64(0)
	for _, o := range c.done {
		events += o.Events
	}
	s.fine("sample", doctor.SampleRead,
		doctor.Args{"events": words.Plural(int(events), "event"), "points": words.Plural(len(s.sample), "point")})
}

// unreadable words which points of the sample cannot be read, by kind.
func (s *Site) unreadable(failed map[int]error) {
	byKind := map[string][]string{}
	cures := map[string]string{}
	for _, i := range slices.Sorted(maps.Keys(failed)) {
		kind, cure := "other", "see monitoring.tag_errors after a run"
		var e *piwebapi.Error
		if errors.As(failed[i], &e) {
			kind, cure = e.Kind.String(), e.Hint()
		}
		byKind[kind], cures[kind] = append(byKind[kind], line(s.sample[i].Name)), cure
	}
	kinds := slices.SortedFunc(maps.Keys(byKind), func(a, b string) int {
		if n := len(byKind[b]) - len(byKind[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	var texts []string
	for _, k := range kinds {
		texts = append(texts, k+" ("+few(byKind[k])+")")
	}
	args := doctor.Args{"failed": words.Count(len(failed)), "asked": words.Count(len(s.sample)),
		"kinds": strings.Join(texts, "; "), "cure": cures[kinds[0]]}
	if len(failed) == len(s.sample) {
		s.fail("sample", doctor.Unreadable, args)
		return
	}
	s.warn("sample", doctor.Unreadable, args)
}

// readable returns the position of a stream of the sample that could be read, the
// one with the most events; -1 = none.
func (s *Site) readable() int {
	best := -1
	for _, i := range slices.Sorted(maps.Keys(s.events)) {
		if best < 0 || s.events[i].Events > s.events[best].Events {
			best = i
		}
	}
	return best
}

// items asks for as many items as sites[].limits.items_per_call says that a call may
// have, of a second that has next to none.
func (s *Site) items(ctx context.Context) {
	if len(s.points) == 0 {
		return
	}
	limit := s.site.Limits.ItemsPerCall
	_, until := s.settled()
	query := fmt.Sprintf("startTime=%s&endTime=%s&maxCount=%d&selectedFields=Items.Timestamp%%3BWebException",
		at(until-instant.Second), at(until), limit)
	_, err := s.probe(ctx, "/streams/"+url.PathEscape(s.points[0].WebID)+"/recorded", query)
	var e *piwebapi.Error
	if errors.As(err, &e) && e.Kind == piwebapi.TooLarge && e.Limit() > 0 && e.Limit() < limit {
		s.warn("items", doctor.ItemCap, doctor.Args{"cap": strconv.Itoa(e.Limit()), "limit": strconv.Itoa(limit)})
		return
	}
	if err == nil {
		s.fine("items", doctor.ItemsAllowed, doctor.Args{"items": words.Count(limit)})
	} // what else may be wrong with reading, the sample shows
}

// at is an instant in a query.
func at(t instant.Ticks) string { return url.QueryEscape(t.String()) }

// count compares what the server counts with what it returned.
func (s *Site) count(ctx context.Context) {
	var streams []batch.Stream
	var returned []int64
	for _, i := range slices.Sorted(maps.Keys(s.events)) {
		streams, returned = append(streams, s.sample[i]), append(returned, s.events[i].Events)
	}
	if len(streams) == 0 {
		return
	}
	counts, err := s.client.Counts(ctx, streams)
	if errors.Is(err, piwebapi.ErrNotSupported) {
		s.fine("count", doctor.CountsNot, nil)
		return
	}
	if err != nil {
		s.broke("count", err)
		return
	}
	var counted, events, most int64
	name := ""
	for i, c := range counts {
		if c.Err != nil {
			continue
		}
		counted, events = counted+c.N, events+returned[i]
		if c.N-returned[i] > most {
			most, name = c.N-returned[i], streams[i].Name
		}
	}
	args := doctor.Args{"counted": words.Count(int(counted)), "returned": words.Count(int(events)),
		"asked": words.Count(len(streams)), "name": line(name)}
	switch {
	case most > 0:
		s.warn("count", doctor.CountsMore, args)
	case counted < events:
		args["events"] = words.Plural(int(events), "event")
		s.fine("count", doctor.CountsGoodOnly, args)
	default:
		args["events"] = words.Plural(int(events), "event")
		s.fine("count", doctor.CountsEqual, args)
	}
}

// bounds asks for what lies between two events, to see whether the server returns
// these too.
func (s *Site) bounds(ctx context.Context) {
	i := s.readable()
	if i < 0 || s.events[i].Events == 0 {
		s.fine("bounds", doctor.NoBounds, nil)
		return
	}
	first, err := s.firstTime(ctx, i, s.sample[i].After, s.sample[i].Until)
	if err != nil || first == 0 {
		s.fine("bounds", doctor.NoBounds, nil)
		return
	}
	got, err := s.firstTime(ctx, i, first+1, s.sample[i].Until)
	switch {
	case err != nil:
		s.fine("bounds", doctor.NoBounds, nil)
	case got != 0 && got <= first:
		s.fine("bounds", doctor.RoundedBounds, nil)
	default:
		s.fine("bounds", doctor.ExactBounds, nil)
	}
}

// firstTime returns when the first event of a range is; 0 = it has none.
func (s *Site) firstTime(ctx context.Context, i int, from, to instant.Ticks) (instant.Ticks, error) {
	query := fmt.Sprintf("startTime=%s&endTime=%s&maxCount=5&selectedFields=Items.Timestamp%%3BWebException", at(from), at(to))
	body, err := s.probe(ctx, "/streams/"+url.PathEscape(s.sample[i].WebID)+"/recorded", query)
	if err != nil {
		return 0, err
	}
	var answer struct{ Items []struct{ Timestamp string } }
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Items) == 0 {
		return 0, err
	}
	return instant.Parse(answer.Items[0].Timestamp)
}
