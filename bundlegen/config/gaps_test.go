package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What a schedule leaves out counts: nights, weekends, short months.
func TestLongestGapOf(t *testing.T) {
	const day = 24 * time.Hour
	for expr, want := range map[string]time.Duration{
		"0 0/5 * * * ?": 5 * time.Minute, "0 0 * * * ?": time.Hour, "0 0 6 * * ?": day, "0 0 6 * * ? *": day,
		"0 0/5 8-17 * * ?": 14*time.Hour + 5*time.Minute, "0 30 2,14 * * ?": 12 * time.Hour, "0 0 22-2 * * ?": 20 * time.Hour,
		"0 0 6 ? * MON-FRI": 3 * day, "0 0 8,17 ? * MON-FRI": 2*day + 15*time.Hour, "0 0 0 ? * SUN": 7 * day, "0 0 0 ? * L": 7 * day,
		"0 0 0 1 * ?": 31 * day, "0 0 0 31 * ?": 61 * day, "0 0 0 1 1 ?": 366 * day, "0 0 0 29 2 ?": 1461 * day,
		"0 0 6 L * ?": 31 * day, "0 0 6 L-3 * ?": 31 * day, "0 0 6 LW * ?": 33 * day, "0 0 6 15W * ?": 32 * day, "0 0 6 1W * ?": 33 * day,
		"0 0 6 ? * FRIL": 35 * day, "0 0 6 ? * 6#3": 35 * day, "0 0 6 ? * FRI#5": 119 * day, "0 0 6 ? FEB FRI#5": 10227 * day,
		"0 0 6 30 2 ?": 0, "0 0 6 * * ? 2026-2030": 0, "*/5 * * * *": 0, // never, not always, no expression
	} {
		require.Equal(t, want, LongestGapOf(expr), expr)
	}
}

// No gap is shorter than the cadence, and one that is even is the cadence.
func TestLongestGapIsNoLessThanTheCadence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every, _ := NearestEvery(time.Duration(rapid.IntRange(10, 8*86400).Draw(t, "seconds")) * time.Second)
		if cron, ok := CronOf(every); ok && LongestGapOf(cron) != every {
			t.Fatalf("%s has a gap of %v, not %v", cron, LongestGapOf(cron), every)
		}
		hours := rapid.SliceOfNDistinct(rapid.IntRange(0, 23), 1, 6, rapid.ID[int]).Draw(t, "hours")
		cron := "0 0 " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(hours)), ","), "[]") + " * * ?"
		if LongestGapOf(cron) < CadenceOf(cron) {
			t.Fatalf("%s has a longest gap of %v, and fires every %v", cron, LongestGapOf(cron), CadenceOf(cron))
		}
	})
}
