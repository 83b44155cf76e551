package piwebapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// System is what a server says of itself.
type System struct {
	ProductTitle   string `json:"ProductTitle"`
	ProductVersion string `json:"ProductVersion"`
}

// System asks for the product's name and version.
func (c *Client) System(ctx context.Context) (System, error) {
	var s System
	err := c.persist(ctx, request{path: "/system", query: "selectedFields=ProductTitle%3BProductVersion%3BWebException", read: into(&s)})
	return s, err
}

// maxList is the most that a list may hold: a page of a thousand points is one.
const maxList = 256 << 20

// listed is a body that holds a list.
type listed[T any] struct{ Items []T }

// into reads a body of JSON into v.
func into[T any](v *T) func(io.Reader, http.Header) error {
	return func(r io.Reader, _ http.Header) error { return readJSON(r, v) }
}

// readJSON reads a body of JSON into v, with the decoder's errors for bodies
// that are cut, no JSON, or an exception.
func readJSON[T any](r io.Reader, v *T) error {
	body, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return err
	}
	if len(body) > maxList {
		return fmt.Errorf("a list of more than %d MB", maxList>>20)
	}
	var fresh T // a try before this one leaves nothing behind
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(body, &fresh); {
	case errors.As(err, &syntax) && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")):
		return &decode.NotJSON{Snippet: readable(string(body[:min(len(body), 100)]))}
	case errors.As(err, &syntax):
		return io.ErrUnexpectedEOF
	case err != nil:
		return fmt.Errorf("the body is not as expected: %w", err)
	}
	if bytes.Contains(body, []byte(`"WebException"`)) {
		var failed struct{ WebException *decode.WebException }
		if json.Unmarshal(body, &failed) == nil && failed.WebException != nil {
			return failed.WebException
		}
	}
	*v = fresh
	return nil
}

type dataServerItem struct {
	WebID       string `json:"WebId"`
	Name        string
	IsConnected *bool
	ServerTime  string
}

