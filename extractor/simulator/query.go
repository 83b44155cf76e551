package simulator

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// query holds a URL's parameters. Names are in lower case, since the server ignores
// their case; unknown ones are ignored, as on a real server.
type query []struct{ name, value string }

func parseQuery(raw string) (query, *problem) {
	if raw == "" {
		return nil, nil
	}
	q := make(query, 0, strings.Count(raw, "&")+1)
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name == "" {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, badRequest("The query string is not valid: %s", part)
		}
		if name, err = url.QueryUnescape(name); err != nil {
			return nil, badRequest("The query string is not valid: %s", part)
		}
		q = append(q, struct{ name, value string }{strings.ToLower(name), value})
	}
	return q, nil
}

// get returns the first value of a parameter, "" when there is none.
func (q query) get(name string) string {
	for i := range q {
		if q[i].name == name {
			return q[i].value
		}
	}
	return ""
}

// all returns all values of a parameter.
func (q query) all(name string) []string {
	var list []string
	for i := range q {
		if q[i].name == name {
			list = append(list, q[i].value)
		}
	}
	return list
}

// count reads a whole number that is not negative.
func (q query) count(name, spelling string, byDefault int) (int, *problem) {
	text := q.get(name)
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest("The value '%s' of parameter '%s' is not a valid integer.", text, spelling)
	}
	if n < 0 {
		return 0, badRequest("The value of parameter '%s' may not be negative.", spelling)
	}
	return n, nil
}

// time reads an instant: ISO 8601 or PI's "*-1d", "t", "y+8h".
func (q query) time(name, spelling, byDefault string, now instant.Ticks) (instant.Ticks, *problem) {
	text := q.get(name)
	if text == "" {
		text = byDefault
	}
	t, ok := parseTime(text, now)
	if !ok {
		return 0, badRequest("The value '%s' of parameter '%s' is not a valid PI time.", text, spelling)
	}
	return t, nil
}

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02"}

// parseTime reads an instant; without an offset it is in UTC, the server's time zone.
func parseTime(text string, now instant.Ticks) (instant.Ticks, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, false
	}
	if text[0] >= '0' && text[0] <= '9' {
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
				return instant.FromTime(t), true
			}
		}
		return 0, false
	}
	today := now - now%instant.Day
	var t instant.Ticks
	switch text[0] {
	case '*':
		t = now
	case 't', 'T':
		t = today
	case 'y', 'Y':
		t = today - instant.Day
	case '+', '-':
		return addOffsets(now, text)
	default:
		return 0, false
	}
	return addOffsets(t, text[1:])
}

// spans are the units of offsets.
var spans = map[string]float64{
	"ms": float64(instant.Millisecond), "s": float64(instant.Second), "m": float64(instant.Minute),
	"h": float64(instant.Hour), "d": float64(instant.Day), "w": 7 * float64(instant.Day),
}

// addOffsets adds offsets such as "-1d" or "-8h+30m".
func addOffsets(t instant.Ticks, text string) (instant.Ticks, bool) {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	for text != "" {
		if text[0] != '+' && text[0] != '-' {
			return 0, false
		}
		number := 1
		for number < len(text) && (text[number] >= '0' && text[number] <= '9' || text[number] == '.') {
			number++
		}
		unit := number
		for unit < len(text) && text[unit] >= 'a' && text[unit] <= 'z' {
			unit++
		}
		n, err := strconv.ParseFloat(text[1:number], 64)
		span, known := spans[text[number:unit]]
		if err != nil || !known || n*span > float64(10000*366*instant.Day/10) {
			return 0, false
		}
		if text[0] == '-' {
			n = -n
		}
		t += instant.Ticks(n * span)
		text = text[unit:]
	}
	return t, true
}
