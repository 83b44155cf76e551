package plan

import (
	"math"
	"strconv"
	"strings"
)

// startsPerMonth gives how often a Quartz expression that config has accepted
// fires in an average month (365.25/12 days). Days counted from a month's end
// (L, W, #) count as one day a month.
func startsPerMonth(cron string) float64 {
	const days, months = 365.25 / 12, 12.0
	f := strings.Fields(strings.ToUpper(cron))
	if len(f) < 6 {
		return 0
	}
	aDay := float64(values(f[0], 0, 59, "") * values(f[1], 0, 59, "") * values(f[2], 0, 23, ""))
	active := days
	switch {
	case strings.ContainsAny(f[3], "LW") || strings.ContainsAny(f[5], "#") || strings.HasSuffix(f[5], "L"):
		active = 1
	case f[3] != "?" && f[3] != "*":
		active = math.Min(days, float64(values(f[3], 1, 31, "")))
	case f[5] != "?" && f[5] != "*":
		active = days * float64(values(f[5], 1, 7, "SUNMONTUEWEDTHUFRISAT")) / 7
	}
	return aDay * active * float64(values(f[4], 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC")) / months
}

// values counts the values of a field of *, a, a-b, and these with /step, in lists.
func values(field string, least, most int, names string) int {
	number := func(s string) int {
		if i := strings.Index(names, s); names != "" && len(s) == 3 && i >= 0 {
			return least + i/3
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return least
		}
		return n
	}
	set := map[int]bool{}
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			step = max(1, number(stepText))
		}
		from, to := least, most
		if span != "*" && span != "?" && span != "" {
			first, last, ranged := strings.Cut(span, "-")
			from = number(first)
			switch {
			case ranged:
				to = number(last)
			case !stepped:
				to = from
			}
		}
		if to < from {
			to += most - least + 1
		}
		for v := from; v <= to; v += step {
			set[(v-least)%(most-least+1)] = true
		}
	}
	return len(set)
}

func ceilTo(x, multiple float64) float64 { return math.Ceil(x/multiple) * multiple }
