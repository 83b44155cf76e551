package piwebapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Wanted is a point to look up: by its WebID, which survives a rename, and if it has
// none, or the WebID is not found, by its name.
type Wanted struct{ WebID, Name string }

// Selection defines the points of a data server that Find returns.
type Selection struct {
	// Sources are the point sources whose points are listed; none = all.
	Sources []string
	// Whole requires the list, however long. Otherwise the list of a server that has
	// far more points than Count is given up, and only the wanted points are looked
	// up.
	Whole bool
	// Count is how many points are wanted. Wanted returns them; it is called if the
	// list cannot have them all.
	Count  int
	Wanted func() ([]Wanted, error)
	// Progress is called with the number of points so far.
	Progress func(points int)
}

// A list of points is given up beyond manyPoints, and pointsATag for each wanted
// point: a page of ten thousand takes about as long as ten lookups of a hundred
// points each.
const (
	manyPoints   = 20_000
	pointsATag   = 10
	lookupPoints = 100 // the most that one call looks up
)

// errGivenUp ends a list that is too long.
var errGivenUp = errors.New("the list is given up")

// Find lists the points of a data server. whole reports whether the list is complete;
// if not, it has only the wanted points that exist.
func (c *Client) Find(ctx context.Context, ds DataServer, s Selection) (points []Point, whole bool, err error) {
	limit := max(manyPoints, pointsATag*s.Count)
	list := func(source string) error {
		of := ds
		of.source = source
		return c.Points(ctx, of, func(page []Point) error {
			points = append(points, page...)
			s.Progress(len(points))
			if !s.Whole && len(points) > limit {
				return errGivenUp
			}
			return nil
		})
	}
	if len(s.Sources) == 0 {
		err = list("")
	} else if err = c.checkSources(ctx, ds); err == nil {
		for _, source := range s.Sources {
			if err = list(source); err != nil {
				break
			}
		}
	}
	switch {
	case errors.Is(err, errGivenUp):
		points = nil
	case err != nil:
		return nil, false, err
	case len(s.Sources) == 0:
		return points, true, nil
	}
	wanted, wantedErr := s.Wanted()
	if wantedErr != nil {
		return nil, false, wantedErr
	}
	more, lookupErr := c.Lookup(ctx, ds, missingIn(points, wanted))
	return unique(append(points, more...)), err == nil, lookupErr
}

// missingIn returns the wanted points that a list does not have.
func missingIn(points []Point, wanted []Wanted) []Wanted {
	if len(points) == 0 {
		return wanted
	}
	ids, names := make(map[string]bool, len(points)), make(map[string]bool, len(points))
	for i := range points {
		ids[points[i].WebID], names[inventory.Fold(points[i].Name)] = true, true
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(w Wanted) bool {
		return w.WebID != "" && ids[w.WebID] || w.WebID == "" && names[inventory.Fold(w.Name)]
	})
}

// unique drops duplicate points.
func unique(points []Point) []Point {
	var seen seenPoints
	return slices.DeleteFunc(points, func(p Point) bool { return !seen.add(&p) })
}

// noSource is a point source that no point has.
const noSource = "bundlegen-asks-whether-sources-are-filtered"

// checkSources returns an error if the server ignores filters by point source, as old
// ones do: every point would be taken for one of that source.
func (c *Client) checkSources(ctx context.Context, ds DataServer) error {
	ds.source = noSource
	p, err := c.page(ctx, ds, 0, 1, &seenPoints{})
	if err != nil {
		return err
	}
	if p.items > 0 {
		e := c.at(pointsRequest(ds, 0, 1)).fault(BadRequest, http.StatusOK,
			"it does not filter points by their source: its PI Web API is too old for that", false)
		e.hint = "name the points by sites[].points.include instead of point_source"
		return e
	}
	return nil
}

// Lookup finds points by WebID or name. It is for an inventory with far fewer tags
// than the server has points; otherwise Points is faster. Points that do not exist, or
// that the user may not see, are missing in the result, which has no order.
func (c *Client) Lookup(ctx context.Context, ds DataServer, wanted []Wanted) ([]Point, error) {
	var ids, paths []string
	for _, w := range wanted {
		if w.WebID != "" {
			ids = append(ids, w.WebID)
		}
	}
	byID, err := c.lookup(ctx, ds, "webId", ids)
	if err != nil {
		return nil, err
	}
	for _, w := range wanted {
		if _, found := byID[w.WebID]; !found {
			paths = append(paths, pointPath(ds, w.Name))
		}
	}
	byPath, err := c.lookup(ctx, ds, "path", paths)
	if err != nil {
		return nil, err
	}
	points := slices.AppendSeq(slices.Collect(maps.Values(byID)), maps.Values(byPath))
	return unique(points), nil
}

