package duration_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/duration"
	"github.com/bundlegen/bundlegen/internal/fixedseed"
)

// TestMain fixes the seed of the property tests, unless one is given.
func TestMain(m *testing.M) {
	fixedseed.Set()
	os.Exit(m.Run())
}

func TestDurationsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "ms")) * time.Millisecond
		got, ok := duration.Parse(duration.Format(d))
		if !ok || got != d {
			t.Fatalf("%v is written %s and read %v", d, duration.Format(d), got)
		}
	})
	for _, bad := range []string{"", "5", "m", "5 m", "5min", "1m1h", "1m1m", "-1m", "1.5h", "1w", "99999999999999999999s", "200000d"} {
		_, ok := duration.Parse(bad)
		require.False(t, ok, bad)
	}
}
