package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/duration"
)

// minCadence is the least that the scheduler of Databricks allows between two runs.
const minCadence = 10 * time.Second

// CronOf returns the Quartz expression that fires every `every`, evenly, counted
// from midnight. Cron cannot count beyond its fields, so only what divides a
// minute (from 10 s), an hour or a day has one, and a whole week: of all else
// the answer is false, and NearestEvery names what there is instead.
func CronOf(every time.Duration) (string, bool) {
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	switch {
	case every < minCadence || every%time.Second != 0:
		return "", false
	case every < time.Minute:
		return fmt.Sprintf("0/%d * * * * ?", every/time.Second), time.Minute%every == 0
	case every == time.Minute:
		return "0 * * * * ?", true
	case every < time.Hour:
		return fmt.Sprintf("0 0/%d * * * ?", every/time.Minute), every%time.Minute == 0 && time.Hour%every == 0
	case every == time.Hour:
		return "0 0 * * * ?", true
	case every < day:
		return fmt.Sprintf("0 0 0/%d * * ?", every/time.Hour), every%time.Hour == 0 && day%every == 0
	case every == day:
		return "0 0 0 * * ?", true
	case every == week:
		return "0 0 0 ? * SUN", true
	}
	return "", false
}

// evenCadences are all durations that CronOf has an expression for, ascending.
var evenCadences = func() []time.Duration {
	var out []time.Duration
	for unit, high := range map[time.Duration]int{time.Second: 59, time.Minute: 59, time.Hour: 24, 24 * time.Hour: 7} {
		for n := 1; n <= high; n++ {
			if _, ok := CronOf(time.Duration(n) * unit); ok {
				out = append(out, time.Duration(n)*unit)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}()

// NearestEvery returns the longest cadence below and the shortest above d that
// CronOf can express, or d twice; zero where there is none.
func NearestEvery(d time.Duration) (below, above time.Duration) {
	i, exact := slices.BinarySearch(evenCadences, d)
	if exact {
		return d, d
	}
	if i > 0 {
		below = evenCadences[i-1]
	}
	if i < len(evenCadences) {
		above = evenCadences[i]
	}
	return below, above
}

// cronField is one field of a Quartz expression.
type cronField struct {
	name      string
	low, high int
	words     string // names of the values from least on, three letters each
	any       bool   // ? is allowed
}

var cronFields = []cronField{
	{"seconds", 0, 59, "", false},
	{"minutes", 0, 59, "", false},
	{"hours", 0, 23, "", false},
	{"day of month", 1, 31, "", true},
	{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", false},
	{"day of week", 1, 7, "SUNMONTUEWEDTHUFRISAT", true},
	{"year", 1970, 2099, "", false},
}

// schedule is a checked Quartz expression: the values of each field, ascending;
// none where the field has ? or counts from a month's end.
type schedule [7][]int

// CheckCron returns what is wrong with a Quartz expression, as Databricks takes
// it: 6 or 7 fields, day of week 1-7 (1 is Sunday) or SUN-SAT, exactly one of
// day of month and day of week a ?, and at least 10 s between two runs.
func CheckCron(expr string) error {
	_, err := parseCron(expr)
	return err
}

// CadenceOf returns the least time between two runs of a Quartz expression,
// within a day; 24 h when it fires once a day or more rarely, and 0 when it is
// no such expression.
func CadenceOf(expr string) time.Duration {
	s, err := parseCron(expr)
	if err != nil {
		return 0
	}
	return s.minGap()
}

// StartsPerMonth returns how often a Quartz expression fires in an average month
// (365.25/12 days); 0 when it is no such expression. A day counted from a month's
// end (L, W, #) is one a month.
func StartsPerMonth(expr string) float64 {
	const days, months = 365.25 / 12, 12.0
	s, err := parseCron(expr)
	if err != nil {
		return 0
	}
	active := 1.0
	switch ofMonth, ofWeek := len(s[3]), len(s[5]); {
	case ofMonth > 0:
		active = min(days, float64(ofMonth))
	case ofWeek > 0:
		active = days * float64(ofWeek) / 7
	}
	return float64(len(s[0])*len(s[1])*len(s[2])) * active * float64(len(s[4])) / months
}

func parseCron(expr string) (schedule, error) {
	var s schedule
	fields := strings.Fields(strings.ToUpper(expr))
	if len(fields) != 6 && len(fields) != 7 {
		return s, fmt.Errorf(
			"a Quartz expression has 6 or 7 fields, and this has %d; they are seconds minutes hours day-of-month month day-of-week [year]",
			len(fields),
		)
	}
	for i, text := range fields {
		values, err := cronFields[i].values(text)
		if err != nil {
			return s, err
		}
		s[i] = values
	}
	if (fields[3] == "?") == (fields[5] == "?") {
		return s, fmt.Errorf("exactly one of day of month (%s) and day of week (%s) must be ?", fields[3], fields[5])
	}
	if gap := s.minGap(); gap < minCadence {
		return s, fmt.Errorf("fires every %s; the scheduler wants %s at least", duration.Format(gap), duration.Format(minCadence))
	}
	return s, nil
}

// values returns the values that a field's text stands for.
func (f cronField) values(text string) ([]int, error) {
	if text == "?" && f.any {
		return nil, nil
	}
	if f.name == "day of month" && dayFromEnd(text) || f.name == "day of week" && f.weekdayFromEnd(text) {
		return nil, nil
	}
	set := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		if err := f.part(part, set); err != nil {
			return nil, err
		}
	}
	out := make([]int, 0, len(set))
	for v := range set {
		out = append(out, v)
	}
	slices.Sort(out)
	return out, nil
}

// part adds the values of *, a, a-b, and these with /step.
func (f cronField) part(part string, set map[int]bool) error {
	bad := func() error {
		return fmt.Errorf("%s %q is not allowed; allowed: %s", f.name, part, f.allowed())
	}
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		var ok bool
		if step, ok = digits(stepText); !ok || step < 1 || step > f.high {
			return bad()
		}
	}
	from, to := f.low, f.high
	if span != "*" && (span != "" || !stepped) {
		first, last, ranged := strings.Cut(span, "-")
		var ok bool
		if from, ok = f.value(first); !ok {
			return bad()
		}
		switch {
		case ranged:
			if to, ok = f.value(last); !ok {
				return bad()
			}
		case !stepped:
			to = from
		}
	}
	// A range may run over the end: FRI-MON, 22-2.
	if to < from {
		if f.name == "year" {
			return bad()
		}
		to += f.high - f.low + 1
	}
	for v := from; v <= to; v += step {
		set[(v-f.low)%(f.high-f.low+1)+f.low] = true
	}
	return nil
}

func (f cronField) value(s string) (int, bool) {
	if f.words != "" && len(s) == 3 {
		if at := strings.Index(f.words, s); at >= 0 && at%3 == 0 {
			return f.low + at/3, true
		}
	}
	v, ok := digits(s)
	return v, ok && v >= f.low && v <= f.high
}

// weekdayFromEnd matches L, 6L, FRIL (the month's last Friday), 6#3 and FRI#3 (its third).
func (f cronField) weekdayFromEnd(text string) bool {
	if text == "L" {
		return true
	}
	if day, ok := strings.CutSuffix(text, "L"); ok {
		_, ok = f.value(day)
		return ok
	}
	day, nth, ok := strings.Cut(text, "#")
	if !ok {
		return false
	}
	n, isNumber := digits(nth)
	_, isDay := f.value(day)
	return isDay && isNumber && n >= 1 && n <= 5
}

// dayFromEnd matches L, L-3 (days before the month's end), LW and 15W (the nearest weekday).
func dayFromEnd(text string) bool {
	if text == "L" || text == "LW" {
		return true
	}
	if day, ok := strings.CutSuffix(text, "W"); ok {
		n, ok := digits(day)
		return ok && n >= 1 && n <= 31
	}
	if before, ok := strings.CutPrefix(text, "L-"); ok {
		n, ok := digits(before)
		return ok && n <= 30
	}
	return false
}

// digits reads a number of one to four digits.
func digits(s string) (int, bool) {
	if s == "" || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func (f cronField) allowed() string {
	text := fmt.Sprintf("%d-%d", f.low, f.high)
	if f.words != "" {
		text += fmt.Sprintf(" or %s-%s", f.words[:3], f.words[len(f.words)-3:])
	}
	text += ", * , - /"
	switch f.name {
	case "day of month":
		text += " ? L W"
	case "day of week":
		text += " ? L # (1 is Sunday)"
	}
	return text
}

// minGap returns the least time between two firings within a day, or over midnight.
func (s schedule) minGap() time.Duration {
	const day = 24 * time.Hour
	first, last, shortest, _ := s.ofDay()
	if last > first {
		shortest = min(shortest, first+day-last)
	}
	return min(shortest, day)
}
