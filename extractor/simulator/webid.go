package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// WebIDType is a kind of WebID 2.0.
type WebIDType string

// The kinds of the server's WebIDs. The zero value of WebIDType means Full.
const (
	Full     WebIDType = "Full"     // by id, with the path
	IDOnly   WebIDType = "IDOnly"   // 32 characters for a point; survives a rename
	PathOnly WebIDType = "PathOnly" // changes with the name
)

// ParseWebIDType finds a kind by its name, in any case.
func ParseWebIDType(name string) (WebIDType, error) {
	for _, t := range []WebIDType{Full, IDOnly, PathOnly} {
		if strings.EqualFold(string(t), name) {
			return t, nil
		}
	}
	return "", fmt.Errorf("there is no web id type %q; allowed: Full, IDOnly, PathOnly", name)
}

// webIDs makes and reads WebIDs:
// <kind><version 1><marker><payload>, each field of the payload URL-safe base64
// of its own, without padding. It never changes.
type webIDs struct {
	kind       WebIDType // the server's default
	dataServer string
	guid       [16]byte // of the data server
}

var webIDText = base64.RawURLEncoding

func newWebIDs(seed uint64, dataServer string, kind WebIDType) webIDs {
	if kind == "" {
		kind = Full
	}
	w := webIDs{kind: kind, dataServer: dataServer}
	binary.LittleEndian.PutUint64(w.guid[:8], mix(seed^3))
	binary.LittleEndian.PutUint64(w.guid[8:], mix(seed^4))
	return w
}

// append appends an id: by id for Full and IDOnly, by path for Full and PathOnly.
func (w *webIDs) append(dst []byte, kind WebIDType, marker string, ids [][]byte, path string) []byte {
	dst = append(dst, kind[0], '1')
	dst = append(dst, marker...)
	if kind != PathOnly {
		for _, id := range ids {
			dst = webIDText.AppendEncode(dst, id)
		}
	}
	if kind != IDOnly {
		dst = webIDText.AppendEncode(dst, []byte(strings.ToUpper(path)))
	}
	return dst
}

func (w *webIDs) appendPoint(dst []byte, kind WebIDType, index int, name string) []byte {
	var id [4]byte
	binary.LittleEndian.PutUint32(id[:], uint32(index+1))
	return w.append(dst, kind, "DP", [][]byte{w.guid[:], id[:]}, w.dataServer+`\`+name)
}

func (w *webIDs) appendServer(dst []byte, kind WebIDType) []byte {
	return w.append(dst, kind, "DS", [][]byte{w.guid[:]}, w.dataServer)
}

// appendSet appends the id of the digital set at this position of allSets, and
// with state >= 0 of one of its states.
func (w *webIDs) appendSet(dst []byte, kind WebIDType, set, state int) []byte {
	guid := w.guid
	binary.LittleEndian.PutUint16(guid[:2], uint16(set+1))
	s := allSets()[set]
	path := w.dataServer + `\ENUMERATIONSETS[` + s.name + `]`
	if state < 0 {
		return w.append(dst, kind, "MS", [][]byte{w.guid[:], guid[:]}, path)
	}
	value := guid
	binary.LittleEndian.PutUint16(value[2:4], uint16(state+1))
	return w.append(dst, kind, "MV", [][]byte{w.guid[:], guid[:], value[:]}, path+`\`+s.states[state].Name)
}

// target is what a WebID points at.
type target struct {
	index int    // of a point, when path is empty
	path  string // SERVER\NAME in capitals, of a PathOnly id
	kind  WebIDType
}

// Lengths of base64 fields.
const (
	guidText = 22
	idText   = 6
)

// readPoint reads a point's WebID. The error is what the server answers.
func (w *webIDs) readPoint(id string) (target, *problem) {
	unknown := func() (target, *problem) {
		return target{}, badRequest("Unknown or invalid WebID format: '%s'", id)
	}
	if len(id) < 5 || id[1:4] != "1DP" {
		return unknown()
	}
	rest := id[4:]
	switch id[0] {
	case 'P':
		path, err := webIDText.DecodeString(rest)
		if err != nil || len(path) == 0 {
			return unknown()
		}
		return target{path: string(path), kind: PathOnly}, nil
	case 'F', 'I':
		if len(rest) < guidText+idText || (id[0] == 'I') != (len(rest) == guidText+idText) {
			return unknown()
		}
		var guid [16]byte
		var number [4]byte
		if _, err := webIDText.Decode(guid[:], []byte(rest[:guidText])); err != nil {
			return unknown()
		}
		if _, err := webIDText.Decode(number[:], []byte(rest[guidText:guidText+idText])); err != nil {
			return unknown()
		}
		if _, err := webIDText.DecodeString(rest[guidText+idText:]); err != nil {
			return unknown()
		}
		if guid != w.guid {
			return target{}, notFound("The PI Data Archive of WebID '%s' was not found.", id)
		}
		kind := Full
		if id[0] == 'I' {
			kind = IDOnly
		}
		return target{index: int(binary.LittleEndian.Uint32(number[:])) - 1, kind: kind}, nil
	}
	return unknown()
}

// readServer checks that an id is this data server's.
func (w *webIDs) readServer(id string) *problem {
	for _, kind := range []WebIDType{Full, IDOnly, PathOnly} {
		if id == string(w.appendServer(nil, kind)) {
			return nil
		}
	}
	if len(id) > 4 && id[1:4] == "1DS" && strings.IndexByte("FIP", id[0]) >= 0 {
		if _, err := webIDText.DecodeString(id[4:]); err == nil {
			return notFound("The PI Data Archive of WebID '%s' was not found.", id)
		}
	}
	return badRequest("Unknown or invalid WebID format: '%s'", id)
}

// readSet finds the digital set that an id points at: its position in allSets.
func (w *webIDs) readSet(id string) (int, *problem) {
	for i := range allSets() {
		for _, kind := range []WebIDType{Full, IDOnly, PathOnly} {
			if id == string(w.appendSet(nil, kind, i, -1)) {
				return i, nil
			}
		}
	}
	if len(id) > 4 && id[1:4] == "1MS" {
		return 0, notFound("The enumeration set of WebID '%s' was not found.", id)
	}
	return 0, badRequest("Unknown or invalid WebID format: '%s'", id)
}

// guidString prints a GUID as .NET does.
func guidString(g [16]byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[:4]),
		binary.LittleEndian.Uint16(g[4:6]), binary.LittleEndian.Uint16(g[6:8]), g[8:10], g[10:])
}
