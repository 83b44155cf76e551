package instant_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets properties draw the same values in every run, so that a failure
// can be met again. Give -rapid.seed for others.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		_ = seed.Value.Set("20260131")
	}
	os.Exit(m.Run())
}
