package decode

import (
	"fmt"
	"strings"
)

// asked tells to which Want of a call a stream belongs.
type asked struct {
	wants []Want
	ids   map[string]int // position by WebID
}

// set begins a call; nil ends one.
func (a *asked) set(wants []Want) {
	if a.ids == nil {
		a.ids = make(map[string]int)
	}
	clear(a.ids)
	a.wants = wants
	for i := range wants {
		if id := wants[i].WebID; id != "" {
			a.ids[id] = i
		}
	}
}

// find gives the position of the Want that is meant. A server may answer with
// another kind of id than it was asked with; then the name tells, or the path.
// PI's names are the same in any case.
func (a *asked) find(webID, name, path []byte) (int, error) {
	if i, ok := a.ids[string(webID)]; ok {
		return i, nil
	}
	if len(name) == 0 {
		name = nameOf(path)
	}
	if len(name) > 0 {
		for i := range a.wants {
			if a.wants[i].Name == string(name) {
				return i, nil
			}
		}
		for i := range a.wants {
			if strings.EqualFold(a.wants[i].Name, string(name)) {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("a stream that was not asked for: WebId %q, Name %q", printable(webID), printable(name))
}

// nameOf gives the name in a point's path, \\server\name.
func nameOf(path []byte) []byte {
	rest, ok := strings.CutPrefix(string(path), `\\`)
	if !ok {
		return nil
	}
	_, name, _ := strings.Cut(rest, `\`)
	return []byte(name)
}
