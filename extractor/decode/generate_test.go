package decode_test

import (
	"fmt"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// writer prints bodies as PI Web API does, or as nobody does but JSON allows.
type writer struct {
	t    *rapid.T
	wild bool // spaces, keys in any order, unknown and escaped keys
}

func (w *writer) chance(percent int, label string) bool {
	return rapid.IntRange(0, 99).Draw(w.t, label) < percent
}

func (w *writer) space() string {
	if !w.wild {
		return ""
	}
	return rapid.SampledFrom([]string{"", "", "", " ", "\n  ", "\t\r\n"}).Draw(w.t, "space")
}

// object prints members, `"key":value` each.
func (w *writer) object(members []string) string {
	if w.wild {
		if w.chance(30, "unknown key") {
			members = append(members, w.key("Unknown")+":"+w.space()+w.nested(3))
		}
		members = rapid.Permutation(members).Draw(w.t, "order")
	}
	return "{" + w.space() + strings.Join(members, w.space()+","+w.space()) + w.space() + "}"
}

func (w *writer) array(elements []string) string {
	return "[" + w.space() + strings.Join(elements, w.space()+","+w.space()) + w.space() + "]"
}

func (w *writer) key(name string) string {
	if w.wild && w.chance(10, "escaped key") {
		return fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:])
	}
	return `"` + name + `"`
}

func (w *writer) member(key, value string) string {
	return w.key(key) + w.space() + ":" + w.space() + value
}

// nested prints any value.
func (w *writer) nested(depth int) string {
	switch n := rapid.IntRange(0, 7).Draw(w.t, "nested"); {
	case n == 0 && depth > 0:
		return w.array([]string{w.nested(depth - 1), w.nested(depth - 1)})
	case n == 1 && depth > 0:
		return "{" + w.member(rapid.SampledFrom([]string{"Timestamp", "Value", "Items", "x"}).Draw(w.t, "key"), w.nested(depth-1)) + "}"
	case n == 2:
		return w.text()
	case n == 3:
		return w.number()
	default:
		return rapid.SampledFrom([]string{"null", "true", "false", "[]", "{}", "NaN", "-Infinity", `""`}).Draw(w.t, "literal")
	}
}

// text prints a string, with everything that may stand between quotes.
func (w *writer) text() string {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "Open", "I/O Timeout", "°C", "日本", "😀", `\"`, `\\`, `\/`, `\b\f\n\r\t`, `\u0041`, `\u00e9`,
		`\ud83d\ude00`, `\ud83d`, `\ude00`, `\ud83d\u0041`, `\ud83d\ud83d\ude00`, "\xff", "\xc3", "\xe2\x82", "}", "{", "]", ",", ":",
		"0123456789", "NaN", "Infinity", "\x7f", "\u2028",
	}), 0, 5).Draw(w.t, "text")
	return `"` + strings.Join(pieces, "") + `"`
}