// DataServers lists the PI Data Archives that the site serves.
func (c *Client) DataServers(ctx context.Context) ([]DataServer, error) {
	var list listed[dataServerItem]
	var date instant.Ticks
	err := c.persist(ctx, request{
		path:  "/dataservers",
		query: "selectedFields=Items.WebId%3BItems.Name%3BItems.IsConnected%3BItems.ServerTime%3BWebException",
		read: func(r io.Reader, head http.Header) error {
			if t, err := http.ParseTime(head.Get("Date")); err == nil {
				date = instant.FromTime(t)
			}
			return readJSON(r, &list)
		},
	})
	if err != nil {
		return nil, err
	}
	servers := make([]DataServer, 0, len(list.Items))
	for _, item := range list.Items {
		s := DataServer{WebID: item.WebID, Name: item.Name, IsConnected: item.IsConnected == nil || *item.IsConnected, Date: date}
		if t, err := instant.Parse(item.ServerTime); err == nil {
			s.ServerTime = t
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// DataServer finds a PI Data Archive by name, in any case; "" stands for the
// only one. The error lists the names there are.
func (c *Client) DataServer(ctx context.Context, name string) (DataServer, error) {
	all, err := c.DataServers(ctx)
	if err != nil {
		return DataServer{}, err
	}
	if name == "" && len(all) == 1 {
		return all[0], nil
	}
	var names []string
	for _, s := range all {
		if name != "" && strings.EqualFold(s.Name, name) {
			return s, nil
		}
		names = append(names, strconv.Quote(s.Name))
	}
	if len(names) == 0 {
		return DataServer{}, c.at(request{path: "/dataservers"}).fault(NotJSON, 0, "it lists no data server: it is no PI Web API, or its user may see none", false)
	}
	problem := fmt.Sprintf("it has no data server %q", name)
	if name == "" {
		problem = "it has several data servers, and sites[].data_server names none of them"
	}
	slices.Sort(names)
	if len(names) > 20 {
		names = append(names[:20], "…")
	}
	e := c.at(request{path: "/dataservers"}).fault(NotFound, 0, problem+"; there is: "+strings.Join(names, ", "), false)
	return DataServer{}, e
}

type pointItem struct {
	WebID            string `json:"WebId"`
	ID               int64  `json:"Id"`
	Name             string
	Descriptor       string
	PointType        string
	DigitalSetName   string
	EngineeringUnits string
	Future           bool
}

func (p pointItem) point() Point {
	return Point{WebID: p.WebID, ID: p.ID, Name: p.Name, Descriptor: p.Descriptor, PointType: p.PointType,
		DigitalSet: p.DigitalSetName, Units: p.EngineeringUnits, Future: p.Future}
}

var pointFields = []string{"WebId", "Id", "Name", "Descriptor", "PointType", "DigitalSetName", "EngineeringUnits", "Future"}

// fields makes a selectedFields parameter, with the semicolons that a query needs.
func fields(prefix string, names []string, others ...string) string {
	all := slices.Clone(others)
	for _, n := range names {
		all = append(all, prefix+n)
	}
	return "selectedFields=" + strings.Join(all, "%3B")
}

// pointsPage is how many points are asked for at once; the server may give fewer.
const pointsPage = 10_000

// Points lists all points of a data server, page by page, each point once.
// yield is called from this goroutine; its error ends the listing and is
// returned as it is. It goes on until a page is empty, since servers give pages
// shorter than asked, and no links; a page that brings nothing new is an error,
// so that a server which repeats itself does not keep it going for ever.
func (c *Client) Points(ctx context.Context, ds DataServer, yield func([]Point) error) error {
	type identity struct {
		id    int64
		webID string // where there is no id
	}
	seen := make(map[identity]struct{})
	ask := min(pointsPage, c.width.now().items)
	for start := 0; ; {
		var page listed[pointItem]
		r := request{
			path: "/dataservers/" + url.PathEscape(ds.WebID) + "/points",
			query: fmt.Sprintf("startIndex=%d&maxCount=%d&webIdType=IDOnly&%s", start, ask,
				fields("Items.", pointFields, "WebException")),
			read: into(&page),
		}
		if err := c.persist(ctx, r); err != nil {
			var e *Error
			if errors.As(err, &e) && e.Kind == TooLarge && ask > 1 {
				ask = smallerThan(ask, e.limit)
				continue
			}
			return err
		}
		if len(page.Items) == 0 {
			return nil
		}
		points := make([]Point, 0, len(page.Items))
		for _, item := range page.Items {
			key := identity{id: item.ID}
			if item.ID == 0 {
				key.webID = item.WebID
			}
			if _, old := seen[key]; !old {
				seen[key] = struct{}{}
				points = append(points, item.point())
			}
		}
		if len(points) == 0 {
			return c.at(r).fault(Server, http.StatusOK, fmt.Sprintf("the list of points repeats itself from position %d on", start), false)
		}
		if err := yield(points); err != nil {
			return err
		}
		start += len(page.Items)
	}
}

// smallerThan gives the server's limit when it is one, else half.
func smallerThan(n, limit int) int {
	if limit > 0 && limit < n {
		return limit
	}
	return max(1, n/2)
}

// Lookup finds points by name. It is for an inventory that has far fewer tags
// than the server has points; otherwise Points is quicker. The result is by
// the name as given (PI itself ignores case); a name that the server does not
// know, or shows us not, is not in it.
func (c *Client) Lookup(ctx context.Context, ds DataServer, names []string) (map[string]Point, error) {
	found := make(map[string]Point, len(names))
	type asked struct {
		query string
		paths map[string]string // path in upper case -> name
	}
	var calls []asked
	head := "webIdType=IDOnly&" + fields("Items.", []string{"Identifier", "Exception"}) + objectFields()
	limits := c.width.now()
	for _, name := range names {
		path := pointPath(ds, name)
		parameter := "&path=" + url.QueryEscape(path)
		last := len(calls) - 1
		if last < 0 || len(calls[last].paths) >= lookupPaths ||
			c.urlBytes("/points/multiple", calls[last].query)+len(parameter) > limits.urlBytes {
			calls = append(calls, asked{query: head, paths: map[string]string{}})
			last++
		}
		calls[last].query += parameter
		calls[last].paths[strings.ToUpper(path)] = name
	}
	results := make([]map[string]Point, len(calls))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.gate.most)
	for i, call := range calls {
		group.Go(func() (err error) {
			results[i], err = c.lookup(ctx, ds, call.query, call.paths)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, r := range results {
		for name, p := range r {
			found[name] = p
		}
	}
	return found, nil
}

// lookupPaths is the most names of one call.
const lookupPaths = 100

func pointPath(ds DataServer, name string) string { return `\\` + ds.Name + `\` + name }

func objectFields() string {
	return "%3BItems.Object." + strings.Join(pointFields, "%3BItems.Object.")
}

func (c *Client) lookup(ctx context.Context, ds DataServer, query string, paths map[string]string) (map[string]Point, error) {
	var list listed[struct {
		Identifier string
		Object     *pointItem
		Exception  *struct{ Errors []string }
	}]
	err := c.persist(ctx, request{path: "/points/multiple", query: query, work: float64(len(paths)), read: into(&list)})
	var e *Error
	if errors.As(err, &e) && (e.Kind == NotFound || e.Kind == BadRequest || e.Status == http.StatusNotImplemented) {
		return c.lookupEach(ctx, ds, paths) // an older server, or one that fails as a whole for one unknown name
	}
	if err != nil {
		return nil, err
	}
	found := make(map[string]Point, len(paths))
	for _, item := range list.Items {
		name, asked := paths[strings.ToUpper(item.Identifier)]
		if asked && item.Object != nil && item.Object.WebID != "" {
			found[name] = item.Object.point()
		}
	}
	return found, nil
}

// lookupEach asks for one name after another.
func (c *Client) lookupEach(ctx context.Context, ds DataServer, paths map[string]string) (map[string]Point, error) {
	found := make(map[string]Point, len(paths))
	for _, name := range paths {
		var item pointItem
		err := c.persist(ctx, request{path: "/points", work: 1, read: into(&item),
			query: "webIdType=IDOnly&" + fields("", pointFields) + "&path=" + url.QueryEscape(pointPath(ds, name))})
		var e *Error
		switch {
		case errors.As(err, &e) && (e.Kind == NotFound || e.Kind == Forbidden || e.Kind == BadRequest):
			// not there, or not for us
		case err != nil:
			return nil, err
		case item.WebID != "":
			found[name] = item.point()
		}
	}
	return found, nil
}

// DigitalSets lists the states of all digital sets of a data server, by the set's name.
func (c *Client) DigitalSets(ctx context.Context, ds DataServer) (map[string][]State, error) {
	var sets listed[struct {
		WebID string `json:"WebId"`
		Name  string
		Links struct{ Values string }
	}]
	err := c.persist(ctx, request{
		path:  "/dataservers/" + url.PathEscape(ds.WebID) + "/enumerationsets",
		query: "selectedFields=Items.WebId%3BItems.Name%3BItems.Links.Values%3BWebException", read: into(&sets)})
	if err != nil {
		return nil, err
	}
	states := make([][]State, len(sets.Items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.gate.most)
	for i, set := range sets.Items {
		group.Go(func() error {
			var values listed[struct {
				Name  string
				Value json.Number
			}]
			if err := c.persist(ctx, request{path: c.valuesPath(set.WebID, set.Links.Values),
				query: "selectedFields=Items.Name%3BItems.Value%3BWebException", read: into(&values)}); err != nil {
				return err
			}
			for _, v := range values.Items {
				if n, err := v.Value.Float64(); err == nil && n == math.Trunc(n) && math.Abs(n) <= math.MaxInt32 {
					states[i] = append(states[i], State{Name: v.Name, Value: int32(n)})
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := make(map[string][]State, len(sets.Items))
	for i, set := range sets.Items {
		all[set.Name] = states[i]
	}
	return all, nil
}

// valuesPath takes the server's own link when it stays below the site's URL, else
// the documented address: a link may name a host that only the server knows.
func (c *Client) valuesPath(webID, link string) string {
	if u, err := url.Parse(link); err == nil && u.Host == c.base.Host {
		if rest, below := strings.CutPrefix(u.EscapedPath(), c.base.EscapedPath()+"/"); below && !strings.Contains(rest, "..") {
			return "/" + rest
		}
	}
	return "/enumerationsets/" + url.PathEscape(webID) + "/enumerationvalues"
}
