package inventory_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets properties draw the same values in every run, so that a failure
// can be met again, and that reading in pieces leaves no goroutine behind. Give
// -rapid.seed for other values.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		_ = seed.Value.Set("20260131")
	}
	goleak.VerifyTestMain(m)
}
