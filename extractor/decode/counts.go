package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/bundlegen/bundlegen/extractor/batch"
)

// ErrAbsent says that a body does not have a stream, or not its count.
var ErrAbsent = errors.New("the server gives no count for this stream")

// summarySet is the body of GET /streamsets/summary, as far as counts need it.
type summarySet struct {
	Items        *[]summaryStream
	WebException json.RawMessage
	Errors       json.RawMessage
}

type summaryStream struct {
	WebID        string `json:"WebId"`
	Name, Path   string
	WebException json.RawMessage
	Errors       json.RawMessage
	Items        []struct {
		Type  string
		Value struct {
			Value        json.RawMessage
			Good         *bool
			WebException json.RawMessage
			Errors       json.RawMessage
		}
	}
}

// SummaryCounts reads the body of GET /streamsets/summary?summaryType=Count to
// its end. It returns the number of events of each stream and, at the same position,
// why there is none: ErrAbsent, a *WebException, or another error. The last
// result is of the call as a whole, as that of Decoder.StreamSet.
func SummaryCounts(r io.Reader, streams []batch.Stream) ([]int64, []error, error) {
	set, err := readSummaries(r)
	if err != nil {
		return nil, nil, err
	}
	counts, failures := make([]int64, len(streams)), make([]error, len(streams))
	for i := range failures {
		failures[i] = ErrAbsent
	}
	var x index
	x.set(streams)
	seen := make([]bool, len(streams))
	for i := range set {
		s := &set[i]
		at, err := x.find([]byte(s.WebID), []byte(s.Name), []byte(s.Path))
		if err != nil {
			return nil, nil, &FormatError{Reason: err.Error()}
		}
		if seen[at] {
			return nil, nil, &FormatError{Reason: errTwice.Error()}
		}
		seen[at] = true
		counts[at], failures[at] = s.count()
	}
	return counts, failures, nil
}

// readSummaries reads a body that is whole in memory then, since it has a few
// hundred bytes a stream.
func readSummaries(r io.Reader) ([]summaryStream, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxPiece+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the body breaks off after %d bytes: %w", len(body), err)
	case len(body) > maxPiece:
		return nil, fmt.Errorf("a body of more than %d bytes is %w", maxPiece, ErrTooLarge)
	}
	body = bytes.TrimPrefix(body, []byte(byteOrderMark))
	start := skipSpace(body, 0)
	if start < len(body) && body[start] != '{' {
		return nil, &NotJSON{Snippet: printable(body[start:])}
	}
	var set summarySet
	if err := json.Unmarshal(body, &set); err != nil {
		if _, err := skipValue(body, start, 0); err == errShort {
			return nil, fmt.Errorf("the body breaks off after %d bytes: %w", len(body), io.ErrUnexpectedEOF)
		}
		return nil, &FormatError{Reason: err.Error()}
	}
	if e := reported(set.WebException, set.Errors); e != nil {
		return nil, e
	}
	if set.Items == nil {
		return nil, &FormatError{Offset: int64(len(body)), Reason: errNoItems.Error()}
	}
	return *set.Items, nil
}

// count is the number of events that the stream's summary gives.
func (s *summaryStream) count() (int64, error) {
	if e := reported(s.WebException, s.Errors); e != nil {
		return 0, e
	}
	for i := range s.Items {
		if s.Items[i].Type != "Count" {
			continue
		}
		v := &s.Items[i].Value
		if e := reported(v.WebException, v.Errors); e != nil {
			return 0, e
		}
		var n *float64
		if v.Good != nil && !*v.Good || json.Unmarshal(v.Value, &n) != nil || n == nil ||
			*n < 0 || *n > 1<<53 || *n != math.Trunc(*n) {
			return 0, fmt.Errorf("%w: it says %q", ErrAbsent, printable(v.Value))
		}
		return int64(*n), nil
	}
	return 0, ErrAbsent
}
