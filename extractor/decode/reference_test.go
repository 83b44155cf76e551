package decode_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// This file does the same once more, on top of encoding/json and without a care for
// speed, what package decode does: the differential tests compare the two.

// event is one row of a batch, comparable.
type event struct {
	Stream int32
	Ticks  int64
	Flags  uint8
	Bits   uint64 // of Value
	Text   string
	Code   int32
}

// rows returns the events of a batch.
func rows(b *columns.Batch) []event {
	events := make([]event, b.Len())
	for i := range events {
		e := event{Stream: b.Stream[i], Ticks: b.Ticks[i], Flags: b.Flags[i], Bits: floatBits(b.Value[i]), Code: b.Code[i]}
		if e.Flags&columns.HasText != 0 {
			e.Text = b.Strings.Text(b.Text[i])
		}
		events[i] = e
	}
	return events
}

// floatBits distinguishes 0 from -0 and makes all NaNs one.
func floatBits(f float64) uint64 {
	if f != f {
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// result is all that a call returns.
type result struct {
	Events []event
	Got    []decode.Result // Err is nil or errAny
	Err    error           // nil or errAny
}

var errAny = errors.New("some error")

func anyError(err error) error {
	if err != nil {
		return errAny
	}
	return nil
}

// refSet is what StreamSet should give.
func refSet(body []byte, wants []batch.Stream, maxCount int) result {
	r := reference{wants: wants, maxCount: maxCount, got: make([]decode.Result, len(wants))}
	if !r.set(body) {
		return result{Err: errAny}
	}
	return result{Events: r.events, Got: r.got}
}

// refStream is what Stream should give.
func refStream(body []byte, want batch.Stream, maxCount int) result {
	r := reference{wants: []batch.Stream{want}, maxCount: maxCount, got: make([]decode.Result, 1)}
	top, ok := document(body)
	if !ok {
		return result{Err: errAny}
	}
	s, ok := r.stream(top)
	if !ok || s.failed || !s.listed {
		return result{Err: errAny}
	}
	r.settle(0, s)
	return result{Events: r.events, Got: r.got}
}

type reference struct {
	wants    []batch.Stream
	maxCount int
	events   []event
	got      []decode.Result
}

func (r *reference) set(body []byte) bool {
	top, ok := document(body)
	if !ok {
		return false
	}
	items := false
	for _, m := range top {
		switch m.key {
		case "Items":
			if items {
				return false
			}
			items = true
			list, ok := elements(m.value)
			if !ok {
				return false
			}
			for _, one := range list {
				if !r.oneOfSet(one) {
					return false
				}
			}
		case "WebException", "Errors":
			if reports(m) || tooDeep(m.value) {
				return false
			}
		default:
			if tooDeep(m.value) {
				return false
			}
		}
	}
	return items
}

func (r *reference) oneOfSet(raw []byte) bool {
	all, ok := members(raw)
	if !ok {
		return false
	}
	s, ok := r.stream(all)
	if !ok {
		return false
	}
	var id, name, path string
	for _, m := range all {
		switch m.key {
		case "WebId":
			id = m.text()
		case "Name":
			name = m.text()
		case "Path":
			path = m.text()
		}
	}
	i := r.find(id, name, path)
	if i < 0 || r.got[i].Present {
		return false
	}
	r.settle(i, s)
	return true
}

func (r *reference) find(id, name, path string) int {
	for i, w := range r.wants {
		if id != "" && w.WebID == id {
			return i
		}
	}
	if parts := strings.SplitN(path, `\`, 4); name == "" && len(parts) == 4 && parts[0]+parts[1] == "" {
		name = parts[3]
	}
	for _, equal := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i, w := range r.wants {
			if name != "" && equal(w.Name, name) {
				return i
			}
		}
	}
	return -1
}

type refStreamBody struct {
	events []event
	listed bool
	failed bool
}

func (r *reference) stream(all []member) (s refStreamBody, ok bool) {
	last := int64(math.MinInt64)
	for _, m := range all {
		if m.key != "Items" {
			s.failed = s.failed || reports(m)
			if tooDeep(m.value) {
				return s, false
			}
			continue
		}
		if s.listed {
			return s, false
		}
		s.listed = true
		list, ok := elements(m.value)
		if !ok {
			return s, false
		}
		for _, one := range list {
			e, hasTime, failed, ok := refEvent(one)
			switch {
			case !ok, !hasTime && !failed:
				return s, false
			case failed && (!hasTime || r.outside(e.Ticks)):
				s.failed = true
			case e.Ticks < last:
				return s, false
			default:
				s.events = append(s.events, e)
				last = e.Ticks
			}
		}
	}
	return s, true
}

// beside reports whether an instant is outside of the range of every want, by
// more than servers round.
func (r *reference) outside(ticks int64) bool {
	first, last := instant.Ticks(math.MaxInt64), instant.Ticks(math.MinInt64)
	for _, w := range r.wants {
		first, last = min(first, w.After), max(last, w.Until)
	}
	at := instant.Ticks(ticks)
	return at < first-instant.Millisecond || at > last+instant.Millisecond
}

func (r *reference) settle(i int, s refStreamBody) {
	want, got := r.wants[i], decode.Result{Present: true, Items: len(s.events)}
	if len(s.events) > 0 {
		got.First = instant.Ticks(s.events[0].Ticks)
		got.Last = instant.Ticks(s.events[len(s.events)-1].Ticks)
	}
	if s.failed {
		got.Err = errAny
		r.got[i] = got
		return
	}
	got.Full = r.maxCount > 0 && got.Items >= r.maxCount && got.Last <= want.Until
	for _, e := range s.events {
		at := instant.Ticks(e.Ticks)
		if at <= want.After || at > want.Until || got.Full && at == got.Last {
			continue
		}
		e.Stream = want.Index
		if want.Numeric && e.Flags&columns.HasText != 0 && e.Flags&columns.HasCode == 0 {
			if f, ok := namedNumber(e.Text); ok {
				e.Flags, e.Bits, e.Text = e.Flags&^columns.HasText|columns.HasValue, floatBits(f), ""
			}
		}
		got.Kept++
		r.events = append(r.events, e)
	}
	r.got[i] = got
}

func refEvent(raw []byte) (e event, hasTime, failed, ok bool) {
	all, ok := members(raw)
	if !ok {
		return e, false, false, false
	}
	last := map[string]member{}
	for _, m := range all {
		if tooDeep(m.value) {
			return e, false, false, false
		}
		last[m.key] = m
	}
	for name, flag := range map[string]uint8{
		"Good": columns.Good, "Questionable": columns.Questionable,
		"Substituted": columns.Substituted, "Annotated": columns.Annotated,
	} {
		if string(last[name].value) == "true" {
			e.Flags |= flag
		}
	}
	failed = reports(last["Errors"]) || reports(last["WebException"]) || blamed(last["Value"])
	at, err := instant.Parse(last["Timestamp"].text())
	if err != nil {
		return e, false, failed, failed
	}
	e.Ticks = int64(at)
	if failed {
		return e, true, true, true
	}
	return e, true, false, refValue(&e, last["Value"])
}

func refValue(e *event, m member) bool {
	if m.value == nil || string(m.value) == "null" {
		return true
	}
	var text string
	var number float64
	switch m.value[0] {
	case '"':
		text = m.text()
		if bare, ok := strings.CutPrefix(text, bareMark); ok {
			f, _ := namedNumber(bare)
			e.Flags, e.Bits = e.Flags|columns.HasValue, floatBits(f)
			return true
		}
		e.Flags, e.Text = e.Flags|columns.HasText, text
		return true
	case '{':
		all, _ := members(m.value)
		last := map[string]member{}
		for _, m := range all {
			last[m.key] = m
		}
		name, value := last["Name"], last["Value"]
		if json.Unmarshal(name.value, &text) == nil && string(name.value) != "null" && !strings.HasPrefix(text, bareMark) &&
			json.Unmarshal(value.value, &number) == nil && string(value.value) != "null" &&
			number == math.Trunc(number) && number >= math.MinInt32 && number <= math.MaxInt32 {
			e.Flags |= columns.HasText | columns.HasCode
			e.Text, e.Code = text, int32(number)
			return true
		}
	case '[', 't', 'f':
	default:
		e.Flags |= columns.HasValue
		err := json.Unmarshal(m.value, &number)
		e.Bits = floatBits(number)
		return err == nil
	}
	e.Flags |= columns.HasText
	e.Text = string([]rune(unmark(string(m.value)))) // what is not UTF-8 becomes U+FFFD
	return true
}

func namedNumber(text string) (float64, bool) {
	switch strings.ToLower(text) {
	case "nan":
		return math.NaN(), true
	case "infinity":
		return math.Inf(1), true
	case "-infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

// reports reports whether a member reports an error.
func reports(m member) bool {
	switch m.key {
	case "WebException":
		return string(m.value) != "null"
	case "Errors":
		var list []json.RawMessage
		return json.Unmarshal(m.value, &list) != nil || len(list) > 0
	}
	return false
}

// blamed reports whether a value is an object that reports an error.
func blamed(m member) bool {
	if m.value == nil || m.value[0] != '{' {
		return false
	}
	all, _ := members(m.value)
	last := map[string]member{}
	for _, m := range all {
		last[m.key] = m
	}
	return reports(last["Errors"]) || reports(last["WebException"])
}

// member is a key of an object with its value as it stands.
type member struct {
	key   string
	value json.RawMessage
}

// text is the value if it is a string, and empty otherwise.
func (m member) text() string {
	var text string
	if len(m.value) > 0 && m.value[0] == '"' {
		_ = json.Unmarshal(m.value, &text)
	}
	return text
}

// document reads a body's top object.
func document(body []byte) ([]member, bool) {
	body = mark(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if !json.Valid(body) {
		return nil, false
	}
	return members(body)
}

// members reads an object in order, duplicates included.
func members(raw []byte) (all []member, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		all = append(all, member{key.(string), value})
	}
	_, err := d.Token()
	return all, err == nil
}

// elements reads an array; null is an empty one.
func elements(raw []byte) (all []json.RawMessage, ok bool) {
	ok = (raw[0] == '[' || raw[0] == 'n') && json.Unmarshal(raw, &all) == nil
	return all, ok
}

// tooDeep reports whether a value nests deeper than the decoder follows.
func tooDeep(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	for depth := 0; ; {
		t, err := d.Token()
		if err == io.EOF {
			return false
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > decode.MaxDepth {
				return true
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// bareMark begins a string that stands for a bare NaN or Infinity, which
// encoding/json refuses.
const bareMark = "\uE000bare:"

// mark makes strings of bare NaN and Infinity where a value may stand.
func mark(body []byte) []byte {
	var marked []byte
	var open []byte     // containers that are open
	before := byte(':') // the last byte that is no space, outside of strings
	for i := 0; i < len(body); {
		c := body[i]
		value := before == ':' || len(open) > 0 && open[len(open)-1] == '[' && (before == '[' || before == ',')
		word := ""
		for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
			if value && bytes.HasPrefix(body[i:], []byte(w)) {
				word = w
			}
		}
		switch {
		case word != "":
			marked = append(marked, `"`+bareMark+word+`"`...)
			i += len(word)
			before = '"'
			continue
		case c == '"':
			end := i + 1
			for end < len(body) && body[end] != '"' {
				if body[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(body))
			marked = append(marked, body[i:end]...)
			i, before = end, '"'
			continue
		case c == '{' || c == '[':
			open = append(open, c)
		case (c == '}' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			before = c
		}
		marked = append(marked, c)
		i++
	}
	return marked
}

// unmark undoes mark.
func unmark(text string) string {
	for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
		text = strings.ReplaceAll(text, `"`+bareMark+w+`"`, w)
	}
	return text
}
