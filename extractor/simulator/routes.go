package simulator

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxPost is MaxRequestContentLength.
const maxPost = 4 << 20

// route is an endpoint. Paths are compared without regard to case; * is a
// segment that the endpoint reads.
type route struct {
	pattern string
	name    string // in Stats.ByEndpoint
	handle  func(*call) *problem
	post    bool // it is for POST, not for GET
	writes  bool // other methods than GET would write data
}

// newRoutes returns the list of endpoints.
func newRoutes() []route {
	return []route{
		{pattern: "", name: "home", handle: (*call).root},
		{pattern: "system", name: "system", handle: (*call).system},
		{pattern: "system/versions", name: "system-admin", handle: (*call).adminOnly},
		{pattern: "system/status", name: "system-admin", handle: (*call).adminOnly},
		{pattern: "system/configuration", name: "system-admin", handle: (*call).adminOnly},
		{pattern: "system/metrics", name: "system-admin", handle: (*call).adminOnly},
		{pattern: "assetservers", name: "assetservers", handle: (*call).assetServers},
		{pattern: "dataservers", name: "dataservers", handle: (*call).dataServers},
		{pattern: "dataservers/*", name: "dataserver", handle: (*call).dataServer, writes: true},
		{pattern: "dataservers/*/points", name: "points", handle: (*call).points, writes: true},
		{pattern: "dataservers/*/enumerationsets", name: "enumerationsets", handle: (*call).enumerationSets, writes: true},
		{pattern: "enumerationsets/*", name: "enumerationset", handle: (*call).enumerationSet, writes: true},
		{pattern: "enumerationsets/*/enumerationvalues", name: "enumerationvalues", handle: (*call).enumerationValues, writes: true},
		{pattern: "points", name: "point-by-path", handle: (*call).pointByPath},
		{pattern: "points/multiple", name: "points-multiple", handle: (*call).pointsMultiple},
		{pattern: "points/*", name: "point", handle: (*call).point, writes: true},
		{pattern: "points/*/attributes", name: "point-attributes", handle: (*call).pointAttributes, writes: true},
		{pattern: "streams/*/recorded", name: "stream-recorded", handle: (*call).streamRecorded, writes: true},
		{pattern: "streams/*/value", name: "stream-value", handle: (*call).streamValue, writes: true},
		{pattern: "streams/*/end", name: "stream-end", handle: (*call).streamEnd},
		{pattern: "streams/*/summary", name: "stream-summary", handle: (*call).streamSummary},
		{pattern: "streamsets/recorded", name: "streamset-recorded", handle: (*call).setRecorded, writes: true},
		{pattern: "streamsets/value", name: "streamset-value", handle: (*call).setValue, writes: true},
		{pattern: "streamsets/end", name: "streamset-end", handle: (*call).setEnd},
		{pattern: "streamsets/summary", name: "streamset-summary", handle: (*call).setSummary},
		{pattern: "batch", name: "batch", handle: (*call).batch, post: true},
	}
}

// nowhere is the route of paths without an endpoint.
var nowhere = &route{name: "other"}

// findRoute returns the endpoint of an escaped path and the segments at its *.
func (s *Server) findRoute(path string) (*route, []string) {
	path = strings.TrimSuffix(path, "/")
	if len(path) < len(Root) || !strings.EqualFold(path[:len(Root)], Root) {
		return nowhere, nil
	}
	path = strings.TrimPrefix(path[len(Root):], "/")
	segments := strings.Split(path, "/")
	for i := range s.routes {
		if ids, ok := match(s.routes[i].pattern, segments); ok {
			return &s.routes[i], ids
		}
	}
	return nowhere, nil
}

func match(pattern string, segments []string) ([]string, bool) {
	var ids []string
	for _, segment := range segments {
		want, rest, _ := strings.Cut(pattern, "/")
		pattern = rest
		switch {
		case want == "*" && segment != "":
			id, err := url.PathUnescape(segment)
			if err != nil {
				return nil, false
			}
			ids = append(ids, id)
		case !strings.EqualFold(want, segment):
			return nil, false
		}
	}
	return ids, pattern == ""
}

// readPost reads a request's body, up to a size.
func readPost(r *http.Request) ([]byte, *problem) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPost))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &problem{status: http.StatusRequestEntityTooLarge, text: "The request entity is too large."}
	case err != nil:
		return nil, badRequest("The request could not be read.")
	}
	return data, nil
}
