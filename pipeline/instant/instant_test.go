package instant_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// anyTicks draws instants that can be printed with a year of four digits.
func anyTicks(t *rapid.T) instant.Ticks {
	first, last := ticks("0000-01-01T00:00:00Z"), ticks("9999-12-31T23:59:59.9999999Z")
	near := rapid.Int64Range(-30, 30)
	return instant.Ticks(rapid.OneOf(
		rapid.Int64Range(int64(first), int64(last)),
		near, // around 1970
		rapid.Map(near, func(n int64) int64 { return n * int64(instant.Day) }),
	).Draw(t, "ticks"))
}

func ticks(s string) instant.Ticks {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return instant.Ticks(t.Unix()*10_000_000 + int64(t.Nanosecond())/100)
}

func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := anyTicks(t)
		require.Equal(t, at, instant.FromTime(at.Time()))
		require.Equal(t, time.UTC, at.Time().Location())

		text := at.String()
		parsed, err := instant.Parse(text)
		require.NoError(t, err)
		require.Equal(t, at, parsed)

		us, rest := at.Micros()
		require.Equal(t, int64(at), us*10+int64(rest))
		require.True(t, 0 <= rest && rest <= 9)
		require.Equal(t, at.Time().UnixMicro(), us, "the columns of bronze are those of the time")
	})
}

func TestFromTimeCutsTowardsThePast(t *testing.T) {
	for text, want := range map[string]instant.Ticks{
		"1970-01-01T00:00:00.000000099Z":  0,
		"1970-01-01T00:00:00.000000100Z":  1,
		"1969-12-31T23:59:59.999999999Z":  -1,
		"1969-12-31T23:59:59.999999900Z":  -1,
		"1969-12-31T23:59:59.999999899Z":  -2,
		"2026-01-31T12:00:00.123456789Z":  ticks("2026-01-31T12:00:00.1234567Z"),
		"2026-01-31T14:00:00+02:00":       ticks("2026-01-31T12:00:00Z"),
		"2026-01-31t12:00:00z":            ticks("2026-01-31T12:00:00Z"),
		"0001-01-01T00:00:00.0000000Z":    -62_135_596_800 * instant.Second,
		"2026-01-31T12:00:00.1234567Z":    17_698_608_001_234_567,
		"2026-01-31T12:00:00.12+05:30":    ticks("2026-01-31T06:30:00.12Z"),
		"9999-12-31T23:59:59.9999999Z":    253_402_300_800*instant.Second - 1,
		"2024-02-29T00:00:00.000-00:00":   ticks("2024-02-29T00:00:00Z"),
		"1600-02-29T23:59:59.9999999Z":    ticks("1600-02-29T23:59:59.9999999Z"),
		"1900-03-01T00:00:00.1Z":          ticks("1900-03-01T00:00:00.1Z"),
		"0000-02-29T00:00:00Z":            ticks("0000-02-29T00:00:00Z"),
		"2026-01-31T12:00:00.00000000Z":   ticks("2026-01-31T12:00:00Z"),
		"2026-01-31T12:00:00.12345670Z":   ticks("2026-01-31T12:00:00.1234567Z"),
		"2026-12-31T23:59:59.9999999999Z": ticks("2026-12-31T23:59:59.9999999Z"),
	} {
		got, err := instant.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	require.EqualValues(t, -10_000, instant.FromMillis(-1))
	require.Equal(t, ticks("2026-01-31T12:00:00.123Z"), instant.FromMillis(1_769_860_800_123))
	require.EqualValues(t, 15, instant.FromDuration(1599*time.Nanosecond))
	require.Equal(t, 6*instant.Hour, instant.FromDuration(6*time.Hour))
	require.Equal(t, instant.Day, instant.FromDuration(24*time.Hour))
}

func TestStringHasAsManyDigitsAsItNeeds(t *testing.T) {
	for digits := range 8 {
		text := "1969-07-20T20:17:40"
		if digits > 0 {
			text += ".1234567"[:1+digits]
		}
		text += "Z"
		require.Equal(t, text, ticks(text).String())
	}
	require.Equal(t, "1970-01-01T00:00:00Z", instant.Ticks(0).String())
	require.Equal(t, "1969-12-31T23:59:59.9999999Z", instant.Ticks(-1).String())
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "now", "*", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T00:00:00Z", "2026-01-31T25:00:00Z", "1769860800000"} {
		_, err := instant.Parse(text)
		require.ErrorContains(t, err, "is not an instant such as 2026-01-31T12:00:00Z", text)
	}
}

func TestRange(t *testing.T) {
	// Ticks reach far beyond the years that are printed.
	require.Less(t, instant.Ticks(math.MinInt64), ticks("0000-01-01T00:00:00Z"))
	require.Equal(t, instant.Ticks(math.MaxInt64), instant.FromTime(instant.Ticks(math.MaxInt64).Time()))
	require.Equal(t, instant.Ticks(math.MinInt64), instant.FromTime(instant.Ticks(math.MinInt64).Time()))
}