// lookup finds points by a parameter's values.
func (c *Client) lookup(ctx context.Context, ds DataServer, parameter string, values []string) (map[string]Point, error) {
	limits := c.sizer.limits()
	limits.streams = lookupPoints
	loads := make([]load, len(values))
	for i, v := range values {
		loads[i] = load{urlBytes: len("&") + len(parameter) + len("=") + len(url.QueryEscape(v))}
	}
	found := make(map[string]Point, len(values))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.limiter.max)
	start := 0
	for _, stop := range splitCalls(loads, c.urlBytes("/points/multiple", lookupHead), limits, 1) {
		call := values[start:stop]
		start = stop
		group.Go(func() error {
			defer crash.Exit()
			points, err := c.lookupCall(ctx, ds, parameter, call)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(found, points)
			return err
		})
	}
	return found, group.Wait()
}

func pointPath(ds DataServer, name string) string { return `\\` + ds.Name + `\` + name }

// lookupHead is the query of a lookup without the values.
var lookupHead = "webIdType=IDOnly&" + fields("Items.", []string{"Identifier", "Object.Path"}, "WebException") +
	"%3BItems.Object." + strings.Join(pointFields, "%3BItems.Object.")

// foundPoint is a point with where it is.
type foundPoint struct {
	pointItem
	path string
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *foundPoint) UnmarshalJSON(data []byte) error {
	var where struct{ Path string }
	_ = json.Unmarshal(data, &where) // a path that is not a text is ignored
	f.path = where.Path
	return json.Unmarshal(data, &f.pointItem)
}

// in reports whether the point belongs to a data server: its WebID may be of another
// one at the same site.
func (f *foundPoint) in(ds DataServer) bool {
	return f.WebID != "" && (f.path == "" || strings.HasPrefix(inventory.Fold(f.path), inventory.Fold(pointPath(ds, ""))))
}

// lookupCall looks up what fits one call. Points missing in the answer are looked up
// one by one: only a status of its own distinguishes a point that does not exist from
// a failing server.
func (c *Client) lookupCall(ctx context.Context, ds DataServer, parameter string, values []string) (map[string]Point, error) {
	var query strings.Builder
	query.WriteString(lookupHead)
	asked := make(map[string]string, len(values)) // the server's identifier -> the value looked up
	for _, v := range values {
		fmt.Fprintf(&query, "&%s=%s", parameter, url.QueryEscape(v))
		asked[v], asked[inventory.Fold(v)] = v, v
	}
	type answer struct {
		Identifier string
		Object     json.RawMessage
	}
	var list []answer
	err := c.persist(ctx, request{path: "/points/multiple", query: query.String(), work: float64(len(values)),
		read: func(r io.Reader, _ http.Header) error {
			list = list[:0]
			return readItems(r, func(raw json.RawMessage) error {
				if len(list) >= 2*len(values) {
					return &decode.FormatError{Reason: fmt.Sprintf("it lists more than twice the %d points that were asked for", len(values)),
						Lasting: true}
				}
				var item answer
				err := json.Unmarshal(raw, &item)
				list = append(list, item)
				return malformed(err)
			})
		}})
	var e *Error
	switch {
	case errors.As(err, &e) && ofThePoint(e) && (!e.Retryable || c.probe(ctx) == nil):
		// An older server, or one that fails the whole call for one unknown point.
	case err != nil:
		return nil, err
	}
	found, elsewhere, failed := make(map[string]Point, len(values)), map[string]bool{}, 0
	for _, item := range list {
		value, known := asked[item.Identifier]
		if !known && parameter == "path" {
			value, known = asked[inventory.Fold(item.Identifier)]
		}
		var p foundPoint
		if !known || json.Unmarshal(item.Object, &p) != nil {
			continue
		}
		if p.in(ds) {
			found[value] = c.shown(p.point())
		} else {
			elsewhere[value] = true
		}
	}
	for _, v := range values {
		if _, there := found[v]; there || elsewhere[v] {
			continue
		}
		p, there, err := c.lookupOne(ctx, ds, parameter, v)
		switch {
		case errors.As(err, &e) && ofThePoint(e):
			// This point fails. If many do, the server is to blame.
			if failed++; failed > maxUnlisted {
				return found, err
			}
			c.leaveOutName(v, fmt.Sprintf("%s: %s", e.Kind, e.Message))
		case err != nil:
			return found, err
		case there:
			found[v] = p
		}
	}
	return found, nil
}

// ofThePoint reports whether an error may be about the one point that is looked up.
func ofThePoint(e *Error) bool {
	return !endsAll(e.Kind) && e.Kind != Unreachable && e.Kind != NotJSON
}

// lookupOne looks up one point.
func (c *Client) lookupOne(ctx context.Context, ds DataServer, parameter, value string) (p Point, there bool, err error) {
	var item foundPoint
	r := request{path: "/points", work: 1, read: into(&item), query: "webIdType=IDOnly&" + fields("", pointFields, "Path", "WebException")}
	if parameter == "path" {
		r.query += "&path=" + url.QueryEscape(value)
	} else {
		r.path += "/" + url.PathEscape(value)
	}
	err = c.persist(ctx, r)
	var e *Error
	switch {
	case errors.As(err, &e) && (e.Kind == NotFound || e.Kind == Forbidden || e.Kind == BadRequest):
		return Point{}, false, nil // it does not exist, or we may not see it
	case err != nil:
		return Point{}, false, err
	}
	return c.shown(item.point()), item.in(ds), nil
}
