package text

import (
	"bytes"
	"encoding/json"
)

// Indented returns a value as indented JSON for people to read, with a line break at
// its end. It does not escape <, > and &.
func Indented(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return b.Bytes(), err
}
