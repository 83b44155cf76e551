package piwebapi

import (
	"bytes"
	"cmp"
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
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// maxObject is the size of the largest answer that is not a list, in bytes.
const maxObject = 1 << 20

// maxServers is how many data servers a site may list.
const maxServers = 1000

// into reads a body of JSON into v.
func into[T any](v *T) func(io.Reader, http.Header) error {
	return func(r io.Reader, _ http.Header) error { return readJSON(r, v) }
}

// readJSON reads a JSON body into v, with the decoder's errors for a body that is cut
// off, not JSON, or an exception.
func readJSON[T any](r io.Reader, v *T) error {
	body, err := io.ReadAll(io.LimitReader(r, maxObject+1))
	if err != nil {
		return err
	}
	if len(body) > maxObject {
		return fmt.Errorf("an answer of more than %d MB is %w", maxObject>>20, decode.ErrTooLarge)
	}
	body = bytes.TrimLeft(bytes.TrimPrefix(body, byteOrderMark), " \t\r\n")
	if !bytes.HasPrefix(body, []byte("{")) {
		return notJSON(body)
	}
	var fresh T // v may hold part of an earlier try
	if err := json.Unmarshal(body, &fresh); err != nil {
		if known := malformed(err); known != err {
			return known
		}
		return &decode.FormatError{Reason: err.Error(), Lasting: true} // of a type's own reader
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

// byteOrderMark begins the bodies of some .NET servers.
var byteOrderMark = []byte("\xef\xbb\xbf")

// malformed classifies an error of encoding/json: a body that ended too early, or one
// of the wrong form.
func malformed(err error) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return io.ErrUnexpectedEOF
	case errors.As(err, &syntax):
		return &decode.FormatError{Offset: syntax.Offset, Reason: syntax.Error()}
	case errors.As(err, &typed):
		return &decode.FormatError{Offset: typed.Offset, Reason: fmt.Sprintf("%s is a JSON %s", cmp.Or(typed.Field, "it"), typed.Value),
			Lasting: true}
	}
	return err // the connection's own
}

type dataServerItem struct {
	WebID       string `json:"WebId"`
	Name        string
	IsConnected *bool
	ServerTime  string
}

// DataServers lists the PI Data Archives that the site serves.
func (c *Client) DataServers(ctx context.Context) ([]DataServer, error) {
	var list []dataServerItem
	var date instant.Ticks
	err := c.persist(ctx, request{
		path:  "/dataservers",
		query: "selectedFields=Items.WebId%3BItems.Name%3BItems.IsConnected%3BItems.ServerTime%3BWebException",
		read: func(r io.Reader, head http.Header) error {
			if t, err := http.ParseTime(head.Get("Date")); err == nil {
				date = instant.FromTime(t)
			}
			list = list[:0]
			return readItems(r, func(raw json.RawMessage) error {
				if len(list) >= maxServers {
					return &decode.FormatError{Reason: fmt.Sprintf("it lists more than %d data servers", maxServers), Lasting: true}
				}
				var item dataServerItem
				err := json.Unmarshal(raw, &item)
				list = append(list, item)
				return malformed(err)
			})
		},
	})
	if err != nil {
		return nil, c.elsewhere(err)
	}
	servers := make([]DataServer, 0, len(list))
	for _, item := range list {
		s := DataServer{WebID: item.WebID, Name: item.Name, IsConnected: item.IsConnected == nil || *item.IsConnected, Date: date}
		if t, err := instant.Parse(item.ServerTime); err == nil {
			s.ServerTime = t
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// elsewhere explains the error of the first request to a site: if not even the data
// servers are found, the address is wrong.
func (c *Client) elsewhere(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Kind != NotFound && e.Kind != NotJSON {
		return err
	}
	known := *e
	known.Message = fmt.Sprintf("no PI Web API answers at %s://%s%s: %s", c.base.Scheme, c.base.Host, c.base.Path, e.Message)
	known.hint = "correct sites[].url: a browser that opens it shows the links of PI Web API; it mostly ends in /piwebapi, which is " +
		"added where it is missing"
	if c.base.Path != "/piwebapi" {
		known.hint = fmt.Sprintf("correct sites[].url, which is mostly %s://%s/piwebapi: a browser that opens it shows the links of PI Web API",
			c.base.Scheme, c.base.Host)
	}
	return &known
}

// DataServer finds a PI Data Archive by name, ignoring case; "" is the only one. The
// error lists the names of all.
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
		return DataServer{}, c.at(request{path: "/dataservers"}).fault(NotJSON, 0,
			"it lists no data server: it is no PI Web API, or its user may see none", false)
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

// UnmarshalJSON reads a point. A descriptive field of an unexpected type is left
// empty; the fields that identify the point must be as documented.
func (p *pointItem) UnmarshalJSON(data []byte) error {
	type plain pointItem
	if json.Unmarshal(data, (*plain)(p)) == nil && p.WebID != "" && p.Name != "" && p.ID >= 0 &&
		len(p.Name) <= maxText && len(p.WebID) <= maxText {
		return nil
	}
	*p = pointItem{}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return fmt.Errorf("%s is not an object", readable(string(data)))
	}
	read := func(key string, into any) bool { return json.Unmarshal(raw[key], into) == nil }
	if !read("Name", &p.Name) || p.Name == "" {
		return fmt.Errorf("its Name is %s", cmp.Or(readable(string(raw["Name"])), "missing"))
	}
	if len(p.Name) > maxText || len(p.WebID) > maxText {
		return fmt.Errorf("its Name begins with %q and has %d bytes", readable(p.Name[:min(len(p.Name), 40)])+"…", len(p.Name))
	}
	if !read("WebId", &p.WebID) || p.WebID == "" || len(p.WebID) > maxText {
		return fmt.Errorf("the WebId of %q is %s", p.Name, cmp.Or(readable(string(raw["WebId"])), "missing"))
	}
	if raw["Id"] != nil && (!read("Id", &p.ID) || p.ID < 0) {
		return fmt.Errorf("the Id of %q is %s", p.Name, readable(string(raw["Id"])))
	}
	if raw["Future"] != nil && !read("Future", &p.Future) {
		return fmt.Errorf("the value of Future of %q is %s", p.Name, readable(string(raw["Future"])))
	}
	for key, text := range map[string]*string{"Descriptor": &p.Descriptor, "PointType": &p.PointType, "DigitalSetName": &p.DigitalSetName,
		"EngineeringUnits": &p.EngineeringUnits} {
		if !read(key, text) {
			*text = ""
		}
	}
	return nil
}

func (p pointItem) point() Point {
	return Point{WebID: p.WebID, ID: p.ID, Name: p.Name, Descriptor: p.Descriptor, PointType: p.PointType,
		DigitalSet: p.DigitalSetName, Units: p.EngineeringUnits, Future: p.Future}
}

var pointFields = []string{"WebId", "Id", "Name", "Descriptor", "PointType", "DigitalSetName", "EngineeringUnits", "Future"}

// fields returns a selectedFields parameter, with escaped semicolons.
func fields(prefix string, names []string, others ...string) string {
	all := slices.Clone(others)
	for _, n := range names {
		all = append(all, prefix+n)
	}
	return "selectedFields=" + strings.Join(all, "%3B")
}

// smallerThan returns the server's limit if it is below n, else half of n.
func smallerThan(n, limit int) int {
	if limit > 0 && limit < n {
		return limit
	}
	return max(1, n/2)
}

// Limits of what is read of digital sets, which is only for readers of the tables:
// the events have the names of states, too.
const (
	maxSets   = 20_000
	maxStates = 1_000_000 // of all sets
	// maxNamed is how many bytes the names of all states may take.
	maxNamed = 32 << 20
	// maxSetFailures is how many sets may fail in a row before the rest is skipped.
	maxSetFailures = 5
)

// setItem is a digital set as the server lists it.
type setItem struct {
	WebID string `json:"WebId"`
	Name  string
	Links struct{ Values string }
}

// DigitalSets lists the states of all digital sets of a data server, by the set's
// name. A set that cannot be listed is left out, with a note: see Notes.
func (c *Client) DigitalSets(ctx context.Context, ds DataServer) (map[string][]State, error) {
	var sets []setItem
	err := c.persist(ctx, request{
		path:  "/dataservers/" + url.PathEscape(ds.WebID) + "/enumerationsets",
		query: "selectedFields=Items.WebId%3BItems.Name%3BItems.Links.Values%3BWebException",
		read: func(r io.Reader, _ http.Header) error {
			sets = sets[:0]
			return readItems(r, func(raw json.RawMessage) error {
				var set setItem
				err := json.Unmarshal(raw, &set)
				if err != nil || set.Name == "" || len(set.Name)+len(set.WebID)+len(set.Links.Values) > maxText || len(sets) >= maxSets {
					c.leaveOutSet(readable(set.Name), "the server lists it as "+readable(string(raw)))
					return nil
				}
				sets = append(sets, set)
				return nil
			})
		}})
	if err != nil {
		return nil, err
	}
	l := setListing{Client: c, all: make(map[string][]State, len(sets))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.limiter.max)
	for _, set := range sets {
		group.Go(func() error {
			defer crash.Exit()
			return l.read(ctx, set)
		})
	}
	return l.all, group.Wait()
}

// setListing is one DigitalSets call.
type setListing struct {
	*Client
	mu       sync.Mutex
	all      map[string][]State
	failures int    // sets that failed in a row
	last     string // why the last one did
}

// read reads a set's states. Its error ends the listing.
func (l *setListing) read(ctx context.Context, set setItem) error {
	l.mu.Lock()
	why := ""
	switch {
	case l.failures >= maxSetFailures:
		why = "not tried, since others before it failed: " + l.last
	case l.lists.statesFull():
		why = errStates.Error()
	}
	l.mu.Unlock()
	if why != "" {
		l.leaveOutSet(set.Name, why)
		return nil
	}
	states, err := l.of(ctx, set)
	l.mu.Lock()
	defer l.mu.Unlock()
	var e *Error
	switch {
	case err == nil:
		l.all[l.named(set.Name)], l.failures = states, 0
		return nil
	case !errors.As(err, &e) || endsAll(e.Kind):
		return err
	}
	l.failures, l.last = l.failures+1, fmt.Sprintf("%s: %s", e.Kind, e.Message)
	l.leaveOutSet(set.Name, l.last)
	return nil
}

// errStates is why a set is left out once the others have reached the limits.
var errStates = fmt.Errorf("all sets together, with more than %d states or %d MB of their names, are %w", maxStates, maxNamed>>20,
	decode.ErrTooLarge)

// of reads the states of a set.
func (l *setListing) of(ctx context.Context, set setItem) (states []State, err error) {
	err = l.persist(ctx, request{path: l.valuesPath(set.WebID, set.Links.Values),
		query: "selectedFields=Items.Name%3BItems.Value%3BWebException",
		read: func(r io.Reader, _ http.Header) error {
			l.lists.giveStates(states)
			states = states[:0]
			return readItems(r, func(raw json.RawMessage) error {
				var v struct {
					Name  string
					Value json.Number
				}
				if json.Unmarshal(raw, &v) != nil || len(v.Name) > maxText {
					return nil // not a state
				}
				n, err := v.Value.Float64()
				if err != nil || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
					return nil
				}
				state := State{Name: l.named(v.Name), Value: int32(n)}
				states = append(states, state)
				if !l.lists.takeState(&state) {
					return errStates
				}
				return nil
			})
		}})
	if err != nil {
		l.lists.giveStates(states)
	}
	return states, err
}

// valuesPath returns the path of the server's own link if it is below the site's URL,
// else the documented one: a link may name a host that only the server knows.
func (c *Client) valuesPath(webID, link string) string {
	if u, err := url.Parse(link); err == nil && u.Host == c.base.Host {
		if rest, below := strings.CutPrefix(u.EscapedPath(), c.base.EscapedPath()+"/"); below && !strings.Contains(rest, "..") {
			return "/" + rest
		}
	}
	return "/enumerationsets/" + url.PathEscape(webID) + "/enumerationvalues"
}
