package decode

import (
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
)

// index finds the stream of a call to which an element of the body belongs.
type index struct {
	streams []batch.Stream
	ids     map[string]int // position by WebID
}

// set begins a call; nil ends one.
func (x *index) set(streams []batch.Stream) {
	if x.ids == nil {
		x.ids = make(map[string]int)
	}
	clear(x.ids)
	x.streams = streams
	for i := range streams {
		if id := streams[i].WebID; id != "" {
			x.ids[id] = i
		}
	}
}

// find returns the position of a stream. A server may answer with WebIDs of another
// kind; then the name decides, or the path. PI ignores the case of names.
func (x *index) find(webID, name, path []byte) (int, error) {
	if i, ok := x.ids[string(webID)]; ok {
		return i, nil
	}
	if len(name) == 0 {
		name = nameOf(path)
	}
	if len(name) > 0 {
		for i := range x.streams {
			if x.streams[i].Name == string(name) {
				return i, nil
			}
		}
		for i := range x.streams {
			if strings.EqualFold(x.streams[i].Name, string(name)) {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("a stream that was not asked for: WebId %q, Name %q", printable(webID), printable(name))
}

// nameOf returns the name in a point's path, \\server\name.
func nameOf(path []byte) []byte {
	rest, ok := strings.CutPrefix(string(path), `\\`)
	if !ok {
		return nil
	}
	_, name, _ := strings.Cut(rest, `\`)
	return []byte(name)
}
