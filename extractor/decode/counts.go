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

// ErrAbsent is the error of a stream that is missing in a body, or has no count there.
var ErrAbsent = errors.New("the server gives no count for this stream")

// summarySet is the body of GET /streamsets/summary, as far as counts need it. Its
// lists are read item by item: the items that a body of a few megabytes can have
// would take a hundred times as much as values.
type summarySet struct {
	Items        json.RawMessage
	WebException json.RawMessage
	Errors       json.RawMessage
}

type summaryStream struct {
	WebID        string `json:"WebId"`
	Name, Path   string
	WebException json.RawMessage
	Errors       json.RawMessage
	Items        json.RawMessage
}

// summaryItem is one summary of a stream.
type summaryItem struct {
	Type  string
	Value struct {
		Value        json.RawMessage
		Good         *bool
		WebException json.RawMessage
		Errors       json.RawMessage
	}
}

// errEnough ends eachOf before the array does.
var errEnough = errors.New("enough")

// eachOf decodes the items of an array one after the other into a fresh T. Nothing,
// and null, is an array without any. The error of use ends it and is returned, unless
// it is errEnough.
func eachOf[T any](array json.RawMessage, use func(*T) error) error {
	if len(array) == 0 || string(array) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(array))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return &FormatError{Reason: "Items is not an array"}
	}
	for d.More() {
		var item T
		if err := d.Decode(&item); err != nil {
			return &FormatError{Offset: d.InputOffset(), Reason: err.Error()}
		}
		switch err := use(&item); err {
		case nil:
		case errEnough:
			return nil
		default:
			return err
		}
	}
	return nil
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
	err = eachOf(set, func(s *summaryStream) error {
		at, err := x.find([]byte(s.WebID), []byte(s.Name), []byte(s.Path))
		if err != nil {
			return &FormatError{Reason: err.Error()}
		}
		if seen[at] {
			return &FormatError{Reason: errTwice.Error()}
		}
		seen[at] = true
		counts[at], failures[at] = s.count()
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return counts, failures, nil
}

// readSummaries reads a body that is whole in memory then, since it has a few
// hundred bytes a stream, and returns its list of streams.
func readSummaries(r io.Reader) (json.RawMessage, error) {
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
	if len(set.Items) == 0 || string(set.Items) == "null" {
		return nil, &FormatError{Offset: int64(len(body)), Reason: errNoItems.Error()}
	}
	return set.Items, nil
}

// count returns the number of events in the stream's summary.
func (s *summaryStream) count() (int64, error) {
	if e := reported(s.WebException, s.Errors); e != nil {
		return 0, e
	}
	n, absent := int64(0), ErrAbsent
	err := eachOf(s.Items, func(item *summaryItem) error {
		if item.Type != "Count" {
			return nil
		}
		n, absent = item.count()
		return errEnough
	})
	if err != nil {
		return 0, err
	}
	return n, absent
}

// count returns the number in an item of the type Count.
func (i *summaryItem) count() (int64, error) {
	v := &i.Value
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
