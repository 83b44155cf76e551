package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// WebException is an error that PI Web API reports inside a body, under
// whatever HTTP status (200 as well).
type WebException struct {
	StatusCode int      // the real HTTP status; 0 when the body has none
	Errors     []string // of the server, cut to a readable length; may be empty
}

func (e *WebException) Error() string {
	said := strings.Join(e.Errors, "; ")
	if said == "" {
		said = "without saying why"
	}
	if e.StatusCode == 0 {
		return "the server reports an error: " + said
	}
	return fmt.Sprintf("the server reports error %d: %s", e.StatusCode, said)
}

// NotJSON is a body that is no JSON object from its first byte on: mostly the
// HTML page of a proxy.
type NotJSON struct {
	Snippet string // how the body begins, in printable characters
}

func (e *NotJSON) Error() string {
	return fmt.Sprintf("the body is not a JSON object: %q", e.Snippet)
}

// FormatError is a body that is malformed, or not what was asked for.
type FormatError struct {
	Offset int64 // bytes of the body before the fault
	Reason string
	// Lasting means that the body is JSON, so that nothing has garbled it on its way:
	// another try would get the same.
	Lasting bool
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("malformed body at byte %d: %s", e.Offset, e.Reason)
}

// ErrTooLarge is in the chain of errors about a body that is beyond what the
// decoder holds in memory: another try gets no further, a smaller call may.
var ErrTooLarge = errors.New("larger than this program accepts")

// Bounds of what a body may make the decoder hold.
const (
	maxPiece  = 4 << 20  // bytes of one event, key or skipped value
	maxTexts  = 16 << 20 // bytes of different texts in a call: several calls are decoded at once
	maxEvents = 2 << 20  // events in a call; PI Web API's own default is 150,000
	maxDepth  = 100      // nested arrays and objects
)

// slackEvents is how many events more than a call asked for are taken: the bounds of
// ranges bring a few, and a server may count them otherwise than we do.
const slackEvents = 5000

// Bounds of what is quoted from a server in an error.
const (
	maxSnippet = 200
	maxErrors  = 10
)

// reported is the error that the values of the keys "WebException" and "Errors"
// of an object report; nil when there is none.
func reported(webException, errors []byte) error {
	if e := exception(webException); e != nil {
		return e
	}
	if e := failure(errors); e != nil {
		return e
	}
	return nil
}

// exception reads the value of a key "WebException"; nil when it is null or missing.
func exception(raw []byte) *WebException {
	var body struct {
		StatusCode json.RawMessage
		Errors     json.RawMessage
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	e := new(WebException)
	if json.Unmarshal(raw, &body) != nil {
		e.Errors = []string{printable(raw)}
		return e
	}
	_ = json.Unmarshal(body.StatusCode, &e.StatusCode) // stays 0 when it is no number
	if listed := failure(body.Errors); listed != nil {
		e.Errors = listed.Errors
	}
	return e
}

// failure reads the value of a key "Errors"; nil when there are none.
func failure(raw []byte) *WebException {
	if noErrors(raw) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	e := new(WebException)
	for _, one := range list[:min(len(list), maxErrors)] {
		var text string
		if json.Unmarshal(one, &text) != nil {
			text = string(one)
		}
		e.Errors = append(e.Errors, printable([]byte(text)))
	}
	return e
}

// noErrors reports whether the value of a key "Errors" is null or an empty array.
func noErrors(raw []byte) bool {
	if len(raw) == 0 || string(raw) == "null" {
		return true
	}
	return raw[0] == '[' && raw[skipSpace(raw, 1)] == ']'
}

// printable is the beginning of s without control characters.
func printable(s []byte) string {
	cut := len(s) > maxSnippet
	if cut {
		s = s[:maxSnippet]
		for range utf8.UTFMax - 1 { // of a character that is cut itself
			if r, _ := utf8.DecodeLastRune(s); r == utf8.RuneError {
				s = s[:len(s)-1]
			}
		}
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(s), "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if cut {
		text += "…"
	}
	return text
}