func (w *writer) number() string {
	switch rapid.IntRange(0, 6).Draw(w.t, "number") {
	case 0:
		return strconv.Itoa(rapid.IntRange(-1000, 1000).Draw(w.t, "int"))
	case 1:
		return strconv.FormatFloat(rapid.Float64Range(-1e6, 1e6).Draw(w.t, "float"), 'f', -1, 64)
	case 2:
		return strconv.FormatFloat(float64(rapid.Float32().Draw(w.t, "widened")), 'f', 15, 64)
	case 3:
		return strconv.FormatFloat(rapid.Float64().Draw(w.t, "any"), 'E', 16, 64)
	case 4:
		return strconv.FormatFloat(rapid.Float64().Draw(w.t, "any"), 'f', 40, 64)
	case 5:
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`).Draw(w.t, "grammar")
	}
	return rapid.SampledFrom([]string{"0", "-0", "0.0", "-0.0e-5", "1e5", "123456789.5", "9007199254740993",
		"18446744073709551616"}).Draw(w.t, "odd")
}

func (w *writer) value() string {
	switch n := rapid.IntRange(0, 19).Draw(w.t, "kind"); {
	case n < 8:
		return w.number()
	case n < 11:
		return w.text()
	case n < 14:
		state := []string{
			w.member("Name", rapid.SampledFrom([]string{`"Open"`, `"Closed"`, `"I/O Timeout"`, `"NaN"`, `"é"`, `"\u0041"`, "null",
				"3"}).Draw(w.t, "name")),
			w.member("Value", rapid.SampledFrom([]string{"0", "1", "254", "-1", "2147483647", "2147483648", "1.0", "1.5", `"1"`, "null",
				"NaN"}).Draw(w.t, "code")),
		}
		if w.chance(70, "system") {
			state = append(state, w.member("IsSystem", strconv.FormatBool(w.chance(50, "is system"))))
		}
		return w.object(state)
	case n == 14:
		return rapid.SampledFrom([]string{`"NaN"`, `"Infinity"`, `"-Infinity"`, `"nan"`, `"INFINITY"`, `"-infinity"`, "NaN", "Infinity",
			"-Infinity"}).Draw(w.t, "special")
	case n == 15:
		return "null"
	case n == 16:
		return w.object([]string{
			w.member("Errors", rapid.SampledFrom([]string{"null", "[]", `["Calc Failed"]`, `"Calc Failed"`}).Draw(w.t, "value errors")),
			w.member(rapid.SampledFrom([]string{"Name", "WebException"}).Draw(w.t, "beside"),
				rapid.SampledFrom([]string{"null", `"Open"`, "{}"}).Draw(w.t, "what")),
			w.member("Value", "3"),
		})
	default:
		return w.nested(2)
	}
}

// timestamp prints ticks with at least as many fractional digits as they need.
func (w *writer) timestamp(ticks instant.Ticks) string {
	text := ticks.String()
	if !w.wild {
		return `"` + text + `"`
	}
	whole, fraction, _ := strings.Cut(strings.TrimSuffix(text, "Z"), ".")
	fraction += strings.Repeat("0", rapid.IntRange(0, 7-len(fraction)).Draw(w.t, "zeros"))
	if fraction != "" {
		whole += "." + fraction
	}
	return `"` + whole + `Z"`
}

func (w *writer) item(ticks instant.Ticks) string {
	m := []string{w.member("Timestamp", w.timestamp(ticks)), w.member("Value", w.value())}
	m = append(m, w.member("UnitsAbbreviation", rapid.SampledFrom([]string{`""`, `"m"`, `"°C"`}).Draw(w.t, "units")))
	for _, flag := range []string{"Good", "Questionable", "Substituted", "Annotated"} {
		if w.chance(80, "printed") {
			m = append(m, w.member(flag, strconv.FormatBool(w.chance(30, flag))))
		}
	}
	if w.chance(5, "errors") {
		m = append(m, w.member("Errors", rapid.SampledFrom([]string{"null", "[]", "[ ]", `[{"FieldName":"Value","Message":["no"]}]`,
			`["no"]`}).Draw(w.t, "errors")))
	}
	return w.object(m)
}

// ticks draws instants in order, some of them equal.
func ticks(t *rapid.T, most int) []instant.Ticks {
	steps := rapid.SliceOfN(rapid.SampledFrom([]instant.Ticks{0, 0, 1, 10, 12345, instant.Millisecond, instant.Second, 61 * instant.Second,
		instant.Day, 400 * instant.Day}), 0, most).Draw(t, "steps")
	at := rapid.SampledFrom([]instant.Ticks{-instant.Day - 1, 0, 14552933370000000, 17000000000000000}).Draw(t, "first")
	for i, step := range steps {
		at += step
		steps[i] = at
	}
	return steps
}

// stream prints the members of a stream's body.
func (w *writer) stream(at []instant.Ticks) []string {
	items := make([]string, len(at))
	for i := range at {
		items[i] = w.item(at[i])
	}
	return []string{
		w.member("Items", w.array(items)),
		w.member("UnitsAbbreviation", `""`),
		w.member("Links", "{}"),
	}
}

// generated is a body with the call that it answers.
type generated struct {
	body     []byte
	wants    []batch.Stream
	maxCount int
}

func drawWriter(t *rapid.T) *writer {
	return &writer{t: t, wild: rapid.Bool().Draw(t, "wild")}
}

func drawWant(t *rapid.T, i int, at []instant.Ticks) batch.Stream {
	want := batch.Stream{
		Index: int32(100 + i), WebID: fmt.Sprintf("F1DP%d", i), Name: fmt.Sprintf("Tag.%d", i),
		Numeric: rapid.Bool().Draw(t, "numeric"), After: -1 << 60, Until: 1 << 60,
	}
	if len(at) > 0 {
		if rapid.Bool().Draw(t, "after") {
			want.After = rapid.SampledFrom(at).Draw(t, "after") - instant.Ticks(rapid.IntRange(0, 1).Draw(t, "before"))
		}
		if rapid.Bool().Draw(t, "until") {
			want.Until = rapid.SampledFrom(at).Draw(t, "until") - instant.Ticks(rapid.IntRange(0, 1).Draw(t, "before"))
		}
	}
	return want
}

// drawSet draws a valid body of a stream set.
func drawSet(t *rapid.T) generated {
	w := drawWriter(t)
	g := generated{maxCount: rapid.SampledFrom([]int{0, 1, 2, 5, 1000}).Draw(t, "maxCount")}
	var streams []string
	for i := range rapid.IntRange(0, 4).Draw(t, "streams") {
		at := ticks(t, 12)
		g.wants = append(g.wants, drawWant(t, i, at))
		if w.chance(10, "absent") {
			continue
		}
		m := w.stream(at)
		head := []string{}
		if w.chance(80, "id") {
			head = append(head, w.member("WebId", fmt.Sprintf(`"F1DP%d"`, i)))
		} else if w.chance(50, "other id") {
			head = append(head, w.member("WebId", `"I1DPother"`))
		}
		if w.chance(50, "name") {
			head = append(head, w.member("Name", fmt.Sprintf(`"TAG.%d"`, i)))
		}
		head = append(head, w.member("Path", fmt.Sprintf(`"\\\\SRV\\tag.%d"`, i)))
		if w.chance(5, "failed") {
			m = append(m, w.member("Errors", rapid.SampledFrom([]string{"null", "[]", `["no access"]`}).Draw(t, "errors")))
		}
		streams = append(streams, w.object(append(head, m...)))
	}
	if w.wild {
		streams = rapid.Permutation(streams).Draw(t, "streams in order")
	}
	g.body = []byte(w.space() + w.object([]string{w.member("Links", "{}"), w.member("Items", w.array(streams))}) + w.space())
	return g
}

// drawStream draws a valid body of a single stream.
func drawStream(t *rapid.T) generated {
	w := drawWriter(t)
	at := ticks(t, 40)
	return generated{
		body:     []byte(w.object(w.stream(at))),
		wants:    []batch.Stream{drawWant(t, 0, at)},
		maxCount: rapid.SampledFrom([]int{0, 1, 2, 20, 1000}).Draw(t, "maxCount"),
	}
}

// mutate breaks a body a little, or not at all.
func mutate(t *rapid.T, body []byte) []byte {
	body = append([]byte{}, body...)
	for range rapid.IntRange(1, 3).Draw(t, "mutations") {
		if len(body) == 0 {
			return body
		}
		i := rapid.IntRange(0, len(body)-1).Draw(t, "at")
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			body[i] = rapid.SampledFrom([]byte("{}[]\",:\\0123456789eE+-. nulltrefasNI\x00\x1f\xff\n")).Draw(t, "byte")
		case 1:
			body = append(body[:i], body[i+1:]...)
		case 2:
			body = append(body[:i], append([]byte{body[i]}, body[i:]...)...)
		case 3:
			j := min(len(body), i+rapid.IntRange(1, 30).Draw(t, "length"))
			body = append(body[:i], body[j:]...)
		}
	}
	return body
}
