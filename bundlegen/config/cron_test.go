package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/duration"
)

func TestCronOf(t *testing.T) {
	for every, want := range map[string]string{
		"10s": "0/10 * * * * ?", "30s": "0/30 * * * * ?", "1m": "0 * * * * ?", "5m": "0 0/5 * * * ?", "30m": "0 0/30 * * * ?",
		"1h": "0 0 * * * ?", "2h": "0 0 0/2 * * ?", "12h": "0 0 0/12 * * ?", "1d": "0 0 0 * * ?", "7d": "0 0 0 ? * SUN",
	} {
		d, ok := duration.Parse(every)
		require.True(t, ok)
		cron, ok := CronOf(d)
		require.True(t, ok, every)
		require.Equal(t, want, cron)
	}
	for every, want := range map[string][2]string{
		"7m": {"6m", "10m"}, "90s": {"1m", "2m"}, "45m": {"30m", "1h"}, "5h": {"4h", "6h"}, "2d": {"1d", "7d"}, "5s": {"0s", "10s"}, "8d": {"7d", "0s"},
	} {
		d, _ := duration.Parse(every)
		_, ok := CronOf(d)
		require.False(t, ok, every)
		below, above := NearestEvery(d)
		require.Equal(t, want, [2]string{duration.Format(below), duration.Format(above)}, every)
	}
}

// TestCronOfIsEven: the expression is valid and fires exactly as often as asked.
func TestCronOfIsEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.IntRange(0, 8*86400).Draw(t, "seconds")) * time.Second
		if rapid.Bool().Draw(t, "even") {
			every, _ = NearestEvery(every)
		}
		cron, ok := CronOf(every)
		below, above := NearestEvery(every)
		if ok != (below == every && above == every && every > 0) {
			t.Fatalf("%v: %v, but nearest %v and %v", every, ok, below, above)
		}
		if !ok {
			if below >= every && below > 0 || above <= every && above > 0 {
				t.Fatalf("%v is not between %v and %v", every, below, above)
			}
			return
		}
		if err := CheckCron(cron); err != nil {
			t.Fatal(err)
		}
		if got := CadenceOf(cron); got != min(every, 24*time.Hour) {
			t.Fatalf("%s fires every %v, not %v", cron, got, every)
		}
	})
}

func TestGoodCron(t *testing.T) {
	for expr, cadence := range map[string]string{
		"0 0/5 * * * ?": "5m", "0 */5 * * * ?": "5m", "0 0 6 ? * MON-FRI": "1d", "0 0 6 ? * mon,wed": "1d", "0 15 10 L * ?": "1d",
		"0 15 10 L-3 * ?": "1d", "0 15 10 LW * ?": "1d", "0 15 10 15W * ?": "1d", "0 15 10 ? * 6L": "1d", "0 15 10 ? * FRIL": "1d",
		"0 15 10 ? * 6#3": "1d", "0 15 10 ? * FRI#3 2026-2030": "1d", "0 0 22-2 * * ?": "1h", "0 0 0 ? * FRI-MON": "1d",
		"0 0,10 8-9 * * ?": "10m", "0/10 * * * * ?": "10s", "0 0 0 1 JAN-DEC/3 ?": "1d", "0 5/20 * * * ? *": "20m", "0 0 0 ? * L": "1d",
	} {
		require.NoError(t, CheckCron(expr), expr)
		require.Equal(t, cadence, duration.Format(CadenceOf(expr)), expr)
	}
	require.Zero(t, CadenceOf("*/5 * * * *"))
}

func TestStartsPerMonth(t *testing.T) {
	const days = 365.25 / 12
	for expr, want := range map[string]float64{
		"0 0/5 * * * ?": 288 * days, "0 0 6 ? * MON-FRI": days * 5 / 7, "0 0 0 ? * FRI-MON": days * 4 / 7, "0 0 22-2 * * ?": 5 * days,
		"0 0 0 1,15 * ?": 2, "0 0 0 1 JAN-DEC/3 ?": 4.0 / 12, "0 0 0 1-31 * ?": days, "0 0 0 ? * * *": days,
		"0 15 10 L * ?": 1, "0 15 10 15W * ?": 1, "0 15 10 ? * FRIL": 1, "0 15 10 ? * 6#3 2026": 1, "*/5 * * * *": 0,
	} {
		require.InDelta(t, want, StartsPerMonth(expr), 1e-9, expr)
	}
}
