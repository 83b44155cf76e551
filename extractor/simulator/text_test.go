package simulator

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Instants are printed as the pipeline's own package prints them.
func TestStampsAreExact(t *testing.T) {
	w := newStampWriter(`"`, `Z"`, false)
	rapid.Check(t, func(t *rapid.T) {
		at := instant.Ticks(rapid.Int64Range(-60*366*int64(instant.Day), 600*366*int64(instant.Day)).Draw(t, "ticks"))
		unit := rapid.SampledFrom([]instant.Ticks{1, 10, instant.Millisecond, instant.Second, instant.Minute, instant.Day}).Draw(t, "unit")
		at -= at % unit
		if got := string(w.append(nil, at)); got != `"`+at.String()+`"` {
			t.Fatalf("%s for %s", got, at)
		}
	})
	for day := range instant.Ticks(800 * 366) { // leap years of all sorts
		at := (day - 366*400) * instant.Day
		require.Equal(t, at.Time().Format(`"2006-01-02T15:04:05Z"`), string(w.append(nil, at)))
	}
	fixed := newStampWriter("", "Z", true)
	require.Equal(t, "2026-01-01T12:00:00.1000000Z", string(fixed.append(nil,
		instant.FromTime(time.Date(2026, 1, 1, 12, 0, 0, 1e8, time.UTC)))))
}

// Texts are escaped so that encoding/json reads the same.
func TestTextsAreEscaped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var back string
		if err := json.Unmarshal(appendJSONString(nil, text), &back); err != nil || back != text {
			t.Fatalf("%q became %q: %v", text, back, err)
		}
	})
}
